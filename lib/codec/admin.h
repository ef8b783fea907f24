/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Messages between libdlmirror and the daemon: bytes <-> values. One request, one reply.
 *
 *	request	envelope of 16 bytes (libqb's: id, size) · version u16 · kind u16 · arguments
 *	reply	envelope of 24 bytes (id, size, error) · version u16 · kind u16 · error s32 ·
 *		text · body
 *
 * Little-endian behind the envelope, which is in native order because libqb reads it. A reply
 * begins alike in every version, so that each side can tell the other that it does not understand
 * it. The list of mirrors comes in pages: the reply to ADMIN_LIST says how many there are, and holds
 * those from the index asked for on that fit. A map is asked for in pieces: each counts so few
 * regions that nobody waits for it, in so few cells that the reply is of modest size.
 *
 * One message nobody asked for: a NEWS, which is an envelope alone, on libqb's event channel. It
 * is sent with the reply to ADMIN_WATCH, and from then on at the first event behind each ADMIN_EVENTS.
 */
#ifndef DLM_CODEC_ADMIN_H
#define DLM_CODEC_ADMIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cursor.h"
#include "codec/group.h"
#include "dlmirror/dlmirror.h"

#define ADMIN_SERVICE	       "dlmirror" /* name of the IPC service */
#define ADMIN_VERSION	       1U
#define ADMIN_REQUEST_ENVELOPE 16U
#define ADMIN_REPLY_ENVELOPE   24U
#define ADMIN_REQUEST_MAX      20480U /* an errand has a text */
#define ADMIN_REPLY_MAX	       65536U
#define ADMIN_ARGUMENT_SIZE    256U
#define ADMIN_TEXT_SIZE	       1024U
#define ADMIN_PAGE_MIRRORS     64U /* in one reply: bounds the work for one request */
#define ADMIN_PAGE_EVENTS      64U
#define ADMIN_MAP_CELLS	       1024U		   /* in one reply */
#define ADMIN_MAP_REGIONS      (UINT64_C(1) << 20) /* counted for one reply */

enum admin_kind {
	ADMIN_LIST = 1,
	ADMIN_GET,
	ADMIN_COUNTERS,
	ADMIN_VERIFY,
	ADMIN_VERIFY_STOP,
	ADMIN_LOG_RETRY,
	ADMIN_RELOAD,
	ADMIN_RELOAD_STATUS,
	ADMIN_DAEMON,
	ADMIN_COMMAND,
	ADMIN_MAP,
	ADMIN_EVENTS,
	ADMIN_ERRAND,
	ADMIN_ERRAND_RESULT,
	ADMIN_RATE,
	ADMIN_SUSPEND,
	ADMIN_RESUME,
	ADMIN_WATCH, /* from now on this client is told that there are new events */
	ADMIN_HEAT,
	ADMIN_LOG_REPLACE,
	ADMIN_KINDS, /* one more than the last */
};

struct admin_request {
	enum admin_kind kind;
	uint64_t first;			   /* LIST: index of the first mirror wanted; MAP: region */
	uint64_t per_cell;		   /* MAP: regions */
	uint32_t cells;			   /* MAP */
	struct dlmirror_position position; /* EVENTS: behind which */
	char mirror[DLMIRROR_NAME_SIZE];   /* GET to RELOAD_STATUS, MAP, RATE to RESUME, HEAT,
					      LOG_REPLACE */
	bool repair;			   /* VERIFY */
	uint64_t rate;			   /* VERIFY, RATE: bytes per second */
	struct dlmirror_plan plan;	   /* RELOAD */
	uint32_t timeout_s;		   /* RELOAD, LOG_REPLACE */
	char device[DLMIRROR_PATH_SIZE];   /* LOG_REPLACE */
	enum dlmirror_daemon_command command; /* COMMAND */
	char argument[ADMIN_ARGUMENT_SIZE];   /* COMMAND; may be empty */
	struct group_errand errand;	      /* ERRAND: what, count, node, argument and text */
	uint64_t errand_id;		      /* ERRAND_RESULT */
	uint32_t index;			      /* ERRAND_RESULT: of the node */
};

/* Some events of the daemon's record, in their order. */
struct admin_events {
	uint64_t record;
	uint64_t newest; /* seq; 0: there is none */
	uint32_t count;
	struct dlmirror_event event[ADMIN_PAGE_EVENTS];
};

/* The size of NEWS, which is ADMIN_REPLY_ENVELOPE. */
size_t admin_news_encode(uint8_t ret[ADMIN_REPLY_ENVELOPE]);

/* The size of the message, or 0 when it does not fit cap (ADMIN_REQUEST_MAX is always enough). */
size_t admin_request_encode(const struct admin_request *request, void *ret, size_t cap);
/* -EPROTONOSUPPORT: another version; -EBADMSG: anything else that is not a request. */
int admin_request_decode(const void *data, size_t size, struct admin_request *ret);

/* A reply under construction: begin, the parts that the kind asks for, end. */
struct admin_reply_writer {
	uint8_t *start;
	size_t cap;
	struct writer w;
	struct writer count_at; /* where the number of mirrors is written at the end */
	uint32_t count;
};

/* error: 0 or negative errno; then nothing but the end may follow. text longer than fits is cut. */
void admin_reply_begin(struct admin_reply_writer *reply, enum admin_kind kind, int error,
		       const char *text, void *ret, size_t cap);
/* LIST and GET: how many there are in all, and the index of the first that follows. */
void admin_reply_add_list(struct admin_reply_writer *reply, uint64_t total, uint64_t first);
/* False: it does not fit any more, and the reply stays as it was. */
bool admin_reply_add_mirror(struct admin_reply_writer *reply, const struct dlmirror_mirror *mirror);
void admin_reply_add_counters(struct admin_reply_writer *reply,
			      const struct dlmirror_counters *counters);
void admin_reply_add_reload(struct admin_reply_writer *reply, const struct dlmirror_reload *reload);
void admin_reply_add_daemon(struct admin_reply_writer *reply, const struct dlmirror_daemon *daemon);
/* At most ADMIN_MAP_CELLS cells, of at most ADMIN_MAP_REGIONS regions each. */
void admin_reply_add_map(struct admin_reply_writer *reply, const struct dlmirror_map *map,
			 const struct dlmirror_cell *cell, uint32_t cells);
void admin_reply_add_events(struct admin_reply_writer *reply, const struct admin_events *events);
void admin_reply_add_errand(struct admin_reply_writer *reply, uint64_t id, uint32_t count);
void admin_reply_add_errand_result(struct admin_reply_writer *reply,
				   const struct dlmirror_errand_result *result);
/* As many marks as the regions make stretches. */
void admin_reply_add_heat(struct admin_reply_writer *reply, const struct dlmirror_heat *heat);
/* The size of the message, or 0 when something did not fit. */
size_t admin_reply_end(struct admin_reply_writer *reply);

/* A reply as it came. It points into the message, which must outlive it. */
struct admin_reply {
	enum admin_kind kind;
	int error;
	char text[ADMIN_TEXT_SIZE];
	uint64_t total; /* LIST, GET */
	uint64_t first;
	uint32_t count; /* mirrors that follow */
	struct reader body;
};

/* kind: the one asked for. Errors as above. */
int admin_reply_decode(const void *data, size_t size, enum admin_kind kind,
		       struct admin_reply *ret);
/* The next part, to be called as often as the reply says it is there; -EBADMSG when it is not. The
 * last part must end where the message ends. */
int admin_reply_mirror(struct admin_reply *reply, struct dlmirror_mirror *ret);
int admin_reply_counters(struct admin_reply *reply, struct dlmirror_counters *ret);
int admin_reply_reload(struct admin_reply *reply, struct dlmirror_reload *ret);
int admin_reply_daemon(struct admin_reply *reply, struct dlmirror_daemon *ret);
int admin_reply_events(struct admin_reply *reply, struct admin_events *ret);
int admin_reply_errand(struct admin_reply *reply, uint64_t *ret_id, uint32_t *ret_count);
int admin_reply_errand_result(struct admin_reply *reply, struct dlmirror_errand_result *ret);
int admin_reply_heat(struct admin_reply *reply, struct dlmirror_heat *ret);
/* ret_cells has room for ADMIN_MAP_CELLS; *ret_count: how many there are. */
int admin_reply_map(struct admin_reply *reply, struct dlmirror_map *ret,
		    struct dlmirror_cell *ret_cells, uint32_t *ret_count);

#endif
