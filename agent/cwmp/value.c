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
 * or says what the value is not. */
typedef const char *(*Check)(const ModelParameter *p, Slice text, char *out);

static const char *check_string(const ModelParameter *p, Slice text, char *out) {
    size_t n = count_characters(text);
    if (n < (size_t)p->min || n > (size_t)p->max)
        return "too long or too short";
    memcpy(out, text.s, text.n);
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

static const char *check_integer(const ModelParameter *p, Slice text, char *out) {
    bool negative = text.n > 0 && text.s[0] == '-';
    Slice digits = text;
    int64_t v = 0;

    if (text.n > 0 && (negative || text.s[0] == '+'))
        digits.s++, digits.n--;
    if (digits.n == 0)
        return "not a number";
    for (size_t i = 0; i < digits.n; i++) {
        if (!is_digit(digits.s[i]))
            return "not a number";
        v = MIN(v * 10 + (digits.s[i] - '0'), INT64_MAX / 100);
    }
    v = negative ? -v : v;
    if (v < p->min || v > p->max)
        return "out of range";
    sprintf(out, "%" PRId64, v); /* never longer than what was read, but for "0" */
    return NULL;
}

static const char *check_date_time(const ModelParameter *p, Slice text, char *out) {
    memcpy(out, text.s, text.n);
    out[text.n] = 0;
    return value_parse_time(out, &(int64_t){0}) < 0 ? "not a dateTime" : NULL;
}

static bool is_one_of(const char *values, Slice text) {
    for (const char *v = values, *bar; v; v = bar ? bar + 1 : NULL) {
        bar = strchr(v, '|');
        if (text.n == (bar ? (size_t)(bar - v) : strlen(v)) && memcmp(v, text.s, text.n) == 0)
            return true;
    }
    return false;
}

static const char *check_enumeration(const ModelParameter *p, Slice text, char *out) {
    if (!is_one_of(p->values, text))
        return "not one of the values of this enumeration";
    memcpy(out, text.s, text.n);
    return NULL;
}

static bool is_host(Slice text) {
    char host[HOST_MAX_BYTES] = "";
    if (text.n >= sizeof host)
        return false;
    memcpy(host, text.s, text.n);
    return host_is_valid(host);
}

static const char *check_address(const ModelParameter *p, Slice text, char *out) {
    memcpy(out, text.s, text.n);
    out[text.n] = 0;
    return text.n > 0 && !address_is_literal(out) ? "not an address" : NULL;
}

static const char *check_host(const ModelParameter *p, Slice text, char *out) {
    if (text.n > 0 && !is_host(text))
        return "not a host name or address";
    return check_string(p, text, out);
}

static_assert(MME_MAX == 16, "the number in check_items()'s text");
/* Both kinds of list: items without white space between them. */
static const char *check_items(const ModelParameter *p, Slice text, char *out) {
    const char *list = text.n > 0 ? text.s : NULL, *item;
    char *start = out;
    size_t n = 0;

    while (list && list <= text.s + text.n) {
        Slice s = {NULL, value_next_item(&list, &item)};
        s.s = item;
        if (p->type == MODEL_HOST_LIST ? !is_host(s) : p->values && !is_one_of(p->values, s))
            return p->type == MODEL_HOST_LIST ? "an entry is not a host name or address"
                                              : "an entry is not one of the values of this list";
        if (p->type == MODEL_HOST_LIST && ++n > MME_MAX)
            return "more than 16 entries";
        if (out > start)
            *out++ = ',';
        out = mempcpy(out, s.s, s.n);
    }
    return p->max > 0 && count_characters((Slice){start, (size_t)(out - start)}) > (size_t)p->max ? "too long"
                                                                                                  : NULL;
}

static const char *check_url(const ModelParameter *p, Slice text, char *out) {
    const char *wrong = check_string(p, text, out);
    Url url;

    if (!wrong && text.n > 0)
        url_parse(out, &url, &wrong);
    return wrong;
}

/* White space around a value means something in a string only (XML Schema part 2, 4.3.6). */
static const struct {
    Check check;
    bool keep_space;
} checks[MODEL_TYPES_] = {
    [MODEL_STRING] = {check_string, true}, [MODEL_BOOLEAN] = {check_boolean},
    [MODEL_INT] = {check_integer},         [MODEL_UNSIGNED_INT] = {check_integer},
    [MODEL_DATE_TIME] = {check_date_time}, [MODEL_ENUMERATION] = {check_enumeration},
    [MODEL_LIST] = {check_items},          [MODEL_ADDRESS] = {check_address},
    [MODEL_HOST] = {check_host},

    [MODEL_HOST_LIST] = {check_items},     [MODEL_URL] = {check_url},
};

int value_canonical(const ModelParameter *parameter, const char *text, char **ret,
                    char why[static VALUE_WHY_MAX]) {
    Slice s = {text, strlen(text)};
    char *out = calloc(1, s.n + sizeof "false");

    if (!out)
        return -ENOMEM;
    const char *wrong =
        checks[parameter->type].check(parameter, checks[parameter->type].keep_space ? s : slice_trim(s), out);
    if (wrong) {
        bool range = checks[parameter->type].check == check_integer;
        snprintf(why, VALUE_WHY_MAX, range ? "%s (%" PRId64 "..%" PRId64 ")" : "%s", wrong, parameter->min,
                 parameter->max);
        explicit_bzero(out, s.n);
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
