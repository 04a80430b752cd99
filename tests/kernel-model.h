/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The kernel as the tests of an IkeSa see it: ESP SAs by the engine's actions, held against rules of which
 * each breach aborts the test. Nothing is put in twice, nothing unknown is taken out, and two outbound SAs
 * are there only in the middle of one drain of actions. */
#pragma once

#include "ike/ike-sa.h"

#define KERNEL_PAIRS_MAX 16

typedef struct KernelPair {
    unsigned parts; /* CHILD_IN, CHILD_OUT; 0: only the SPI is reserved */
    ChildSa sa;     /* with keys */
    uint64_t packets_in, packets_out;
} KernelPair;

typedef struct KernelModel {
    size_t n;
    KernelPair pairs[KERNEL_PAIRS_MAX];
    uint32_t next_spi;
    unsigned refuse_spis;     /* so many times from now on */
    unsigned refuse_installs; /* the same */
    unsigned installed, removed, moved;
    size_t most; /* pairs at once */
} KernelModel;

/* For IkeConfig.allocate_spi, with the model as its userdata. */
uint32_t kernel_allocate(void *model);
/* IKE_CHILD_UP, _INSTALL, _REMOVE and _MOVED; others are not for the kernel. False: it refuses to install. */
bool kernel_perform(KernelModel *k, const IkeAction *action);
/* Between drains: at most one outbound SA for the same selectors. */
void kernel_assert_settled(const KernelModel *k);
/* After IKE_ENDED, or what IKE_CHILD_DOWN leaves: the caller of an engine takes everything of it off. */
void kernel_assert_empty(const KernelModel *k);
/* With what a packet leaves now; NULL: nothing. */
KernelPair *kernel_outbound(KernelModel *k);
/* That takes ESP packets of this SPI. */
KernelPair *kernel_inbound(KernelModel *k, uint32_t spi);
/* Takes everything off, as the tunnel does when an SA goes. */
void kernel_flush(KernelModel *k);
