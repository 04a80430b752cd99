/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See key-lines.h. */
#include "ike/key-lines.h"

#include <inttypes.h>
#include <stdio.h>

#include "ike/ike-sa-internal.h"

#define HEX_MAX (2 * ESP_KEY_MAX + 1)

typedef struct IkeName {
    uint16_t id, key_bits;
    const char *name;
} IkeName;

static const IkeName ike_encr[] = {
    {IKE_ENCR_AES_GCM_16, 128, "AES-GCM-128 with 16 octet ICV [RFC5282]"},
    {IKE_ENCR_AES_GCM_16, 256, "AES-GCM-256 with 16 octet ICV [RFC5282]"},
    {IKE_ENCR_AES_CBC, 128, "AES-CBC-128 [RFC3602]"},
    {IKE_ENCR_AES_CBC, 192, "AES-CBC-192 [RFC3602]"},
    {IKE_ENCR_AES_CBC, 256, "AES-CBC-256 [RFC3602]"},
};
static const IkeName ike_integ[] = {
    {IKE_INTEG_HMAC_SHA2_256_128, 0, "HMAC_SHA2_256_128 [RFC4868]"},
    {IKE_INTEG_HMAC_SHA2_384_192, 0, "HMAC_SHA2_384_192 [RFC4868]"},
    {IKE_INTEG_HMAC_SHA2_512_256, 0, "HMAC_SHA2_512_256 [RFC4868]"},
};
/* By the kernel's names, which are all that a Child SA knows. */
static const struct {
    const char *kernel, *name;
} esp_names[] = {
    {"rfc4106(gcm(aes))", "AES-GCM with 16 octet ICV [RFC4106]"},
    {"cbc(aes)", "AES-CBC [RFC3602]"},
    {"hmac(sha256)", "HMAC-SHA-256-128 [RFC4868]"},
    {"hmac(sha384)", "HMAC-SHA-384-192 [RFC4868]"},
    {"hmac(sha512)", "HMAC-SHA-512-256 [RFC4868]"},
};

static const char *ike_name(const IkeName *names, size_t n, const Transform *t) {
    for (size_t i = 0; i < n; i++)
        if (names[i].id == t->id && names[i].key_bits == t->key_bits)
            return names[i].name;
    return NULL;
}

static const char *esp_name(const char *kernel) {
    for (size_t i = 0; i < ARRAY_SIZE(esp_names) && kernel; i++)
        if (streq(esp_names[i].kernel, kernel))
            return esp_names[i].name;
    return NULL;
}

static const char *hex(const uint8_t *data, size_t size, char ret[static HEX_MAX]) {
    assert(2 * size < HEX_MAX);
    ret[0] = '\0';
    for (size_t i = 0; i < size; i++)
        sprintf(ret + 2 * i, "%02x", data[i]);
    return ret;
}

static void ike_write(const Generation *g, char *ret) {
    const SealKeys *i = &g->keys.initiator, *r = &g->keys.responder;
    const char *encr = ike_name(ike_encr, ARRAY_SIZE(ike_encr), i->encr);
    const char *integ = i->integ ? ike_name(ike_integ, ARRAY_SIZE(ike_integ), i->integ) : "NONE [RFC4306]";
    size_t encr_size = i->encr->key_size + i->encr->salt_size, integ_size = i->integ ? i->integ->key_size : 0;
    char keys[4][HEX_MAX];

    ret[0] = '\0';
    if (encr && integ)
        snprintf(ret, KEY_LINE_MAX, "%016" PRIx64 ",%016" PRIx64 ",%s,%s,\"%s\",%s,%s,\"%s\"\n", g->spi_i,
                 g->spi_r, hex(i->encryption, encr_size, keys[0]), hex(r->encryption, encr_size, keys[1]),
                 encr, hex(i->integrity, integ_size, keys[2]), hex(r->integrity, integ_size, keys[3]), integ);
    explicit_bzero(keys, sizeof keys);
}

bool key_line_ike(const IkeSa *sa, size_t i, uint64_t *ret_spi, char ret[static KEY_LINE_MAX]) {
    for (size_t k = 0; k < GENERATIONS_MAX; k++) {
        const Generation *g = &sa->generations[k];
        if (!g->used || !g->keys.initiator.encr || i-- > 0)
            continue;
        *ret_spi = g->spi_i;
        ike_write(g, ret);
        return true;
    }
    return false;
}

void key_line_esp(const ChildSa *child, unsigned direction, char ret[static KEY_LINE_MAX]) {
    const EspAlgorithms *a = &child->algorithms;
    const EspKeys *keys = direction == CHILD_IN ? &child->keys_in : &child->keys_out;
    const char *encr = esp_name(a->aead ?: a->encryption), *integ = a->aead ? "NULL" : esp_name(a->integrity);
    char encryption[HEX_MAX], integrity[HEX_MAX];

    ret[0] = '\0';
    if (encr && integ)
        snprintf(ret, KEY_LINE_MAX, "\"%s\",\"*\",\"*\",\"0x%08x\",\"%s\",\"0x%s\",\"%s\",\"%s%s\"\n",
                 child->remote.address.family == AF_INET6 ? "IPv6" : "IPv4",
                 direction == CHILD_IN ? child->spi_in : child->spi_out, encr,
                 hex(keys->encryption, keys->encryption_size, encryption), integ,
                 keys->integrity_size ? "0x" : "", hex(keys->integrity, keys->integrity_size, integrity));
    explicit_bzero(encryption, sizeof encryption);
    explicit_bzero(integrity, sizeof integrity);
}
