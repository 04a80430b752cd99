/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See value.h. */
#include "cwmp/value.h"

#include <inttypes.h>
#include <stdio.h>
#include <strings.h>

#include "base/address.h"
#include "base/macro.h"
#include "base/url.h"
#include "cwmp/fault.h"

typedef struct Slice {
    const char *s;
    size_t n;
} Slice;

static bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static Slice slice_trim(Slice s) {
    while (s.n > 0 && is_space(s.s[0]))
        s.s++, s.n--;
    while (s.n > 0 && is_space(s.s[s.n - 1]))
        s.n--;
    return s;
}

static size_t count_characters(Slice s) {
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += (s.s[i] & 0xc0) != 0x80;
    return n;
}

size_t value_next_item(const char **list, const char **item) {
    const char *comma = strchr(*list, ',');
    Slice s = slice_trim((Slice){*list, comma ? (size_t)(comma - *list) : strlen(*list)});
    *item = s.s;
    *list = comma ? comma + 1 : NULL;
    return s.n;
}

/* Each check writes the canonical form behind *out* (which has room for the text and a NUL) and returns NULL,
 * or says what the value, or the item of a list, is not. */
typedef const char *(*Check)(const ModelParameter *p, Slice text, char *out);

#define OUT_OF_RANGE "out of range"

static const char *check_size(ModelRange size, Slice text) {
    size_t n = count_characters(text);
    return n < (size_t)size.min || n > (size_t)size.max ? "too long or too short" : NULL;
}

static const char *check_string(const ModelParameter *p, Slice text, char *out) {
    if (p->oui && text.n > 0 &&
        (text.n != 6 || strspn(text.s, "0123456789ABCDEF") < 6)) /* TR-181: six digits, upper case */
        return "not an OUI";
    memcpy(out, text.s, text.n);
    return NULL;
}

static const char *check_hex(const ModelParameter *p, Slice text, char *out) {
    for (size_t i = 0; i < text.n; i++) {
        char c = text.s[i];
        bool small = c >= 'a' && c <= 'f';
        if (!is_digit(c) && !small && !(c >= 'A' && c <= 'F'))
            return "not hexadecimal";
        out[i] = small ? (char)(c - 'a' + 'A') : c;
    }
    if (text.n % 2 > 0 ||
        (p->type != MODEL_LIST && (text.n / 2 < (size_t)p->size.min || text.n / 2 > (size_t)p->size.max)))
        return "too long or too short";
    return NULL;
}

static const char *check_boolean(const ModelParameter *p, Slice text, char *out) {
    static const struct {
        const char *text, *canonical;
    } forms[] = {{"1", "true"}, {"true", "true"}, {"0", "false"}, {"false", "false"}};

    for (size_t i = 0; i < ARRAY_SIZE(forms); i++)
        if (text.n == strlen(forms[i].text) && strncasecmp(text.s, forms[i].text, text.n) == 0) {
            strcpy(out, forms[i].canonical); /* value_canonical() made room for it */
            return NULL;
        }
    return "not a boolean";
}

static bool in_ranges(const ModelParameter *p, bool negative, uint64_t magnitude) {
    bool beyond = magnitude > INT64_MAX;

    if (beyond && (negative || p->item != MODEL_UNSIGNED_LONG))
        return false;
    int64_t v = beyond ? INT64_MAX : (int64_t)magnitude;
    v = negative ? -v : v;
    for (size_t i = 0; i < p->n_ranges; i++)
        if (v >= p->ranges[i].min && v <= p->ranges[i].max)
            return true;
    return false;
}

static const char *check_integer(const ModelParameter *p, Slice text, char *out) {
    bool negative = text.n > 0 && text.s[0] == '-';
    uint64_t v = 0;

    if (text.n > 0 && (negative || text.s[0] == '+'))
        text.s++, text.n--;
    if (text.n == 0)
        return "not a number";
    for (size_t i = 0; i < text.n; i++)
        if (!is_digit(text.s[i]))
            return "not a number";
    for (size_t i = 0; i < text.n; i++)
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, (uint64_t)(text.s[i] - '0'), &v))
            return OUT_OF_RANGE;
    if (!in_ranges(p, negative, v))
        return OUT_OF_RANGE;
    sprintf(out, "%s%" PRIu64, negative && v > 0 ? "-" : "", v); /* never longer than what was read */
    return NULL;
}

