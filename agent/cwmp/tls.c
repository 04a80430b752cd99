/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See tls.h. The only file that knows OpenSSL. */
#include "cwmp/tls.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "base/address.h"
#include "base/log.h"
#include "base/macro.h"
#include "base/url.h"

/* TS 33.210 6.2: with ephemeral keys and AEAD only. P-256 is first because every HeMS has it: a key share
 * that it does not take costs a round trip. */
#define SUITES_12                                                                                            \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"                                             \
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384"
#define SUITES_13 "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384"
#define GROUPS    "P-256:X25519:P-384"
#define SIGNATURES                                                                                           \
    "ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:RSA-PSS+SHA256:RSA-PSS+SHA384:RSA-PSS+SHA512:"                   \
    "RSA+SHA256:RSA+SHA384:RSA+SHA512"
#define SECURITY_LEVEL 2  /* 112 bits: RSA of 2048, no SHA-1 */
#define HASH_MIN_BYTES 32 /* SHA-256 */

#define STAPLE_SKEW    (5 * 60)       /* seconds that the responder's clock may be ahead */
#define STAPLE_AGE_MAX (24 * 60 * 60) /* seconds, of a response that does not say how long it holds */

struct Tls {
    const TlsConfig *config;
    char host[HOST_MAX_BYTES];
    /* Of the connection last set up. */
    bool dates_count;
    bool verified; /* the HeMS's certificate has passed, so what fails now is ours */
    bool crl_good; /* a current CRL of its issuer has been asked */
    char refusal[ERROR_MAX_BYTES];
};

int tls_new(Tls **ret, const TlsConfig *config, const char *host) {
    Tls *tls = calloc(1, sizeof *tls);
    if (!tls)
        return -ENOMEM;
    tls->config = config;
    snprintf(tls->host, sizeof tls->host, "%s", host);
    *ret = tls;
    return 0;
}

void tls_free(Tls *tls) {
    free(tls);
}

const char *tls_refusal(const Tls *tls) {
    return tls->refusal;
}

/* The first reason is the one: what follows follows from it. */
static void refuse(Tls *tls, const char *format, ...) _printf_(2, 3);

static void refuse(Tls *tls, const char *format, ...) {
    va_list ap;
    if (tls->refusal[0])
        return;
    va_start(ap, format);
    vsnprintf(tls->refusal, sizeof tls->refusal, format, ap);
    va_end(ap);
}

/* Where callbacks without an argument of ours find it: in the SSL_CTX. */
static int tls_index(void) {
    static int index = -1;
    if (index < 0)
        index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
    return index;
}

static Tls *tls_of(const SSL *ssl) {
    return SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), tls_index());
}

/* Names of certificates ------------------------------------------------------------------------------- */

/* What came from a stranger may not end the line it is written in. */
static size_t append(char *buf, size_t size, size_t len, const void *data, size_t data_size) {
    const char *text = data;
    for (size_t i = 0; i < data_size && len + 1 < size; i++)
        buf[len++] = (char)(text[i] < ' ' || text[i] > '~' ? '?' : text[i]);
    buf[len] = 0;
    return len;
}

static size_t append_string(char *buf, size_t size, size_t len, const ASN1_STRING *s) {
    return append(buf, size, len, ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s));
}

static size_t append_general_name(char *buf, size_t size, size_t len, const GENERAL_NAME *name) {
    if (name->type == GEN_DNS) {
        len = len > 0 ? append(buf, size, len, ", ", 2) : 0;
        return append_string(buf, size, len, name->d.dNSName);
    }
    if (name->type != GEN_IPADD)
        return len;
    int n = ASN1_STRING_length(name->d.iPAddress);
    if (n != 4 && n != 16)
        return len;
    Address a = address_from_bytes(n == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(name->d.iPAddress));
    const char *text = ADDRESS_STR(&a);
    len = len > 0 ? append(buf, size, len, ", ", 2) : 0;
    return append(buf, size, len, text, strlen(text));
}

