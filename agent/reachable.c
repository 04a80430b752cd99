/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See reachable.h. */
#include "reachable.h"

#include <net/if.h>
#include <stdio.h>

#include "base/log.h"
#include "told.h"

#define META_PATH         "connection-request-path"
#define PATH_BYTES        16
#define MANAGEMENT_SERVER "Device.ManagementServer."

struct Reachable {
    Store *store;
    ConnectionRequestIo *io;
    char interface[IF_NAMESIZE];
    Address address; /* AF_UNSPEC: there is no tunnel */
    char url[URL_MAX_BYTES];
};

/* *ret* has 2 * PATH_BYTES + 1 bytes. */
static void path_make(const Rng *rng, char *ret) {
    uint8_t bytes[PATH_BYTES];

    rng->fill(rng->userdata, bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++)
        sprintf(ret + 2 * i, "%02x", bytes[i]);
}

int reachable_new(Reachable **ret, sd_event *event, Store *store, const Rng *rng,
                  ConnectionRequestHandler handler, void *userdata) {
    _cleanup_(reachable_freep) Reachable *reachable = calloc(1, sizeof *reachable);
    _cleanup_free_ char *stored = NULL;
    char made[2 * PATH_BYTES + 1];

    if (!reachable)
        return -ENOMEM;
    reachable->store = store;
    int r = store_get_meta(store, META_PATH, &stored);
    if (r < 0 && r != -ENOENT)
        return r;
    if (!stored || strlen(stored) != sizeof made - 1) {
        path_make(rng, made);
        (void)store_set_meta(store, META_PATH,
                             made); /* which logs why not: a HeMS is told another one then */
    } else
        memcpy(made, stored, sizeof made);
    r = connection_request_io_new(&reachable->io, event, made, rng, handler, userdata);
    if (r == 0)
        *ret = TAKE_PTR(reachable);
    return r;
}

void reachable_free(Reachable *reachable) {
    if (!reachable)
        return;
    connection_request_io_free(reachable->io);
    free(reachable);
}

void reachable_update(Reachable *reachable, Model *model) {
    bool wanted = reachable->address.family != AF_UNSPEC &&
                  model_get_boolean(model, MANAGEMENT_SERVER "HTTPConnectionRequestEnable");

    connection_request_io_set_credentials(reachable->io,
                                          model_get(model, MANAGEMENT_SERVER "ConnectionRequestUsername"),
                                          model_get(model, MANAGEMENT_SERVER "ConnectionRequestPassword"));
    if (!wanted) {
        connection_request_io_close(reachable->io);
        reachable->url[0] = 0;
    } else if (!*reachable->url &&
               connection_request_io_open(reachable->io, reachable->interface, &reachable->address,
                                          REACHABLE_PORT, reachable->url) < 0)
        reachable->url[0] = 0;
    int r = *reachable->url
                ? told_put(reachable->store, model, TOLD_CONNECTION_REQUEST_URL, reachable->url)
                : model_put_quietly(model, TOLD_CONNECTION_REQUEST_URL, ""); /* nobody is there to be told */
    if (r != 0)
        log_warning("the URL of connection requests, %s, does not fit the data model", reachable->url);
}

void reachable_move(Reachable *reachable, Model *model, const char *interface, const Address *address) {
    reachable->url[0] = 0;
    connection_request_io_close(reachable->io);
    reachable->address = address ? *address : (Address){};
    snprintf(reachable->interface, sizeof reachable->interface, "%s", address ? interface : "");
    reachable_update(reachable, model);
}
