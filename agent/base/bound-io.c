/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See bound-io.h. */
#include "base/bound-io.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int fail(const char *what, const char *where, char *why, size_t size) {
    int r = -errno;
    snprintf(why, size, "cannot bind to %s%s: %s", what, where, strerror(-r));
    return r;
}

int bound_io_bind(int fd, const char *interface, const Endpoint *at, char *why, size_t size) {
    struct sockaddr_storage address;

    if (interface && *interface &&
        setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface, (socklen_t)strlen(interface)) < 0)
        return fail("interface ", interface, why, size);
    if (at->address.family == AF_UNSPEC)
        return 0;
    if (at->port == 0)
        (void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){1}, sizeof(int));
    socklen_t length = endpoint_to_sockaddr(at, &address);
    if (bind(fd, (struct sockaddr *)&address, length) < 0)
        return fail("", ADDRESS_STR(&at->address), why, size);
    return 0;
}
