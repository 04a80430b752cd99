/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The other end of an IKE SA for tests: a responder with a state machine of its own on the codec, whose
 * switches make it awkward, wrong or hostile. It verifies nothing the tests do not look at: what the
 * initiator said is kept for them. Its state machine is written from RFC 7296 alone and shares nothing with
 * the engine's but the codec and the cryptography. */
#pragma once

#include "quick-check.h"
#include "base/moment.h"
#include "ike/auth.h"
#include "ike/keys.h"
#include "ike/proposal.h"

/* tests/data/ike/NAME, with a NUL behind it; free *data. */
Blob test_file(const char *name);
Blob test_unhex(const char *hex); /* free *data */
Credential *test_credential(const char *certificate, const char *key);
TrustStore *test_trust(const char *name);
/* Chain of the DER certificates of several PEM files, "" ends it. */
typedef struct TestChain {
    size_t n;
    Blob der[CHAIN_MAX + 2];
} TestChain;
uint64_t bytes_hash(const void *data, size_t size);
TestChain test_chain(const char *const *names);
void test_chain_free(TestChain *chain);

/* One CERTREQ of the responder's: hashes of authorities' keys, or what another encoding has. */
typedef struct TestCertreq {
    uint8_t encoding;
    Blob data;
} TestCertreq;

/* Which side of the rules the responder is on. Zero: a good gateway with everything on its first try. */
typedef struct Switches {
    /* IKE_SA_INIT */
    bool cookie;           /* wants one */
    bool cookie_covers_ke; /* and computes it over KE as well: RFC 7296 2.6.1's unoptimized responder */
    bool group_first;      /* looks at the group before the cookie */
    uint16_t group;        /* wants this one, 0: takes what comes */
    unsigned init_error;   /* a notify instead of an answer */
    bool endless_cookies;  /* never satisfied */
    bool endless_group;    /* INVALID_KE_PAYLOAD with *group* for ever */
    bool bad_public;       /* KE of zeros */
    bool short_nonce;
    uint8_t proposal; /* 1: AES-GCM, 2: AES-CBC; 0 is 1 */
    uint8_t prf;      /* IKE_PRF_*, 0: SHA-256 */
    uint16_t key_bits;
    bool foreign_algorithm; /* chooses what was not offered */
    bool no_hashes;         /* knows no RFC 7427 */
    bool only_sha1;         /* announces nothing but SHA-1 in RFC 7427's notify */
    bool no_nat_detection;
    bool nat_initiator, nat_responder; /* what was seen is not what was said */
    bool critical_init;                /* an unknown critical payload in the response */
    bool unknown_payloads;             /* unknown uncritical ones in every message, and reserved bits set */
    uint8_t unknown_type;              /* which; 0: 200 */
    unsigned unknown_notify;           /* of the notify beside them; 0: 40000, a status */

    const TestCertreq *certreqs; /* in the answer */
    size_t n_certreqs;

    /* IKE_AUTH */
    const TestChain *chain;       /* what to send, else that of the credential */
    const Credential *credential; /* what to sign with */
    uint8_t id_type;              /* of IDr; 0: ID_FQDN with *id* */
    const char *id;               /* default segw.operator.example */
    Blob id_data;                 /* with id_type */
    bool classic_auth;            /* method 1 or 9 instead of 14 */
    bool bad_auth;                /* a bit of the signature flipped */
    bool no_auth, no_idr;         /* the payload missing */
    unsigned auth_error;          /* an error without AUTH */
    unsigned child_error;         /* AUTH is good, but no Child SA */
    unsigned child_notify;        /* an error beside the Child SA */
    bool no_cp;
    const char *inner[3];           /* addresses, default 10.1.0.7 */
    const char *dns[3];             /* default 10.0.0.53 */
    int refuses;                    /* a family: its attributes come empty, without a value (3.15.1) */
    int without_ts, without_tsr;    /* a family whose selectors are missing: both sides, the far side alone */
    const char *ts_local;           /* else the inner addresses */
    bool ts_wide;                   /* TSi is everything */
    bool ts_odd;                    /* a remote range that is no prefix */
    uint8_t esp_proposal;           /* as above */
    bool esp_zero_spi, esp_foreign; /* a reserved SPI; an algorithm not offered */
    bool critical_auth;
    bool bad_inner;            /* a payload in SK whose length runs past the end */
    unsigned lifetime;         /* AUTH_LIFETIME (RFC 4478), seconds */
    const Blob *ocsp;          /* CERT of encoding 14 (RFC 4806) when it is asked for */
    const char *redirect_init; /* to this address or name (RFC 5685), in the answer to IKE_SA_INIT */
    bool redirect_bad_nonce;   /* with another nonce than the initiator's */
    const char *redirect_auth; /* in that to IKE_AUTH, without a Child SA */
    bool multiple_auth;        /* RFC 4739: announces it, and EAP follows by *eap* */
    /* The packet of the initiator (empty at first) in, the next one in *ret* (1024 bytes); true with
     * *ret_msk* once it is EAP-Success. */
    bool (*eap)(void *userdata, const uint8_t *packet, size_t size, uint8_t *ret, size_t *ret_size,
                uint8_t ret_msk[static 64]);
    bool bad_msk;                /* and then proves to know another one */
    bool mobike;                 /* RFC 4555 */
    const char *additional[3];   /* its further addresses */
    bool unacceptable_addresses; /* answers so to UPDATE_SA_ADDRESSES */
    bool no_routability;         /* does not check a new address with COOKIE2 */
    size_t fragment; /* RFC 7383: no datagram of more bytes than this, where the initiator takes it */

    /* CREATE_CHILD_SA. The errors are answered *error_times* times, 0: always. */
    unsigned rekey_child_error, rekey_ike_error, new_child_error, error_times;
    uint16_t pfs_group;           /* wants this one in Child SAs, and says so with INVALID_KE_PAYLOAD */
    bool no_pfs;                  /* chooses without */
    bool own_pfs;                 /* offers nothing but PFS when it rekeys a Child SA itself */
    bool narrow;                  /* rekeyed Child SAs cover less */
    bool keep_old;                /* never deletes what it has replaced */
    bool delete_after_answer;     /* deletes the Child SA that the initiator has just replaced */
    bool eager;                   /* sends with a new Child SA as soon as it has answered */
    bool wrong_loser;             /* deletes the other one after a collision */
    bool forgets_initial_contact; /* does not delete older SAs of the same identity */
    bool invalid_spi;             /* answers unknown SPIs with INVALID_IKE_SPI in the clear */
    usec_t child_lifetime, ike_lifetime, liveness; /* of its own; 0: never */

    /* Changes what is about to be sealed. */
    void (*mangle_inner)(void *userdata, uint8_t exchange, uint8_t *plain, size_t size);
    void *userdata;
} Switches;

