/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lockspace-probe NAME [CLUSTER]   a lockspace of the real DLM (lib/lockspace)
 * lockspace-probe --port           the daemon's locks port (locks_dlm)
 *
 * Takes commands from stdin, a line each, and prints what it is told, a line each.
 *
 *	lock R MODE [FLAG...]	 nl cr cw pr pw ex; noqueue persistent orphan value
 *	convert R MODE [FLAG...] of the lock on R
 *	unlock R [cancel|force]
 *	value R TEXT		 what a convert with the flag value writes
 *	purge
 *	member NODE		 this node's, by lockspace_recovery()
 *	view NODE...
 *	end close|leave|destroy
 *
 *	join CLUSTER, lock OBJECT LOCK [keep], unlock OBJECT LOCK, gone OBJECT, orphans LOCKS, status,
 *	end close|leave
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemons/dlmirrord/locks_dlm.h"
#include "lockspace/libdlm.h"

#define LOCKS_MAX 64U
#define WORDS_MAX 8U
#define NODES_MAX 8U

struct lock {
	char name[LOCKSPACE_RESOURCE_MAX + 1]; /* "": free */
	struct lockspace_lksb lksb;
};

static struct lock locks[LOCKS_MAX];
static struct lockspace *space;
static struct locks_dlm *port;
static const struct group_mirror mirror = {.byte = "lockspace-probe"};

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void say(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
	fflush(stdout);
}

static struct lock *lock_get(const char *name)
{
	struct lock *free_one = NULL;

	for (unsigned i = 0; i < LOCKS_MAX; i++) {
		if (strcmp(locks[i].name, name) == 0)
			return &locks[i];
		if (locks[i].name[0] == '\0' && free_one == NULL)
			free_one = &locks[i];
	}
	if (free_one == NULL)
		exit(1);
	snprintf(free_one->name, sizeof(free_one->name), "%s", name);
	return free_one;
}

static void on_ast(void *context)
{
	const struct lock *l = context;

	switch (l->lksb.status) {
	case 0:
		say("%s: granted value=%.31s%s", l->name, (const char *)l->lksb.value,
		    l->lksb.value_unknown ? " unknown" : "");
		break;
	case -LOCKSPACE_EUNLOCK:
		say("%s: unlocked", l->name);
		break;
	case -LOCKSPACE_ECANCEL:
		say("%s: cancelled", l->name);
		break;
	default:
		say("%s: %s", l->name, strerrorname_np(-l->lksb.status));
		break;
	}
}

static void on_bast(void *context)
{
	say("%s: blocks", ((const struct lock *)context)->name);
}

static unsigned number_of(const char *word, const char *const *names, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (strcmp(word, names[i]) == 0)
			return i;
	say("%s?", word);
	exit(1);
}

static uint32_t flags_of(char *const *words, unsigned count)
{
	static const char *const names[] = {"noqueue", "convert", "value", "persistent",
					    "orphan",  "cancel",  "force"};
	uint32_t flags = 0;

	for (unsigned i = 0; i < count; i++)
		flags |= 1U << number_of(words[i], names, sizeof(names) / sizeof(names[0]));
	return flags;
}

static void result(const char *name, int error)
{
	if (error != 0)
		say("%s: call %s", name, strerrorname_np(-error));
}

static void lock(char *const *words, unsigned count, uint32_t flags)
{
	static const char *const modes[] = {"nl", "cr", "cw", "pr", "pw", "ex"};
	struct lock *l = lock_get(words[1]);

	result(l->name, lockspace_lock(space, (enum lockspace_mode)number_of(words[2], modes, 6),
				       &l->lksb, flags | flags_of(words + 3, count - 3), l->name,
				       strlen(l->name), 0, on_ast, l, on_bast));
}

static void on_prep(void *context)
{
	(void)context;
	say("prep");
}

static void on_slot(void *context, const struct lockspace_slot *slot)
{
	(void)context;
	say("dead %" PRIu32 "=%" PRIu32, slot->node, slot->slot);
}

static void on_done(void *context, const struct lockspace_slot *slots, uint32_t count,
		    uint32_t our_slot, uint32_t generation)
{
	(void)context;
	(void)generation;
	printf("done");
	for (uint32_t i = 0; i < count; i++)
		printf(" %" PRIu32 "=%" PRIu32, slots[i].node, slots[i].slot);
	say(" ours %" PRIu32, our_slot);
}

static const struct lockspace_ops ops = {on_prep, on_slot, on_done};

static void view(char *const *words, unsigned count)
{
	uint32_t nodes[NODES_MAX];

	for (unsigned i = 0; i < count && i < NODES_MAX; i++)
		nodes[i] = (uint32_t)strtoul(words[i], NULL, 10);
	result("view", lockspace_view(space, nodes, count));
}

static int how_of(const char *word)
{
	static const char *const hows[] = {"close", "leave", "destroy"};

	return (int)number_of(word, hows, 3);
}

