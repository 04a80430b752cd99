/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is offered and what is chosen (RFC 7296 2.7, 3.3), and how the field writes it: proposals separated by
 * spaces or commas, each the words of its transforms joined by '-', several of a type in the order of
 * preference: "aes256gcm16-aes128gcm16-prfsha384-ecp384-ecp256 aes256-sha256-modp2048". */
#pragma once

#include "ike/transform.h"

/* TS 33.210's profile. P-256 first: it is mandatory there, so that no gateway of the profile costs us an
 * INVALID_KE_PAYLOAD. AEAD and others may not share a proposal (RFC 5282 8). */
#define IKE_PROPOSALS_DEFAULT                                                                                \
    "aes256gcm16-aes128gcm16-prfsha256-prfsha384-prfsha512-ecp256-x25519-ecp384-modp2048 "                   \
    "aes256-aes128-sha256-sha384-sha512-ecp256-x25519-ecp384-modp2048"
#define ESP_PROPOSALS_DEFAULT "aes256gcm16-aes128gcm16 aes256-aes128-sha256-sha384-sha512"

/* Of a set: half of what one offer holds, because a Child SA's go out twice, with and without groups. */
#define PROPOSAL_SET_MAX    (IKE_PROPOSALS_MAX / 2)
#define PROPOSAL_GROUPS_MAX 8    /* of a set, with the 0 at the end */
#define PROPOSALS_STR_MAX   2048 /* of proposals_format() */

typedef struct ProposalSet {
    size_t n;
    IkeProposal items[IKE_PROPOSALS_MAX]; /* numbered from 1, without SPI */
} ProposalSet;

/* Perfect forward secrecy of Child SAs made by CREATE_CHILD_SA. */
typedef enum Pfs {
    PFS_PREFER, /* with a group if the other side has it so, otherwise without */
    PFS_YES,
    PFS_NO,
} Pfs;

/* Extended sequence numbers (RFC 4303 2.2.1). */
typedef enum Esn {
    ESN_PREFER, /* yes and no are offered, in that order */
    ESN_YES,
    ESN_NO,
} Esn;

/* For IKE or ESP (IKE_PROTOCOL_*). IKE needs encryption, integrity unless AEAD, PRF (where none is named,
 * those of the integrity algorithms; beside an AEAD these stand for nothing else), group; ESP encryption,
 * integrity unless AEAD, and has groups for PFS and esn, noesn, or both, when it wants. 0, or -EINVAL with a
 * line in *error* (ERROR_MAX_BYTES) that names the word. */
int proposals_parse(ProposalSet *ret, uint8_t protocol, const char *text, char *error);
/* The opposite; what it writes can be parsed again. */
const char *proposals_format(const ProposalSet *set, char buf[static PROPOSALS_STR_MAX]);
/* ESP proposals that name neither esn nor noesn get what *esn* says. None may go out without. */
void proposals_complete(ProposalSet *esp, Esn esn);
/* The defaults above, ESP completed with *esn*. */
void proposals_default(ProposalSet *ret, uint8_t protocol, Esn esn);

/* The groups of a set in the order of their first appearance, 0 at the end. Returns their number. */
size_t proposals_groups_of(const ProposalSet *set, uint16_t ret[static PROPOSAL_GROUPS_MAX]);

/* What goes out for an IKE SA: in IKE_SA_INIT (*spi* 0) or to rekey one. Returns the count. */
size_t proposals_offer(const ProposalSet *ike, uint64_t spi, IkeProposal ret[static IKE_PROPOSALS_MAX]);
/* What goes out for a Child SA. In IKE_AUTH with PFS_NO: its keys come from the IKE SA's (1.2). In
 * CREATE_CHILD_SA as *pfs* says; a set that names no group gets *group* first (0: none) and then those of the
 * IKE defaults; of a set that names some, the proposals without stay so. */
size_t proposals_child(const ProposalSet *esp, Pfs pfs, uint16_t group, uint32_t spi,
                       IkeProposal ret[static IKE_PROPOSALS_MAX]);
/* The group of the KE payload beside that: *group* where the offer holds it, otherwise its first, 0 without
 * PFS.
 */
uint16_t proposals_child_group(const ProposalSet *esp, Pfs pfs, uint16_t group);

/* Holds the peer's answer against what we offered: exactly one proposal, one of ours by number, one transform
 * of each type we offered, each of them one we offered (RFC 7296 2.7, 3.3). 0 or
 * IKE_NOTIFY_NO_PROPOSAL_CHOSEN. */
int proposal_accept(const IkeProposal *offered, size_t n_offered, const IkeProposal *chosen, size_t n_chosen,
                    Suite *ret);
/* Chooses from the peer's offer (it rekeys): our order decides. *ret_chosen* is what goes into the answer,
 * with the peer's number and still its SPI. *pfs* counts for ESP, as in proposals_child(). 0 or
 * IKE_NOTIFY_NO_PROPOSAL_CHOSEN. */
int proposal_select(const ProposalSet *ours, const IkeProposal *theirs, size_t n, Pfs pfs,
                    IkeProposal *ret_chosen, Suite *ret_suite);

/* The defaults without a ProposalSet. ESP without ESN: for those who cannot program it. */
size_t proposals_ike(IkeProposal ret[static IKE_PROPOSALS_MAX]);
size_t proposals_esp(IkeProposal ret[static IKE_PROPOSALS_MAX], uint32_t spi);
/* The groups of proposals_ike(), in order, 0 at the end. */
const uint16_t *proposals_groups(void);
