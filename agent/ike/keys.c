/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See keys.h. */
#include "ike/keys.h"

#include <stdio.h>

/* 2.14, from SKEYSEED on: prf+ (SKEYSEED, Ni | Nr | SPIi | SPIr), cut up. */
static int keys_expand(const Suite *suite, const uint8_t *skeyseed, size_t skeyseed_size,
                       const Nonces *nonces, uint64_t spi_i, uint64_t spi_r, IkeKeys *ret) {
    const Transform *prf = suite->by_type[IKE_TRANSFORM_PRF], *encr = suite->by_type[IKE_TRANSFORM_ENCR],
                    *integ = suite->by_type[IKE_TRANSFORM_INTEG];
    uint8_t spis[2 * IKE_SPI_SIZE], material[3 * PRF_SIZE_MAX + 2 * (ESP_KEY_MAX + PRF_SIZE_MAX)];
    size_t encr_size = encr->key_size + encr->salt_size, integ_size = integ ? integ->key_size : 0;
    size_t size = 3 * prf->key_size + 2 * (encr_size + integ_size);

    assert(size <= sizeof material);
    Writer s = writer_new(spis, sizeof spis);
    writer_u64(&s, spi_i);
    writer_u64(&s, spi_r);
    int r = crypto_prf_plus(prf, skeyseed, skeyseed_size,
                            (struct iovec[]){{(void *)nonces->i, nonces->i_size},
                                             {(void *)nonces->r, nonces->r_size},
                                             {spis, sizeof spis}},
                            3, material, size);
    if (r == 0) {
        Reader m = reader_new(material, size);
        IkeKeys *k = ret;
        *k = (IkeKeys){.initiator = {.encr = encr, .integ = integ},
                       .responder = {.encr = encr, .integ = integ}};
        reader_copy(&m, k->sk_d, prf->key_size);
        reader_copy(&m, k->initiator.integrity, integ_size);
        reader_copy(&m, k->responder.integrity, integ_size);
        reader_copy(&m, k->initiator.encryption, encr_size);
        reader_copy(&m, k->responder.encryption, encr_size);
        reader_copy(&m, k->sk_pi, prf->key_size);
        reader_copy(&m, k->sk_pr, prf->key_size);
        assert(reader_done(&m));
    }
    explicit_bzero(material, sizeof material);
    return r;
}

int ike_keys_derive(const Suite *suite, const uint8_t *secret, size_t secret_size, const Nonces *nonces,
                    uint64_t spi_i, uint64_t spi_r, IkeKeys *ret) {
    const Transform *prf = suite->by_type[IKE_TRANSFORM_PRF];
    uint8_t both[2 * IKE_NONCE_MAX], skeyseed[PRF_SIZE_MAX];

    Writer w = writer_new(both, sizeof both);
    writer_bytes(&w, nonces->i, nonces->i_size);
    writer_bytes(&w, nonces->r, nonces->r_size);
    int r = crypto_prf(prf, both, w.len, &(struct iovec){(void *)secret, secret_size}, 1, skeyseed);
    if (r == 0)
        r = keys_expand(suite, skeyseed, prf->key_size, nonces, spi_i, spi_r, ret);
    explicit_bzero(skeyseed, sizeof skeyseed);
    return r;
}

int ike_keys_rekey(const Suite *old, const uint8_t *old_sk_d, const Suite *suite, const uint8_t *secret,
                   size_t secret_size, const Nonces *nonces, uint64_t spi_i, uint64_t spi_r, IkeKeys *ret) {
    const Transform *prf = old->by_type[IKE_TRANSFORM_PRF];
    uint8_t skeyseed[PRF_SIZE_MAX];

    int r = crypto_prf(prf, old_sk_d, prf->key_size,
                       (struct iovec[]){{(void *)secret, secret_size},
                                        {(void *)nonces->i, nonces->i_size},
                                        {(void *)nonces->r, nonces->r_size}},
                       3, skeyseed);
    if (r == 0)
        r = keys_expand(suite, skeyseed, prf->key_size, nonces, spi_i, spi_r, ret);
    explicit_bzero(skeyseed, sizeof skeyseed);
    return r;
}

void ike_keys_wipe(IkeKeys *keys) {
    explicit_bzero(keys, sizeof *keys);
}

int child_keys_derive(const Suite *ike, const IkeKeys *keys, const Suite *esp, const uint8_t *secret,
                      size_t secret_size, const Nonces *nonces, EspKeys *ret_out, EspKeys *ret_in) {
    const Transform *prf = ike->by_type[IKE_TRANSFORM_PRF], *encr = esp->by_type[IKE_TRANSFORM_ENCR],
                    *integ = esp->by_type[IKE_TRANSFORM_INTEG];
    size_t encr_size = encr->key_size + encr->salt_size, integ_size = integ ? integ->key_size : 0;
    uint8_t material[4 * ESP_KEY_MAX];
    size_t size = 2 * (encr_size + integ_size);

    struct iovec seed[] = {{(void *)secret, secret_size},
                           {(void *)nonces->i, nonces->i_size},
                           {(void *)nonces->r, nonces->r_size}};
    size_t first = secret ? 0 : 1;

    assert(size <= sizeof material);
    int r = crypto_prf_plus(prf, keys->sk_d, prf->key_size, seed + first, ARRAY_SIZE(seed) - first, material,
                            size);
    if (r == 0) {
        Reader m = reader_new(material, size);
        EspKeys *each[] = {ret_out, ret_in};
        for (size_t i = 0; i < ARRAY_SIZE(each); i++) {
            *each[i] = (EspKeys){.encryption_size = encr_size, .integrity_size = integ_size};
            reader_copy(&m, each[i]->encryption, encr_size);
            reader_copy(&m, each[i]->integrity, integ_size);
        }
    }
    explicit_bzero(material, sizeof material);
    return r;
}

const char *esp_format(const EspAlgorithms *a, char ret[static ESP_STR_MAX]) {
    snprintf(ret, ESP_STR_MAX, "%s%s%s", a->aead ?: a->encryption, a->aead ? "" : " with ",
             a->aead ? "" : a->integrity);
    return ret;
}

void child_sa_wipe_keys(ChildSa *child) {
    explicit_bzero(&child->keys_in, sizeof child->keys_in);
    explicit_bzero(&child->keys_out, sizeof child->keys_out);
}

int nonce_compare(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size) {
    int order = memcmp(a, b, MIN(a_size, b_size));
    return order ? order : a_size < b_size ? -1 : a_size > b_size;
}

void nonces_lowest(const Nonces *n, uint8_t ret[static IKE_NONCE_MAX], size_t *ret_size) {
    bool i = nonce_compare(n->i, n->i_size, n->r, n->r_size) < 0;
    *ret_size = i ? n->i_size : n->r_size;
    memcpy(ret, i ? n->i : n->r, *ret_size);
}
