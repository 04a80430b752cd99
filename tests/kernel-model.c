/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See kernel-model.h. */
#include "kernel-model.h"

#include "quick-check.h"

#include "base/macro.h"
#include "ike/selectors.h"

uint32_t kernel_allocate(void *model) {
    KernelModel *k = model;

    if (k->refuse_spis > 0) {
        k->refuse_spis--;
        return 0;
    }
    ck_assert_uint_lt(k->n, KERNEL_PAIRS_MAX);
    KernelPair *p = &k->pairs[k->n++];
    *p = (KernelPair){.sa.spi_in = 0xc0ffee01 + k->next_spi++};
    k->most = MAX(k->most, k->n);
    return p->sa.spi_in;
}

static KernelPair *pair_find(KernelModel *k, uint32_t spi_in) {
    for (size_t i = 0; i < k->n; i++)
        if (k->pairs[i].sa.spi_in == spi_in)
            return &k->pairs[i];
    return NULL;
}

static bool keys_are_there(const EspKeys *keys) {
    static const uint8_t zeros[16];
    return keys->encryption_size >= sizeof zeros && memcmp(keys->encryption, zeros, sizeof zeros) != 0;
}

static bool install(KernelModel *k, const ChildSa *child, unsigned parts) {
    KernelPair *p = pair_find(k, child->spi_in);

    ck_assert_msg(p != NULL, "SPI %08x was never reserved", child->spi_in);
    ck_assert(parts != 0 && (p->parts & parts) == 0);
    ck_assert_uint_ne(child->spi_out, 0);
    ck_assert(!(parts & CHILD_IN) || keys_are_there(&child->keys_in));
    ck_assert(!(parts & CHILD_OUT) || keys_are_there(&child->keys_out));
    for (size_t i = 0; i < k->n; i++) /* the kernel's key of an outbound SA: destination and SPI */
        ck_assert(&k->pairs[i] == p || !(k->pairs[i].parts & CHILD_OUT) || !(parts & CHILD_OUT) ||
                  k->pairs[i].sa.spi_out != child->spi_out);
    if (k->refuse_installs > 0) {
        k->refuse_installs--;
        *p = (KernelPair){.sa.spi_in = child->spi_in}; /* nothing of it is left but its number */
        return false;
    }
    EspKeys in = p->sa.keys_in, out = p->sa.keys_out;
    unsigned had = p->parts;
    p->sa = *child;
    if (had & CHILD_IN)
        p->sa.keys_in = in;
    if (had & CHILD_OUT)
        p->sa.keys_out = out;
    p->parts |= parts;
    k->installed++;
    return true;
}

static void take_off(KernelModel *k, const ChildSa *child, unsigned parts) {
    KernelPair *p = pair_find(k, child->spi_in);

    ck_assert_msg(p != NULL, "SPI %08x is removed, which is not there", child->spi_in);
    ck_assert_msg((p->parts & parts) == parts, "SPI %08x: parts %u of %u are removed", child->spi_in, parts,
                  p->parts);
    ck_assert(parts != 0 || p->parts == 0);
    ck_assert(p->parts == 0 || p->sa.spi_out == child->spi_out);
    p->parts &= ~parts;
    k->removed++;
    if (p->parts == 0)
        *p = k->pairs[--k->n];
}

static void move(KernelModel *k, const IkeAction *a) {
    KernelPair *p = pair_find(k, a->child.child->spi_in);

    ck_assert(p && p->parts);
    ck_assert(address_equal(&p->sa.local.address, &a->child.old_local.address) &&
              address_equal(&p->sa.remote.address, &a->child.old_remote.address));
    p->sa.local = a->child.child->local;
    p->sa.remote = a->child.child->remote;
    p->sa.encapsulate = a->child.child->encapsulate;
    k->moved++;
}

bool kernel_perform(KernelModel *k, const IkeAction *a) {
    switch (a->type) {
    case IKE_CHILD_UP:
        return install(k, a->up.child, CHILD_IN | CHILD_OUT);
    case IKE_CHILD_INSTALL:
        return install(k, a->child.child, a->child.parts);
    case IKE_CHILD_REMOVE:
        take_off(k, a->child.child, a->child.parts);
        break;
    case IKE_CHILD_MOVED:
        move(k, a);
        break;
    case IKE_SEND:
    case IKE_KEEPALIVE:
    case IKE_CHILD_DOWN:
    case IKE_QUERY_TRAFFIC:
    case IKE_REVOCATION:
    case IKE_REAUTHENTICATE:
    case IKE_ENDED:
        break;
    }
    return true;
}

void kernel_assert_settled(const KernelModel *k) {
    for (size_t i = 0; i < k->n; i++)
        for (size_t j = 0; j < i; j++)
            ck_assert_msg(!(k->pairs[i].parts & k->pairs[j].parts & CHILD_OUT) ||
                              !selectors_equal(&k->pairs[i].sa, &k->pairs[j].sa),
                          "two outbound SAs are in use: SPIs %08x and %08x", k->pairs[i].sa.spi_out,
                          k->pairs[j].sa.spi_out);
}

void kernel_assert_empty(const KernelModel *k) {
    ck_assert_msg(k->n == 0, "%zu pairs are left in the kernel, the first with SPI %08x and parts %u", k->n,
                  k->n ? k->pairs[0].sa.spi_in : 0, k->n ? k->pairs[0].parts : 0);
}

KernelPair *kernel_outbound(KernelModel *k) {
    for (size_t i = 0; i < k->n; i++)
        if (k->pairs[i].parts & CHILD_OUT)
            return &k->pairs[i];
    return NULL;
}

KernelPair *kernel_inbound(KernelModel *k, uint32_t spi) {
    KernelPair *p = pair_find(k, spi);
    return p && p->parts & CHILD_IN ? p : NULL;
}

void kernel_flush(KernelModel *k) {
    k->n = 0;
}
