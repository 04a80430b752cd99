/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See tls-authority.h. */
#include "tls-authority.h"

#include <check.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#define CA_USAGE "critical,keyCertSign,cRLSign"

static void add_extension(X509 *x, const X509 *issuer, int nid, const char *value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, (X509 *)issuer, x, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    ck_assert_msg(extension != NULL, "%s", value);
    ck_assert_int_eq(X509_add_ext(x, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

static X509_NAME *name_make(const char *cn) {
    X509_NAME *name = X509_NAME_new();
    ck_assert_int_eq(
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)cn, -1, -1, 0), 1);
    return name;
}

Identity identity_make(const IdentityOptions *o) {
    static long serial = 1000;
    Identity made = {.certificate = X509_new()};
    X509 *x = made.certificate;

    made.key = o->rsa_bits ? EVP_RSA_gen((unsigned)o->rsa_bits) : EVP_EC_gen("P-256");
    ck_assert_ptr_nonnull(made.key);
    const Identity *issuer = o->issuer ? o->issuer : &made;
    X509_NAME *name = name_make(o->cn ? o->cn : "hems");
    ck_assert_int_eq(X509_set_version(x, X509_VERSION_3), 1);
    ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial);
    X509_set_subject_name(x, name);
    X509_NAME_free(name);
    X509_set_issuer_name(x, X509_get_subject_name(issuer->certificate));
    X509_gmtime_adj(X509_getm_notBefore(x), o->from ? o->from : -DAY);
    X509_gmtime_adj(X509_getm_notAfter(x), o->to ? o->to : DAY);
    ck_assert_int_eq(X509_set_pubkey(x, made.key), 1);
    add_extension(x, issuer->certificate, NID_basic_constraints, o->ca ? "critical,CA:TRUE" : "CA:FALSE");
    add_extension(x, issuer->certificate, NID_key_usage,
                  o->usage ? o->usage
                  : o->ca  ? CA_USAGE
                           : "critical,digitalSignature");
    add_extension(x, issuer->certificate, NID_subject_key_identifier, "hash");
    if (o->issuer)
        add_extension(x, issuer->certificate, NID_authority_key_identifier, "keyid");
    if (o->san)
        add_extension(x, issuer->certificate, NID_subject_alt_name, o->san);
    if (o->extended_usage)
        add_extension(x, issuer->certificate, NID_ext_key_usage, o->extended_usage);
    ck_assert_int_gt(X509_sign(x, issuer->key, o->sha1 ? EVP_sha1() : EVP_sha256()), 0);
    return made;
}

void identity_free(Identity *identity) {
    EVP_PKEY_free(identity->key);
    X509_free(identity->certificate);
    *identity = (Identity){0};
}

static FILE *file_open(const char *path, const char *mode) {
    FILE *f = fopen(path, mode);
    ck_assert_msg(f != NULL, "%s", path);
    return f;
}

void identity_save(const Identity *identity, const Identity *issuer, const char *path) {
    FILE *f = file_open(path, "we");
    ck_assert_int_eq(PEM_write_X509(f, identity->certificate), 1);
    if (issuer)
        ck_assert_int_eq(PEM_write_X509(f, issuer->certificate), 1);
    fclose(f);
}

void identity_save_key(const Identity *identity, const char *path, const char *passphrase) {
    FILE *f = file_open(path, "we");
    ck_assert_int_eq(PEM_write_PKCS8PrivateKey(f, identity->key, passphrase ? EVP_aes_128_cbc() : NULL,
                                               passphrase, passphrase ? (int)strlen(passphrase) : 0, NULL,
                                               NULL),
                     1);
    fclose(f);
}