static const char *check_date_time(const ModelParameter *p, Slice text, char *out) {
    memcpy(out, text.s, text.n);
    out[text.n] = 0;
    return value_parse_time(out, &(int64_t){0}) < 0 ? "not a dateTime" : NULL;
}

static const char *check_enumeration(const ModelParameter *p, Slice text, char *out) {
    for (const char *v = p->values, *bar; v; v = bar ? bar + 1 : NULL) {
        bar = strchr(v, '|');
        if (text.n == (bar ? (size_t)(bar - v) : strlen(v)) && memcmp(v, text.s, text.n) == 0) {
            memcpy(out, text.s, text.n);
            return NULL;
        }
    }
    return "not one of the values of this enumeration";
}

static const char *check_address(const ModelParameter *p, Slice text, char *out) {
    Address address;

    memcpy(out, text.s, text.n);
    out[text.n] = 0;
    if (text.n == 0 && p->type != MODEL_LIST)
        return NULL;
    if (address_parse(out, &address) < 0)
        return "not an address";
    return (p->item == MODEL_IPV4 && address.family != AF_INET) ||
                   (p->item == MODEL_IPV6 && address.family != AF_INET6)
               ? "an address of the other family"
               : NULL;
}

static const char *check_host(const ModelParameter *p, Slice text, char *out) {
    char host[HOST_MAX_BYTES] = "";

    memcpy(out, text.s, text.n);
    if (text.n == 0 && p->type == MODEL_HOST)
        return NULL;
    if (text.n < sizeof host)
        memcpy(host, text.s, text.n);
    return host_is_valid(host) ? NULL : "not a host name or address";
}

static const char *check_url(const ModelParameter *p, Slice text, char *out) {
    const char *wrong = NULL;
    Url url;

    memcpy(out, text.s, text.n);
    out[text.n] = 0;
    if (text.n > 0)
        url_parse(out, &url, &wrong);
    return wrong;
}

static const struct {
    Check check;
    bool keep_space; /* white space around a value means something (XML Schema part 2, 4.3.6) */
    bool sized;
} checks[MODEL_TYPES_] = {
    [MODEL_STRING] = {check_string, true, true},
    [MODEL_HEX_BINARY] = {check_hex},
    [MODEL_BOOLEAN] = {check_boolean},
    [MODEL_INT] = {check_integer},
    [MODEL_UNSIGNED_INT] = {check_integer},
    [MODEL_UNSIGNED_LONG] = {check_integer},
    [MODEL_DATE_TIME] = {check_date_time},
    [MODEL_ENUMERATION] = {check_enumeration},
    [MODEL_ADDRESS] = {check_address},
    [MODEL_IPV4] = {check_address},
    [MODEL_IPV6] = {check_address},
    [MODEL_HOST] = {check_host, false, true},
    [MODEL_HOSTS] = {check_host},
    [MODEL_URL] = {check_url, false, true},
};

static_assert(MME_MAX == 16, "the number in check_items()'s text");
/* A list: items without white space between them. */
static const char *check_items(const ModelParameter *p, Slice text, char *out) {
    const char *list = text.n > 0 ? text.s : NULL, *item;
    char *start = out;
    size_t n = 0;

    while (list && list <= text.s + text.n) {
        size_t size = value_next_item(&list, &item);
        if (p->type == MODEL_HOSTS && ++n > MME_MAX)
            return "more than 16 entries";
        if (out > start)
            *out++ = ',';
        const char *wrong = checks[p->item].check(p, (Slice){item, size}, out);
        if (wrong)
            return wrong;
        /* Where the check has put a NUL there is its end; elsewhere it took the item as it is. */
        out += checks[p->item].check == check_integer || checks[p->item].check == check_boolean ? strlen(out)
                                                                                                : size;
        *out = 0;
    }
    return check_size(p->size, (Slice){start, (size_t)(out - start)}) ? "too long or too short" : NULL;
}

static void explain(const ModelParameter *p, bool item, const char *wrong, char why[static VALUE_WHY_MAX]) {
    size_t n = (size_t)snprintf(why, VALUE_WHY_MAX, "%s%s", item ? "an entry is " : "", wrong);

    if (streq(wrong, OUT_OF_RANGE))
        for (size_t i = 0; i < p->n_ranges && n < VALUE_WHY_MAX - 48; i++)
            n += (size_t)snprintf(why + n, VALUE_WHY_MAX - n, "%s%" PRId64 "..%" PRId64 "%s", i ? ", " : " (",
                                  p->ranges[i].min, p->ranges[i].max, i + 1 == p->n_ranges ? ")" : "");
}

