/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What IKE_SA_INIT needs and can be made before anybody knows the gateway: SPI, nonce and Diffie-Hellman key
 * pair of one IKE SA (RFC 7296 2.6, 2.10, 2.12). Never for two: whoever starts an SA with it takes it. */
#pragma once

#include "ike/key-exchange.h"
#include "ike/proposal.h"

#define IKE_NONCE_SIZE 32 /* of ours */

typedef struct IkePrepared {
    uint64_t spi_i; /* not 0 */
    uint8_t nonce[IKE_NONCE_SIZE];
    KeyExchange *key_exchange;
} IkePrepared;

/* For *group*, one of proposals_groups(). 0, -EIO, -ENOMEM. */
int ike_prepared_new(IkePrepared **ret, uint16_t group, const Rng *rng);
/* Wipes it. */
void ike_prepared_free(IkePrepared *prepared);
DEFINE_CLEANUP(IkePrepared, ike_prepared_free)
