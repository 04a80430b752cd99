/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The CPE's side of a connection request (TR-069 3.2.2): judges one HTTP request and says what is answered
 * and whether a session is to start. Pure: a request and time in, an answer out. No session starts without a
 * digest (RFC 2617) made with the user name and password that the HeMS has set: while there is no password,
 * nobody can ask.
 *
 * Nonces need no memory until they have been used: they are a time and a hash with a secret of this object.
 * Of those used well the highest count is known (RFC 2617 3.2.2), and one is old when it is not any more. */
#pragma once

#include <stdbool.h>

#include "base/address.h"
#include "base/moment.h"
#include "base/rng.h"
#include "base/url.h"
#include "cwmp/digest.h"

#define CONNECTION_REQUEST_REALM  "henb-agent"
#define CONNECTION_REQUEST_NONCE  (5 * 60 * USEC_PER_SEC) /* how long one is good */
#define CONNECTION_REQUEST_MAX    10                      /* sessions asked for in PERIOD; more get 503 */
#define CONNECTION_REQUEST_PERIOD (60 * USEC_PER_SEC)
#define CONNECTION_REQUEST_NONCES 16  /* used ones that are remembered */
#define CONNECTION_REQUEST_SECRET 257 /* bytes of a user name or password with its NUL (TR-181: 256) */
#define CONNECTION_REQUEST_PATH   65  /* bytes of the path with its NUL */
#define CONNECTION_REQUEST_HEADER 256 /* bytes of the value of a header in the answer, with its NUL */

typedef struct ConnectionRequest ConnectionRequest;

/* As received; *authorization* NULL: none. */
typedef struct ConnectionRequestQuery {
    const char *method, *target;
    const char *authorization;
    size_t authorization_size;
} ConnectionRequestQuery;

typedef struct ConnectionRequestAnswer {
    unsigned status;                       /* 200, 401, 404, 405, 503; the body is empty */
    const char *header;                    /* of the status; NULL: none */
    char value[CONNECTION_REQUEST_HEADER]; /* its value */
    bool start;                            /* a session is to start, after the answer */
} ConnectionRequestAnswer;

/* *path* without its leading slash, as in the URL; copied. 0; -EINVAL: *path* is too long or
 * not a path's segment; -ENOMEM. */
int connection_request_new(ConnectionRequest **ret, const char *path, const Rng *rng);
void connection_request_free(ConnectionRequest *request);
/* From now on; too long ones are as good as none. */
void connection_request_set_credentials(ConnectionRequest *request, const char *username,
                                        const char *password);
/* 0 or -EIO: nothing can be answered. */
int connection_request_answer(ConnectionRequest *request, usec_t now, const ConnectionRequestQuery *query,
                              ConnectionRequestAnswer *ret);

/* What ConnectionRequestURL says: "http://[2001:db8::1]:7547/PATH". */
const char *connection_request_url(const Endpoint *at, const char *path, char ret[static URL_MAX_BYTES]);
