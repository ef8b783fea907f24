/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The reloads under way, and the last one of each mirror: owns what is known of them and does what
 * reload_course.h decides, with messages, device-mapper jobs and a note in RUN_DIR/reloads for the
 * next daemon. Everything with the core lock held.
 *
 * A daemon that dies meanwhile: its successor finds the note. Before it said that its device is
 * suspended, the others go back to the old table, and so does it. Behind that it asks them; the
 * device stays suspended until they say, or all of those that took part are back and know nothing.
 */
#ifndef DLM_RELOAD_H
#define DLM_RELOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "codec/group.h"

struct daemon;
struct reloads;

/* Reads the notes of the daemon before; who makes a log from here on has to ask
 * reload_makes_stale(). -ENOMEM. */
int reload_create(struct daemon *d, struct reloads **ret);
/* Goes on with what was left, once requests are served. */
void reload_recover(struct reloads *r);
/* After the device-mapper jobs. Takes NULL, returns NULL. */
struct reloads *reload_destroy(struct reloads *r);

/* From the group, in its order. joined: node attaches the mirror. Alone there are none. */
void reload_view(struct reloads *r, const uint32_t *node, uint32_t count, bool quorate);
void reload_message(struct reloads *r, const struct group_mirror *mirror,
		    const struct group_reload *message);
void reload_joined(struct reloads *r, const struct group_mirror *mirror, uint32_t node);
/* Once a second. */
void reload_tick(struct reloads *r);

/* A new table of uuid: does it have a leg that holds nothing, or whose contents do not count? */
bool reload_makes_stale(const struct reloads *r, const char *uuid);
/* Why its log was refused. */
void reload_refused(struct reloads *r, const char *uuid, const char *text);
/* Is a table of that revision one of before, because it has been decided that a later one counts? */
bool reload_outdates(const struct reloads *r, const struct group_mirror *mirror, uint64_t revision);
/* The node that has it under way while we have no part in it, so that no table of it may be made
 * here; 0: none. */
uint32_t reload_forbids(const struct reloads *r, const char *uuid);
/* Is something under way that a planned restart would cut short? */
bool reload_busy(const struct reloads *r);

/* Begins one; negative errno, and text says why not. device: another log device, with a plan that changes
 * nothing; empty: the same. timeout_s 0: without an end. */
int reload_begin(struct reloads *r, const char *uuid, const struct dlmirror_plan *plan,
		 const char *device, uint32_t timeout_s, char *text, size_t size);
void reload_status(const struct reloads *r, const char *uuid, struct dlmirror_reload *ret);
/* What the one of uuid waits for; empty: none is under way. */
void reload_waits(const struct reloads *r, const char *uuid, char *ret, size_t size);

#endif
