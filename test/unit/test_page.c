// SPDX-License-Identifier: GPL-2.0-or-later
/* What dlmirror report writes: nothing that it is given becomes a part of the page's structure. */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemons/dlmirror/page.h"

#define MARK	  10
#define DEPTH_MAX 16
#define NAME_SIZE 16

#define HOSTILE "</td><script src=//x>alert(\"1\")&amp;'\n\x01\xff\xc3\xa9</script>"
/* The same as text. */
#define HARMLESS                                                                                   \
	"&#60;/td&#62;&#60;script src=//x&#62;alert(&#34;1&#34;)&#38;amp;&#39;&#xfffd;&#xfffd;"    \
	"&#xfffd;\xc3\xa9&#60;/script&#62;"

static struct facts facts;
static struct facts_mirror mirror;
static struct region_map map;
static struct course course;
static struct dlmirror_event event;
static struct dlmirror_cell cells[300];
static const struct courses courses = {.step_ms = 500, .count = 1, .course = &course};

static struct fact is(uint64_t value)
{
	return (struct fact){.known = true, .value = value};
}

static void unknown(struct fact *fact)
{
	*fact = (struct fact){.why = HOSTILE};
}

/* Each text that comes from elsewhere is hostile. */
static int hostile_host(void **state)
{
	struct dlmirror_mirror *m = &mirror.mirror;
	struct facts_device *const devices[] = {&mirror.leg[0], &mirror.log};
	size_t i;

	(void)state;
	memset(&facts, 0, sizeof(facts));
	memset(&mirror, 0, sizeof(mirror));
	*m = (struct dlmirror_mirror){.name = HOSTILE,
				      .uuid = HOSTILE,
				      .reload = HOSTILE,
				      .phase = "</p>",
				      .log_state = "<b>",
				      .has_disk = true,
				      .handle_errors = true,
				      .length_sectors = 2048,
				      .region_sectors = 1024,
				      .region_count = 2,
				      .in_sync = 1,
				      .repair = 1,
				      .leg_count = 1,
				      .leg = {{8, 0, 0, 'A'}},
				      .member_count = 2,
				      .member = {{7, 0, 'R'}, {UINT32_MAX, 1, 'G'}}};
	unknown(&mirror.suspended);
	unknown(&mirror.keep_log);
	for (i = 0; i < 2; i++) {
		strcpy(devices[i]->label, HOSTILE);
		unknown(&devices[i]->present);
	}
	mirror.counters.type[MARK] = (struct dlmirror_counter){.count = 4, .total_us = 40};
	mirror.counters.type[MARK].bucket[3] = 4;
	facts = (struct facts){.version = HOSTILE,
			       .reachable = is(1),
			       .mirror_count = 1,
			       .mirror = &mirror,
			       .config_path = HOSTILE,
			       .config_good = is(0),
			       .config_error = HOSTILE,
			       .unit = {{.name = HOSTILE}, {.name = HOSTILE}, {.name = HOSTILE}}};
	map = (struct region_map){.mirror = *m, .picture = picture_of(300, 136), .cell = cells};
	memset(cells, 0, sizeof(cells));
	for (i = 0; i < 300; i++)
		cells[i].count[i < 130 ? DLMIRROR_REGION_IN_SYNC : DLMIRROR_REGION_STALE] = 1;
	course = (struct course){.uuid = HOSTILE, .points = 3};
	course.rate[COURSE_MARKS][1] = 12.5;
	event = (struct dlmirror_event){.id = "</td>", .uuid = HOSTILE, .text = HOSTILE};
	unknown(&facts.mirror_target);
	unknown(&facts.corosync);
	unknown(&facts.hung_task_s);
	config_default(&facts.config);
	strcpy(facts.daemon.version, "</style>");
	strcpy(facts.daemon.host_name, HOSTILE);
	strcpy(facts.daemon.host_id, HOSTILE);
	facts.daemon.cluster.enabled = true;
	strcpy(facts.daemon.cluster.name, HOSTILE);
	strcpy(facts.daemon.cluster.problem, HOSTILE);
	return 0;
}

static void write_to(FILE *file)
{
	page_write(&(struct page){.facts = &facts,
				  .now = HOSTILE,
				  .map = &map,
				  .courses = &courses,
				  .event_count = 1,
				  .event = &event},
		   file);
}

static char *page(void)
{
	size_t size;
	char *text = NULL;
	FILE *file = open_memstream(&text, &size);

	assert_non_null(file);
	write_to(file);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(strlen(text), size);
	return text;
}

/* The page's own tags, in order and each with its end; what is between them has no other '<'. */
static void structure_check(const char *at)
{
	static const char *const tags[] = {"html",  "head",    "title", "style", "body",    "h1",
					   "h2",    "p",       "table", "tr",	 "th",	    "td",
					   "meter", "section", "svg",	"rect",	 "polyline"};
	char open[DEPTH_MAX][NAME_SIZE];
	size_t depth = 0;

	assert_int_equal(strncmp(at, "<!DOCTYPE html>\n", 16), 0);
	at += 16;
	while ((at = strchr(at, '<'))) {
		bool end = at[1] == '/';
		const char *name = at + 1 + end;
		size_t size = 0;
		bool known = false;
		size_t i;

		while (isalnum((unsigned char)name[size]))
			size++;
		at = strchr(name, '>');
		assert_non_null(at);
		if (size == 4 && strncmp(name, "meta", 4) == 0 && !end)
			continue;
		for (i = 0; i < sizeof(tags) / sizeof(tags[0]); i++)
			known =
			    known || (strlen(tags[i]) == size && strncmp(tags[i], name, size) == 0);
		if (!known)
			fail_msg("'%.40s'", name);
		if (!end) {
			assert_true(depth < DEPTH_MAX);
			memcpy(open[depth], name, size);
			open[depth++][size] = '\0';
			continue;
		}
		assert_true(depth > 0 && strlen(open[depth - 1]) == size);
		assert_int_equal(strncmp(open[--depth], name, size), 0);
	}
	assert_int_equal(depth, 0);
}

