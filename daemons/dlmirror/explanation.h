/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the catalogue of messages has to say, for people. */
#ifndef DLM_COMMAND_EXPLANATION_H
#define DLM_COMMAND_EXPLANATION_H

#include <stddef.h>
#include <stdio.h>

#include "daemons/common/message.h"

/* As it was typed or copied: "[leg-too-small]", "leg too small". MSG_WITHIN when there is none. */
enum message explanation_find(const char *typed);
/* At most max that may be meant, the nearest first. How many. */
size_t explanation_nearest(const char *typed, enum message *ret, size_t max);

#define EXPLANATION_WIDTH 79U

void explanation_write(enum message message, FILE *to);

enum explanation_part {
	EXPLANATION_MEANING,
	EXPLANATION_CAUSE, /* of some there is none */
	EXPLANATION_REMEDY,
};
/* As in the catalogue, a paragraph a line; to be freed. NULL: no memory. */
char *explanation_part(enum message message, enum explanation_part part);

#endif
