/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See passage.h. */
#include "passage.h"

bool passage_may_go(const char *url, bool outside, Url *ret) {
    return url_parse(url, ret, NULL) == 0 && (!outside || ret->tls);
}

int passage_ask(const Passage *passage, Names *names, const char *url, ResolverHandler handler,
                void *userdata, const char **ret_why) {
    Url parsed;

    if (!passage_may_go(url, passage->outside, &parsed)) {
        *ret_why = "not without TLS outside of a tunnel";
        return -EPROTONOSUPPORT;
    }
    if (passage->barred && passage->barred(passage->userdata, parsed.host)) {
        *ret_why = "this host's operator is one that this box is de-registered from";
        return -EPERM;
    }
    int r = names_resolve(names, passage->outside ? RESOLVER_PUBLIC : RESOLVER_PRIVATE, parsed.host,
                          passage->outside, handler, userdata);
    if (r < 0)
        *ret_why = strerror(-r);
    return r;
}

int passage_source(const IkeConfiguration *inside, bool outside, const Address *address, Address *ret) {
    const Address *source = outside ? NULL : address_list_find(&inside->addresses, address->family);

    if (!outside && !source)
        return -EAFNOSUPPORT;
    *ret = source ? *source : (Address){};
    return 0;
}
