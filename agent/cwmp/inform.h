/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which parameters an Inform carries (TR-069 3.7.1.5 and A.3.3.1, TS 32.593 5.1.2.3 step 2.1 and 5.1.3 step
 * 1.1): those that the data model forces, those that the factory data names, and those of
 * ManagementServer.InformParameter. Pure. */
#pragma once

#include "cwmp/model.h"
#include "cwmp/soap.h"
#include "status.h"

/* Beyond the forced ones; an Inform is sent in one piece, to a HeMS that may be a small machine. */
#define INFORM_EXTRA_MAX   64
#define INFORM_EXTRA_BYTES (16 * 1024) /* of their names and values */

/* Where the box is, as far as it knows: its position, its outer address, the cells around it. */
#define INFORM_REM(i) " Device.Services.FAPService.1.REM.LTE.Cell." i
#define INFORM_CELL(i)                                                                                       \
    INFORM_REM(i ".RF.")                                                                                     \
    INFORM_REM(i ".BCCH.TAC") INFORM_REM(i ".BCCH.CellID") INFORM_REM(i ".BCCH.PLMNList.")
#define INFORM_LOCATION                                                                                      \
    "Device.FAP.GPS.ScanStatus Device.FAP.GPS.LastSuccessfulScanTime Device.FAP.GPS.LockedLatitude "         \
    "Device.FAP.GPS.LockedLongitude Device.FAP.GPS.NumberOfSatellites Device.IPsec.IKEv2SA.1.LocalAddress "  \
    "Device.IPsec.IKEv2SA.1.RemoteAddress Device.IPsec.IKEv2SA.1.NATDetected" INFORM_CELL("1")               \
        INFORM_CELL("2") INFORM_CELL("3") INFORM_CELL("4")

/* *paths*: full names and partial paths with a dot at their end, separated by spaces. NULL: each exists
 * and together they are not more than INFORM_EXTRA_MAX parameters; otherwise one line that says what is
 * wrong, in *text*; or "out of memory". */
const char *inform_check(const Model *model, const char *paths, char text[static ERROR_MAX_BYTES]);

/* Visits the parameters of an Inform with these events, none twice: the forced ones; with 4 VALUE CHANGE the
 * changed ones (model_read_changed()), all of them; those of the table whose EventList names one of the
 * events, or is empty, but for 4 VALUE CHANGE, which asks for nothing else; those of *paths*. Of the last
 * two, full names come before partial paths; what is not known (model_is_known()) is left out, and so is what
 * does not exist or is too much, which is logged. 0, -ENOMEM, or what the visitor returned. */
int inform_parameters(const Model *model, const char *paths, const SoapEvent *events, size_t n_events,
                      ModelVisitor visitor, void *userdata);
