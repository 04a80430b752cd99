/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See sites.h. */
#include "discovery/sites.h"

#include <strings.h>

#include "base/macro.h"

static bool site_exists(const Site *site) {
    return site->hems_url[0];
}

void sites_start(Sites *sites) {
    sites->current = SITE_LEARNED;
    while (sites->current < SITES_ && !site_exists(&sites->items[sites->current]))
        sites->current++;
    assert(sites->current < SITES_);
    sites_succeeded(sites);
}

const Site *sites_current(const Sites *sites) {
    return &sites->items[sites->current];
}

bool sites_failed(Sites *sites, Moment now) {
    if (sites->dead_since == USEC_NEVER)
        sites->dead_since = now.mono;
    if (sites->failed < sites->fallback_rounds)
        sites->failed++;
    return sites->fallback_rounds > 0 && sites->failed == sites->fallback_rounds &&
           now.mono - sites->dead_since >= sites->fallback_time;
}

bool sites_next(Sites *sites) {
    for (unsigned i = 1; i < SITES_; i++) {
        SiteKind next = (SiteKind)(((unsigned)sites->current + i) % SITES_);
        if (site_exists(&sites->items[next])) {
            sites->current = next;
            return true;
        }
    }
    return false;
}

void sites_succeeded(Sites *sites) {
    sites->failed = 0;
    sites->dead_since = USEC_NEVER;
}

void sites_learn(Sites *sites, const Site *site) {
    sites->items[SITE_LEARNED] = *site;
    sites->current = SITE_LEARNED;
    sites_succeeded(sites);
}

void sites_unlearn(Sites *sites) {
    sites->items[SITE_LEARNED] = (Site){};
    sites_start(sites);
}

bool sites_is_news(const Sites *sites, const Site *site) {
    const Site *known = &sites->items[SITE_LEARNED];

    if (site->n_segws != known->n_segws || !streq(site->hems_url, known->hems_url))
        return true;
    for (size_t i = 0; i < site->n_segws; i++)
        if (strcasecmp(site->segws[i], known->segws[i]) != 0)
            return true;
    return false;
}

bool site_has_segw(const Site *site, const char *name) {
    for (size_t i = 0; i < site->n_segws; i++)
        if (strcasecmp(site->segws[i], name) == 0)
            return true;
    return false;
}