typedef enum ResponderState {
    RESPONDER_NEW,
    RESPONDER_HALF_OPEN,
    RESPONDER_ESTABLISHED,
    RESPONDER_REPLACED, /* rekeyed: waits to be deleted */
    RESPONDER_DELETED,  /* a tombstone that still answers what is repeated */
} ResponderState;

#define RESPONDER_MESSAGE_MAX   16384
#define RESPONDER_IKES          8
#define RESPONDER_CHILDREN      16
#define RESPONDER_REQUESTS      16
#define RESPONDER_FRAGMENTS     80
#define RESPONDER_OUTBOX        128
#define RESPONDER_LINGER        (5 * USEC_PER_SEC) /* what was deleted still decrypts so long */
#define RESPONDER_RESEND        (1 * USEC_PER_SEC) /* doubled each time */
#define RESPONDER_TRIES         6
#define RESPONDER_TRY_AGAIN     (3 * USEC_PER_SEC) /* after TEMPORARY_FAILURE */
#define RESPONDER_PATIENCE      (30 * USEC_PER_SEC)
#define RESPONDER_HALF_OPEN_FOR (30 * USEC_PER_SEC)
/* A replaced IKE SA whose DELETE was lost again and again is forgotten, as by other gateways. */
#define RESPONDER_REPLACED_FOR (120 * USEC_PER_SEC)

typedef struct Message {
    size_t size; /* 0: none */
    uint8_t bytes[RESPONDER_MESSAGE_MAX];
} Message;

