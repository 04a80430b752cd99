/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One netlink socket to the kernel: requests with acknowledgement, several in one sendmsg() if wanted, dumps,
 * and the kernel's own words about a refusal (NETLINK_EXT_ACK). The kernel works a request off within the
 * system call, so nothing here waits for anybody. */
#pragma once

#include <linux/netlink.h>

#include "base/macro.h"

typedef struct NetlinkChannel NetlinkChannel;

/* What *results* of a request holds when no answer to it was seen: it may have been done or not. */
#define CHANNEL_UNANSWERED 1

/* Takes what the kernel sends before the acknowledgement. Negative errno: kept as the request's result when
 * the kernel itself had no objection. */
typedef int (*NetlinkAnswer)(struct nlmsghdr *answer, void *userdata);

/* *protocol*: NETLINK_ROUTE, NETLINK_XFRM. -EPROTONOSUPPORT: not in this kernel. */
int channel_new(NetlinkChannel **ret, int protocol);
void channel_free(NetlinkChannel *channel);
DEFINE_CLEANUP(NetlinkChannel, channel_free)

/* Sends *n* messages that lie one after the other in *size* bytes at *messages* (their sequence numbers are
 * filled in) and reads the answer to each. The kernel goes on after a refusal, so results[i] of each is 0, a
 * negative errno, or CHANNEL_UNANSWERED. Returns the first negative of them, or what went wrong with the
 * socket itself. *answer* may be NULL. */
int channel_batch(NetlinkChannel *channel, void *messages, size_t size, size_t n, int results[],
                  NetlinkAnswer answer, void *userdata);
/* The same for one message. A dump that changed under way gives -EINTR: ask again from the start. */
int channel_request(NetlinkChannel *channel, struct nlmsghdr *message, NetlinkAnswer answer, void *userdata);

/* For a log line: the kernel's words about the first refusal of the last batch or request when it had any,
 * and what *error* means. Valid until the next one. */
const char *channel_reason(NetlinkChannel *channel, int error);

/* What was asked of the kernel so far. */
typedef struct ChannelCount {
    uint64_t messages, dumps;
} ChannelCount;
ChannelCount channel_count(const NetlinkChannel *channel);
