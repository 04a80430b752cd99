/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See reload.h. */
#include "reload.h"

#include "base/log.h"

/* What begins again must find files that can be used. */
static int restart_check(const Config *next, const ConfigDifference *difference, char *error) {
    _cleanup_(security_freep) Security *probe = NULL;
    int r = security_new(&probe, next, NULL, error);

    if (r == 0)
        log_message(
            LOG_NOTICE, MESSAGE_RELOADED, &(LogFields){},
            "reload: what runs cannot take another %s: the tunnel is taken down, and all begins again",
            difference->restart);
    return r;
}

static void tell(const ConfigDifference *difference, const Reloaded *done) {
    const bool keys = *difference->in_place;

    log_message(LOG_NOTICE, MESSAGE_RELOADED, &(LogFields){}, "reload: %s%s%s%s",
                keys ? "in force from now on: " : "", difference->in_place,
                keys && done->credentials ? "; " : "",
                done->credentials ? "certificate, roots or revocation lists are others than before"
                : keys            ? ""
                                  : "nothing has changed");
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
