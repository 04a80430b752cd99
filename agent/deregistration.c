/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See deregistration.h. */
#include "deregistration.h"

#include "base/log.h"
#include "base/macro.h"
#include "base/url.h"

#define META_KNOWN "known-hems" /* a mark's text, which marks nobody */

static bool url_is_barred(const OperatorMark *mark, const char *text) {
    Url url;
    return url_parse(text, &url, NULL) == 0 && operator_mark_bars_host(mark, url.host);
}

/* The same name, or any of its hosts: who writes new factory data for the same operator under another name
 * has not become another operator's customer. */
static bool bars_factory(const Deregistration *d) {
    const Config *f = d->factory;
    return operator_mark_bars_name(&d->mark, d->operator_name) || url_is_barred(&d->mark, f->serving.hems) ||
           url_is_barred(&d->mark, f->initial.hems);
}

/* Without it the next mark knows fewer hosts: no reason not to start. */
static void known_load(Deregistration *d) {
    _cleanup_free_ char *text = NULL;
    if (store_get_meta(d->store, META_KNOWN, &text) == 0 && operator_mark_parse(text, &d->known) < 0)
        log_warning("the HeMSs that were assigned before cannot be read");
}

int deregistration_load(Deregistration *ret, Store *store, const Config *factory) {
    _cleanup_free_ Deregistration *d = calloc(1, sizeof *d); /* large */
    _cleanup_free_ char *text = NULL;
    Url url;

    if (!d)
        return -ENOMEM;
    d->store = store;
    d->factory = factory;
    int r = url_parse(*factory->serving.hems ? factory->serving.hems : factory->initial.hems, &url, NULL);
    if (r < 0)
        return r;
    operator_name(factory->operator_name, url.host, d->operator_name);
    known_load(d);
    r = store_get_mark(store, &text);
    if (r == 0)
        r = operator_mark_parse(text, &d->mark);
    if (r == -EBADMSG) {
        log_error("the mark of a de-registration cannot be read: taken for one from this operator");
        d->in_force = true;
    } else if (r == 0)
        d->in_force = bars_factory(d);
    else if (r != -ENOENT)
        return r;
    if (d->in_force)
        log_message(LOG_NOTICE, MESSAGE_DEREGISTERED,
                    &(LogFields){.clause = "5.1.4", .operator = d->operator_name},
                    "this box is de-registered from operator %s (TS 32.593 5.1.4); "
                    "ClearDeregistration() on D-Bus takes that back",
                    d->operator_name);
    *ret = *d;
    return 0;
}

bool deregistration_is_marked(const Deregistration *d) {
    return d->in_force || d->mark.name[0] || d->mark.n > 0;
}

bool deregistration_bars(const Deregistration *d, const char *host) {
    return operator_mark_bars_host(&d->mark, host);
}

static void add_host(OperatorMark *mark, const char *host) {
    if (*host && operator_mark_add_host(mark, host) == -ENOSPC)
        log_warning("de-registration: there are too many hosts to remember %s", host);
}

static void add_url(OperatorMark *mark, const char *text) {
    Url url;
    if (url_parse(text, &url, NULL) == 0)
        add_host(mark, url.host);
}

void deregistration_learn(Deregistration *d, const char *url) {
    _cleanup_free_ char *text = malloc(OPERATOR_MARK_MAX_BYTES);

    if (url_is_barred(&d->known, url) || !text) /* barred: known already */
        return;
    add_url(&d->known, url);
    if (operator_mark_format(&d->known, text, OPERATOR_MARK_MAX_BYTES) == 0)
        (void)store_set_meta(d->store, META_KNOWN, text); /* which logs why not */
}

int deregistration_set(Deregistration *d, bool binding) {
    _cleanup_free_ char *text = malloc(OPERATOR_MARK_MAX_BYTES);
    _cleanup_free_ OperatorMark *mark = malloc(sizeof *mark);

    if (!text || !mark) {
        d->in_force |= binding;
        return -ENOMEM;
    }
    *mark = d->mark; /* hosts of an operator marked before stay barred */
    memcpy(mark->name, d->operator_name, sizeof mark->name);
    add_url(mark, d->factory->serving.hems);
    add_url(mark, d->factory->initial.hems);
    for (size_t i = 0; i < d->known.n; i++)
        add_host(mark, d->known.suffixes[i]);
    int r = operator_mark_format(mark, text, OPERATOR_MARK_MAX_BYTES);
    if (r == 0)
        r = store_set_mark(d->store, text);
    if (r < 0)
        log_error("the mark of the de-registration cannot be stored: %s", strerror(-r));
    else
        log_message(LOG_NOTICE, MESSAGE_DEREGISTERED,
                    &(LogFields){.clause = "5.1.4", .operator = d->operator_name},
                    "de-registered from operator %s (TS 32.593 5.1.4)", d->operator_name);
    if (r == 0 || binding) {
        d->mark = *mark;
        d->known = (OperatorMark){}; /* it is in the mark now */
        d->in_force = true;
    }
    return r;
}

int deregistration_clear(Deregistration *d) {
    int r = store_set_mark(d->store, NULL);
    if (r < 0)
        return r;
    d->mark = (OperatorMark){};
    d->in_force = false;
    log_message(LOG_NOTICE, MESSAGE_DEREGISTRATION_CLEARED,
                &(LogFields){.clause = "5.1.4", .operator = d->operator_name}, "no longer de-registered");
    return 0;
}
