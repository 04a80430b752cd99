/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See proposal.h. */
#include "ike/proposal.h"

#include <fnmatch.h>
#include <stdio.h>
#include <strings.h>

#include "base/log.h"
#include "base/macro.h"

#define WORD_MAX_BYTES 32

static const struct {
    const char *word, *keyword;
} synonyms[] = {
    {"aes", "aes128"},
    {"aes128gcm", "aes128gcm16"},
    {"aes256gcm", "aes256gcm16"},
    {"aes128gcm128", "aes128gcm16"},
    {"aes256gcm128", "aes256gcm16"},
    {"sha2_256", "sha256"},
    {"sha2_384", "sha384"},
    {"sha2_512", "sha512"},
    {"curve25519", "x25519"},
};

/* What the field has or had, and nobody gets from us: patterns of fnmatch(). */
static const struct {
    const char *pattern, *reason;
} weak[] = {
    {"null", "it encrypts nothing"},
    {"aes*gmac", "it encrypts nothing"},
    {"des", "RFC 8247"},
    {"3des", "RFC 8247"},
    {"idea", "RFC 8221"},
    {"cast*", "RFC 8221"},
    {"blowfish*", "RFC 8221"},
    {"aes*[gc]cm8", "its checksum has 64 bits"},
    {"aes*[gc]cm64", "its checksum has 64 bits"},
    {"aes*[gc]cm12", "its checksum has 96 bits"},
    {"aes*[gc]cm96", "its checksum has 96 bits"},
    {"md5*", "RFC 8247"},
    {"prfmd5", "RFC 8247"},
    {"sha", "RFC 8247"},
    {"sha1*", "RFC 8247"},
    {"prfsha1", "RFC 8247"},
    {"sha*_96", "its checksum has 96 bits"},
    {"aes*xcbc", "its checksum has 96 bits"},
    {"aes*cmac", "its checksum has 96 bits"},
    {"prfaes*", "a key of 128 bits with any encryption"},
    {"modp768", "RFC 8247"},
    {"modp1024*", "RFC 8247"},
    {"modp1536", "RFC 8247"},
    {"modp2048s*", "RFC 8247"},
    {"ecp192", "RFC 8247"},
};

/* The PRF that goes with an integrity algorithm (of the same hash) where none is named. */
static const struct {
    uint16_t integ, prf;
} derived[] = {
    {IKE_INTEG_HMAC_SHA2_256_128, IKE_PRF_HMAC_SHA2_256},
    {IKE_INTEG_HMAC_SHA2_384_192, IKE_PRF_HMAC_SHA2_384},
    {IKE_INTEG_HMAC_SHA2_512_256, IKE_PRF_HMAC_SHA2_512},
};

/* A proposal is written in this order of its types. */
static const uint8_t type_order[] = {IKE_TRANSFORM_ENCR, IKE_TRANSFORM_INTEG, IKE_TRANSFORM_PRF,
                                     IKE_TRANSFORM_DH, IKE_TRANSFORM_ESN};

static bool proposal_offers(const IkeProposal *offer, const IkeTransform *t) {
    for (size_t i = 0; i < offer->n_transforms; i++)
        if (offer->transforms[i].type == t->type && offer->transforms[i].id == t->id &&
            offer->transforms[i].key_bits == t->key_bits && !offer->transforms[i].unknown)
            return true;
    return false;
}

static bool proposal_has_type(const IkeProposal *offer, uint8_t type) {
    for (size_t i = 0; i < offer->n_transforms; i++)
        if (offer->transforms[i].type == type)
            return true;
    return false;
}

static void proposal_add(IkeProposal *p, uint8_t type, uint16_t id, uint16_t key_bits) {
    assert(p->n_transforms < IKE_TRANSFORMS_MAX);
    p->transforms[p->n_transforms++] = (IkeTransform){.type = type, .id = id, .key_bits = key_bits};
}

static void proposal_add_all(IkeProposal *p, const IkeProposal *from, uint8_t type) {
    for (size_t i = 0; i < from->n_transforms; i++)
        if (from->transforms[i].type == type)
            p->transforms[p->n_transforms++] = from->transforms[i];
}

