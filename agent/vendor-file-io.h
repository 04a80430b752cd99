/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The files that a HeMS may ask for with Upload (TR-069 A.4.1.5), made in the spool: the vendor configuration
 * file (vendor-config.h) and the vendor log file (vendor-log-io.h). */
#pragma once

#include <systemd/sd-event.h>

#include "base/macro.h"
#include "cwmp/model.h"
#include "spool-io.h"

typedef struct VendorFile VendorFile;

/* *error* 0: ID.file is there; or negative errno: then nothing is. Once, from the event loop; it may free the
 * VendorFile. */
typedef void (*VendorFileHandler)(void *userdata, int error);

/* Makes ID.file of *file_type*, one that transfers_upload() takes; *model* is read before it returns, *spool*
 * must outlive it. 0; 1: it is there already, and no handler is called; or negative errno. */
int vendor_file_new(VendorFile **ret, sd_event *event, Spool *spool, const char *id, const char *file_type,
                    const Model *model, VendorFileHandler handler, void *userdata);
/* Abandons what is not whole. NULL is fine. */
void vendor_file_free(VendorFile *file);
DEFINE_CLEANUP(VendorFile, vendor_file_free)
