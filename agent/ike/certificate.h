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

/* What CERTREQ says beside the roots to have an OCSP response in a CERT payload (RFC 4806 3.1): encoding
 * IKE_CERT_OCSP with an empty list of responders, "any you trust". We know none by name: a responder is
 * believed for what its issuer made it, whoever it is (ocsp.h). */

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
    usec_t not_after;              /* of the box's own: to be replaced before then (TS 33.310) */
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

/* The way from a peer's certificate to the root: each one's issuer is the next, the last is one of the trust
 * store's. What was verified, and of what revocation is asked. Points into chain and store. */
typedef struct CertificatePath {
    size_t n; /* at least 2 */
    Certificate certificates[CHAIN_MAX + 1];
} CertificatePath;

/* Verifies a peer's chain: *chain[0]* is the end-entity certificate, the others may come in any order and be
 * useless. Checks signatures up to a root, validity at *now* (or CERTIFICATE_UNDATED), CA, keyCertSign and
 * path length of every issuer, hash strength, key usage, and that a subjectAltName is *identity*. An
 * intermediate is trusted for this one call, after its own check. 0 and the path, whose first certificate is
 * the end-entity's; IKE_NOTIFY_AUTHENTICATION_FAILED with a line in *verdict* (ERROR_MAX_BYTES) naming the
 * check that failed and both identities; -ENOMEM, -EIO. */
int certificate_verify_path(const TrustStore *store, const Reader *chain, size_t n, const char *identity,
                            usec_t now, CertificatePath *ret, char *verdict);
/* The same for who needs the end-entity certificate alone. */
int certificate_verify(const TrustStore *store, const Reader *chain, size_t n, const char *identity,
                       usec_t now, Certificate *ret, char *verdict);

/* With the certificates' bytes, in one piece: free() it. 0 or -ENOMEM. */
int certificate_path_copy(CertificatePath **ret, const CertificatePath *path);

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
/* certificate_verify_path() of what was kept; *ret* points into *chain* and *store*. */
int peer_chain_path(const PeerChain *chain, const TrustStore *store, const char *identity, usec_t now,
                    CertificatePath *ret, char *verdict);
/* Also of none. */
void peer_chain_free(PeerChain *chain);
