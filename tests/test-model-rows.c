/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rows that come and go, attributes, and what is noticed: expectations 25 to 33 and 47 of the model. */
#include <check.h>
#include <stdio.h>

#include "base/macro.h"
#include "cwmp/fault.h"
#include "cwmp/model.h"
#include "suite.h"

#define LTE       "Device.Services.FAPService.1.FAPControl.LTE."
#define EPC       "Device.Services.FAPService.1.CellConfig.LTE.EPC."
#define NEIGHBORS "Device.Services.FAPService.1.CellConfig.LTE.RAN.NeighborList."
#define CELLS     NEIGHBORS "LTECell."
#define MS        "Device.ManagementServer."
#define GPS       "Device.FAP.GPS."

DEFINE_CLEANUP(Model, model_free)

typedef struct Record {
    ModelChangeKind kind;
    char name[256], value[256];
    bool gone;
} Record;

/* What a store would have, and what was noticed. */
typedef struct Box {
    Record records[256];
    size_t n, commits;
    int error, noticed, n_noticed;
} Box;

static int box_commit(void *userdata, const ModelChange *changes, size_t n) {
    Box *box = userdata;
    box->commits++;
    if (box->error != 0)
        return box->error;
    for (size_t i = 0; i < n; i++) {
        size_t k = 0;
        if (changes[i].kind == MODEL_CHANGE_ROW)
            continue;
        while (k < box->n &&
               (box->records[k].kind != changes[i].kind || !streq(box->records[k].name, changes[i].name)))
            k++;
        ck_assert_uint_lt(k, ARRAY_SIZE(box->records));
        box->n = MAX(box->n, k + 1);
        Record *record = &box->records[k];
        record->kind = changes[i].kind;
        record->gone = !changes[i].new_value;
        snprintf(record->name, sizeof record->name, "%s", changes[i].name);
        snprintf(record->value, sizeof record->value, "%s", strempty(changes[i].new_value));
    }
    return 0;
}

static void box_noticed(void *userdata, int notification) {
    Box *box = userdata;
    box->noticed = notification;
    box->n_noticed++;
}

static int compare_records(const void *a, const void *b) {
    return strcmp(((const Record *)a)->name, ((const Record *)b)->name);
}

/* As after a restart. */
static Model *box_start(Box *box) {
    static const ModelChangeKind order[] = {MODEL_CHANGE_INSTANCES, MODEL_CHANGE_VALUE,
                                            MODEL_CHANGE_ATTRIBUTE};
    Model *model;
    ck_assert_int_eq(
        model_new(&model, &(ModelConfig){.commit = box_commit, .noticed = box_noticed, .userdata = box}), 0);
    qsort(box->records, box->n, sizeof box->records[0], compare_records);
    for (size_t k = 0; k < ARRAY_SIZE(order); k++)
        for (size_t i = 0; i < box->n; i++) {
            const Record *r = &box->records[i];
            if (r->kind != order[k] || r->gone)
                continue;
            ck_assert_int_eq(r->kind == MODEL_CHANGE_INSTANCES ? model_put_instances(model, r->name, r->value)
                             : r->kind == MODEL_CHANGE_VALUE   ? model_put(model, r->name, r->value)
                                                             : model_put_attribute(model, r->name, r->value),
                             0);
        }
    model_watch(model);
    return model;
}

static int set(Model *model, const char *name, const char *value) {
    ModelOutcome outcome;
    _cleanup_free_ ModelFault *faults = NULL;
    size_t n;
    int r = model_set(model, &(ModelSet){name, value, ""}, 1, "", &outcome, &faults, &n);
    return r == FAULT_INVALID_ARGUMENTS && n == 1 ? faults[0].code : r;
}

/* The instance number, or a negative fault. */
static int add(Model *model, const char *table) {
    ModelTransaction *transaction;
    ModelOutcome outcome;
    uint32_t instance;
    int r = model_prepare_add(model, table, "added", &transaction, &instance);
    if (r == 0)
        r = model_commit(model, transaction, &outcome);
    return r == 0 ? (int)instance : -abs(r);
}