/* Its keyword of the first transform of *type*; there must be one. */
static const char *proposal_word(const IkeProposal *p, uint8_t type, size_t i) {
    const IkeTransform *t = p->transforms;

    for (; t->type != type || i-- > 0; t++)
        ;
    return transform_find(type, t->id, t->key_bits)->keyword;
}

static size_t proposal_count(const IkeProposal *p, uint8_t type) {
    size_t n = 0;
    for (size_t i = 0; i < p->n_transforms; i++)
        n += p->transforms[i].type == type;
    return n;
}

/* The words ------------------------------------------------------------------------------------------- */

static int word_parse(const char *word, size_t len, uint8_t protocol, const Transform **ret, char *error) {
    char copy[WORD_MAX_BYTES];

    *ret = transform_by_keyword(word, len);
    if (!*ret) {
        snprintf(copy, sizeof copy, "%.*s", (int)MIN(len, sizeof copy), word);
        for (size_t i = 0; i < ARRAY_SIZE(synonyms); i++)
            if (strcasecmp(copy, synonyms[i].word) == 0)
                *ret = transform_by_keyword(synonyms[i].keyword, strlen(synonyms[i].keyword));
        for (size_t i = 0; i < ARRAY_SIZE(weak) && !*ret; i++)
            if (fnmatch(weak[i].pattern, copy, FNM_CASEFOLD) == 0)
                return error_line(error, "%s is too weak (%s)", copy, weak[i].reason);
    }
    if (!*ret)
        return error_line(error, "%.*s is no algorithm we know", (int)MIN(len, 64u), word);
    if (protocol == IKE_PROTOCOL_IKE && (*ret)->type == IKE_TRANSFORM_ESN)
        return error_line(error, "%.*s is of ESP, not of IKE", (int)len, word);
    if (protocol == IKE_PROTOCOL_ESP && (*ret)->type == IKE_TRANSFORM_PRF)
        return error_line(error, "%.*s is of IKE, not of ESP", (int)len, word);
    return 0;
}

/* All words into *ret*, in their order. */
static int words_parse(const char *text, size_t len, uint8_t protocol, IkeProposal *ret, char *error) {
    for (size_t at = 0; at <= len;) {
        size_t size = 0;
        const Transform *t;
        while (at + size < len && text[at + size] != '-')
            size++;
        if (size == 0)
            return error_line(error, "a word is missing in %.*s", (int)MIN(len, 96u), text);
        int r = word_parse(text + at, size, protocol, &t, error);
        if (r < 0)
            return r;
        if (proposal_offers(ret, &(IkeTransform){.type = t->type, .id = t->id, .key_bits = t->key_bits}))
            return error_line(error, "%s is named twice in one proposal", t->keyword);
        proposal_add(ret, t->type, t->id, t->key_bits);
        at += size + 1;
    }
    return 0;
}

/* AEAD or not, all of them. */
static int encryption_check(const IkeProposal *p, const char *text, size_t len, bool *ret_aead, char *error) {
    const Transform *first = NULL;

    for (size_t i = 0; i < p->n_transforms; i++) {
        const IkeTransform *t = &p->transforms[i];
        const Transform *row = transform_find(t->type, t->id, t->key_bits);
        if (t->type != IKE_TRANSFORM_ENCR)
            continue;
        first = first ?: row;
        if (transform_is_aead(first) != transform_is_aead(row))
            return error_line(error, "%s and %s cannot stand in one proposal (RFC 5282 8)", first->keyword,
                        row->keyword);
    }
    if (!first)
        return error_line(error, "%.*s names no encryption, as aes256gcm16", (int)MIN(len, 96u), text);
    *ret_aead = transform_is_aead(first);
    return 0;
}

