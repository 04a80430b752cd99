/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The kernel's XFRM netlink messages: encoders and decoders, pure (libmnl only lays out bytes).
 *
 * Every encoder writes one whole message (NLM_F_REQUEST | NLM_F_ACK, sequence number 0 for the sender to fill
 * in) to *buf* and returns its header, whose nlmsg_len is the size. *id* is the one number of ours: if_id,
 * reqid and policy priority; *features*: NETLINK_* of this kernel. What holds keys is for the caller to wipe.
 */
#pragma once

#include <linux/netlink.h>
#include <linux/xfrm.h>

#include "ike/child-sa.h"
#include "netlink/features.h"

#define XFRM_MESSAGE_MAX  2048 /* bytes; an SA with the longest keys and bitmap has 1.3 KiB */
#define XFRM_POLICIES_MAX (2 * TS_MAX * TS_MAX) /* every pair of selectors, in and out */
#define XFRM_SPI_MIN      0x100                 /* RFC 4303 2.1: 1..255 are reserved by IANA */
#define XFRM_SPI_MAX      UINT32_MAX
#define REPLAY_WINDOW_MAX 4096 /* the kernel's XFRMA_REPLAY_ESN_MAX */

/* Without ESN sequence numbers end at 2^32 (RFC 4303 3.3.3). Long before, the kernel says "soft"; at the end
 * it removes the SA. */
#define SEQUENCE_SOFT UINT32_C(0xf0000000)
#define SEQUENCE_HARD UINT32_C(0xffffffff)
/* Sequence numbers an outbound SA leaves out when it is moved: what it sent between being read and being
 * removed, which is one system call. Half of the smallest window peers have (32), so that what is under way
 * does not fall out of it. */
#define SEQUENCE_SKIP 16
/* Seconds between two of the kernel's words about one and the same changed mapping. */
#define MAPPING_SECONDS 1

/* Aligned for what follows the header, which is more than netlink asks for. */
typedef uint8_t XfrmMessage[XFRM_MESSAGE_MAX] __attribute__((aligned(8)));

/* One SA as the kernel tells it, without its keys. */
typedef struct XfrmSa {
    Address source, destination; /* outer */
    uint32_t spi;                /* host byte order; 0: a larval SA that waits for one */
    uint8_t protocol;            /* IPPROTO_ESP, … */
    uint32_t reqid, if_id;
    bool is_larval; /* reserved only: has no keys */
    uint64_t bytes, packets;
    uint32_t replayed, forged; /* as in ChildTraffic */
    uint8_t direction;         /* XFRM_DIRECTION_*, 0: of a kernel that knows none */
    uint32_t nat_keepalive;    /* seconds, 0: none or of a kernel that knows none */
} XfrmSa;

#define XFRM_DIRECTION_IN  1
#define XFRM_DIRECTION_OUT 2

/* One policy, ours to be or as the kernel tells it. */
typedef struct XfrmPolicy {
    struct xfrm_selector selector; /* as the kernel has it, so that it can be named again exactly */
    uint8_t direction;             /* XFRM_POLICY_IN, … */
    uint8_t action;                /* XFRM_POLICY_ALLOW, XFRM_POLICY_BLOCK */
    uint32_t priority, if_id;
    uint32_t reqid;                            /* of the template */
    Address tunnel_source, tunnel_destination; /* outer addresses of the template; AF_UNSPEC: no template */
} XfrmPolicy;

/* XFRM_MSG_ALLOCSPI: an inbound ESP SPI from *remote* to *local*. The kernel answers with the larval SA
 * (xfrm_decode_sa()), which it forgets after net.core.xfrm_acq_expires seconds. */
struct nlmsghdr *xfrm_encode_allocate_spi(XfrmMessage buf, const Address *remote, const Address *local,
                                          uint32_t id, unsigned features);
/* The inbound SA of *child*: *type* XFRM_MSG_UPDSA makes a full SA of the larval one, XFRM_MSG_NEWSA a new
 * one. A replay window of 0 means REPLAY_WINDOW_DEFAULT. */
struct nlmsghdr *xfrm_encode_sa_in(XfrmMessage buf, uint16_t type, const ChildSa *child, uint32_t id,
                                   unsigned features);