static int delete (Model *model, const char *row) {
    ModelTransaction *transaction;
    ModelOutcome outcome;
    int r = model_prepare_delete(model, row, "deleted", &transaction);
    return r == 0 ? model_commit(model, transaction, &outcome) : r;
}

static int collect(void *userdata, const char *name, const ModelParameter *parameter, const char *value) {
    char *text = userdata;
    sprintf(text + strlen(text), "%s%s%s ", name, value ? "=" : "", strempty(value));
    return 0;
}

static const char *list(Model *model, const char *path) {
    static char text[4096];
    text[0] = 0;
    ck_assert_int_eq(model_list(model, path, true, collect, text), 0);
    return text;
}

START_TEST(expectation_24_a_name_that_does_not_exist) {
    _cleanup_(model_freep) Model *model = box_start(&(Box){0});
    static const char *const names[] = {"Device.Gone",
                                        CELLS "1.",
                                        CELLS "1.Enable",
                                        "Device.Services.FAPService.01.",
                                        "Device.Services.FAPService.{i}.",
                                        "Device.Services.FAPService.1",
                                        "device.DeviceInfo.",
                                        "Device..",
                                        "Device.Services.FAPService.4294967297.",
                                        "Device.Services.FAPService.-1."};
    char text[4096] = "";
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        ck_assert_msg(model_read(model, names[i], collect, text) == FAULT_INVALID_NAME, "%s", names[i]);
    ck_assert_str_eq(text, "");
}
END_TEST

START_TEST(expectation_25_tables_without_rows) {
    _cleanup_(model_freep) Model *model = box_start(&(Box){0});
    char text[4096] = "";
    ck_assert_str_eq(list(model, CELLS), "");
    ck_assert_int_eq(model_list(model, CELLS, false, collect, text), 0);
    ck_assert_str_eq(text, CELLS " ");
    text[0] = 0;
    ck_assert_int_eq(model_read(model, CELLS, collect, text), 0);
    ck_assert_str_eq(text, "");
    ck_assert_int_eq(add(model, CELLS), 1);
    ck_assert_str_eq(list(model, CELLS), CELLS "1. ");
    ck_assert_str_eq(model_get(model, CELLS "1.Enable"), "false");
    ck_assert_str_eq(model_get(model, NEIGHBORS "LTECellNumberOfEntries"), "1");
    ck_assert_str_eq(model_get(model, MS "ParameterKey"), "added");
}
END_TEST

START_TEST(expectation_29_what_may_be_written) {
    _cleanup_(model_freep) Model *model = box_start(&(Box){0});
    ck_assert(model_is_creatable(model, CELLS));
    ck_assert(!model_is_creatable(model, "Device.Services.FAPService."));
    ck_assert(!model_is_creatable(model, "Device.DeviceInfo."));
    ck_assert_int_eq(set(model, LTE "OpState", "true"), FAULT_NOT_WRITABLE);
    ck_assert_int_eq(set(model, NEIGHBORS "LTECellNumberOfEntries", "1"), FAULT_NOT_WRITABLE);
    ck_assert_int_eq(add(model, "Device.Services.FAPService."), -FAULT_INVALID_NAME);
    ck_assert_int_eq(add(model, "Device.DeviceInfo."), -FAULT_INVALID_NAME);
    ck_assert_int_eq(add(model, CELLS "1."), -FAULT_INVALID_NAME);
    ck_assert_int_eq(delete (model, "Device.Services.FAPService.1."), FAULT_INVALID_NAME);
    ck_assert_int_eq(delete (model, CELLS), FAULT_INVALID_NAME);
    ck_assert_int_eq(delete (model, CELLS "1."), FAULT_INVALID_NAME);
    /* At least one PLMN stays. */
    ck_assert_int_eq(delete (model, EPC "PLMNList.1."), FAULT_REQUEST_DENIED);
    ck_assert_str_eq(model_get(model, MS "ParameterKey"), "");
}
END_TEST

