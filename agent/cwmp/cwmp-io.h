/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The HTTP side of a CWMP session: libcurl's multi interface on sd-event, one kept-alive connection a
 * session, with TLS (tls.h) where the URL says so. It never resolves a name, never follows a redirect, never
 * uses a proxy, and does not connect at all when its socket cannot be bound to the tunnel. */
#pragma once

#include <systemd/sd-event.h>

#include "base/address.h"
#include "base/moment.h"
#include "cwmp/session.h"
#include "cwmp/tls.h"

#define CWMP_IO_BODY_MAX        SOAP_ENVELOPE_MAX /* bytes of an answer's body */
#define CWMP_IO_HEADERS_MAX     (64 * 1024)       /* bytes of an answer's header lines, all together */
#define CWMP_IO_CONNECT_TIMEOUT (20 * USEC_PER_SEC)
#define CWMP_IO_TIMEOUT         (50 * USEC_PER_SEC) /* of one POST with its answer */

typedef struct CwmpIo CwmpIo;

/* Where a session goes. */
typedef struct CwmpIoTarget {
    const char *url;       /* its host goes into Host header, SNI and the check of the certificate, never into
                              a resolver */
    Address address;       /* what that host resolved to */
    const char *interface; /* SO_BINDTODEVICE; NULL: not bound to one, that is the uplink */
    Address source;        /* the inner address to bind; AF_UNSPEC: not bound */
} CwmpIoTarget;

/* Gets the outcome of one POST; it may post again, close or free. */
typedef void (*CwmpIoHandler)(void *userdata, const SessionResponse *response);

/* 0 or negative errno. Takes a reference of *event*; *tls* must outlive it, NULL: no https. */
int cwmp_io_new(CwmpIo **ret, sd_event *event, const TlsConfig *tls);
/* Closes and frees. NULL is fine. */
void cwmp_io_free(CwmpIo *io);
/* Prepares a session (connects with the first POST); closes one that is open. 0; -EINVAL: the URL is none,
 * has credentials in it, or its host is an address other than *address*; -EPROTONOSUPPORT: neither http nor
 * https, or https without TlsConfig; or another negative errno. */
int cwmp_io_open(CwmpIo *io, const CwmpIoTarget *target);
/* POSTs *size* bytes (copied), 0: the empty POST. Calls *handler* exactly once from the event loop, unless
 * closed first. 0; -ENOTCONN: not open; -EBUSY: the answer to the one before is still out; or other negative
 * errno. */
int cwmp_io_post(CwmpIo *io, const void *body, size_t size, CwmpIoHandler handler, void *userdata);
/* Ends the session: connection closed, cookies forgotten, no handler called. */
void cwmp_io_close(CwmpIo *io);