/* Its subjectAltNames, or its CN with the remark that it has none, as in IKE's refusals. */
static const char *format_names(const X509 *x, char *buf, size_t size) {
    GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
    size_t len = 0;

    buf[0] = 0;
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++)
        len = append_general_name(buf, size, len, sk_GENERAL_NAME_value(names, i));
    GENERAL_NAMES_free(names);
    if (len > 0)
        return buf;

    const X509_NAME *subject = X509_get_subject_name(x);
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    len = append(buf, size, len, "\"", 1);
    if (at >= 0)
        len = append_string(buf, size, len, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    append(buf, size, len, "\" (no subjectAltName)", strlen("\" (no subjectAltName)"));
    return buf;
}

#define NAMES_STR(x) format_names((x), (char[256]){0}, 256)

static void refuse_certificate(Tls *tls, const X509 *x, const char *what) {
    refuse(tls, "certificate of %s: %s (expected identity: %s)", x ? NAMES_STR(x) : "the HeMS", what,
           tls->host);
}

/* The HeMS's chain ------------------------------------------------------------------------------------ */

static const char *chain_reason(int error) {
    static const struct {
        int error;
        const char *text;
    } reasons[] = {
        {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, "issued by a CA that is not trusted"},
        {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, "issued by a CA that is not trusted"},
        {X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, "issued by a CA that is not trusted"},
        {X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, "issued by a CA that is not trusted"},
        {X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, "issued by a CA that is not trusted"},
        {X509_V_ERR_CERT_NOT_YET_VALID, "not yet valid"},
        {X509_V_ERR_CERT_HAS_EXPIRED, "expired"},
        {X509_V_ERR_CERT_REVOKED, "revoked (CRL)"},
        {X509_V_ERR_CERT_SIGNATURE_FAILURE, "signature of the issuer is wrong"},
        {X509_V_ERR_HOSTNAME_MISMATCH, "subjectAltName does not carry the expected identity"},
        {X509_V_ERR_IP_ADDRESS_MISMATCH, "subjectAltName does not carry the expected identity"},
        {X509_V_ERR_INVALID_PURPOSE, "keyUsage or extendedKeyUsage does not fit"},
        {X509_V_ERR_INVALID_CA, "intermediate is not a CA (basicConstraints, keyUsage)"},
        {X509_V_ERR_KEYUSAGE_NO_CERTSIGN, "intermediate may not sign certificates (keyUsage)"},
        {X509_V_ERR_PATH_LENGTH_EXCEEDED, "violates the path length of its issuer"},
        {X509_V_ERR_PERMITTED_VIOLATION, "violates a name constraint of its issuer"},
        {X509_V_ERR_EXCLUDED_VIOLATION, "violates a name constraint of its issuer"},
        {X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION, "has a critical extension that is not known"},
        {X509_V_ERR_EE_KEY_TOO_SMALL, "key is too short"},
        {X509_V_ERR_CA_KEY_TOO_SMALL, "key is too short"},
        {X509_V_ERR_CA_MD_TOO_WEAK, "signed with a hash below SHA-256"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
        if (reasons[i].error == error)
            return reasons[i].text;
    return X509_verify_cert_error_string(error);
}

/* The CRL, not the certificate, is at fault. */
static bool is_about_crl(int error) {
    static const int errors[] = {
        X509_V_ERR_UNABLE_TO_GET_CRL,
        X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER,
        X509_V_ERR_UNABLE_TO_DECRYPT_CRL_SIGNATURE,
        X509_V_ERR_CRL_SIGNATURE_FAILURE,
        X509_V_ERR_CRL_NOT_YET_VALID,
        X509_V_ERR_CRL_HAS_EXPIRED,
        X509_V_ERR_ERROR_IN_CRL_LAST_UPDATE_FIELD,
        X509_V_ERR_ERROR_IN_CRL_NEXT_UPDATE_FIELD,
        X509_V_ERR_KEYUSAGE_NO_CRL_SIGN,
        X509_V_ERR_DIFFERENT_CRL_SCOPE,
        X509_V_ERR_CRL_PATH_VALIDATION_ERROR,
        X509_V_ERR_UNHANDLED_CRITICAL_CRL_EXTENSION,
    };
    for (size_t i = 0; i < ARRAY_SIZE(errors); i++)
        if (errors[i] == error)
            return true;
    return false;
}

/* Whether the chain stands without this CRL. For the HeMS's own certificate a stapled response may replace
 * it, which comes later; a root's own CRL says nothing about it. */
static bool passes_without_crl(Tls *tls, X509_STORE_CTX *ctx, const X509 *x, int depth, int error) {
    bool missing = error == X509_V_ERR_UNABLE_TO_GET_CRL;

    if (depth == 0)
        tls->crl_good = false;
    else if (depth == sk_X509_num(X509_STORE_CTX_get0_chain(ctx)) - 1)
        return true;
    if (!missing)
        log_warning("TLS: the CRL of the issuer of %s does not count: %s", NAMES_STR(x),
                    X509_verify_cert_error_string(error));
    return depth == 0 || missing || tls->config->revocation != REVOCATION_STRICT;
}

/* OpenSSL: each certificate that passed (*ok*, from the root down, when nothing else is wrong with the
 * chain), or what is wrong. Returns whether to go on. */
static int judge_certificate(int ok, X509_STORE_CTX *ctx) {
    Tls *tls = tls_of(X509_STORE_CTX_get_ex_data(ctx, SSL_get_ex_data_X509_STORE_CTX_idx()));
    X509 *x = X509_STORE_CTX_get_current_cert(ctx);
    int depth = X509_STORE_CTX_get_error_depth(ctx), error = X509_STORE_CTX_get_error(ctx);

    if (ok) {
        if (depth > 0)
            return 1;
        /* OpenSSL would take an RSA key that is for encryption only. */
        if (X509_get_key_usage(x) & KU_DIGITAL_SIGNATURE) {
            tls->verified = true;
            return 1;
        }
        X509_STORE_CTX_set_error(ctx, X509_V_ERR_INVALID_PURPOSE);
        refuse_certificate(tls, x, "keyUsage lacks digitalSignature");
        return 0;
    }
    if (is_about_crl(error) && passes_without_crl(tls, ctx, x, depth, error)) {
        X509_STORE_CTX_set_error(ctx, X509_V_OK);
        return 1;
    }
    refuse_certificate(tls, x, chain_reason(error));
    return 0;
}

/* The stapled OCSP response --------------------------------------------------------------------------- */

typedef enum Staple {
    STAPLE_GOOD,
    STAPLE_REVOKED,
    STAPLE_FALSE,   /* forged or broken: RFC 6066 8 wants the handshake to end */
    STAPLE_USELESS, /* there is none, or it says nothing about now */
} Staple;

/* The answer about *x*, whatever hash the responder names certificates with. */
static OCSP_SINGLERESP *find_single(OCSP_BASICRESP *basic, const X509 *x, const X509 *issuer) {
    for (int i = 0; i < OCSP_resp_count(basic); i++) {
        OCSP_SINGLERESP *single = OCSP_resp_get0(basic, i);
        OCSP_CERTID *theirs = (OCSP_CERTID *)OCSP_SINGLERESP_get0_id(single);
        ASN1_OBJECT *hash;
        if (OCSP_id_get0_info(NULL, &hash, NULL, NULL, theirs) != 1)
            continue;
        OCSP_CERTID *ours = OCSP_cert_to_id(EVP_get_digestbyobj(hash), x, issuer);
        bool same = ours && OCSP_id_cmp(ours, theirs) == 0;
        OCSP_CERTID_free(ours);
        if (same)
            return single;
    }
    return NULL;
}

static Staple judge_single(const Tls *tls, OCSP_SINGLERESP *single, const char **why) {
    ASN1_GENERALIZEDTIME *this_update, *next_update;

    int status = OCSP_single_get0_status(single, NULL, NULL, &this_update, &next_update);
    if (status == V_OCSP_CERTSTATUS_REVOKED)
        return STAPLE_REVOKED;
    *why = "an OCSP response that does not know the certificate";
    if (status != V_OCSP_CERTSTATUS_GOOD)
        return STAPLE_USELESS;
    *why = "an OCSP response of another time";
    return !tls->dates_count || OCSP_check_validity(this_update, next_update, STAPLE_SKEW,
                                                    next_update ? -1 : STAPLE_AGE_MAX) == 1
               ? STAPLE_GOOD
               : STAPLE_USELESS;
}

/* The digest's NID of a signature; NID_undef: not known. Ed25519 and Ed448 have theirs inside. */
static int signature_hash(const X509_ALGOR *algorithm) {
    const ASN1_OBJECT *object;
    const void *value;
    int type, hash = NID_undef;

    X509_ALGOR_get0(&object, &type, &value, algorithm);
    if (OBJ_obj2nid(object) != NID_rsassaPss) {
        if (OBJ_find_sigid_algs(OBJ_obj2nid(object), &hash, NULL) == 1 && hash == NID_undef)
            hash = NID_sha512;
        return hash;
    }
    RSA_PSS_PARAMS *pss =
        type == V_ASN1_SEQUENCE ? ASN1_item_unpack(value, ASN1_ITEM_rptr(RSA_PSS_PARAMS)) : NULL;
    /* RFC 4055 3.1: SHA-1 is what is not said. */
    hash = pss && pss->hashAlgorithm ? OBJ_obj2nid(pss->hashAlgorithm->algorithm) : NID_sha1;
    RSA_PSS_PARAMS_free(pss);
    return hash;
}

/* OpenSSL's security level is about certificates, not about responses. */
static bool is_signed_strongly(const OCSP_BASICRESP *basic) {
    const EVP_MD *md = EVP_get_digestbynid(signature_hash(OCSP_resp_get0_tbs_sigalg(basic)));
    return md && EVP_MD_get_size(md) >= HASH_MIN_BYTES;
}

static Staple judge_basic(const Tls *tls, SSL *ssl, OCSP_BASICRESP *basic, const char **why) {
    STACK_OF(X509) *chain = SSL_get0_verified_chain(ssl);
    X509 *issuer = sk_X509_num(chain) > 1 ? sk_X509_value(chain, 1) : NULL;

    /* Signed by the issuer, or by whom the issuer has made a responder (RFC 6960 4.2.2.2). */
    *why = "stapled OCSP response is not signed by the issuer";
    if (!issuer || OCSP_basic_verify(basic, chain, SSL_CTX_get_cert_store(SSL_get_SSL_CTX(ssl)), 0) != 1)
        return STAPLE_FALSE;
    *why = "stapled OCSP response is signed with a hash below SHA-256";
    if (!is_signed_strongly(basic))
        return STAPLE_FALSE;
    *why = "stapled OCSP response is about another certificate";
    OCSP_SINGLERESP *single = find_single(basic, sk_X509_value(chain, 0), issuer);
    return single ? judge_single(tls, single, why) : STAPLE_FALSE;
}

static Staple read_staple(const Tls *tls, SSL *ssl, const char **why) {
    const unsigned char *data;

    long size = SSL_get_tlsext_status_ocsp_resp(ssl, &data);
    *why = "no stapled OCSP response";
    if (!data || size <= 0)
        return STAPLE_USELESS;
    OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &data, size);
    *why = "stapled OCSP response cannot be read";
    if (!response)
        return STAPLE_FALSE;
    int status = OCSP_response_status(response);
    OCSP_BASICRESP *basic =
        status == OCSP_RESPONSE_STATUS_SUCCESSFUL ? OCSP_response_get1_basic(response) : NULL;
    OCSP_RESPONSE_free(response);
    if (status != OCSP_RESPONSE_STATUS_SUCCESSFUL)
        *why = "an OCSP response that is only an error";
    if (!basic)
        return status == OCSP_RESPONSE_STATUS_SUCCESSFUL ? STAPLE_FALSE : STAPLE_USELESS;
    Staple staple = judge_basic(tls, ssl, basic, why);
    OCSP_BASICRESP_free(basic);
    return staple;
}

/* OpenSSL: the chain has passed, a response may be there or not. Returns whether to go on. */
static int judge_staple(SSL *ssl, void *userdata) {
    Tls *tls = userdata;
    const X509 *x = sk_X509_value(SSL_get0_verified_chain(ssl), 0);
    const char *why;
    char text[128];

    Staple staple = read_staple(tls, ssl, &why);
    ERR_clear_error();
    switch (staple) {
    case STAPLE_GOOD:
        return 1;
    case STAPLE_REVOKED:
        refuse_certificate(tls, x, "revoked (stapled OCSP response)");
        return 0;
    case STAPLE_FALSE:
        refuse_certificate(tls, x, why);
        return 0;
    case STAPLE_USELESS:
        break;
    }
    if (tls->crl_good || tls->config->revocation != REVOCATION_STRICT)
        return 1;
    snprintf(text, sizeof text, "revocation cannot be checked: %s, and no current CRL of its issuer", why);
    refuse_certificate(tls, x, text);
    return 0;
}

/* Alerts ---------------------------------------------------------------------------------------------- */

/* OpenSSL: something happened. Fatal alerts are what the two sides tell each other last. */
static void note_alert(const SSL *ssl, int where, int value) {
    Tls *tls = tls_of(ssl);
    int alert = value & 0xff;

    if (!(where & SSL_CB_ALERT) || value >> 8 != SSL3_AL_FATAL)
        return;
    const char *text = SSL_alert_desc_string_long(value);
    if (alert == SSL_AD_PROTOCOL_VERSION)
        refuse(tls,
               "TLS version: TLS 1.1 or older is all the HeMS has, and TLS 1.2 is the least (expected "
               "identity: %s)",
               tls->host);
    else if (!(where & SSL_CB_READ))
        return;
    else if (tls->verified)
        refuse(tls, "the HeMS (%s) does not accept this box's certificate: TLS alert %s", tls->host, text);
    else if (alert == SSL_AD_HANDSHAKE_FAILURE || alert == SSL_AD_INSUFFICIENT_SECURITY)
        refuse(tls,
               "TLS alert %s of the HeMS: it has neither TLS 1.3 nor TLS 1.2 with ECDHE and AES-GCM "
               "(expected identity: %s)",
               text, tls->host);
    else
        refuse(tls, "TLS alert %s of the HeMS (expected identity: %s)", text, tls->host);
}

/* Setting up ------------------------------------------------------------------------------------------ */

/* Forgets OpenSSL's reasons but the first one. */
static const char *first_reason(void) {
    unsigned long e = ERR_peek_error();
    ERR_clear_error();
    if (ERR_SYSTEM_ERROR(e))
        return strerror(ERR_GET_REASON(e));
    return ERR_reason_error_string(e) ?: "OpenSSL does not say why";
}

static int fail(Tls *tls, const char *what, const char *path) {
    refuse(tls, "%s %s cannot be used for TLS: %s", what, path, first_reason());
    return -EINVAL;
}

/* Whatever the machine's openssl.cnf says: SSL_CTX_new() has followed it. */
static bool set_profile(SSL_CTX *ctx) {
    SSL_CTX_clear_options(ctx, SSL_OP_LEGACY_SERVER_CONNECT | SSL_OP_ALLOW_UNSAFE_LEGACY_RENEGOTIATION |
                                   SSL_OP_NO_TLSv1_2 | SSL_OP_NO_TLSv1_3 | SSL_OP_NO_EXTENDED_MASTER_SECRET);
    SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_security_level(ctx, SECURITY_LEVEL);
    /* libcurl would write the keys into the file that SSLKEYLOGFILE names. */
    SSL_CTX_set_keylog_callback(ctx, NULL);
    return SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_max_proto_version(ctx, 0) == 1 && SSL_CTX_set_cipher_list(ctx, SUITES_12) == 1 &&
           SSL_CTX_set_ciphersuites(ctx, SUITES_13) == 1 && SSL_CTX_set1_groups_list(ctx, GROUPS) == 1 &&
           SSL_CTX_set1_sigalgs_list(ctx, SIGNATURES) == 1;
}

/* The name is checked here and not left to libcurl, which takes the CN of a certificate without names. As in
 * IKE, wildcards are no names. */
static bool set_expected_name(const Tls *tls, X509_VERIFY_PARAM *param) {
    Address a;

    X509_VERIFY_PARAM_set_hostflags(param,
                                    X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_WILDCARDS);
    if (address_parse(tls->host, &a) == 0)
        return X509_VERIFY_PARAM_set1_ip(param, a.bytes, address_size(a.family)) == 1;
    return X509_VERIFY_PARAM_set1_host(param, tls->host, 0) == 1;
}

static bool holds_crl(X509_STORE *store) {
    STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(store);

    for (int i = 0; i < sk_X509_OBJECT_num(objects); i++)
        if (X509_OBJECT_get_type(sk_X509_OBJECT_value(objects, i)) == X509_LU_CRL)
            return true;
    return false;
}

/* A CRL that cannot be read is none: the chain is judged without it, which strict will not have. Those before
 * it in the file count. */
static bool load_crl(const Tls *tls, X509_STORE *store) {
    const char *path = strempty(tls->config->crl);

    if (!path[0] || tls->config->revocation == REVOCATION_OFF)
        return false;
    X509_LOOKUP *lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file());
    if (lookup && (X509_load_crl_file(lookup, path, X509_FILETYPE_PEM) > 0 ||
                   X509_load_crl_file(lookup, path, X509_FILETYPE_ASN1) > 0)) {
        ERR_clear_error();
        return true;
    }
    const bool some = holds_crl(store);
    log_warning("TLS: CRL %s cannot be used%s: %s", path, some ? " from a broken one in it on" : "",
                first_reason());
    return some;
}