static int collect_flags(void *userdata, const char *name, const ModelParameter *parameter,
                         const char *value) {
    char *text = userdata;
    if (parameter)
        sprintf(text + strlen(text), "%s %d\n", name, (parameter->flags & MODEL_WRITE) != 0);
    return 0;
}

/* What GetParameterNames calls writable is not refused as read-only, and all else is. */
START_TEST(expectation_29_writable_is_honest) {
    _cleanup_(model_freep) Model *model = box_start(&(Box){0});
    ck_assert_int_eq(add(model, CELLS), 1);
    _cleanup_free_ char *text = calloc(1, 1 << 20);
    ck_assert_int_eq(model_list(model, "", false, collect_flags, text), 0);
    char *rest = text, *line;
    unsigned n[2] = {0};
    while (*(line = strsep(&rest, "\n"))) {
        char *writable = strchr(line, ' ');
        *writable++ = 0;
        int r = set(model, line, model_get(model, line));
        ck_assert_msg((r != FAULT_NOT_WRITABLE) == (*writable == '1'), "%s: %d", line, r);
        n[*writable == '1']++;
    }
    ck_assert_uint_gt(n[0], 100);
    ck_assert_uint_gt(n[1], 100);
}
END_TEST

static int attributes(Model *model, const char *name, int notification) {
    return model_attributes_set(
        model, &(ModelAttributes){.name = name, .set_notification = true, .notification = notification}, 1);
}

static const char *changed(Model *model) {
    static char text[4096];
    text[0] = 0;
    ck_assert_int_eq(model_read_changed(model, collect, text), 0);
    return text;
}

START_TEST(expectation_30_only_changes_that_cwmp_did_not_make) {
    Box box = {0};
    _cleanup_(model_freep) Model *model = box_start(&box);
    ck_assert_int_eq(attributes(model, MS "PeriodicInformInterval", 1), 0);
    ck_assert_int_eq(set(model, MS "PeriodicInformInterval", "300"), 0);
    ck_assert_int_eq(set(model, MS "PeriodicInformInterval", "300"), 0);
    ck_assert_int_eq(add(model, CELLS), 1);
    ck_assert_int_eq(box.n_noticed, 0);
    ck_assert_str_eq(changed(model), "");
    /* By this side. */
    ck_assert_int_eq(model_put(model, MS "PeriodicInformInterval", "300"), 0);
    ck_assert_int_eq(box.n_noticed, 0);
    ck_assert_int_eq(model_put(model, MS "PeriodicInformInterval", "301"), 0);
    ck_assert_int_eq(box.noticed, 1);
    ck_assert_int_eq(model_report(model, LTE "OpState", "true"), 0);
    ck_assert_int_eq(box.noticed, 2);
    ck_assert_int_eq(model_report(model, GPS "LockedLatitude", "1"), 0);
    ck_assert_int_eq(box.n_noticed, 2);
    ck_assert_str_eq(changed(model), MS "PeriodicInformInterval=301 " LTE "OpState=true ");
    /* What changes while that Inform is on its way is for the next one. */
    ck_assert_int_eq(model_report(model, LTE "OpState", "false"), 0);
    ck_assert_int_eq(model_report(model, LTE "RFTxStatus", "true"), 0);
    model_changes_delivered(model);
    ck_assert_str_eq(changed(model), LTE "OpState=false " LTE "RFTxStatus=true ");
    /* An Inform that nobody took carried nothing away. */
    ck_assert_str_eq(changed(model), LTE "OpState=false " LTE "RFTxStatus=true ");
    ck_assert_int_eq(attributes(model, LTE "OpState", 0), 0);
    ck_assert_str_eq(changed(model), LTE "RFTxStatus=true ");
    model_changes_delivered(model);
    ck_assert_str_eq(changed(model), "");
}
END_TEST