/* One message as it goes out: a datagram, or its fragments. */
typedef struct Packets {
    size_t n;
    Blob items[RESPONDER_FRAGMENTS];
} Packets;

typedef struct Responder Responder;
typedef void (*ResponderPayload)(Responder *r, IkeWriter *m);

/* What the responder may ask of the initiator. */
typedef enum RequestType {
    REQUEST_RAW, /* *payload* in *exchange*: sent once, what comes back is only noted */
    REQUEST_LIVENESS,
    REQUEST_NEW_CHILD,
    REQUEST_REKEY_CHILD,
    REQUEST_DELETE_CHILD,
    REQUEST_REKEY_IKE,
    REQUEST_DELETE_IKE,
    REQUEST_ROUTABILITY, /* COOKIE2 */
    REQUEST_REDIRECT,
    REQUEST_ADDRESSES, /* of the responder (RFC 4555 3.6) */
} RequestType;

typedef struct ResponderRequest {
    RequestType type;
    uint8_t exchange;
    ResponderPayload payload;
    uint32_t child;     /* spi_in of the one it is about */
    const char *target; /* of a redirect */
    usec_t not_before;
    /* Under way. */
    uint32_t spi;
    uint64_t ike_spi;
    KeyExchange *key; /* with a KE payload */
    uint16_t group;
    Nonces nonces;
    uint8_t cookie2[16];
    bool forgotten; /* the peer's own doing overtook it: what comes back is undone */
} ResponderRequest;

typedef struct ResponderIke {
    ResponderState state;
    usec_t since; /* in this state */
    Endpoint local, peer;
    bool initiator; /* the responder started the exchange that made it */
    uint64_t spi_i, spi_r;
    Suite suite;
    Nonces nonces;
    IkeKeys keys;
    uint64_t seal_counter;
    bool fragments, nat, mobike, redirects, multiple_auth;
    HashSet peer_hashes;
    Message init_request, init_response; /* signed by AUTH */
    /* IKE_AUTH */
    unsigned rounds;
    Message auth_request; /* payloads of the first one, for the SA of the last answer */
    uint8_t auth_first;   /* type of its first payload */
    uint8_t identity[HOST_MAX_BYTES + 4];
    size_t identity_size;
    uint8_t msk[64];
    bool eap_done;
    /* The window */
    uint32_t next_id, peer_next_id;
    uint64_t last_hash; /* of the last request's first datagram */
    Packets last_response, sent;
    bool busy; /* *request* is under way */
    ResponderRequest request;
    unsigned tries;
    usec_t resend_at;
    size_t n_queue;
    ResponderRequest queue[RESPONDER_REQUESTS];
    /* Reassembly of one message */
    uint32_t fragment_id;
    uint16_t fragment_total;
    uint8_t fragment_first;
    bool fragment_response;
    Blob fragment[RESPONDER_FRAGMENTS + 1];
    /* Rekeying */
    struct ResponderIke *peers_new; /* what the initiator's request made while ours was under way or before */
    bool aged;
    usec_t heard;
} ResponderIke;

typedef enum ResponderChildState {
    CHILD_NONE,
    CHILD_ACTIVE,
    CHILD_DELETING, /* our DELETE is not answered yet */
    CHILD_GONE,     /* still decrypts for RESPONDER_LINGER */
} ResponderChildState;

typedef struct ResponderChild {
    ResponderChildState state;
    usec_t since;
    ChildSa sa; /* seen from the responder: in is what the initiator sends */
    Suite esp;
    ResponderIke *ike;
    Nonces nonces;      /* of the exchange that made it */
    uint32_t replaces;  /* spi_in; 0: nothing */
    uint32_t peers_new; /* spi_in of what the initiator's rekeying of this one made */
    bool rekeying;      /* a request of ours is about it */
    bool aged;          /* its lifetime has ended, which was seen to */
} ResponderChild;

typedef struct ResponderDatagram {
    Endpoint local, remote;
    size_t size;
    uint8_t *data;
} ResponderDatagram;

