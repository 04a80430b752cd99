/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pairs of SAs with their policies: installing, removing, moving. See sad-io.h. */
#include <linux/netlink.h>
#include <linux/xfrm.h>
#include <stdio.h>

#include "base/log.h"
#include "netlink/sad-internal-io.h"

/* -- the list -- */

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

/* The pair with that inbound SA, or NULL. */
static Installed *installed_find(const Sad *sad, const Address *local, uint32_t spi_in) {
    for (Installed *i = sad->installed; i; i = i->next)
        if (i->spi_in == spi_in && address_equal(&i->local, local))
            return i;
    return NULL;
}

static void installed_unlink(Sad *sad, const Installed *pair) {
    for (Installed **p = &sad->installed; *p; p = &(*p)->next)
        if (*p == pair) {
            *p = pair->next;
            return;
        }
}

/* To the head of the list, whether it was on it or not. */
static void installed_put(Sad *sad, Installed *pair) {
    installed_unlink(sad, pair);
    pair->next = sad->installed;
    sad->installed = pair;
}

const XfrmPolicy *installed_find_policy(const Installed *i, const XfrmPolicy *wanted) {
    for (; i; i = i->next)
        for (size_t k = 0; (i->parts & policy_part(wanted)) && k < i->n_policies; k++)
            if (xfrm_policy_same(&i->policies[k], wanted))
                return &i->policies[k];
    return NULL;
}

/* Takes *policy* out of the kernel, or gives its slot back to the newest pair on the list that uses it. Two
 * pairs between the same hosts have the same policies, and nothing is to be done. */
static int policy_release(Sad *sad, const XfrmPolicy *policy) {
    XfrmMessage buf;
    const XfrmPolicy *other = installed_find_policy(sad->installed, policy);
    if (!other)
        return policy_delete(sad, policy);
    if (xfrm_policy_equal(other, policy))
        return 0;
    return channel_request(sad->channel, xfrm_encode_policy(buf, XFRM_MSG_UPDPOLICY, other), NULL, NULL);
}

/* -- batches -- */

typedef struct BatchItem {
    unsigned sa;              /* CHILD_IN, CHILD_OUT, or 0 */
    const XfrmPolicy *policy; /* when no SA */
} BatchItem;

/* The messages of one batch in one allocation that holds them all, so that keys are never copied on by a
 * growing buffer. */
typedef struct Batch {
    uint8_t *data;
    size_t size, n;
    BatchItem items[2 + XFRM_POLICIES_MAX];
    int results[2 + XFRM_POLICIES_MAX];
} Batch;

static int batch_new(Batch **ret, size_t n) {
    Batch *b = calloc(1, sizeof *b);
    if (!b)
        return -ENOMEM;
    b->data = calloc(n, XFRM_MESSAGE_MAX);
    if (!b->data) {
        free(b);
        return -ENOMEM;
    }
    *ret = b;
    return 0;
}

static void batch_free(Batch *b) {
    explicit_bzero(b->data, b->size);
    free(b->data);
    free(b);
}
DEFINE_CLEANUP(Batch, batch_free)

static void batch_add(Batch *b, struct nlmsghdr *m, BatchItem item) {
    assert(b->n < ARRAY_SIZE(b->items));
    memcpy(b->data + b->size, m, m->nlmsg_len);
    b->size += NLMSG_ALIGN(m->nlmsg_len);
    b->items[b->n++] = item;
    explicit_bzero(m, m->nlmsg_len);
}

static void batch_add_policies(Batch *b, const Installed *pair, unsigned parts) {
    XfrmMessage buf;
    for (size_t i = 0; i < pair->n_policies; i++)
        if (parts & policy_part(&pair->policies[i]))
            batch_add(b, xfrm_encode_policy(buf, XFRM_MSG_UPDPOLICY, &pair->policies[i]),
                      (BatchItem){.policy = &pair->policies[i]});
}

static int batch_send(Sad *sad, Batch *b, NetlinkAnswer answer, void *userdata) {
    return channel_batch(sad->channel, b->data, b->size, b->n, b->results, answer, userdata);
}