START_TEST(expectation_31_the_parameter_key_goes_with_success) {
    Box box = {0};
    _cleanup_(model_freep) Model *model = box_start(&box);
    ck_assert_int_eq(add(model, CELLS), 1);
    ck_assert_int_eq(set(model, CELLS "1.CID", "-1"), FAULT_INVALID_VALUE);
    box.error = -ENOSPC;
    ck_assert_int_eq(add(model, CELLS), -FAULT_INTERNAL_ERROR);
    ck_assert_int_eq(delete (model, CELLS "1."), FAULT_INTERNAL_ERROR);
    ck_assert_str_eq(list(model, CELLS), CELLS "1. ");
    ck_assert_str_eq(model_get(model, MS "ParameterKey"), "added");
    box.error = 0;
    ck_assert_int_eq(delete (model, CELLS "1."), 0);
    ck_assert_str_eq(model_get(model, MS "ParameterKey"), "deleted");
    model_free(model);
    model = box_start(&box);
    ck_assert_str_eq(model_get(model, MS "ParameterKey"), "deleted");
}
END_TEST

START_TEST(expectation_32_instance_numbers) {
    Box box = {0};
    _cleanup_(model_freep) Model *model = box_start(&box);
    for (int i = 1; i <= 3; i++)
        ck_assert_int_eq(add(model, CELLS), i);
    ck_assert_int_eq(set(model, CELLS "2.PLMNID", "00101"), 0);
    ck_assert_int_eq(attributes(model, CELLS "2.PLMNID", 2), 0);
    ck_assert_int_eq(delete (model, CELLS "3."), 0);
    model_free(model);
    model = box_start(&box);
    ck_assert_str_eq(list(model, CELLS), CELLS "1. " CELLS "2. ");
    ck_assert_str_eq(model_get(model, CELLS "2.PLMNID"), "00101");
    ck_assert_int_eq(add(model, CELLS), 4);
    /* Nothing of a row that is gone is left. */
    ck_assert_int_eq(delete (model, CELLS "2."), 0);
    for (size_t i = 0; i < box.n; i++)
        ck_assert_msg(box.records[i].gone ||
                          strncmp(box.records[i].name, CELLS "2.", strlen(CELLS "2.")) != 0,
                      "%s", box.records[i].name);
    model_free(model);
    model = box_start(&box);
    ck_assert_str_eq(list(model, CELLS), CELLS "1. " CELLS "4. ");
    ck_assert_int_eq(add(model, CELLS), 5);
}
END_TEST

START_TEST(expectation_33_long_values) {
    _cleanup_(model_freep) Model *model = box_start(&(Box){0});
    ModelOutcome outcome;
    ModelFault *faults;
    size_t n;
    _cleanup_free_ char *value = malloc(65537);
    memset(value, 'x', 65536);
    value[65536] = 0;
    /* Longer than the type allows is a fault of the value, at any length. */
    int r = model_set(model, &(ModelSet){MS "Password", value, "string"}, 1, "", &outcome, &faults, &n);
    ck_assert_int_eq(r, FAULT_INVALID_ARGUMENTS);
    ck_assert_int_eq(faults[0].code, FAULT_INVALID_VALUE);
    free(faults);
    value[256] = 0;
    ck_assert_int_eq(set(model, MS "Password", value), 0);
    char text[1024] = "";
    ck_assert_int_eq(model_read(model, MS "Password", collect, text), 0);
    ck_assert_str_eq(text, MS "Password= ");
}
END_TEST

