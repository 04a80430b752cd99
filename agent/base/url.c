/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See url.h. */
#include "base/url.h"

#include <strings.h>

#include "base/address.h"
#include "base/macro.h"

#define NAME_LENGTH_MAX  253 /* RFC 1035 2.3.4: 255 octets on the wire */
#define LABEL_LENGTH_MAX 63

static const struct {
    const char *prefix;
    bool tls;
    uint16_t port;
} schemes[] = {{"http://", false, 80}, {"https://", true, 443}};

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool name_is_valid(const char *name) {
    const size_t length = strlen(name);
    size_t label = 0, digits = 0;

    if (length == 0 || length > NAME_LENGTH_MAX)
        return false;
    for (size_t i = 0; i < length; i++) {
        if (name[i] == '.') {
            if (label == 0 || name[i - 1] == '-')
                return false;
            label = digits = 0;
            continue;
        }
        if (!is_letter(name[i]) && !is_digit(name[i]) && !(name[i] == '-' && label > 0))
            return false;
        if (++label > LABEL_LENGTH_MAX)
            return false;
        digits += is_digit(name[i]);
    }
    return label > 0 && name[length - 1] != '-' && digits < label;
}

bool host_is_valid(const char *host) {
    Address address;

    return address_parse(host, &address) == 0 ? address_is_unicast(&address) : name_is_valid(host);
}

/* The port to the end of the authority; 0 if it is none. */
static uint16_t port_parse(const char *s, const char *end) {
    unsigned port = 0;

    for (; s < end; s++) {
        if (!is_digit(*s) || port > UINT16_MAX)
            return 0;
        port = port * 10 + (unsigned)(*s - '0');
    }
    return port <= UINT16_MAX ? (uint16_t)port : 0;
}

/* RFC 3986 3.2 without userinfo. NULL, or what is wrong. */
static const char *authority_parse(Url *u) {
    static const char bad_host[] = "the host of the URL is not a name or address";
    const char *host = u->authority, *end = NULL;
    const bool brackets = *host == '[';

    if (memchr(host, '@', (size_t)(u->path - host)))
        return "a user name or password in the URL";
    if (brackets)
        host++;
    end = memchr(host, brackets ? ']' : ':', (size_t)(u->path - host));
    if (!end && !brackets)
        end = u->path;
    if (!end || (size_t)(end - host) >= sizeof u->host)
        return bad_host;
    memcpy(u->host, host, (size_t)(end - host));

    const char *rest = end + brackets;
    if (rest < u->path) {
        if (*rest != ':')
            return bad_host;
        u->port = port_parse(rest + 1, u->path);
        if (u->port == 0)
            return "the port of the URL is not a number from 1 to 65535";
    }
    return host_is_valid(u->host) && brackets == !!strchr(u->host, ':') ? NULL : bad_host;
}

static int refuse(const char **why, const char *words, int error) {
    if (why)
        *why = words;
    return error;
}

int url_parse(const char *url, Url *ret, const char **why) {
    Url u = {};

    for (size_t i = 0; i < ARRAY_SIZE(schemes); i++)
        if (strncasecmp(url, schemes[i].prefix, strlen(schemes[i].prefix)) == 0)
            u = (Url){
                .tls = schemes[i].tls, .port = schemes[i].port, .authority = url + strlen(schemes[i].prefix)};
    if (!u.authority)
        return strstr(url, "://") ? refuse(why, "a URL that is neither http: nor https:", -EPROTONOSUPPORT)
                                  : refuse(why, "not a URL", -EINVAL);
    if (strlen(url) >= URL_MAX_BYTES)
        return refuse(why, "too long", -EINVAL);
    for (const char *c = url; *c; c++)
        if (*c <= ' ' || *c >= 0x7f || strchr("\"#<>\\^`{|}", *c))
            return refuse(why, "the URL holds a character that has no place in one", -EINVAL);
    u.path = u.authority + strcspn(u.authority, "/?");
    const char *wrong = authority_parse(&u);
    if (wrong)
        return refuse(why, wrong, -EINVAL);
    *ret = u;
    return 0;
}
