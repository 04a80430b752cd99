/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See connection-request.h. */
#include "cwmp/connection-request.h"

#include <inttypes.h>
#include <stdio.h>
#include <strings.h>

#include "base/macro.h"

#define KEY_BYTES    32
#define STAMP_DIGITS 24 /* of a nonce: the time, then a number of its own */
#define NONCE_BYTES  (STAMP_DIGITS + 2 * 16 + 1)
#define NC_DIGITS    8

/* A nonce that was used well. */
typedef struct Used {
    uint64_t issued; /* 0: none */
    uint32_t number;
    uint32_t count; /* the highest; UINT32_MAX where the client does not count */
} Used;

struct ConnectionRequest {
    char path[CONNECTION_REQUEST_PATH];
    char username[CONNECTION_REQUEST_SECRET], password[CONNECTION_REQUEST_SECRET];
    uint8_t key[KEY_BYTES];
    uint32_t number; /* of the next nonce */
    Used used[CONNECTION_REQUEST_NONCES];
    uint64_t floor; /* nonces of up to here may have been forgotten */
    usec_t accepted[CONNECTION_REQUEST_MAX];
    size_t n_accepted;
};

typedef enum Verdict {
    VERDICT_GOOD,
    VERDICT_STALE, /* right but for the nonce */
    VERDICT_BAD,
} Verdict;

int connection_request_new(ConnectionRequest **ret, const char *path, const Rng *rng) {
    size_t length = strlen(path);

    if (length == 0 || length >= CONNECTION_REQUEST_PATH)
        return -EINVAL;
    for (const char *c = path; *c; c++)
        if (!(*c >= 'a' && *c <= 'z') && !(*c >= 'A' && *c <= 'Z') && !(*c >= '0' && *c <= '9') &&
            *c != '-' && *c != '_')
            return -EINVAL;
    ConnectionRequest *request = calloc(1, sizeof *request);
    if (!request)
        return -ENOMEM;
    memcpy(request->path, path, length);
    rng->fill(rng->userdata, request->key, sizeof request->key);
    *ret = request;
    return 0;
}

void connection_request_free(ConnectionRequest *request) {
    if (request)
        explicit_bzero(request, sizeof *request);
    free(request);
}

void connection_request_set_credentials(ConnectionRequest *request, const char *username,
                                        const char *password) {
    explicit_bzero(request->username, sizeof request->username);
    explicit_bzero(request->password, sizeof request->password);
    if (strlen(username) >= sizeof request->username || strlen(password) >= sizeof request->password)
        return;
    strcpy(request->username, username);
    strcpy(request->password, password);
}

/* Nonces ---------------------------------------------------------------------------------------------- */

static int nonce_write(const ConnectionRequest *request, uint64_t issued, uint32_t number,
                       char ret[static NONCE_BYTES]) {
    char hash[DIGEST_HEX_MAX];

    snprintf(ret, NONCE_BYTES, "%016" PRIx64 "%08" PRIx32, issued, number);
    const struct iovec parts[] = {{(void *)request->key, KEY_BYTES}, {ret, STAMP_DIGITS}};
    int r = digest_hash(DIGEST_SHA_256, parts, ARRAY_SIZE(parts), hash);
    if (r < 0)
        return r;
    memcpy(ret + STAMP_DIGITS, hash, NONCE_BYTES - STAMP_DIGITS - 1);
    ret[NONCE_BYTES - 1] = 0;
    return 0;
}

static bool hex_parse(const char *text, size_t digits, uint64_t *ret) {
    uint64_t value = 0;

    for (size_t i = 0; i < digits; i++) {
        char c = text[i];
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                         : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10
                                                : 16;
        if (digit == 16)
            return false;
        value = value << 4 | digit;
    }
    *ret = value;
    return true;
}

/* One of ours that is still good at *now*. */
static bool nonce_read(const ConnectionRequest *request, usec_t now, const char *nonce, uint64_t *ret_issued,
                       uint32_t *ret_number) {
    char expected[NONCE_BYTES];
    uint64_t issued, number;

    if (strlen(nonce) != NONCE_BYTES - 1 || !hex_parse(nonce, 16, &issued) ||
        !hex_parse(nonce + 16, 8, &number) || nonce_write(request, issued, (uint32_t)number, expected) < 0 ||
        !digest_equal(expected, nonce))
        return false;
    *ret_issued = issued;
    *ret_number = (uint32_t)number;
    return issued > request->floor && issued <= now && now - issued < CONNECTION_REQUEST_NONCE;
}

/* Notes a use of a nonce down; false: it has been used so far already. The longest known one makes room. */
static bool nonce_use(ConnectionRequest *request, uint64_t issued, uint32_t number, uint32_t count) {
    Used *oldest = &request->used[0];

    for (size_t i = 0; i < ARRAY_SIZE(request->used); i++) {
        Used *used = &request->used[i];
        if (used->issued == issued && used->number == number) {
            if (count <= used->count || used->count == UINT32_MAX)
                return false;
            used->count = count;
            return true;
        }
        if (used->issued < oldest->issued)
            oldest = used;
    }
    request->floor = MAX(request->floor, oldest->issued);
    *oldest = (Used){issued, number, count};
    return true;
}

/* Digest ---------------------------------------------------------------------------------------------- */