static const char *item_name(const BatchItem *item) {
    if (item->sa)
        return item->sa == CHILD_IN ? "the inbound SA" : "the outbound SA";
    return item->policy->direction == XFRM_POLICY_IN ? "an inbound policy" : "an outbound policy";
}

/* Before anything else is asked of the channel, which forgets the kernel's words then. */
static void batch_log_refusal(Sad *sad, const Batch *b, const Installed *pair, int error) {
    size_t first = 0;
    while (first < b->n && b->results[first] >= 0)
        first++;
    log_error("Child SA in %08x, out %08x, %s to %s: the kernel refuses %s: %s", pair->spi_in, pair->spi_out,
              ADDRESS_STR(&pair->local), ADDRESS_STR(&pair->remote),
              first < b->n ? item_name(&b->items[first]) : "to answer", channel_reason(sad->channel, error));
}

/* -- installing -- */

/* What was done, and what may have been done, is undone. The SPI in goes in any case: refused, it is still
 * the larval SA of before. */
static void batch_take_back(Sad *sad, const Batch *b, const Installed *pair) {
    for (size_t i = b->n; i-- > 0;) {
        const BatchItem *item = &b->items[i];
        if (item->sa == CHILD_IN)
            (void)sad_remove_sa(sad, &pair->local, pair->spi_in);
        else if (item->sa == CHILD_OUT && b->results[i] >= 0)
            (void)sad_remove_sa(sad, &pair->remote, pair->spi_out);
        else if (!item->sa && b->results[i] >= 0)
            (void)policy_release(sad, item->policy);
    }
}

/* The kernel forgets a reserved SPI after net.core.xfrm_acq_expires (30 s), which a slow exchange can
 * outlast. Then there is nothing to update; the number is still what the peer was told, so it is taken anew.
 */
static int batch_renew_expired(Sad *sad, const ChildSa *child) {
    XfrmMessage buf;
    struct nlmsghdr *m = xfrm_encode_sa_in(buf, XFRM_MSG_NEWSA, child, sad->id, sad->features);
    int r = channel_request(sad->channel, m, NULL, NULL);
    explicit_bzero(buf, sizeof buf);
    return r;
}

/* The inbound SA is the first of the batch, when it is in it. */
static int batch_install(Sad *sad, const ChildSa *child, Batch *b) {
    int r = batch_send(sad, b, NULL, NULL);
    if (r != -ESRCH || b->items[0].sa != CHILD_IN || b->results[0] != -ESRCH)
        return r;
    r = b->results[0] = batch_renew_expired(sad, child);
    for (size_t i = 0; i < b->n && r == 0; i++)
        r = b->results[i];
    return r;
}

/* The inbound SA before the outbound one, and either before its policies. */
static int parts_install(Sad *sad, const ChildSa *child, const Installed *pair, unsigned parts) {
    _cleanup_(batch_freep) Batch *batch = NULL;
    XfrmMessage buf;
    int r = batch_new(&batch, 2 + pair->n_policies);
    if (r < 0) {
        if (parts & CHILD_IN)
            (void)sad_remove_sa(sad, &pair->local, pair->spi_in);
        return r;
    }
    if (parts & CHILD_IN)
        batch_add(batch, xfrm_encode_sa_in(buf, XFRM_MSG_UPDSA, child, sad->id, sad->features),
                  (BatchItem){.sa = CHILD_IN});
    if (parts & CHILD_OUT)
        batch_add(batch, xfrm_encode_sa_out(buf, child, sad->id, sad->features),
                  (BatchItem){.sa = CHILD_OUT});
    batch_add_policies(batch, pair, parts);
    r = batch_install(sad, child, batch);
    if (r < 0) {
        batch_log_refusal(sad, batch, pair, r);
        batch_take_back(sad, batch, pair);
    }
    return r;
}

