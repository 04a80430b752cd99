/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See pm-file.h. */
#include "cwmp/pm-file.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/utf8.h"
#include "cwmp/value.h"

typedef struct Entry {
    char *info, *object, *type, value[PM_VALUE_MAX];
    bool suspect;
    size_t order; /* of its coming */
} Entry;

struct PmFile {
    Entry *entries;
    size_t n, capacity;
};

/* XML that grows. */
typedef struct Text {
    char *data;
    size_t size, capacity;
    bool failed;
} Text;

int pm_file_new(PmFile **ret) {
    *ret = calloc(1, sizeof **ret);
    return *ret ? 0 : -ENOMEM;
}

static void entry_clear(Entry *e) {
    free(e->info);
    free(e->object);
    free(e->type);
}

void pm_file_free(PmFile *f) {
    if (!f)
        return;
    for (size_t i = 0; i < f->n; i++)
        entry_clear(&f->entries[i]);
    free(f->entries);
    free(f);
}

static bool is_name(const char *s) {
    return s && *s && strlen(s) < PM_TEXT_MAX;
}

/* xs:decimal, and floating point, as 32.435 has its results. */
static bool is_number(const char *s) {
    size_t n = strlen(s), digits;

    if (n >= PM_VALUE_MAX)
        return false;
    s += *s == '-' || *s == '+';
    digits = strspn(s, "0123456789");
    s += digits;
    if (*s == '.') {
        size_t fraction = strspn(++s, "0123456789");
        digits += fraction;
        s += fraction;
    }
    if (digits > 0 && (*s == 'e' || *s == 'E')) {
        s++;
        s += *s == '-' || *s == '+';
        size_t exponent = strspn(s, "0123456789");
        if (exponent == 0)
            return false;
        s += exponent;
    }
    return digits > 0 && *s == 0;
}

bool pm_counter_is_valid(const PmCounter *c) {
    const char *value = strempty(c->value);
    return is_name(c->info) && is_name(c->object) && is_name(c->type) && (!*value || is_number(value));
}

int pm_file_add(PmFile *f, const PmCounter *c) {
    const char *value = strempty(c->value);

    if (!pm_counter_is_valid(c))
        return -EINVAL;
    if (f->n >= PM_COUNTERS_MAX)
        return -E2BIG;
    if (f->n == f->capacity) {
        size_t capacity = MAX(2 * f->capacity, (size_t)64);
        Entry *entries = realloc(f->entries, capacity * sizeof *entries);
        if (!entries)
            return -ENOMEM;
        f->entries = entries;
        f->capacity = capacity;
    }
    Entry e = {.info = strdup(c->info),
               .object = strdup(c->object),
               .type = strdup(c->type),
               .suspect = c->suspect,
               .order = f->n};
    if (!e.info || !e.object || !e.type) {
        entry_clear(&e);
        return -ENOMEM;
    }
    strcpy(e.value, *value ? value : "NIL");
    f->entries[f->n++] = e;
    return 0;
}

static void put(Text *t, const char *data, size_t n) {
    if (t->failed)
        return;
    if (n >= t->capacity - t->size) {
        size_t capacity = MAX(2 * t->capacity, t->size + n + 4096);
        char *grown = realloc(t->data, capacity);
        if (!grown) {
            t->failed = true;
            return;
        }
        t->data = grown;
        t->capacity = capacity;
    }
    memcpy(t->data + t->size, data, n);
    t->size += n;
    t->data[t->size] = 0;
}

static void put_string(Text *t, const char *s) {
    put(t, s, strlen(s));
}

/* Between quotes or tags; what XML 1.0 cannot have is a question mark. */
static void put_escaped(Text *t, const char *s) {
    while (*s) {
        size_t n = utf8_sequence(s);
        if (n == 0 || (n == 1 && ((unsigned char)*s < ' ' || *s == 0x7f)) ||
            (n == 3 && (memcmp(s, "\xef\xbf\xbe", 3) == 0 || memcmp(s, "\xef\xbf\xbf", 3) == 0)))
            put_string(t, "?");
        else if (*s == '&')
            put_string(t, "&amp;");
        else if (*s == '<')
            put_string(t, "&lt;");
        else if (*s == '>')
            put_string(t, "&gt;");
        else if (*s == '"')
            put_string(t, "&quot;");
        else
            put(t, s, n);
        s += n ?: 1;
    }
}

/* Each "%" of *format* is the next argument, escaped. */
static void put_line(Text *t, const char *format, ...) {
    va_list args;

    va_start(args, format);
    for (const char *p; (p = strchr(format, '%')); format = p + 1) {
        put(t, format, (size_t)(p - format));
        put_escaped(t, strempty(va_arg(args, const char *)));
    }
    va_end(args);
    put_string(t, format);
}

static int compare_types(const void *a, const void *b) {
    const Entry *x = a, *y = b;
    int r = strcmp(x->info, y->info);
    r = r ?: strcmp(x->type, y->type);
    r = r ?: strcmp(x->object, y->object);
    return r ?: x->order > y->order ? 1 : -1;
}

static int compare_objects(const void *a, const void *b) {
    const Entry *x = a, *y = b;
    int r = strcmp(x->info, y->info);
    r = r ?: strcmp(x->object, y->object);
    r = r ?: strcmp(x->type, y->type);
    return r ?: x->order > y->order ? 1 : -1;
}

/* *n* entries of one object; *types* are all of its measInfo in order. A type that it does not have is left
 * out, as "p" says which each one is. */
