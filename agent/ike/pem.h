/* SPDX-License-Identifier: GPL-3.0-or-later */
/* PEM (RFC 7468) of one label, for files of CRLs, of which there may be many in one. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* The next "-----BEGIN label-----" block at or after **at* (an offset into *text*), which is moved behind it.
 * *ret* is malloc'ed. 1; 0: none is left; -EBADMSG: no end line, or no base64 between them; -ENOMEM. */
int pem_next(const uint8_t *text, size_t size, const char *label, size_t *at, uint8_t **ret,
             size_t *ret_size);
