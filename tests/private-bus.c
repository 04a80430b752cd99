/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See private-bus.h. */
#include "private-bus.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "files.h"

#define POLICY_OPEN                                                                                          \
    "<policy context=\"default\"><allow user=\"*\"/><allow own=\"*\"/><allow send_destination=\"*\"/>"       \
    "<allow receive_sender=\"*\"/></policy>"

/* Not check's own asserts: benchmarks have a bus as well. */
static void require(bool good, const char *what) {
    if (good)
        return;
    fprintf(stderr, "the bus of the test: %s\n", what);
    abort();
}

static void config_write(const PrivateBus *bus, const char *path, const char *policy) {
    FILE *f = fopen(path, "we");
    require(f != NULL, "its configuration cannot be written");
    fprintf(f,
            "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN\"\n"
            " \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n"
            "<busconfig><type>system</type><auth>EXTERNAL</auth><listen>unix:path=%s/socket</listen>%s</"
            "busconfig>\n",
            bus->directory, policy);
    require(fclose(f) == 0, "its configuration cannot be written");
}

void private_bus_start(PrivateBus *bus, const char *policy) {
    char config[64], argument[96], ready[32], address[512];
    int pipes[2];

    strcpy(bus->directory, "/tmp/henb-bus-XXXXXX");
    require(mkdtemp(bus->directory) != NULL, "there is no folder for it");
    require(chmod(bus->directory, 0755) == 0,
            "its folder is not for all"); /* other users of the test may connect */
    snprintf(config, sizeof config, "%s/bus.conf", bus->directory);
    config_write(bus, config, policy ? policy : POLICY_OPEN);
    require(pipe(pipes) == 0, "pipe");
    snprintf(argument, sizeof argument, "--config-file=%s", config);
    snprintf(ready, sizeof ready, "--print-address=%d", pipes[1]);
    bus->daemon = fork();
    require(bus->daemon >= 0, "fork");
    if (bus->daemon == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        close(pipes[0]);
        execlp("dbus-daemon", "dbus-daemon", argument, "--nofork", "--nopidfile", "--nosyslog", ready,
               (char *)NULL);
        _exit(127);
    }
    close(pipes[1]);
    ssize_t n = read(pipes[0], address, sizeof address - 1);
    require(n > 0, "dbus-daemon does not start");
    address[n] = 0;
    address[strcspn(address, "\n")] = 0;
    close(pipes[0]);
    require(setenv("DBUS_SYSTEM_BUS_ADDRESS", address, 1) == 0, "setenv");
}

void private_bus_stop(PrivateBus *bus) {
    char path[64];

    require(kill(bus->daemon, SIGTERM) == 0 && waitpid(bus->daemon, NULL, 0) == bus->daemon,
            "dbus-daemon does not end");
    snprintf(path, sizeof path, "%s/bus.conf", bus->directory);
    unlink(path);
    snprintf(path, sizeof path, "%s/socket", bus->directory);
    unlink(path);
    rmdir(bus->directory);
}

void private_bus_policy(char *ret, size_t size, gid_t group, const char *more_default, const char *more) {
    char *text = file_read(getenv("BUS_POLICY"), NULL);
    char *from = strstr(text, "<busconfig>") + strlen("<busconfig>"), *end = strstr(text, "</busconfig>"),
         *at;
    *end = 0;
    int n = snprintf(ret, size,
                     "<policy context=\"default\"><allow user=\"*\"/><deny own=\"*\"/>"
                     "<deny send_type=\"method_call\"/><allow send_type=\"signal\"/>"
                     "<allow send_requested_reply=\"true\" send_type=\"method_return\"/>"
                     "<allow send_requested_reply=\"true\" send_type=\"error\"/>"
                     "<allow receive_type=\"method_call\"/><allow receive_type=\"method_return\"/>"
                     "<allow receive_type=\"error\"/><allow receive_type=\"signal\"/>"
                     "<allow send_destination=\"org.freedesktop.DBus\"/>%s</policy>%s",
                     more_default, more);
    while ((at = strstr(from, "\"henb\""))) {
        bool is_group = strncmp(at - strlen("group="), "group=", strlen("group=")) == 0;
        n += snprintf(ret + n, size - (size_t)n, "%.*s\"%u\"", (int)(at - from), from,
                      is_group ? group : getuid());
        from = at + strlen("\"henb\"");
    }
    snprintf(ret + n, size - (size_t)n, "%s", from);
    free(text);
}
