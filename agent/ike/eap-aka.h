/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The peer of EAP-AKA (RFC 4187, RFC 3748): how the hosting party's USIM authenticates itself and the
 * operator's network (TS 33.320 5.3, 7.3). Pure: a packet of the server in, a response out. Full
 * authentication with the permanent identity only: the conversation is sealed by IKE, so there is nothing to
 * hide with pseudonyms, and AKA' (RFC 9048) is not spoken.
 *
 * What is malformed or breaks a rule of RFC 4187 within EAP-AKA is answered with AKA-Client-Error, after
 * which only a notification and EAP-Failure are expected; what RFC 3748 has a peer discard is discarded. */
#pragma once

#include "ike/eap.h"
#include "ike/eap-aka-keys.h"
#include "ike/usim.h"

#define EAP_RESPONSE_MAX    512 /* bytes of a response of ours */
#define EAP_AKA_ROUNDS_MAX  16  /* requests of one conversation */
#define EAP_AKA_IDENTITIES  3   /* AKA-Identity rounds: RFC 4187 4.1.6 */
#define EAP_AKA_RESYNCS_MAX 2   /* synchronisation failures of one conversation */
#define EAP_AKA_TEXT_MAX    160

typedef enum EapVerdict {
    EAP_CONTINUE = 0, /* there is a response to send */
    EAP_DONE,         /* success: the MSK is there */
    EAP_REFUSED,      /* over, by EAP-Failure or because of a limit of ours */
    EAP_DISCARDED,    /* nothing happened. IKE has no second packet to wait for: there it ends as well */
} EapVerdict;

typedef struct EapAka EapAka;

/* A conversation. *usim* must outlive it; *realm* as for usim_nai(). 0, -ENOMEM, or what usim_nai() says. */
int eap_aka_new(EapAka **ret, const Usim *usim, const char *realm);
/* Wipes it. */
void eap_aka_free(EapAka *eap);
DEFINE_CLEANUP(EapAka, eap_aka_free)

/* The permanent identity: what stands in the IDi payload of the second authentication as well. */
const char *eap_aka_identity(const EapAka *eap);

/* Takes a packet of the server. EapVerdict; with EAP_CONTINUE the response is in *response* (EAP_RESPONSE_MAX
 * bytes). A request that comes again gets the same response again. Negative errno: -EIO (the library failed).
 */
int eap_aka_input(EapAka *eap, const uint8_t *packet, size_t size, uint8_t response[static EAP_RESPONSE_MAX],
                  size_t *ret_size);
/* One line: with EAP_REFUSED the reason, as far as it is known, with EAP_DISCARDED what was wrong, with
 * EAP_CONTINUE what is already known to have failed, or "". No secret, and nothing a peer wrote. */
const char *eap_aka_text(const EapAka *eap);
/* EAP_MSK_BYTES bytes, once there was EAP_DONE; NULL before. */
const uint8_t *eap_aka_msk(const EapAka *eap);
