/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a doctor has found, on its way to another node: "dlmirror doctor --tell" prints it there,
 * "dlmirror doctor --nodes" reads it here.
 *
 *	version 1.2			of the daemon, or - when it does not answer
 *	problem mirror-leg mirror-leg 4 15 6 datasdb is goneget it
 *	...				result, check, id, and the bytes of mirror, what and remedy
 *	end				else something was cut off
 *
 * Ids are text here: another version of dlmirror may have others.
 */
#ifndef DLM_COMMAND_FINDINGS_H
#define DLM_COMMAND_FINDINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "daemons/dlmirror/checks.h"

#define FINDING_ID_SIZE	  48U
#define FINDING_LINE_SIZE (2 * CHECKS_TEXT_SIZE + DLMIRROR_NAME_SIZE + 2 * FINDING_ID_SIZE + 64)

struct finding {
	enum check_result result;
	char check[FINDING_ID_SIZE];
	char id[FINDING_ID_SIZE];
	char mirror[DLMIRROR_NAME_SIZE]; /* empty: it is about none */
	char what[CHECKS_TEXT_SIZE];
	char remedy[CHECKS_TEXT_SIZE]; /* empty: there is none */
};

void finding_of(const struct check *check, struct finding *ret);

/* The lines, without a newline. version: empty or of the daemon. */
void findings_begin_line(const char *version, char ret[FINDING_LINE_SIZE]);
void finding_line(const struct finding *finding, char ret[FINDING_LINE_SIZE]);
const char *findings_end_line(void);

/* Of one node. */
struct findings {
	struct facts_node node; /* but for its number */
	size_t count;
	struct finding *finding;
};

/* What a node has answered to DLMIRROR_ERRAND_DOCTOR, or with NULL that it has not. What is of no
 * use is told as a finding. -ENOMEM is the only failure; free with findings_free(). */
int findings_read(const char *text, struct findings *ret);
void findings_free(struct findings *findings);

#endif
