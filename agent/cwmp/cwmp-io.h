/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The HTTP side of a CWMP session: libcurl's multi interface on sd-event, one kept-alive connection a
 * session, with TLS (tls.h) where the URL says so. It never resolves a name, never follows a redirect by
 * itself, never uses a proxy, and does not connect at all when its socket cannot be bound to the tunnel.
 *
 * It answers a 401 with the credentials, by a digest, or by Basic over TLS if the HeMS wants no digest; each
 * POST goes out with its body, the first one, too (a HeMS takes an empty one outside a session for an error).
 * A 401 after that is handed on, unless only the nonce was old. Then the credentials stay for the session. */
#pragma once

#include <systemd/sd-event.h>

#include "base/address.h"
#include "base/moment.h"
#include "cwmp/session.h"
#include "cwmp/tls.h"

#define CWMP_IO_BODY_MAX        SOAP_ENVELOPE_MAX /* bytes of an answer's body */
#define CWMP_IO_HEADERS_MAX     (64 * 1024)       /* bytes of an answer's header lines, all together */
#define CWMP_IO_REDIRECTS_MAX   5                 /* a session (TR-069 3.4.6) */
#define CWMP_IO_CHALLENGES_MAX  3                 /* 401 answered a POST */
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
    const char *username, *password; /* NULL or both "": none */
    usec_t timeout; /* for tests, of one POST; 0: CWMP_IO_TIMEOUT */
} CwmpIoTarget;

/* Gets the outcome of one POST; it may post again, close or free. */
typedef void (*CwmpIoHandler)(void *userdata, const SessionResponse *response);

/* The HeMS wants the POST that is out, and what comes after it in this session, at *url* (302 or 307): one
 * that may be gone to, never http after https. It is to be followed by one call of cwmp_io_redirect() or
 * cwmp_io_redirect_fail(), now or later, unless the session is closed. */
typedef void (*CwmpIoRedirected)(void *userdata, const char *url);

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
/* From now on redirects are told to *redirected*; before, and with NULL, a 302 or 307 is an answer like
 * others. */
void cwmp_io_on_redirect(CwmpIo *io, CwmpIoRedirected redirected, void *userdata);
/* Repeats the POST at *target*, on a new connection. Cookies stay, each for its own host; so do the
 * credentials, for *target* has them. 0; -ENOTCONN: nothing was redirected; or as cwmp_io_open(): then the
 * session is as before and cwmp_io_redirect_fail() is to be called. */
int cwmp_io_redirect(CwmpIo *io, const CwmpIoTarget *target);
/* Nobody can get there: the POST's handler is told *error* with *text*, from within. */
void cwmp_io_redirect_fail(CwmpIo *io, int error, const char *text);
/* Ends the session: connection closed, cookies forgotten, no handler called. */
void cwmp_io_close(CwmpIo *io);
