/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What TS 32.593 clause 5.1.2 finds the way by: the security gateways, in the order to try, and the HeMS
 * behind them. The factory data hold up to two (initial and serving), the HeMS sets one (SecGWServer1..3,
 * ManagementServer.URL). */
#pragma once

#include <stddef.h>

#include "base/address.h"
#include "base/url.h"

#define SITE_SEGWS_MAX 3 /* FAPService:2: SecGWServer1..3 */

typedef struct Site {
    size_t n_segws;                             /* 0: the HeMS is on the public internet (5.1.2.4) */
    char segws[SITE_SEGWS_MAX][HOST_MAX_BYTES]; /* names or addresses */
    char hems_url[URL_MAX_BYTES];               /* "": there is no such site */
} Site;
