/* SPDX-License-Identifier: GPL-3.0-or-later */
/* CRLs and OCSP responses that are at hand: the operator's file, and what was fetched before, so that a
 * reconnect works while a responder is away. Everything in it but the file's CRLs was verified against the
 * issuer before it came in; dates are looked at when it is used. */
#pragma once

#include "ike/certificate.h"
#include "ike/crl.h"
#include "ike/ocsp.h"

#define REVOCATION_ENTRIES_MAX   16
#define REVOCATION_BYTES_MAX     ((size_t)8 * 1024 * 1024) /* of what was fetched */
#define REVOCATION_FILE_MAX      ((size_t)8 * 1024 * 1024) /* of [Trust] CRL= */
#define REVOCATION_FILE_CRLS_MAX 32
#define REVOCATION_FAILURES_MAX  16
/* For how long what was fetched is not asked for again. After that it counts where nothing newer is to be
 * had, until its nextUpdate. */
#define REVOCATION_REFRESH (60 * 60 * USEC_PER_SEC)
/* For how long a source that failed is passed over, where passing over is allowed. */
#define REVOCATION_RETRY (60 * USEC_PER_SEC)

#define REVOCATION_KEY_BYTES 32

typedef struct RevocationEntry {
    bool is_crl, is_file;
    Blob der;
    Crl crl;                           /* points into *der* */
    uint8_t key[REVOCATION_KEY_BYTES]; /* of where it is from, and about what */
    uint8_t signer[32];                /* SHA-256 of the public key that was found to have signed it */
    bool verified;
    usec_t fetched; /* Moment.mono */
    usec_t this_update, next_update;
} RevocationEntry;

typedef struct RevocationCache RevocationCache;

/* 0 or -ENOMEM. */
int revocation_cache_new(RevocationCache **ret);
void revocation_cache_free(RevocationCache *cache);
DEFINE_CLEANUP(RevocationCache, revocation_cache_free)
/* Takes the CRLs of a file: PEM, any number, or one in DER. They replace those of the file before. Nothing
 * (size 0) takes them away. 0; -EINVAL with a line in *error* (ERROR_MAX_BYTES) about the one that cannot be
 * used, and those of before are kept; -ENOMEM. */
int revocation_cache_load(RevocationCache *cache, const uint8_t *data, size_t size, char *error);
/* What was fetched and bears *key*, NULL without. */
const RevocationEntry *revocation_cache_find(const RevocationCache *cache, const uint8_t *key);
/* Takes *entry*, with its der, in place of that of the same key, unless that is newer; drops the oldest when
 * there is no room. False: it was not taken, and its der is freed. */
bool revocation_cache_put(RevocationCache *cache, RevocationEntry *entry);
/* Iterates over all entries: *i* counts up from 0, NULL ends. An entry may be marked as verified. */
RevocationEntry *revocation_cache_entry(RevocationCache *cache, size_t i);
/* Bytes of what was fetched. */
size_t revocation_cache_size(const RevocationCache *cache);
/* Remembers that a source failed at *mono*; whether it did less than REVOCATION_RETRY before *mono*. */
void revocation_cache_fail(RevocationCache *cache, const uint8_t *key, usec_t mono);
bool revocation_cache_failed(const RevocationCache *cache, const uint8_t *key, usec_t mono);
