/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Every number of IKEv2 that we use, once, with the clause that defines it (RFC 7296 unless said otherwise).
 */
#pragma once

/* 2, 3.1: the header */
#define IKE_PORT                500
#define IKE_NAT_PORT            4500 /* 2.23 */
#define IKE_SPI_SIZE            8
#define IKE_HEADER_SIZE         28
#define IKE_VERSION             0x20 /* major 2, minor 0 */
#define IKE_NON_ESP_MARKER      4    /* zero bytes before IKE on port 4500: RFC 3948 2.2 */
#define IKE_NEXT_PAYLOAD_OFFSET 16
#define IKE_LENGTH_OFFSET       24

enum { /* 3.1 */
       IKE_EXCHANGE_SA_INIT = 34,
       IKE_EXCHANGE_AUTH = 35,
       IKE_EXCHANGE_CREATE_CHILD_SA = 36,
       IKE_EXCHANGE_INFORMATIONAL = 37,
};

enum { /* 3.1 */
       IKE_FLAG_INITIATOR = 0x08,
       IKE_FLAG_VERSION = 0x10,
       IKE_FLAG_RESPONSE = 0x20,
};

enum { /* 3.2 */
       IKE_PAYLOAD_NONE = 0,
       IKE_PAYLOAD_SA = 33,
       IKE_PAYLOAD_KE = 34,
       IKE_PAYLOAD_IDI = 35,
       IKE_PAYLOAD_IDR = 36,
       IKE_PAYLOAD_CERT = 37,
       IKE_PAYLOAD_CERTREQ = 38,
       IKE_PAYLOAD_AUTH = 39,
       IKE_PAYLOAD_NONCE = 40,
       IKE_PAYLOAD_NOTIFY = 41,
       IKE_PAYLOAD_DELETE = 42,
       IKE_PAYLOAD_VENDOR = 43,
       IKE_PAYLOAD_TSI = 44,
       IKE_PAYLOAD_TSR = 45,
       IKE_PAYLOAD_SK = 46,
       IKE_PAYLOAD_CP = 47,
       IKE_PAYLOAD_EAP = 48,
       IKE_PAYLOAD_SKF = 53, /* RFC 7383 2.5 */
};

enum { /* 3.3.1 */
       IKE_PROTOCOL_NONE = 0,
       IKE_PROTOCOL_IKE = 1,
       IKE_PROTOCOL_AH = 2,
       IKE_PROTOCOL_ESP = 3,
};

enum { /* 3.3.2 */
       IKE_TRANSFORM_ENCR = 1,
       IKE_TRANSFORM_PRF = 2,
       IKE_TRANSFORM_INTEG = 3,
       IKE_TRANSFORM_DH = 4,
       IKE_TRANSFORM_ESN = 5,
       IKE_TRANSFORM_TYPES_,
};

enum { /* 3.3.2 and IANA "Transform Type" registries */
       IKE_ENCR_AES_CBC = 12,
       IKE_ENCR_AES_GCM_16 = 20,
       IKE_ENCR_CHACHA20_POLY1305 = 28, /* RFC 7634 */
       IKE_PRF_HMAC_SHA2_256 = 5,
       IKE_PRF_HMAC_SHA2_384 = 6,
       IKE_PRF_HMAC_SHA2_512 = 7,
       IKE_INTEG_NONE = 0,
       IKE_INTEG_HMAC_SHA2_256_128 = 12,
       IKE_INTEG_HMAC_SHA2_384_192 = 13,
       IKE_INTEG_HMAC_SHA2_512_256 = 14,
       IKE_DH_NONE = 0,
       IKE_DH_MODP_2048 = 14,
       IKE_DH_MODP_3072 = 15,
       IKE_DH_MODP_4096 = 16,
       IKE_DH_ECP_256 = 19,
       IKE_DH_ECP_384 = 20,
       IKE_DH_ECP_521 = 21,
       IKE_DH_CURVE25519 = 31,
       IKE_ESN_NO = 0,
       IKE_ESN_YES = 1,
       IKE_ATTRIBUTE_KEY_LENGTH = 14, /* 3.3.5 */
};

enum { /* 3.5 */
       IKE_ID_IPV4_ADDR = 1,
       IKE_ID_FQDN = 2,
       IKE_ID_RFC822_ADDR = 3,
       IKE_ID_IPV6_ADDR = 5,
       IKE_ID_DER_ASN1_DN = 9,
};

enum { /* 3.6 */
       IKE_CERT_X509_SIGNATURE = 4,
       IKE_CERT_OCSP = 14, /* RFC 4806 */
};

