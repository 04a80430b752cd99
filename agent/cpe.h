/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The CPE of TR-069: CWMP's schedule, and the session that runs now over HTTP and works on the device's data
 * model. Which HeMS that is, and how it is reached, others decide (TS 32.593 5.1.2): here is known that a new
 * one is told 0 BOOTSTRAP. */
#pragma once

#include <systemd/sd-event.h>

#include "base/macro.h"
#include "base/rng.h"
#include "base/site.h"
#include "config.h"
#include "cwmp/rpc-services.h"
#include "cwmp/pm-counters.h"
#include "device.h"
#include "ike/ike-sa.h"
#include "owner-io.h"
#include "store/store.h"

struct TlsConfig;
typedef struct Cpe Cpe;

typedef enum CpeReportType {
    CPE_ACCEPTED,  /* InformResponse (TS 32.593 5.1.3 step 1.2) */
    CPE_ANSWERED,  /* the HeMS has our answer to a SetParameterValues of S1 parameters (step 2.2) */
    CPE_ENDED,     /* the session is over: *text* NULL: it ended well */
    CPE_UNREACHED, /* nothing was heard from that address: no session was had. Open another, or cpe_missed()
                    */
    CPE_DUE,       /* a session is to start now; only while cpe_expect() says so */
} CpeReportType;

typedef struct CpeReport {
    CpeReportType type;
    const char *text;   /* what went wrong, one line */
    const S1Config *s1; /* ANSWERED: as that SetParameterValues left it; ENDED: as it stands */
    bool mme_set;       /* ANSWERED: it named the list or the port, not only mode or AdminState */
    bool silent;        /* UNREACHED: there was no answer in time, not even a refusal */
    int fault;          /* ENDED with a text: CWMP's, if it was one */
    bool factory_reset; /* ENDED: well, and the HeMS has taken our FactoryResetResponse (5.1.4): the box is to
                           be de-registered, of which nothing has been done yet */
    const Site *assignment; /* ENDED: as for device_assignment(); NULL: none */
} CpeReport;

typedef struct CpeConfig {
    sd_event *event;
    const Config *factory;
    Store *store; /* as the next one, not owned */
    Device *device;
    const IkeConfiguration *inside; /* of the tunnel that is up; without addresses when none is */
    const char *state_directory;    /* where the spool is */
    bool clock_trusted;
    const struct TlsConfig *tls; /* for sessions over https; NULL: there are none */
    /* Is *host*, a name or an address, of an operator from which the box is de-registered? No HeMS may send
     * it there: 9001. NULL: nobody is. */
    bool (*barred)(void *userdata, const char *host);
    Rng *rng;
    void (*report)(void *userdata, const CpeReport *report);
    void *userdata;
} CpeConfig;

/* Loads what was stored of schedule and transfers. 0 or negative errno, logged; -EINVAL: an InformParameters=
 * that names what is not there. *config* is copied; what it points to must outlive the CPE. */
int cpe_new(Cpe **ret, const CpeConfig *config);
void cpe_free(Cpe *cpe);
DEFINE_CLEANUP(Cpe, cpe_free)

/* Sessions are with this HeMS from now on. Nothing if it is the one before; otherwise a session is due at
 * once, with 0 BOOTSTRAP, and one that could not be had yet
 * with the HeMS before (CPE_UNREACHED) is given up. A session that runs goes on. */
void cpe_hems(Cpe *cpe, const char *url);
/* A value has changed that a HeMS wants to be told of, and not by its doing: 4 VALUE CHANGE, *active*: as
 * soon as DefaultActiveNotificationThrottle lets it, else with the next session. */
void cpe_value_changed(Cpe *cpe, bool active);
/* Starts a session with *url* at *address*, within the tunnel on *interface*, or outside of any: NULL. It
 * stays with that HeMS whatever is set in it, unless the HeMS redirects it. 0 or negative errno: then nothing
 * is reported, and it is like CPE_UNREACHED; -EAFNOSUPPORT: the tunnel has no inner address of that family.
 */
int cpe_open(Cpe *cpe, const char *url, const Address *address, const char *interface);
/* Ends a session that runs, without a report: it counts as failed, its events stay. */
void cpe_abort(Cpe *cpe);
/* The session that was due could not be tried: counts as failed. */
void cpe_missed(Cpe *cpe);
/* The clock was set, or whether it can be believed has changed. */
void cpe_clock(Cpe *cpe, bool trusted);
/* The tunnel, CpeConfig.inside, is up or gone: a HeMS can ask for sessions there, on *interface*, or nowhere,
 * and files come and go. */
void cpe_inside(Cpe *cpe, const char *interface);
/* Who is asked before a HeMS's set is committed, for the bus. */
OwnerIo *cpe_owners(const Cpe *cpe);
/* For what other daemons count. */
PmCounters *cpe_counters(const Cpe *cpe);
/* What comes next. */
typedef struct CpeView {
    unsigned failures; /* sessions that have failed in a row */
    unsigned waiting;  /* events, bits 1 << EventType */
    usec_t due;        /* when the next session is, on Moment.mono; USEC_NEVER: not planned, or one runs */
} CpeView;
CpeView cpe_view(const Cpe *cpe);
/* Somebody at the box wants a session, at once. */
void cpe_inform(Cpe *cpe);
/* The HeMS is to be asked for a file, at once: see download-request.h. NULL, or why not (static text). */
const char *cpe_request_download(Cpe *cpe, const char *file_type, const SessionFileArg *args, size_t n);
/* Whether CPE_DUE is wanted. */
void cpe_expect(Cpe *cpe, bool expected);
/* De-registration (5.1.4): parameters as in the factory data, in the store and the device too, but for
 * FAPControl.EnclosureTamperingDetected and what was reported; events and schedule as on a new box. A session
 * that runs ends without a report. 0 or negative errno, logged: then the store is as it was, or as it should
 * be, and the next start goes by it. */
int cpe_reset(Cpe *cpe);
