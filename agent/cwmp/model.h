/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The data model of the box (Device:2 with FAPService:2) and its values: names, types, what may be set,
 * atomic changes. The facts are in datamodel.txt. Rules: TR-069 A.3.2, TR-106 3.2. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cwmp/schema.h"
#include "status.h"

/* Limits beyond which the HeMS gets 9004. */
#define MODEL_ROWS_MAX          1024 /* of one table that says nothing else */
#define MODEL_REPORTED_ROWS_MAX 32
#define MODEL_PARAMETERS_MAX    100000   /* of all objects together */
#define MODEL_BYTES_MAX         16777216 /* of all values that are not the initial ones */
#define MODEL_NAME_MAX          384      /* of a full name, with its NUL */
#define MODEL_LIVE_MAX          1088     /* of a live value, with its NUL */

typedef enum ModelChangeKind {
    MODEL_CHANGE_VALUE,
    MODEL_CHANGE_ROW, /* *name* ends with a dot, *parameter* is NULL, *new_value* "" added, NULL deleted */
    /* For the store alone, under *name*; a NULL *new_value* is to be forgotten. */
    MODEL_CHANGE_INSTANCES, /* model_put_instances() */
    MODEL_CHANGE_ATTRIBUTE, /* model_put_attribute() */
} ModelChangeKind;

/* One value that changed, or that was set to what it was and is MODEL_ASSIGNED; or one of the other kinds. A
 * value of a row that goes has a NULL *new_value*: the store is to forget it. */