static void space_command(char *const *words, unsigned count)
{
	struct lock *l;

	if (strcmp(words[0], "lock") == 0 && count >= 3) {
		lock(words, count, 0);
	} else if (strcmp(words[0], "convert") == 0 && count >= 3) {
		lock(words, count, LOCKSPACE_CONVERT);
	} else if (strcmp(words[0], "unlock") == 0 && count >= 2) {
		l = lock_get(words[1]);
		result(l->name,
		       lockspace_unlock(space, l->lksb.id, flags_of(words + 2, count - 2), NULL));
	} else if (strcmp(words[0], "value") == 0 && count == 3) {
		l = lock_get(words[1]);
		memset(l->lksb.value, 0, sizeof(l->lksb.value));
		snprintf((char *)l->lksb.value, sizeof(l->lksb.value), "%s", words[2]);
	} else if (strcmp(words[0], "purge") == 0) {
		result("purge", lockspace_purge(space));
	} else if (strcmp(words[0], "member") == 0 && count == 2) {
		result("member", lockspace_recovery(space, (uint32_t)strtoul(words[1], NULL, 10),
						    &ops, NULL));
	} else if (strcmp(words[0], "view") == 0) {
		view(words + 1, count - 1);
	} else if (strcmp(words[0], "end") == 0 && count == 2) {
		result("end", lockspace_release(space, (enum lockspace_release)how_of(words[1])));
		say("ended");
		exit(0);
	} else {
		say("%s?", words[0]);
	}
}

static void on_locked(void *context, uint64_t object, uint32_t number, int error)
{
	(void)context;
	say("%" PRIu64 ":%" PRIu32 " %s", object, number,
	    error == 0 ? "locked" : strerrorname_np(-error));
}

static void status_say(void)
{
	struct locks_dlm_status s;

	locks_dlm_status(port, &s);
	say("joined=%d recovering=%d fencing=%d held=%" PRIu32 " waiting=%" PRIu32
	    " orphans=%" PRIu32 " problem=%s",
	    s.joined, s.recovering, s.fencing, s.held, s.waiting, s.orphans, s.problem);
}

static void port_command(char *const *words, unsigned count)
{
	uint64_t object = count > 1 ? strtoull(words[1], NULL, 10) : 0;
	uint32_t number = count > 2 ? (uint32_t)strtoul(words[2], NULL, 10) : 0;

	if (strcmp(words[0], "join") == 0 && count == 2) {
		locks_dlm_join(port, words[1]);
	} else if (strcmp(words[0], "lock") == 0 && count >= 3) {
		locks_dlm_lock(port, &mirror, number, object, count > 3);
	} else if (strcmp(words[0], "unlock") == 0 && count == 3) {
		locks_dlm_unlock(port, &mirror, number, object);
	} else if (strcmp(words[0], "gone") == 0 && count == 2) {
		locks_dlm_object_gone(port, object, false);
	} else if (strcmp(words[0], "orphans") == 0 && count == 2) {
		locks_dlm_release_orphans(port, &mirror, (uint32_t)object);
	} else if (strcmp(words[0], "status") == 0) {
		status_say();
	} else if (strcmp(words[0], "end") == 0 && count == 2) {
		port = locks_dlm_destroy(port, how_of(words[1]) != 0);
		say("ended");
		exit(0);
	} else {
		say("%s?", words[0]);
	}
}

static void command(char *line)
{
	char *words[WORDS_MAX];
	unsigned count = 0;
	char *at = NULL;

	for (char *word = strtok_r(line, " \n", &at); word != NULL && count < WORDS_MAX;
	     word = strtok_r(NULL, " \n", &at))
		words[count++] = word;
	if (count == 0)
		return;
	if (port != NULL)
		port_command(words, count);
	else
		space_command(words, count);
}

/* By single bytes: poll() does not know what stdio has. False: that is the end. */
static bool input_take(void)
{
	static char line[256];
	static size_t length;
	char c;

	if (read(STDIN_FILENO, &c, 1) != 1)
		return false;
	if (length < sizeof(line) - 1)
		line[length++] = c;
	if (c != '\n')
		return true;
	line[length] = '\0';
	length = 0;
	command(line);
	return true;
}

static void dispatch(void)
{
	if (port != NULL)
		locks_dlm_dispatch(port);
	else
		result("dispatch", lockspace_dispatch(space));
}

static int run(void)
{
	struct pollfd fd[2] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.events = POLLIN}};

	fd[1].fd = port != NULL ? locks_dlm_fd(port) : lockspace_fd(space);
	do {
		if (poll(fd, 2, port != NULL ? -1 : lockspace_timeout_ms(space)) < 0)
			return 1;
		dispatch();
	} while ((fd[0].revents & POLLIN) == 0 || input_take());
	return 0;
}

int main(int argc, char **argv)
{
	int error;

	if (argc < 2) {
		fprintf(stderr, "usage: lockspace-probe NAME [CLUSTER] | --port\n");
		return 2;
	}
	if (strcmp(argv[1], "--port") == 0)
		error = locks_dlm_create(on_locked, NULL, &port);
	else
		error =
		    lockspace_join(&lockspace_libdlm, argv[1], argc > 2 ? argv[2] : NULL, &space);
	say("joined %s", error == 0 ? "ok" : strerrorname_np(-error));
	return error != 0 ? 1 : run();
}
