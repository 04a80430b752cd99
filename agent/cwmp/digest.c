/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See digest.h. */
#include "cwmp/digest.h"

#include <stdio.h>
#include <strings.h>

#include "base/macro.h"

static const struct {
    const char *name;
    size_t offset;
} parameters[] = {
    {"realm", offsetof(AuthFields, realm)},         {"nonce", offsetof(AuthFields, nonce)},
    {"opaque", offsetof(AuthFields, opaque)},       {"qop", offsetof(AuthFields, qop)},
    {"algorithm", offsetof(AuthFields, algorithm)}, {"stale", offsetof(AuthFields, stale)},
    {"username", offsetof(AuthFields, username)},   {"uri", offsetof(AuthFields, uri)},
    {"cnonce", offsetof(AuthFields, cnonce)},       {"nc", offsetof(AuthFields, nc)},
    {"response", offsetof(AuthFields, response)},
};

static const char *const algorithms[DIGEST_ALGORITHMS_] = {
    [DIGEST_MD5] = "MD5",
    [DIGEST_SHA_256] = "SHA-256",
};

/* Reading --------------------------------------------------------------------------------------------- */

/* Reads *at* up to *end* and leaves words, each with a NUL behind it, at *out*: never more than was read, but
 * for the last NUL. */
typedef struct Scan {
    const char *at, *end;
    char *out;
} Scan;

typedef struct Element {
    const char *name;
    const char *value; /* NULL: the name of a scheme */
} Element;

static bool is_space(char c) {
    return c == ' ' || c == '\t';
}

/* RFC 9110 5.6.2, and what a token68 or a URI without quotes has besides. */
static bool is_word(char c) {
    return (unsigned char)c > ' ' && c != 0x7f && c != '"' && c != ',' && c != '=';
}

static bool is_value(char c) {
    return is_word(c) || c == '=';
}

static void skip(Scan *s, bool commas) {
    while (s->at < s->end && (is_space(*s->at) || (commas && *s->at == ',')))
        s->at++;
}

static const char *word(Scan *s, bool (*belongs)(char)) {
    const char *start = s->out;

    while (s->at < s->end && belongs(*s->at))
        *s->out++ = *s->at++;
    *s->out++ = 0;
    return start;
}

/* A quoted-string; NULL: it does not end, or holds a control character. */
static const char *quoted(Scan *s) {
    const char *start = s->out;

    for (s->at++; s->at < s->end && *s->at != '"'; s->at++) {
        if (*s->at == '\\' && ++s->at == s->end)
            return NULL;
        if (((unsigned char)*s->at < ' ' && *s->at != '\t') || *s->at == 0x7f)
            return NULL;
        *s->out++ = *s->at;
    }
    if (s->at == s->end)
        return NULL;
    s->at++;
    *s->out++ = 0;
    return start;
}

/* 1: *ret* is the next one; 0: the end; -EBADMSG. */
static int element_next(Scan *s, Element *ret) {
    skip(s, true);
    if (s->at == s->end)
        return 0;
    if (!is_word(*s->at))
        return -EBADMSG;
    *ret = (Element){.name = word(s, is_word)};
    const char *behind = s->at;
    skip(s, false);
    if (s->at == s->end || *s->at != '=') {
        s->at = behind;
        return 1;
    }
    s->at++;
    skip(s, false);
    ret->value = s->at < s->end && *s->at == '"' ? quoted(s) : word(s, is_value);
    return ret->value ? 1 : -EBADMSG;
}

/* False: it is there already. */
static bool parameter_put(AuthFields *fields, const Element *element) {
    for (size_t i = 0; i < ARRAY_SIZE(parameters); i++) {
        const char **field = (const char **)((char *)fields + parameters[i].offset);
        if (strcasecmp(element->name, parameters[i].name) != 0)
            continue;
        if (*field)
            return false;
        *field = element->value;
        return true;
    }
    return true;
}

static void fields_clear(AuthFields *fields) {
    fields->scheme = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(parameters); i++)
        *(const char **)((char *)fields + parameters[i].offset) = NULL;
}

int auth_parse(const char *value, size_t size, size_t n, AuthFields *ret) {
    Scan s = {value, value + size, ret->text};
    Element element;
    size_t schemes = 0;
    int r;

    fields_clear(ret);
    if (size > AUTH_HEADER_MAX)
        return -EBADMSG;
    for (size_t i = 0; (r = element_next(&s, &element)) > 0; i++) {
        if (i == AUTH_ELEMENTS_MAX || (!element.value && element.name[0] == 0))
            return -EBADMSG;
        if (!element.value) {
            if (schemes++ == n)
                ret->scheme = element.name;
        } else if (schemes == 0 || (schemes == n + 1 && !parameter_put(ret, &element)))
            return -EBADMSG;
    }
    if (r < 0)
        return r;
    return ret->scheme ? 0 : -ENOENT;
}

int auth_digest_algorithm(const AuthFields *fields, DigestAlgorithm *ret) {
    if (strcasecmp(fields->scheme, "Digest") != 0)
        return -ENOENT;
    for (size_t i = 0; i < ARRAY_SIZE(algorithms); i++)
        if (strcasecmp(fields->algorithm ?: algorithms[DIGEST_MD5], algorithms[i]) == 0) {
            *ret = (DigestAlgorithm)i;
            return 0;
        }
    return -ENOENT;
}

bool auth_is_basic(const AuthFields *fields) {
    return strcasecmp(fields->scheme, "Basic") == 0;
}

