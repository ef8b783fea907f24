# SPDX-License-Identifier: GPL-2.0-or-later
# Makes of messages.catalog, by -v target: message_ids.h, the enum, message_table.h, the texts, and dlmirror-messages.7.
# What is wrong with the catalogue ends the build.

function wrong(what) {
	printf "%s:%d: %s\n", FILENAME, FNR, what >"/dev/stderr"
	failed = 1
	exit 1
}

function constant(id) {
	gsub(/-/, "_", id)
	return "MSG_" toupper(id)
}

function quoted(text) {
	gsub(/\\/, "\\\\", text)
	gsub(/"/, "\\\"", text)
	return "\"" text "\""
}

# mdoc: what has a meaning at the start of a line or behind a backslash has none
function plain(text) {
	gsub(/\\/, "\\e", text)
	gsub(/-/, "\\-", text)
	return text ~ /^[.']/ ? "\\&" text : text
}

# mdoc: each sentence on a line of its own
function sentences(text,   done) {
	while (match(text, /[A-Za-z0-9)][.?] [A-Z]/)) {
		done = done substr(text, 1, RSTART + 1) "\n"
		text = substr(text, RSTART + 3)
	}
	return done text
}

# Paragraphs and commands of the entry, as text[1..lines]; kind[i]: "p" or "c"
function entry_end(i) {
	if (id == "")
		return
	paragraph_end()
	if (lines == 0 || text[1] ~ /^(Cause|Do):/)
		wrong(id " has no explanation")
	if (!remedy)
		wrong(id " has no paragraph that begins with Do:")
	if (make == "ids") {
		printf "\t%s, /* %s */\n", constant(id), title
	} else if (make == "table") {
		printf "    [%s] = {%s, %s,\n", constant(id), quoted(id), quoted(title)
		for (i = 1; i <= lines; i++)
			printf "\t%s\n", quoted((kind[i] == "c" ? "    " : "") text[i]) gap(i)
		print "    },"
	} else {
		printf ".It Sy %s\n%s.\n", plain(id), plain(title)
		for (i = 1; i <= lines; i++) {
			if (kind[i] == "p") {
				printf ".Pp\n%s\n", sentences(labelled(plain(text[i])))
				continue
			}
			if (kind[i - 1] != "c")
				print ".Bd -literal -offset indent"
			print plain(text[i])
			if (i == lines || kind[i + 1] != "c")
				print ".Ed"
		}
	}
}

function gap(i) {
	if (i == lines)
		return ""
	return kind[i] == "c" && kind[i + 1] == "c" ? " \"\\n\"" : " \"\\n\\n\""
}

function labelled(line) {
	if (line ~ /^(Cause|Do):/) {
		i = index(line, ":")
		return ".Em " substr(line, 1, i) "\n" substr(line, i + 2)
	}
	return line
}

function paragraph_end() {
	if (open == "")
		return
	text[++lines] = open
	kind[lines] = "p"
	remedy = remedy || open ~ /^Do: [^ ]/
	open = ""
}

BEGIN {
	make = target ~ /ids/ ? "ids" : target ~ /table/ ? "table" : "man"
	if (make == "ids") {
		print "/* Made of messages.catalog. */\n#ifndef DLM_MESSAGE_IDS_H\n#define DLM_MESSAGE_IDS_H\n"
		print "enum message {\n\tMSG_WITHIN, /* the text has its id at its end already */"
	} else if (make == "table") {
		print "/* Made of messages.catalog. */"
	} else {
		print ".\\\" SPDX-License-Identifier: GPL-2.0-or-later\n.\\\" Made of messages.catalog."
		print ".Dd November 22, 2026\n.Dt DLMIRROR-MESSAGES 7\n.Os\n.Sh NAME\n.Nm dlmirror-messages"
		print ".Nd what dlmirror and dlmirrord say, and what to do about it\n.Sh DESCRIPTION"
	}
}

/^#/ { next }

/^== / {
	entry_end()
	id = ""
	if (make == "man") {
		if (sections++ > 0)
			print ".El"
		printf ".Ss %s\n.Bl -tag -width Ds\n", plain(substr($0, 4))
	}
	next
}

# what stands above the first section is of the page only
sections == 0 && !body && make == "man" && !/^$/ { print; next }

/^\[/ {
	entry_end()
	close_at = index($0, "] ")
	id = substr($0, 2, close_at - 2)
	title = substr($0, close_at + 2)
	if (id !~ /^[a-z0-9]+(-[a-z0-9]+)*$/ || length(id) > 40 || title == "")
		wrong("an entry begins with [id] and a title in one line")
	if (id in seen)
		wrong(id " is here twice")
	seen[id] = 1
	lines = 0
	remedy = 0
	open = ""
	next
}

id == "" { next }

/^$/ { paragraph_end(); next }

/^    / {
	paragraph_end()
	text[++lines] = substr($0, 5)
	kind[lines] = "c"
	next
}

{ open = open (open == "" ? "" : " ") $0 }

END {
	if (failed)
		exit 1
	entry_end()
	if (make == "ids")
		print "\tMESSAGES\n};\n\n#endif"
	else if (make == "man")
		print ".El\n.Sh SEE ALSO\n.Xr dlmirror 8 ,\n.Xr dlmirrord 8"
}
