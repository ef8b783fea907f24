/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A process beside the daemon, which does for it what must not be killed with it, or what it must
 * not wait for. The two share a socket; closing the daemon's end tells the other to end.
 */
#ifndef DLM_BESIDE_H
#define DLM_BESIDE_H

/* Forks one, called name, that calls run(fd, context) and ends when that returns. It has another
 * session, no descriptor above stderr but fd, and all signals blocked; nobody but the supervisor (or
 * init) has to reap it. The caller is single-threaded, or as good as that (no lock of its own is
 * held that run needs). Returns the daemon's end of the SOCK_SEQPACKET socket, non-blocking and
 * close-on-exec, or negative errno. */
int beside_start(const char *name, void (*run)(int fd, const void *context), const void *context);

#endif