bool auth_qop_fits(const char *qop) {
    if (!qop)
        return true;
    while (*qop) {
        qop += strspn(qop, " \t,");
        size_t length = strcspn(qop, " \t,");
        if (length == strlen("auth") && strncasecmp(qop, "auth", length) == 0)
            return true;
        qop += length;
    }
    return false;
}

bool auth_is_stale(const AuthFields *fields) {
    return fields->stale && strcasecmp(fields->stale, "true") == 0;
}

/* Computing ------------------------------------------------------------------------------------------- */

/* H(a ":" b ":" ...). */
static int hash_joined(DigestAlgorithm algorithm, const char *const *texts, size_t n,
                       char ret[static DIGEST_HEX_MAX]) {
    struct iovec parts[2 * 6];
    size_t k = 0;

    assert(n <= 6);
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            parts[k++] = (struct iovec){(void *)":", 1};
        parts[k++] = (struct iovec){(void *)texts[i], strlen(texts[i])};
    }
    return digest_hash(algorithm, parts, k, ret);
}

int digest_response(const DigestInput *in, char ret[static DIGEST_HEX_MAX]) {
    char a1[DIGEST_HEX_MAX], a2[DIGEST_HEX_MAX];
    const char *const who[] = {in->username, in->realm, in->password}, *const what[] = {in->method, in->uri};

    int r = hash_joined(in->algorithm, who, ARRAY_SIZE(who), a1);
    if (r == 0)
        r = hash_joined(in->algorithm, what, ARRAY_SIZE(what), a2);
    if (r == 0 && in->qop) {
        const char *const all[] = {a1, in->nonce, in->nc, in->cnonce, in->qop, a2};
        r = hash_joined(in->algorithm, all, ARRAY_SIZE(all), ret);
    } else if (r == 0) {
        const char *const all[] = {a1, in->nonce, a2};
        r = hash_joined(in->algorithm, all, ARRAY_SIZE(all), ret);
    }
    explicit_bzero(a1, sizeof a1);
    return r;
}

/* Writing --------------------------------------------------------------------------------------------- */

typedef struct Line {
    char *text;
    size_t size, length;
    int error;
} Line;

static void put(Line *l, const char *text, size_t length) {
    if (length >= l->size - l->length)
        l->error = -E2BIG;
    if (l->error)
        return;
    memcpy(l->text + l->length, text, length);
    l->length += length;
    l->text[l->length] = 0;
}

static void put_text(Line *l, const char *text) {
    put(l, text, strlen(text));
}

static void put_quoted(Line *l, const char *name, const char *value) {
    put_text(l, name);
    put_text(l, "=\"");
    for (; *value; value++) {
        if ((unsigned char)*value < ' ' || *value == 0x7f)
            l->error = -EINVAL;
        if (*value == '"' || *value == '\\')
            put(l, "\\", 1);
        put(l, value, 1);
    }
    put(l, "\"", 1);
}

int digest_authorization(const AuthFields *challenge, const DigestInput *in,
                         char ret[static AUTH_HEADER_MAX]) {
    Line l = {.text = ret, .size = AUTH_HEADER_MAX};
    char response[DIGEST_HEX_MAX];

    int r = digest_response(in, response);
    if (r < 0)
        return r;
    put_quoted(&l, "Digest username", in->username);
    put_quoted(&l, ", realm", in->realm);
    put_quoted(&l, ", nonce", in->nonce);
    put_quoted(&l, ", uri", in->uri);
    put_quoted(&l, ", response", response);
    if (challenge->algorithm) {
        put_text(&l, ", algorithm=");
        put_text(&l, algorithms[in->algorithm]);
    }
    if (challenge->opaque)
        put_quoted(&l, ", opaque", challenge->opaque);
    if (in->qop) { /* RFC 7616 3.4: qop and nc without quotes */
        put_text(&l, ", qop=");
        put_text(&l, in->qop);
        put_text(&l, ", nc=");
        put_text(&l, in->nc);
        put_quoted(&l, ", cnonce", in->cnonce);
    }
    return l.error;
}

int basic_authorization(const char *username, const char *password, char ret[static AUTH_HEADER_MAX]) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char plain[AUTH_HEADER_MAX / 2];
    Line in = {.text = plain, .size = sizeof plain}, out = {.text = ret, .size = AUTH_HEADER_MAX};

    put_text(&in, username);
    put(&in, ":", 1);
    put_text(&in, password);
    for (size_t i = 0; i < in.length; i++)
        if ((unsigned char)plain[i] < ' ' || plain[i] == 0x7f)
            in.error = -EINVAL;
    if (strchr(username, ':'))
        in.error = -EINVAL;
    put_text(&out, "Basic ");
    for (size_t i = 0; i < in.length && in.error == 0; i += 3) {
        size_t n = MIN(in.length - i, (size_t)3);
        uint32_t bits = 0;
        for (size_t k = 0; k < 3; k++)
            bits = bits << 8 | (k < n ? (uint8_t)plain[i + k] : 0);
        for (size_t k = 0; k < 4; k++)
            put(&out, k <= n ? &digits[bits >> (18 - 6 * k) & 63] : "=", 1);
    }
    explicit_bzero(plain, sizeof plain);
    return in.error ?: out.error;
}

bool digest_equal(const char *a, const char *b) {
    size_t size = strlen(a);
    volatile uint8_t different = 0;

    if (strlen(b) != size)
        return false;
    for (size_t i = 0; i < size; i++)
        different |= (uint8_t)(a[i] ^ b[i]);
    return different == 0;
}