static int proposal_parse(const char *text, size_t len, uint8_t protocol, IkeProposal *ret, char *error) {
    IkeProposal named = {};
    bool aead = false;

    int r = words_parse(text, len, protocol, &named, error);
    if (r == 0)
        r = encryption_check(&named, text, len, &aead, error);
    if (r < 0)
        return r;
    bool integ = proposal_has_type(&named, IKE_TRANSFORM_INTEG), ike = protocol == IKE_PROTOCOL_IKE;
    if (!aead && !integ)
        return error_line(error, "%s needs an integrity algorithm beside it, as sha256",
                    proposal_word(&named, IKE_TRANSFORM_ENCR, 0));
    if (aead && integ && !ike)
        return error_line(error, "%s has no place beside %s, which needs none",
                    proposal_word(&named, IKE_TRANSFORM_INTEG, 0),
                    proposal_word(&named, IKE_TRANSFORM_ENCR, 0));
    if (ike && !proposal_has_type(&named, IKE_TRANSFORM_PRF)) {
        size_t n = named.n_transforms;
        for (size_t i = 0; i < n; i++)
            for (size_t k = 0; k < ARRAY_SIZE(derived); k++)
                if (named.transforms[i].type == IKE_TRANSFORM_INTEG &&
                    named.transforms[i].id == derived[k].integ)
                    proposal_add(&named, IKE_TRANSFORM_PRF, derived[k].prf, 0);
        if (named.n_transforms == n)
            return error_line(error, "%.*s names no PRF, as prfsha256", (int)MIN(len, 96u), text);
    }
    if (ike && !proposal_has_type(&named, IKE_TRANSFORM_DH))
        return error_line(error, "%.*s names no group, as ecp256", (int)MIN(len, 96u), text);

    *ret = (IkeProposal){.protocol = protocol};
    for (size_t i = 0; i < ARRAY_SIZE(type_order); i++)
        if (!(aead && type_order[i] == IKE_TRANSFORM_INTEG))
            proposal_add_all(ret, &named, type_order[i]);
    return 0;
}

int proposals_parse(ProposalSet *ret, uint8_t protocol, const char *text, char *error) {
    static const char separators[] = ", \t";
    ProposalSet set = {};

    for (text += strspn(text, separators); *text; text += strspn(text, separators)) {
        size_t len = strcspn(text, separators);
        if (set.n == PROPOSAL_SET_MAX)
            return error_line(error, "more proposals than %d", PROPOSAL_SET_MAX);
        int r = proposal_parse(text, len, protocol, &set.items[set.n], error);
        if (r < 0)
            return r;
        set.n++;
        set.items[set.n - 1].number = (uint8_t)set.n;
        text += len;
    }
    if (set.n == 0)
        return error_line(error, "no proposal");
    *ret = set;
    return 0;
}

const char *proposals_format(const ProposalSet *set, char buf[static PROPOSALS_STR_MAX]) {
    size_t len = 0;

    buf[0] = 0;
    for (size_t i = 0; i < set->n; i++)
        for (size_t k = 0, first = 1; k < ARRAY_SIZE(type_order); k++)
            for (size_t t = 0; t < proposal_count(&set->items[i], type_order[k]); t++, first = 0)
                if (len < PROPOSALS_STR_MAX)
                    len += (size_t)snprintf(buf + len, PROPOSALS_STR_MAX - len, "%s%s",
                                            !first ? "-"
                                            : i    ? " "
                                                   : "",
                                            proposal_word(&set->items[i], type_order[k], t));
    return buf;
}

void proposals_complete(ProposalSet *esp, Esn esn) {
    for (size_t i = 0; i < esp->n; i++) {
        IkeProposal *p = &esp->items[i];
        if (proposal_has_type(p, IKE_TRANSFORM_ESN))
            continue;
        if (esn != ESN_NO)
            proposal_add(p, IKE_TRANSFORM_ESN, IKE_ESN_YES, 0);
        if (esn != ESN_YES)
            proposal_add(p, IKE_TRANSFORM_ESN, IKE_ESN_NO, 0);
    }
}

void proposals_default(ProposalSet *ret, uint8_t protocol, Esn esn) {
    bool ike = protocol == IKE_PROTOCOL_IKE;
    char error[ERROR_MAX_BYTES];

    int r = proposals_parse(ret, protocol, ike ? IKE_PROPOSALS_DEFAULT : ESP_PROPOSALS_DEFAULT, error);
    assert(r == 0);
    if (!ike)
        proposals_complete(ret, esn);
}

/* The offer ------------------------------------------------------------------------------------------- */

