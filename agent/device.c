/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See device.h. */
#include "device.h"

#include <stdio.h>

#include "base/log.h"
#include "base/url.h"
#include "box-io.h"
#include "cwmp/fault.h"
#include "ipsec-facts.h"
#include "kept.h"
#include "told.h"

#define FAP_CONTROL "Device.Services.FAPService.1.FAPControl."
#define GATEWAY     FAP_CONTROL "LTE.Gateway."
#define REM_CELLS   "Device.Services.FAPService.1.REM.LTE.Cell."

static const char *const gateways[] = {GATEWAY "SecGWServer1", GATEWAY "SecGWServer2",
                                       GATEWAY "SecGWServer3"};
static_assert(ARRAY_SIZE(gateways) == SITE_SEGWS_MAX, "a SecGWServer for each");

/* What device_reset() makes anew. */
typedef struct Tree {
    Model *model;
    Box *box;
    Alarms *alarms;
    bool assigned; /* a HeMS has set a MODEL_ASSIGNED parameter: it is in the store */
} Tree;

struct Device {
    DeviceConfig config;
    Rows rows;
    Tree tree;
};

/* The model's side ------------------------------------------------------------------------------------ */

static int on_commit(void *userdata, const ModelChange *changes, size_t n) {
    Device *device = userdata;
    return kept_commit(device->config.store, changes, n, &device->tree.assigned);
}

/* A de-registered box initiates nothing towards that operator (TS 32.593 5.1.4), on whoever's word. */
static const char *on_veto(void *userdata, const ModelChange *change) {
    const Device *device = userdata;
    const char *host = change->new_value;
    Url url;

    if (!(change->parameter->flags & MODEL_ASSIGNED) || !device->config.barred || !*host)
        return NULL;
    if (change->parameter->type == MODEL_URL) {
        if (url_parse(host, &url, NULL) < 0)
            return NULL;
        host = url.host;
    }
    return device->config.barred(device->config.userdata, host)
               ? "this host's operator is one that this box is de-registered from"
               : NULL;
}

static int on_live(void *userdata, const char *name, const ModelParameter *parameter, char *buf,
                   size_t size) {
    const Device *device = userdata;
    int r = box_live(device->tree.box, name, parameter, buf, size);
    return r == -ENOENT && device->config.live ? device->config.live(device->config.userdata, name, buf, size)
                                               : r;
}

static void on_noticed(void *userdata, int notification) {
    const Device *device = userdata;
    if (device->config.noticed)
        device->config.noticed(device->config.userdata, notification);
}

static int on_row_add(void *userdata, const char *table, uint32_t *ret_instance) {
    const Device *device = userdata;
    return model_row_add(device->tree.model, table, ret_instance);
}

static int on_row_remove(void *userdata, const char *row) {
    const Device *device = userdata;
    return model_row_remove(device->tree.model, row);
}

static int on_row_report(void *userdata, const char *path, const char *value) {
    const Device *device = userdata;
    const ModelParameter *parameter = model_parameter(device->tree.model, path);
    int r = parameter && parameter->flags & MODEL_REPORTED ? model_report(device->tree.model, path, value)
                                                           : model_put(device->tree.model, path, value);
    return r > 0 ? -EINVAL : r;
}

/* Factory data ---------------------------------------------------------------------------------------- */

typedef struct FactoryValue {
    const char *path, *value;
} FactoryValue;

static int factory_put(Model *model, const FactoryValue *values, size_t n) {
    for (size_t i = 0; i < n; i++) {
        int r = model_put(model, values[i].path, values[i].value);
        if (r != 0) {
            log_error("%s=%s does not fit the data model (CWMP fault %d)", values[i].path, values[i].value,
                      r);
            return r < 0 ? r : -EINVAL;
        }
    }
    return 0;
}

/* Where the box goes, until a HeMS says something else. */
static int factory_put_site(Model *model, const Config *f) {
    const ConfigPair *pair = *f->serving.hems ? &f->serving : &f->initial;
    const FactoryValue values[] = {{DEVICE_HEMS_URL, pair->hems}, {gateways[0], pair->segw}};
    return factory_put(model, values, ARRAY_SIZE(values));
}

/* How it shows itself there: likewise. */
static int factory_put_login(Model *model, const DeviceConfig *c) {
    const FactoryValue username = {"Device.ManagementServer.Username", c->factory->username};
    int r = factory_put(model, &username, 1);

    if (r == 0)
        r = model_put(model, "Device.ManagementServer.Password", strempty(c->password));
    return r > 0 ? -EINVAL : r;
}

/* What the box is: outranks whatever may have been stored. */
static int factory_put_identity(Model *model, const Config *f) {
    const FactoryValue values[] = {
        {"Device.DeviceInfo.Manufacturer", f->manufacturer},
        {"Device.DeviceInfo.ManufacturerOUI", f->oui},
        {"Device.DeviceInfo.ProductClass", f->product_class},
        {"Device.DeviceInfo.SerialNumber", f->serial_number},
        {"Device.DeviceInfo.HardwareVersion", f->hardware_version},
        {TOLD_SOFTWARE_VERSION, f->software_version},
    };
    return factory_put(model, values, ARRAY_SIZE(values));
}

/* Alarms ---------------------------------------------------------------------------------------------- */

usec_t device_real(const Device *device) {
    return device->config.real ? device->config.real(device->config.userdata) : 0;
}

