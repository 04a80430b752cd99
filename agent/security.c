/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See security.h. */
#include "security.h"

#include <stdio.h>
#include <strings.h>

#include "base/log.h"
#include "ike/crypto.h"
#include "ike/usim-file-io.h"
#include "ike/usim-pcsc-io.h"
#include "password-io.h"

#define PEM_MAX (256 * 1024)

/* The files that make a reading another one when they change. The key is none: it belongs to the certificate.
 */
typedef enum File {
    FILE_CA,
    FILE_CERTIFICATE,
    FILE_CRL,
    FILES_,
} File;

/* One reading of roots and certificate. */
typedef struct Reading Reading;
struct Reading {
    Reading *former;
    TrustStore *trust;
    Credential *credential;
    uint8_t hashes[FILES_][HASH_SIZE_MAX]; /* zeros: there is no such file */
};

struct Security {
    const Config *config;
    Reading *reading;
    RevocationCache *revocation;
    char password[PASSWORD_MAX_BYTES];
    UsimFile *usim_file;
    UsimPcsc *usim_pcsc;
    Usim usim;
};

/* Reads the whole file *path*, the value of *key*. 0 or negative errno with a line in *error*. */
static int file_read(const Config *config, const char *key, const char *path, size_t size_max, uint8_t **ret,
                     size_t *ret_size, char *error) {
    FILE *f = fopen(path, "re");
    uint8_t *data = f ? malloc(size_max) : NULL;
    int r = f && !data ? -ENOMEM : -errno;
    size_t n = 0;

    if (data) {
        setvbuf(f, NULL, _IONBF, 0); /* no second copy of a private key */
        n = fread(data, 1, size_max, f);
        r = ferror(f) ? -EIO : n == size_max ? -EFBIG : 0;
    }
    if (r == 0) {
        *ret_size = n;
        *ret = TAKE_PTR(data);
    } else if (data) { /* it may be of a private key */
        explicit_bzero(data, n);
        free(data);
    }
    if (f)
        fclose(f);
    if (r < 0)
        config_refuse(config, "Trust", key, path, strerror(-r), error);
    return r;
}

static int file_hash(Reading *reading, File file, const uint8_t *data, size_t size, char *error) {
    const struct iovec part = {(void *)data, size};

    if (crypto_hash(HASH_SHA2_256, &part, 1, reading->hashes[file]) < 0)
        return error_line(error, "a hash cannot be computed");
    return 0;
}

static int trust_read(const Config *config, Reading *reading, char *error) {
    _cleanup_free_ uint8_t *pem = NULL;
    char why[ERROR_MAX_BYTES];
    size_t size;

    int r = file_read(config, "CA", config->ca, PEM_MAX, &pem, &size, error);
    if (r < 0)
        return r;
    r = trust_store_load(&reading->trust, pem, size, why);
    if (r < 0) {
        config_refuse(config, "Trust", "CA", config->ca, r == -EINVAL ? why : strerror(-r), error);
        return r;
    }
    return file_hash(reading, FILE_CA, pem, size, error);
}

static int credential_read(const Config *config, Reading *reading, char *error) {
    _cleanup_free_ uint8_t *certificate = NULL, *key = NULL;
    size_t certificate_size, key_size;
    char why[ERROR_MAX_BYTES];

    int r = file_read(config, "Certificate", config->certificate, PEM_MAX, &certificate, &certificate_size,
                      error);
    if (r < 0)
        return r;
    r = file_read(config, "Key", config->key, PEM_MAX, &key, &key_size, error);
    if (r < 0)
        return r;
    r = credential_load(&reading->credential, certificate, certificate_size, key, key_size, why);
    explicit_bzero(key, key_size);
    if (r == -EKEYREJECTED)
        config_refuse(config, "Trust", "Key", config->key, why, error);
    else if (r < 0)
        config_refuse(config, "Trust", "Certificate", config->certificate, r == -EINVAL ? why : strerror(-r),
                      error);
    return r < 0 ? r : file_hash(reading, FILE_CERTIFICATE, certificate, certificate_size, error);
}

static int crl_read(const Config *config, Reading *reading, RevocationCache *cache, char *error) {
    _cleanup_free_ uint8_t *data = NULL;
    char why[ERROR_MAX_BYTES] = "";
    size_t size = 0;

    if (!config->crl[0] || config->revocation == REVOCATION_OFF)
        return revocation_cache_load(cache, NULL, 0, why);
    int r = file_read(config, "CRL", config->crl, REVOCATION_FILE_MAX + 1, &data, &size, error);
    if (r < 0)
        return r;
    r = revocation_cache_load(cache, data, size, why);
    if (r < 0) {
        config_refuse(config, "Trust", "CRL", config->crl, r == -EINVAL ? why : strerror(-r), error);
        return r;
    }
    return file_hash(reading, FILE_CRL, data, size, error);
}

/* A list that cannot be read must not keep a box from ever starting again where lists need not be there.
 * Those of before stay. */
