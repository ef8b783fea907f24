// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What dlmirror metrics prints, against a grammar of the test's own. "test_exposition FORMAT" prints
 * the sample, for test/check/metrics to hold against other people's parsers.
 */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemons/dlmirror/exposition.h"

#define MIRRORS	    2
#define MARK	    10
#define SAMPLES_MAX 4096
#define NAME_SIZE   128

/* ---- the sample */

static void counters_fill(struct dlmirror_counters *c)
{
	struct dlmirror_counter *mark = &c->type[MARK];

	memset(c, 0, sizeof(*c));
	mark->count = 6;
	mark->errors = 1;
	mark->total_us = 9000123;
	mark->bucket[0] = 3; /* below 2 us */
	mark->bucket[3] = 2;
	mark->bucket[DLMIRROR_BUCKETS - 1] = 1;
}

static struct snapshot *sample(void)
{
	static struct dlmirror_mirror mirror[MIRRORS];
	static struct dlmirror_counters counters[MIRRORS];
	static struct snapshot s;
	struct dlmirror_mirror *m = &mirror[0];

	*m = (struct dlmirror_mirror){.uuid = "data-01234567",
				      .name = "da\"t\\a\n",
				      .phase = "active",
				      .log_state = "ok",
				      .has_disk = true,
				      .clustered = true,
				      .quorate = true,
				      .length_sectors = 2048,
				      .region_sectors = 1024,
				      .region_count = UINT64_MAX,
				      .in_sync = 1,
				      .dirty = 2,
				      .repair = 3,
				      .copying = 4,
				      .pending = 5,
				      .log_writes = 6,
				      .memory_bytes = 7,
				      .reload = "waits for node 2 to suspend",
				      .member_count = 2,
				      .member = {{1, 0, 'R'}, {2, 1, 'G'}},
				      .leg_count = 3};
	m->leg[0].health = 'A';
	m->leg[1].health = 'A';
	m->leg[2].health = '?';
	/* é, a byte that begins nothing, € cut off by a letter, a surrogate */
	mirror[1] = (struct dlmirror_mirror){
	    .uuid = "\xc3\xa9\xff\xe2\x82z\xed\xa0\x80", .phase = "suspended", .log_state = "none"};
	counters_fill(&counters[0]);
	memset(&counters[1], 0, sizeof(counters[1]));
	s = (struct snapshot){.count = MIRRORS, .mirror = mirror, .counters = counters};
	s.daemon = (struct dlmirror_daemon){.version = "1.2.3",
					    .host_id = "host-7",
					    .host_name = "seven",
					    .uptime_s = 77,
					    .generation = 2,
					    .overruns = 9};
	s.daemon.cluster = (struct dlmirror_cluster){.enabled = true,
						     .name = "rig",
						     .problem = "no quorum",
						     .node = 3,
						     .joined = true,
						     .queued = 8,
						     .sent_bytes = 4096};
	return &s;
}

static void sample_write(const struct snapshot *s, enum exposition_format format, FILE *to)
{
	static const struct exposition_inactive inactive[] = {{"spare", "spare-1"},
							      {"od\"d", "odd-1"}};

	exposition_write(&(const struct exposition){.s = s,
						    .inactive_count = 2,
						    .inactive = inactive,
						    .version = "0.1",
						    .format = format},
			 to);
}

static char *text_of(const struct snapshot *s, enum exposition_format format)
{
	size_t size;
	char *text = NULL;
	FILE *file = open_memstream(&text, &size);

	assert_non_null(file);
	sample_write(s, format, file);
	assert_int_equal(fclose(file), 0);
	return text;
}

/* ---- the grammar */

struct reader {
	enum exposition_format format;
	const char *at;
	char family[NAME_SIZE]; /* whose samples are to follow */
	char type[NAME_SIZE];
	char families[128][NAME_SIZE];
	size_t family_count;
	char sample[SAMPLES_MAX][512]; /* name and labels */
	double value[SAMPLES_MAX];
	size_t sample_count;
};

static void expect(struct reader *r, const char *text)
{
	if (strncmp(r->at, text, strlen(text)) != 0)
		fail_msg("'%s' expected at '%.60s'", text, r->at);
	r->at += strlen(text);
}

