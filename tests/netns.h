/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What tests in a network namespace of their own share: running ip(8), and looking at what it says. */
#pragma once

#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/macro.h"

#define NETNS_OUTPUT_MAX 65536

/* Runs shell commands and returns what they printed, standard error included; *status* may be NULL. */
_printf_(2, 0) static inline char *netns_vrun(int *status, const char *format, va_list ap) {
    static char output[NETNS_OUTPUT_MAX];
    char given[4096], command[4160];
    int n = vsnprintf(given, sizeof given, format, ap);
    if (n < 0 || (size_t)n >= sizeof given)
        abort();
    snprintf(command, sizeof command, "{ %s; } 2>&1", given);
    FILE *f = popen(command, "re");
    if (!f)
        abort();
    size_t size = fread(output, 1, sizeof output - 1, f);
    output[size] = 0;
    int r = pclose(f);
    if (status)
        *status = r;
    return output;
}

_printf_(2, 3) static inline char *netns_run(int *status, const char *format, ...) {
    va_list ap;
    va_start(ap, format);
    char *output = netns_vrun(status, format, ap);
    va_end(ap);
    return output;
}

/* What a command prints, whether it fails or not. */
_printf_(1, 2) static inline char *netns_output(const char *format, ...) {
    va_list ap;
    va_start(ap, format);
    char *output = netns_vrun(NULL, format, ap);
    va_end(ap);
    return output;
}

/* Whether a command succeeds. */
_printf_(1, 2) static inline bool netns_try(const char *format, ...) {
    va_list ap;
    int status;
    va_start(ap, format);
    netns_vrun(&status, format, ap);
    va_end(ap);
    return status == 0;
}

/* How often *what* is in the output of the command. */
static inline size_t netns_count(const char *what, const char *command) {
    size_t n = 0;
    for (const char *at = netns_output("%s", command); (at = strstr(at, what)); at += strlen(what))
        n++;
    return n;
}

/* Whether this process may have network namespaces: why not, or NULL. Tried in a child. */
static inline const char *netns_unable(void) {
    int status;
    pid_t pid = fork();
    if (pid == 0)
        _exit(unshare(CLONE_NEWNET) == 0 ? 0 : 1);
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
        return "needs root and network namespaces";
    return netns_try("ip -V") ? NULL : "needs iproute2";
}
