/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the build makes of datamodel.txt: objects and parameters as templates, a row of a table being {i}. An
 * object's parameters are in one piece, and objects stand in the order of the tree. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum ModelType {
    MODEL_BOOLEAN,
    MODEL_DATE_TIME,
    MODEL_STRING,     /* size in characters */
    MODEL_HEX_BINARY, /* size in bytes */
    MODEL_INT,
    MODEL_UNSIGNED_INT,
    MODEL_UNSIGNED_LONG,
    MODEL_ENUMERATION,
    MODEL_ADDRESS, /* of either family */
    MODEL_IPV4,
    MODEL_IPV6,
    MODEL_HOST,
    MODEL_HOSTS, /* comma-separated */
    MODEL_URL,
    MODEL_LIST, /* comma-separated, of another type */
    MODEL_TYPES_,
} ModelType;

typedef enum ModelFlag {
    MODEL_WRITE = 1 << 0,         /* the HeMS may set it */
    MODEL_FORCED_INFORM = 1 << 1, /* in every Inform */
    MODEL_HIDDEN = 1 << 2,        /* a secret: reads as the empty string, never logged */
    MODEL_REPORTED = 1 << 3,      /* model_report() may set it, and says whether it is known */
    MODEL_ASSIGNED = 1 << 4,      /* what a HeMS sets here is committed, the value it has already too */
    MODEL_LIVE = 1 << 5,          /* asked for when it is read */
    MODEL_CANDENY = 1 << 6,       /* active notification is refused */
    MODEL_ACTIVE = 1 << 7,        /* active notification until a HeMS says otherwise */
    /* What a change concerns, for whoever has to act on it. */
    MODEL_TOPIC_MME = 1 << 8,         /* S1 far end: list, port */
    MODEL_TOPIC_ALARM = 1 << 9,       /* SupportedAlarm's ReportingMechanism */
    MODEL_TOPIC_TIME = 1 << 10,       /* Time.Enable, Time.NTPServer1..5 */
    MODEL_TOPIC_PERIODIC = 1 << 11,   /* PeriodicInform* */
    MODEL_TOPIC_RETRY = 1 << 12,      /* CWMPRetry*, DefaultActiveNotificationThrottle */
    MODEL_TOPIC_CONNECTION = 1 << 13, /* ConnectionRequest* */
    MODEL_TOPIC_S1 = 1 << 14,         /* S1ConnectionMode, AdminState */
    MODEL_TOPICS = 0xff00,
    MODEL_ACTIVE_FORCED = 1 << 16, /* active notification always */
    MODEL_PASSIVE = 1 << 18,       /* passive notification until a HeMS says otherwise */
    MODEL_COUNT = 1 << 17,         /* the number of rows of a table: computed, never stored */
} ModelFlag;

typedef struct ModelRange {
    int64_t min, max; /* INT64_MAX stands for all of an unsignedLong */
} ModelRange;

typedef struct ModelParameter {
    const char *path; /* "Device.IP.Interface.{i}.Name" */
    const char *name; /* in it: what is behind the last dot */
    ModelType type;
    ModelType item; /* of a list: of its items; else the same */
    bool oui;
    ModelRange size;          /* of a string, or of the whole list */
    const ModelRange *ranges; /* of a number, or of the items of a list */
    size_t n_ranges;
    const char *values; /* "One|All", or NULL */
    const char *initial;
    unsigned flags;   /* ModelFlag */
    uint16_t object;  /* it belongs to */
    uint16_t counted; /* MODEL_COUNT: the table */
} ModelParameter;

#define MODEL_NONE      0xffff
#define MODEL_KEY_PARTS 5 /* with the end */
#define MODEL_KEYS      3
typedef struct ModelObject {
    const char *path;  /* ends with a dot; a table's with "{i}." */
    uint16_t parent;   /* of the first object: itself */
    uint16_t first, n; /* its parameters */
    bool table, create;
    uint16_t min, max, initial;                 /* rows; max 0: the model's own limit */
    uint16_t enabled;                           /* parameter, or 0xffff */
    uint16_t keys[MODEL_KEYS][MODEL_KEY_PARTS]; /* parameters, each key ended by 0xffff */
} ModelObject;

extern const ModelObject model_objects_[];
extern const ModelParameter model_parameters_[];
extern const size_t model_n_objects, model_n_parameters;