START_TEST(expectation_47_the_words_of_a_femtocell) {
    _cleanup_(model_freep) Model *model = box_start(&(Box){0});
    ck_assert_int_eq(add(model, EPC "PLMNList."), 2);
    ck_assert_int_eq(set(model, EPC "PLMNList.2.PLMNID", "00101"), 0);
    ck_assert_int_eq(set(model, EPC "PLMNList.2.IsPrimary", "1"), 0);
    ck_assert_int_eq(set(model, EPC "PLMNList.2.CellReservedForOperatorUse", "1"), 0);
    ck_assert_int_eq(set(model, EPC "PLMNList.2.Enable", "1"), 0);
    ck_assert_int_eq(set(model, LTE "Gateway.S1SigLinkServerList", "192.0.2.1, 192.0.2.2"), 0);
    ck_assert_str_eq(model_get(model, LTE "Gateway.S1SigLinkServerList"), "192.0.2.1,192.0.2.2");
    ck_assert_int_eq(add(model, "Device.FAP.PerfMgmt.Config."), 1);
    ck_assert_int_eq(set(model, "Device.FAP.PerfMgmt.Config.1.PeriodicUploadInterval", "900"), 0);
    ck_assert_int_eq(set(model, "Device.FAP.PerfMgmt.Config.1.URL", "https://pm.example/"), 0);
    /* The keys of two rows that are in use differ. */
    ck_assert_int_eq(set(model, EPC "PLMNList.1.PLMNID", "00101"), 0);
    ck_assert_int_eq(set(model, EPC "PLMNList.1.Enable", "1"), FAULT_INVALID_VALUE);
    ck_assert_str_eq(model_get(model, EPC "PLMNList.1.Enable"), "false");
    ck_assert_int_eq(set(model, EPC "PLMNList.2.Enable", "0"), 0);
    ck_assert_int_eq(set(model, EPC "PLMNList.1.Enable", "1"), 0);
    for (int i = 3; i <= 6; i++)
        ck_assert_int_eq(add(model, EPC "PLMNList."), i);
    ck_assert_int_eq(add(model, EPC "PLMNList."), -FAULT_RESOURCES_EXCEEDED);
}
END_TEST

static int read_attributes(void *userdata, const ModelAttributes *a) {
    sprintf((char *)userdata + strlen(userdata), "%d%s ", a->notification, a->access);
    return 0;
}

START_TEST(attributes_are_kept) {
    Box box = {0};
    _cleanup_(model_freep) Model *model = box_start(&box);
    char text[4096] = "";
    ck_assert_int_eq(attributes(model, "Device.DeviceInfo.SoftwareVersion", 0), FAULT_NOTIFICATION_REJECTED);
    ck_assert_int_eq(attributes(model, "Device.DeviceInfo.UpTime", 2), FAULT_NOTIFICATION_REJECTED);
    ck_assert_int_eq(attributes(model, "Device.DeviceInfo.UpTime", 1), 0);
    ck_assert_int_eq(attributes(model, "Device.Gone", 1), FAULT_INVALID_NAME);
    ck_assert_int_eq(attributes(model, MS "URL", 3), FAULT_INVALID_ARGUMENTS);
    ck_assert_int_eq(attributes(model, "Device.Time.", 2), 0);
    const ModelAttributes both[] = {
        {.name = MS "URL", .set_notification = true, .notification = 1},
        {.name = MS "URL", .set_access = true, .access = "Subscriber"},
        {.name = "Device.Gone", .set_access = true, .access = ""},
    };
    ck_assert_int_eq(model_attributes_set(model, both, 3), FAULT_INVALID_NAME);
    ck_assert_int_eq(model_attributes_read(model, MS "URL", read_attributes, text), 0);
    ck_assert_str_eq(text, "0 ");
    ck_assert_int_eq(model_attributes_set(model, both, 2), 0);
    model_free(model);
    model = box_start(&box);
    text[0] = 0;
    ck_assert_int_eq(model_attributes_read(model, MS "URL", read_attributes, text), 0);
    ck_assert_int_eq(model_attributes_read(model, "Device.Time.", read_attributes, text), 0);
    ck_assert_str_eq(text, "1Subscriber 2 2 2 2 2 2 2 0 2 ");
    box.error = -EROFS;
    ck_assert_int_eq(attributes(model, MS "URL", 2), FAULT_INTERNAL_ERROR);
    ck_assert_int_lt(model_attributes_reset(model), 0);
    box.error = 0;
    text[0] = 0;
    ck_assert_int_eq(model_attributes_read(model, MS "URL", read_attributes, text), 0);
    ck_assert_int_eq(model_attributes_reset(model), 0);
    ck_assert_int_eq(model_attributes_read(model, MS "URL", read_attributes, text), 0);
    ck_assert_str_eq(text, "1Subscriber 0 ");
    model_free(model);
    model = box_start(&box);
    ck_assert_int_eq(model_attributes_read(model, MS "URL", read_attributes, text), 0);
    ck_assert_str_eq(text, "1Subscriber 0 0 ");
}
END_TEST