static int set_trust(Tls *tls, SSL_CTX *ctx) {
    X509_VERIFY_PARAM *param = SSL_CTX_get0_param(ctx);
    X509_STORE *store = X509_STORE_new();

    if (!store)
        return fail(tls, "CA file", tls->config->ca);
    SSL_CTX_set_cert_store(ctx, store); /* owns it; whatever libcurl has put into the one before is gone */
    if (X509_STORE_load_file(store, tls->config->ca) != 1)
        return fail(tls, "CA file", tls->config->ca);
    /* On the store, for the signer of an OCSP response as well. A CA of the file need not be a root: IKE
     * takes it, too. */
    if (X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_TRUSTED_FIRST |
                                        (tls->dates_count ? 0 : X509_V_FLAG_NO_CHECK_TIME)) != 1)
        return fail(tls, "CA file", tls->config->ca);
    X509_VERIFY_PARAM_set_auth_level(X509_STORE_get0_param(store), SECURITY_LEVEL);
    tls->crl_good = load_crl(tls, store);
    if (tls->crl_good &&
        X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL) != 1)
        return fail(tls, "CRL", tls->config->crl);
    if (!set_expected_name(tls, param))
        return fail(tls, "host", tls->host);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, judge_certificate);
    return 0;
}

/* OpenSSL would ask the terminal. */
static int no_passphrase(char *buf, int size, int writing, void *userdata) {
    return -1;
}

