/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Owns the record of events: a header and EVENTS_MAX places of EVENT_BYTES. Event number seq is at
 * place seq % EVENTS_MAX, with a checksum over all of it; one that does not fit was being written
 * when its daemon was killed, and is none.
 */
#include "daemons/dlmirrord/events.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/cursor.h"
#include "daemons/dlmirrord/clock.h"
#include "daemons/dlmirrord/message_log.h"

#define RECORD_MAGIC   UINT32_C(0x646c6d65)
#define RECORD_VERSION 1U
#define HEADER_BYTES   64U
#define EVENT_BYTES    576U
#define RECORD_BYTES   (HEADER_BYTES + EVENTS_MAX * EVENT_BYTES)
#define CHECKSUM_BYTES 4U
#define SENTENCE_SIZE  512U

_Static_assert(CHECKSUM_BYTES + 3 * 8 + 4 * 2 + DLMIRROR_EVENT_SIZE + 2 * DLMIRROR_NAME_SIZE +
		       DLMIRROR_TEXT_SIZE <=
		   EVENT_BYTES,
	       "each event has room");

static const struct {
	enum message message;
	uint8_t level;
	bool often; /* may come by the thousand */
} known[EVENTS] = {
    [EVENT_DAEMON_STARTED] = {MSG_DAEMON_STARTED, LOG_NOTICE, false},
    [EVENT_DAEMON_CARRIES_ON] = {MSG_DAEMON_CARRIES_ON, LOG_NOTICE, false},
    [EVENT_DAEMON_RESTART] = {MSG_DAEMON_RESTART, LOG_NOTICE, false},
    [EVENT_DAEMON_RESTART_FAILED] = {MSG_DAEMON_RESTART_FAILED, LOG_ERR, false},
    [EVENT_DAEMON_ENDED] = {MSG_DAEMON_ENDED, LOG_NOTICE, false},
    [EVENT_OVERRUN] = {MSG_OVERRUN, LOG_ERR, false},
    [EVENT_TABLE_LOADED] = {MSG_TABLE_LOADED, LOG_INFO, false},
    [EVENT_TABLE_GONE] = {MSG_TABLE_GONE, LOG_INFO, false},
    [EVENT_TABLE_LOST] = {MSG_TABLE_LOST, LOG_WARNING, false},
    [EVENT_ATTACHING] = {MSG_ATTACHING, LOG_INFO, false},
    [EVENT_ATTACHED] = {MSG_ATTACHED, LOG_NOTICE, false},
    [EVENT_SUSPENDING] = {MSG_SUSPENDING, LOG_INFO, false},
    [EVENT_DETACHED] = {MSG_DETACHED, LOG_NOTICE, false},
    [EVENT_IN_SYNC] = {MSG_IN_SYNC, LOG_NOTICE, false},
    [EVENT_REPAIRED] = {MSG_REPAIRED, LOG_NOTICE, false},
    [EVENT_COMPARED] = {MSG_COMPARED, LOG_NOTICE, false},
    [EVENT_LEGS_DIFFERED] = {MSG_LEGS_DIFFERED, LOG_WARNING, false},
    [EVENT_LOG_FAILED] = {MSG_LOG_FAILED, LOG_ERR, false},
    [EVENT_LOG_BACK] = {MSG_LOG_BACK, LOG_NOTICE, false},
    [EVENT_LEG_FAILED] = {MSG_LEG_FAILED, LOG_WARNING, false},
    [EVENT_LEG_BACK] = {MSG_LEG_BACK, LOG_NOTICE, false},
    [EVENT_REGION_STALE] = {MSG_REGION_STALE, LOG_WARNING, true},
    [EVENT_REGION_STARVED] = {MSG_REGION_STARVED, LOG_NOTICE, true},
    [EVENT_COPY_FAILED] = {MSG_COPY_FAILED, LOG_WARNING, true},
    [EVENT_REQUEST_DROPPED] = {MSG_REQUEST_DROPPED, LOG_WARNING, true},
    [EVENT_MEMBER_JOINED] = {MSG_MEMBER_JOINED, LOG_NOTICE, false},
    [EVENT_MEMBER_LEFT] = {MSG_MEMBER_LEFT, LOG_NOTICE, false},
    [EVENT_MEMBER_GONE] = {MSG_MEMBER_GONE, LOG_WARNING, false},
    [EVENT_MEMBER_DEAD] = {MSG_MEMBER_DEAD, LOG_NOTICE, false},
    [EVENT_QUORUM_LOST] = {MSG_QUORUM_LOST, LOG_ERR, false},
    [EVENT_QUORUM_BACK] = {MSG_QUORUM_BACK, LOG_NOTICE, false},
    [EVENT_GEOMETRY_DIFFERS] = {MSG_GEOMETRY_DIFFERS, LOG_ERR, false},
    [EVENT_TABLE_OUTDATED] = {MSG_TABLE_OUTDATED, LOG_ERR, false},
    [EVENT_TABLE_RELOADED] = {MSG_TABLE_RELOADED, LOG_NOTICE, false},
    [EVENT_RESET] = {MSG_RESET, LOG_NOTICE, false},
    [EVENT_RELOAD_BEGUN] = {MSG_RELOAD_BEGUN, LOG_NOTICE, false},
    [EVENT_RELOAD_LOADED] = {MSG_RELOAD_LOADED, LOG_INFO, false},
    [EVENT_RELOAD_REFUSED] = {MSG_RELOAD_REFUSED, LOG_NOTICE, false},
    [EVENT_RELOAD_SUSPENDED] = {MSG_RELOAD_SUSPENDED, LOG_INFO, false},
    [EVENT_RELOAD_DONE] = {MSG_RELOAD_DONE, LOG_NOTICE, false},
    [EVENT_RELOAD_GIVEN_UP] = {MSG_RELOAD_GIVEN_UP, LOG_NOTICE, false},
    [EVENT_RELOAD_STUCK] = {MSG_RELOAD_STUCK, LOG_CRIT, false},
    [EVENT_CONFIG_BEHIND] = {MSG_CONFIG_BEHIND, LOG_ERR, false},
};