/* The pair of *child*, made when it is not on the list yet. */
static int pair_open(Sad *sad, const ChildSa *child, Installed **ret) {
    XfrmPolicy policies[XFRM_POLICIES_MAX];
    size_t n = 0;
    *ret = installed_find(sad, &child->local.address, child->spi_in);
    if (*ret)
        return 0;
    int r = xfrm_policies_of_child(child, sad->id, policies, &n);
    if (r < 0) {
        log_error("Child SA with %s: its traffic selectors cannot be made into policies: %s",
                  ADDRESS_STR(&child->remote.address), strerror(-r));
        return r;
    }
    *ret = installed_new(child, policies, n);
    return *ret ? 0 : -ENOMEM;
}

int sad_install(Sad *sad, const ChildSa *child, unsigned parts) {
    Installed *pair = NULL;
    int r = pair_open(sad, child, &pair);
    if (r < 0) {
        if (parts & CHILD_IN)
            (void)sad_remove_sa(sad, &child->local.address, child->spi_in);
        return r;
    }
    parts &= ~pair->parts; /* what is there already stays as it is */
    if (parts)
        r = parts_install(sad, child, pair, parts);
    if (r == 0) {
        pair->parts |= parts;
        installed_put(sad, pair);
    } else if (!pair->parts)
        free(pair); /* and so never on the list */
    return r;
}

static int pair_remove(Sad *sad, Installed *pair, unsigned parts) {
    const Address local = pair->local, remote = pair->remote;
    const uint32_t spi_in = pair->spi_in, spi_out = pair->spi_out;
    unsigned removed = pair->parts & parts;
    int first = 0, out = 0, in = 0;

    pair->parts &= ~removed;
    for (size_t i = 0; i < pair->n_policies; i++)
        if (removed & policy_part(&pair->policies[i])) {
            int r = policy_release(sad, &pair->policies[i]);
            first = first ? first : r;
        }
    if (removed & CHILD_OUT)
        out = sad_remove_sa(sad, &remote, spi_out);
    if (removed & CHILD_IN)
        in = sad_remove_sa(sad, &local, spi_in);
    if (!pair->parts) {
        installed_unlink(sad, pair);
        free(pair);
    }
    return first ? first : out ? out : in;
}

int sad_remove(Sad *sad, const ChildSa *child, unsigned parts) {
    Installed *pair = installed_find(sad, &child->local.address, child->spi_in);
    return pair ? pair_remove(sad, pair, parts) : 0;
}

/* -- moving -- */

/* The SAs as they were, keys and replay state included. */
typedef struct Told {
    unsigned parts;
    const Installed *pair;
    XfrmMessage in, out;
} Told;

static void told_wipe(Told *told) {
    explicit_bzero(told, sizeof *told);
}

static int told_take(struct nlmsghdr *answer, void *userdata) {
    Told *told = userdata;
    XfrmSa sa;
    if (xfrm_decode_sa(answer, &sa) < 0 || answer->nlmsg_len > XFRM_MESSAGE_MAX)
        return -EBADMSG;
    bool in = sa.spi == told->pair->spi_in && address_equal(&sa.destination, &told->pair->local);
    memcpy(in ? told->in : told->out, answer, answer->nlmsg_len);
    told->parts |= in ? CHILD_IN : CHILD_OUT;
    return 0;
}

static void batch_add_take_away(Batch *b, const Address *destination, uint32_t spi, unsigned part) {
    static const uint16_t types[] = {XFRM_MSG_GETSA, XFRM_MSG_DELSA};
    XfrmMessage buf;
    for (size_t i = 0; i < ARRAY_SIZE(types); i++)
        batch_add(b, xfrm_encode_sa_id(buf, types[i], destination, spi, IPPROTO_ESP),
                  (BatchItem){.sa = part});
}

/* Each is read and removed within one system call, so that what it sends or receives in between is next to
 * nothing. */
