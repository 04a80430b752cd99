/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The inside of an IkeSa, for ike-sa.c and the files of its exchanges. A datagram goes through header ->
 * decrypt -> split -> rules -> handler: a handler never sees a message that broke a rule. */
#pragma once

#include <stdarg.h>

#include "ike/auth.h"
#include "ike/eap-aka.h"
#include "ike/ike-sa.h"
#include "ike/keys.h"
#include "ike/sealer.h"

#define ACTIONS_MAX        192 /* three messages in the most fragments */
#define ACTIONS_RESERVE    32  /* of them not for datagrams */
#define GENERATIONS_MAX    4   /* the one in use, the one before, and two of a collision */
#define PEERS_MAX          8   /* further addresses of the gateway that are kept (RFC 4555 3.4) */
#define RETRY_LATER        (60 * USEC_PER_SEC) /* after a refusal that is no TEMPORARY_FAILURE */
#define OCSP_MAX           CHAIN_MAX
#define IKE_SHRINK_AFTER   2 /* times a request was sent in large datagrams */
#define IKE_CHILDREN_SPARE 4 /* places that pairs of the gateway's wish leave for rekeying */
#define IKE_RENEWAL_LEAST  (600 * USEC_PER_SEC) /* a certificate that ends sooner is used to its end */

typedef enum State {
    STATE_INIT,       /* IKE_SA_INIT is under way */
    STATE_AUTH,       /* IKE_AUTH is under way */
    STATE_REVOCATION, /* all is well but for the answer to IKE_REVOCATION */
    STATE_ESTABLISHED,
    STATE_CLOSING, /* DELETE is wanted or under way */
    STATE_ENDED,
} State;

/* Where the second authentication is, behind that of the certificates (RFC 4739). */
typedef enum HostingStage {
    HOSTING_NONE, /* not begun */
    HOSTING_EAP,  /* IDi or an EAP response was sent */
    HOSTING_AUTH, /* AUTH of the MSK was sent */
} HostingStage;

/* What a request of ours is about. The order is the priority in which they are sent, since the window is one
 * request (RFC 7296 2.3). */
typedef enum Task {
    TASK_NONE,
    TASK_SET_UP, /* IKE_SA_INIT, IKE_AUTH */
    TASK_DELETE, /* this generation */
    TASK_ADDRESS,
    TASK_DELETE_CHILD,
    TASK_REKEY_IKE,
    TASK_REKEY_CHILD,
    TASK_LIVENESS,
} Task;

/* The one request that is not answered yet. */
typedef struct Request {
    Fragments datagrams; /* none: nothing is under way */
    Sealer *sealer;      /* to seal it again, smaller; NULL: as it is */
    Task task;
    uint32_t child; /* spi_in, for TASK_DELETE_CHILD */
    uint8_t exchange;
    uint32_t id;
    unsigned sent; /* times */
    usec_t wait;   /* before it is sent again, without jitter */
    usec_t deadline;
} Request;

/* One IKE SA of the chain of rekeyings: what RFC 7296 keeps for each. */
typedef struct Generation {
    bool used;
    bool initiator; /* we started the exchange that made it: flag, keys and SPIs go by that */
    bool replaced;  /* another one is in use */
    bool delete_wanted;
    bool gone; /* deleted by the gateway: all it does is to answer that once more (2.1) */
    uint64_t spi_i, spi_r;
    Suite suite;
    IkeKeys keys;
    uint64_t seal_counter;
    Request request;
    uint32_t next_id;               /* of our next request */
    uint32_t peer_next_id;          /* of the peer's next request */
    Fragments response;             /* to the peer's last request */
    Reassembly requests, responses; /* of the peer's, in fragments */
    usec_t until; /* replaced: the gateway should have deleted it by then; gone: forgotten then */
    /* The lower nonce of the exchange that made it, for collisions (2.8.1). */
    uint8_t lowest[IKE_NONCE_MAX];
    size_t lowest_size;
} Generation;

typedef enum ChildState {
    CHILD_FREE,
    CHILD_RESERVED,  /* an SPI, for an exchange of ours that is under way */
    CHILD_WAITING,   /* made by the gateway in place of another: it may send on it, we do not yet */
    CHILD_IN_USE,    /* for sending, or one of several of different selectors */
    CHILD_REPLACED,  /* another one is in use: a DELETE comes or goes */
    CHILD_LINGERING, /* deleted; what is still on the way is taken */
    CHILD_GONE,      /* until its IKE_CHILD_REMOVE was taken */
} ChildState;

