/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Names of hosts and URLs: the one place that says which are taken, for factory data, for what a HeMS sets
 * and for what is connected to.
 *
 * A host is a name or a literal address. A name is one of RFC 1123 2.1: ASCII letters, digits and inner
 * hyphens, labels of 1 to 63, 253 altogether. Its last label is not all digits (RFC 1123 2.1, RFC 3696 2), so
 * that a mistyped address does not pass for a name. Neither of these is taken, by anybody:
 * - an underscore: DNS knows it (RFC 2181 11), names of hosts do not, and no certificate's dNSName may hold
 *   one (RFC 5280 4.2.1.6), so such a SeGW could never prove itself;
 * - a trailing dot: no search list is ever used, so it would only be a second spelling of the same name,
 * which no dNSName (the same clause) and no comparison of names here would match. An address is that of one
 * host: not unspecified, multicast or the broadcast address.
 *
 * A URL is http or https (RFC 9110 4.2, RFC 3986), in ASCII, with a host, perhaps a port of 1 to 65535, a
 * path and a query. An IPv6 address stands in brackets and nothing else does. No user name or password (it
 * would end up in logs), no fragment, no colon without a port behind it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HOST_MAX_BYTES 256  /* a host, with its NUL */
#define URL_MAX_BYTES  1024 /* a URL, with its NUL */

typedef struct Url {
    bool tls;                  /* https */
    char host[HOST_MAX_BYTES]; /* without brackets */
    uint16_t port;             /* 80 or 443 where the URL has none */
    const char *authority;     /* in the text: host and port, up to *path* */
    const char *path;          /* in the text: path and query to its end; "" or "?..." without a path */
} Url;

/* 0; -EPROTONOSUPPORT: neither http nor https; -EINVAL: another mistake. *why*, unless NULL, is then set to
 * words that never quote the URL ("the host of the URL is not a name or address"). *ret* points into *url*.
 */
int url_parse(const char *url, Url *ret, const char **why);
/* A name or a literal address without brackets. */
bool host_is_valid(const char *host);
