/* SPDX-License-Identifier: GPL-3.0-or-later */
/* HTTP authentication headers, and connection requests with them: method, target and Authorization are lines.
 */
#include <string.h>

#include "base/macro.h"
#include "cwmp/connection-request.h"
#include "fuzz.h"

#define PATH "p"

static void fill(void *userdata, void *ret, size_t size) {
    memset(ret, 0x5a, size);
}

/* Who knows the password gets in with each new nonce once, up to the limit. */
static void good_check(ConnectionRequest *request, char *method, usec_t now) {
    static char line[AUTH_HEADER_MAX];
    static AuthFields f;
    ConnectionRequestAnswer answer;
    ConnectionRequestQuery query = {method, "/" PATH, NULL, 0};

    for (size_t i = 0; i <= CONNECTION_REQUEST_MAX; i++) {
        query.authorization = NULL;
        MUST(connection_request_answer(request, now, &query, &answer) == 0 && answer.status == 401);
        MUST(auth_parse(answer.value, strlen(answer.value), 0, &f) == 0);
        const DigestInput input = {DIGEST_MD5, "u",     f.realm,    "p", method,
                                   "/" PATH,   f.nonce, "00000001", "c", "auth"};
        MUST(digest_authorization(&f, &input, line) == 0);
        query.authorization = line;
        query.authorization_size = strlen(line);
        MUST(connection_request_answer(request, now, &query, &answer) == 0);
        MUST(answer.status == (i < CONNECTION_REQUEST_MAX ? 200 : 503));
        MUST(connection_request_answer(request, now, &query, &answer) == 0 && answer.status == 401);
    }
}

/* Nothing points elsewhere than into the text, and each ends in it. */
static void field_check(const AuthFields *f, const char *field) {
    if (field)
        MUST(field >= f->text && field + strlen(field) < f->text + sizeof f->text);
}

static void header_check(const char *data, size_t size) {
    static AuthFields f;
    static char line[AUTH_HEADER_MAX];
    DigestAlgorithm algorithm;

    for (size_t n = 0; n < 4; n++) {
        int r = auth_parse(data, size, n, &f);
        MUST(r == 0 || r == -ENOENT || r == -EBADMSG);
        if (r < 0)
            break;
        const char *const fields[] = {f.scheme, f.realm, f.nonce, f.opaque,   f.qop,    f.algorithm,
                                      f.stale,  f.uri,   f.nc,    f.username, f.cnonce, f.response};
        for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
            field_check(&f, fields[i]);
        (void)auth_qop_fits(f.qop);
        (void)auth_is_stale(&f);
        if (auth_is_basic(&f))
            (void)basic_authorization(strempty(f.realm), strempty(f.nonce), line);
        if (auth_digest_algorithm(&f, &algorithm) < 0 || !f.realm || !f.nonce)
            continue;
        const DigestInput input = {
            algorithm, strempty(f.username), f.realm, "word", "POST", "/", f.nonce, "00000001",
            "c",       f.qop ? "auth" : NULL};
        r = digest_authorization(&f, &input, line);
        MUST(r == 0 || r == -EINVAL || r == -E2BIG);
        MUST(r != 0 || (strlen(line) < sizeof line && !strpbrk(line, "\r\n")));
    }
}

/* Nobody gets in without a nonce that this object has made and no input can hold. */
static void request_check(const char *data, size_t size) {
    static char text[8192];
    const Rng rng = {.fill = fill};
    ConnectionRequest *request;
    ConnectionRequestAnswer answer;
    char url[URL_MAX_BYTES];

    size = MIN(size, sizeof text - 1);
    memcpy(text, data, size);
    text[size] = 0;
    char *rest = text, *method = strsep(&rest, "\n"), *target = strsep(&rest, "\n");
    MUST(connection_request_new(&request, PATH, &rng) == 0);
    MUST(strstr(connection_request_url(&(Endpoint){}, PATH, url), PATH));
    connection_request_set_credentials(request, "u", "p");
    const ConnectionRequestQuery query = {method, strempty(target), rest, rest ? strlen(rest) : 0};
    for (usec_t now = 1; now < 3; now++) {
        MUST(connection_request_answer(request, now, &query, &answer) == 0);
        MUST(!answer.start && (answer.status == 401 || answer.status == 404 || answer.status == 405));
    }
    if (size < 4)
        good_check(request, (char[]){"GET"}, 5);
    connection_request_free(request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    header_check((const char *)data, size);
    request_check((const char *)data, size);
    return 0;
}
