/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the build makes of datamodel.txt: objects and parameters as templates, a row of a table being {i}. An
 * object's parameters are in one piece, and objects stand in the order of the tree. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum SchemaType {
    SCHEMA_BOOLEAN,
    SCHEMA_DATE_TIME,
    SCHEMA_STRING,     /* size in characters */
    SCHEMA_HEX_BINARY, /* size in bytes */
    SCHEMA_INT,
    SCHEMA_UNSIGNED_INT,
    SCHEMA_UNSIGNED_LONG,
    SCHEMA_ENUM,
    SCHEMA_ADDRESS, /* of either family */
    SCHEMA_IPV4,
    SCHEMA_IPV6,
    SCHEMA_HOST,
    SCHEMA_HOSTS, /* comma-separated */
    SCHEMA_URL,
} SchemaType;

typedef enum SchemaFlag {
    SCHEMA_WRITE = 1 << 0,
    SCHEMA_FORCED = 1 << 1,
    SCHEMA_HIDDEN = 1 << 2,
    SCHEMA_REPORTED = 1 << 3,
    SCHEMA_ASSIGNED = 1 << 4,
    SCHEMA_LIVE = 1 << 5,
    SCHEMA_CANDENY = 1 << 6,
    SCHEMA_ACTIVE = 1 << 7,
    /* Topics, as MODEL_TOPIC_*. */
    SCHEMA_MME = 1 << 8,
    SCHEMA_GATEWAY = 1 << 9,
    SCHEMA_ACS = 1 << 10,
    SCHEMA_PERIODIC = 1 << 11,
    SCHEMA_RETRY = 1 << 12,
    SCHEMA_CONNECTION = 1 << 13,
    SCHEMA_S1 = 1 << 14,
    SCHEMA_ACTIVE_FORCED = 1 << 16,
    SCHEMA_COUNT = 1 << 17, /* the number of rows of a table: computed, never stored */
} SchemaFlag;

typedef struct SchemaRange {
    int64_t min, max; /* INT64_MAX stands for all of an unsignedLong */
} SchemaRange;

typedef struct SchemaParameter {
    const char *path; /* "Device.IP.Interface.{i}.Name" */
    const char *name; /* in it: what is behind the last dot */
    SchemaType type;  /* of a list: of its items */
    bool list, oui;
    SchemaRange size;          /* of a string, or of the whole list */
    const SchemaRange *ranges; /* of a number, or of the items of a list */
    size_t n_ranges;
    const char *values; /* "One|All", or NULL */
    const char *initial;
    unsigned flags;   /* SchemaFlag */
    uint16_t object;  /* it belongs to */
    uint16_t counted; /* SCHEMA_COUNT: the table */
} SchemaParameter;

#define SCHEMA_KEY_PARTS 5 /* with the end */
#define SCHEMA_KEYS      3
typedef struct SchemaObject {
    const char *path;  /* ends with a dot; a table's with "{i}." */
    uint16_t parent;   /* of the first object: itself */
    uint16_t first, n; /* its parameters */
    bool table, create;
    uint16_t min, max, initial;                   /* rows; max 0: the model's own limit */
    uint16_t enabled;                             /* parameter, or 0xffff */
    uint16_t keys[SCHEMA_KEYS][SCHEMA_KEY_PARTS]; /* parameters, each key ended by 0xffff */
} SchemaObject;

extern const SchemaObject schema_objects[];
extern const SchemaParameter schema_parameters[];
extern const size_t schema_n_objects, schema_n_parameters;
