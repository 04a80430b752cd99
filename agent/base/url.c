/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See url.h. */
#include "base/url.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>

#include "base/address.h"
#include "base/macro.h"

#define LABEL_MAX       63
#define NAME_MAX_LENGTH 253

bool host_name_is_valid(const char *name) {
    size_t length = strlen(name), label = 0;
    bool letters = false;

    if (length > 0 && name[length - 1] == '.')
        length--;
    if (length == 0 || length > NAME_MAX_LENGTH)
        return false;
    for (size_t i = 0; i <= length; i++) {
        bool end = i == length || name[i] == '.';
        if (end && (label == 0 || label > LABEL_MAX || name[i - 1] == '-'))
            return false;
        if (end) {
            label = 0;
            continue;
        }
        if (!isascii(name[i]) || (!isalnum(name[i]) && name[i] != '-' && name[i] != '_') ||
            (name[i] == '-' && label == 0))
            return false;
        letters |= !isdigit(name[i]);
        label++;
    }
    return letters; /* digits and dots alone are a broken address */
}

/* The port after a colon, or the default for "". -EINVAL. */
static int port_parse(const char *s, size_t length, uint16_t otherwise, uint16_t *ret) {
    unsigned long port = 0;

    if (length == 0) {
        *ret = otherwise;
        return 0;
    }
    for (size_t i = 0; i < length; i++) {
        if (!isascii(s[i]) || !isdigit(s[i]) || port > UINT16_MAX)
            return -EINVAL;
        port = port * 10 + (unsigned long)(s[i] - '0');
    }
    if (port == 0 || port > UINT16_MAX)
        return -EINVAL;
    *ret = (uint16_t)port;
    return 0;
}

int url_parse(const char *url, Url *ret) {
    static const struct {
        const char *scheme;
        bool tls;
        uint16_t port;
    } schemes[] = {{"http://", false, 80}, {"https://", true, 443}};
    const char *p = NULL;
    Url u = {};

    for (size_t i = 0; i < ARRAY_SIZE(schemes) && !p; i++)
        if (strncasecmp(url, schemes[i].scheme, strlen(schemes[i].scheme)) == 0) {
            u.tls = schemes[i].tls;
            u.port = schemes[i].port;
            p = url + strlen(schemes[i].scheme);
        }
    if (!p)
        return -EPROTONOSUPPORT;
    for (const char *c = url; *c; c++)
        if ((unsigned char)*c <= ' ' || (unsigned char)*c >= 0x7f || strchr("\"<>\\^`{|}", *c))
            return -EINVAL;

    size_t authority = strcspn(p, "/?#"), host;
    if (memchr(p, '@', authority))
        return -EINVAL;
    bool bracketed = p[0] == '[';
    if (bracketed) {
        const char *close = memchr(p, ']', authority);
        if (!close)
            return -EINVAL;
        host = (size_t)(close - ++p);
        authority--;
    } else {
        const char *colon = memchr(p, ':', authority);
        host = colon ? (size_t)(colon - p) : authority;
    }
    if (host == 0 || host >= sizeof u.host)
        return -EINVAL;
    memcpy(u.host, p, host);
    Address address;
    bool literal = address_parse(u.host, &address) == 0;
    if (bracketed ? !literal || address.family != AF_INET6 : !literal && !host_name_is_valid(u.host))
        return -EINVAL;

    const char *rest = p + host + bracketed, *end = p + authority;
    if (rest < end) {
        if (*rest != ':')
            return -EINVAL;
        if (port_parse(rest + 1, (size_t)(end - rest - 1), u.port, &u.port) < 0)
            return -EINVAL;
    }
    *ret = u;
    return 0;
}
