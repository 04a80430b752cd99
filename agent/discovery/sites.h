/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The places to start from (TS 32.593 5.1.2), which of them is in use, and when it has been dead for so long
 * that another one's turn has come. Pure. */
#pragma once

#include <stdbool.h>

#include "base/moment.h"
#include "base/site.h"

/* In the order to try. */
typedef enum SiteKind {
    SITE_LEARNED, /* what a HeMS has assigned */
    SITE_FACTORY, /* the serving pair of the factory data */
    SITE_INITIAL, /* the initial pair, or Initial HeMS, of the factory data */
    SITES_,
} SiteKind;

typedef struct Sites {
    Site items[SITES_];       /* an empty URL: there is none; FACTORY or INITIAL must be there */
    unsigned fallback_rounds; /* failed rounds of a side, and */
    usec_t fallback_time;     /* time without success, before the next one is tried; 0 rounds: never */
    SiteKind current;
    unsigned failed;   /* rounds since the last success, as many as matter */
    usec_t dead_since; /* the first of them */
} Sites;

/* The first there is becomes the current one; nothing has failed yet. */
void sites_start(Sites *sites);
const Site *sites_current(const Sites *sites);
/* Counts a failed round; true when the next one's turn has come. */
bool sites_failed(Sites *sites, Moment now);
/* The next side there is becomes the current one; false: there is no other. The counts stay until one of them
 * succeeds: each has one round then. */
bool sites_next(Sites *sites);
void sites_succeeded(Sites *sites);
/* A HeMS has assigned *site*: it is the current one, with nothing failed. */
void sites_learn(Sites *sites, const Site *site);
/* What was learned is forgotten, for good. */
void sites_unlearn(Sites *sites);
/* Is *site* another word than what was learned before? */
bool sites_is_news(const Sites *sites, const Site *site);
/* Is *name* one of the site's SeGWs, as configured? */
bool site_has_segw(const Site *site, const char *name);