/* The outbound SA of *child* (XFRM_MSG_NEWSA). */
struct nlmsghdr *xfrm_encode_sa_out(XfrmMessage buf, const ChildSa *child, uint32_t id, unsigned features);
/* The SA the kernel tells of in *told* (XFRM_MSG_NEWSA, the answer to a GETSA), which is the inbound or
 * outbound one of *child*, as XFRM_MSG_NEWSA with the outer addresses, ports and encapsulation *child* has
 * now. Keys, which *child* need not have any more, replay state, counters and limits are the told ones; an
 * outbound SA leaves SEQUENCE_SKIP numbers out. 0 with *ret* in *buf*, or -EBADMSG: no SA, or more than an SA
 * of ours has. */
int xfrm_encode_moved_sa(XfrmMessage buf, const struct nlmsghdr *told, const ChildSa *child, unsigned part,
                         unsigned features, struct nlmsghdr **ret);
/* XFRM_MSG_DELSA or XFRM_MSG_GETSA by full identity; *protocol* is IPPROTO_ESP for ours. */
struct nlmsghdr *xfrm_encode_sa_id(XfrmMessage buf, uint16_t type, const Address *destination, uint32_t spi,
                                   uint8_t protocol);

/* The policies *child* needs: in and out for every pair of its selectors of one family and protocol. 0 with
 * *ret_n* of them; -EINVAL: no pair fits together; -EOPNOTSUPP: a range of ports that is neither one port nor
 * all of them (the kernel knows masks only; widening the range would let through what was not agreed). */
int xfrm_policies_of_child(const ChildSa *child, uint32_t id, XfrmPolicy ret[static XFRM_POLICIES_MAX],
                           size_t *ret_n);
/* The policy that keeps *inner* from being reached past the tunnel: from anywhere, direction in, if_id 0,
 * block, priority *id*. */
XfrmPolicy xfrm_block_policy(const Address *inner, uint32_t id);
/* Whether *policy* has the shape of one of ours from xfrm_block_policy(), with *ret_inner* its address. */
bool xfrm_policy_is_block(const XfrmPolicy *policy, uint32_t id, Address *ret_inner);
/* The same slot in the kernel: direction, if_id and selector. */
bool xfrm_policy_same(const XfrmPolicy *a, const XfrmPolicy *b);
/* The same slot with the same in it. */
bool xfrm_policy_equal(const XfrmPolicy *a, const XfrmPolicy *b);

/* *type*: XFRM_MSG_NEWPOLICY is refused (EEXIST) when the slot is taken, XFRM_MSG_UPDPOLICY replaces. */
struct nlmsghdr *xfrm_encode_policy(XfrmMessage buf, uint16_t type, const XfrmPolicy *policy);
/* *type*: XFRM_MSG_DELPOLICY, or XFRM_MSG_GETPOLICY to be told what is in the slot. */
struct nlmsghdr *xfrm_encode_policy_id(XfrmMessage buf, uint16_t type, const XfrmPolicy *policy);

/* A dump of all SAs (*type* XFRM_MSG_GETSA) or all policies (XFRM_MSG_GETPOLICY); the kernel cannot filter by
 * if_id. What comes back holds keys. */
struct nlmsghdr *xfrm_encode_dump(XfrmMessage buf, uint16_t type);

/* From XFRM_MSG_NEWSA and XFRM_MSG_NEWPOLICY. 0, or -EBADMSG. */
int xfrm_decode_sa(const struct nlmsghdr *message, XfrmSa *ret);
int xfrm_decode_policy(const struct nlmsghdr *message, XfrmPolicy *ret);

/* What the kernel says of SAs by itself. */
typedef struct XfrmExpiry {
    XfrmSa sa;
    bool hard; /* it is gone; else a limit of XfrmSa was reached */
} XfrmExpiry;

typedef struct XfrmMapping {
    Address destination;
    uint32_t spi, reqid;
    Endpoint from; /* where an authenticated packet came from, other than the SA has it */
} XfrmMapping;

/* From XFRM_MSG_EXPIRE and XFRM_MSG_MAPPING. 0, or -EBADMSG. */
int xfrm_decode_expiry(const struct nlmsghdr *message, XfrmExpiry *ret);
int xfrm_decode_mapping(const struct nlmsghdr *message, XfrmMapping *ret);

/* An outbound SA that asks for all a kernel may know, for xfrm_features() to read back; it is for 127.0.0.1
 * and carries nothing. And what *told* of it, or of the answer to XFRM_MSG_ALLOCSPI with NETLINK_SA_DIR,
 * shows. */
struct nlmsghdr *xfrm_encode_probe(XfrmMessage buf, uint32_t spi, uint32_t id);
unsigned xfrm_features(const XfrmSa *told);
