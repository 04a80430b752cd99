/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The vendor configuration file that a HeMS may ask for (TR-069 A.4.1.5): the parameters that can be set, one
 * a line, "NAME=VALUE", bytes outside of printable ASCII and '%' as %XX. No secrets are in it. A file of this
 * kind that comes back (Download) goes to the installer, as every other. Pure. */
#pragma once

#include "base/macro.h"
#include "cwmp/model.h"

#define VENDOR_CONFIG_MAX (4 * 1024 * 1024) /* bytes */

typedef struct VendorConfig {
    char *text; /* NULL: nothing yet; with a NUL at its end */
    size_t size, capacity;
} VendorConfig;

/* A ModelVisitor for model_read(), with a VendorConfig that begins as {0}. 0, -ENOMEM or -E2BIG. */
int vendor_config_visit(void *userdata, const char *name, const ModelParameter *parameter, const char *value);
void vendor_config_clear(VendorConfig *config);
