/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the kernel says of our SAs by itself, and what is done when some of it was lost. See sad-io.h. */
#include <linux/netlink.h>
#include <linux/xfrm.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "netlink/sad-internal-io.h"

#define EVENT_MAX       8192       /* bytes; the kernel sends one event of some 300 bytes at a time */
#define EVENTS_A_WAKEUP 256        /* read at once; what is left wakes us again */
#define RECEIVE_BUFFER  (8 << 20)  /* bytes; costs nothing until it is needed */
#define RETRY_USEC      1000000ULL /* until a resynchronisation that failed is tried again */

struct SadEvents {
    Sad *sad;
    int fd;
    sd_event_source *source, *retry;
    SadListener listener;
    XfrmMapping told; /* the last one of this wakeup */
    uint8_t buffer[EVENT_MAX] __attribute__((aligned(NLMSG_ALIGNTO)));
};

/* -- events -- */

/* Whether an SA of ours is that one, and which part of its pair. 0: none. */
static unsigned part_of(const Installed *pair, const Address *destination, uint32_t spi) {
    if ((pair->parts & CHILD_IN) && pair->spi_in == spi && address_equal(&pair->local, destination))
        return CHILD_IN;
    if ((pair->parts & CHILD_OUT) && pair->spi_out == spi && address_equal(&pair->remote, destination))
        return CHILD_OUT;
    return 0;
}

static unsigned part_find(const Sad *sad, const Address *destination, uint32_t spi) {
    unsigned part = 0;
    for (const Installed *i = sad->installed; i && !part; i = i->next)
        part = part_of(i, destination, spi);
    return part;
}

static void on_expiry(SadEvents *e, const struct nlmsghdr *m) {
    XfrmExpiry expiry;
    if (xfrm_decode_expiry(m, &expiry) < 0 || expiry.sa.if_id != e->sad->id ||
        expiry.sa.protocol != IPPROTO_ESP || !part_find(e->sad, &expiry.sa.destination, expiry.sa.spi))
        return;
    if (e->listener.expired)
        e->listener.expired(e->listener.userdata, expiry.sa.spi, expiry.hard);
}

/* Until the SA is moved a kernel before 5.17 repeats it for each packet. */
static void on_mapping(SadEvents *e, const struct nlmsghdr *m) {
    XfrmMapping mapping;
    if (xfrm_decode_mapping(m, &mapping) < 0 || mapping.reqid != e->sad->id ||
        part_find(e->sad, &mapping.destination, mapping.spi) != CHILD_IN)
        return;
    if (mapping.spi == e->told.spi && endpoint_equal(&mapping.from, &e->told.from))
        return;
    e->told = mapping;
    if (e->listener.mapping)
        e->listener.mapping(e->listener.userdata, mapping.spi, &mapping.from);
}

static void events_take(SadEvents *e, size_t size) {
    size_t left = size;
    for (struct nlmsghdr *m = (struct nlmsghdr *)e->buffer; NLMSG_OK(m, left); m = NLMSG_NEXT(m, left)) {
        if (m->nlmsg_type == XFRM_MSG_EXPIRE)
            on_expiry(e, m);
        else if (m->nlmsg_type == XFRM_MSG_MAPPING)
            on_mapping(e, m);
        if (left < NLMSG_ALIGN(m->nlmsg_len))
            return;
    }
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata);

static void events_lost(SadEvents *e) {
    int r = e->listener.lost ? e->listener.lost(e->listener.userdata) : sad_resync(e->sad);
    if (r >= 0)
        return;
    log_warning("XFRM events were lost, and what is in the kernel cannot be looked at now: %s", strerror(-r));
    sd_event_source_set_time_relative(e->retry, RETRY_USEC);
    sd_event_source_set_enabled(e->retry, SD_EVENT_ONESHOT);
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata) {
    events_lost(userdata);
    return 0;
}

/* 1: something was read, 0: nothing is there. A datagram that is no event of the kernel's is skipped. */
static int event_read(SadEvents *e, bool *lost) {
    struct sockaddr_nl from = {0};
    struct iovec iov = {.iov_base = e->buffer, .iov_len = sizeof e->buffer};
    struct msghdr m = {.msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &iov, .msg_iovlen = 1};
    ssize_t n = recvmsg(e->fd, &m, 0);
    if (n < 0 && (errno == ENOBUFS || errno == EINTR)) {
        *lost |= errno == ENOBUFS;
        return 1;
    }
    if (n < 0)
        return 0;
    *lost |= (m.msg_flags & MSG_TRUNC) != 0;
    if (from.nl_pid == 0 && !(m.msg_flags & MSG_TRUNC))
        events_take(e, (size_t)n);
    return 1;
}

static int on_events(sd_event_source *source, int fd, uint32_t events, void *userdata) {
    SadEvents *e = userdata;
    bool lost = false;
    e->told = (XfrmMapping){0};
    for (unsigned i = 0; i < EVENTS_A_WAKEUP && event_read(e, &lost) > 0; i++)
        ;
    if (lost)
        events_lost(e);
    return 0;
}

static int events_open(int receive_buffer) {
    static const int groups[] = {XFRMNLGRP_EXPIRE, XFRMNLGRP_MAPPING};
    const struct sockaddr_nl any = {.nl_family = AF_NETLINK};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_XFRM);
    if (fd < 0)
        return -errno;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &receive_buffer, sizeof receive_buffer) < 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    bool bound = bind(fd, (const struct sockaddr *)&any, sizeof any) == 0;
    for (size_t i = 0; bound && i < ARRAY_SIZE(groups); i++)
        bound = setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &groups[i], sizeof groups[i]) == 0;
    if (bound)
        return fd;
    int r = -errno;
    close(fd);
    return r;
}

