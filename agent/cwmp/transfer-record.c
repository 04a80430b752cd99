/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See transfer-record.h. A record is lines of "name=value"; bytes that are not printable ASCII, and '%', are
 * %XX in it. Fields that are nothing are left out. */
#include "cwmp/transfer-record.h"

#include <inttypes.h>
#include <stdio.h>

typedef enum FieldType { FIELD_TEXT, FIELD_U32, FIELD_I32, FIELD_I64 } FieldType;

static const struct {
    const char *name;
    FieldType type;
    size_t offset, size;
} fields[] = {
#define TEXT(name)                                                                                           \
    { #name, FIELD_TEXT, offsetof(Transfer, name), sizeof(((Transfer *)0)->name) }
#define NUMBER(type, name)                                                                                   \
    { #name, FIELD_##type, offsetof(Transfer, name), 0 }
#define WINDOW(i)                                                                                            \
    {"window" #i ".start", FIELD_U32, offsetof(Transfer, windows[i].start), 0},                              \
        {"window" #i ".end", FIELD_U32, offsetof(Transfer, windows[i].end), 0}, {                            \
        "window" #i ".retries", FIELD_I32, offsetof(Transfer, windows[i].max_retries), 0                     \
    }
    NUMBER(U32, kind),
    NUMBER(U32, state),
    TEXT(command_key),
    TEXT(file_type),
    TEXT(url),
    TEXT(username),
    TEXT(password),
    TEXT(target),
    NUMBER(U32, outside),
    NUMBER(U32, size),
    NUMBER(U32, delay),
    NUMBER(U32, n_windows),
    WINDOW(0),
    WINDOW(1),
    NUMBER(U32, window),
    NUMBER(U32, attempts),
    NUMBER(U32, starts),
    NUMBER(I64, received),
    NUMBER(I64, start_time),
    NUMBER(I64, complete_time),
    TEXT(boot_id),
    NUMBER(I32, fault),
    TEXT(text),
};
static_assert(RPC_WINDOWS_MAX == 2, "each window has its fields");
static_assert(sizeof(TransferKind) == 4 && sizeof(TransferState) == 4, "they are kept as numbers");

void transfer_wipe(Transfer *t) {
    explicit_bzero(t->username, sizeof t->username);
    explicit_bzero(t->password, sizeof t->password);
}

void transfer_free(Transfer *t) {
    if (!t)
        return;
    explicit_bzero(t, sizeof *t);
    free(t);
}

void record_free(char *text) {
    if (!text)
        return;
    explicit_bzero(text, strlen(text));
    free(text);
}

bool transfer_id_is_valid(const char *id) {
    return strlen(id) == TRANSFER_ID_BYTES - 1 && strspn(id, "0123456789abcdef") == TRANSFER_ID_BYTES - 1;
}

static bool is_plain(unsigned char c) {
    return c > ' ' && c < 0x7f && c != '%';
}

/* Most that a record can be: every byte of every text as three. */
static size_t record_size(void) {
    size_t size = 1;
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
        size += strlen(fields[i].name) + 24 + 3 * fields[i].size;
    return size;
}

static char *write_text(char *p, const char *text) {
    for (; *text; text++)
        if (is_plain((unsigned char)*text))
            *p++ = *text;
        else
            p += sprintf(p, "%%%02x", (unsigned char)*text);
    return p;
}

char *transfer_encode(const Transfer *t) {
    char *text = malloc(record_size()), *p = text;

    if (!text)
        return NULL;
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
        const void *field = (const char *)t + fields[i].offset;
        if (fields[i].type == FIELD_TEXT && *(const char *)field == 0)
            continue;
        p += sprintf(p, "%s=", fields[i].name);
        switch (fields[i].type) {
        case FIELD_TEXT:
            p = write_text(p, field);
            break;
        case FIELD_U32:
            p += sprintf(p, "%" PRIu32, *(const uint32_t *)field);
            break;
        case FIELD_I32:
            p += sprintf(p, "%" PRId32, *(const int32_t *)field);
            break;
        case FIELD_I64:
            p += sprintf(p, "%" PRId64, *(const int64_t *)field);
            break;
        }
        *p++ = '\n';
    }
    *p = 0;
    return text;
}

static int digit(char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int read_text(const char *s, size_t n, char *ret, size_t size) {
    size_t out = 0;
    for (size_t i = 0; i < n; i++) {
        int c = (unsigned char)s[i];
        if (c == '%') {
            if (n - i < 3 || digit(s[i + 1]) < 0 || digit(s[i + 2]) < 0)
                return -EINVAL;
            c = digit(s[i + 1]) * 16 + digit(s[i + 2]);
            i += 2;
        }
        if (c == 0 || out + 1 >= size)
            return -EINVAL;
        ret[out++] = (char)c;
    }
    ret[out] = 0;
    return 0;
}

static int read_number(const char *s, size_t n, int64_t least, int64_t most, int64_t *ret) {
    char text[32], *end;

    if (n == 0 || n >= sizeof text || (s[0] != '-' && digit(s[0]) < 0))
        return -EINVAL;
    memcpy(text, s, n);
    text[n] = 0;
    errno = 0;
    long long v = strtoll(text, &end, 10);
    if (*end || errno || v < least || v > most)
        return -EINVAL;
    *ret = v;
    return 0;
}

static int read_field(Transfer *t, size_t i, const char *value, size_t n) {
    static const struct {
        int64_t least, most;
    } ranges[] = {
        [FIELD_U32] = {0, UINT32_MAX},
        [FIELD_I32] = {INT32_MIN, INT32_MAX},
        [FIELD_I64] = {INT64_MIN, INT64_MAX},
    };
    void *field = (char *)t + fields[i].offset;
    int64_t v = 0;

    if (fields[i].type == FIELD_TEXT)
        return read_text(value, n, field, fields[i].size);
    int r = read_number(value, n, ranges[fields[i].type].least, ranges[fields[i].type].most, &v);
    if (r < 0)
        return r;
    if (fields[i].type == FIELD_I64)
        *(int64_t *)field = v;
    else if (fields[i].type == FIELD_I32)
        *(int32_t *)field = (int32_t)v;
    else
        *(uint32_t *)field = (uint32_t)v;
    return 0;
}

/* A field that this version does not know was written by a later one, and is not ours to judge. */
static int read_line(Transfer *t, const char *line, size_t n) {
    const char *sign = memchr(line, '=', n);

    if (!sign)
        return -EINVAL;
    size_t name = (size_t)(sign - line);
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
        if (strlen(fields[i].name) == name && memcmp(fields[i].name, line, name) == 0)
            return read_field(t, i, sign + 1, n - name - 1);
    return 0;
}

static bool is_sound(const Transfer *t) {
    if ((unsigned)t->kind >= TRANSFER_KINDS_ || (unsigned)t->state >= TRANSFER_GONE || !t->url[0])
        return false;
    if (t->kind == TRANSFER_SCHEDULED ? t->n_windows < 1 || t->n_windows > RPC_WINDOWS_MAX
                                      : t->n_windows != 0)
        return false;
    return t->window <= t->n_windows;
}

int transfer_decode(const char *id, const char *text, Transfer **ret) {
    if (!transfer_id_is_valid(id))
        return -EINVAL;
    _cleanup_(transfer_freep) Transfer *t = calloc(1, sizeof *t);
    if (!t)
        return -ENOMEM;
    memcpy(t->id, id, TRANSFER_ID_BYTES);
    t->received = t->start_time = t->complete_time = RPC_TIME_UNKNOWN;
    while (*text) {
        size_t n = strcspn(text, "\n");
        int r = read_line(t, text, n);
        if (r < 0)
            return r;
        text += n + (text[n] != 0);
    }
    if (!is_sound(t))
        return -EINVAL;
    *ret = TAKE_PTR(t);
    return 0;
}
