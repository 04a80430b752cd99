/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the parts of the tests' own responder share. The numbers are written here once more, apart from the
 * agent's. */
#pragma once

#include <check.h>

#include "ike-responder.h"

enum {
    TYPE_UNKNOWN = 200,
    TYPE_SKF = 53,
    CERT_OCSP = 14,
    NOTIFY_TEMPORARY_FAILURE = 43,
    NOTIFY_CHILD_SA_NOT_FOUND = 44,
    NOTIFY_UNACCEPTABLE_ADDRESSES = 40,
    NOTIFY_REKEY_SA = 16393,
    NOTIFY_MOBIKE_SUPPORTED = 16396,
    NOTIFY_ADDITIONAL_IP4_ADDRESS = 16397,
    NOTIFY_ADDITIONAL_IP6_ADDRESS = 16398,
    NOTIFY_NO_ADDITIONAL_ADDRESSES = 16399,
    NOTIFY_UPDATE_SA_ADDRESSES = 16400,
    NOTIFY_COOKIE2 = 16401,
    NOTIFY_AUTH_LIFETIME = 16403,
    NOTIFY_MULTIPLE_AUTH_SUPPORTED = 16404,
    NOTIFY_ANOTHER_AUTH_FOLLOWS = 16405,
    NOTIFY_REDIRECT_SUPPORTED = 16406,
    NOTIFY_REDIRECT = 16407,
    NOTIFY_REDIRECTED_FROM = 16408,
    NOTIFY_FRAGMENTATION_SUPPORTED = 16430,
    NOTIFY_UNKNOWN_STATUS = 40000,
};

/* One sealed message under construction. */
typedef struct Build {
    IkeWriter m;
    ResponderIke *ike;
    size_t sk, iv, plain;
    uint8_t bytes[RESPONDER_MESSAGE_MAX];
} Build;

/* responder-seal.c */
void gw_unknown_payload_write(Responder *r, IkeWriter *m, bool critical);
void gw_build_start(Build *b, ResponderIke *ike, uint8_t exchange, bool response, uint32_t id);
void gw_build_finish(Responder *r, Build *b, Packets *ret);
void gw_packets_free(Packets *packets);
/* Opens a sealed datagram in place, or takes a fragment. True with the payloads when the message is whole;
 * what they point to lives until the next call. */
bool gw_seal_open(Responder *r, ResponderIke *ike, const IkeHeader *h, uint8_t *datagram, size_t size,
                  IkePayloads *ret, uint8_t **ret_plain, size_t *ret_size);

/* ike-responder.c */
void gw_clear_finish(Responder *r, IkeWriter *m, Message *ret);
void gw_send_bytes(Responder *r, const Endpoint *local, const Endpoint *remote, const void *data,
                   size_t size);
void gw_send_packets(Responder *r, const Packets *packets, const Endpoint *local, const Endpoint *remote);
void gw_ike_set_state(Responder *r, ResponderIke *ike, ResponderState state);
ResponderIke *gw_ike_add(Responder *r);
/* The IKE SA and its Child SAs are gone; the tombstone stays. */
void gw_ike_drop(Responder *r, ResponderIke *ike);
bool gw_find_notify(const IkePayloads *payloads, unsigned type, IkeNotify *ret);

/* responder-init.c */
void gw_init_input(Responder *r, const IkeHeader *h, const IkePayloads *payloads, const uint8_t *datagram,
                   size_t size, const Endpoint *from);
/* One transform of each type out of the proposal that fits: *kind* 1 AEAD, 2 not, 0 any. *group* 0: without a
 * group. False: none fits. */
bool gw_choose(Responder *r, const IkeProposal *offered, size_t n_offered, unsigned kind, uint16_t group,
               IkeProposal *ret);
Suite gw_chosen_suite(const IkeProposal *chosen);
void gw_nat_notify(Responder *r, IkeWriter *m, uint64_t spi_i, uint64_t spi_r, unsigned type,
                   const Endpoint *e, bool lie);
void gw_redirect_write(IkeWriter *m, const char *target, const void *nonce, size_t nonce_size);

/* responder-auth.c */
void gw_auth_input(Responder *r, ResponderIke *ike, const IkePayloads *payloads, const uint8_t *plain,
                   size_t plain_size, uint8_t first, IkeWriter *m);
/* *own*: of an exchange that the responder starts. */
void gw_ts_write(Responder *r, IkeWriter *m, bool own);

/* responder-child.c: CREATE_CHILD_SA and what becomes of Child SAs */
ResponderChild *gw_child_by_spi_out(Responder *r, uint32_t spi_out);
ResponderChild *gw_child_add(Responder *r, ResponderIke *ike);
void gw_child_use(Responder *r, ResponderChild *child);
void gw_child_gone(Responder *r, ResponderChild *child);
uint32_t gw_child_spi(Responder *r);
/* Writes *error*, when a switch wants it still. */
bool gw_demanded(Responder *r, unsigned error, IkeWriter *m);
void gw_create_child_input(Responder *r, ResponderIke *ike, const IkePayloads *payloads, IkeWriter *m);
void gw_create_child_request(Responder *r, ResponderIke *ike, ResponderRequest *q, IkeWriter *m);
void gw_create_child_response(Responder *r, ResponderIke *ike, ResponderRequest *q,
                              const IkePayloads *payloads);

/* responder-rekey.c: of the IKE SA */
void gw_rekey_ike_input(Responder *r, ResponderIke *ike, const IkePayloads *payloads,
                        const IkeProposal *offered, size_t n_offered, IkeWriter *m);
void gw_rekey_ike_request(Responder *r, ResponderIke *ike, ResponderRequest *q, IkeWriter *m);
void gw_rekey_ike_response(Responder *r, ResponderIke *ike, ResponderRequest *q, const IkePayloads *payloads);
/* 2.8.1: whether the lowest of the four is one of *a*. */
bool gw_lowest_is_in(const Nonces *a, const Nonces *b);

/* responder-informational.c */
/* Its further addresses, one notify each (RFC 4555 3.4). */
void gw_additional_write(Responder *r, IkeWriter *m);
void gw_informational_input(Responder *r, ResponderIke *ike, const IkePayloads *payloads,
                            const Endpoint *from, IkeWriter *m);
void gw_informational_request(Responder *r, ResponderIke *ike, ResponderRequest *q, IkeWriter *m);
void gw_informational_response(Responder *r, ResponderIke *ike, ResponderRequest *q,
                               const IkePayloads *payloads);

/* responder-requests.c: the queue and the window */
void gw_want(Responder *r, ResponderIke *ike, RequestType type, uint32_t child, usec_t not_before);
void gw_want_group(Responder *r, ResponderIke *ike, RequestType type, uint32_t child, uint16_t group);
void gw_proceed(Responder *r);
void gw_response_input(Responder *r, ResponderIke *ike, const IkeHeader *h, const IkePayloads *payloads);
void gw_request_free(ResponderRequest *q);
bool gw_request_is_child(const ResponderRequest *q);
