/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A stand-in for the box's S1 stack: a client of org.henb.Agent1 that knows nothing but what is published
 * there.
 *
 *     s1-stack [--timeout SECONDS] [--watch]
 *
 * Waits for State `registered` with an MME and AdminState true, opens an SCTP association from the inner
 * address over the tunnel's interface to the first MME address that answers (TS 36.412 clause 7: port 36412,
 * payload protocol 18), sends one message and exits 0. What the message holds, the S1 SETUP REQUEST of
 * TS 36.413, is the S1 stack's business and not shown here. With --watch it stays, says when what it stands
 * on is lost, and associates again when it is back. Exits 1 with a reason otherwise. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <linux/sctp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "base/macro.h"

#define AGENT_NAME      "org.henb.Agent1"
#define AGENT_PATH      "/org/henb/Agent1"
#define AGENT_INTERFACE "org.henb.Agent1"

#define PPID_S1AP       18 /* TS 36.412 clause 7 */
#define CONNECT_SECONDS 10 /* for one address of an MME */
#define TEXT_MAX        256
#define ADDRESSES_MAX   16
#define MMES_MAX        16

typedef struct Addresses {
    size_t n;
    char items[ADDRESSES_MAX][INET6_ADDRSTRLEN];
} Addresses;

typedef struct FarEnd {
    char entry[TEXT_MAX];
    Addresses addresses;
    uint16_t port;
} FarEnd;

/* What the agent publishes, as far as an S1 stack needs it. */
typedef struct Published {
    bool present; /* the agent is on the bus */
    char state[TEXT_MAX];
    bool admin_state;
    char tunnel_interface[TEXT_MAX];
    Addresses inner;
    size_t n_mme;
    FarEnd mme[MMES_MAX];
} Published;

typedef struct Stack {
    sd_event *event;
    sd_bus *bus;
    sd_bus_slot *name_match;
    sd_bus_slot *change_match;
    sd_bus_slot *get_all;
    Published published;
    bool watch;
    bool said_locked; /* "AdminState is false" has been said */
    bool up;          /* what was published was enough, and was used */
    int association;  /* the SCTP socket of --watch, or -EBADF */
} Stack;

/* ---- what is published */

static int text_read(sd_bus_message *m, char *ret, size_t size) {
    const char *text;
    int r = sd_bus_message_read(m, "s", &text);
    if (r < 0)
        return r;
    snprintf(ret, size, "%s", text);
    return 0;
}

static int addresses_read(sd_bus_message *m, Addresses *ret) {
    const char *text;
    Addresses list = {};
    int r = sd_bus_message_enter_container(m, 'a', "s");
    if (r < 0)
        return r;
    while ((r = sd_bus_message_read(m, "s", &text)) > 0) {
        if (list.n < ADDRESSES_MAX)
            snprintf(list.items[list.n++], INET6_ADDRSTRLEN, "%s", text);
    }
    if (r < 0)
        return r;
    *ret = list;
    return sd_bus_message_exit_container(m);
}

static int state_read(sd_bus_message *m, Published *p) {
    return text_read(m, p->state, sizeof p->state);
}

static int admin_state_read(sd_bus_message *m, Published *p) {
    int value;
    int r = sd_bus_message_read(m, "b", &value);
    if (r >= 0)
        p->admin_state = value;
    return r;
}

static int tunnel_interface_read(sd_bus_message *m, Published *p) {
    return text_read(m, p->tunnel_interface, sizeof p->tunnel_interface);
}

static int inner_read(sd_bus_message *m, Published *p) {
    return addresses_read(m, &p->inner);
}

static int mme_read(sd_bus_message *m, Published *p) {
    int r = sd_bus_message_enter_container(m, 'a', "(sasq)");
    if (r < 0)
        return r;
    while ((r = sd_bus_message_enter_container(m, 'r', "sasq")) > 0) {
        FarEnd mme = {};
        r = text_read(m, mme.entry, sizeof mme.entry);
        if (r >= 0)
            r = addresses_read(m, &mme.addresses);
        if (r >= 0)
            r = sd_bus_message_read(m, "q", &mme.port);
        if (r >= 0)
            r = sd_bus_message_exit_container(m);
        if (r < 0)
            return r;
        if (p->n_mme < MMES_MAX)
            p->mme[p->n_mme++] = mme;
    }
    return r < 0 ? r : sd_bus_message_exit_container(m);
}

