/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The service manager's notification socket (sd_notify(3)), without its library. */
#ifndef DLM_NOTIFY_H
#define DLM_NOTIFY_H

/* Tells that the daemon serves. 0, also when nobody wants to know; else negative errno. */
int notify_ready(void);

#endif