static X509_CRL *crl_make(const Identity *issuer, const X509 *revoked, long from, long to) {
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *time = ASN1_TIME_new();

    ck_assert_int_eq(X509_CRL_set_version(crl, X509_CRL_VERSION_2), 1);
    X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer->certificate));
    X509_CRL_set1_lastUpdate(crl, X509_gmtime_adj(time, from));
    X509_CRL_set1_nextUpdate(crl, X509_gmtime_adj(time, to));
    if (revoked) {
        X509_REVOKED *entry = X509_REVOKED_new();
        X509_REVOKED_set_serialNumber(entry, (ASN1_INTEGER *)X509_get0_serialNumber(revoked));
        X509_REVOKED_set_revocationDate(entry, X509_gmtime_adj(time, -3600));
        ck_assert_int_eq(X509_CRL_add0_revoked(crl, entry), 1);
    }
    ASN1_TIME_free(time);
    ck_assert_int_gt(X509_CRL_sign(crl, issuer->key, EVP_sha256()), 0);
    return crl;
}

void crl_append(const Identity *issuer, const X509 *revoked, long from, long to, const char *path) {
    X509_CRL *crl = crl_make(issuer, revoked, from, to);
    FILE *f = file_open(path, "ae");
    ck_assert_int_eq(PEM_write_X509_CRL(f, crl), 1);
    fclose(f);
    X509_CRL_free(crl);
}

void crl_save_der(const Identity *issuer, const X509 *revoked, const char *path) {
    X509_CRL *crl = crl_make(issuer, revoked, -DAY, DAY);
    FILE *f = file_open(path, "we");
    ck_assert_int_eq(i2d_X509_CRL_fp(f, crl), 1);
    fclose(f);
    X509_CRL_free(crl);
}

static Bytes response_encode(int status, OCSP_BASICRESP *basic) {
    OCSP_RESPONSE *response = OCSP_response_create(status, basic);
    Bytes bytes = {0};
    int size = i2d_OCSP_RESPONSE(response, &bytes.data);
    ck_assert_int_gt(size, 0);
    bytes.size = (size_t)size;
    OCSP_RESPONSE_free(response);
    OCSP_BASICRESP_free(basic);
    return bytes;
}

Bytes staple_make(const Identity *signer, const Identity *issuer, const X509 *x, int status, long from,
                  long to) {
    OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
    OCSP_CERTID *id = OCSP_cert_to_id(to ? EVP_sha1() : EVP_sha256(), x, issuer->certificate);
    ASN1_TIME *this_update = X509_gmtime_adj(NULL, from),
              *next_update = to ? X509_gmtime_adj(NULL, to) : NULL;

    ck_assert_ptr_nonnull(OCSP_basic_add1_status(basic, id, status, OCSP_REVOKED_STATUS_KEYCOMPROMISE,
                                                 this_update, this_update, next_update));
    ck_assert_int_eq(OCSP_basic_sign(basic, signer->certificate, signer->key, EVP_sha256(), NULL, 0), 1);
    OCSP_CERTID_free(id);
    ASN1_TIME_free(this_update);
    ASN1_TIME_free(next_update);
    return response_encode(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
}

Bytes staple_signed(const Identity *signer, const Identity *issuer, const X509 *x, const EVP_MD *hash,
                    bool pss) {
    OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
    OCSP_CERTID *id = OCSP_cert_to_id(EVP_sha256(), x, issuer->certificate);
    ASN1_TIME *now = X509_gmtime_adj(NULL, 0);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *key;

    ck_assert_ptr_nonnull(OCSP_basic_add1_status(basic, id, V_OCSP_CERTSTATUS_GOOD, 0, NULL, now, NULL));
    ck_assert_int_eq(EVP_DigestSignInit(context, &key, hash, NULL, signer->key), 1);
    if (pss)
        ck_assert_int_eq(EVP_PKEY_CTX_set_rsa_padding(key, RSA_PKCS1_PSS_PADDING), 1);
    ck_assert_int_eq(OCSP_basic_sign_ctx(basic, signer->certificate, context, NULL, 0), 1);
    EVP_MD_CTX_free(context);
    OCSP_CERTID_free(id);
    ASN1_TIME_free(now);
    return response_encode(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
}

Bytes staple_error(int status) {
    return response_encode(status, NULL);
}
