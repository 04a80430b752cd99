/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See channel-io.h. */
#include "netlink/channel-io.h"

#include <libmnl/libmnl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define ANSWER_MAX     65536     /* bytes of one datagram; the kernel fills dumps up to 32 KiB */
#define RECEIVE_BUFFER (1 << 20) /* bytes, room for the acknowledgements of the largest batch */
#define REASON_MAX     256       /* bytes of the kernel's words */
#define ANSWER_SECONDS 5         /* the answer is there when sendmsg() returns; never hang all the same */

struct NetlinkChannel {
    int fd;
    uint32_t sequence; /* of the last message sent */
    ChannelCount count;
    char words[REASON_MAX];       /* the kernel's, about the first refusal */
    char reason[REASON_MAX + 64]; /* for channel_reason() */
    uint8_t answer[ANSWER_MAX] __attribute__((aligned(NLMSG_ALIGNTO)));
};

/* One batch on its way. */
typedef struct Exchange {
    NetlinkChannel *channel;
    uint32_t first; /* sequence number of the first message */
    size_t n, open; /* messages, and those without an answer yet */
    int *results;
    int objection; /* of the callback to an answer whose request is still open */
    bool interrupted;
    NetlinkAnswer answer;
    void *userdata;
} Exchange;

static int channel_open(NetlinkChannel *channel, int protocol) {
    channel->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
    if (channel->fd < 0)
        return -errno;

    const struct sockaddr_nl any = {.nl_family = AF_NETLINK};
    const struct timeval patience = {.tv_sec = ANSWER_SECONDS};
    const int one = 1, size = RECEIVE_BUFFER;
    if (bind(channel->fd, (const struct sockaddr *)&any, sizeof any) < 0 ||
        setsockopt(channel->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) < 0)
        return -errno;
    /* Each of these only helps; kernels and capabilities that lack one do without. */
    setsockopt(channel->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
    setsockopt(channel->fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof one);
    setsockopt(channel->fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof one);
    setsockopt(channel->fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &one, sizeof one);
    return 0;
}

int channel_new(NetlinkChannel **ret, int protocol) {
    _cleanup_(channel_freep) NetlinkChannel *channel = calloc(1, sizeof *channel);
    if (!channel)
        return -ENOMEM;
    channel->fd = -EBADF;
    int r = channel_open(channel, protocol);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(channel);
    return 0;
}

void channel_free(NetlinkChannel *channel) {
    if (!channel)
        return;
    if (channel->fd >= 0)
        close(channel->fd);
    free(channel);
}

static int channel_send(NetlinkChannel *channel, void *messages, size_t size) {
    const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    ssize_t n;
    do
        n = sendto(channel->fd, messages, size, 0, (const struct sockaddr *)&kernel, sizeof kernel);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : 0;
}

/* One datagram of the kernel's into channel->answer; anybody else's is skipped. */
static ssize_t channel_receive(NetlinkChannel *channel) {
    for (;;) {
        struct sockaddr_nl from = {0};
        struct iovec iov = {.iov_base = channel->answer, .iov_len = sizeof channel->answer};
        struct msghdr m = {.msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &iov, .msg_iovlen = 1};
        ssize_t n = recvmsg(channel->fd, &m, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN ? -ETIMEDOUT : -errno;
        if (m.msg_flags & MSG_TRUNC)
            return -EMSGSIZE;
        if (from.nl_pid == 0)
            return n;
    }
}

static int words_take(const struct nlattr *attr, void *userdata) {
    NetlinkChannel *channel = userdata;
    if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_MSG && mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) == 0)
        snprintf(channel->words, sizeof channel->words, "%s", mnl_attr_get_str(attr));
    return MNL_CB_OK;
}

/* The kernel's words follow its error, and that the request it is about unless NETLINK_CAP_ACK left it out.
 */
static void exchange_keep_words(Exchange *e, const struct nlmsghdr *m) {
    const struct nlmsgerr *error = mnl_nlmsg_get_payload(m);
    size_t offset = sizeof *error;
    if (e->channel->words[0] || !(m->nlmsg_flags & NLM_F_ACK_TLVS))
        return;
    if (!(m->nlmsg_flags & NLM_F_CAPPED) && error->msg.nlmsg_len >= sizeof error->msg)
        offset += MNL_ALIGN(error->msg.nlmsg_len - sizeof error->msg);
    if (mnl_nlmsg_get_payload_len(m) > offset)
        mnl_attr_parse(m, (unsigned)offset, words_take, e->channel);
}

