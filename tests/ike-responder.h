/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The other end of an IKE SA for tests: a responder with a state machine of its own on the codec, whose
 * switches make it awkward, wrong or hostile. It verifies nothing the tests do not look at: what the
 * initiator said is kept for them. */
#pragma once

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
TestChain test_chain(const char *const *names);
void test_chain_free(TestChain *chain);

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
    bool bad_inner; /* a payload in SK whose length runs past the end */
    /* Changes what is about to be sealed. */
    void (*mangle_inner)(void *userdata, uint8_t exchange, uint8_t *plain, size_t size);
    void *userdata;
} Switches;

typedef enum ResponderState {
    RESPONDER_NEW,
    RESPONDER_HALF_OPEN,
    RESPONDER_ESTABLISHED,
    RESPONDER_DELETED,
} ResponderState;

#define RESPONDER_MESSAGE_MAX 16384

typedef struct Message {
    size_t size; /* 0: none */
    uint8_t bytes[RESPONDER_MESSAGE_MAX];
} Message;

typedef struct Responder {
    Switches switches;
    Rng rng;
    Endpoint local, peer; /* as the responder sees them */
    ResponderState state;
    uint64_t spi_i, spi_r;
    Suite suite;
    Nonces nonces;
    IkeKeys keys;
    Message init_request, init_response;
    Message last_request, last_response; /* a repeated request gets the same bytes */
    Message sent_request;                /* of its own, unanswered */
    uint32_t next_id, peer_next_id;
    uint64_t seal_counter;
    bool group_asked;

    /* What the initiator said. */
    unsigned requests, cookies_seen, init_contacts;
    uint8_t peer_id[HOST_MAX_BYTES];
    size_t peer_id_size, peer_certificates;
    bool peer_certreq, peer_authenticated, peer_asked_address;
    uint8_t peer_auth_method;
    HashSet peer_hashes;
    ChildSa child; /* seen from the responder: in is what the initiator sends */
    unsigned deletes_ike, deletes_child, liveness;
    unsigned response_notify; /* first notify in the answer to our last request, 0: none */
    uint8_t response_notify_data;
    bool response_empty, answered;
} Responder;

void responder_init(Responder *r, const Switches *switches, const Rng *rng, const Endpoint *local);
/* Takes a datagram and writes the answer, if there is one. */
void responder_input(Responder *r, const uint8_t *datagram, size_t size, const Endpoint *from, Message *ret);

/* Requests of the responder's own, sealed and kept until they are answered. *payload* NULL: an empty one. */
typedef void (*ResponderPayload)(Responder *r, IkeWriter *m);
void responder_request(Responder *r, uint8_t exchange, ResponderPayload payload, Message *ret);
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