/* Path and query of "http://host:port/path" or "/path". */
static const char *target_path(const char *target) {
    static const char *const schemes[] = {"http://", "https://"};

    for (size_t i = 0; i < ARRAY_SIZE(schemes); i++)
        if (strncasecmp(target, schemes[i], strlen(schemes[i])) == 0)
            return strchr(target + strlen(schemes[i]), '/') ?: "/";
    return target;
}

/* Both of the same resource, however each spells it. */
static bool target_matches(const ConnectionRequest *request, const char *target) {
    const char *path = target_path(target);
    return path[0] == '/' && streq(path + 1, request->path);
}

/* *ret_count* is UINT32_MAX without qop: such a nonce is good once. */
static bool count_read(const AuthFields *fields, uint32_t *ret_count) {
    uint64_t count = UINT32_MAX;

    if (!fields->qop) {
        *ret_count = UINT32_MAX;
        return true;
    }
    if (strcasecmp(fields->qop, "auth") != 0 || !fields->cnonce || !fields->nc ||
        strlen(fields->nc) != NC_DIGITS || !hex_parse(fields->nc, NC_DIGITS, &count) || count == 0 ||
        count == UINT32_MAX)
        return false;
    *ret_count = (uint32_t)count;
    return true;
}

/* RFC 2617 3.2.2: the response first, so that only who knows the password learns about nonces. */
static Verdict judge(ConnectionRequest *request, usec_t now, const ConnectionRequestQuery *query) {
    AuthFields fields;
    DigestAlgorithm algorithm;
    char expected[DIGEST_HEX_MAX];
    uint64_t issued;
    uint32_t number, count;

    if (!query->authorization || !request->password[0] ||
        auth_parse(query->authorization, query->authorization_size, 0, &fields) < 0 ||
        auth_digest_algorithm(&fields, &algorithm) < 0)
        return VERDICT_BAD;
    if (!fields.username || !fields.realm || !fields.nonce || !fields.uri || !fields.response ||
        !streq(fields.realm, CONNECTION_REQUEST_REALM) || !target_matches(request, fields.uri) ||
        !count_read(&fields, &count))
        return VERDICT_BAD;
    for (char *c = (char *)fields.response; *c; c++)
        if (*c >= 'A' && *c <= 'F')
            *c = (char)(*c - 'A' + 'a');
    const DigestInput input = {
        .algorithm = algorithm,
        .username = request->username,
        .realm = CONNECTION_REQUEST_REALM,
        .password = request->password,
        .method = query->method,
        .uri = fields.uri,
        .nonce = fields.nonce,
        .nc = fields.nc,
        .cnonce = fields.cnonce,
        .qop = fields.qop,
    };
    if (digest_response(&input, expected) < 0 || !digest_equal(expected, fields.response) ||
        !digest_equal(request->username, fields.username))
        return VERDICT_BAD;
    return nonce_read(request, now, fields.nonce, &issued, &number) &&
                   nonce_use(request, issued, number, count)
               ? VERDICT_GOOD
               : VERDICT_STALE;
}

static int challenge(ConnectionRequest *request, usec_t now, bool stale, ConnectionRequestAnswer *ret) {
    char nonce[NONCE_BYTES];

    int r = nonce_write(request, now, ++request->number, nonce);
    if (r < 0)
        return r;
    ret->status = 401;
    ret->header = "WWW-Authenticate";
    snprintf(ret->value, sizeof ret->value,
             "Digest realm=\"" CONNECTION_REQUEST_REALM "\", qop=\"auth\", nonce=\"%s\", algorithm=MD5%s",
             nonce, stale ? ", stale=true" : "");
    return 0;
}

/* Answers --------------------------------------------------------------------------------------------- */

/* The time until another one may come; 0: now. */
static usec_t wait_of(ConnectionRequest *request, usec_t now) {
    size_t old = 0;

    while (old < request->n_accepted && now - request->accepted[old] >= CONNECTION_REQUEST_PERIOD)
        old++;
    request->n_accepted -= old;
    memmove(request->accepted, request->accepted + old, request->n_accepted * sizeof request->accepted[0]);
    return request->n_accepted < CONNECTION_REQUEST_MAX
               ? 0
               : request->accepted[0] + CONNECTION_REQUEST_PERIOD - now;
}

int connection_request_answer(ConnectionRequest *request, usec_t now, const ConnectionRequestQuery *query,
                              ConnectionRequestAnswer *ret) {
    *ret = (ConnectionRequestAnswer){.status = 404};
    if (!target_matches(request, query->target))
        return 0;
    if (!streq(query->method, "GET")) {
        ret->status = 405;
        ret->header = "Allow";
        strcpy(ret->value, "GET");
        return 0;
    }
    Verdict verdict = judge(request, now, query);
    if (verdict != VERDICT_GOOD)
        return challenge(request, now, verdict == VERDICT_STALE, ret);
    usec_t wait = wait_of(request, now);
    if (wait > 0) { /* TR-069 3.2.2.1: more than the device has set itself as a limit */
        ret->status = 503;
        ret->header = "Retry-After";
        snprintf(ret->value, sizeof ret->value, "%" PRIu64, (wait + USEC_PER_SEC - 1) / USEC_PER_SEC);
        return 0;
    }
    request->accepted[request->n_accepted++] = now;
    ret->status = 200;
    ret->start = true;
    return 0;
}

const char *connection_request_url(const Endpoint *at, const char *path, char ret[static URL_MAX_BYTES]) {
    snprintf(ret, URL_MAX_BYTES, "http://%s/%s", ENDPOINT_STR(at), path);
    return ret;
}
