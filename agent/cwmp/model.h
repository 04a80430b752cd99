/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The data model of the box (Device:2 with FAPService:2) and its values: names, types, what may be set,
 * atomic changes. The facts are in parameters.def. Rules: TR-069 A.3.2, TR-106 3.2. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "status.h"

typedef enum ModelType {
    MODEL_STRING,       /* min..max characters */
    MODEL_BOOLEAN,      /* canonical: 0, 1 are read as false, true */
    MODEL_INT,          /* min..max */
    MODEL_UNSIGNED_INT, /* min..max */
    MODEL_DATE_TIME,    /* xsd:dateTime with or without fraction and zone */
    MODEL_ENUMERATION,  /* one of *values*, or empty while nobody set it */
    MODEL_LIST,         /* comma-separated strings, max characters together, each one of *values* if any */
    MODEL_ADDRESS,      /* a literal address, or empty */
    MODEL_HOST,         /* a host name or address, max characters, or empty */
    MODEL_HOST_LIST,    /* comma-separated host names and addresses, max characters together */
    MODEL_URL,          /* http or https with a host, max characters */
    MODEL_TYPES_,
} ModelType;

typedef enum ModelFlag {
    MODEL_WRITE = 1 << 0,         /* the HeMS may set it */
    MODEL_FORCED_INFORM = 1 << 1, /* in every Inform */
    MODEL_HIDDEN = 1 << 2,        /* a secret: reads as the empty string, never logged */
    MODEL_REPORTED = 1 << 3,      /* model_report() may set it, and says whether it is known */
    MODEL_ASSIGNED = 1 << 4,      /* what a HeMS sets here is committed, the value it has already too */
    /* What a change concerns, for whoever has to act on it. */
    MODEL_TOPIC_MME = 1 << 8,         /* S1 far end: list, port */
    MODEL_TOPIC_S1 = 1 << 14,         /* S1ConnectionMode, AdminState */
    MODEL_TOPIC_GATEWAY = 1 << 9,     /* SecGWServer1..3 */
    MODEL_TOPIC_ACS = 1 << 10,        /* ManagementServer.URL and its credentials */
    MODEL_TOPIC_PERIODIC = 1 << 11,   /* PeriodicInform* */
    MODEL_TOPIC_RETRY = 1 << 12,      /* CWMPRetry* */
    MODEL_TOPIC_CONNECTION = 1 << 13, /* ConnectionRequest* */
    MODEL_TOPICS = 0xff00,
} ModelFlag;

/* One row of parameters.def. */
typedef struct ModelParameter {
    const char *path;
    ModelType type;
    int64_t min, max;   /* of the number, or of the length in characters */
    const char *values; /* "One|All" */
    const char *initial;
    unsigned flags; /* ModelFlag */
} ModelParameter;

/* One value that changed, or that was set to what it was and is MODEL_ASSIGNED. The strings live until the
 * model changes again. */
typedef struct ModelChange {
    const char
        *name; /* full; of a row: ends with a dot, *parameter* NULL, *new_value* "" added, NULL deleted */
    const ModelParameter *parameter;
    const char *old_value, *new_value; /* real values, also of hidden parameters */
} ModelChange;

/* One wish of the HeMS. */
typedef struct ModelSet {
    const char *name, *value;
    const char *type; /* the wire's xsi:type without prefix; a mismatch is logged, the value decides */
} ModelSet;

/* Why one wish is refused. */
typedef struct ModelFault {
    const char *name; /* as in the wish */
    int code;         /* CwmpFault */
    char text[128];
} ModelFault;

/* What a successful set did. */
typedef struct ModelOutcome {
    unsigned topics_set;     /* topics of all parameters named, also of those that had the value already */
    unsigned topics_changed; /* topics of those whose value is another now */
} ModelOutcome;

typedef struct ModelConfig {
    /* Makes a set durable before it counts: all of *changes* or nothing. 0, or negative errno, then nothing
     * has changed and the HeMS gets 9002. NULL: nothing is kept. */
    int (*commit)(void *userdata, const ModelChange *changes, size_t n);
    /* Judges one value that fits the model, the present one too, before anything is committed: NULL, or why
     * the box cannot act on it, which the HeMS gets with 9001. NULL: everything can be acted on. */
    const char *(*veto)(void *userdata, const ModelChange *change);
    void *userdata;
} ModelConfig;

typedef struct Model Model;

/* All values initial. 0 or -ENOMEM. */
int model_new(Model **ret, const ModelConfig *config);
/* Wipes secrets. NULL is fine. */
void model_free(Model *model);

/* Sets a value from this side, read-only parameters included, without commit: what the store kept, what
 * factory data says, what the box reports. 0, -ENOMEM, or a CwmpFault (unknown name, value that does not
 * fit), then nothing has changed. */
int model_put(Model *model, const char *path, const char *value);