static unsigned times(const char *text, const char *part)
{
	unsigned number = 0;

	while ((text = strstr(text, part))) {
		text += strlen(part);
		number++;
	}
	return number;
}

static void test_escapes(void **state)
{
	char *text = page();

	(void)state;
	structure_check(text);
	assert_int_equal(times(text, "<script"), 0);
	assert_int_equal(times(text, "\x01"), 0);
	assert_int_equal(times(text, "\xff"), 0);
	/* name, uuid, activity, leg, log, cluster, host and id, problem, reasons, … */
	assert_true(times(text, HARMLESS) > 20);
	assert_non_null(strstr(text, "<h1>Mirrors of " HARMLESS "</h1>"));
	assert_non_null(strstr(text, "<td>" HARMLESS "</td><td>&#60;/p&#62;</td><td>1 MiB</td>"));
	assert_non_null(strstr(text, "<th>Leg</th><td>" HARMLESS ": alive</td>"));
	free(text);
}

static void test_contents(void **state)
{
	char *text = page();

	(void)state;
	assert_non_null(strstr(text,
			       "<th>in sync</th><td><meter max=\"2\" value=\"1\">50.0%</meter>"
			       "</td><td class=\"n\">1</td><td>50.0%</td>"));
	assert_non_null(strstr(text, "<tr><td>mark</td><td class=\"n\">4</td><td class=\"n\">0</td>"
				     "<td>10 us</td><td>16 us</td><td>16 us</td></tr>"));
	assert_int_equal(times(text, "<td>flush</td>"), 0);
	assert_non_null(strstr(text, "<th>Node 7</th><td>ready</td>"));
	assert_non_null(strstr(text, "<th>Unknown node</th><td>gone</td>"));
	assert_true(times(text, "<td class=\"problem\">problem</td>") > 0);
	assert_true(times(text, "<td class=\"unknown\">unknown</td>") > 0);
	assert_non_null(strstr(text, "<td>the daemon answers</td><td></td><td></td></tr>"));
	assert_int_equal(times(text, "prefers-color-scheme:dark"), 1);
	/* It fetches nothing: no address is in it but the hostile one, as text. */
	assert_int_equal(times(text, "://"), 0);
	assert_int_equal(times(text, "src="), times(text, "&#60;script src="));
	assert_int_equal(times(text, "href="), 0);
	assert_int_equal(times(text, "url("), 0);
	free(text);
}

static void test_drawings(void **state)
{
	char *text = page();

	(void)state;
	assert_int_equal(map.picture.columns, 128);
	assert_non_null(strstr(text, "viewBox=\"0 0 128 3\""));
	/* A line ends a run. */
	assert_non_null(strstr(text, "<rect class=\"in-sync\" x=\"0\" y=\"0\" width=\"128\""));
	assert_non_null(strstr(text, "<title>128 to 129: in sync</title>"));
	assert_non_null(strstr(text, "<title>130 to 255: stale"));
	assert_non_null(strstr(text, "<title>256 to 299: stale"));
	assert_non_null(strstr(text, "<td class=\"n\">170</td><td>stale"));
	assert_non_null(strstr(text, ": rates of 1 s</h2>"));
	assert_non_null(strstr(text, "<polyline points=\"0,100 10,0 20,100 \">"));
	assert_non_null(strstr(text, "<td class=\"n\">4.2</td><td class=\"n\">12.5</td>"));
	assert_non_null(strstr(text, "<td>&#60;/td&#62;</td><td>" HARMLESS "</td></tr>"));
	free(text);
}

static void test_no_daemon(void **state)
{
	char *text;

	(void)state;
	facts.reachable = is(0);
	facts.mirror_count = 0;
	facts.mirror = NULL;
	strcpy(facts.daemon_error, HOSTILE);
	text = page();
	structure_check(text);
	assert_non_null(strstr(text, "<h1>Mirrors</h1>"));
	assert_non_null(strstr(text, "<td>" HARMLESS "</td><td>systemctl start dlmirrord</td>"
				     "<td>daemon-answers</td></tr>"));
	assert_int_equal(times(text, "<h2>"), 2); /* diagnosis, and the event */
	free(text);
}

/* With an argument: prints the page, for test/check/page. */
int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_escapes, hostile_host),
	    cmocka_unit_test_setup(test_contents, hostile_host),
	    cmocka_unit_test_setup(test_drawings, hostile_host),
	    cmocka_unit_test_setup(test_no_daemon, hostile_host),
	};

	(void)argv;
	if (argc > 1) {
		(void)hostile_host(NULL);
		write_to(stdout);
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