static const struct {
    const char *name;
    const char *signature;
    int (*read)(sd_bus_message *m, Published *p);
} PROPERTIES[] = {
    {"State", "s", state_read},
    {"AdminState", "b", admin_state_read},
    {"TunnelInterface", "s", tunnel_interface_read},
    {"InnerAddresses", "as", inner_read},
    {"Mme", "a(sasq)", mme_read},
};

static int property_read(sd_bus_message *m, const char *name, Published *p) {
    for (size_t i = 0; i < ARRAY_SIZE(PROPERTIES); i++) {
        if (!streq(PROPERTIES[i].name, name))
            continue;
        int r = sd_bus_message_enter_container(m, 'v', PROPERTIES[i].signature);
        if (r >= 0)
            r = PROPERTIES[i].read(m, p);
        return r < 0 ? r : sd_bus_message_exit_container(m);
    }
    return sd_bus_message_skip(m, "v");
}

/* The a{sv} of GetAll. */
static int published_read(sd_bus_message *m, Published *ret) {
    Published p = {.present = true};
    int r = sd_bus_message_enter_container(m, 'a', "{sv}");
    if (r < 0)
        return r;
    while ((r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
        const char *name;
        r = sd_bus_message_read(m, "s", &name);
        if (r >= 0)
            r = property_read(m, name, &p);
        if (r >= 0)
            r = sd_bus_message_exit_container(m);
        if (r < 0)
            return r;
    }
    if (r < 0)
        return r;
    *ret = p;
    return 0;
}

/* Why there is nothing to go on, or NULL if there is. */
static const char *published_lacks(const Published *p) {
    if (!p->present)
        return "the agent is not on the bus";
    if (!streq(p->state, "registered"))
        return p->state;
    if (p->n_mme == 0)
        return "Mme is empty";
    if (!p->admin_state)
        return "AdminState is false";
    return NULL;
}

/* Whether an association made with *a* stands on nothing that *b* has changed. */
static bool published_same_ends(const Published *a, const Published *b) {
    return a->n_mme == b->n_mme && memcmp(a->mme, b->mme, sizeof a->mme) == 0 &&
           memcmp(&a->inner, &b->inner, sizeof a->inner) == 0 &&
           streq(a->tunnel_interface, b->tunnel_interface);
}

/* ---- SCTP */

/* Fills in a socket address. 0 or -EINVAL. */
static int sockaddr_make(const char *text, uint16_t port, struct sockaddr_storage *ret, socklen_t *ret_len) {
    struct sockaddr_storage storage = {};
    struct sockaddr_in *in = (struct sockaddr_in *)&storage;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&storage;
    if (inet_pton(AF_INET, text, &in->sin_addr) == 1) {
        in->sin_family = AF_INET;
        in->sin_port = htons(port);
        *ret_len = sizeof *in;
    } else if (inet_pton(AF_INET6, text, &in6->sin6_addr) == 1) {
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(port);
        *ret_len = sizeof *in6;
    } else
        return -EINVAL;
    *ret = storage;
    return 0;
}

static int socket_prepare(int fd, const char *interface, const struct sockaddr_storage *local,
                          socklen_t local_len) {
    const struct timeval patience = {.tv_sec = CONNECT_SECONDS};
    const struct sctp_sndrcvinfo send_as = {.sinfo_ppid = htonl(PPID_S1AP)};
    if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface, (socklen_t)strlen(interface)) < 0)
        return -errno;
    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) < 0)
        return -errno;
    if (setsockopt(fd, IPPROTO_SCTP, SCTP_DEFAULT_SEND_PARAM, &send_as, sizeof send_as) < 0)
        return -errno;
    if (bind(fd, (const struct sockaddr *)local, local_len) < 0)
        return -errno;
    return 0;
}

