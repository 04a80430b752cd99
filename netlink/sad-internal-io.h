/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the files of sad-io.h share. */
#pragma once

#include "netlink/channel-io.h"
#include "netlink/sad-io.h"
#include "netlink/xfrm.h"

/* One installed pair, without its keys: what sharing of policies, moving and removal need. */
typedef struct Installed Installed;
struct Installed {
    Installed *next; /* programmed before this one */
    unsigned parts;  /* CHILD_*, what of it is in the kernel */
    Address local, remote;
    uint32_t spi_in, spi_out;
    size_t n_policies;
    XfrmPolicy policies[]; /* of both directions, whether in the kernel or not */
};

typedef struct SadEvents SadEvents;

struct Sad {
    uint32_t id;
    unsigned features; /* NETLINK_* */
    NetlinkChannel *channel;
    Installed *installed; /* the last one programmed first; its policies are those in shared slots */
    SadEvents *events;
};

/* The direction's part of a pair. */
static inline unsigned policy_part(const XfrmPolicy *policy) {
    return policy->direction == XFRM_POLICY_OUT ? CHILD_OUT : CHILD_IN;
}

/* The newest policy in the slot of *wanted* that is in the kernel by the pairs from *i* on, or NULL. */
const XfrmPolicy *installed_find_policy(const Installed *i, const XfrmPolicy *wanted);

/* Removal: what is gone already is no error. */
int sa_delete(Sad *sad, const Address *destination, uint32_t spi, uint8_t protocol);
int policy_delete(Sad *sad, const XfrmPolicy *policy);

/* All SAs (XfrmSa) and policies (XfrmPolicy) in the kernel that carry our if_id; *ret* is for free(). */
int sad_dump_sas(Sad *sad, XfrmSa **ret, size_t *ret_n);
int sad_dump_policies(Sad *sad, XfrmPolicy **ret, size_t *ret_n);

void sad_events_free(SadEvents *events);