static void name_read(struct reader *r, char ret[NAME_SIZE])
{
	size_t size = 0;

	while (isalnum((unsigned char)r->at[size]) || r->at[size] == '_')
		size++;
	if (size == 0 || size >= NAME_SIZE || isdigit((unsigned char)r->at[0]))
		fail_msg("a name expected at '%.60s'", r->at);
	memcpy(ret, r->at, size);
	ret[size] = '\0';
	r->at += size;
}

static bool ends_in(const char *text, const char *end)
{
	size_t size = strlen(text);

	return size >= strlen(end) && strcmp(text + size - strlen(end), end) == 0;
}

static void line_end(struct reader *r)
{
	expect(r, "\n");
}

static void type_read(struct reader *r)
{
	static const char *const modern[] = {"gauge", "counter", "histogram", "stateset", "info"};
	size_t known = r->format == EXPOSITION_OPENMETRICS ? 5 : 3;
	bool found = false;
	size_t i;

	name_read(r, r->family);
	expect(r, " ");
	name_read(r, r->type);
	line_end(r);
	for (i = 0; i < known; i++)
		found = found || strcmp(r->type, modern[i]) == 0;
	assert_true(found);
	for (i = 0; i < r->family_count; i++)
		assert_string_not_equal(r->families[i], r->family);
	strcpy(r->families[r->family_count++], r->family);
	/* A counter's family has the name of its sample in one format, and not in the other. */
	if (strcmp(r->type, "counter") == 0)
		assert_int_equal(ends_in(r->family, "_total"), r->format == EXPOSITION_PROMETHEUS);
}

static void meta_read(struct reader *r)
{
	char word[NAME_SIZE];
	char name[NAME_SIZE];
	char unit[NAME_SIZE + 1] = "_";

	name_read(r, word);
	expect(r, " ");
	if (strcmp(word, "TYPE") == 0) {
		type_read(r);
		return;
	}
	name_read(r, name);
	assert_string_equal(name, r->family);
	expect(r, " ");
	if (strcmp(word, "UNIT") == 0) {
		assert_int_equal(r->format, EXPOSITION_OPENMETRICS);
		name_read(r, unit + 1);
		assert_true(ends_in(name, unit));
	} else {
		assert_string_equal(word, "HELP");
		assert_true(*r->at != '\n');
		r->at += strcspn(r->at, "\n\\\"");
	}
	line_end(r);
}

static void labels_read(struct reader *r)
{
	char name[NAME_SIZE];

	expect(r, "{");
	do {
		name_read(r, name);
		expect(r, "=\"");
		while (*r->at != '"') {
			if (*r->at == '\\') {
				assert_non_null(strchr("\\\"n", r->at[1]));
				r->at++;
			}
			assert_true(*r->at != '\n' && *r->at != '\0');
			r->at++;
		}
		expect(r, "\"");
	} while (*r->at == ',' && r->at++);
	expect(r, "}");
}

static void suffix_check(const struct reader *r, const char *name)
{
	const char *suffix = name + strlen(r->family);

	if (strncmp(name, r->family, strlen(r->family)) != 0)
		fail_msg("%s is not of the family %s", name, r->family);
	if (strcmp(r->type, "histogram") == 0)
		assert_true(strcmp(suffix, "_bucket") == 0 || strcmp(suffix, "_count") == 0 ||
			    strcmp(suffix, "_sum") == 0);
	else if (strcmp(r->type, "info") == 0)
		assert_string_equal(suffix, "_info");
	else if (strcmp(r->type, "counter") == 0 && r->format == EXPOSITION_OPENMETRICS)
		assert_string_equal(suffix, "_total");
	else
		assert_string_equal(suffix, "");
}

static void sample_read(struct reader *r)
{
	const char *start = r->at;
	char name[NAME_SIZE];
	char *end;
	size_t size;
	size_t i;

	name_read(r, name);
	suffix_check(r, name);
	if (*r->at == '{')
		labels_read(r);
	size = (size_t)(r->at - start);
	assert_true(size < sizeof(r->sample[0]) && r->sample_count < SAMPLES_MAX);
	memcpy(r->sample[r->sample_count], start, size);
	for (i = 0; i < r->sample_count; i++)
		assert_string_not_equal(r->sample[i], r->sample[r->sample_count]);
	expect(r, " ");
	r->value[r->sample_count++] = strtod(r->at, &end);
	assert_true(end > r->at);
	r->at = end;
	line_end(r);
}

