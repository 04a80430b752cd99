/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The way to a server that a HeMS names (TS 32.593 5.1.2): within the tunnel, its name asked of the
 * operator's DNS there and the socket bound to the inner address; or outside, where nothing of CWMP goes in
 * clear. To an operator from which the box is de-registered there is none (5.1.4). */
#pragma once

#include "base/url.h"
#include "names.h"

typedef struct Passage {
    bool outside;
    /* Is this host one that the box must stay away from? NULL: none is. */
    bool (*barred)(void *userdata, const char *host);
    void *userdata;
} Passage;

/* May *url* be gone to, whoever its operator is? */
bool passage_may_go(const char *url, bool outside, Url *ret);
/* Asks *names* for the addresses of the host of *url*. 0, or negative errno, -EPROTONOSUPPORT and -EPERM
 * among them: then no answer comes, and *ret_why* says why (static text). */
int passage_ask(const Passage *passage, Names *names, const char *url, ResolverHandler handler,
                void *userdata, const char **ret_why);
/* What a socket to *address* is bound to: the inner address, or outside none (AF_UNSPEC). 0;
 * -EAFNOSUPPORT: there is no inner address of the family. */
int passage_source(const IkeConfiguration *inside, bool outside, const Address *address, Address *ret);