typedef struct Child {
    ChildState state;
    ChildSa sa;
    unsigned parts; /* the kernel has */
    bool delete_wanted;
    bool lost;         /* the gateway does not know it any more */
    bool ours;         /* we started the exchange that made it */
    bool switching;    /* asked of the kernel, to take the place of the one it replaces */
    usec_t rekey_at;   /* USEC_NEVER: not by time */
    usec_t until;      /* when the state's patience is over; of one in use: its life */
    uint32_t replaces; /* spi_in of that one, 0: none */
    uint8_t lowest[IKE_NONCE_MAX];
    size_t lowest_size;
} Child;

/* Our CREATE_CHILD_SA that is under way. */
typedef struct Creating {
    Task task;       /* TASK_NONE, TASK_REKEY_IKE, TASK_REKEY_CHILD */
    uint32_t old;    /* spi_in of the pair to replace */
    uint32_t spi_in; /* of the new one */
    uint64_t spi;    /* ours of the new IKE SA */
    KeyExchange *key_exchange;
    Nonces nonces;
    unsigned groups; /* INVALID_KE_PAYLOAD answers followed */
    size_t n_offered;
    IkeProposal offered[IKE_PROPOSALS_MAX];
} Creating;

/* The addresses of both ends (RFC 4555). */
typedef struct Mobility {
    bool supported; /* by the gateway */
    bool wanted;    /* it is to be told our address */
    uint8_t cookie2[16];
    const Generation *seen_by; /* whose SPIs are in *seen*; NULL: nothing was seen */
    uint8_t seen[20];          /* how the gateway saw our address: NAT_DETECTION_DESTINATION_IP */
    size_t n_others;
    Address others[PEERS_MAX]; /* of the gateway */
    size_t tried;              /* of those, since it last answered */
} Mobility;

struct IkeSa {
    IkeConfig config;
    State state;
    Endpoint local, remote; /* ports move to 4500 with NAT traversal */
    bool nat_local, nat_remote;
    bool fragmentation; /* both know RFC 7383 */

    /* While it is set up. */
    KeyExchange *key_exchange;
    uint16_t group; /* of that, also afterwards */
    Nonces nonces;
    uint8_t cookie[IKE_COOKIE_MAX];
    size_t cookie_size;
    unsigned cookies, groups;
    Blob init_request, init_response; /* signed by AUTH */
    ProposalSet ike_proposals, esp_proposals;
    IkeProposal ike_offered[IKE_PROPOSALS_MAX];
    size_t n_ike_offered;
    HashSet peer_hashes;
    IkeProposal esp_offered[IKE_PROPOSALS_MAX];
    size_t n_esp_offered;
    Blob ocsp[OCSP_MAX]; /* the gateway sent along */
    size_t n_ocsp;

    bool multiple_auth; /* the gateway knows RFC 4739 */
    HostingStage hosting;
    EapAka *eap;
    Blob idr; /* the gateway's, which its last AUTH is about as well */

    PeerChain chain; /* of the gateway */
    bool undated;    /* whose dates are to be judged when the time is known */
    IkeConfiguration configuration;

    Generation generations[GENERATIONS_MAX];
    Generation *current;
    Child children[IKE_CHILDREN_MAX];
    Creating creating;
    Mobility mobility;
    IkeRedirect redirect;
    char redirect_text[HOST_MAX_BYTES]; /* the same, for a log line */

    bool superseded; /* closed for a successor: what still comes is taken */
    bool liveness_wanted;
    usec_t rekey_at; /* the IKE SA; USEC_NEVER */
    usec_t expires;  /* and when it may not live on */
    usec_t reauthenticate_at, reauthenticate_real, reauthenticate_pause;
    const char *reauthenticate_text;
    usec_t heard;   /* last authenticated message or ESP packet */
    usec_t said;    /* last datagram of ours */
    usec_t doubted; /* last unprotected word that the gateway does not know us */
    usec_t grace;   /* with a possibly forged error: give up then; USEC_NEVER */

    Moment now; /* of the call that is being worked on */
    usec_t traffic_at;
    usec_t traffic_asked; /* when, 0: never */
    bool kernel_keepalive;
    uint32_t traffic_spi; /* what the two below are of */
    uint64_t packets_in, packets_out;
    unsigned deaf, deaf_limit; /* intervals in a row without an answer to what we sent */
    usec_t deaf_at;

    IkeCounters counters;
    IkeEnd end;
    char ended_text[ERROR_MAX_BYTES];
    size_t n_actions;
    IkeAction actions[ACTIONS_MAX]; /* the data of an IKE_SEND is owned */
    IkeAction taken;                /* the last one: its data is to be freed, its keys to be wiped */
};

/* ike-sa.c ------------------------------------------------------------------------------------------------
 */

static inline void blob_free(Blob *b) {
    free(b->data);
    *b = (Blob){};
}
int blob_copy(Blob *ret, const void *data, size_t size);