static void write_object(Text *t, const Entry *entries, size_t n, const char *const *types) {
    size_t p = 0;
    bool suspect = false;
    char number[24];

    put_line(t, "      <measValue measObjLdn=\"%\">\n", entries[0].object);
    for (size_t i = 0; i < n; i++) {
        suspect |= entries[i].suspect;
        if (i + 1 < n && streq(entries[i].type, entries[i + 1].type))
            continue;
        while (!streq(types[p], entries[i].type))
            p++;
        snprintf(number, sizeof number, "%zu", p + 1);
        put_line(t, "        <r p=\"%\">%</r>\n", number, entries[i].value);
    }
    if (suspect)
        put_string(t, "        <suspect>true</suspect>\n");
    put_string(t, "      </measValue>\n");
}

static void write_info(Text *t, Entry *entries, size_t n, const char **types, const char *duration,
                       const char *end) {
    size_t n_types = 0;
    char number[24];

    put_line(t, "    <measInfo measInfoId=\"%\">\n      <granPeriod duration=\"%\" endTime=\"%\"/>\n",
             entries[0].info, duration, end);
    for (size_t i = 0; i < n; i++)
        if (n_types == 0 || !streq(types[n_types - 1], entries[i].type)) {
            types[n_types++] = entries[i].type;
            snprintf(number, sizeof number, "%zu", n_types);
            put_line(t, "      <measType p=\"%\">%</measType>\n", number, entries[i].type);
        }
    qsort(entries, n, sizeof *entries, compare_objects);
    for (size_t i = 0, next; i < n; i = next) {
        for (next = i + 1; next < n && streq(entries[next].object, entries[i].object);)
            next++;
        write_object(t, entries + i, next - i, types);
    }
    put_string(t, "    </measInfo>\n");
}

int pm_file_write(PmFile *f, const PmHeader *h, char **ret, size_t *ret_size) {
    char begin[VALUE_TIME_MAX], end[VALUE_TIME_MAX], duration[32];
    Text t = {0};

    _cleanup_free_ const char **types = calloc(f->n + 1, sizeof *types);
    if (!types)
        return -ENOMEM;
    value_format_time(h->begin, begin);
    value_format_time(h->end, end);
    snprintf(duration, sizeof duration, "PT%" PRId64 "S", MAX(h->end - h->begin, INT64_C(0)));
    put_string(&t,
               "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
               "<measCollecFile "
               "xmlns=\"http://www.3gpp.org/ftp/specs/archive/32_series/32.435#measCollec\">\n");
    put_line(&t, "  <fileHeader fileFormatVersion=\"32.435 V10.0\" vendorName=\"%\">\n", h->vendor);
    put_line(&t, "    <fileSender localDn=\"%\" elementType=\"%\"/>\n", h->element, h->type);
    put_line(&t, "    <measCollec beginTime=\"%\"/>\n  </fileHeader>\n  <measData>\n", begin);
    put_line(&t, "    <managedElement localDn=\"%\" swVersion=\"%\"/>\n", h->element, h->software);
    if (f->n > 0)
        qsort(f->entries, f->n, sizeof *f->entries, compare_types);
    for (size_t i = 0, next; i < f->n; i = next) {
        for (next = i + 1; next < f->n && streq(f->entries[next].info, f->entries[i].info);)
            next++;
        write_info(&t, f->entries + i, next - i, types, duration, end);
    }
    put_line(&t, "  </measData>\n  <fileFooter>\n    <measCollec endTime=\"%\"/>\n  </fileFooter>\n", end);
    put_string(&t, "</measCollecFile>\n");
    if (t.failed) {
        free(t.data);
        return -ENOMEM;
    }
    *ret = t.data;
    *ret_size = t.size;
    return 0;
}

/* "20261124" and "2315" of "2026-11-24T23:15:00Z" */
static void split_time(int64_t seconds, char date[static 9], char time[static 5]) {
    char text[VALUE_TIME_MAX];
    value_format_time(seconds, text);
    snprintf(date, 9, "%.4s%.2s%.2s", text, text + 5, text + 8);
    snprintf(time, 5, "%.2s%.2s", text + 11, text + 14);
}

const char *pm_file_name(const PmHeader *h, char ret[static PM_FILE_NAME_MAX]) {
    char date[9], begin[5], end_date[9], end[5];

    split_time(h->begin, date, begin);
    split_time(h->end, end_date, end);
    int n = snprintf(ret, PM_FILE_NAME_MAX, "A%s.%s+0000-%s+0000_", date, begin, end);
    for (const char *p = strempty(h->element); *p && n < PM_FILE_NAME_MAX - 1; p++)
        ret[n++] = (*p >= '0' && *p <= '9') || (*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z') ||
                           strchr("-.=", *p)
                       ? *p
                       : '-';
    ret[n] = 0;
    return ret;
}

int pm_file_url(const char *url, const char *name, char *ret, size_t size) {
    size_t n = strlen(url);
    int written =
        n > 0 && url[n - 1] == '/' ? snprintf(ret, size, "%s%s", url, name) : snprintf(ret, size, "%s", url);
    return written < 0 || (size_t)written >= size ? -E2BIG : 0;
}

int64_t pm_next(int64_t now, uint32_t interval, int64_t phase, uint32_t own) {
    int64_t step = MAX(interval, UINT32_C(1));
    int64_t from = (phase == INT64_MIN ? (int64_t)own : phase) % step;
    int64_t past = (now - from) % step;
    return now + step - (past < 0 ? past + step : past);
}