DEFINE_CLEANUP(SadEvents, sad_events_free)

int sad_listen(Sad *sad, sd_event *event, const SadListener *listener) {
    _cleanup_(sad_events_freep) SadEvents *e = calloc(1, sizeof *e);
    if (!e)
        return -ENOMEM;
    e->sad = sad;
    e->listener = *listener;
    int r = e->fd = events_open(listener->receive_buffer ? listener->receive_buffer : RECEIVE_BUFFER);
    if (r >= 0)
        r = sd_event_add_io(event, &e->source, e->fd, EPOLLIN, on_events, e);
    if (r >= 0)
        r = sd_event_add_time(event, &e->retry, CLOCK_BOOTTIME, UINT64_MAX, 0, on_retry, e);
    if (r >= 0)
        r = sd_event_source_set_enabled(e->retry, SD_EVENT_OFF);
    if (r < 0) {
        log_error("XFRM events: %s", strerror(-r));
        return r;
    }
    sad_events_free(sad->events);
    sad->events = TAKE_PTR(e);
    return 0;
}

void sad_events_free(SadEvents *events) {
    if (!events)
        return;
    sd_event_source_disable_unref(events->source);
    sd_event_source_disable_unref(events->retry);
    if (events->fd >= 0)
        close(events->fd);
    free(events);
}

/* -- looking at what is in the kernel -- */

typedef struct Finding {
    size_t restored, removed, gone;
    uint32_t *spis; /* of SAs that are gone */
} Finding;

static void finding_free(Finding *f) {
    free(f->spis);
}

static bool policy_is_among(const XfrmPolicy *policy, const XfrmPolicy *there, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (xfrm_policy_equal(policy, &there[i]))
            return true;
    return false;
}

static int policy_restore(Sad *sad, const XfrmPolicy *policy) {
    XfrmMessage buf;
    int r = channel_request(sad->channel, xfrm_encode_policy(buf, XFRM_MSG_UPDPOLICY, policy), NULL, NULL);
    if (r < 0)
        log_error("A policy that vanished cannot be restored: %s", channel_reason(sad->channel, r));
    return r;
}

/* Of pairs that share a slot only the policy that belongs there counts. */
static int policies_restore(Sad *sad, const XfrmPolicy *there, size_t n, Finding *f) {
    int r = 0;
    for (const Installed *pair = sad->installed; pair; pair = pair->next)
        for (size_t k = 0; k < pair->n_policies && r == 0; k++) {
            const XfrmPolicy *policy = &pair->policies[k];
            if (installed_find_policy(sad->installed, policy) != policy || policy_is_among(policy, there, n))
                continue;
            r = policy_restore(sad, policy);
            f->restored++;
        }
    return r;
}

static int policies_resync(Sad *sad, Finding *f) {
    _cleanup_free_ XfrmPolicy *there = NULL;
    size_t n = 0;
    int r = sad_dump_policies(sad, &there, &n);
    for (size_t i = 0; i < n && r == 0; i++)
        if (!installed_find_policy(sad->installed, &there[i])) {
            r = policy_delete(sad, &there[i]);
            f->removed++;
        }
    return r < 0 ? r : policies_restore(sad, there, n, f);
}

static bool sa_is_among(const Address *destination, uint32_t spi, const XfrmSa *there, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (there[i].spi == spi && there[i].protocol == IPPROTO_ESP && !there[i].is_larval &&
            address_equal(&there[i].destination, destination))
            return true;
    return false;
}

static int sas_find_gone(const Sad *sad, const XfrmSa *there, size_t n, Finding *f) {
    size_t pairs = 0;
    for (const Installed *i = sad->installed; i; i = i->next)
        pairs++;
    f->spis = calloc(2 * pairs + 1, sizeof *f->spis);
    if (!f->spis)
        return -ENOMEM;
    for (const Installed *i = sad->installed; i; i = i->next) {
        if ((i->parts & CHILD_IN) && !sa_is_among(&i->local, i->spi_in, there, n))
            f->spis[f->gone++] = i->spi_in;
        if ((i->parts & CHILD_OUT) && !sa_is_among(&i->remote, i->spi_out, there, n))
            f->spis[f->gone++] = i->spi_out;
    }
    return 0;
}

/* Reserved SPIs stay: the kernel forgets them by itself, and an exchange may be about one. */
static int sas_resync(Sad *sad, Finding *f) {
    _cleanup_free_ XfrmSa *there = NULL;
    size_t n = 0;
    int r = sad_dump_sas(sad, &there, &n);
    for (size_t i = 0; i < n && r == 0; i++)
        if (!there[i].is_larval && !part_find(sad, &there[i].destination, there[i].spi)) {
            r = sa_delete(sad, &there[i].destination, there[i].spi, there[i].protocol);
            f->removed++;
        }
    return r < 0 ? r : sas_find_gone(sad, there, n, f);
}

int sad_resync(Sad *sad) {
    _cleanup_(finding_free) Finding f = {0};
    int r = policies_resync(sad, &f);
    if (r == 0)
        r = sas_resync(sad, &f);
    if (r < 0)
        return r;
    log_notice(
        "Looked at what is in the kernel: %zu policies restored, %zu SAs gone, %zu of ours that nobody "
        "knows removed",
        f.restored, f.gone, f.removed);
    const SadListener *listener = sad->events ? &sad->events->listener : NULL;
    for (size_t i = 0; listener && listener->expired && i < f.gone; i++)
        listener->expired(listener->userdata, f.spis[i], true);
    return 0;
}
