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
    ipsec_facts_report(rows, &(IpsecFacts){});
}

static const char *time_of(usec_t real, char buf[static VALUE_TIME_MAX]) {
    return real == 0 ? UNKNOWN_TIME : value_format_time((int64_t)(real / USEC_PER_SEC), buf);
}

static const char *algorithm_of(const IpsecFacts *f, uint8_t type) {
    return f->up && f->suite ? strempty(ipsec_algorithm(f->suite->by_type[type])) : "";
}

void ipsec_facts_report(const Rows *rows, const IpsecFacts *f) {
    static const char *const nat[] = {"None", "Local", "Remote", "Local"};
    const Transform *encryption = f->up && f->suite ? f->suite->by_type[IKE_TRANSFORM_ENCR] : NULL;
    char created[VALUE_TIME_MAX], child_created[VALUE_TIME_MAX], bits[16], spi_in[16], spi_out[16];

    snprintf(bits, sizeof bits, "%u", encryption ? encryption->key_bits : 0);
    snprintf(spi_in, sizeof spi_in, "%" PRIu32, f->up ? f->spi_in : 0);
    snprintf(spi_out, sizeof spi_out, "%" PRIu32, f->up ? f->spi_out : 0);
    const struct {
        const char *path, *value;
    } values[] = {
        {IPSEC_IKE_SA "Status", f->up ? "Up" : "Down"},
        {IPSEC_IKE_SA "LocalAddress", f->up ? ADDRESS_STR(&f->local) : ""},
        {IPSEC_IKE_SA "RemoteAddress", f->up ? ADDRESS_STR(&f->remote) : ""},
        {IPSEC_IKE_SA "EncryptionAlgorithm", algorithm_of(f, IKE_TRANSFORM_ENCR)},
        {IPSEC_IKE_SA "EncryptionKeyLength", bits},
        {IPSEC_IKE_SA "PseudoRandomFunction", algorithm_of(f, IKE_TRANSFORM_PRF)},
        {IPSEC_IKE_SA "IntegrityAlgorithm", algorithm_of(f, IKE_TRANSFORM_INTEG)},
        {IPSEC_IKE_SA "DiffieHellmanGroupTransform", algorithm_of(f, IKE_TRANSFORM_DH)},
        {IPSEC_IKE_SA "CreationTime", time_of(f->up ? f->created : 0, created)},
        {IPSEC_IKE_SA "NATDetected", f->up ? nat[f->nat_local + 2 * f->nat_remote] : ""},
        {IPSEC_CHILD_SA "Status", f->up ? "Up" : "Down"},
        {IPSEC_CHILD_SA "InboundSPI", spi_in},
        {IPSEC_CHILD_SA "OutboundSPI", spi_out},
        {IPSEC_CHILD_SA "CreationTime", time_of(f->up ? f->child_created : 0, child_created)},
    };

    for (size_t i = 0; i < ARRAY_SIZE(values); i++)
        tell(rows, values[i].path, values[i].value);
}
