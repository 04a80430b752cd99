/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See tunnel.h. */
#include "dbus/tunnel.h"

typedef struct Published {
    TunnelStatus status;
    TunnelCounters counters;
} Published;

/* A pair of SPIs, and what is or is not translated on the way: each is one property over several fields, by
 * the first of them. */

static int append_ike_spis(sd_bus_message *m, const void *field) {
    const uint64_t *spis = field;
    return sd_bus_message_append(m, "(tt)", spis[0], spis[1]);
}

static int append_child_spis(sd_bus_message *m, const void *field) {
    const uint32_t *spis = field;
    return sd_bus_message_append(m, "(uu)", spis[0], spis[1]);
}

static bool ike_spis_equal(const void *a, const void *b) {
    return memcmp(a, b, 2 * sizeof(uint64_t)) == 0;
}

static bool child_spis_equal(const void *a, const void *b) {
    return memcmp(a, b, 2 * sizeof(uint32_t)) == 0;
}
static_assert(offsetof(TunnelStatus, ike_spi_r) == offsetof(TunnelStatus, ike_spi_i) + sizeof(uint64_t), "");
static_assert(offsetof(TunnelStatus, child_spi_out) ==
                  offsetof(TunnelStatus, child_spi_in) + sizeof(uint32_t),
              "");
static_assert(offsetof(TunnelStatus, nat_remote) == offsetof(TunnelStatus, nat_local) + sizeof(bool), "");

static int append_nat(sd_bus_message *m, const void *field) {
    static const char *const words[] = {"none", "local", "remote", "both"};
    const bool *nat = field;
    return sd_bus_message_append_basic(m, 's', words[nat[0] + 2 * nat[1]]);
}

static bool nat_equal(const void *a, const void *b) {
    const bool *x = a, *y = b;
    return x[0] == y[0] && x[1] == y[1];
}

static int append_drops(sd_bus_message *m, const void *field) {
    const TunnelCounters *c = field;
    return sd_bus_message_append(m, "a{st}", 6, "Malformed", c->malformed, "Foreign", c->foreign,
                                 "Unexpected", c->unexpected, "Forged", c->forged, "EspReplayed",
                                 c->esp_replayed, "EspForged", c->esp_forged);
}

#define FIELD(field)   offsetof(Published, status.field)
#define COUNTER(field) offsetof(Published, counters.field)
static const PublishedProperty properties[] = {
    {"Up", "b", FIELD(up), append_bool, bool_equal},
    {"PeerAddress", "s", FIELD(remote), append_address, address_field_equal},
    {"LocalAddress", "s", FIELD(local), append_address, address_field_equal},
    {"PeerIdentity", "s", FIELD(peer_identity), append_text, text_equal},
    {"LocalIdentity", "s", FIELD(local_identity), append_text, text_equal},
    {"IkeAlgorithms", "s", FIELD(ike_algorithms), append_text, text_equal},
    {"EspAlgorithms", "s", FIELD(esp_algorithms), append_text, text_equal},
    {"IkeSpis", "(tt)", FIELD(ike_spi_i), append_ike_spis, ike_spis_equal},
    {"ChildSpis", "(uu)", FIELD(child_spi_in), append_child_spis, child_spis_equal},
    {"Nat", "s", FIELD(nat_local), append_nat, nat_equal},
    {"UdpEncapsulation", "b", FIELD(encapsulated), append_bool, bool_equal},
    {"InnerAddresses", "as", FIELD(inner_addresses), append_addresses, addresses_equal},
    {"NextRekey", "t", FIELD(next_rekey), append_u64, u64_equal},
    {"PacketsIn", "t", COUNTER(packets_in), append_u64, NULL, NEWS_SILENT},
    {"PacketsOut", "t", COUNTER(packets_out), append_u64, NULL, NEWS_SILENT},
    {"BytesIn", "t", COUNTER(bytes_in), append_u64, NULL, NEWS_SILENT},
    {"BytesOut", "t", COUNTER(bytes_out), append_u64, NULL, NEWS_SILENT},
    {"Retransmitted", "t", COUNTER(retransmitted), append_u64, NULL, NEWS_SILENT},
    {"Dropped", "a{st}", offsetof(Published, counters), append_drops, NULL, NEWS_SILENT},
};

static void refresh(void *userdata, void *data) {
    const BusHandlers *handlers = userdata;
    Published *published = data;

    published->counters = (TunnelCounters){};
    if (handlers->tunnel_counters)
        handlers->tunnel_counters(handlers->shown, &published->counters);
}

int bus_tunnel_add(Publication **ret, sd_bus *bus, const char *path, const BusHandlers *handlers) {
    const PublicationConfig config = {.path = path,
                                      .interface = "org.henb.Agent1.Tunnel",
                                      .properties = properties,
                                      .n = ARRAY_SIZE(properties),
                                      .size = sizeof(Published),
                                      .refresh = refresh,
                                      .userdata = (void *)handlers};
    return publication_new(ret, bus, &config, &(Published){});
}

int bus_tunnel_publish(Publication *tunnel, const TunnelStatus *status) {
    return publication_set(tunnel, &(Published){.status = *status});
}