static const uint16_t default_groups[] = {IKE_DH_ECP_256, IKE_DH_CURVE25519, IKE_DH_ECP_384, IKE_DH_MODP_2048,
                                          0};

const uint16_t *proposals_groups(void) {
    return default_groups;
}

size_t proposals_groups_of(const ProposalSet *set, uint16_t ret[static PROPOSAL_GROUPS_MAX]) {
    size_t n = 0;

    for (size_t i = 0; i < set->n; i++)
        for (size_t k = 0; k < set->items[i].n_transforms; k++) {
            const IkeTransform *t = &set->items[i].transforms[k];
            bool seen = t->type != IKE_TRANSFORM_DH;
            for (size_t s = 0; s < n; s++)
                seen |= ret[s] == t->id;
            if (!seen) {
                assert(n < PROPOSAL_GROUPS_MAX - 1);
                ret[n++] = t->id;
            }
        }
    ret[n] = 0;
    return n;
}

size_t proposals_offer(const ProposalSet *ike, uint64_t spi, IkeProposal ret[static IKE_PROPOSALS_MAX]) {
    for (size_t i = 0; i < ike->n; i++) {
        ret[i] = ike->items[i];
        ret[i].spi = spi;
        ret[i].spi_size = spi ? IKE_SPI_SIZE : 0;
    }
    return ike->n;
}

static void proposal_add_groups(IkeProposal *p, uint16_t first) {
    if (first)
        proposal_add(p, IKE_TRANSFORM_DH, first, 0);
    for (const uint16_t *g = default_groups; *g; g++)
        if (*g != first)
            proposal_add(p, IKE_TRANSFORM_DH, *g, 0);
}

size_t proposals_child(const ProposalSet *esp, Pfs pfs, uint16_t group, uint32_t spi,
                       IkeProposal ret[static IKE_PROPOSALS_MAX]) {
    uint16_t groups[PROPOSAL_GROUPS_MAX];
    bool named = proposals_groups_of(esp, groups) > 0;
    size_t n = 0;

    for (int without = pfs == PFS_NO; without <= (pfs != PFS_YES); without++)
        for (size_t i = 0; i < esp->n; i++) {
            const IkeProposal *from = &esp->items[i];
            assert(from->protocol == IKE_PROTOCOL_ESP && proposal_has_type(from, IKE_TRANSFORM_ESN));
            if (!without && named && !proposal_has_type(from, IKE_TRANSFORM_DH))
                continue;
            assert(n < IKE_PROPOSALS_MAX);
            IkeProposal *p = &ret[n++];
            *p = (IkeProposal){.number = (uint8_t)n, .protocol = IKE_PROTOCOL_ESP, .spi_size = 4, .spi = spi};
            proposal_add_all(p, from, IKE_TRANSFORM_ENCR);
            proposal_add_all(p, from, IKE_TRANSFORM_INTEG);
            if (!without && named)
                proposal_add_all(p, from, IKE_TRANSFORM_DH);
            else if (!without)
                proposal_add_groups(p, group);
            proposal_add_all(p, from, IKE_TRANSFORM_ESN);
        }
    return n;
}

uint16_t proposals_child_group(const ProposalSet *esp, Pfs pfs, uint16_t group) {
    uint16_t groups[PROPOSAL_GROUPS_MAX];
    size_t n = proposals_groups_of(esp, groups);

    if (pfs == PFS_NO)
        return 0;
    if (n == 0)
        return group ?: default_groups[0];
    for (size_t i = 0; i < n; i++)
        if (groups[i] == group)
            return group;
    return groups[0];
}

size_t proposals_ike(IkeProposal ret[static IKE_PROPOSALS_MAX]) {
    ProposalSet set;
    proposals_default(&set, IKE_PROTOCOL_IKE, ESN_NO);
    return proposals_offer(&set, 0, ret);
}

size_t proposals_esp(IkeProposal ret[static IKE_PROPOSALS_MAX], uint32_t spi) {
    ProposalSet set;
    proposals_default(&set, IKE_PROTOCOL_ESP, ESN_NO);
    return proposals_child(&set, PFS_NO, 0, spi, ret);
}

/* The choice ------------------------------------------------------------------------------------------ */