START_TEST(rows_that_the_box_makes) {
    Box box = {0};
    _cleanup_(model_freep) Model *model = box_start(&box);
    uint32_t instance;
    ck_assert_int_eq(attributes(model, "Device.IP.InterfaceNumberOfEntries", 1), 0);
    ck_assert_int_eq(model_row_add(model, "Device.IP.Interface.", &instance), 0);
    ck_assert_uint_eq(instance, 1);
    ck_assert_int_eq(model_row_add(model, "Device.IP.Interface.1.IPv4Address.", &instance), 0);
    ck_assert_str_eq(changed(model), "Device.IP.InterfaceNumberOfEntries=1 ");
    ck_assert_int_eq(model_row_remove(model, "Device.IP.Interface.1."), 0);
    ck_assert_int_eq(model_row_remove(model, "Device.IP.Interface.1."), -ENOENT);
    ck_assert_int_eq(model_row_remove(model, "Device.IP."), -ENOENT);
    ck_assert_int_eq(model_row_add(model, "Device.IP.", &instance), -ENOENT);
    ck_assert_int_eq(model_row_add(model, "Device.IP.Interface.", &instance), 0);
    ck_assert_uint_eq(instance, 2);
    for (int i = 1; i < MODEL_ROWS_MAX; i++)
        ck_assert_int_eq(model_row_add(model, "Device.IP.Interface.", &instance), 0);
    ck_assert_int_eq(model_row_add(model, "Device.IP.Interface.", &instance), -ENOSPC);
    /* Cells are numbered by who reports them. */
    ck_assert_int_eq(model_report(model, "Device.Services.FAPService.1.REM.LTE.Cell.7.RF.RSRP", "-80"), 0);
    ck_assert_str_eq(model_get(model, "Device.Services.FAPService.1.REM.LTE.CellNumberOfEntries"), "5");
    ck_assert_int_eq(model_report(model, "Device.Services.FAPService.1.REM.LTE.Cell.99.RF.RSRP", "-80"),
                     FAULT_RESOURCES_EXCEEDED);
    ck_assert_int_eq(model_report(model, "Device.Services.FAPService.1.REM.LTE.Cell.8.RF.Gone", "-80"),
                     FAULT_INVALID_NAME);
    /* A report that is refused makes no row for itself. */
    ck_assert_int_eq(model_report(model, "Device.Services.FAPService.1.REM.LTE.Cell.8.RF.RSRP", "loud"),
                     FAULT_INVALID_VALUE);
    ck_assert_int_eq(
        model_report(model, "Device.Services.FAPService.1.REM.LTE.Cell.8.BCCH.PLMNList.33.PLMNID", "00101"),
        FAULT_RESOURCES_EXCEEDED);
    ck_assert_int_eq(model_report(model, "Device.Services.FAPService.1.REM.LTE.Cell.08.RF.RSRP", "-80"),
                     FAULT_INVALID_NAME);
    ck_assert_str_eq(model_get(model, "Device.Services.FAPService.1.REM.LTE.CellNumberOfEntries"), "5");
    ck_assert_int_eq(model_report(model, "Device.Services.FAPService.2.FAPControl.LTE.OpState", "1"),
                     FAULT_RESOURCES_EXCEEDED);
}
END_TEST