struct Responder {
    Switches switches;
    Rng rng;
    usec_t now;           /* set by the caller before each call */
    Endpoint local, peer; /* as the responder sees them */
    ResponderIke *ike[RESPONDER_IKES];
    ResponderChild children[RESPONDER_CHILDREN];
    uint32_t in_use; /* spi_in of the Child SA it sends with; 0: none */
    size_t n_out;
    ResponderDatagram out[RESPONDER_OUTBOX];
    ResponderDatagram handed_out;

    /* What the initiator said; the latest handshake. */
    ResponderState state; /* of the newest IKE SA */
    uint64_t spi_i, spi_r;
    Message init_request;
    Nonces nonces;
    unsigned requests, cookies_seen, init_contacts;
    uint8_t peer_id[HOST_MAX_BYTES];
    size_t peer_id_size, peer_certificates;
    Address peer_asked;      /* inner IPv4 address by which the request began; AF_UNSPEC: any */
    size_t peer_authorities; /* hashes in its CERTREQs */
    bool peer_certreq, peer_certreq_ocsp, peer_authenticated, peer_asked_address, peer_fragments;
    uint8_t peer_auth_method;
    HashSet peer_hashes;
    ChildSa child; /* the one in use, or the last that was */
    unsigned deletes_ike, deletes_child, liveness;
    unsigned rekeys_child, rekeys_ike, new_children;             /* of the initiator, done */
    unsigned own_rekeys_child, own_rekeys_ike, own_new_children; /* of the responder, done */
    unsigned collisions_child, collisions_ike, refused;          /* refused: answered with an error */
    unsigned updates, cookies2_good, cookies2_bad, redirected_from, fragments_in, fragments_out;
    unsigned lost; /* IKE SAs that were given up because the initiator did not answer */
    unsigned errors_given;
    unsigned response_notify; /* first notify in the answer to our last request, 0: none */
    uint8_t response_notify_data;
    uint16_t response_notify_group;
    bool response_empty, answered;
};

void responder_init(Responder *r, const Switches *switches, const Rng *rng, const Endpoint *local);
void responder_free(Responder *r); /* what it holds */
/* Takes a datagram; the answer, or its first datagram, goes to *ret*, which may be NULL to leave all of it to
 * responder_next(). */
void responder_input(Responder *r, const uint8_t *datagram, size_t size, const Endpoint *from, Message *ret);
/* The next datagram to send; valid until the next call. */
bool responder_next(Responder *r, ResponderDatagram *ret);
void responder_tick(Responder *r);
usec_t responder_deadline(const Responder *r);
/* Loses all state. */
void responder_crash(Responder *r);

/* The newest IKE SA that is established, or NULL; how many there are, also of Child SAs. */
ResponderIke *responder_current(Responder *r);
unsigned responder_count_ikes(const Responder *r);
unsigned responder_count_children(const Responder *r);
/* By spi_in; 0: the one in use. */
ResponderChild *responder_child(Responder *r, uint32_t spi_in);

/* Asks for something by the current IKE SA, as soon as the window is open. *child* 0: the one in use. */
void responder_want(Responder *r, RequestType type, uint32_t child);
void responder_want_redirect(Responder *r, const char *target);
/* A request with these payloads, sealed, not repeated by itself. *payload* NULL: an empty one. Written to
 * *ret*, for the caller to send. */
void responder_request(Responder *r, uint8_t exchange, ResponderPayload payload, Message *ret);
/* As if the request under way had been answered, and the next had message ID *next_id*. */
void responder_forget_request(Responder *r, uint32_t next_id);
void payload_delete_ike(Responder *r, IkeWriter *m);
void payload_delete_child(Responder *r, IkeWriter *m);
void payload_delete_malformed(Responder *r, IkeWriter *m);
void payload_rekey_child(Responder *r, IkeWriter *m);
void payload_critical(Responder *r, IkeWriter *m);
void payload_misplaced(Responder *r, IkeWriter *m);
void payload_unknown_notify(Responder *r, IkeWriter *m);

/* A header and one notify in the clear, as an attacker without keys would send it. */
void forge_notify(uint64_t spi_i, uint64_t spi_r, uint8_t exchange, uint8_t flags, uint32_t id, unsigned type,
                  Message *ret);
