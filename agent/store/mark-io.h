/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The de-registration mark (TS 32.593 5.1.4) as it is kept: a text with a number, so that of two copies the
 * later one is known, and a checksum, so that a damaged copy is not believed. And the copy that is a file of
 * its own. */
#pragma once

#include <stdint.h>

#define MARK_FILE      "deregistered"
#define MARK_MAX_BYTES 32768 /* as kept, with its NUL */

typedef struct Mark {
    uint64_t number; /* 0: none */
    char *text;      /* malloc'ed */
} Mark;

void mark_clear(Mark *mark);

/* As kept, malloc'ed. 0, -E2BIG or -ENOMEM. */
int mark_encode(uint64_t number, const char *text, char **ret);
/* 0; -EBADMSG: damaged; -ENOMEM. */
int mark_decode(const char *kept, Mark *ret);

/* The file in the folder *directory* (a descriptor, or negative: there is no such folder). read: 0; -ENOENT;
 * -EBADMSG: there is something, and it is damaged or may not be read; -EMFILE, -ENFILE, -ENOMEM, -EIO: that
 * is not known. */
int mark_file_read(int directory, Mark *ret);
/* Whole or not at all, and on the disk when this returns 0. NULL removes it. Negative errno. */
int mark_file_write(int directory, const char *kept);
