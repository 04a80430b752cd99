/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Values that change while nobody looks (between two runs of the agent, or while there is no tunnel), and of
 * which the HeMS is to hear only if it has not heard that one already (TR-069 3.7.1.5, 4 VALUE CHANGE): what
 * was told last is in the store. They are among the forced parameters, so each Inform tells them. */
#pragma once

#include "cwmp/model.h"
#include "store/store.h"

#define TOLD_SOFTWARE_VERSION       "Device.DeviceInfo.SoftwareVersion"
#define TOLD_CONNECTION_REQUEST_URL "Device.ManagementServer.ConnectionRequestURL"

/* As model_put(), of one of these two. */
int told_put(Store *store, Model *model, const char *path, const char *value);
/* A HeMS has taken an Inform. What cannot be kept is logged, and told once more. */
void told_keep(Store *store, const Model *model);
