/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Certificates of IKE: the roots we trust, our own chain and key, and the verdict on a peer's chain (RFC
 * 7296 3.6, RFC 4945, TS 33.310 6). */
#pragma once

#include "base/log.h"
#include "base/url.h"
#include "ike/private-key.h"
#include "ike/x509.h"

#define CHAIN_MAX   8 /* certificates of one chain, ours or the peer's */
#define ANCHORS_MAX 32

typedef struct Blob {
    uint8_t *data;
    size_t size;
} Blob;

/* The roots, from one or more PEM certificates in a file. */
typedef struct TrustStore {
    size_t n;
    Blob anchors[ANCHORS_MAX];           /* DER */
    uint8_t key_hashes[ANCHORS_MAX][20]; /* SHA-1 of each root's public key, for CERTREQ (RFC 7296 3.7) */
} TrustStore;

/* From a PEM file's bytes. 0 or -EINVAL with a line in *error* (ERROR_MAX_BYTES) that says what is wrong
 * with which certificate; -ENOMEM. */
int trust_store_load(TrustStore **ret, const uint8_t *pem, size_t size, char *error);
void trust_store_free(TrustStore *store);
DEFINE_CLEANUP(TrustStore, trust_store_free)

/* What this box proves itself with. */
typedef struct Credential {
    size_t n;
    Blob chain[CHAIN_MAX];         /* DER, the box's own first */
    char identity[HOST_MAX_BYTES]; /* its dNSName: IDi (TS 33.320 7.2.2) */
    PrivateKey *key;
} Credential;

/* From two PEM files' bytes. Checks that the key is the certificate's and that there is a dNSName. 0; -EINVAL
 * (the certificate) or -EKEYREJECTED (the key) with a line in *error*; -ENOMEM. */
int credential_load(Credential **ret, const uint8_t *certificate_pem, size_t certificate_size,
                    const uint8_t *key_pem, size_t key_size, char *error);
void credential_free(Credential *credential);
DEFINE_CLEANUP(Credential, credential_free)

/* Instead of a time: nobody knows what time it is, validity dates are passed over. */
#define CERTIFICATE_UNDATED USEC_NEVER

/* Verifies a peer's chain: *chain[0]* is the end-entity certificate, the others may come in any order and be
 * useless. Checks signatures up to a root, validity at *now* (or CERTIFICATE_UNDATED), CA, keyCertSign and
 * path length of every issuer, hash strength, key usage, and that a subjectAltName is *identity*. An
 * intermediate is trusted for this one call, after its own check. 0 and the parsed end-entity certificate;
 * IKE_NOTIFY_AUTHENTICATION_FAILED with a line in *verdict* (ERROR_MAX_BYTES) naming the check that failed
 * and both identities; -ENOMEM. */
int certificate_verify(const TrustStore *store, const Reader *chain, size_t n, const char *identity,
                       usec_t now, Certificate *ret, char *verdict);

/* A peer's chain, kept to be verified again when the time is known: several paths may lead to a root, and
 * which of them holds then is not known now. n is 0 for none. */
typedef struct PeerChain {
    size_t n;
    Blob certificates[CHAIN_MAX];
} PeerChain;

/* Copies *n* <= CHAIN_MAX certificates. 0 or -ENOMEM. */
int peer_chain_keep(PeerChain *ret, const Reader *chain, size_t n);
/* certificate_verify() of what was kept, at *now*. */
int peer_chain_verify(const PeerChain *chain, const TrustStore *store, const char *identity, usec_t now,
                      char *verdict);
/* Also of none. */
void peer_chain_free(PeerChain *chain);
