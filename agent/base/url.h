/* SPDX-License-Identifier: GPL-3.0-or-later */
/* URLs as far as a HeMS has them: http or https, a host, perhaps a port and a path (RFC 3986). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HOST_MAX_BYTES 256 /* with its NUL */

typedef struct Url {
    bool tls;                  /* https */
    char host[HOST_MAX_BYTES]; /* a name per RFC 1123 or a literal address, without brackets */
    uint16_t port;             /* 80 or 443 where the URL has none */
} Url;

/* 0; -EPROTONOSUPPORT: neither http nor https; -EINVAL: no usable host or port, credentials in it, or a
 * character that must be escaped. */
int url_parse(const char *url, Url *ret);
/* A host name per RFC 1123 clause 2.1 (letters, digits, inner hyphens, labels up to 63, a trailing dot
 * allowed), not a literal address. */
bool host_name_is_valid(const char *name);
