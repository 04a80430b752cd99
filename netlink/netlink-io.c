/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See netlink-io.h. */
#include "netlink/netlink-io.h"

#include "base/log.h"
#include "netlink/channel-io.h"
#include "netlink/inside-io.h"
#include "netlink/sad-io.h"
#include "netlink/uplink-io.h"

struct NetlinkIo {
    NetlinkChannel *route;
    Sad *sad;
    Inside *inside;
    Uplink *uplink;
    NetlinkConfig config;
};

/* What carries our if_id before we made anything is of a predecessor that was killed. */
static int leftovers_remove(NetlinkIo *io) {
    size_t n = 0;
    int r = sad_flush(io->sad, &n);
    if (r == 0 && n > 0)
        log_notice("Removed %zu SAs and policies a previous run left in the kernel", n);
    return r;
}

static void io_close(NetlinkIo *io) {
    uplink_free(io->uplink);
    inside_free(io->inside);
    sad_free(io->sad);
    channel_free(io->route);
    free(io);
}
DEFINE_CLEANUP(NetlinkIo, io_close)

static void io_changed(void *userdata) {
    NetlinkIo *io = userdata;
    inside_yield(io->inside); /* before anybody sends from a new address of the uplink */
    if (io->config.changed)
        io->config.changed(io->config.userdata);
}

static void io_expired(void *userdata, uint32_t spi, bool hard) {
    NetlinkIo *io = userdata;
    if (io->config.expired)
        io->config.expired(io->config.userdata, spi, hard);
}

static void io_mapping(void *userdata, uint32_t spi_in, const Endpoint *from) {
    NetlinkIo *io = userdata;
    if (io->config.mapping)
        io->config.mapping(io->config.userdata, spi_in, from);
}

static int io_lost(void *userdata) {
    log_warning("The kernel had more to say of SAs than there was room for");
    return netlink_io_resync(userdata);
}

static int io_listen(NetlinkIo *io, sd_event *event) {
    return sad_listen(io->sad, event,
                      &(SadListener){
                          .expired = io_expired,
                          .mapping = io_mapping,
                          .lost = io_lost,
                          .userdata = io,
                          .receive_buffer = io->config.event_buffer,
                      });
}

int netlink_io_new(NetlinkIo **ret, sd_event *event, const NetlinkConfig *config) {
    _cleanup_(io_closep) NetlinkIo *io = calloc(1, sizeof *io);
    if (!io)
        return -ENOMEM;
    io->config = *config;
    int r = uplink_new(&io->uplink, event, io_changed, io);
    if (r == 0)
        r = channel_new(&io->route, NETLINK_ROUTE);
    if (r < 0) {
        log_error("rtnetlink socket: %s", strerror(-r));
        return r;
    }
    r = sad_new(&io->sad, config->id);
    if (r == 0)
        r = inside_new(&io->inside, io->route, io->sad, config->interface, config->id);
    if (r == 0)
        r = leftovers_remove(io);
    if (r == 0)
        r = io_listen(io, event);
    if (r < 0)
        return r;
    io->config.interface = NULL; /* the caller's */
    sad_probe(io->sad);
    uplink_warn_of_arp();
    *ret = TAKE_PTR(io);
    return 0;
}

void netlink_io_free(NetlinkIo *io) {
    size_t n;
    if (!io)
        return;
    (void)sad_flush(io->sad, &n); /* which logs what stays */
    io_close(io);
}

int netlink_io_uplink(NetlinkIo *io, int family, Address *ret) {
    return uplink_find(io->uplink, io->route, io->inside, family, ret);
}

int netlink_io_allocate_spi(NetlinkIo *io, const Address *remote, const Address *local, uint32_t *ret_spi) {
    return sad_allocate_spi(io->sad, remote, local, ret_spi);
}

int netlink_io_remove_sa(NetlinkIo *io, const Address *destination, uint32_t spi) {
    return sad_remove_sa(io->sad, destination, spi);
}

/* A path that cannot be measured has the width it had; traffic passes all the same. */
static void io_fit(NetlinkIo *io, const ChildSa *child) {
    (void)inside_fit(io->inside, child);
}

int netlink_io_install(NetlinkIo *io, const ChildSa *child, unsigned parts) {
    int r = sad_install(io->sad, child, parts);
    if (r == 0 && parts & CHILD_OUT)
        io_fit(io, child);
    return r;
}

int netlink_io_remove(NetlinkIo *io, const ChildSa *child, unsigned parts) {
    return sad_remove(io->sad, child, parts);
}

int netlink_io_move(NetlinkIo *io, const ChildSa *child, const Endpoint *old_local,
                    const Endpoint *old_remote) {
    int r = sad_move(io->sad, child, old_local, old_remote);
    if (r == 0)
        io_fit(io, child);
    return r;
}

int netlink_io_traffic(NetlinkIo *io, const ChildSa *child, ChildTraffic *ret) {
    return sad_traffic(io->sad, child, ret);
}

int netlink_io_resync(NetlinkIo *io) {
    int guards = inside_guard(io->inside);
    int r = sad_resync(io->sad);
    return r < 0 ? r : guards;
}

bool netlink_io_has(const NetlinkIo *io, unsigned features) {
    return sad_has(io->sad, features);
}

int netlink_io_set_inner(NetlinkIo *io, const AddressList *inner) {
    return inside_set(io->inside, inner);
}