static void text_read(struct reader *r, const char *text, enum exposition_format format)
{
	memset(r, 0, sizeof(*r));
	r->format = format;
	r->at = text;
	while (*r->at && strcmp(r->at, "# EOF\n") != 0) {
		if (*r->at != '#') {
			sample_read(r);
			continue;
		}
		expect(r, "# ");
		meta_read(r);
	}
	assert_string_equal(r->at, format == EXPOSITION_OPENMETRICS ? "# EOF\n" : "");
	assert_true(r->sample_count > 0);
}

static double value_of(const struct reader *r, const char *sample_name)
{
	size_t i;

	for (i = 0; i < r->sample_count; i++)
		if (strcmp(r->sample[i], sample_name) == 0)
			return r->value[i];
	fail_msg("there is no %s", sample_name);
	return 0;
}

static bool has(const struct reader *r, const char *part)
{
	size_t i;

	for (i = 0; i < r->sample_count; i++)
		if (strstr(r->sample[i], part))
			return true;
	return false;
}

/* ---- the tests */

#define FIRST  "mirror=\"da\\\"t\\\\a\\n\",uuid=\"data-01234567\""
#define SECOND "mirror=\"\xc3\xa9??\?z???\",uuid=\"\xc3\xa9??\?z???\""

static struct reader reader;

static void assert_value(const char *sample_name, double expected)
{
	double value = value_of(&reader, sample_name);

	if (value < expected || value > expected)
		fail_msg("%s is %f, not %f", sample_name, value, expected);
}

static void values_check(void)
{
	assert_value("dlmirror_up", 1);
	assert_value("dlmirror_build_info{version=\"0.1\"}", 1);
	assert_value(
	    "dlmirror_daemon_info{version=\"1.2.3\",host_id=\"host-7\",host_name=\"seven\"}", 1);
	assert_value("dlmirror_daemon_uptime_seconds", 77);
	assert_value("dlmirror_daemon_planned_restarts_total", 2);
	assert_value("dlmirror_daemon_overruns_total", 9);
	assert_value("dlmirror_cluster_info{cluster=\"rig\",node=\"3\"}", 1);
	assert_value("dlmirror_cluster_problem", 1);
	assert_value("dlmirror_cluster_joined", 1);
	assert_value("dlmirror_cluster_quorate", 0);
	assert_value("dlmirror_cluster_messages_queued", 8);
	assert_value("dlmirror_cluster_sent_bytes_total", 4096);
	assert_value("dlmirror_mirror_size_bytes{" FIRST "}", 2048 * 512);
	assert_value("dlmirror_mirror_regions_in_sync{" FIRST "}", 1);
	assert_value("dlmirror_mirror_requests_pending{" FIRST "}", 5);
	assert_value("dlmirror_mirror_log_writes_total{" FIRST "}", 6);
	assert_value("dlmirror_mirror_phase{" FIRST ",dlmirror_mirror_phase=\"active\"}", 1);
	assert_value("dlmirror_mirror_phase{" FIRST ",dlmirror_mirror_phase=\"created\"}", 0);
	assert_value("dlmirror_mirror_phase{" SECOND ",dlmirror_mirror_phase=\"suspended\"}", 1);
	assert_value("dlmirror_mirror_suspended{" FIRST "}", 0);
	assert_value("dlmirror_mirror_suspended{" SECOND "}", 1);
	assert_value("dlmirror_mirror_reloading{" FIRST "}", 1);
	assert_value("dlmirror_mirror_reloading{" SECOND "}", 0);
	assert_value("dlmirror_mirror_active{" FIRST "}", 1);
	assert_value("dlmirror_mirror_active{" SECOND "}", 1);
	assert_value("dlmirror_mirror_active{mirror=\"spare\",uuid=\"spare-1\"}", 0);
	assert_value("dlmirror_mirror_active{mirror=\"od\\\"d\",uuid=\"odd-1\"}", 0);
	/* Of what is not active nothing else is known. */
	assert_false(has(&reader, "dlmirror_mirror_suspended{mirror=\"spare\""));
	assert_value("dlmirror_mirror_log_ok{" FIRST "}", 1);
	assert_value("dlmirror_mirror_legs{" FIRST ",health=\"alive\"}", 2);
	assert_value("dlmirror_mirror_legs{" FIRST ",health=\"dead\"}", 0);
	assert_value("dlmirror_mirror_legs{" FIRST ",health=\"unknown\"}", 1);
	assert_value("dlmirror_mirror_members{" FIRST ",state=\"ready\"}", 1);
	assert_value("dlmirror_mirror_members{" FIRST ",state=\"gone\"}", 1);
	assert_value("dlmirror_mirror_requests_total{" FIRST ",type=\"mark\"}", 6);
	assert_value("dlmirror_mirror_request_errors_total{" FIRST ",type=\"mark\"}", 1);
	assert_value("dlmirror_mirror_requests_total{" SECOND ",type=\"flush\"}", 0);
	/* What a mirror does not have is not told as 0. */
	assert_false(has(&reader, "dlmirror_mirror_log_ok{" SECOND));
	assert_false(has(&reader, "dlmirror_mirror_quorate{" SECOND));
	assert_false(has(&reader, "dlmirror_mirror_members{" SECOND));
	assert_false(has(&reader, "type=\"(null)\""));
}

