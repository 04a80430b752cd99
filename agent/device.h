/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The box as its HeMS sees it: the data model with what the store keeps of it, what the factory data say, and
 * what is measured. */
#pragma once

#include "alarm.h"
#include "base/rng.h"
#include "base/site.h"
#include "config.h"
#include "cwmp/model.h"
#include "store/store.h"

#define DEVICE_HEMS_URL "Device.ManagementServer.URL"

typedef struct Device Device;

/* What it points to must outlive the device. */
typedef struct DeviceConfig {
    const Config *factory;
    const char *password; /* for the HeMS, until one sets another; NULL or "": none */
    Store *store;
    const char *state_directory; /* what of the box's memory is persistent */
    const Rng *rng;
    /* Is *host*, a name or an address, of an operator from which the box is de-registered? No HeMS may send
     * it there: 9001. NULL: nobody is. */
    bool (*barred)(void *userdata, const char *host);
    /* The value of a parameter that is asked for and that the system does not tell: 0 with it in *buf*, or
     * negative errno. NULL: there is none. */
    int (*live)(void *userdata, const char *name, char *buf, size_t size);
    /* A parameter with notification has changed, and not by CWMP: ModelConfig.noticed. NULL: nobody is told.
     */
    void (*noticed)(void *userdata, int notification);
    /* The HeMS, or a reset, has changed something of these MODEL_TOPICS. NULL: nobody is told. */
    void (*changed)(void *userdata, unsigned topics);
    /* Microseconds since 1970; 0 while the time is not known. NULL: it never is. */
    usec_t (*real)(void *userdata);
    void *userdata;
} DeviceConfig;

/* 0 or negative errno, logged; -EINVAL: the factory data do not fit the data model. */
int device_new(Device **ret, const DeviceConfig *config);
/* NULL is fine. */
void device_free(Device *device);
DEFINE_CLEANUP(Device, device_free)

/* As the factory data and the store, which has forgotten what it should, have it now; what others have
 * reported stays, alarms are to be raised again. 0 or negative errno: it is as it was. */
int device_reset(Device *device);

/* These two live until device_reset(). */
Model *device_model(const Device *device);
Alarms *device_alarms(const Device *device);
/* For rows that the box makes; as long as the device. */
const Rows *device_rows(const Device *device);
/* The HeMS has changed something of these MODEL_TOPICS. */
void device_changed(Device *device, unsigned topics);
/* As DeviceConfig.real. */
usec_t device_real(const Device *device);
/* What may have changed in the system is looked at: interfaces, addresses, processes. */
void device_refresh(Device *device);

/* Somebody has measured *value* of a parameter with REPORTED in datamodel.txt, "": it is not known any more.
 * NULL, or why it is not taken (static text). It is forgotten with the device. */
const char *device_report(Device *device, const char *path, const char *value);
/* Is a GPS position or a cell of the radio environment known? */
bool device_location_known(const Device *device);
/* The serving side that a HeMS has assigned: ManagementServer.URL and those of SecGWServer1..3 that are not
 * empty. One of them that no HeMS has set is the factory data's: of the serving pair, of the initial one
 * where there is no other. Setting one to what it was counts, too. False: no HeMS has ever set one, since the
 * last reset. Survives restarts. */
bool device_assignment(const Device *device, Site *ret);