/* An association with one address of an MME, with one message sent. The socket or negative errno. */
static int associate_one(const char *interface, const char *from, const char *to, uint16_t port) {
    static const uint8_t hello[] = {'s', '1'};
    struct sockaddr_storage local, remote;
    socklen_t local_len, remote_len;
    if (sockaddr_make(from, 0, &local, &local_len) < 0 || sockaddr_make(to, port, &remote, &remote_len) < 0)
        return -EINVAL;
    if (local.ss_family != remote.ss_family)
        return -EAFNOSUPPORT;
    int fd = socket(local.ss_family, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_SCTP);
    if (fd < 0)
        return -errno;
    int r = socket_prepare(fd, interface, &local, local_len);
    if (r >= 0 && connect(fd, (struct sockaddr *)&remote, remote_len) < 0)
        r = errno == EINPROGRESS ? -ETIMEDOUT : -errno; /* how SO_SNDTIMEO shows */
    if (r >= 0 && send(fd, hello, sizeof hello, MSG_NOSIGNAL) != (ssize_t)sizeof hello)
        r = -errno;
    if (r < 0) {
        close(fd);
        return r;
    }
    bool six = remote.ss_family == AF_INET6;
    printf("association %s -> %s%s%s:%u over %s, PPID %d sent\n", from, six ? "[" : "", to, six ? "]" : "",
           port, interface, PPID_S1AP);
    return fd;
}

/* Every pair of an MME's address and an inner address of its family, in the order published, until one
 * answers. */
static int associate(const Published *p) {
    int last = -EADDRNOTAVAIL;
    for (size_t i = 0; i < p->n_mme; i++)
        for (size_t j = 0; j < p->mme[i].addresses.n; j++)
            for (size_t k = 0; k < p->inner.n; k++) {
                const char *to = p->mme[i].addresses.items[j];
                int r = associate_one(p->tunnel_interface, p->inner.items[k], to, p->mme[i].port);
                if (r >= 0)
                    return r;
                if (r == -EAFNOSUPPORT)
                    continue;
                fprintf(stderr, "no association %s -> %s port %u: %s\n", p->inner.items[k], to,
                        p->mme[i].port, strerror(-r));
                last = r;
            }
    return last;
}

/* ---- following the agent */

static void stack_drop(Stack *stack, const char *why) {
    if (stack->association >= 0)
        close(stack->association);
    stack->association = -EBADF;
    stack->up = false;
    printf("lost: %s\n", why);
}