static void exchange_close(Exchange *e, uint32_t index, int result) {
    if (e->results[index] != CHANNEL_UNANSWERED)
        return;
    e->results[index] = result < 0 ? result : e->objection;
    e->objection = 0;
    e->open--;
}

/* NLMSG_ERROR and NLMSG_DONE both begin with the error, 0 for none. */
static int end_error(const struct nlmsghdr *m) {
    return mnl_nlmsg_get_payload_len(m) >= sizeof(int) ? *(const int *)mnl_nlmsg_get_payload(m) : 0;
}

static void exchange_take(Exchange *e, struct nlmsghdr *m) {
    uint32_t index = m->nlmsg_seq - e->first;
    if (index >= e->n)
        return; /* of an exchange given up before */
    if (m->nlmsg_flags & NLM_F_DUMP_INTR)
        e->interrupted = true;

    if (m->nlmsg_type == NLMSG_ERROR && mnl_nlmsg_get_payload_len(m) >= sizeof(struct nlmsgerr)) {
        if (end_error(m) < 0)
            exchange_keep_words(e, m);
        exchange_close(e, index, end_error(m));
    } else if (m->nlmsg_type == NLMSG_DONE)
        exchange_close(e, index, e->interrupted ? -EINTR : end_error(m));
    else if (m->nlmsg_type >= NLMSG_MIN_TYPE && e->answer && e->objection == 0)
        e->objection = MIN(e->answer(m, e->userdata), 0);
}

static int exchange_run(Exchange *e) {
    NetlinkChannel *channel = e->channel;
    while (e->open > 0) {
        ssize_t n = channel_receive(channel);
        if (n < 0)
            return (int)n;
        int left = (int)n;
        for (struct nlmsghdr *m = (struct nlmsghdr *)channel->answer; mnl_nlmsg_ok(m, left);
             m = mnl_nlmsg_next(m, &left))
            exchange_take(e, m);
        explicit_bzero(channel->answer, (size_t)n); /* the kernel tells keys when it tells of SAs */
    }
    return 0;
}

int channel_batch(NetlinkChannel *channel, void *messages, size_t size, size_t n, int results[],
                  NetlinkAnswer answer, void *userdata) {
    Exchange e = {
        .channel = channel,
        .first = channel->sequence + 1,
        .n = n,
        .open = n,
        .results = results,
        .answer = answer,
        .userdata = userdata,
    };
    int left = (int)size;
    struct nlmsghdr *m = messages;
    for (size_t i = 0; i < n; i++, m = mnl_nlmsg_next(m, &left)) {
        assert(mnl_nlmsg_ok(m, left));
        m->nlmsg_seq = ++channel->sequence;
        results[i] = CHANNEL_UNANSWERED;
        channel->count.messages++;
        channel->count.dumps += (m->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
    }
    channel->words[0] = 0;

    int r = channel_send(channel, messages, size);
    if (r < 0) { /* nothing of it was looked at */
        for (size_t i = 0; i < n; i++)
            results[i] = r;
        return r;
    }
    r = exchange_run(&e);
    for (size_t i = 0; i < n && r == 0; i++)
        r = MIN(results[i], 0);
    return r;
}

int channel_request(NetlinkChannel *channel, struct nlmsghdr *message, NetlinkAnswer answer, void *userdata) {
    int result;
    return channel_batch(channel, message, message->nlmsg_len, 1, &result, answer, userdata);
}

const char *channel_reason(NetlinkChannel *channel, int error) {
    if (channel->words[0])
        snprintf(channel->reason, sizeof channel->reason, "%s (%s)", channel->words, strerror(-error));
    else
        snprintf(channel->reason, sizeof channel->reason, "%s", strerror(-error));
    return channel->reason;
}

ChannelCount channel_count(const NetlinkChannel *channel) {
    return channel->count;
}