static uint8_t *memory; /* NULL: not open */
static uint64_t record_id;
static uint64_t newest; /* seq; 0: none yet */
static int news_fd = -1;

static uint8_t *place(uint64_t seq)
{
	return memory + HEADER_BYTES + seq % EVENTS_MAX * EVENT_BYTES;
}

/* ---- one event */

static void event_encode(const struct dlmirror_event *event, uint8_t *ret)
{
	struct writer w = writer_of(ret + CHECKSUM_BYTES, EVENT_BYTES - CHECKSUM_BYTES);

	write_u64(&w, event->seq);
	write_u64(&w, event->time_ms);
	write_u64(&w, event->value);
	write_string(&w, event->id);
	write_string(&w, event->uuid);
	write_string(&w, event->name);
	write_string(&w, event->text);
	write_zeros(&w, w.left);
	w = writer_of(ret, CHECKSUM_BYTES);
	write_u32(&w, crc32c(ret + CHECKSUM_BYTES, EVENT_BYTES - CHECKSUM_BYTES));
}

/* False: there is none, or not a whole one. */
static bool event_decode(const uint8_t *data, struct dlmirror_event *ret)
{
	struct reader r = reader_of(data, EVENT_BYTES);

	if (read_u32(&r) != crc32c(r.at, r.left))
		return false;
	ret->seq = read_u64(&r);
	ret->time_ms = read_u64(&r);
	ret->value = read_u64(&r);
	read_string(&r, ret->id, sizeof(ret->id));
	read_string(&r, ret->uuid, sizeof(ret->uuid));
	read_string(&r, ret->name, sizeof(ret->name));
	read_string(&r, ret->text, sizeof(ret->text));
	return !r.failed && ret->seq != 0;
}

/* It goes to terminals as it is. What is too long is cut. */
static void text_take(char *ret, size_t size, const char *text)
{
	size_t i;

	for (i = 0; i + 1 < size && text[i] != '\0'; i++)
		ret[i] = (unsigned char)text[i] < ' ' || text[i] == 0x7f ? '?' : text[i];
	ret[i] = '\0';
}

/* ---- the record */

static void record_begin(void)
{
	struct writer w = writer_of(memory, HEADER_BYTES);

	memset(memory, 0, RECORD_BYTES);
	record_id = clock_wall_ms();
	newest = 0;
	write_u32(&w, RECORD_MAGIC);
	write_u32(&w, RECORD_VERSION);
	write_u32(&w, EVENTS_MAX);
	write_u64(&w, record_id);
	write_u32(&w, crc32c(memory, HEADER_BYTES - w.left));
}