/* Takes the data of an IKE_SEND. */
void ike_sa_push(IkeSa *sa, IkeAction action);
/* The only place that writes the state. */
void ike_sa_set_state(IkeSa *sa, State state);
/* Over: IKE_ENDED follows. */
void ike_sa_end(IkeSa *sa, IkeEnd end, const char *format, ...) _printf_(3, 4);
/* Says why and deletes what the gateway believes is up; IKE_ENDED follows with this reason, not the
 * deletion's. An SA that is being deleted stays with its first reason. */
void ike_sa_refuse(IkeSa *sa, IkeEnd end, const char *format, ...) _printf_(3, 4);
/* What ike_sa_refuse() or a doubt gave as the reason is the end. */
void ike_sa_closed(IkeSa *sa);
void ike_sa_reason(IkeSa *sa, IkeEnd end, const char *format, va_list ap) _printf_(3, 0);
/* Starts the most urgent wanted exchange of each generation that has none under way. */
void ike_sa_proceed(IkeSa *sa, Moment now);
/* Both ends are at these endpoints from now on: pairs are moved. */
void addresses_move(IkeSa *sa, const Endpoint *local, const Endpoint *remote);

Generation *generation_add(IkeSa *sa);
void generation_free(IkeSa *sa, Generation *g);
static inline bool generation_busy(const Generation *g) {
    return g->request.datagrams.n > 0;
}

/* For a log line. */
#define NOTIFY_TEXT_MAX 64
const char *notify_text(unsigned type, char buf[static NOTIFY_TEXT_MAX]);
#define NOTIFY_TEXT(type) notify_text((type), (char[NOTIFY_TEXT_MAX]){0})

/* request.c -----------------------------------------------------------------------------------------------
 */

/* Seals, sends and keeps *s* as the request of *g*. Takes it, also when this fails. 0 or negative errno. */
int request_seal(IkeSa *sa, Generation *g, Moment now, Sealer *s, Task task);
/* The same for one in clear. */
int request_start(IkeSa *sa, Generation *g, Moment now, Task task, uint8_t exchange, uint32_t id,
                  const void *message, size_t size);
/* Sends it once more: nobody has answered. */
void request_repeat(IkeSa *sa, Generation *g, Moment now);
void request_forget(Request *q);
/* Seals, sends and keeps *s* as the answer to the peer's last request. 0 or negative errno. */
int response_seal(IkeSa *sa, Generation *g, Moment now, const Sealer *s);
void response_repeat(IkeSa *sa, const Generation *g, Moment now);
/* A message of *g*. NULL without memory. */
Sealer *sealer_begin(const Generation *g, uint8_t exchange, bool response, uint32_t id);

/* traffic.c ------------------------------------------------------------------------------------------------
 */

/* Asks the kernel what went through the pair in use. */
void traffic_ask(IkeSa *sa, Moment now);

/* exchange-init.c -----------------------------------------------------------------------------------------
 */

int init_start(IkeSa *sa, Moment now);
void init_response(IkeSa *sa, Moment now, const IkeHeader *h, const IkePayloads *payloads,
                   const uint8_t *datagram, size_t size);
/* SPI, nonce and key pair: those made ahead when they are of the group that is offered first. */
int init_prepare(IkeSa *sa, IkePrepared **ahead);
/* Both notifies of 2.23 for the present addresses. */
int nat_detection_write(const IkeSa *sa, const Generation *g, IkeWriter *m);
/* What they say in an answer. False: one is missing. */
bool nat_detection_read(const IkeSa *sa, uint64_t spi_i, uint64_t spi_r, const IkePayloads *payloads,
                        bool *ret_local, bool *ret_remote);
/* RFC 4555 3.8: keeps how the gateway sees our address. True: otherwise than before, by a NAT that has
 * changed its mind. */
bool nat_detection_changed(IkeSa *sa, const IkePayloads *payloads);
/* RFC 5685: a REDIRECT notify to sa->redirect; with the nonce it must echo, or NULL. False: it is none. */
bool redirect_read(IkeSa *sa, const IkeNotify *n, const uint8_t *nonce, size_t nonce_size);

/* exchange-auth.c -----------------------------------------------------------------------------------------
 */

int auth_start(IkeSa *sa, Moment now);
void auth_response(IkeSa *sa, Moment now, const IkePayloads *payloads);
/* 2.15: the octets that an AUTH is about, in parts, of which *mac* holds the last. *id*: the ID payload's
 * body. */
int auth_signed_octets(const IkeSa *sa, bool ours, const uint8_t *id, size_t id_size,
                       uint8_t mac[static PRF_SIZE_MAX], struct iovec ret[static 3]);
