/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See reload.h. */
#include "reload.h"

#include "base/log.h"

/* What begins again must find files that can be used. */
static int restart_check(const Config *next, const ConfigDifference *difference, char *error) {
    _cleanup_(security_freep) Security *probe = NULL;
    int r = security_new(&probe, next, NULL, error);

    if (r == 0)
        log_notice("reload: what runs cannot take another %s: the tunnel is taken down, and all begins again",
                   difference->restart);
    return r;
}

static void tell(const ConfigDifference *difference, const Reloaded *done) {
    if (*difference->in_place)
        log_notice("reload: in force from now on: %s", difference->in_place);
    if (done->credentials)
        log_notice("reload: certificate, roots or revocation lists are others than before");
    if (!*difference->in_place && !done->credentials)
        log_notice("reload: nothing has changed");
}

int reload(const char *path, Config *config, Security *security, Config *next, Reloaded *ret, char *error) {
    ConfigDifference difference;

    *ret = (Reloaded){};
    int r = config_load(next, path, error);
    if (r < 0)
        return r;
    config_compare(config, next, &difference);
    ret->restart = *difference.restart;
    if (ret->restart)
        return restart_check(next, &difference, error);
    r = security_reload(security, next, &ret->credentials, error);
    if (r < 0)
        return r;
    ret->log_level = next->log_level != config->log_level;
    *config = *next; /* whole: lines may have moved, and those who borrow it find all at its place */
    if (ret->log_level)
        log_set_level(config->log_level);
    tell(&difference, ret);
    return 0;
}
