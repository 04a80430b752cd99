/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See transfer-server.h. */
#include "transfer-server.h"

#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

unsigned transfer_server_start(void) {
    int in[2], out[2];
    char line[16] = "";

    ck_assert_int_eq(pipe2(in, O_CLOEXEC), 0);
    ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(in[0], STDIN_FILENO);
        dup2(out[1], STDOUT_FILENO);
        execlp("python3", "python3", "-B", getenv("TRANSFER_SERVER"), (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    ck_assert_int_gt(read(out[0], line, sizeof line - 1), 0);
    unsigned port = (unsigned)strtoul(line, NULL, 10);
    ck_assert_uint_gt(port, 0);
    return port;
}
