/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemons/dlmirrord/beside.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemons/dlmirrord/apart.h"

/* Another name than the daemon's, another session, and no descriptor of the daemon's: whoever means
 * the daemon does not hit this, and nobody waits for it. */
static void part(int fd, const char *name)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	setsid();
	prctl(PR_SET_NAME, name, 0, 0, 0);
	(void)files_apart(fd);
}

int beside_start(const char *name, void (*run)(int fd, const void *context), const void *context)
{
	int ends[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	pid = fork();
	if (pid == 0) {
		part(ends[1], name);
		if (fork() == 0)
			run(ends[1], context);
		_exit(0);
	}
	close(ends[1]);
	if (pid < 0 || fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0) {
		int error = -errno;

		close(ends[0]);
		return error;
	}
	waitpid(pid, NULL, 0);
	return ends[0];
}
