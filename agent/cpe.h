/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The CPE of TR-069: the data model with what the store keeps of it, CWMP's schedule, and the session that
 * runs now over HTTP. */
#pragma once

#include <systemd/sd-event.h>

#include "base/macro.h"
#include "base/rng.h"
#include "config.h"
#include "cwmp/model.h"

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
} CpeReport;

typedef struct CpeConfig {
    sd_event *event;
    const Config *factory;
    const char *store; /* path of the database */
    Rng *rng;
    void (*report)(void *userdata, const CpeReport *report);
    void *userdata;
} CpeConfig;

/* Opens the store and loads the model: what was stored, then what factory data says. 0 or negative errno,
 * logged. *config* is copied; what it points to must outlive the CPE. */
int cpe_new(Cpe **ret, const CpeConfig *config);
void cpe_free(Cpe *cpe);
DEFINE_CLEANUP(Cpe, cpe_free)

/* Starts a session with *url* at *address*, bound to *interface* and to *source*. 0 or negative errno: then
 * nothing is reported, and it is like CPE_UNREACHED. */
int cpe_open(Cpe *cpe, const char *url, const Address *address, const char *interface, const Address *source);
/* Ends a session that runs, without a report: it counts as failed, its events stay. */
void cpe_abort(Cpe *cpe);
/* The session that was due could not be tried: counts as failed. */
void cpe_missed(Cpe *cpe);
/* Would CPE_DUE come at once? */
bool cpe_is_due(const Cpe *cpe);
/* Whether CPE_DUE is wanted. */
void cpe_expect(Cpe *cpe, bool expected);
/* The S1 parameters as they stand. */
void cpe_s1(const Cpe *cpe, S1Config *ret);
