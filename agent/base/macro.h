/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The few macros everything else is written with: cleanup attributes, ownership transfer, bounds. */
#pragma once

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define _cleanup_(f)   __attribute__((cleanup(f)))
#define _printf_(a, b) __attribute__((format(printf, a, b)))

/* Hands over what *p* points to and forgets it, so that the cleanup of *p* finds NULL. */
#define TAKE_PTR(p)                                                                                          \
    ({                                                                                                       \
        __typeof__(p) *_pp = &(p);                                                                           \
        __typeof__(p) _taken = *_pp;                                                                         \
        *_pp = NULL;                                                                                         \
        _taken;                                                                                              \
    })
/* The same for a file descriptor and -EBADF. */
#define TAKE_FD(fd)                                                                                          \
    ({                                                                                                       \
        int *_pp = &(fd);                                                                                    \
        int _taken = *_pp;                                                                                   \
        *_pp = -EBADF;                                                                                       \
        _taken;                                                                                              \
    })

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)                                                                                            \
    ({                                                                                                       \
        __auto_type _a = (a);                                                                                \
        __auto_type _b = (b);                                                                                \
        _a < _b ? _a : _b;                                                                                   \
    })
#define MAX(a, b)                                                                                            \
    ({                                                                                                       \
        __auto_type _a = (a);                                                                                \
        __auto_type _b = (b);                                                                                \
        _a > _b ? _a : _b;                                                                                   \
    })

/* DEFINE_CLEANUP(Thing, thing_free) makes thing_freep() for _cleanup_. */
#define DEFINE_CLEANUP(type, func)                                                                           \
    static inline void func##p(type **p) {                                                                   \
        if (*p)                                                                                              \
            func(*p);                                                                                        \
    }

static inline void freep(void *p) {
    free(*(void **)p);
}
#define _cleanup_free_ _cleanup_(freep)

static inline bool streq(const char *a, const char *b) {
    return strcmp(a, b) == 0;
}

static inline const char *strempty(const char *s) {
    return s ? s : "";
}

/* Room for one more item in a list of *n* that only grows; capacities are powers of two. */
static inline void *list_grow(void *items, size_t n, size_t item_size) {
    return n & (n - 1) ? items : reallocarray(items, n ? 2 * n : 1, item_size);
}

/* 0 or -ENOMEM, then the list is as it was. */
#define LIST_ADD(items, n, item)                                                                             \
    ({                                                                                                       \
        void *_grown = list_grow(items, n, sizeof *(items));                                                 \
        if (_grown) {                                                                                        \
            (items) = _grown;                                                                                \
            (items)[(n)++] = (item);                                                                         \
        }                                                                                                    \
        _grown ? 0 : -ENOMEM;                                                                                \
    })
