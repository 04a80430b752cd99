/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See names.h. */
#include "names.h"

struct Names {
    sd_event *event;
    const Config *config;
    const IkeConfiguration *inside;
    Resolver *resolvers[RESOLVER_PRIVATE + 1]; /* by side; the private one lives as long as the tunnel */
    ResolverSide asked;                        /* whose answer is waited for */
    bool outside;                              /* for what is reached outside of the tunnel */
    ResolverHandler handler;
    void *userdata;
};

AddressList names_reachable(const Names *names, const AddressList *list) {
    AddressList kept = {};
    for (size_t i = 0; i < list->n; i++)
        if (address_list_find(&names->inside->addresses, list->items[i].family))
            kept.items[kept.n++] = list->items[i];
    return kept;
}

static void on_answer(void *userdata, const ResolverAnswer *answer) {
    Names *names = userdata;
    ResolverAnswer told = *answer;

    if (answer->error == 0 && !names->outside) {
        told.addresses = names_reachable(names, &answer->addresses);
        if (told.addresses.n == 0) {
            told.error = -EADDRNOTAVAIL;
            told.text =
                "the name has addresses of the other family only, for which the tunnel has no inner address";
        }
    }
    names->asked = RESOLVER_NONE;
    names->handler(names->userdata, &told);
}

ResolverConfig names_public(const Config *config) {
    ResolverConfig resolver = {.n_servers = config->n_public_dns};

    memcpy(resolver.servers, config->public_dns, sizeof resolver.servers);
    return resolver;
}

static int public_new(Names *names) {
    ResolverConfig config = names_public(names->config);
    return resolver_new(&names->resolvers[RESOLVER_PUBLIC], names->event, &config);
}

/* The servers the SeGW handed out, else those of PrivateDNS=, asked through the tunnel and nowhere else. */
static int private_new(Names *names) {
    const Config *c = names->config;
    ResolverConfig config = {.interface = c->tunnel_interface, .sources = names->inside->addresses};
    const bool named = names->inside->dns.n > 0;

    config.n_servers = MIN(named ? names->inside->dns.n : c->n_private_dns, (size_t)DNS_SERVERS_MAX);
    if (config.n_servers == 0)
        return -EDESTADDRREQ;
    memcpy(config.servers, named ? names->inside->dns.items : c->private_dns,
           config.n_servers * sizeof config.servers[0]);
    return resolver_new(&names->resolvers[RESOLVER_PRIVATE], names->event, &config);
}

static void resolver_drop(Names *names, ResolverSide side) {
    resolver_free(TAKE_PTR(names->resolvers[side]));
    if (names->asked == side)
        names->asked = RESOLVER_NONE;
}

int names_resolve(Names *names, ResolverSide side, const char *name, bool outside, ResolverHandler handler,
                  void *userdata) {
    int r = 0;

    if (names->asked != RESOLVER_NONE) /* a new question replaces an unanswered one */
        resolver_drop(names, names->asked);
    if (!names->resolvers[side])
        r = side == RESOLVER_PUBLIC ? public_new(names) : private_new(names);
    if (r == 0)
        r = resolver_resolve(names->resolvers[side], name, on_answer, names);
    if (r < 0)
        return r;
    names->asked = side;
    names->outside = outside;
    names->handler = handler;
    names->userdata = userdata;
    return 0;
}

void names_forget(Names *names) {
    if (names->asked != RESOLVER_NONE) /* its servers would be asked again and again */
        resolver_drop(names, names->asked);
    resolver_drop(names, RESOLVER_PRIVATE);
}

int names_new(Names **ret, sd_event *event, const Config *config, const IkeConfiguration *inside) {
    Names *names = calloc(1, sizeof *names);

    if (!names)
        return -ENOMEM;
    *names = (Names){.event = event, .config = config, .inside = inside};
    *ret = names;
    return 0;
}

void names_free(Names *names) {
    if (!names)
        return;
    for (ResolverSide side = RESOLVER_PUBLIC; side <= RESOLVER_PRIVATE; side++)
        resolver_free(names->resolvers[side]);
    free(names);
}
