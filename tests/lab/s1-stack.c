/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A stand-in for the box's S1 stack: a client of org.henb.Agent1 that knows nothing but what is published
 * there, and follows it with the code of the example (dbus/examples/s1-watch.c).
 *
 *     s1-stack [--timeout SECONDS]
 *
 * Waits for State `registered` with an MME and AdminState true, opens an SCTP association from the inner
 * address over the tunnel's interface to the first MME address that answers (TS 36.412 clause 7: port 36412,
 * payload protocol 18), sends one message and exits 0. What the message holds, the S1 SETUP REQUEST of
 * TS 36.413, is the S1 stack's business and not shown here. Exits 1 with a reason otherwise. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <linux/sctp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "dbus/examples/s1-watch.h"

#define PPID_S1AP       18 /* TS 36.412 clause 7 */
#define CONNECT_SECONDS 10 /* for one address of an MME */

static sd_event *event;
static S1Watch watch;

/* ---- SCTP */

/* Fills in a socket address. 0 or -EINVAL. */
static int sockaddr_make(const char *text, uint16_t port, struct sockaddr_storage *ret, socklen_t *ret_len) {
    struct sockaddr_storage storage = {};
    struct sockaddr_in *in = (struct sockaddr_in *)&storage;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&storage;
    if (inet_pton(AF_INET, text, &in->sin_addr) == 1) {
        in->sin_family = AF_INET;
        in->sin_port = htons(port);
        *ret_len = sizeof *in;
    } else if (inet_pton(AF_INET6, text, &in6->sin6_addr) == 1) {
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(port);
        *ret_len = sizeof *in6;
    } else
        return -EINVAL;
    *ret = storage;
    return 0;
}

static int socket_prepare(int fd, const char *interface, const struct sockaddr_storage *local,
                          socklen_t local_len) {
    const struct timeval patience = {.tv_sec = CONNECT_SECONDS};
    const struct sctp_sndrcvinfo send_as = {.sinfo_ppid = htonl(PPID_S1AP)};
    if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface, (socklen_t)strlen(interface)) < 0)
        return -errno;
    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) < 0)
        return -errno;
    if (setsockopt(fd, IPPROTO_SCTP, SCTP_DEFAULT_SEND_PARAM, &send_as, sizeof send_as) < 0)
        return -errno;
    if (bind(fd, (const struct sockaddr *)local, local_len) < 0)
        return -errno;
    return 0;
}

/* An association with one address of an MME, with one message sent. The socket or negative errno. */
static int associate_one(const char *interface, const char *from, const char *to, uint16_t port) {
    static const uint8_t hello[] = {'s', '1'};
    struct sockaddr_storage local, remote;
    socklen_t local_len, remote_len;
    if (sockaddr_make(from, 0, &local, &local_len) < 0 || sockaddr_make(to, port, &remote, &remote_len) < 0)
        return -EINVAL;
    if (local.ss_family != remote.ss_family)
        return -EAFNOSUPPORT;
    int fd = socket(local.ss_family, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_SCTP);
    if (fd < 0)
        return -errno;
    int r = socket_prepare(fd, interface, &local, local_len);
    if (r >= 0 && connect(fd, (struct sockaddr *)&remote, remote_len) < 0)
        r = errno == EINPROGRESS ? -ETIMEDOUT : -errno; /* how SO_SNDTIMEO shows */
    if (r >= 0 && send(fd, hello, sizeof hello, MSG_NOSIGNAL) != (ssize_t)sizeof hello)
        r = -errno;
    if (r < 0) {
        close(fd);
        return r;
    }
    bool six = remote.ss_family == AF_INET6;
    printf("association %s -> %s%s%s:%u over %s, PPID %d sent\n", from, six ? "[" : "", to, six ? "]" : "",
           port, interface, PPID_S1AP);
    return fd;
}

/* Every pair of an MME's address and an inner address of its family, in the order published, until one
 * answers. */
static int associate(const S1Ends *ends) {
    int last = -EADDRNOTAVAIL;
    for (size_t i = 0; i < ends->n_mmes; i++)
        for (size_t j = 0; j < ends->mmes[i].addresses.n; j++)
            for (size_t k = 0; k < ends->local.n; k++) {
                const char *to = ends->mmes[i].addresses.items[j];
                int r = associate_one(ends->interface, ends->local.items[k], to, ends->mmes[i].port);
                if (r >= 0)
                    return r;
                if (r == -EAFNOSUPPORT)
                    continue;
                fprintf(stderr, "no association %s -> %s port %u: %s\n", ends->local.items[k], to,
                        ends->mmes[i].port, strerror(-r));
                last = r;
            }
    return last;
}

/* ---- what the agent says */

void s1_up(const S1Ends *ends) {
    int fd = associate(ends);
    if (fd < 0)
        printf("no association with any MME: %s\n", strerror(-fd));
    else
        close(fd); /* SHUTDOWN follows the data (RFC 9260 9.2) */
    sd_event_exit(event, fd < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
}

void s1_down(const char *why) {
    printf("S1 is down: %s\n", why);
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata) {
    printf("no association in time\n");
    return sd_event_exit(event, EXIT_FAILURE);
}

static int start(uint64_t timeout_usec, sd_bus **bus) {
    int r = sd_event_default(&event);
    if (r >= 0)
        r = sd_bus_open_system(bus);
    if (r >= 0)
        r = sd_bus_attach_event(*bus, event, SD_EVENT_PRIORITY_NORMAL);
    if (r >= 0)
        r = sd_bus_set_exit_on_disconnect(*bus, true);
    if (r >= 0 && timeout_usec)
        r = sd_event_add_time_relative(event, NULL, CLOCK_MONOTONIC, timeout_usec, 0, on_deadline, NULL);
    return r < 0 ? r : s1_watch_start(&watch, *bus);
}

static int usage(const char *name) {
    fprintf(stderr, "usage: %s [--timeout SECONDS]\n", name);
    return 2;
}

int main(int argc, char *argv[]) {
    static const struct option options[] = {{"timeout", required_argument, NULL, 't'}, {}};
    sd_bus *bus = NULL;
    uint64_t timeout_usec = 0;
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 't' && (timeout_usec = strtoull(optarg, NULL, 10) * 1000000))
            continue;
        else
            return usage(argv[0]);
    }
    if (optind < argc)
        return usage(argv[0]);
    setvbuf(stdout, NULL, _IOLBF, 0);
    int r = start(timeout_usec, &bus);
    if (r >= 0)
        r = sd_event_loop(event);
    if (r < 0)
        printf("the bus: %s\n", strerror(-r));
    s1_watch_stop(&watch, "the stand-in has had its one association, and ends");
    sd_bus_flush_close_unref(bus);
    sd_event_unref(event);
    return r < 0 ? EXIT_FAILURE : r;
}