int value_canonical(const ModelParameter *parameter, const char *text, char **ret,
                    char why[static VALUE_WHY_MAX]) {
    bool list = parameter->type == MODEL_LIST || parameter->type == MODEL_HOSTS;
    Slice s = {text, strlen(text)};
    char *out = calloc(1, s.n + sizeof "false");

    if (!out)
        return -ENOMEM;
    size_t room = s.n;
    if (list || !checks[parameter->type].keep_space)
        s = slice_trim(s);
    const char *wrong = list                            ? check_items(parameter, s, out)
                        : checks[parameter->type].sized ? check_size(parameter->size, s)
                                                        : NULL;
    if (!wrong && !list)
        wrong = checks[parameter->type].check(parameter, s, out);
    if (wrong) {
        explain(parameter, list && strncmp(wrong, "not", 3) == 0, wrong, why);
        explicit_bzero(out, room);
        free(out);
        return FAULT_INVALID_VALUE;
    }
    *ret = out;
    return 0;
}

/* Days since 1970-01-01 in the proleptic Gregorian calendar: years begin in March, so that the leap day is
 * the last one. */
static int64_t days_of_date(int64_t year, unsigned month, unsigned day) {
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

static unsigned days_of_month(unsigned year, unsigned month) {
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

/* Exactly *n* digits at *s*, which moves on. */
static bool parse_digits(const char **s, unsigned n, unsigned *ret) {
    unsigned v = 0;
    for (; n > 0; n--, (*s)++) {
        if (!is_digit(**s))
            return false;
        v = v * 10 + (unsigned)(**s - '0');
    }
    *ret = v;
    return true;
}

static bool parse_char(const char **s, char c) {
    return **s == c && (*s)++;
}

/* Z, +hh:mm, -hh:mm or nothing, to the end of the string; *ret* in seconds. */
static bool parse_zone(const char *s, int64_t *ret) {
    unsigned hours = 0, minutes = 0;
    char sign = *s;

    if (sign == '+' || sign == '-') {
        s++;
        if (!parse_digits(&s, 2, &hours) || !parse_char(&s, ':') || !parse_digits(&s, 2, &minutes) ||
            hours > 14 || minutes > 59)
            return false;
    } else {
        (void)parse_char(&s, 'Z');
    }
    int64_t seconds = hours * 3600 + minutes * 60;
    *ret = sign == '-' ? -seconds : seconds;
    return !*s;
}

int value_parse_time(const char *text, int64_t *ret) {
    unsigned year, month, day, hour, minute, second;
    const char *s = text;
    int64_t zone;

    if (!parse_digits(&s, 4, &year) || !parse_char(&s, '-') || !parse_digits(&s, 2, &month) ||
        !parse_char(&s, '-') || !parse_digits(&s, 2, &day) || !parse_char(&s, 'T') ||
        !parse_digits(&s, 2, &hour) || !parse_char(&s, ':') || !parse_digits(&s, 2, &minute) ||
        !parse_char(&s, ':') || !parse_digits(&s, 2, &second))
        return -EINVAL;
    if (parse_char(&s, '.')) {
        size_t digits = strspn(s, "0123456789");
        if (digits == 0)
            return -EINVAL;
        s += digits;
    }
    if (!parse_zone(s, &zone) || year < 1 || month < 1 || month > 12 || day < 1 ||
        day > days_of_month(year, month) || hour > 23 || minute > 59 || second > 59)
        return -EINVAL;
    *ret = days_of_date(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - zone;
    return 0;
}

const char *value_format_time(int64_t seconds, char buf[static VALUE_TIME_MAX]) {
    int64_t days = seconds / 86400 - (seconds % 86400 < 0), of_day = seconds - days * 86400;
    unsigned year = 1970, month = 1;

    while (days_of_date(year + 1, 1, 1) <= days)
        year++;
    while (month < 12 && days_of_date(year, month + 1, 1) <= days)
        month++;
    snprintf(buf, VALUE_TIME_MAX, "%04u-%02u-%02uT%02u:%02u:%02uZ", year, month,
             (unsigned)(days - days_of_date(year, month, 1)) + 1, (unsigned)(of_day / 3600),
             (unsigned)(of_day / 60 % 60), (unsigned)(of_day % 60));
    return buf;
}