typedef struct ModelChange {
    const char *name; /* full */
    const ModelParameter *parameter;
    const char *old_value, *new_value; /* real values, also of hidden parameters */
    ModelChangeKind kind;
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
    /* The value of a MODEL_LIVE parameter at the time of reading, in *buf*: 0, or negative errno, then it
     * reads as what was put last. NULL: all do. */
    int (*live)(void *userdata, const char *name, const ModelParameter *parameter, char *buf, size_t size);
    /* A parameter with notification 1 or 2 has changed since model_watch(), and not by CWMP. It is for
     * model_read_changed(). */
    void (*noticed)(void *userdata, int notification);
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
/* The same, and it is no change to tell a HeMS of. */
int model_put_quietly(Model *model, const char *path, const char *value);

/* The same for a value of a MODEL_REPORTED parameter that another part of the box has measured; "": it is not
 * known any more and reads as in the beginning. 0, -ENOMEM, 9005, 9007, or 9008 for a parameter that is not
 * reported. */
int model_report(Model *model, const char *path, const char *value);
/* Has it a value that means something? False for a MODEL_REPORTED parameter that nobody has reported, and for
 * what is no full name. */
bool model_is_known(const Model *model, const char *path);
/* The description of a full name; NULL: there is none. */
const ModelParameter *model_parameter(const Model *model, const char *path);

/* The real value, hidden or not; asserts that there is such a
 * parameter. Lives until it changes. */
const char *model_get(const Model *model, const char *path);
bool model_get_boolean(const Model *model, const char *path);
uint32_t model_get_unsigned(const Model *model, const char *path);
/* Seconds since 1970 of a dateTime; INT64_MIN for the Unknown Time (0001-01-01T00:00:00Z) and an empty value.
 */
int64_t model_get_time(const Model *model, const char *path);

/* From now on changes of this side are noticed: before, they are what the box began with. */
void model_watch(Model *model);

/* A row that the box makes itself: what it can see, no configuration. *table* and *row* end with a dot. Not
 * kept over a restart. 0, -ENOMEM, -ENOENT no such table or row, -ENOSPC. */
int model_row_add(Model *model, const char *table, uint32_t *ret_instance);
int model_row_remove(Model *model, const char *row);

/* What the store kept of a MODEL_CHANGE_INSTANCES or _ATTRIBUTE. Instances come before values and attributes,
 * in the order of their names. 0, -ENOMEM, 9005 (also for a table that the HeMS cannot fill), or 9007 for a
 * text that is none; then nothing has changed. */
int model_put_instances(Model *model, const char *table, const char *text);
int model_put_attribute(Model *model, const char *name, const char *text);

/* Gets name, descriptor (NULL for an object) and the value as the HeMS may see it (NULL for an object).
 * Non-zero stops the walk and is returned. */
typedef int (*ModelVisitor)(void *userdata, const char *name, const ModelParameter *parameter,
                            const char *value);

/* A ModelVisitor that ends its walk with 1: there is one. */
int model_any(void *userdata, const char *name, const ModelParameter *parameter, const char *value);

/* GetParameterNames (TR-069 A.3.2.3): *path* is a full name, a partial path with a dot at its end, or "".
 * 0, 9005 unknown, 9003 next_level with a full name, or what the visitor returned. */
int model_list(const Model *model, const char *path, bool next_level, ModelVisitor visitor, void *userdata);
/* GetParameterValues (A.3.2.2) for one of its names: a full name, or a partial path: all parameters below it.
 * 0, 9005, or what the visitor returned. */
int model_read(const Model *model, const char *path, ModelVisitor visitor, void *userdata);
/* The parameters that go into every Inform. 0 or what the visitor returned. */
int model_read_forced(const Model *model, ModelVisitor visitor, void *userdata);
/* The MODEL_REPORTED parameters of *path* that are known. 0, 9005, or what the visitor returned. */
int model_read_reported(const Model *model, const char *path, ModelVisitor visitor, void *userdata);
/* May the HeMS add rows to this table, or delete this row? False for what is none. */
bool model_is_creatable(const Model *model, const char *path);

/* What a 4 VALUE CHANGE Inform must carry: changes with notification that no HeMS has taken yet. 0 or what
 * the visitor returned. */
int model_read_changed(const Model *model, ModelVisitor visitor, void *userdata);
/* The HeMS has taken the last one read: what has changed since stays. */
void model_changes_delivered(Model *model);

/* SetParameterValues (A.3.2.1), all or nothing; *parameter_key* becomes ManagementServer.ParameterKey with
 * it. 0; a CwmpFault: 9003 with *ret_faults* (malloc'ed, *ret_n_faults*; NULL, 0 when the fault is about the
 * call), 9002 when the commit failed, 9004; or -ENOMEM. */
int model_set(Model *model, const ModelSet *sets, size_t n, const char *parameter_key, ModelOutcome *ret,
              ModelFault **ret_faults, size_t *ret_n_faults);

/* The same in two steps, so that others may object between them. model_prepare_set(): as model_set(), with
 * nothing changed yet; _add() and _delete(): AddObject (A.3.2.6), DeleteObject (A.3.2.7), 0, -ENOMEM or a
 * CwmpFault. *sets* must outlive it until then. */
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
    int notification;      /* 0 off, 1 passive, 2 active; lightweight ones (3..6) are not offered */
    bool set_access;       /* model_attributes_set() alone */
    const char *access;    /* entities, separated by commas */
} ModelAttributes;
typedef int (*ModelAttributesVisitor)(void *userdata, const ModelAttributes *attributes);
/* 0, 9005, or what the visitor returned. */
int model_attributes_read(const Model *model, const char *path, ModelAttributesVisitor visitor,
                          void *userdata);
/* All or nothing: 0, -ENOMEM, 9002, 9003, 9005, or 9009 where active notification is refused or cannot be
 * switched off. A partial path is all that is below it now. */
int model_attributes_set(Model *model, const ModelAttributes *attributes, size_t n);

/* As in the beginning (3.7.1.5: with 0 BOOTSTRAP). 0 or negative errno, then nothing has changed. */
int model_attributes_reset(Model *model);

/* What an S1 stack needs to know, as the model has it now: literals with their address, names with none; port
 * 36412 and mode "One" where nothing is set. */
void model_s1(const Model *model, S1Config *ret);

/* The type on the wire, "unsignedInt". */
const char *model_type_wire(ModelType type);
/* All templates, for tests and documentation. */
const ModelParameter *model_parameters(size_t *ret_n);