static int crl_read_where_needed(const Config *config, Reading *reading, const Reading *former,
                                 RevocationCache *cache, char *error) {
    int r = crl_read(config, reading, cache, error);

    if (r == 0 || config->revocation == REVOCATION_STRICT)
        return r;
    log_error("%s", error);
    if (former)
        memcpy(reading->hashes[FILE_CRL], former->hashes[FILE_CRL], HASH_SIZE_MAX);
    return 0;
}

static void reading_free(Reading *r) {
    trust_store_free(r->trust);
    credential_free(r->credential);
    free(r);
}
DEFINE_CLEANUP(Reading, reading_free)

int security_reload(Security *s, const Config *next, bool *ret_changed, char *error) {
    _cleanup_(reading_freep) Reading *reading = calloc(1, sizeof *reading);

    if (!reading) {
        error_line(error, "%s", strerror(ENOMEM));
        return -ENOMEM;
    }
    int r = trust_read(next, reading, error);
    if (r == 0)
        r = credential_read(next, reading, error);
    if (r == 0)
        r = crl_read_where_needed(next, reading, s->reading, s->revocation, error);
    if (r < 0)
        return r;
    *ret_changed = !s->reading || memcmp(reading->hashes, s->reading->hashes, sizeof reading->hashes) != 0;
    if (*ret_changed) {
        reading->former = s->reading;
        s->reading = TAKE_PTR(reading);
    }
    return 0;
}

static int password_load(Security *s, char *error) {
    const char *path = s->config->password_file;
    char why[ERROR_MAX_BYTES];

    if (!*path)
        return 0;
    int r = password_read(path, s->password, why);
    if (r < 0)
        config_refuse(s->config, "Registration", "PasswordFile", path, why, error);
    return r;
}

static int usim_read(Security *s, const char *folder, char *error) {
    const ConfigUsim *u = &s->config->usim;
    char text[CREDENTIAL_TEXT];
    int r = 0;

    switch (u->kind) {
    case USIM_NONE:
        return 0;
    case USIM_MILENAGE:
        r = usim_file_new(&s->usim_file, u->argument, folder, text);
        if (r < 0)
            config_refuse(s->config, "HostingParty", "USIM", u->argument, text, error);
        else
            s->usim = usim_file_driver(s->usim_file);
        return r;
    case USIM_PCSC:
        r = usim_pcsc_new(&s->usim_pcsc, u->argument);
        if (r < 0)
            config_refuse(s->config, "HostingParty", "USIM", "pcsc", strerror(-r), error);
        else
            s->usim = usim_pcsc_driver(s->usim_pcsc);
        return r;
    }
    return r;
}

int security_new(Security **ret, const Config *config, const char *folder, char *error) {
    _cleanup_(security_freep) Security *s = calloc(1, sizeof *s);
    bool changed;

    int r = s ? revocation_cache_new(&s->revocation) : -ENOMEM;
    if (r < 0) {
        error_line(error, "%s", strerror(-r));
        return r;
    }
    s->config = config;
    r = security_reload(s, config, &changed, error);
    if (r == 0)
        r = password_load(s, error);
    if (r == 0 && folder)
        r = usim_read(s, folder, error);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(s);
    return 0;
}

void security_free(Security *s) {
    if (!s)
        return;
    for (Reading *r = s->reading, *former; r; r = former) {
        former = r->former;
        reading_free(r);
    }
    revocation_cache_free(s->revocation);
    usim_file_free(s->usim_file);
    usim_pcsc_free(s->usim_pcsc);
    explicit_bzero(s->password, sizeof s->password);
    free(s);
}

const TrustStore *security_trust(const Security *s) {
    return s->reading->trust;
}

const Credential *security_credential(const Security *s) {
    return s->reading->credential;
}

RevocationCache *security_revocation(Security *s) {
    return s->revocation;
}

const char *security_password(const Security *s) {
    return s->password;
}

IkeConfig security_ike(const Security *s) {
    const Config *c = s->config;

    return (IkeConfig){.trust = s->reading->trust,
                       .credential = s->reading->credential,
                       .ike_proposals = &c->ike_proposals,
                       .esp_proposals = &c->esp_proposals,
                       .pfs = c->pfs,
                       .esn = c->esn,
                       .clock_lenient = c->clock_policy == CLOCK_LENIENT,
                       .check_revocation = c->revocation != REVOCATION_OFF,
                       .usim = c->usim.kind == USIM_NONE ? NULL : &s->usim,
                       .realm = c->realm,
                       .ike_lifetime = c->ike_lifetime * USEC_PER_SEC,
                       .child_lifetime = c->child_lifetime * USEC_PER_SEC,
                       .child_bytes = c->child_bytes,
                       .child_packets = c->child_packets,
                       .replay_window = c->replay_window,
                       .datagram_max = c->fragment_size,
                       .nat_keepalive = c->nat_keepalive * USEC_PER_SEC};
}

const char *security_segw_identity(const Security *s, const char *segw) {
    const ConfigPair *pairs[] = {&s->config->serving, &s->config->initial};

    for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
        if (strcasecmp(pairs[i]->segw, segw) == 0)
            return pairs[i]->segw_identity;
    return segw;
}