#define DURATION "dlmirror_mirror_request_duration_seconds"
#define OF_MARK	 "{" FIRST ",type=\"mark\""

static void histogram_check(void)
{
	assert_value(DURATION "_bucket" OF_MARK ",le=\"0.000002\"}", 3);
	assert_value(DURATION "_bucket" OF_MARK ",le=\"0.000008\"}", 3);
	assert_value(DURATION "_bucket" OF_MARK ",le=\"0.000016\"}", 5);
	assert_value(DURATION "_bucket" OF_MARK ",le=\"8.388608\"}", 5);
	assert_value(DURATION "_bucket" OF_MARK ",le=\"+Inf\"}", 6);
	assert_value(DURATION "_count" OF_MARK "}", 6);
	assert_value(DURATION "_sum" OF_MARK "}", 9.000123);
	/* Only what was asked has one. */
	assert_false(has(&reader, DURATION "_count{" FIRST ",type=\"flush\"}"));
	assert_false(has(&reader, DURATION "_count{" SECOND));
}

static void format_check(enum exposition_format format)
{
	char *text = text_of(sample(), format);

	text_read(&reader, text, format);
	values_check();
	histogram_check();
	/* All digits of the largest number, which a double does not have. */
	assert_non_null(strstr(text, "dlmirror_mirror_regions{" FIRST "} 18446744073709551615\n"));
	free(text);
}

static void test_openmetrics(void **state)
{
	(void)state;
	format_check(EXPOSITION_OPENMETRICS);
}

static void test_prometheus(void **state)
{
	(void)state;
	format_check(EXPOSITION_PROMETHEUS);
}

static void test_no_daemon(void **state)
{
	char *text = text_of(NULL, EXPOSITION_OPENMETRICS);

	(void)state;
	assert_string_equal(text, "# TYPE dlmirror_build info\n"
				  "# HELP dlmirror_build The command that wrote this.\n"
				  "dlmirror_build_info{version=\"0.1\"} 1\n"
				  "# TYPE dlmirror_up gauge\n"
				  "# HELP dlmirror_up 1: the daemon answers.\n"
				  "dlmirror_up 0\n"
				  "# EOF\n");
	free(text);
}

static void test_alone(void **state)
{
	struct snapshot *s = sample();
	char *text;

	(void)state;
	s->count = 0;
	s->daemon.cluster.enabled = false;
	text = text_of(s, EXPOSITION_OPENMETRICS);
	text_read(&reader, text, EXPOSITION_OPENMETRICS);
	assert_value("dlmirror_cluster_enabled", 0);
	assert_false(has(&reader, "dlmirror_cluster_joined"));
	free(text);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_openmetrics),
	    cmocka_unit_test(test_prometheus),
	    cmocka_unit_test(test_no_daemon),
	    cmocka_unit_test(test_alone),
	};

	if (argc > 1) {
		sample_write(sample(),
			     strcmp(argv[1], "openmetrics") == 0 ? EXPOSITION_OPENMETRICS
								 : EXPOSITION_PROMETHEUS,
			     stdout);
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