/* Between prepare and commit others may object; a row that goes meanwhile is no crash. */
START_TEST(what_is_prepared_may_be_given_up) {
    Box box = {0};
    _cleanup_(model_freep) Model *model = box_start(&box);
    ModelTransaction *t;
    ModelFault *faults;
    ModelOutcome outcome;
    uint32_t instance;
    size_t n;
    ck_assert_int_eq(model_prepare_add(model, CELLS, "k", &t, &instance), 0);
    const ModelChange *changes = model_transaction_changes(t, &n);
    ck_assert_uint_eq(n, 2);
    ck_assert_str_eq(changes[0].name, CELLS "1.");
    ck_assert_ptr_null(changes[0].parameter);
    ck_assert_str_eq(changes[0].new_value, "");
    ck_assert_str_eq(changes[1].name, MS "ParameterKey");
    model_transaction_free(t);
    ck_assert_str_eq(list(model, CELLS), "");
    ck_assert_str_eq(model_get(model, MS "ParameterKey"), "");
    ck_assert_int_eq(model_row_add(model, "Device.IP.Interface.", &instance), 0);
    ck_assert_int_eq(model_prepare_set(model, &(ModelSet){"Device.IP.Interface.1.Alias", "a", ""}, 1, "k", &t,
                                       &faults, &n),
                     0);
    ck_assert_int_eq(model_row_remove(model, "Device.IP.Interface.1."), 0);
    ck_assert_int_eq(model_commit(model, t, &outcome), FAULT_INTERNAL_ERROR);
    ck_assert_uint_eq(box.commits, 0);
}
END_TEST

START_TEST(instances_of_a_damaged_store) {
    static const char *const bad[] = {"",       "3",     ":",    "3:4",
                                      "3:0",    "3:1,1", "x:1",  "4294967296:1",
                                      "3:1,,2", "3:,1",  "-1:1", "99999999999999999999999:1",
                                      "3:2,1",  "3:1,",  "3:1:2"};
    _cleanup_(model_freep) Model *model = box_start(&(Box){0});
    ck_assert_int_eq(model_put_instances(model, CELLS, "4:2,4"), 0);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        ck_assert_msg(model_put_instances(model, CELLS, bad[i]) == FAULT_INVALID_VALUE, "%s", bad[i]);
        ck_assert_msg(model_parameter(model, CELLS "4.CID") && !model_parameter(model, CELLS "1.CID"), "%s",
                      bad[i]);
    }
    /* What others rely on being there is no HeMS's to delete. */
    ck_assert_int_eq(model_put_instances(model, "Device.Services.FAPService.", "3:"), FAULT_INVALID_NAME);
    ck_assert(!model_get_boolean(model, LTE "AdminState"));
    ck_assert_int_eq(model_put_instances(model, "Device.Gone.", "1:1"), FAULT_INVALID_NAME);
    ck_assert_int_eq(model_put_attribute(model, MS "URL", "3-"), FAULT_INVALID_VALUE);
    ck_assert_int_eq(model_put_attribute(model, MS "URL", "1"), FAULT_INVALID_VALUE);
}
END_TEST

static int live(void *userdata, const char *name, const ModelParameter *parameter, char *buf, size_t size) {
    if (!streq(name, "Device.DeviceInfo.UpTime"))
        return -ENOENT;
    snprintf(buf, size, "42");
    return 0;
}

START_TEST(live_values_are_asked_for) {
    _cleanup_(model_freep) Model *model = NULL;
    char text[256] = "";
    ck_assert_int_eq(model_new(&model, &(ModelConfig){.live = live}), 0);
    ck_assert_int_eq(model_read(model, "Device.DeviceInfo.UpTime", collect, text), 0);
    ck_assert_int_eq(model_read(model, "Device.DeviceInfo.MemoryStatus.Free", collect, text), 0);
    ck_assert_str_eq(text, "Device.DeviceInfo.UpTime=42 Device.DeviceInfo.MemoryStatus.Free=0 ");
}
END_TEST

SUITE("model-rows", expectation_24_a_name_that_does_not_exist, expectation_25_tables_without_rows,
      expectation_29_what_may_be_written, expectation_29_writable_is_honest,
      expectation_30_only_changes_that_cwmp_did_not_make, expectation_31_the_parameter_key_goes_with_success,
      expectation_32_instance_numbers, expectation_33_long_values, expectation_47_the_words_of_a_femtocell,
      attributes_are_kept, rows_that_the_box_makes, what_is_prepared_may_be_given_up,
      instances_of_a_damaged_store, live_values_are_asked_for)
