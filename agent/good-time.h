/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whether the clock can be believed: a box without a battery starts in 1970, or at the time it was built. A
 * time before one that was good once is not believed (TS 33.320 needs a time for certificates). */
#pragma once

#include <stdbool.h>

#include "base/moment.h"
#include "store/store.h"

typedef struct GoodTime {
    Store *store;
    usec_t floor; /* a real time before this is not believed */
    Moment seen;  /* when the gateway's certificate was judged and the clock believed; 0: never */
} GoodTime;

/* *store* must outlive it. 0 or negative errno. */
int good_time_load(GoodTime *ret, Store *store);
bool good_time_now(const GoodTime *time);
/* A certificate was judged just now, by the clock if that is believed: it is a floor for the next start. */
void good_time_seen(GoodTime *time);
/* Stores the present time, as far as it is known to be good. */
void good_time_keep(const GoodTime *time);