/* The same for a value of a MODEL_REPORTED parameter that another part of the box has measured; "": it is not
 * known any more and reads as in the beginning. 0, -ENOMEM, 9005, 9007, or 9008 for a parameter that is not
 * reported. */
int model_report(Model *model, const char *path, const char *value);
/* Has it a value that means something? False for a MODEL_REPORTED parameter that nobody has reported. */
bool model_is_known(const Model *model, const ModelParameter *parameter);
/* The row of a full name; NULL: there is none. */
const ModelParameter *model_parameter(const Model *model, const char *path);

/* The real value, hidden or not; asserts that *path* is in parameters.def. Lives until it changes. */
const char *model_get(const Model *model, const char *path);
bool model_get_boolean(const Model *model, const char *path);
uint32_t model_get_unsigned(const Model *model, const char *path);
/* Seconds since 1970 of a dateTime; INT64_MIN for the Unknown Time (0001-01-01T00:00:00Z) and an empty value.
 */
int64_t model_get_time(const Model *model, const char *path);

/* Gets name, descriptor (NULL for an object) and the value as the HeMS may see it (NULL for an object).
 * Non-zero stops the walk and is returned. */
typedef int (*ModelVisitor)(void *userdata, const char *name, const ModelParameter *parameter,
                            const char *value);

/* GetParameterNames (TR-069 A.3.2.3): *path* is a full name, a partial path with a dot at its end, or "".
 * 0, 9005 unknown, 9003 next_level with a full name, or what the visitor returned. */
int model_list(const Model *model, const char *path, bool next_level, ModelVisitor visitor, void *userdata);
/* GetParameterValues (A.3.2.2) for one of its names: a full name, or a partial path: all parameters below it.
 * 0, 9005, or what the visitor returned. */
int model_read(const Model *model, const char *path, ModelVisitor visitor, void *userdata);
/* The parameters that go into every Inform. 0 or what the visitor returned. */
int model_read_forced(const Model *model, ModelVisitor visitor, void *userdata);

/* SetParameterValues (A.3.2.1), all or nothing; *parameter_key* becomes ManagementServer.ParameterKey with
 * it. 0; a CwmpFault: 9003 with *ret_faults* (malloc'ed, *ret_n_faults*; NULL, 0 when the fault is about the
 * call), 9002 when the commit failed, 9004; or -ENOMEM. */
int model_set(Model *model, const ModelSet *sets, size_t n, const char *parameter_key, ModelOutcome *ret,
              ModelFault **ret_faults, size_t *ret_n_faults);

/* The same in two steps, so that others may object between them. model_prepare_set(): as model_set(), with
 * nothing changed yet; _add() and _delete(): AddObject (A.3.2.6), DeleteObject (A.3.2.7), 0, -ENOMEM or a
 * CwmpFault. *sets* must outlive the transaction. */
typedef struct ModelTransaction ModelTransaction;
int model_prepare_set(Model *model, const ModelSet *sets, size_t n, const char *parameter_key,
                      ModelTransaction **ret, ModelFault **ret_faults, size_t *ret_n_faults);
int model_prepare_add(Model *model, const char *path, const char *parameter_key, ModelTransaction **ret,
                      uint32_t *ret_instance);
int model_prepare_delete(Model *model, const char *path, const char *parameter_key, ModelTransaction **ret);
/* What would change; they live as long as the transaction. */
const ModelChange *model_transaction_changes(const ModelTransaction *transaction, size_t *ret_n);
/* Frees it in any case. 0, 9002, 9004 or -ENOMEM, then nothing has changed. */
int model_commit(Model *model, ModelTransaction *transaction, ModelOutcome *ret);
/* Gives it up. NULL is fine. */
void model_transaction_free(ModelTransaction *transaction);

/* Attributes of a parameter (A.3.2.4, A.3.2.5). */
typedef struct ModelAttributes {
    const char *name;      /* when set: a partial path too */
    bool set_notification; /* model_attributes_set() alone */
    int notification;      /* 0..6 */
    bool set_access;       /* model_attributes_set() alone */
    const char *access;    /* entities, separated by commas */
} ModelAttributes;
typedef int (*ModelAttributesVisitor)(void *userdata, const ModelAttributes *attributes);
/* 0, 9005, or what the visitor returned. */
int model_attributes_read(const Model *model, const char *path, ModelAttributesVisitor visitor,
                          void *userdata);
/* All or nothing: 0, -ENOMEM or a CwmpFault. */
int model_attributes_set(Model *model, const ModelAttributes *attributes, size_t n);

/* What an S1 stack needs to know, as the model has it now: literals with their address, names with none; port
 * 36412 and mode "One" where nothing is set. */
void model_s1(const Model *model, S1Config *ret);

/* The type on the wire, "unsignedInt". */
const char *model_type_wire(ModelType type);
/* All rows, for tests and documentation. */
const ModelParameter *model_parameters(size_t *ret_n);
