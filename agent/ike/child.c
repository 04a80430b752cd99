/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The Child SAs of an IkeSa and the states they go through (RFC 7296 2.8): never a moment without an outbound
 * SA, and what is on its way on an old one is taken for a while. */
#include "ike/ike-sa-internal.h"

usec_t rekey_time(IkeSa *sa, usec_t lifetime) {
    return lifetime - lifetime / 10 - rng_below(&sa->config.rng, lifetime / 10 + 1);
}

Child *child_find(IkeSa *sa, uint32_t spi_in) {
    for (size_t i = 0; i < IKE_CHILDREN_MAX && spi_in; i++) {
        Child *c = &sa->children[i];
        if (c->state != CHILD_FREE && c->state != CHILD_GONE && c->sa.spi_in == spi_in)
            return c;
    }
    return NULL;
}

Child *child_find_out(IkeSa *sa, uint32_t spi_out) {
    for (size_t i = 0; i < IKE_CHILDREN_MAX; i++) {
        Child *c = &sa->children[i];
        if (c->state >= CHILD_WAITING && c->state < CHILD_LINGERING && c->sa.spi_out == spi_out)
            return c;
    }
    return NULL;
}

Child *child_in_use(const IkeSa *sa) {
    for (size_t i = 0; i < IKE_CHILDREN_MAX; i++)
        if (sa->children[i].state == CHILD_IN_USE)
            return (Child *)&sa->children[i];
    return NULL;
}

/* What the gateway made in place of the pair *old*, and we have not given up. */
Child *child_replacement(IkeSa *sa, uint32_t old) {
    for (size_t i = 0; i < IKE_CHILDREN_MAX; i++) {
        Child *c = &sa->children[i];
        if ((c->state == CHILD_WAITING || c->state == CHILD_IN_USE) && c->replaces == old)
            return c;
    }
    return NULL;
}

Child *child_reserve(IkeSa *sa) {
    for (size_t i = 0; i < IKE_CHILDREN_MAX; i++) {
        Child *c = &sa->children[i];
        if (c->state != CHILD_FREE)
            continue;
        uint32_t spi = sa->config.allocate_spi(sa->config.userdata);
        if (spi == 0)
            return NULL;
        *c = (Child){.state = CHILD_RESERVED, .rekey_at = USEC_NEVER, .until = USEC_NEVER};
        c->sa.spi_in = spi;
        c->sa.local = sa->local;
        c->sa.remote = sa->remote;
        return c;
    }
    return NULL;
}

void child_fill(const IkeSa *sa, Child *c, const Suite *esp) {
    ChildSa *child = &c->sa;

    child->local = sa->local;
    child->remote = sa->remote;
    child->encapsulate = sa->nat_local || sa->nat_remote;
    child->replay_window = sa->config.replay_window ?: REPLAY_WINDOW_DEFAULT;
    child->esn = esp->by_type[IKE_TRANSFORM_ESN] && esp->by_type[IKE_TRANSFORM_ESN]->id == IKE_ESN_YES;
    child->byte_limit = sa->config.child_bytes;
    child->packet_limit = sa->config.child_packets;
    if (sa->kernel_keepalive && sa->nat_local)
        child->nat_keepalive = (uint32_t)(sa->config.nat_keepalive / USEC_PER_SEC);
    child->algorithms = suite_esp_algorithms(esp);
}

void child_drop(IkeSa *sa, Child *c) {
    if (c->state == CHILD_FREE || c->state == CHILD_GONE)
        return;
    ike_sa_push(sa, (IkeAction){.type = IKE_CHILD_REMOVE, .child = {.child = &c->sa, .parts = c->parts}});
    c->state = CHILD_GONE;
    c->parts = 0;
    c->delete_wanted = c->switching = false;
}

void child_remove(IkeSa *sa, Child *c, unsigned parts) {
    if (!(c->parts & parts))
        return;
    ike_sa_push(sa,
                (IkeAction){.type = IKE_CHILD_REMOVE, .child = {.child = &c->sa, .parts = c->parts & parts}});
    c->parts &= ~parts;
}

void children_silence(IkeSa *sa) {
    for (size_t i = 0; i < IKE_CHILDREN_MAX; i++) {
        Child *c = &sa->children[i];
        if (c->state == CHILD_RESERVED)
            child_drop(sa, c);
        else if (c->state != CHILD_FREE && c->state != CHILD_GONE)
            child_remove(sa, c, CHILD_OUT);
    }
}

void child_install(IkeSa *sa, Child *c, unsigned parts) {
    parts &= ~c->parts;
    c->parts |= parts;
    ike_sa_push(sa, (IkeAction){.type = IKE_CHILD_INSTALL, .child = {.child = &c->sa, .parts = parts}});
}

void child_begin(IkeSa *sa, Child *c, Moment now) {
    usec_t lifetime = sa->config.child_lifetime ?: IKE_CHILD_LIFETIME_DEFAULT;

    c->state = CHILD_IN_USE;
    c->until = now.mono + lifetime;
    c->rekey_at = now.mono + rekey_time(sa, lifetime);
}

/* Takes what is still on its way for a while. */
static void child_linger(IkeSa *sa, Child *c, Moment now) {
    c->delete_wanted = false;
    if (!(c->parts & CHILD_IN)) {
        child_drop(sa, c);
        return;
    }
    c->state = CHILD_LINGERING;
    c->until = now.mono + IKE_CHILD_LINGER;
}

void child_replace(Child *c, Moment now) {
    c->state = CHILD_REPLACED;
    c->rekey_at = USEC_NEVER;
    c->until = now.mono + IKE_DELETE_PATIENCE;
}

