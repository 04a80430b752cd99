/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See config-compare.h. */
#include "config-compare.h"

#include <stdio.h>

typedef enum ReloadClass {
    RESTART,
    IN_PLACE, /* read where it is used, each time, or told by those who reload */
} ReloadClass;

typedef struct CompareKey CompareKey;
struct CompareKey {
    const char *section, *key; /* *key* NULL: the section as a whole */
    ReloadClass class;
    bool (*same)(const Config *a, const Config *b, const CompareKey *key);
    size_t offset, size;
};

static const void *field(const Config *config, const CompareKey *key) {
    return (const char *)config + key->offset;
}

static bool same_text(const Config *a, const Config *b, const CompareKey *key) {
    return streq(field(a, key), field(b, key));
}

/* Numbers and enumerations. */
static bool same_number(const Config *a, const Config *b, const CompareKey *key) {
    return memcmp(field(a, key), field(b, key), key->size) == 0;
}

/* Of a ConfigPair. An identity that only follows its SeGW= is not set, here as there. */
static bool same_identity(const Config *a, const Config *b, const CompareKey *key) {
    const ConfigPair *x = field(a, key), *y = field(b, key);
    const bool x_follows = streq(x->segw_identity, x->segw), y_follows = streq(y->segw_identity, y->segw);

    return (x_follows && y_follows) || streq(x->segw_identity, y->segw_identity);
}

static bool same_addresses(const Address *a, size_t n_a, const Address *b, size_t n_b) {
    size_t i = 0;
    while (i < n_a && i < n_b && address_equal(&a[i], &b[i]))
        i++;
    return i == n_a && i == n_b;
}

static bool same_public_dns(const Config *a, const Config *b, const CompareKey *key) {
    return same_addresses(a->public_dns, a->n_public_dns, b->public_dns, b->n_public_dns);
}

static bool same_private_dns(const Config *a, const Config *b, const CompareKey *key) {
    return same_addresses(a->private_dns, a->n_private_dns, b->private_dns, b->n_private_dns);
}

static bool same_proposals(const Config *a, const Config *b, const CompareKey *key) {
    char x[PROPOSALS_STR_MAX], y[PROPOSALS_STR_MAX];
    return streq(proposals_format(field(a, key), x), proposals_format(field(b, key), y));
}

static bool same_usim(const Config *a, const Config *b, const CompareKey *key) {
    return a->usim.kind == b->usim.kind && streq(a->usim.argument, b->usim.argument);
}

static bool owner_is_in(const OwnerTable *table, const OwnerRow *row) {
    for (size_t i = 0; i < table->n; i++)
        if (streq(table->rows[i].path, row->path))
            return streq(table->rows[i].name, row->name);
    return false;
}

/* In whatever order: the longest path counts. */
static bool same_owners(const Config *a, const Config *b, const CompareKey *key) {
    size_t i = 0;
    while (i < a->owners.n && owner_is_in(&b->owners, &a->owners.rows[i]))
        i++;
    return i == a->owners.n && a->owners.n == b->owners.n;
}

#define FIELD(f)  offsetof(Config, f), sizeof(((Config *)NULL)->f)
#define TEXT(f)   same_text, FIELD(f)
#define NUMBER(f) same_number, FIELD(f)

static const CompareKey keys[] = {
    {"Identity", "Manufacturer", RESTART, TEXT(manufacturer)},
    {"Identity", "OUI", RESTART, TEXT(oui)},
    {"Identity", "ProductClass", RESTART, TEXT(product_class)},
    {"Identity", "SerialNumber", RESTART, TEXT(serial_number)},
    {"Identity", "HardwareVersion", RESTART, TEXT(hardware_version)},
    {"Identity", "SoftwareVersion", RESTART, TEXT(software_version)},
    {"Identity", "Operator", RESTART, TEXT(operator_name)},
    {"Initial", "SeGW", RESTART, TEXT(initial.segw)},
    {"Initial", "HeMS", RESTART, TEXT(initial.hems)},
    {"Initial", "SeGWIdentity", RESTART, same_identity, FIELD(initial)},
    {"Serving", "SeGW", RESTART, TEXT(serving.segw)},
    {"Serving", "HeMS", RESTART, TEXT(serving.hems)},
    {"Serving", "SeGWIdentity", RESTART, same_identity, FIELD(serving)},
    {"Trust", "CA", IN_PLACE, TEXT(ca)},
    {"Trust", "Certificate", IN_PLACE, TEXT(certificate)},
    {"Trust", "Key", IN_PLACE, TEXT(key)},
    {"Trust", "CRL", IN_PLACE, TEXT(crl)},
    {"Trust", "Revocation", RESTART, NUMBER(revocation)},
    {"Trust", "ClockPolicy", RESTART, NUMBER(clock_policy)},
    {"Network", "PublicDNS", RESTART, same_public_dns},
    {"Network", "PrivateDNS", RESTART, same_private_dns},
    {"Network", "TunnelInterface", RESTART, TEXT(tunnel_interface)},
    {"Network", "InterfaceId", RESTART, NUMBER(interface_id)},
    {"IPsec", "IKEProposals", RESTART, same_proposals, FIELD(ike_proposals)},
    {"IPsec", "ESPProposals", RESTART, same_proposals, FIELD(esp_proposals)},
    {"IPsec", "PFS", RESTART, NUMBER(pfs)},
    {"IPsec", "ESN", RESTART, NUMBER(esn)},
    {"IPsec", "ReplayWindow", RESTART, NUMBER(replay_window)},
    {"IPsec", "ChildLifetime", RESTART, NUMBER(child_lifetime)},
    {"IPsec", "IKELifetime", RESTART, NUMBER(ike_lifetime)},
    {"IPsec", "ChildBytes", RESTART, NUMBER(child_bytes)},
    {"IPsec", "ChildPackets", RESTART, NUMBER(child_packets)},
    {"IPsec", "NATKeepalive", RESTART, NUMBER(nat_keepalive)},
    {"IPsec", "FragmentSize", RESTART, NUMBER(fragment_size)},
    {"Registration", "WaitForLocation", RESTART, NUMBER(wait_for_location)},
    {"Registration", "InformParameters", RESTART, TEXT(inform_parameters)},
    {"Registration", "Username", RESTART, TEXT(username)},
    {"Registration", "PasswordFile", RESTART, TEXT(password_file)},
    {"Registration", "FallbackRounds", RESTART, NUMBER(fallback_rounds)},
    {"Registration", "FallbackTime", RESTART, NUMBER(fallback_time)},
    {"HostingParty", "USIM", RESTART, same_usim},
    {"HostingParty", "Realm", RESTART, TEXT(realm)},
    {"Owners", NULL, RESTART, same_owners},
    {"Log", "Level", IN_PLACE, NUMBER(log_level)},
};

static void name_add(char names[static CONFIG_NAMES_MAX], const CompareKey *key) {
    size_t len = strlen(names);
    snprintf(names + len, CONFIG_NAMES_MAX - len, "%s[%s]%s%s%s", len > 0 ? ", " : "", key->section,
             key->key ? " " : "", strempty(key->key), key->key ? "=" : "");
}

void config_compare(const Config *now, const Config *next, ConfigDifference *ret) {
    *ret = (ConfigDifference){};
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        if (!keys[i].same(now, next, &keys[i]))
            name_add(keys[i].class == IN_PLACE ? ret->in_place : ret->restart, &keys[i]);
}