static void stack_use(Stack *stack) {
    const Published *p = &stack->published;
    stack->up = true;
    if (stack->watch)
        printf("there: registered, MME %s port %u\n", p->mme[0].entry, p->mme[0].port);
    int fd = associate(p);
    if (stack->watch) {
        stack->association = fd;
        if (fd < 0)
            printf("no association with any MME: %s\n", strerror(-fd));
        return;
    }
    if (fd < 0)
        printf("no association with any MME: %s\n", strerror(-fd));
    else
        close(fd); /* SHUTDOWN follows the data (RFC 9260 9.2) */
    sd_event_exit(stack->event, fd < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
}

static void stack_follow(Stack *stack, const Published *now) {
    const char *lacks = published_lacks(now);
    if (stack->up && lacks)
        stack_drop(stack, lacks);
    else if (stack->up && !published_same_ends(&stack->published, now))
        stack_drop(stack, "Mme, inner address or interface have changed");
    stack->published = *now;
    bool locked = now->present && streq(now->state, "registered") && now->n_mme > 0 && !now->admin_state;
    if (locked && !stack->said_locked)
        printf("AdminState is false: waiting\n");
    stack->said_locked = locked || stack->said_locked;
    if (!lacks && !stack->up)
        stack_use(stack);
}

static int on_all(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
    Published now = {};
    /* An error is an agent that is not there, or has just gone: its return is a NameOwnerChanged. */
    if (!sd_bus_message_is_method_error(reply, NULL)) {
        int r = published_read(reply, &now);
        if (r < 0) {
            printf("the agent's properties cannot be read: %s\n", strerror(-r));
            return sd_event_exit(((Stack *)userdata)->event, EXIT_FAILURE);
        }
    }
    stack_follow(userdata, &now);
    return 0;
}

/* Reads all properties: after each change, because one of them alone may be half of the picture. */
static int stack_read_all(Stack *stack) {
    sd_bus_message *call = NULL;
    stack->get_all = sd_bus_slot_unref(stack->get_all);
    int r = sd_bus_message_new_method_call(stack->bus, &call, AGENT_NAME, AGENT_PATH,
                                           "org.freedesktop.DBus.Properties", "GetAll");
    if (r >= 0)
        r = sd_bus_message_set_auto_start(call, false);
    if (r >= 0)
        r = sd_bus_message_append(call, "s", AGENT_INTERFACE);
    if (r >= 0)
        r = sd_bus_call_async(stack->bus, &stack->get_all, call, on_all, stack, 0);
    sd_bus_message_unref(call);
    return r;
}

static int on_change(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    return stack_read_all(userdata);
}

static int on_owner(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    Stack *stack = userdata;
    const char *name, *old, *new;
    int r = sd_bus_message_read(m, "sss", &name, &old, &new);
    if (r < 0)
        return r;
    if (old[0]) {
        stack->get_all = sd_bus_slot_unref(stack->get_all);
        stack_follow(stack, &(Published){});
    }
    return new[0] ? stack_read_all(stack) : 0;
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata) {
    Stack *stack = userdata;
    const char *lacks = published_lacks(&stack->published);
    if (stack->watch)
        return sd_event_exit(stack->event, stack->up ? EXIT_SUCCESS : EXIT_FAILURE);
    printf("no association in time: %s\n", lacks ? lacks : "no MME answered");
    return sd_event_exit(stack->event, EXIT_FAILURE);
}

static int on_bus_gone(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    printf("the bus is gone\n");
    return sd_event_exit(((Stack *)userdata)->event, EXIT_FAILURE);
}

/* Subscribes before it asks, so that no change falls in between. */
static int stack_start(Stack *stack, uint64_t timeout_usec) {
    int r = sd_event_default(&stack->event);
    if (r >= 0)
        r = sd_bus_open_system(&stack->bus);
    if (r >= 0)
        r = sd_bus_attach_event(stack->bus, stack->event, 0);
    if (r >= 0)
        r = sd_bus_match_signal_async(stack->bus, NULL, "org.freedesktop.DBus.Local", NULL,
                                      "org.freedesktop.DBus.Local", "Disconnected", on_bus_gone, NULL, stack);
    if (r >= 0)
        r = sd_bus_add_match_async(
            stack->bus, &stack->name_match,
            "type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus',"
            "member='NameOwnerChanged',arg0='" AGENT_NAME "'",
            on_owner, NULL, stack);
    if (r >= 0)
        r = sd_bus_add_match_async(stack->bus, &stack->change_match,
                                   "type='signal',sender='" AGENT_NAME "',path='" AGENT_PATH
                                   "',"
                                   "interface='org.freedesktop.DBus.Properties',member='PropertiesChanged',"
                                   "arg0='" AGENT_INTERFACE "'",
                                   on_change, NULL, stack);
    if (r >= 0 && timeout_usec)
        r = sd_event_add_time_relative(stack->event, NULL, CLOCK_MONOTONIC, timeout_usec, 0, on_deadline,
                                       stack);
    return r < 0 ? r : stack_read_all(stack);
}

static void stack_stop(Stack *stack) {
    if (stack->association >= 0)
        close(stack->association);
    sd_bus_slot_unref(stack->get_all);
    sd_bus_slot_unref(stack->change_match);
    sd_bus_slot_unref(stack->name_match);
    sd_bus_flush_close_unref(stack->bus);
    sd_event_unref(stack->event);
}

static int usage(const char *name) {
    fprintf(stderr, "usage: %s [--timeout SECONDS] [--watch]\n", name);
    return 2;
}

int main(int argc, char *argv[]) {
    static const struct option options[] = {
        {"timeout", required_argument, NULL, 't'}, {"watch", no_argument, NULL, 'w'}, {}};
    static Stack stack = {.association = -EBADF};
    uint64_t timeout_usec = 0;
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'w')
            stack.watch = true;
        else if (option == 't' && (timeout_usec = strtoull(optarg, NULL, 10) * 1000000))
            continue;
        else
            return usage(argv[0]);
    }
    if (optind < argc)
        return usage(argv[0]);
    setvbuf(stdout, NULL, _IOLBF, 0);
    int r = stack_start(&stack, timeout_usec);
    if (r >= 0)
        r = sd_event_loop(stack.event);
    if (r < 0)
        printf("the bus: %s\n", strerror(-r));
    stack_stop(&stack);
    return r < 0 ? EXIT_FAILURE : r;
}
