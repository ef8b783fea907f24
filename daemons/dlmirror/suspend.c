// SPDX-License-Identifier: GPL-2.0-or-later
/* dlmirror suspend and resume: has the daemon do it to the device on this node, and waits. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemons/dlmirror/device.h"
#include "daemons/dlmirror/mirrors.h"
#include "daemons/dlmirror/verb.h"

#define LOOK_MS 50U
#define TELL_MS 3000U

struct halt {
	bool suspend;
	int (*begin)(struct dlmirror *d, const char *mirror);
};

/* Is the device as it is to be? Nobody but device-mapper knows. */
static int as_wished(const struct dlmirror_mirror *m, const struct halt *halt, bool *ret)
{
	struct mapper_device device;
	int code = device_look(m->name, &device);

	if (code != UI_OK)
		return code;
	if (!mapper_is(&device, m->uuid))
		return ui_fail(UI_NO_MIRROR, MSG_DEVICE_GONE,
			       "there is no device %s of this mirror any more", m->name);
	*ret = device.suspended == halt->suspend;
	return UI_OK;
}

static int order_failed(const struct dlmirror_mirror *m, const struct halt *halt)
{
	return ui_fail(UI_FAILED, MSG_NOT_SUSPENDED, "%s could not be %s: %s", m->name,
		       halt->suspend ? "suspended" : "resumed",
		       m->order_error != 0 ? strerror(m->order_error)
					   : "somebody did the contrary meanwhile");
}

/* Until it is so; a daemon that restarts meanwhile is waited for, and what it had begun goes on. */
static int wait(struct dlmirror **d, struct dlmirror_mirror *m, const struct halt *halt)
{
	uint64_t since_ms = ui_now_ms();
	bool told = false;
	bool so = false;

	for (;;) {
		bool ordered;
		int error = dlmirror_get(*d, m->uuid, m);
		int code;

		if (error == -ENOTCONN && ui_reconnect(d, UI_AWAY_MS) == 0)
			continue;
		if (error != 0)
			return ui_fail_daemon(*d, error);
		ordered = m->ordered; /* looked at before the device: when it has ended, it shows */
		code = as_wished(m, halt, &so);
		if (code != UI_OK || (so && !ordered))
			return code;
		if (!ordered)
			return order_failed(m, halt);
		if (!told && ui_now_ms() - since_ms > TELL_MS)
			ui_note(MSG_SUSPENDING,
				"%s: waits for I/O under way to end; it goes on when this "
				"command is interrupted",
				m->name);
		told = told || ui_now_ms() - since_ms > TELL_MS;
		ui_pause_ms(LOOK_MS);
	}
}

static int halt_run(struct dlmirror **d, const char *name, const void *input, bool json)
{
	const struct halt *halt = input;
	const char *word = halt->suspend ? "suspended" : "resumed";
	struct dlmirror_mirror m;
	bool so = false;
	int code = mirror_get_with_legs(*d, name, &m);
	int error;

	(void)json;
	if (code != UI_OK)
		return code;
	if (!m.name[0])
		return ui_fail(UI_FAILED, MSG_LEGS_UNKNOWN,
			       "the daemon does not know the device of %s yet: again in a moment",
			       name);
	code = as_wished(&m, halt, &so);
	if (code != UI_OK)
		return code;
	if (so && !m.ordered) {
		ui_done("%s is %s already\n", m.name, halt->suspend ? word : "in use");
		return UI_OK;
	}
	error = halt->begin(*d, m.uuid);
	if (error != 0)
		return ui_fail(UI_FAILED, MSG_NOT_SUSPENDED, "%s is not %s: %s", m.name, word,
			       dlmirror_error(*d));
	code = wait(d, &m, halt);
	if (code == UI_OK)
		ui_done("%s is %s\n", m.name, word);
	return code;
}

int verb_suspend(int argc, char **argv)
{
	struct halt halt = {.suspend = true, .begin = dlmirror_suspend};
	const struct verb_syntax syntax = {
	    .input = &halt,
	    .names = "MIRROR",
	    .doc =
		"Suspends a mirror's device on this node: I/O that is under way ends, and all "
		"other waits until dlmirror resume.\vFile systems are not frozen, and what is held "
		"because a leg has failed stays held. Other nodes go on, as if the mirror were not "
		"active here, but it gets no new table anywhere before it is resumed.",
	    .min = 1,
	    .max = 1,
	    .quiet = true};

	return verb_on_mirror(&syntax, argc, argv, halt_run);
}

int verb_resume(int argc, char **argv)
{
	struct halt halt = {.begin = dlmirror_resume};
	const struct verb_syntax syntax = {
	    .input = &halt,
	    .names = "MIRROR",
	    .doc = "Resumes a mirror's device on this node, whoever has suspended it.",
	    .min = 1,
	    .max = 1,
	    .quiet = true};

	return verb_on_mirror(&syntax, argc, argv, halt_run);
}
