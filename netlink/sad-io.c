/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See sad-io.h. */
#include "netlink/sad-io.h"

#include <linux/netlink.h>
#include <linux/xfrm.h>
#include <stdio.h>

#include "base/log.h"
#include "netlink/sad-internal-io.h"

#define DUMP_TRIES 5 /* a dump that others change under way is asked again */

int sad_new(Sad **ret, uint32_t id) {
    _cleanup_(sad_freep) Sad *sad = calloc(1, sizeof *sad);
    if (!sad)
        return -ENOMEM;
    sad->id = id;
    int r = channel_new(&sad->channel, NETLINK_XFRM);
    if (r == -EPROTONOSUPPORT) {
        log_error("This kernel has no XFRM netlink interface: it needs CONFIG_XFRM_USER");
        return -EOPNOTSUPP;
    }
    if (r < 0) {
        log_error("XFRM netlink socket: %s", strerror(-r));
        return r;
    }
    *ret = TAKE_PTR(sad);
    return 0;
}

void sad_free(Sad *sad) {
    if (!sad)
        return;
    for (Installed *i = sad->installed, *next; i; i = next) {
        next = i->next;
        free(i);
    }
    sad_events_free(sad->events);
    channel_free(sad->channel);
    free(sad);
}

/* -- removal: what is gone already is no error -- */

static int gone_is_fine(int r) {
    return r == -ESRCH || r == -ENOENT ? 0 : r;
}

int sa_delete(Sad *sad, const Address *destination, uint32_t spi, uint8_t protocol) {
    XfrmMessage buf;
    int r = channel_request(sad->channel, xfrm_encode_sa_id(buf, XFRM_MSG_DELSA, destination, spi, protocol),
                            NULL, NULL);
    if (gone_is_fine(r) < 0)
        log_warning("SA %08x to %s stays: %s", spi, ADDRESS_STR(destination),
                    channel_reason(sad->channel, r));
    return gone_is_fine(r);
}

int policy_delete(Sad *sad, const XfrmPolicy *policy) {
    XfrmMessage buf;
    int r = channel_request(sad->channel, xfrm_encode_policy_id(buf, XFRM_MSG_DELPOLICY, policy), NULL, NULL);
    if (gone_is_fine(r) < 0)
        log_warning("A policy of if_id %u stays: %s", policy->if_id, channel_reason(sad->channel, r));
    return gone_is_fine(r);
}

int sad_remove_sa(Sad *sad, const Address *destination, uint32_t spi) {
    return sa_delete(sad, destination, spi, IPPROTO_ESP);
}

/* -- dumps -- */

/* What a dump leaves: the items *keep* wants. */
typedef struct Dump {
    const Sad *sad;
    size_t item_size, n, allocated;
    void *items;
    /* Decodes *answer* to *ret*; 1 to keep it, 0 not, or negative errno. */
    int (*keep)(const Sad *sad, const struct nlmsghdr *answer, void *ret);
} Dump;

static int dump_take(struct nlmsghdr *answer, void *userdata) {
    Dump *dump = userdata;
    if (dump->n == dump->allocated) {
        size_t more = dump->allocated ? 2 * dump->allocated : 8;
        void *items = reallocarray(dump->items, more, dump->item_size);
        if (!items)
            return -ENOMEM;
        dump->items = items;
        dump->allocated = more;
    }
    int r = dump->keep(dump->sad, answer, (uint8_t *)dump->items + dump->n * dump->item_size);
    if (r > 0)
        dump->n++;
    return MIN(r, 0);
}

static int dump_run(Sad *sad, uint16_t type, Dump *dump) {
    int r = -EINTR;
    for (unsigned i = 0; i < DUMP_TRIES && r == -EINTR; i++) {
        XfrmMessage buf;
        dump->n = 0;
        r = channel_request(sad->channel, xfrm_encode_dump(buf, type), dump_take, dump);
    }
    if (r < 0)
        log_error("XFRM: cannot read what is in the kernel: %s", channel_reason(sad->channel, r));
    return r;
}

