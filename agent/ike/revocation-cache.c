/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See revocation-cache.h. */
#include "ike/revocation-cache.h"

#include <stdio.h>

#include "ike/pem.h"

typedef struct Failure {
    uint8_t key[REVOCATION_KEY_BYTES];
    usec_t at; /* 0: none */
} Failure;

struct RevocationCache {
    size_t n_file, n;
    RevocationEntry file[REVOCATION_FILE_CRLS_MAX];
    RevocationEntry entries[REVOCATION_ENTRIES_MAX];
    Failure failures[REVOCATION_FAILURES_MAX];
};

int revocation_cache_new(RevocationCache **ret) {
    *ret = calloc(1, sizeof **ret);
    return *ret ? 0 : -ENOMEM;
}

static void entries_free(RevocationEntry *entries, size_t n) {
    for (size_t i = 0; i < n; i++)
        free(entries[i].der.data);
}

void revocation_cache_free(RevocationCache *cache) {
    if (!cache)
        return;
    entries_free(cache->file, cache->n_file);
    entries_free(cache->entries, cache->n);
    free(cache);
}

typedef struct File {
    size_t n;
    RevocationEntry entries[REVOCATION_FILE_CRLS_MAX];
} File;

/* Takes *der*. */
static int file_add(File *file, uint8_t *der, size_t size, char *error) {
    RevocationEntry *entry = &file->entries[file->n];
    char why[ERROR_MAX_BYTES];

    if (file->n == REVOCATION_FILE_CRLS_MAX) {
        free(der);
        snprintf(error, ERROR_MAX_BYTES, "more than %d CRLs", REVOCATION_FILE_CRLS_MAX);
        return -EINVAL;
    }
    *entry = (RevocationEntry){.is_crl = true, .is_file = true, .der = {der, size}};
    file->n++;
    if (crl_parse(der, size, &entry->crl, why) < 0) {
        snprintf(error, ERROR_MAX_BYTES, "CRL %zu cannot be used: %.400s", file->n, why);
        return -EINVAL;
    }
    entry->this_update = entry->crl.this_update;
    entry->next_update = entry->crl.next_update;
    return 0;
}

static int file_read(File *file, const uint8_t *data, size_t size, char *error) {
    size_t at = 0, der_size;
    uint8_t *der;
    int r = 0, more;

    if (size > REVOCATION_FILE_MAX) {
        snprintf(error, ERROR_MAX_BYTES, "larger than %zu MiB", REVOCATION_FILE_MAX / 1024 / 1024);
        return -EINVAL;
    }
    if (size > 0 && data[0] == DER_SEQUENCE) {
        der = malloc(size);
        if (!der)
            return -ENOMEM;
        memcpy(der, data, size);
        return file_add(file, der, size, error);
    }
    while (r == 0 && (more = pem_next(data, size, "X509 CRL", &at, &der, &der_size)) != 0) {
        if (more == -EBADMSG)
            snprintf(error, ERROR_MAX_BYTES, "CRL %zu is not valid PEM", file->n + 1);
        r = more == -EBADMSG ? -EINVAL : more < 0 ? more : file_add(file, der, der_size, error);
    }
    if (r == 0 && file->n == 0 && size > 0) {
        snprintf(error, ERROR_MAX_BYTES, "holds no CRL, in PEM or DER");
        r = -EINVAL;
    }
    return r;
}

int revocation_cache_load(RevocationCache *cache, const uint8_t *data, size_t size, char *error) {
    _cleanup_free_ File *file = calloc(1, sizeof *file);

    if (!file)
        return -ENOMEM;
    int r = file_read(file, data, size, error);
    if (r < 0) {
        entries_free(file->entries, file->n);
        return r;
    }
    entries_free(cache->file, cache->n_file);
    memcpy(cache->file, file->entries, sizeof cache->file);
    cache->n_file = file->n;
    return 0;
}

RevocationEntry *revocation_cache_entry(RevocationCache *cache, size_t i) {
    if (i < cache->n_file)
        return &cache->file[i];
    i -= cache->n_file;
    return i < cache->n ? &cache->entries[i] : NULL;
}

static size_t index_of(const RevocationCache *cache, const uint8_t *key) {
    size_t i = 0;
    while (i < cache->n && memcmp(cache->entries[i].key, key, REVOCATION_KEY_BYTES) != 0)
        i++;
    return i;
}

const RevocationEntry *revocation_cache_find(const RevocationCache *cache, const uint8_t *key) {
    size_t i = index_of(cache, key);
    return i < cache->n ? &cache->entries[i] : NULL;
}

static void drop(RevocationCache *cache, size_t i) {
    free(cache->entries[i].der.data);
    cache->entries[i] = cache->entries[--cache->n];
}

size_t revocation_cache_size(const RevocationCache *cache) {
    size_t size = 0;
    for (size_t i = 0; i < cache->n; i++)
        size += cache->entries[i].der.size;
    return size;
}

static void drop_oldest(RevocationCache *cache) {
    size_t oldest = 0;
    for (size_t i = 1; i < cache->n; i++)
        if (cache->entries[i].fetched < cache->entries[oldest].fetched)
            oldest = i;
    drop(cache, oldest);
}

bool revocation_cache_put(RevocationCache *cache, RevocationEntry *entry) {
    size_t i = index_of(cache, entry->key);

    if (entry->der.size > REVOCATION_BYTES_MAX ||
        (i < cache->n && cache->entries[i].this_update > entry->this_update)) {
        free(TAKE_PTR(entry->der.data));
        return false;
    }
    if (i < cache->n)
        drop(cache, i);
    while (cache->n > 0 && (cache->n == REVOCATION_ENTRIES_MAX ||
                            revocation_cache_size(cache) + entry->der.size > REVOCATION_BYTES_MAX))
        drop_oldest(cache);
    cache->entries[cache->n++] = *entry;
    return true;
}

void revocation_cache_fail(RevocationCache *cache, const uint8_t *key, usec_t mono) {
    size_t oldest = 0;
    for (size_t i = 0; i < REVOCATION_FAILURES_MAX; i++) {
        if (memcmp(cache->failures[i].key, key, REVOCATION_KEY_BYTES) == 0) {
            oldest = i;
            break;
        }
        if (cache->failures[i].at < cache->failures[oldest].at)
            oldest = i;
    }
    memcpy(cache->failures[oldest].key, key, REVOCATION_KEY_BYTES);
    cache->failures[oldest].at = mono;
}

bool revocation_cache_failed(const RevocationCache *cache, const uint8_t *key, usec_t mono) {
    for (size_t i = 0; i < REVOCATION_FAILURES_MAX; i++)
        if (cache->failures[i].at > 0 && memcmp(cache->failures[i].key, key, REVOCATION_KEY_BYTES) == 0)
            return mono - cache->failures[i].at < REVOCATION_RETRY;
    return false;
}
