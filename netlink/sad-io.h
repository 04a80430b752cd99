/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Our SAs and policies in the kernel (RFC 4301's SAD and SPD), by XFRM netlink. Ours is what carries our
 * if_id, and block policies of the exact shape xfrm_block_policy() gives them. */
#pragma once

#include <systemd/sd-event.h>

#include "base/macro.h"
#include "ike/child-sa.h"

typedef struct Sad Sad;

/* -EOPNOTSUPP with a log line naming CONFIG_XFRM_USER on a kernel without NETLINK_XFRM. */
int sad_new(Sad **ret, uint32_t id);
/* Closes the socket; the kernel's state stays, see sad_flush(). */
void sad_free(Sad *sad);
DEFINE_CLEANUP(Sad, sad_free)

/* Removes all SAs (larval ones too) and policies that carry our if_id, whoever made them; block policies
 * stay. *ret_removed* counts them. */
int sad_flush(Sad *sad, size_t *ret_removed);

/* As netlink_io_allocate_spi() and its neighbours. */
int sad_allocate_spi(Sad *sad, const Address *remote, const Address *local, uint32_t *ret_spi);
int sad_remove_sa(Sad *sad, const Address *destination, uint32_t spi);
int sad_install(Sad *sad, const ChildSa *child, unsigned parts);
int sad_remove(Sad *sad, const ChildSa *child, unsigned parts);
int sad_move(Sad *sad, const ChildSa *child, const Endpoint *old_local, const Endpoint *old_remote);
int sad_traffic(Sad *sad, const ChildSa *child, ChildTraffic *ret);

/* Finds out what this kernel can do (features.h); leaves nothing behind. Before it, nothing is. */
void sad_probe(Sad *sad);
/* All of *features*. */
bool sad_has(const Sad *sad, unsigned features);

/* As in NetlinkConfig. Either function may call any function here but sad_free(). */
typedef struct SadListener {
    void (*expired)(void *userdata, uint32_t spi, bool hard);
    void (*mapping)(void *userdata, uint32_t spi_in, const Endpoint *from);
    /* Events were lost: sad_resync() is due, which is what happens when this is NULL. Negative errno: it
     * failed, to be tried again. */
    int (*lost)(void *userdata);
    void *userdata;
    int receive_buffer; /* bytes, 0: the default */
} SadListener;
int sad_listen(Sad *sad, sd_event *event, const SadListener *listener);
/* As netlink_io_resync(). */
int sad_resync(Sad *sad);

/* The block policy of one inner address. A policy of somebody else that blocks the same is as good; one that
 * allows it is -EEXIST. */
int sad_guard(Sad *sad, const Address *inner);
int sad_unguard(Sad *sad, const Address *inner);
/* Tells each guarded address to *take*. */
int sad_guarded(Sad *sad, void (*take)(const Address *inner, void *userdata), void *userdata);