static int keep_our_sa(const Sad *sad, const struct nlmsghdr *answer, void *ret) {
    XfrmSa sa;
    int r = xfrm_decode_sa(answer, &sa);
    if (r < 0)
        return r;
    memcpy(ret, &sa, sizeof sa);
    return sa.if_id == sad->id && sa.spi != 0;
}

static int keep_our_policy(const Sad *sad, const struct nlmsghdr *answer, void *ret) {
    XfrmPolicy policy;
    int r = xfrm_decode_policy(answer, &policy);
    if (r < 0)
        return r;
    memcpy(ret, &policy, sizeof policy);
    return policy.if_id == sad->id;
}

static int keep_our_guard(const Sad *sad, const struct nlmsghdr *answer, void *ret) {
    XfrmPolicy policy;
    int r = xfrm_decode_policy(answer, &policy);
    return r < 0 ? r : xfrm_policy_is_block(&policy, sad->id, ret);
}

int sad_dump_sas(Sad *sad, XfrmSa **ret, size_t *ret_n) {
    Dump dump = {.sad = sad, .item_size = sizeof(XfrmSa), .keep = keep_our_sa};
    int r = dump_run(sad, XFRM_MSG_GETSA, &dump);
    if (r < 0) {
        free(dump.items);
        return r;
    }
    *ret = dump.items;
    *ret_n = dump.n;
    return 0;
}

int sad_dump_policies(Sad *sad, XfrmPolicy **ret, size_t *ret_n) {
    Dump dump = {.sad = sad, .item_size = sizeof(XfrmPolicy), .keep = keep_our_policy};
    int r = dump_run(sad, XFRM_MSG_GETPOLICY, &dump);
    if (r < 0) {
        free(dump.items);
        return r;
    }
    *ret = dump.items;
    *ret_n = dump.n;
    return 0;
}

static int flush_policies(Sad *sad, size_t *removed) {
    _cleanup_free_ XfrmPolicy *policies = NULL;
    size_t n = 0;
    int r = sad_dump_policies(sad, &policies, &n);
    for (size_t i = 0; i < n && r == 0; i++, ++*removed)
        r = policy_delete(sad, &policies[i]);
    return r;
}

static int flush_sas(Sad *sad, size_t *removed) {
    _cleanup_free_ XfrmSa *sas = NULL;
    size_t n = 0;
    int r = sad_dump_sas(sad, &sas, &n);
    for (size_t i = 0; i < n && r == 0; i++, ++*removed)
        r = sa_delete(sad, &sas[i].destination, sas[i].spi, sas[i].protocol);
    return r;
}

int sad_flush(Sad *sad, size_t *ret_removed) {
    size_t removed = 0;
    int r = flush_policies(sad, &removed);
    int s = flush_sas(sad, &removed);
    if (r < 0 || s < 0)
        return r < 0 ? r : s;
    *ret_removed = removed;
    return 0;
}

/* -- the block policies -- */

static int take_policy(struct nlmsghdr *answer, void *userdata) {
    return xfrm_decode_policy(answer, userdata);
}

int sad_guard(Sad *sad, const Address *inner) {
    XfrmMessage buf;
    XfrmPolicy guard = xfrm_block_policy(inner, sad->id), there = {0};
    int r = channel_request(sad->channel, xfrm_encode_policy(buf, XFRM_MSG_NEWPOLICY, &guard), NULL, NULL);
    if (r == -EEXIST) {
        r = channel_request(sad->channel, xfrm_encode_policy_id(buf, XFRM_MSG_GETPOLICY, &guard), take_policy,
                            &there);
        if (r == 0 && there.action != XFRM_POLICY_BLOCK) {
            log_error("A policy that is not ours lets anybody reach the inner address %s; remove it",
                      ADDRESS_STR(inner));
            return -EEXIST;
        }
    }
    if (r < 0)
        log_error("The kernel refuses the block policy for the inner address %s: %s", ADDRESS_STR(inner),
                  channel_reason(sad->channel, r));
    return r;
}