/* The gateway has proved who it is: the hosting party's turn, or what comes along is taken. */
void auth_proved(IkeSa *sa, Moment now, const IkePayloads *payloads);
/* The time has become known: dates that were passed over are judged. */
void auth_judge_dates(IkeSa *sa, Moment now);

/* exchange-eap.c ------------------------------------------------------------------------------------------
 */

/* The answer to the box's certificate, when the hosting party comes next. False: it was refused. */
bool hosting_accept(IkeSa *sa, const IkePayloads *payloads);
/* Once its revocation was judged. */
void hosting_begin(IkeSa *sa, Moment now);
void hosting_response(IkeSa *sa, Moment now, const IkePayloads *payloads);
void hosting_forget(IkeSa *sa);

/* child.c ---------------------------------------------------------------------------------------- */

Child *child_find(IkeSa *sa, uint32_t spi_in);
Child *child_find_out(IkeSa *sa, uint32_t spi_out);
/* The pair in use, NULL without one. */
Child *child_in_use(const IkeSa *sa);
/* A free place with a reserved SPI. NULL: no place, or the kernel refused. */
Child *child_reserve(IkeSa *sa);
/* Takes off what all of them send with. */
void children_silence(IkeSa *sa);
/* Takes off what the kernel has, and forgets it. */
void child_drop(IkeSa *sa, Child *c);
/* It is in use from now on: sets its times. */
void child_begin(IkeSa *sa, Child *c, Moment now);
/* *c* is to take the place of the one it replaces, as soon as the kernel has it; and then. */
void child_switch(IkeSa *sa, Child *c, Moment now);
void child_switched(IkeSa *sa, Child *c);
/* What was negotiated, but for SPIs, selectors and keys. */
void child_fill(const IkeSa *sa, Child *c, const Suite *esp);
/* When to rekey something of that lifetime, from now. */
usec_t rekey_time(IkeSa *sa, usec_t lifetime);
/* The gateway's DELETE for *c*: writes ours to the answer. True: the tunnel is left without a pair. */
bool child_deleted(IkeSa *sa, Child *c, Moment now, IkeWriter *m);
/* Our DELETE was answered, or will not be. */
void child_delete_done(IkeSa *sa, uint32_t spi_in, Moment now);
void child_tick(IkeSa *sa, Moment now);
usec_t child_deadline(const IkeSa *sa);
/* What the gateway made in place of the pair *old*, and we have not given up. */
Child *child_replacement(IkeSa *sa, uint32_t old);
/* Has the kernel program, or take off, *parts* as far as it has not or has them. */
void child_install(IkeSa *sa, Child *c, unsigned parts);
void child_remove(IkeSa *sa, Child *c, unsigned parts);
/* Another one is in use: its DELETE comes or goes. */
void child_replace(Child *c, Moment now);
/* Whether it is in use and not on its way out already. */
bool child_may_rekey(const IkeSa *sa, const Child *c);

/* exchange-child.c ----------------------------------------------------------------------------------------
 */

/* Which CREATE_CHILD_SA of ours is due. */
Task creating_wanted(const IkeSa *sa, Moment now);
int creating_start(IkeSa *sa, Moment now, Task task);
void creating_response(IkeSa *sa, Generation *g, Moment now, const IkePayloads *payloads);
void creating_forget(IkeSa *sa);
/* *g* takes the place of the IKE SA in use. */
void generation_use(IkeSa *sa, Generation *g, Moment now);
/* That which the gateway made in place of the one in use, and is not used yet; NULL: none. */
Generation *generation_of_peer(IkeSa *sa);
/* Writes the answer to the gateway's CREATE_CHILD_SA. */
void creating_answer(IkeSa *sa, Generation *g, Moment now, const IkePayloads *payloads, IkeWriter *m);

/* exchange-informational.c --------------------------------------------------------------------------------
 */

/* *child*: whose DELETE, else NULL. */
int informational_start(IkeSa *sa, Generation *g, Moment now, Task task, const Child *child);
/* An answer to the request *q*, which is not under way any more. */
void informational_response(IkeSa *sa, Moment now, const Request *q, const IkePayloads *payloads);
/* Writes the answer to the gateway's INFORMATIONAL; what it does to the SA happens after it was sent. */
typedef enum Verdict {
    VERDICT_STAYS,
    VERDICT_GENERATION_DELETED,
    VERDICT_TUNNEL_DELETED,
} Verdict;
/* Its other addresses are tried when the present one does not answer (RFC 4555 3.5). False: no more. */
bool mobility_try_other(IkeSa *sa, Moment now);
/* A status of IKE_AUTH or INFORMATIONAL. */
void status_take(IkeSa *sa, Moment now, const IkeNotify *n);
Verdict informational_answer(IkeSa *sa, Generation *g, Moment now, const IkePayloads *payloads, IkeWriter *m);