static int told_fetch(Sad *sad, const Installed *pair, Told *ret) {
    _cleanup_(batch_freep) Batch *batch = NULL;
    int r = batch_new(&batch, 4);
    if (r < 0)
        return r;
    ret->pair = pair;
    ret->parts = 0;
    if (pair->parts & CHILD_IN)
        batch_add_take_away(batch, &pair->local, pair->spi_in, CHILD_IN);
    if (pair->parts & CHILD_OUT)
        batch_add_take_away(batch, &pair->remote, pair->spi_out, CHILD_OUT);
    r = batch_send(sad, batch, told_take, ret);
    if (r == 0 && ret->parts != pair->parts)
        r = -EBADMSG;
    if (r < 0)
        batch_log_refusal(sad, batch, pair, r);
    return r;
}

static int told_add(const Sad *sad, Batch *b, const Told *told, const ChildSa *child, unsigned part) {
    XfrmMessage buf;
    struct nlmsghdr *moved;
    const void *as_told = part == CHILD_IN ? told->in : told->out;
    if (!(told->parts & part))
        return 0;
    int r = xfrm_encode_moved_sa(buf, as_told, child, part, sad->features, &moved);
    if (r == 0)
        batch_add(b, moved, (BatchItem){.sa = part});
    return r;
}

static int told_install(Sad *sad, const Told *told, const ChildSa *child, const Installed *pair) {
    _cleanup_(batch_freep) Batch *batch = NULL;
    int r = batch_new(&batch, 2 + pair->n_policies);
    if (r == 0)
        r = told_add(sad, batch, told, child, CHILD_IN);
    if (r == 0)
        r = told_add(sad, batch, told, child, CHILD_OUT);
    if (r < 0)
        return r;
    batch_add_policies(batch, pair, pair->parts);
    r = batch_send(sad, batch, NULL, NULL);
    if (r < 0)
        batch_log_refusal(sad, batch, pair, r);
    return r;
}

static void pair_readdress(Installed *pair, const ChildSa *child) {
    const Address *local = &child->local.address, *remote = &child->remote.address;
    pair->local = *local;
    pair->remote = *remote;
    for (size_t i = 0; i < pair->n_policies; i++) {
        bool out = policy_part(&pair->policies[i]) == CHILD_OUT;
        pair->policies[i].tunnel_source = out ? *local : *remote;
        pair->policies[i].tunnel_destination = out ? *remote : *local;
    }
}

/* Not by XFRM_MSG_MIGRATE: kernels may lack it (CONFIG_XFRM_MIGRATE), and those that have it cannot take
 * encapsulation away, as is due when a NAT is left behind. Nor by UPDSA, which changes no address. */
int sad_move(Sad *sad, const ChildSa *child, const Endpoint *old_local, const Endpoint *old_remote) {
    _cleanup_(told_wipe) Told told;
    Installed *pair = installed_find(sad, &old_local->address, child->spi_in);
    if (!pair || !address_equal(&pair->remote, &old_remote->address))
        return -ENOENT;
    int r = told_fetch(sad, pair, &told);
    if (r == 0) {
        pair_readdress(pair, child);
        installed_put(sad, pair);
        r = told_install(sad, &told, child, pair);
    }
    if (r < 0)
        (void)pair_remove(sad, pair, pair->parts);
    return r;
}

/* -- counters -- */

static int sa_take(struct nlmsghdr *answer, void *userdata) {
    return xfrm_decode_sa(answer, userdata);
}

static int sa_ask(Sad *sad, const Address *destination, uint32_t spi, XfrmSa *ret) {
    XfrmMessage buf;
    return channel_request(
        sad->channel, xfrm_encode_sa_id(buf, XFRM_MSG_GETSA, destination, spi, IPPROTO_ESP), sa_take, ret);
}

int sad_traffic(Sad *sad, const ChildSa *child, ChildTraffic *ret) {
    XfrmSa in, out;
    int r = sa_ask(sad, &child->local.address, child->spi_in, &in);
    if (r == 0)
        r = sa_ask(sad, &child->remote.address, child->spi_out, &out);
    if (r < 0) {
        log_warning("Child SA in %08x, out %08x: the kernel does not tell its counters: %s", child->spi_in,
                    child->spi_out, channel_reason(sad->channel, r));
        return r;
    }
    *ret = (ChildTraffic){in.bytes, in.packets, out.bytes, out.packets, in.replayed, in.forged};
    return 0;
}
