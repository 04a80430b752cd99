/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See ipsec-facts.h. Names of algorithms: TR-181 Device.IPsec, after IANA's registries of IKEv2. */
#include "ipsec-facts.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "cwmp/value.h"

#define UNKNOWN_TIME "0001-01-01T00:00:00Z" /* TR-106 3.2 */

static const struct {
    uint8_t type;
    uint16_t id;
    const char *name;
    bool listed; /* one of those that the Supported...Algorithms parameters may name */
} algorithms[] = {
    {IKE_TRANSFORM_ENCR, IKE_ENCR_AES_CBC, "AES-CBC", true},
    {IKE_TRANSFORM_ENCR, IKE_ENCR_AES_GCM_16, "AES-GCM-16", true},
    {IKE_TRANSFORM_ENCR, IKE_ENCR_CHACHA20_POLY1305, "CHACHA20-POLY1305", false},
    {IKE_TRANSFORM_PRF, IKE_PRF_HMAC_SHA2_256, "HMAC-SHA2-256", true},
    {IKE_TRANSFORM_PRF, IKE_PRF_HMAC_SHA2_384, "HMAC-SHA2-384", true},
    {IKE_TRANSFORM_PRF, IKE_PRF_HMAC_SHA2_512, "HMAC-SHA2-512", true},
    {IKE_TRANSFORM_INTEG, IKE_INTEG_HMAC_SHA2_256_128, "HMAC-SHA2-256-128", true},
    /* Names as TR-181 has them. */
    {IKE_TRANSFORM_INTEG, IKE_INTEG_HMAC_SHA2_384_192, "HMAC-SHA2-256-192", true},
    {IKE_TRANSFORM_INTEG, IKE_INTEG_HMAC_SHA2_512_256, "HMAC-SHA2-256-256", true},
    {IKE_TRANSFORM_DH, IKE_DH_MODP_2048, "MODP-2048", true},
    {IKE_TRANSFORM_DH, IKE_DH_MODP_3072, "MODP-3072", true},
    {IKE_TRANSFORM_DH, IKE_DH_MODP_4096, "MODP-4096", true},
    {IKE_TRANSFORM_DH, IKE_DH_ECP_256, "ECP-256", true},
    {IKE_TRANSFORM_DH, IKE_DH_ECP_384, "ECP-384", true},
    {IKE_TRANSFORM_DH, IKE_DH_ECP_521, "ECP-521", true},
    {IKE_TRANSFORM_DH, IKE_DH_CURVE25519, "CURVE25519", false},
};

const char *ipsec_algorithm(const Transform *transform) {
    for (size_t i = 0; transform && i < ARRAY_SIZE(algorithms); i++)
        if (algorithms[i].type == transform->type && algorithms[i].id == transform->id)
            return algorithms[i].name;
    return NULL;
}

static void tell(const Rows *rows, const char *path, const char *value) {
    int r = rows->report(rows->userdata, path, value);
    if (r != 0)
        log_debug("%s=%s is not taken (%d)", path, value, r);
}

static void list_tell(const Rows *rows, const char *path, uint8_t type) {
    char list[256] = "";
    size_t len = 0;

    for (size_t i = 0; i < ARRAY_SIZE(algorithms); i++)
        if (algorithms[i].type == type && algorithms[i].listed)
            len +=
                (size_t)snprintf(list + len, sizeof list - len, "%s%s", len ? "," : "", algorithms[i].name);
    tell(rows, path, list);
}

void ipsec_facts_begin(const Rows *rows) {
    tell(rows, "Device.IPsec.Status", "Enabled");
    tell(rows, "Device.IPsec.AHSupported", "false");
    list_tell(rows, "Device.IPsec.IKEv2SupportedEncryptionAlgorithms", IKE_TRANSFORM_ENCR);
    list_tell(rows, "Device.IPsec.ESPSupportedEncryptionAlgorithms", IKE_TRANSFORM_ENCR);
    list_tell(rows, "Device.IPsec.IKEv2SupportedPseudoRandomFunctions", IKE_TRANSFORM_PRF);
    list_tell(rows, "Device.IPsec.SupportedIntegrityAlgorithms", IKE_TRANSFORM_INTEG);
    list_tell(rows, "Device.IPsec.SupportedDiffieHellmanGroupTransforms", IKE_TRANSFORM_DH);
    tell(rows, IPSEC_IKE_SA "Tunnel", "Device.IPsec.Tunnel.1");
}

