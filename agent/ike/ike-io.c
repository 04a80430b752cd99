/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See ike-io.h. */
#include "ike/ike-io.h"

#include <linux/in6.h>
#include <linux/udp.h>
#include <linux/xfrm.h>
#include <netinet/in.h>
#include <unistd.h>

#include "base/log.h"
#include "ike/ikev2.h"

#define DATAGRAM_MAX 65535
#define BATCH_MAX    16 /* datagrams read in one wake-up, so that a flood does not hold up everything else */

typedef struct Socket {
    IkeIo *io;
    int family;
    uint16_t port;
    int fd;
    sd_event_source *source;
} Socket;

struct IkeIo {
    IkeIoHandler handler;
    void *userdata;
    Socket sockets[4];
    uint8_t buffer[DATAGRAM_MAX];
};

static const struct {
    int family;
    uint16_t port;
} bindings[] = {
    {AF_INET, IKE_PORT},
    {AF_INET, IKE_NAT_PORT},
    {AF_INET6, IKE_PORT},
    {AF_INET6, IKE_NAT_PORT},
};

/* IKE itself must not go through the tunnel it builds, nor be dropped for not coming out of one. */
static int socket_bypass(int fd, int family) {
    static const int directions[] = {XFRM_POLICY_IN, XFRM_POLICY_OUT};

    for (size_t i = 0; i < ARRAY_SIZE(directions); i++) {
        struct xfrm_userpolicy_info policy = {
            .sel.family = (uint16_t)family, .action = XFRM_POLICY_ALLOW, .dir = (uint8_t)directions[i]};
        int level = family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
        int option = family == AF_INET ? IP_XFRM_POLICY : IPV6_XFRM_POLICY;
        if (setsockopt(fd, level, option, &policy, sizeof policy) < 0)
            return errno == ENOPROTOOPT ? -EOPNOTSUPP : -errno;
    }
    return 0;
}

static int socket_options(int fd, int family, uint16_t port) {
    int on = 1, encap = UDP_ENCAP_ESPINUDP;

    if (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) < 0)
        return -errno;
    if (port == IKE_NAT_PORT && setsockopt(fd, IPPROTO_UDP, UDP_ENCAP, &encap, sizeof encap) < 0)
        return -errno;
    return socket_bypass(fd, family);
}

static int socket_open(int family, uint16_t port) {
    Endpoint any = {.address.family = family, .port = port};
    struct sockaddr_storage ss;
    socklen_t size = endpoint_to_sockaddr(&any, &ss);

    int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    int r = socket_options(fd, family, port);
    if (r == 0 && bind(fd, (struct sockaddr *)&ss, size) < 0)
        r = -errno;
    if (r < 0) {
        close(fd);
        return r;
    }
    return fd;
}

static int on_readable(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
    Socket *s = userdata;
    IkeIo *io = s->io;

    for (size_t i = 0; i < BATCH_MAX; i++) {
        struct sockaddr_storage ss = {};
        socklen_t ss_size = sizeof ss;
        Endpoint from;
        ssize_t n = recvfrom(fd, io->buffer, sizeof io->buffer, 0, (struct sockaddr *)&ss, &ss_size);
        if (n < 0) /* nothing more */
            return 0;
        if (endpoint_from_sockaddr((struct sockaddr *)&ss, &from) < 0)
            continue;
        size_t skip = s->port == IKE_NAT_PORT ? IKE_NON_ESP_MARKER : 0;
        if ((size_t)n < skip || (skip && memcmp(io->buffer, (uint8_t[IKE_NON_ESP_MARKER]){}, skip) != 0))
            continue;
        io->handler(io->userdata, io->buffer + skip, (size_t)n - skip, &from);
    }
    return 0;
}

int ike_io_new(IkeIo **ret, sd_event *event, IkeIoHandler handler, void *userdata) {
    _cleanup_(ike_io_freep) IkeIo *io = calloc(1, sizeof *io);

    if (!io)
        return -ENOMEM;
    io->handler = handler;
    io->userdata = userdata;
    for (size_t i = 0; i < ARRAY_SIZE(bindings); i++)
        io->sockets[i] =
            (Socket){.io = io, .family = bindings[i].family, .port = bindings[i].port, .fd = -EBADF};
    for (size_t i = 0; i < ARRAY_SIZE(bindings); i++) {
        Socket *s = &io->sockets[i];
        int fd = socket_open(s->family, s->port);
        if (fd == -EAFNOSUPPORT && s->family == AF_INET6)
            continue;
        if (fd < 0) {
            log_error("UDP port %u for IKE over IPv%c: %s%s", s->port, s->family == AF_INET ? '4' : '6',
                      strerror(-fd),
                      fd == -EOPNOTSUPP ? " (the kernel lacks CONFIG_XFRM or CONFIG_XFRM_USER)" : "");
            return fd;
        }
        s->fd = fd;
        int r = sd_event_add_io(event, &s->source, fd, EPOLLIN, on_readable, s);
        if (r < 0)
            return r;
    }
    *ret = TAKE_PTR(io);
    return 0;
}

