/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See message-io.h. */
#include "dbus/ctl/message-io.h"

#include <stdio.h>

#include "base/macro.h"
#include "dbus/ctl/tree.h"

static json_object *basic_json(char type, const void *p) {
    switch (type) {
    case 'b':
        return json_object_new_boolean(*(const int *)p);
    case 'y':
        return json_object_new_uint64(*(const uint8_t *)p);
    case 'q':
        return json_object_new_uint64(*(const uint16_t *)p);
    case 'u':
        return json_object_new_uint64(*(const uint32_t *)p);
    case 't':
        return json_object_new_uint64(*(const uint64_t *)p);
    case 'n':
        return json_object_new_int(*(const int16_t *)p);
    case 'i':
        return json_object_new_int(*(const int32_t *)p);
    case 'x':
        return json_object_new_int64(*(const int64_t *)p);
    case 'd':
        return json_object_new_double(*(const double *)p);
    case 's':
    case 'o':
    case 'g':
        return json_object_new_string(*(const char *const *)p);
    default: /* a char: file descriptors are of no use here */
        return NULL;
    }
}

static int basic_read(sd_bus_message *m, char type, json_object **ret) {
    union {
        uint64_t u64;
        double d;
        const char *text;
    } value = {};
    int r = sd_bus_message_read_basic(m, type, &value);

    if (r < 0)
        return r;
    *ret = basic_json(type, &value);
    return *ret ? 0 : -EBADMSG;
}

/* One {key: value} of a dictionary whose container is entered. */
static int entry_read(sd_bus_message *m, const char *contents, json_object *object) {
    _cleanup_(json_object_putp) json_object *key = NULL, *value = NULL;
    int r = sd_bus_message_enter_container(m, 'e', contents);

    if (r > 0)
        r = message_read_json(m, &key);
    if (r >= 0)
        r = message_read_json(m, &value);
    if (r >= 0)
        r = sd_bus_message_exit_container(m);
    if (r >= 0)
        json_object_object_add(object, json_object_get_string(key), TAKE_PTR(value));
    return r;
}

static int items_read(sd_bus_message *m, json_object *array) {
    int r;

    while ((r = sd_bus_message_at_end(m, false)) == 0) {
        json_object *one = NULL;
        r = message_read_json(m, &one);
        if (r < 0)
            return r;
        json_object_array_add(array, one);
    }
    return r;
}

static int dictionary_read(sd_bus_message *m, const char *contents, json_object *object) {
    _cleanup_free_ char *inner = strndup(contents + 1, strlen(contents) - 2); /* without the braces */
    int r;

    if (!inner)
        return -ENOMEM;
    while ((r = sd_bus_message_at_end(m, false)) == 0) {
        r = entry_read(m, inner, object);
        if (r < 0)
            return r;
    }
    return r;
}

static int container_read(sd_bus_message *m, char type, const char *contents, json_object **ret) {
    bool dictionary = type == 'a' && contents[0] == '{';
    _cleanup_(json_object_putp) json_object *value = type == 'v'  ? NULL
                                                     : dictionary ? json_object_new_object()
                                                                  : json_object_new_array();
    int r = sd_bus_message_enter_container(m, type, contents);

    if (r >= 0)
        r = type == 'v'  ? message_read_json(m, &value)
            : dictionary ? dictionary_read(m, contents, value)
                         : items_read(m, value);
    if (r >= 0)
        r = sd_bus_message_exit_container(m);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(value);
    return 0;
}

int message_read_json(sd_bus_message *m, json_object **ret) {
    const char *contents;
    char type;
    int r = sd_bus_message_peek_type(m, &type, &contents);

    if (r <= 0)
        return r < 0 ? r : -ENODATA;
    return contents ? container_read(m, type, contents, ret) : basic_read(m, type, ret);
}
