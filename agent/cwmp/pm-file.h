/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Performance measurements as a file: TS 32.435 (XML), its name by TS 32.432 clause 4, and when it is due
 * (FAP.PerfMgmt.Config, TR-196). Which counters there are, the daemons say that count. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macro.h"

#define PM_COUNTERS_MAX  20000
#define PM_TEXT_MAX      256 /* bytes of a name, with its NUL */
#define PM_VALUE_MAX     64  /* of a value */
#define PM_FILE_NAME_MAX 160

typedef struct PmHeader {
    const char *vendor;   /* vendorName */
    const char *element;  /* the box: localDn of sender and managed element, and the file's UniqueId */
    const char *type;     /* elementType: "FAP" */
    const char *software; /* swVersion */
    int64_t begin, end;   /* of the granularity period, seconds since 1970 */
} PmHeader;

/* One value of one counter of one object; copied. */
typedef struct PmCounter {
    const char *info;   /* measInfoId: counters of one kind of object */
    const char *object; /* measObjLdn */
    const char *type;   /* measType: "RRC.ConnEstabAtt.Sum" */
    const char *value;  /* a decimal number; "" or NULL: none was had (NIL) */
    bool suspect;       /* the object's values are not to be relied on */
} PmCounter;

/* Are its names none too long, and its value a number? */
bool pm_counter_is_valid(const PmCounter *counter);

typedef struct PmFile PmFile;

int pm_file_new(PmFile **ret);
void pm_file_free(PmFile *file);
DEFINE_CLEANUP(PmFile, pm_file_free)
/* 0; -EINVAL: it is not valid; -E2BIG: PM_COUNTERS_MAX;
 * -ENOMEM. The same counter of the same object twice: the later one counts. */
int pm_file_add(PmFile *file, const PmCounter *counter);
/* The XML of all of them, malloc'ed. 0 or -ENOMEM. */
int pm_file_write(PmFile *file, const PmHeader *header, char **ret, size_t *ret_size);

/* "A20261124.2315+0000-2330+0000_001122-SN1"; the element's characters that a file name should not have are
 * hyphens. */
const char *pm_file_name(const PmHeader *header, char ret[static PM_FILE_NAME_MAX]);
/* *url* as it is, or, if it names a folder, with *name* in it. 0 or -E2BIG. */
int pm_file_url(const char *url, const char *name, char *ret, size_t size);

/* The next end of an interval after *now*: a whole number of them away from *phase* (PeriodicUploadTime, or
 * INT64_MIN: unknown, then from *own*, which each box has its own of). Seconds since 1970. */
int64_t pm_next(int64_t now, uint32_t interval, int64_t phase, uint32_t own);
