/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Faults of the box, as the HeMS sees them in Device.FaultMgmt (TR-181; severities of X.733): those the agent
 * finds itself, and those that other daemons tell of. Pure: time in; rows of the tables go out through
 * Rows.
 *
 * SupportedAlarm says of each kind how it is told, which the HeMS may change: Expedited, Queued and Logged
 * alarms are in CurrentAlarm while they last, and each of their events is in HistoryEvent; of Expedited and
 * Queued ones the last event is in ExpeditedEvent or QueuedEvent, too, for the notifications of these tables.
 * Of Disabled ones nothing is told. HistoryEvent, ExpeditedEvent and QueuedEvent grow to their limit, then
 * the oldest row is written anew. Nothing outlives the agent: whoever raised an alarm raises it again. */
#pragma once

#include <stdint.h>

#include "base/macro.h"
#include "base/moment.h"
#include "row-set.h"

#define ALARM_CURRENT_MAX   32 /* MaxCurrentAlarmEntries; other daemons leave room for ours */
#define ALARM_SUPPORTED_MAX 64
#define ALARM_HISTORY_MAX   64
#define ALARM_REPORTED_MAX  32 /* of ExpeditedEvent, and of QueuedEvent */
#define ALARM_FAULT_MGMT    "Device.FaultMgmt."

typedef struct Alarms Alarms;

/* What the agent finds itself. */
typedef enum AlarmOwn {
    ALARM_SEGW_UNREACHABLE,
    ALARM_HEMS_UNREACHABLE,
    ALARM_CERTIFICATE_EXPIRES,
    ALARM_STORE_DAMAGED,
    ALARM_CLOCK_UNTRUSTED,
    ALARM_OWN_,
} AlarmOwn;

/* An alarm that another daemon tells of; strings are never NULL. */
typedef struct AlarmWish {
    const char *event_type, *probable_cause; /* 1 to 64 characters */
    const char *specific_problem;            /* up to 128; these three make it what it is */
    const char *severity;                    /* Critical, Major, Minor, Warning, Indeterminate */
    const char *object;                      /* ManagedObjectInstance: a path of the data model, or "" */
    const char *text, *information;          /* longer ones than 256 characters are cut */
} AlarmWish;

/* Adds the rows of SupportedAlarm for our own alarms, in the order of AlarmOwn: before the store is loaded.
 * *seed* makes AlarmIdentifiers differ from those of an earlier run: the time, or a random number. *rows* is
 * copied. 0 or -ENOMEM. */
int alarms_new(Alarms **ret, const Rows *rows, uint64_t seed);
void alarms_free(Alarms *alarms);
DEFINE_CLEANUP(Alarms, alarms_free)

/* One of ours begins, goes on (perhaps with another text), or is over; to be called as often as one likes.
 * *real*: microseconds since 1970, 0 while the time is not known. */
void alarm_set(Alarms *alarms, usec_t real, AlarmOwn which, bool raised, const char *text);
bool alarm_lasts(const Alarms *alarms, AlarmOwn which);
/* Another daemon's. NULL, or why it is not taken (static text). To raise one that lasts changes it. */
const char *alarm_raise(Alarms *alarms, usec_t real, const AlarmWish *wish);
/* NULL, also when there is none, or why not. */
const char *alarm_clear(Alarms *alarms, usec_t real, const char *event_type, const char *probable_cause,
                        const char *specific_problem);

/* A parameter was set by the HeMS, or was loaded from the store: false, if it is no ReportingMechanism of
 * ours. What becomes Disabled leaves CurrentAlarm; what is so no more and lasts is a new alarm. */
bool alarms_configure(Alarms *alarms, usec_t real, const char *path, const char *value);

/* How many last, whether they are told or not. */
size_t alarms_lasting(const Alarms *alarms);