/* False: it is another version's, damaged, or a new file. */
static bool record_take(void)
{
	struct reader r = reader_of(memory, HEADER_BYTES);
	uint32_t magic = read_u32(&r);
	uint32_t version = read_u32(&r);
	uint32_t places = read_u32(&r);
	struct dlmirror_event event;

	record_id = read_u64(&r);
	if (magic != RECORD_MAGIC || version != RECORD_VERSION || places != EVENTS_MAX ||
	    crc32c(memory, HEADER_BYTES - r.left) != read_u32(&r))
		return false;
	newest = 0;
	for (uint64_t i = 0; i < EVENTS_MAX; i++)
		if (event_decode(place(i), &event) && event.seq % EVENTS_MAX == i &&
		    event.seq > newest)
			newest = event.seq;
	return true;
}

/* Of the right size, every page there: later a full tmpfs would be a SIGBUS. */
static int file_map(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	void *mapped;
	int error;

	if (fd < 0)
		return -errno;
	error = -posix_fallocate(fd, 0, RECORD_BYTES);
	if (error == 0) {
		mapped = mmap(NULL, RECORD_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		error = mapped == MAP_FAILED ? -errno : 0;
	}
	close(fd);
	if (error == 0)
		memory = mapped;
	return error;
}

void events_open(const char *directory)
{
	char path[640];
	void *mapped;
	int error;

	snprintf(path, sizeof(path), "%s/events", directory);
	error = file_map(path);
	if (error != 0) {
		message_log(LOG_WARNING, MSG_EVENTS_NOT_KEPT,
			    "no events are kept for the next daemon in %s: %s", path,
			    strerror(-error));
		mapped = mmap(NULL, RECORD_BYTES, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		memory = mapped != MAP_FAILED ? mapped : NULL;
	}
	if (memory != NULL && !record_take())
		record_begin();
	news_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
}

void events_close(void)
{
	if (memory != NULL)
		munmap(memory, RECORD_BYTES);
	memory = NULL;
	record_id = 0;
	newest = 0;
	if (news_fd >= 0)
		close(news_fd);
	news_fd = -1;
}

int events_fd(void)
{
	return news_fd;
}

void events_seen(void)
{
	eventfd_t count;

	(void)eventfd_read(news_fd, &count);
}

/* ---- telling and reading */

static bool is_kept(struct event_run *run, enum event event)
{
	if (run == NULL)
		return true;
	run->count = run->event == event && run->count < UINT32_MAX ? run->count + 1 : 1;
	run->event = event;
	return !known[event].often || (run->count & (run->count - 1)) == 0;
}

static void event_keep(const char *uuid, const char *name, const struct event_run *run,
		       enum event event, uint64_t value, const char *sentence)
{
	char text[SENTENCE_SIZE + 64];
	struct dlmirror_event e = {.seq = newest + 1, .time_ms = clock_wall_ms(), .value = value};

	snprintf(text, sizeof(text), "%s", sentence);
	if (run != NULL && known[event].often && run->count > 2)
		snprintf(text, sizeof(text), "%.190s (%u such in a row by now, not each is told)",
			 sentence, run->count);
	text_take(e.id, sizeof(e.id), message_id(known[event].message));
	text_take(e.uuid, sizeof(e.uuid), uuid);
	text_take(e.name, sizeof(e.name), name);
	text_take(e.text, sizeof(e.text), text);
	event_encode(&e, place(e.seq));
	newest = e.seq;
	(void)eventfd_write(news_fd, 1);
}

void event_tell(const char *uuid, const char *name, struct event_run *run, enum event event,
		uint64_t value, const char *format, ...)
{
	const char *label = name[0] != '\0' ? name : uuid;
	char sentence[SENTENCE_SIZE];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(sentence, sizeof(sentence), format, arguments);
	va_end(arguments);
	message_log(known[event].level, known[event].message, "%s%s%s", label,
		    label[0] != '\0' ? ": " : "", sentence);
	if (is_kept(run, event) && memory != NULL)
		event_keep(uuid, name, run, event, value, sentence);
}

void events_read(uint64_t record, uint64_t after, struct admin_events *ret)
{
	uint64_t oldest = newest > EVENTS_MAX ? newest - EVENTS_MAX + 1 : 1;
	uint64_t seq = record == record_id && after < UINT64_MAX ? after + 1 : 1;

	ret->record = record_id;
	ret->newest = newest;
	ret->count = 0;
	if (memory == NULL)
		return;
	for (seq = seq > oldest ? seq : oldest; seq <= newest && ret->count < ADMIN_PAGE_EVENTS;
	     seq++) {
		struct dlmirror_event *event = &ret->event[ret->count];

		ret->count += event_decode(place(seq), event) && event->seq == seq;
	}
}