void child_switch(IkeSa *sa, Child *c, Moment now) {
    child_begin(sa, c, now);
    c->switching = true;
    child_install(sa, c, CHILD_IN | CHILD_OUT);
}

/* The kernel has it: never a moment without an outbound SA. */
void child_switched(IkeSa *sa, Child *c) {
    Child *old = child_find(sa, c->replaces);

    c->switching = false;
    sa->counters.rekeyed++;
    if (!old)
        return;
    child_remove(sa, old, CHILD_OUT);
    if (old->state == CHILD_LINGERING)
        return;
    child_replace(old, sa->now);
    old->delete_wanted = c->ours;
}

void ike_sa_times(const IkeSa *sa, IkeTimes *ret) {
    const Child *c = child_in_use(sa);

    *ret = (IkeTimes){.created = sa->expires - (sa->config.ike_lifetime ?: IKE_LIFETIME_DEFAULT),
                      .rekey = sa->rekey_at,
                      .child_created = USEC_NEVER,
                      .child_rekey = USEC_NEVER};
    if (c) {
        ret->child_created = c->until - (sa->config.child_lifetime ?: IKE_CHILD_LIFETIME_DEFAULT);
        ret->child_rekey = c->rekey_at;
    }
}

void ike_sa_child_failed(IkeSa *sa, Moment now, uint32_t spi_in) {
    Child *c = child_find(sa, spi_in);
    if (!c || sa->state != STATE_ESTABLISHED)
        return;
    Child *old = child_find(sa, c->replaces);
    bool lost = c->switching && (!old || old->state == CHILD_LINGERING);

    c->parts = 0;
    c->switching = false;
    c->replaces = 0;
    child_sa_wipe_keys(&c->sa);
    child_replace(c, now);
    c->delete_wanted = true; /* the gateway believes in it */
    if (lost && !child_in_use(sa))
        ike_sa_refuse(sa, IKE_END_FAILED, "the kernel refused the keys that follow");
    else if (old)
        old->rekey_at = now.mono + RETRY_LATER;
    ike_sa_proceed(sa, now);
}

bool child_deleted(IkeSa *sa, Child *c, Moment now, IkeWriter *m) {
    bool in_use = c->state == CHILD_IN_USE;
    Child *replacement = child_replacement(sa, c->sa.spi_in);

    /* 1.4.1: not when our own DELETE for it is on its way. */
    if (!(sa->current->request.task == TASK_DELETE_CHILD && sa->current->request.child == c->sa.spi_in))
        ike_delete_write(m, IKE_PROTOCOL_ESP, &c->sa.spi_in, 1);
    child_linger(sa, c, now);
    if (sa->state != STATE_ESTABLISHED) /* it is closed: nothing takes its place */
        return false;
    if (replacement && replacement->state == CHILD_WAITING) {
        child_switch(sa, replacement, now);
        return false;
    }
    if (replacement && replacement->switching)
        return false;
    child_remove(sa, c, CHILD_OUT);
    /* 2.25.1: our own rekeying of it is under way, and may still bring another. */
    return in_use && !child_in_use(sa) &&
           !(sa->creating.task == TASK_REKEY_CHILD && sa->creating.old == c->sa.spi_in);
}

void child_delete_done(IkeSa *sa, uint32_t spi_in, Moment now) {
    Child *c = child_find(sa, spi_in);

    if (c && c->state != CHILD_LINGERING) {
        child_remove(sa, c, CHILD_OUT);
        child_linger(sa, c, now);
    }
}

void ike_sa_expire(IkeSa *sa, Moment now, uint32_t spi, bool hard) {
    Child *c = child_find(sa, spi) ?: child_find_out(sa, spi);

    if (!c || sa->state != STATE_ESTABLISHED)
        return;
    if (c->state == CHILD_IN_USE && !c->switching)
        c->rekey_at = now.mono;
    ike_sa_proceed(sa, now);
}

static void child_patience_over(IkeSa *sa, Child *c, Moment now) {
    c->until = USEC_NEVER;
    switch (c->state) {
    case CHILD_WAITING:
        child_switch(sa, c, now);
        return;
    case CHILD_IN_USE:
        ike_sa_refuse(sa, IKE_END_FAILED, "the Child SA could not be rekeyed in its lifetime");
        return;
    case CHILD_REPLACED:
        c->delete_wanted = true;
        return;
    case CHILD_LINGERING:
        child_drop(sa, c);
        return;
    case CHILD_FREE:
    case CHILD_RESERVED:
    case CHILD_GONE:
        return;
    }
}

void child_tick(IkeSa *sa, Moment now) {
    for (size_t i = 0; i < IKE_CHILDREN_MAX; i++)
        if (now.mono >= sa->children[i].until && sa->state == STATE_ESTABLISHED)
            child_patience_over(sa, &sa->children[i], now);
}

/* Not when it is on its way out already. */
bool child_may_rekey(const IkeSa *sa, const Child *c) {
    return c->state == CHILD_IN_USE && !c->switching && !child_replacement((IkeSa *)sa, c->sa.spi_in);
}

usec_t child_deadline(const IkeSa *sa) {
    bool busy = generation_busy(sa->current), idle = !busy && sa->creating.task == TASK_NONE;
    usec_t deadline = idle ? sa->rekey_at : USEC_NEVER;

    for (size_t i = 0; i < IKE_CHILDREN_MAX; i++) {
        const Child *c = &sa->children[i];
        if (c->state == CHILD_FREE)
            continue;
        deadline = MIN(deadline, c->until);
        if (idle && child_may_rekey(sa, c))
            deadline = MIN(deadline, c->rekey_at);
        if (c->delete_wanted && !busy)
            deadline = 0;
    }
    return deadline;
}
