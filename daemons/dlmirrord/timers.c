/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The timer port: one timer descriptor for all logs and opens, set to the earliest of what they
 * asked for. */
#include <sys/timerfd.h>
#include <unistd.h>

#include "daemons/dlmirrord/clock.h"
#include "daemons/dlmirrord/daemon.h"

#define URGENT_MS   200U
#define MULTIPLE_MS 64U

/* Any thread that has the core may set it. */
static void timer_set(struct daemon *d, uint64_t at_ms)
{
	struct itimerspec when = {.it_value = {.tv_sec = (time_t)(at_ms / 1000),
					       .tv_nsec = (long)(at_ms % 1000) * 1000000}};

	d->timer_ms = at_ms;
	timerfd_settime(d->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

void timers_at(struct daemon *d, uint64_t at_ms)
{
	if (d->timer_ms == 0 || at_ms < d->timer_ms)
		timer_set(d, at_ms);
}

void timers_ask(struct log *log, uint64_t at_ms)
{
	struct daemon *d = log->daemon;
	uint64_t now = clock_ms();

	/* Never now: what is to be done at once is done in the step. What is not urgent is put off
	 * to the next multiple, so that the sweeps of many mirrors share one wake-up. */
	log->timer_ms = at_ms == 0 || at_ms > now ? at_ms : now + 1;
	if (at_ms > now + URGENT_MS)
		log->timer_ms += MULTIPLE_MS - log->timer_ms % MULTIPLE_MS;
	if (at_ms != 0)
		timers_at(d, log->timer_ms);
}

void timers_run(struct daemon *d)
{
	uint64_t now = clock_ms();
	uint64_t count;
	uint64_t next;

	(void)!read(d->timer_fd, &count, sizeof(count));
	d->timer_ms = 0;
	next = opener_expire(d->opener, now);
	for (size_t i = 0; i < d->registry.count; i++) {
		struct log *log = d->registry.log[i];

		if (log->timer_ms != 0 && log->timer_ms <= now) {
			log->timer_ms = 0;
			pump_event(&log->pump, &(struct mlog_event){.kind = MLOG_EV_TIMER});
		}
		if (log->timer_ms != 0 && (next == 0 || log->timer_ms < next))
			next = log->timer_ms;
	}
	timer_set(d, next);
}