/* Transform IDs that say "nothing": a peer may spell them out instead of leaving the type away
 * (3.3.2, 3.3.3). */
static bool transform_is_none(const IkeTransform *t) {
    return t->id == 0 && (t->type == IKE_TRANSFORM_INTEG || t->type == IKE_TRANSFORM_DH);
}

int proposal_accept(const IkeProposal *offered, size_t n_offered, const IkeProposal *chosen, size_t n_chosen,
                    Suite *ret) {
    const IkeProposal *offer = NULL;
    Suite suite = {};

    if (n_chosen != 1)
        return IKE_NOTIFY_NO_PROPOSAL_CHOSEN;
    for (size_t i = 0; i < n_offered; i++)
        if (offered[i].number == chosen->number && offered[i].protocol == chosen->protocol)
            offer = &offered[i];
    if (!offer || offer->spi_size != chosen->spi_size)
        return IKE_NOTIFY_NO_PROPOSAL_CHOSEN;

    for (size_t i = 0; i < chosen->n_transforms; i++) {
        const IkeTransform *t = &chosen->transforms[i];
        if (transform_is_none(t) && !proposal_has_type(offer, t->type))
            continue;
        if (t->unknown || t->type >= IKE_TRANSFORM_TYPES_ || suite.by_type[t->type] ||
            !proposal_offers(offer, t))
            return IKE_NOTIFY_NO_PROPOSAL_CHOSEN;
        suite.by_type[t->type] = transform_find(t->type, t->id, t->key_bits);
        assert(suite.by_type[t->type]);
    }
    for (uint8_t type = 0; type < IKE_TRANSFORM_TYPES_; type++)
        if (proposal_has_type(offer, type) && !suite.by_type[type])
            return IKE_NOTIFY_NO_PROPOSAL_CHOSEN;
    *ret = suite;
    return 0;
}

/* Whether both have one transform of every type: *ret_chosen* has the first of ours that is theirs too. */
static bool proposal_match(const IkeProposal *ours, const IkeProposal *theirs, IkeProposal *ret_chosen,
                           Suite *ret_suite) {
    IkeProposal chosen = {.number = theirs->number,
                          .protocol = theirs->protocol,
                          .spi_size = theirs->spi_size,
                          .spi = theirs->spi};
    Suite suite = {};

    if (ours->protocol != theirs->protocol || (ours->protocol == IKE_PROTOCOL_ESP && theirs->spi_size != 4))
        return false;
    for (size_t i = 0; i < ours->n_transforms; i++) {
        const IkeTransform *t = &ours->transforms[i];
        if (suite.by_type[t->type] || !proposal_offers(theirs, t))
            continue;
        suite.by_type[t->type] = transform_find(t->type, t->id, t->key_bits);
        proposal_add(&chosen, t->type, t->id, t->key_bits);
    }
    for (size_t i = 0; i < ours->n_transforms; i++)
        if (!suite.by_type[ours->transforms[i].type])
            return false;
    /* A type of theirs that we leave out must be one that may be left out (3.3.3). */
    for (size_t i = 0; i < theirs->n_transforms; i++) {
        uint8_t type = theirs->transforms[i].type;
        IkeTransform none = {.type = type};
        if (!proposal_has_type(ours, type) && !(transform_is_none(&none) && proposal_offers(theirs, &none)))
            return false;
    }
    *ret_chosen = chosen;
    *ret_suite = suite;
    return true;
}

int proposal_select(const ProposalSet *ours, const IkeProposal *theirs, size_t n, Pfs pfs,
                    IkeProposal *ret_chosen, Suite *ret_suite) {
    IkeProposal offers[IKE_PROPOSALS_MAX];
    bool esp = ours->items[0].protocol == IKE_PROTOCOL_ESP;
    size_t n_offers = esp ? proposals_child(ours, pfs, 0, 0, offers) : proposals_offer(ours, 0, offers);

    for (size_t i = 0; i < n_offers; i++)
        for (size_t k = 0; k < n; k++)
            if (proposal_match(&offers[i], &theirs[k], ret_chosen, ret_suite))
                return 0;
    return IKE_NOTIFY_NO_PROPOSAL_CHOSEN;
}