int sad_unguard(Sad *sad, const Address *inner) {
    XfrmMessage buf;
    XfrmPolicy guard = xfrm_block_policy(inner, sad->id), there = {0};
    Address guarded;
    int r = channel_request(sad->channel, xfrm_encode_policy_id(buf, XFRM_MSG_GETPOLICY, &guard), take_policy,
                            &there);
    if (r == 0 && xfrm_policy_is_block(&there, sad->id, &guarded))
        r = policy_delete(sad, &guard);
    return gone_is_fine(r);
}

int sad_guarded(Sad *sad, void (*take)(const Address *inner, void *userdata), void *userdata) {
    Dump dump = {.sad = sad, .item_size = sizeof(Address), .keep = keep_our_guard};
    int r = dump_run(sad, XFRM_MSG_GETPOLICY, &dump);
    const Address *guarded = dump.items;
    for (size_t i = 0; i < dump.n && r == 0; i++)
        take(&guarded[i], userdata);
    free(dump.items);
    return r;
}

/* -- SPIs -- */

static int take_sa(struct nlmsghdr *answer, void *userdata) {
    return xfrm_decode_sa(answer, userdata);
}

int sad_allocate_spi(Sad *sad, const Address *remote, const Address *local, uint32_t *ret_spi) {
    XfrmMessage buf;
    XfrmSa larval = {0};
    int r = channel_request(
        sad->channel, xfrm_encode_allocate_spi(buf, remote, local, sad->id, sad->features), take_sa, &larval);
    if (r == 0 && larval.spi < XFRM_SPI_MIN)
        r = -EBADMSG;
    if (r < 0) {
        log_error("The kernel reserves no SPI for ESP from %s: %s", ADDRESS_STR(remote),
                  channel_reason(sad->channel, r));
        return r;
    }
    *ret_spi = larval.spi;
    return 0;
}

/* -- what this kernel can do -- */

/* A reserved SPI tells about directions, without any algorithm; keepalives take a whole SA. Kernels that have
 * the one but not the other, or refuse the probe, simply lack what it did not show. */
static unsigned probe_run(Sad *sad, const Address *here, uint32_t spi) {
    XfrmMessage buf;
    XfrmSa told = {0};
    if (channel_request(sad->channel, xfrm_encode_probe(buf, spi, sad->id), NULL, NULL) < 0)
        return 0;
    int r = channel_request(sad->channel, xfrm_encode_sa_id(buf, XFRM_MSG_GETSA, here, spi, IPPROTO_ESP),
                            take_sa, &told);
    (void)sa_delete(sad, here, spi, IPPROTO_ESP);
    return r == 0 ? xfrm_features(&told) : 0;
}

void sad_probe(Sad *sad) {
    static const uint8_t loopback[] = {127, 0, 0, 1};
    const Address here = address_from_bytes(AF_INET, loopback);
    XfrmMessage buf;
    XfrmSa larval = {0};
    sad->features = 0;
    int r = channel_request(
        sad->channel, xfrm_encode_allocate_spi(buf, &here, &here, sad->id, NETLINK_SA_DIR), take_sa, &larval);
    if (r < 0 || larval.spi < XFRM_SPI_MIN)
        return;
    (void)sa_delete(sad, &here, larval.spi, IPPROTO_ESP);
    sad->features = xfrm_features(&larval);
    if (sad->features & NETLINK_SA_DIR)
        sad->features |= probe_run(sad, &here, larval.spi);
    log_debug("XFRM: directions of SAs %s, NAT keepalives %s",
              sad->features & NETLINK_SA_DIR ? "known" : "unknown",
              sad->features & NETLINK_NAT_KEEPALIVE ? "sent by the kernel" : "not by the kernel");
}

bool sad_has(const Sad *sad, unsigned features) {
    return (sad->features & features) == features;
}
