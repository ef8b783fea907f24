/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How every thread of the daemon begins: a small stack (memory is locked, stacks included) and all
 * signals blocked (they are the loop's business).
 */
#ifndef DLM_THREAD_H
#define DLM_THREAD_H

#include <pthread.h>
#include <signal.h>

#define THREAD_STACK_BYTES (256U * 1024U)

/* 0 or negative errno. name: at most 15 characters, for ps and gdb. */
static inline int thread_start(pthread_t *ret, const char *name, void *(*run)(void *),
			       void *argument)
{
	pthread_attr_t attribute;
	sigset_t all;
	sigset_t old;
	int error;

	pthread_attr_init(&attribute);
	pthread_attr_setstacksize(&attribute, THREAD_STACK_BYTES);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	error = -pthread_create(ret, &attribute, run, argument);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attribute);
	if (error == 0)
		pthread_setname_np(*ret, name);
	return error;
}

#endif