void ipsec_facts_report(const Rows *rows, const IpsecFacts *f) {
    static const char *const nat[] = {"None", "Local", "Remote", "Local"};

    tell(rows, IPSEC_IKE_SA "LocalAddress", f->up ? ADDRESS_STR(&f->local) : "");
    tell(rows, IPSEC_IKE_SA "RemoteAddress", f->up ? ADDRESS_STR(&f->remote) : "");
    tell(rows, IPSEC_IKE_SA "NATDetected", f->up ? nat[f->nat_local + 2 * f->nat_remote] : "");
}

static void text_write(char *buf, size_t size, const char *text) {
    snprintf(buf, size, "%s", text);
}

static void number_write(char *buf, size_t size, uint64_t number) {
    snprintf(buf, size, "%" PRIu64, number);
}

static void time_write(char *buf, size_t size, usec_t real) {
    char text[VALUE_TIME_MAX];
    text_write(buf, size, real == 0 ? UNKNOWN_TIME : value_format_time((int64_t)(real / USEC_PER_SEC), text));
}

static void status_write(const IpsecFacts *f, uint8_t type, char *buf, size_t size) {
    text_write(buf, size, f->up ? "Up" : "Down");
}

static void algorithm_write(const IpsecFacts *f, uint8_t type, char *buf, size_t size) {
    text_write(buf, size, f->up && f->suite ? strempty(ipsec_algorithm(f->suite->by_type[type])) : "");
}

static void key_length_write(const IpsecFacts *f, uint8_t type, char *buf, size_t size) {
    const Transform *encryption = f->up && f->suite ? f->suite->by_type[IKE_TRANSFORM_ENCR] : NULL;
    number_write(buf, size, encryption ? encryption->key_bits : 0);
}

static void created_write(const IpsecFacts *f, uint8_t type, char *buf, size_t size) {
    time_write(buf, size, f->up ? f->created : 0);
}

static void child_created_write(const IpsecFacts *f, uint8_t type, char *buf, size_t size) {
    time_write(buf, size, f->up ? f->child_created : 0);
}

static void spi_in_write(const IpsecFacts *f, uint8_t type, char *buf, size_t size) {
    number_write(buf, size, f->up ? f->spi_in : 0);
}

static void spi_out_write(const IpsecFacts *f, uint8_t type, char *buf, size_t size) {
    number_write(buf, size, f->up ? f->spi_out : 0);
}

int ipsec_facts_value(const IpsecFacts *facts, const char *name, char *buf, size_t size) {
    static const struct {
        const char *name;
        void (*write)(const IpsecFacts *f, uint8_t type, char *buf, size_t size);
        uint8_t type; /* of the algorithm */
    } values[] = {
        {"Status", status_write},
        {"EncryptionAlgorithm", algorithm_write, IKE_TRANSFORM_ENCR},
        {"EncryptionKeyLength", key_length_write},
        {"PseudoRandomFunction", algorithm_write, IKE_TRANSFORM_PRF},
        {"IntegrityAlgorithm", algorithm_write, IKE_TRANSFORM_INTEG},
        {"DiffieHellmanGroupTransform", algorithm_write, IKE_TRANSFORM_DH},
        {"CreationTime", created_write},
        {"ChildSA.1.Status", status_write},
        {"ChildSA.1.InboundSPI", spi_in_write},
        {"ChildSA.1.OutboundSPI", spi_out_write},
        {"ChildSA.1.CreationTime", child_created_write},
    };

    for (size_t i = 0; i < ARRAY_SIZE(values); i++)
        if (streq(values[i].name, name)) {
            values[i].write(facts, values[i].type, buf, size);
            return 0;
        }
    return -ENOENT;
}

int ipsec_facts_counter(const ChildTraffic *t, const char *name, char *buf, size_t size) {
    const struct {
        const char *name;
        uint64_t value;
    } counters[] = {
        {"BytesSent", t->bytes_out},        {"BytesReceived", t->bytes_in}, {"PacketsSent", t->packets_out},
        {"PacketsReceived", t->packets_in}, {"IntegrityErrors", t->forged}, {"ReplayErrors", t->replayed},
    };

    for (size_t i = 0; i < ARRAY_SIZE(counters); i++)
        if (streq(counters[i].name, name)) {
            number_write(buf, size, counters[i].value);
            return 0;
        }
    return -ENOENT;
}
