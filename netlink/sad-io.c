/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See sad-io.h. */
#include "netlink/sad-io.h"

#include <linux/netlink.h>
#include <linux/xfrm.h>
#include <stdio.h>

#include "base/log.h"
#include "netlink/channel-io.h"
#include "netlink/xfrm.h"

#define DUMP_TRIES 5 /* a dump that others change under way is asked again */

/* One installed pair, without its keys: what sharing of policies and their removal need. */
typedef struct Installed Installed;
struct Installed {
    Installed *next; /* the older one */
    Address local, remote;
    uint32_t spi_in, spi_out;
    size_t n_policies;
    XfrmPolicy policies[];
};

struct Sad {
    uint32_t id;
    NetlinkChannel *channel;
    Installed *installed; /* newest first */
};

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
    channel_free(sad->channel);
    free(sad);
}

/* -- removal: what is gone already is no error -- */

static int gone_is_fine(int r) {
    return r == -ESRCH || r == -ENOENT ? 0 : r;
}

static int sa_delete(Sad *sad, const Address *destination, uint32_t spi, uint8_t protocol) {
    XfrmMessage buf;
    int r = channel_request(sad->channel, xfrm_encode_delete_sa(buf, destination, spi, protocol), NULL, NULL);
    if (gone_is_fine(r) < 0)
        log_warning("SA %08x to %s stays: %s", spi, ADDRESS_STR(destination),
                    channel_reason(sad->channel, r));
    return gone_is_fine(r);
}