void ike_io_free(IkeIo *io) {
    if (!io)
        return;
    for (size_t i = 0; i < ARRAY_SIZE(io->sockets); i++) {
        sd_event_source_disable_unref(io->sockets[i].source);
        if (io->sockets[i].fd >= 0)
            close(io->sockets[i].fd);
    }
    explicit_bzero(io->buffer, sizeof io->buffer);
    free(io);
}

static const Socket *socket_find(const IkeIo *io, const Endpoint *local) {
    for (size_t i = 0; i < ARRAY_SIZE(io->sockets); i++)
        if (io->sockets[i].family == local->address.family && io->sockets[i].port == local->port &&
            io->sockets[i].fd >= 0)
            return &io->sockets[i];
    return NULL;
}

/* The source address as ancillary data, so that the datagram leaves from where NAT detection says it does. */
static void source_set(struct msghdr *msg, const Address *local) {
    struct cmsghdr *c = msg->msg_control;

    if (local->family == AF_INET) {
        struct in_pktinfo info = {.ipi_spec_dst = local->in};
        *c = (struct cmsghdr){CMSG_LEN(sizeof info), IPPROTO_IP, IP_PKTINFO};
        memcpy(CMSG_DATA(c), &info, sizeof info);
        msg->msg_controllen = CMSG_SPACE(sizeof info);
    } else {
        struct in6_pktinfo info = {.ipi6_addr = local->in6};
        *c = (struct cmsghdr){CMSG_LEN(sizeof info), IPPROTO_IPV6, IPV6_PKTINFO};
        memcpy(CMSG_DATA(c), &info, sizeof info);
        msg->msg_controllen = CMSG_SPACE(sizeof info);
    }
}

static int datagram_send(IkeIo *io, const Endpoint *local, const Endpoint *remote, bool marked,
                         const uint8_t *data, size_t size) {
    static const uint8_t marker[IKE_NON_ESP_MARKER];
    const Socket *s = socket_find(io, local);
    struct iovec parts[] = {{(void *)marker, marked ? sizeof marker : 0}, {(void *)data, size}};
    union {
        struct cmsghdr align;
        uint8_t bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
    } control = {};
    struct sockaddr_storage ss;
    struct msghdr msg = {.msg_name = &ss,
                         .msg_namelen = endpoint_to_sockaddr(remote, &ss),
                         .msg_iov = parts,
                         .msg_iovlen = ARRAY_SIZE(parts),
                         .msg_control = &control};

    if (!s)
        return -EAFNOSUPPORT;
    source_set(&msg, &local->address);
    if (sendmsg(s->fd, &msg, 0) < 0) {
        int r = -errno;
        log_warning("IKE to %s: %s", ENDPOINT_STR(remote), strerror(-r));
        return r;
    }
    return 0;
}

int ike_io_send(IkeIo *io, const Endpoint *local, const Endpoint *remote, const uint8_t *data, size_t size) {
    return datagram_send(io, local, remote, local->port == IKE_NAT_PORT, data, size);
}

void ike_io_keepalive(IkeIo *io, const Endpoint *local, const Endpoint *remote) {
    (void)datagram_send(io, local, remote, false, &(uint8_t){0xff}, 1);
}

int ike_io_source(const Address *remote, Address *ret) {
    Endpoint to = {*remote, IKE_PORT}, from;
    struct sockaddr_storage ss;
    socklen_t size = endpoint_to_sockaddr(&to, &ss);
    int r = 0;

    int fd = socket(remote->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (struct sockaddr *)&ss, size) < 0)
        r = -errno;
    size = sizeof ss;
    if (r == 0 && getsockname(fd, (struct sockaddr *)&ss, &size) < 0)
        r = -errno;
    close(fd);
    if (r == 0)
        r = endpoint_from_sockaddr((struct sockaddr *)&ss, &from);
    if (r == 0 && address_is_unspecified(&from.address))
        r = -ENETUNREACH;
    if (r == 0)
        *ret = from.address;
    return r;
}
