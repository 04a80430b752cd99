/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The server of connection requests (TR-069 3.2.2): connection-request.h on a TCP port, with libmicrohttpd's
 * HTTP on sd-event. The port is on one interface and one address, that of the tunnel, and on no other.
 *
 * Whoever reaches it can do little: there are CONNECTION_REQUEST_SOCKETS connections, and the oldest goes
 * when another comes, so that somebody who holds on to many does not keep the HeMS out; each lives for a
 * short time, and has little memory. */
#pragma once

#include <systemd/sd-event.h>

#include "base/macro.h"
#include "cwmp/connection-request.h"

#define CONNECTION_REQUEST_SOCKETS  32
#define CONNECTION_REQUEST_LIFETIME (10 * USEC_PER_SEC) /* of a connection, whatever comes over it */
#define CONNECTION_REQUEST_MEMORY   (16 * 1024)         /* bytes of one, its header lines among them */

typedef struct ConnectionRequestIo ConnectionRequestIo;

/* The HeMS wants a session, and has been answered. Called from the event loop; may close or free. */
typedef void (*ConnectionRequestHandler)(void *userdata);

/* Closed. *path* of the URL as for connection_request_new(), of 128 random bits. 0 or negative errno. Takes a
 * reference of *event*. */
int connection_request_io_new(ConnectionRequestIo **ret, sd_event *event, const char *path, const Rng *rng,
                              ConnectionRequestHandler handler, void *userdata);
/* Closes and frees. NULL is fine. */
void connection_request_io_free(ConnectionRequestIo *io);
DEFINE_CLEANUP(ConnectionRequestIo, connection_request_io_free)
/* At any time; open or closed. Without a password nobody can ask. */
void connection_request_io_set_credentials(ConnectionRequestIo *io, const char *username,
                                           const char *password);
/* Listens at *address* and *port* (0: one of the kernel's choice) of *interface* (NULL: of any), and nowhere
 * else any more; *ret_url* (URL_MAX_BYTES, may be NULL) is what ConnectionRequestURL is then. 0, or negative
 * errno, logged: then it is closed. */
int connection_request_io_open(ConnectionRequestIo *io, const char *interface, const Address *address,
                               uint16_t port, char *ret_url);
/* Nothing is listened on, and no connection is left. A request that was taken is not told any more. */
void connection_request_io_close(ConnectionRequestIo *io);
