/* SPDX-License-Identifier: GPL-3.0-or-later */
/* HTTP authentication for both sides of CWMP (RFC 2617, RFC 7616; TR-069 3.4.4 and 3.2.2): reads the headers
 * WWW-Authenticate and Authorization, and computes the response of a digest. Pure. */
#pragma once

#include <stdbool.h>

#include "cwmp/hash.h"

#define AUTH_HEADER_MAX   4096 /* bytes of one header's value that are looked at */
#define AUTH_ELEMENTS_MAX 64   /* parameters and schemes in it */

/* One challenge, or the credentials. What is not there is NULL, but for the scheme; all point into *text*,
 * without quotes and escapes. */
typedef struct AuthFields {
    const char *scheme;
    const char *realm, *nonce, *opaque, *qop, *algorithm, *stale; /* stale: challenges only */
    const char *username, *uri, *cnonce, *nc, *response;          /* credentials only */
    char text[AUTH_HEADER_MAX + 1];
} AuthFields;

/* The *n*th challenge of a WWW-Authenticate, counted from 0; or, as number 0, the credentials of an
 * Authorization. Commas between parameters may be missing; parameters that are not known are passed over, so
 * are the words of other schemes. 0; -ENOENT: there are not as many; -EBADMSG: it cannot be read (a parameter
 * twice, a quote that is not closed, a control character) or is too long. */
int auth_parse(const char *value, size_t size, size_t n, AuthFields *ret);

/* Scheme "Digest" in any case, and an algorithm that we have: MD5 where none is named. 0 or -ENOENT. */
int auth_digest_algorithm(const AuthFields *fields, DigestAlgorithm *ret);
bool auth_is_basic(const AuthFields *fields);
/* Does a challenge's list of qop offer "auth", or is there none at all? */
bool auth_qop_fits(const char *qop);
bool auth_is_stale(const AuthFields *fields);

/* What a digest is computed of. *qop* NULL: without (RFC 2069), *nc* and *cnonce* do not count then. */
typedef struct DigestInput {
    DigestAlgorithm algorithm;
    const char *username, *realm, *password, *method, *uri, *nonce, *nc, *cnonce, *qop;
} DigestInput;

/* RFC 2617 3.2.2.1. 0 or -EIO. */
int digest_response(const DigestInput *input, char ret[static DIGEST_HEX_MAX]);

/* The value of an Authorization that answers *challenge* with *input*, whose realm, nonce and qop are the
 * challenge's. 0; -EINVAL: user name, realm or another value holds what a header cannot; -E2BIG: longer than
 * AUTH_HEADER_MAX; -EIO. */
int digest_authorization(const AuthFields *challenge, const DigestInput *input,
                         char ret[static AUTH_HEADER_MAX]);
/* The same for Basic (RFC 7617). 0; -EINVAL: a colon in the user name, or a control character; -E2BIG. */
int basic_authorization(const char *username, const char *password, char ret[static AUTH_HEADER_MAX]);

/* Equal texts, in a time that depends on their lengths only. */
bool digest_equal(const char *a, const char *b);