static int alarm_configure(void *userdata, const char *name, const ModelParameter *parameter,
                           const char *value) {
    const Device *device = userdata;
    (void)alarms_configure(device->tree.alarms, device_real(device), name, value);
    return 0;
}

/* As the HeMS wants each kind to be told. */
static void alarms_read(Device *device) {
    (void)model_read(device->tree.model, ALARM_FAULT_MGMT "SupportedAlarm.", alarm_configure, device);
}

void device_changed(Device *device, unsigned topics) {
    if (topics & MODEL_TOPIC_ALARM)
        alarms_read(device);
    if (topics && device->config.changed)
        device->config.changed(device->config.userdata, topics);
}

/* Life ------------------------------------------------------------------------------------------------ */

static void tree_clear(Tree *tree) {
    alarms_free(tree->alarms);
    box_free(tree->box);
    model_free(tree->model);
    *tree = (Tree){};
}

/* Alarms have rows that the store knows more of; the box's own rows come after what is kept. */
static int tree_fill(Device *device) {
    const DeviceConfig *c = &device->config;
    Tree *tree = &device->tree;
    uint64_t seed;

    c->rng->fill(c->rng->userdata, &seed, sizeof seed);
    int r = factory_put_site(tree->model, c->factory);
    if (r == 0)
        r = factory_put_login(tree->model, c);
    if (r == 0)
        r = alarms_new(&tree->alarms, &device->rows, seed);
    if (r == 0)
        r = kept_load(c->store, tree->model, &tree->assigned);
    if (r == 0)
        r = factory_put_identity(tree->model, c->factory);
    if (r == 0)
        r = box_new(&tree->box, &(BoxConfig){.rows = device->rows,
                                             .tunnel_interface = c->factory->tunnel_interface,
                                             .state_directory = c->state_directory});
    if (r < 0)
        return r;
    ipsec_facts_begin(&device->rows);
    alarms_read(device);
    return 0;
}

/* Into device->tree, which is empty. */
static int tree_make(Device *device) {
    ModelConfig config = {
        .commit = on_commit, .veto = on_veto, .live = on_live, .noticed = on_noticed, .userdata = device};
    int r = model_new(&device->tree.model, &config);

    return r < 0 ? r : tree_fill(device);
}

/* What others have measured is no less true afterwards, and they may not say it again. */
static int report_to(void *userdata, const char *name, const ModelParameter *parameter, const char *value) {
    return model_report(userdata, name, value) == -ENOMEM ? -ENOMEM : 0;
}

int device_reset(Device *device) {
    Tree before = device->tree;

    device->tree = (Tree){};
    int r = tree_make(device);
    if (r == 0)
        r = model_read_reported(before.model, "", report_to, device->tree.model);
    if (r < 0) {
        tree_clear(&device->tree);
        device->tree = before;
        return r;
    }
    model_watch(device->tree.model);
    tree_clear(&before);
    device_changed(device, MODEL_TOPIC_TIME); /* systemd-timesyncd has what the HeMS had set */
    return 0;
}

int device_new(Device **ret, const DeviceConfig *config) {
    _cleanup_(device_freep) Device *device = calloc(1, sizeof *device);

    if (!device)
        return -ENOMEM;
    device->config = *config;
    device->rows =
        (Rows){.add = on_row_add, .remove = on_row_remove, .report = on_row_report, .userdata = device};
    int r = tree_make(device);
    if (r < 0)
        return r;
    model_watch(device->tree.model);
    if (told_put(config->store, device->tree.model, TOLD_SOFTWARE_VERSION,
                 config->factory->software_version) == -ENOMEM)
        return -ENOMEM;
    *ret = TAKE_PTR(device);
    return 0;
}

void device_free(Device *device) {
    if (!device)
        return;
    tree_clear(&device->tree);
    free(device);
}

Model *device_model(const Device *device) {
    return device->tree.model;
}

Alarms *device_alarms(const Device *device) {
    return device->tree.alarms;
}

const Rows *device_rows(const Device *device) {
    return &device->rows;
}

void device_refresh(Device *device) {
    box_refresh(device->tree.box);
}

/* Values ---------------------------------------------------------------------------------------------- */

const char *device_report(Device *device, const char *path, const char *value) {
    switch (model_report(device->tree.model, path, value)) {
    case 0:
        return NULL;
    case FAULT_INVALID_NAME:
        return "there is no such parameter";
    case FAULT_NOT_WRITABLE:
        return "this parameter is not one that is reported";
    case FAULT_INVALID_VALUE:
        return "the value does not fit the type or range of the parameter";
    default: /* an int, no enum of ours */
        return "out of memory";
    }
}

bool device_location_known(const Device *device) {
    const Model *model = device->tree.model;
    return (model_is_known(model, "Device.FAP.GPS.LockedLatitude") &&
            model_is_known(model, "Device.FAP.GPS.LockedLongitude")) ||
           model_read_reported(model, REM_CELLS, model_any, NULL) == 1;
}

bool device_assignment(const Device *device, Site *ret) {
    const Model *model = device->tree.model;
    Site site = {};

    if (!device->tree.assigned)
        return false;
    snprintf(site.hems_url, sizeof site.hems_url, "%s", model_get(model, DEVICE_HEMS_URL));
    for (size_t i = 0; i < ARRAY_SIZE(gateways); i++) {
        const char *segw = model_get(model, gateways[i]);
        if (*segw)
            snprintf(site.segws[site.n_segws++], sizeof site.segws[0], "%s", segw);
    }
    *ret = site;
    return true;
}