enum { /* 3.8; RFC 4754; RFC 7427 */
       IKE_AUTH_RSA = 1,
       IKE_AUTH_ECDSA_256 = 9,
       IKE_AUTH_ECDSA_384 = 10,
       IKE_AUTH_ECDSA_521 = 11,
       IKE_AUTH_DIGITAL_SIGNATURE = 14,
};

enum { /* RFC 7427 and 8420, "IKEv2 Hash Algorithms" */
       IKE_HASH_SHA1 = 1,
       IKE_HASH_SHA2_256 = 2,
       IKE_HASH_SHA2_384 = 3,
       IKE_HASH_SHA2_512 = 4,
       IKE_HASH_IDENTITY = 5,
};

/* 3.10.1: errors are below this, statuses from it on. X-macros, because logs show the names. */
#define IKE_NOTIFY_STATUS_MIN 16384
#define IKE_NOTIFIES(X)                                                                                      \
    X(UNSUPPORTED_CRITICAL_PAYLOAD, 1)                                                                       \
    X(INVALID_IKE_SPI, 4)                                                                                    \
    X(INVALID_MAJOR_VERSION, 5)                                                                              \
    X(INVALID_SYNTAX, 7)                                                                                     \
    X(INVALID_MESSAGE_ID, 9)                                                                                 \
    X(INVALID_SPI, 11)                                                                                       \
    X(NO_PROPOSAL_CHOSEN, 14)                                                                                \
    X(INVALID_KE_PAYLOAD, 17)                                                                                \
    X(AUTHENTICATION_FAILED, 24)                                                                             \
    X(SINGLE_PAIR_REQUIRED, 34)                                                                              \
    X(NO_ADDITIONAL_SAS, 35)                                                                                 \
    X(INTERNAL_ADDRESS_FAILURE, 36)                                                                          \
    X(FAILED_CP_REQUIRED, 37)                                                                                \
    X(TS_UNACCEPTABLE, 38)                                                                                   \
    X(INVALID_SELECTORS, 39)                                                                                 \
    X(TEMPORARY_FAILURE, 43)                                                                                 \
    X(CHILD_SA_NOT_FOUND, 44)                                                                                \
    X(UNACCEPTABLE_ADDRESSES, 40)                                                                            \
    X(UNEXPECTED_NAT_DETECTED, 41)                                                                           \
    X(INITIAL_CONTACT, 16384)                                                                                \
    X(NAT_DETECTION_SOURCE_IP, 16388)                                                                        \
    X(NAT_DETECTION_DESTINATION_IP, 16389)                                                                   \
    X(COOKIE, 16390)                                                                                         \
    X(USE_TRANSPORT_MODE, 16391)                                                                             \
    X(REKEY_SA, 16393)                                                                                       \
    X(MOBIKE_SUPPORTED, 16396)                                                                               \
    X(ADDITIONAL_IP4_ADDRESS, 16397)                                                                         \
    X(ADDITIONAL_IP6_ADDRESS, 16398)                                                                         \
    X(NO_ADDITIONAL_ADDRESSES, 16399)                                                                        \
    X(UPDATE_SA_ADDRESSES, 16400)                                                                            \
    X(COOKIE2, 16401)                                                                                        \
    X(AUTH_LIFETIME, 16403)                                                                                  \
    X(MULTIPLE_AUTH_SUPPORTED, 16404)                                                                        \
    X(ANOTHER_AUTH_FOLLOWS, 16405)                                                                           \
    X(REDIRECT_SUPPORTED, 16406)                                                                             \
    X(REDIRECT, 16407)                                                                                       \
    X(REDIRECTED_FROM, 16408)                                                                                \
    X(IKEV2_FRAGMENTATION_SUPPORTED, 16430)                                                                  \
    X(SIGNATURE_HASH_ALGORITHMS, 16431)

#define X(name, number) IKE_NOTIFY_##name = number,
enum { IKE_NOTIFIES(X) };
#undef X

enum { /* RFC 5685 10: identity types of a gateway */
       IKE_GATEWAY_IPV4 = 1,
       IKE_GATEWAY_IPV6 = 2,
       IKE_GATEWAY_FQDN = 3,
};

enum { /* 3.13.1 */
       IKE_TS_IPV4_ADDR_RANGE = 7,
       IKE_TS_IPV6_ADDR_RANGE = 8,
};

enum { /* 3.15 */
       IKE_CFG_REQUEST = 1,
       IKE_CFG_REPLY = 2,
};

enum { /* 3.15.1 */
       IKE_CP_INTERNAL_IP4_ADDRESS = 1,
       IKE_CP_INTERNAL_IP4_DNS = 3,
       IKE_CP_INTERNAL_IP6_ADDRESS = 8,
       IKE_CP_INTERNAL_IP6_DNS = 10,
};

/* "AUTHENTICATION_FAILED"; NULL for a number we do not know. */
const char *ike_notify_name(unsigned type);