static int policy_delete(Sad *sad, const XfrmPolicy *policy) {
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

static int flush_policies(Sad *sad, size_t *removed) {
    Dump dump = {.sad = sad, .item_size = sizeof(XfrmPolicy), .keep = keep_our_policy};
    int r = dump_run(sad, XFRM_MSG_GETPOLICY, &dump);
    XfrmPolicy *policies = dump.items;
    for (size_t i = 0; i < dump.n && r == 0; i++, ++*removed)
        r = policy_delete(sad, &policies[i]);
    free(policies);
    return r;
}

static int flush_sas(Sad *sad, size_t *removed) {
    Dump dump = {.sad = sad, .item_size = sizeof(XfrmSa), .keep = keep_our_sa};
    int r = dump_run(sad, XFRM_MSG_GETSA, &dump);
    XfrmSa *sas = dump.items;
    for (size_t i = 0; i < dump.n && r == 0; i++, ++*removed)
        r = sa_delete(sad, &sas[i].destination, sas[i].spi, sas[i].protocol);
    free(sas);
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
    int r = channel_request(sad->channel, xfrm_encode_allocate_spi(buf, remote, local, sad->id), take_sa,
                            &larval);
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

/* -- installing -- */

static Installed *installed_new(const ChildSa *child, const XfrmPolicy *policies, size_t n) {
    Installed *i = malloc(sizeof *i + n * sizeof *policies);
    if (!i)
        return NULL;
    *i = (Installed){
        .local = child->local.address,
        .remote = child->remote.address,
        .spi_in = child->spi_in,
        .spi_out = child->spi_out,
        .n_policies = n,
    };
    memcpy(i->policies, policies, n * sizeof *policies);
    return i;
}

static const XfrmPolicy *installed_find_policy(const Installed *i, const XfrmPolicy *wanted) {
    for (; i; i = i->next)
        for (size_t k = 0; k < i->n_policies; k++)
            if (xfrm_policy_same(&i->policies[k], wanted))
                return &i->policies[k];
    return NULL;
}

/* Takes *policy* out of the kernel, or gives its slot back to the newest other pair that uses it. */
static int policy_release(Sad *sad, const XfrmPolicy *policy) {
    XfrmMessage buf;
    const XfrmPolicy *other = installed_find_policy(sad->installed, policy);
    if (!other)
        return policy_delete(sad, policy);
    return channel_request(sad->channel, xfrm_encode_policy(buf, XFRM_MSG_UPDPOLICY, other), NULL, NULL);
}

/* The messages of one batch in one allocation that holds them all, so that keys are never copied on by a
 * growing buffer. */
typedef struct Batch {
    uint8_t *data;
    size_t size, n;
    int *results;
} Batch;

static void batch_wipe(Batch *b) {
    if (b->data)
        explicit_bzero(b->data, b->size);
    free(b->data);
    free(b->results);
}

static void batch_add(Batch *b, struct nlmsghdr *m) {
    memcpy(b->data + b->size, m, m->nlmsg_len);
    b->size += NLMSG_ALIGN(m->nlmsg_len);
    b->n++;
    explicit_bzero(m, m->nlmsg_len);
}

enum { BATCH_SA_IN, BATCH_SA_OUT, BATCH_POLICIES };

static int batch_fill(const Sad *sad, const ChildSa *child, const Installed *pair, Batch *ret) {
    XfrmMessage buf;
    size_t n = BATCH_POLICIES + pair->n_policies;
    ret->data = calloc(n, XFRM_MESSAGE_MAX);
    ret->results = calloc(n, sizeof *ret->results);
    if (!ret->data || !ret->results)
        return -ENOMEM;
    batch_add(ret, xfrm_encode_sa_in(buf, XFRM_MSG_UPDSA, child, sad->id));
    batch_add(ret, xfrm_encode_sa_out(buf, child, sad->id));
    for (size_t i = 0; i < pair->n_policies; i++)
        batch_add(ret, xfrm_encode_policy(buf, XFRM_MSG_UPDPOLICY, &pair->policies[i]));
    return 0;
}

static const char *batch_part(const Installed *pair, size_t index) {
    if (index < BATCH_POLICIES)
        return index == BATCH_SA_IN ? "the inbound SA" : "the outbound SA";
    return pair->policies[index - BATCH_POLICIES].direction == XFRM_POLICY_IN ? "an inbound policy"
                                                                              : "an outbound policy";
}

/* Before anything else is asked of the channel, which forgets the kernel's words then. */
static void batch_log_refusal(Sad *sad, const Batch *b, const Installed *pair, int error) {
    size_t first = 0;
    while (first < b->n && b->results[first] >= 0)
        first++;
    log_error("Child SA in %08x, out %08x, %s to %s: the kernel refuses %s: %s", pair->spi_in, pair->spi_out,
              ADDRESS_STR(&pair->local), ADDRESS_STR(&pair->remote),
              first < b->n ? batch_part(pair, first) : "to answer", channel_reason(sad->channel, error));
}

/* What was done, and what may have been done, is undone. The SPI in goes in any case: refused, it is still
 * the larval SA of before. */
static void batch_take_back(Sad *sad, const Batch *b, const Installed *pair) {
    for (size_t i = b->n; i-- > BATCH_POLICIES;)
        if (b->results[i] >= 0)
            (void)policy_release(sad, &pair->policies[i - BATCH_POLICIES]);
    if (b->results[BATCH_SA_OUT] >= 0)
        (void)sad_remove_sa(sad, &pair->remote, pair->spi_out);
    (void)sad_remove_sa(sad, &pair->local, pair->spi_in);
}

/* The kernel forgets a reserved SPI after net.core.xfrm_acq_expires (30 s), which a slow exchange can
 * outlast. Then there is nothing to update; the number is still what the peer was told, so it is taken anew.
 */
static int batch_renew_expired(Sad *sad, const ChildSa *child, Batch *b) {
    XfrmMessage buf;
    struct nlmsghdr *m = xfrm_encode_sa_in(buf, XFRM_MSG_NEWSA, child, sad->id);
    b->results[BATCH_SA_IN] = channel_request(sad->channel, m, NULL, NULL);
    explicit_bzero(buf, sizeof buf);
    return b->results[BATCH_SA_IN];
}

static int batch_run(Sad *sad, const ChildSa *child, Batch *b) {
    int r = channel_batch(sad->channel, b->data, b->size, b->n, b->results, NULL, NULL);
    if (r != -ESRCH || b->results[BATCH_SA_IN] != -ESRCH)
        return r;
    r = batch_renew_expired(sad, child, b);
    for (size_t i = 0; i < b->n && r == 0; i++)
        r = b->results[i];
    return r;
}

int sad_install(Sad *sad, const ChildSa *child) {
    XfrmPolicy policies[XFRM_POLICIES_MAX];
    _cleanup_(batch_wipe) Batch batch = {0};
    _cleanup_free_ Installed *pair = NULL;
    size_t n = 0;

    int r = xfrm_policies_of_child(child, sad->id, policies, &n);
    if (r < 0)
        log_error("Child SA with %s: its traffic selectors cannot be made into policies: %s",
                  ADDRESS_STR(&child->remote.address), strerror(-r));
    else {
        pair = installed_new(child, policies, n);
        r = pair ? batch_fill(sad, child, pair, &batch) : -ENOMEM;
    }
    if (r < 0) {
        (void)sad_remove_sa(sad, &child->local.address, child->spi_in);
        return r;
    }

    r = batch_run(sad, child, &batch);
    if (r < 0) {
        batch_log_refusal(sad, &batch, pair, r);
        batch_take_back(sad, &batch, pair);
        return r;
    }
    pair->next = sad->installed;
    sad->installed = TAKE_PTR(pair);
    return 0;
}

/* Takes the pair of *child* off the list. */
static Installed *sad_forget(Sad *sad, const ChildSa *child) {
    for (Installed **p = &sad->installed; *p; p = &(*p)->next)
        if ((*p)->spi_in == child->spi_in && address_equal(&(*p)->local, &child->local.address)) {
            Installed *found = *p;
            *p = found->next;
            return found;
        }
    return NULL;
}

int sad_remove(Sad *sad, const ChildSa *child) {
    _cleanup_free_ Installed *pair = sad_forget(sad, child);
    int first = 0;
    for (size_t i = 0; pair && i < pair->n_policies; i++) {
        int r = policy_release(sad, &pair->policies[i]);
        first = first ? first : r;
    }
    int out = sad_remove_sa(sad, &child->remote.address, child->spi_out);
    int in = sad_remove_sa(sad, &child->local.address, child->spi_in);
    return first ? first : out ? out : in;
}