static int set_credential(Tls *tls, SSL_CTX *ctx) {
    SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
    if (SSL_CTX_use_certificate_chain_file(ctx, tls->config->certificate) != 1)
        return fail(tls, "certificate", tls->config->certificate);
    if (SSL_CTX_use_PrivateKey_file(ctx, tls->config->key, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(ctx) != 1)
        return fail(tls, "key", tls->config->key);
    return 0;
}

static bool set_status_request(Tls *tls, SSL_CTX *ctx) {
    if (tls->config->revocation == REVOCATION_OFF)
        return true;
    return SSL_CTX_set_tlsext_status_type(ctx, TLSEXT_STATUSTYPE_ocsp) == 1 &&
           SSL_CTX_set_tlsext_status_cb(ctx, judge_staple) == 1 &&
           SSL_CTX_set_tlsext_status_arg(ctx, tls) == 1;
}

int tls_set_up(Tls *tls, void *ssl_ctx) {
    SSL_CTX *ctx = ssl_ctx;
    bool believed = (usec_t)time(NULL) * USEC_PER_SEC >= tls->config->clock_floor;

    ERR_clear_error();
    tls->refusal[0] = 0;
    tls->verified = false;
    tls->dates_count = believed || !tls->config->clock_lenient;
    if (!tls->dates_count)
        log_message(LOG_WARNING, MESSAGE_CLOCK_DOUBTED, &(LogFields){.peer = tls->host},
                    "TLS: the clock is not to be believed: dates of the certificate of %s are passed over",
                    tls->host);
    if (tls_index() < 0 || SSL_CTX_set_ex_data(ctx, tls_index(), tls) != 1 || !set_profile(ctx) ||
        !set_status_request(tls, ctx))
        return fail(tls, "the OpenSSL of", "this machine");
    SSL_CTX_set_info_callback(ctx, note_alert);
    int r = set_trust(tls, ctx);
    return r < 0 ? r : set_credential(tls, ctx);
}
