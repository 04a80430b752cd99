/* SPDX-License-Identifier: GPL-3.0-or-later */
/* IKE's UDP sockets on sd-event: ports 500 and 4500 of both families, outside any IPsec policy, the kernel
 * taking ESP-in-UDP off port 4500 (RFC 7296 2.23, RFC 3948).
 *
 * ICMP errors are not asked for (no IP_RECVERR, and unconnected sockets get none otherwise): anybody can
 * forge an "unreachable", and RFC 7296 2.4 forbids to conclude from one that the other end has failed. An
 * address behind which nobody listens thus costs IKE's whole budget, like a silent one. */
#pragma once

#include <systemd/sd-event.h>

#include "base/address.h"
#include "base/macro.h"

typedef struct IkeIo IkeIo;

/* A datagram without its non-ESP marker; *datagram* may be overwritten. */
typedef void (*IkeIoHandler)(void *userdata, uint8_t *datagram, size_t size, const Endpoint *from);

/* 0 or negative errno, logged with the port and the family (-EADDRINUSE: another IKE daemon runs). A kernel
 * without IPv6 is fine. */
int ike_io_new(IkeIo **ret, sd_event *event, IkeIoHandler handler, void *userdata);
void ike_io_free(IkeIo *io);
DEFINE_CLEANUP(IkeIo, ike_io_free)

/* Sends from *local* (its address; port 500 or 4500) to *remote*, putting the non-ESP marker before what goes
 * out of port 4500. 0 or negative errno, logged: for IKE that is a lost datagram. */
int ike_io_send(IkeIo *io, const Endpoint *local, const Endpoint *remote, const uint8_t *data, size_t size);

/* The one byte that keeps a NAT's mapping (RFC 3948 2.3), without a marker. */
void ike_io_keepalive(IkeIo *io, const Endpoint *local, const Endpoint *remote);

/* The address the kernel would send from towards *remote*: one route decision, no packet. 0, or -ENETUNREACH
 * and the like. */
int ike_io_source(const Address *remote, Address *ret);
