/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See operator.h. */
#include "base/operator.h"

#include <stdio.h>
#include <strings.h>

#include "base/address.h"
#include "base/macro.h"

static const char line_operator[] = "operator ", line_suffix[] = "suffix ";

/* The one spelling of a host. False: it is none. */
static bool host_normalize(const char *host, char ret[static HOST_MAX_BYTES]) {
    size_t n = strlen(host);
    Address a;

    if (n > 0 && host[n - 1] == '.')
        n--;
    if (n >= HOST_MAX_BYTES)
        return false;
    memcpy(ret, host, n);
    ret[n] = 0;
    if (!host_is_valid(ret))
        return false;
    if (address_parse(ret, &a) < 0) {
        for (char *c = ret; *c; c++)
            if (*c >= 'A' && *c <= 'Z')
                *c = (char)(*c - 'A' + 'a');
        return true;
    }
    if (a.family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&a.in6))
        a = address_from_bytes(AF_INET, a.bytes + 12);
    memcpy(ret, ADDRESS_STR(&a), ADDRESS_STR_MAX);
    return true;
}

/* Of a host in its one spelling. */
static const char *host_suffix(const char *host) {
    const char *dot = strchr(host, '.');

    return !address_is_literal(host) && dot && strchr(dot + 1, '.') ? dot + 1 : host;
}

static bool suffix_holds(const char *suffix, const char *host) {
    const size_t n = strlen(host), m = strlen(suffix);

    if (streq(host, suffix))
        return true;
    return n > m && host[n - m - 1] == '.' && streq(host + n - m, suffix) && !address_is_literal(suffix);
}

void operator_name(const char *configured, const char *hems_host, char ret[static OPERATOR_NAME_MAX_BYTES]) {
    char host[HOST_MAX_BYTES];

    ret[0] = 0;
    if (configured && *configured) {
        snprintf(ret, OPERATOR_NAME_MAX_BYTES, "%s", configured);
        return;
    }
    if (!hems_host || !host_normalize(hems_host, host))
        return;
    const char *name = host_suffix(host);
    while (strlen(name) >= OPERATOR_NAME_MAX_BYTES)
        name = strchr(name, '.') + 1; /* a label has 63 at most */
    snprintf(ret, OPERATOR_NAME_MAX_BYTES, "%s", name);
}

int operator_mark_add_host(OperatorMark *mark, const char *host) {
    char own[HOST_MAX_BYTES];
    size_t left = 0;

    if (!host_normalize(host, own))
        return -EINVAL;
    const char *suffix = host_suffix(own);
    for (size_t i = 0; i < mark->n; i++)
        if (suffix_holds(mark->suffixes[i], suffix))
            return 0;
    /* What the new one holds as well makes room. */
    for (size_t i = 0; i < mark->n; i++)
        if (!suffix_holds(suffix, mark->suffixes[i])) {
            if (left != i)
                memcpy(mark->suffixes[left], mark->suffixes[i], HOST_MAX_BYTES);
            left++;
        }
    mark->n = left;
    if (left == OPERATOR_SUFFIXES_MAX)
        return -ENOSPC;
    snprintf(mark->suffixes[mark->n++], HOST_MAX_BYTES, "%s", suffix);
    return 0;
}

bool operator_mark_bars_name(const OperatorMark *mark, const char *name) {
    return mark->name[0] && strcasecmp(mark->name, name) == 0;
}

bool operator_mark_bars_host(const OperatorMark *mark, const char *host) {
    char own[HOST_MAX_BYTES];

    if (!host_normalize(host, own))
        return false;
    for (size_t i = 0; i < mark->n; i++)
        if (suffix_holds(mark->suffixes[i], own))
            return true;
    return false;
}

int operator_mark_format(const OperatorMark *mark, char *ret, size_t size) {
    size_t used = 0;

    if (size > 0)
        ret[0] = 0;
    for (size_t i = 0; i <= mark->n; i++) {
        const char *value = i == 0 ? mark->name : mark->suffixes[i - 1];
        int n = snprintf(ret + used, size - used, "%s%s\n", i == 0 ? line_operator : line_suffix, value);
        if (n < 0 || (size_t)n >= size - used)
            return -ENOBUFS;
        used += (size_t)n;
    }
    return 0;
}

static bool starts_with(const char *line, size_t length, const char *word) {
    return length >= strlen(word) && memcmp(line, word, strlen(word)) == 0;
}

/* One line of *length* bytes. */
static bool line_parse(const char *line, size_t length, OperatorMark *mark) {
    char *to = mark->name, own[HOST_MAX_BYTES];
    size_t word = strlen(line_operator), size = sizeof mark->name;

    if (starts_with(line, length, line_suffix)) {
        if (mark->n == OPERATOR_SUFFIXES_MAX)
            return false;
        to = mark->suffixes[mark->n++];
        word = strlen(line_suffix);
        size = sizeof mark->suffixes[0];
    } else if (!starts_with(line, length, line_operator))
        return true;
    if (length - word >= size)
        return false;
    memcpy(to, line + word, length - word);
    to[length - word] = 0;
    return to == mark->name || (host_normalize(to, own) && streq(to, own));
}

int operator_mark_parse(const char *text, OperatorMark *ret) {
    OperatorMark mark = {};
    bool named = false;

    while (*text) {
        const char *end = strchr(text, '\n');
        if (!end)
            return -EBADMSG; /* cut short */
        const size_t length = (size_t)(end - text);
        const bool name = starts_with(text, length, line_operator);
        if ((name && named) || !line_parse(text, length, &mark))
            return -EBADMSG;
        named |= name;
        text = end + 1;
    }
    if (!named)
        return -EBADMSG;
    *ret = mark;
    return 0;
}
