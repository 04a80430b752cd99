/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See vendor-config.h. */
#include "cwmp/vendor-config.h"

#include <stdio.h>

static int make_room(VendorConfig *c, size_t n) {
    if (n > VENDOR_CONFIG_MAX - c->size)
        return -E2BIG;
    if (n < c->capacity - c->size)
        return 0;
    size_t capacity = MAX(2 * c->capacity, c->size + n + 1);
    char *text = realloc(c->text, capacity);
    if (!text)
        return -ENOMEM;
    c->text = text;
    c->capacity = capacity;
    return 0;
}

int vendor_config_visit(void *userdata, const char *name, const ModelParameter *parameter,
                        const char *value) {
    VendorConfig *c = userdata;

    if (!parameter || !value || !(parameter->flags & MODEL_WRITE) || (parameter->flags & MODEL_HIDDEN))
        return 0;
    int r = make_room(c, strlen(name) + 3 * strlen(value) + 3);
    if (r < 0)
        return r;
    char *p = c->text + c->size;
    p += sprintf(p, "%s=", name);
    for (; *value; value++)
        if ((unsigned char)*value >= ' ' && (unsigned char)*value < 0x7f && *value != '%')
            *p++ = *value;
        else
            p += sprintf(p, "%%%02X", (unsigned char)*value);
    *p++ = '\n';
    *p = 0;
    c->size = (size_t)(p - c->text);
    return 0;
}

void vendor_config_clear(VendorConfig *c) {
    free(c->text);
    *c = (VendorConfig){0};
}
