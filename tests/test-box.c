/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What Linux tells of the box: texts of /proc as the data model wants them, and rows for what comes and goes.
 */
#include <check.h>
#include <stdio.h>

#include "box.h"
#include "ipsec-facts.h"
#include "row-set.h"
#include "suite.h"

START_TEST(fields) {
    static const char text[] =
        "MemTotal:        2048 kB\nMemFree:\t17 kB\nMemNone: kB\nXfrmInNoStates     \t3\nLast: 9";
    uint64_t n;
    ck_assert(box_field(text, "MemTotal:", &n) && n == 2048);
    ck_assert(box_field(text, "MemFree:", &n) && n == 17);
    ck_assert(box_field(text, "XfrmInNoStates", &n) && n == 3);
    ck_assert(box_field(text, "Last:", &n) && n == 9);
    ck_assert(!box_field(text, "MemNone:", &n));
    ck_assert(!box_field(text, "Mem", &n));
    ck_assert(!box_field(text, "Total:", &n));
    ck_assert(!box_field("", "A", &n));
}
END_TEST

START_TEST(processors) {
    BoxCpu a, b;
    ck_assert(box_cpu("cpu  100 10 40 800 50 0 0 0 7 0\ncpu0 1 1 1 1\n", &a));
    ck_assert_uint_eq(a.total, 1000);
    ck_assert_uint_eq(a.busy, 150);
    ck_assert(box_cpu("cpu  130 10 50 850 60 0 0 0 7 0\n", &b));
    ck_assert_uint_eq(box_cpu_usage(&a, &b), 40);
    ck_assert_uint_eq(box_cpu_usage(&a, &a), 0);
    ck_assert_uint_eq(box_cpu_usage(&b, &a), 0);
    ck_assert_uint_eq(box_cpu_usage(&(BoxCpu){}, &a), 15);
    ck_assert(!box_cpu("intr 1 2 3", &a));
    ck_assert(!box_cpu("cpu  1 2 3", &a));
}
END_TEST

#define TAIL(state, priority)                                                                                \
    " " state " 1 2 3 4 5 6 7 8 9 10 150 50 13 14 " priority " 0 1 0 4711 18 25 20\n"

START_TEST(processes) {
    BoxProcess p;
    ck_assert(box_process("17 (a) b (c) d)" TAIL("S", "20"), 100, 4096, &p));
    ck_assert_str_eq(p.command, "a) b (c) d");
    ck_assert_str_eq(p.state, "Sleeping");
    ck_assert_uint_eq(p.cpu_msec, 2000);
    ck_assert_uint_eq(p.size_kib, 100);
    ck_assert_uint_eq(p.start, 4711);
    ck_assert_uint_eq(p.priority, 85);
    ck_assert(box_process("17 (a)" TAIL("R", "-100"), 100, 4096, &p));
    ck_assert_str_eq(p.state, "Running");
    ck_assert_uint_eq(p.priority, 0);
    ck_assert(box_process("17 (a)" TAIL("Z", "39"), 100, 4096, &p));
    ck_assert_uint_eq(p.priority, 99);
    ck_assert_str_eq(p.state, "Zombie");
    ck_assert(box_process("17 ()" TAIL("D", "999999"), 0, 4096, &p));
    ck_assert_uint_eq(p.priority, 99);
    ck_assert(!box_process("17 (a) S 1 2", 100, 4096, &p));
    ck_assert(!box_process("17 a S", 100, 4096, &p));
    ck_assert(!box_process(")(", 100, 4096, &p));
    ck_assert(!box_process("", 100, 4096, &p));
}
END_TEST

START_TEST(esp_counters) {
    ck_assert_str_eq(box_xfrm_names("UnknownSPIErrors")[0], "XfrmInNoStates");
    ck_assert_ptr_null(box_xfrm_names("UnknownSPIErrors")[1]);
    ck_assert_ptr_null(box_xfrm_names("PolicyErrors")[5]);
    ck_assert_ptr_null(box_xfrm_names("BytesSent"));
}
END_TEST

static char said[4096];
static uint32_t last;
static bool full;

static int on_add(void *userdata, const char *table, uint32_t *ret) {
    if (full)
        return -ENOMEM;
    *ret = ++last;
    snprintf(said + strlen(said), sizeof said - strlen(said), "+%s%u;", table, *ret);
    return 0;
}

static int on_remove(void *userdata, const char *row) {
    snprintf(said + strlen(said), sizeof said - strlen(said), "-%s;", row);
    return 0;
}

static int on_report(void *userdata, const char *path, const char *value) {
    snprintf(said + strlen(said), sizeof said - strlen(said), "%s=%s;", path, value);
    return streq(value, "bad") ? 9007 : 0;
}

static void on_gone(void *userdata, const char *key) {
    snprintf(said + strlen(said), sizeof said - strlen(said), "gone %s;", key);
}

static void check_said(const char *expected) {
    ck_assert_str_eq(said, expected);
    *said = 0;
}

START_TEST(rows_come_and_go) {
    static const Rows rows = {on_add, on_remove, on_report, NULL};
    char longer[ROW_KEY_MAX + 1];
    RowSet *set;
    bool new;
    ck_assert_int_eq(row_set_new(&set, &rows, "T.", 3), 0);
    row_set_begin(set);
    ck_assert_uint_eq(row_set_keep(set, "a", &new), 1);
    ck_assert(new);
    ck_assert_uint_eq(row_set_keep(set, "b", NULL), 2);
    ck_assert_uint_eq(row_set_keep(set, "a", &new), 1);
    ck_assert(!new);
    row_set_sweep(set, on_gone, NULL);
    check_said("+T.1;+T.2;");
    row_set_begin(set);
    ck_assert_uint_eq(row_set_keep(set, "b", &new), 2);
    ck_assert(!new);
    ck_assert_uint_eq(row_set_keep(set, "c", &new), 3);
    row_set_sweep(set, on_gone, NULL);
    check_said("+T.3;gone a;-T.1.;");
    ck_assert_ptr_null(row_set_key(set, 1));
    ck_assert_str_eq(row_set_key(set, 3), "c");
    row_set_report(set, 3, "Name", "x");
    row_set_report(set, 3, "Name", "bad");
    check_said("T.3.Name=x;T.3.Name=bad;");
    /* The limit, a key that is too long, no memory. */
    ck_assert_uint_eq(row_set_keep(set, "d", NULL), 4);
    ck_assert_uint_eq(row_set_keep(set, "e", &new), 0);
    ck_assert(!new);
    row_set_begin(set);
    row_set_sweep(set, NULL, NULL);
    memset(longer, 'x', ROW_KEY_MAX);
    longer[ROW_KEY_MAX] = 0;
    ck_assert_uint_eq(row_set_keep(set, longer, NULL), 0);
    full = true;
    ck_assert_uint_eq(row_set_keep(set, "f", NULL), 0);
    row_set_free(set);
}
END_TEST

static void check_has(const char *line) {
    ck_assert_msg(strstr(said, line) != NULL, "%s is not in %s", line, said);
}

START_TEST(the_tunnel) {
    static const Rows rows = {on_add, on_remove, on_report, NULL};
    const Suite suite = {
        .by_type = {
            [IKE_TRANSFORM_ENCR] = transform_find(IKE_TRANSFORM_ENCR, IKE_ENCR_AES_CBC, 256),
            [IKE_TRANSFORM_PRF] = transform_find(IKE_TRANSFORM_PRF, IKE_PRF_HMAC_SHA2_384, 0),
            [IKE_TRANSFORM_INTEG] = transform_find(IKE_TRANSFORM_INTEG, IKE_INTEG_HMAC_SHA2_256_128, 0),
            [IKE_TRANSFORM_DH] = transform_find(IKE_TRANSFORM_DH, IKE_DH_ECP_384, 0),
        }};
    const IpsecFacts facts = {
        .up = true,
        .local = address("192.0.2.10"),
        .remote = address("2001:db8::1"),
        .nat_remote = true,
        .suite = &suite,
        .created = UINT64_C(1767225600) * USEC_PER_SEC,
        .spi_in = 0xffffffff,
        .spi_out = 258,
    };
    ipsec_facts_begin(&rows);
    check_has("Device.IPsec.IKEv2SupportedEncryptionAlgorithms=AES-CBC,AES-GCM-16;");
    *said = 0;
    ipsec_facts_report(&rows, &facts);
    check_said(
        "Device.IPsec.IKEv2SA.1.LocalAddress=192.0.2.10;"
        "Device.IPsec.IKEv2SA.1.RemoteAddress=2001:db8::1;Device.IPsec.IKEv2SA.1.NATDetected=Remote;");
    ipsec_facts_report(&rows, &(IpsecFacts){});
    check_said(
        "Device.IPsec.IKEv2SA.1.LocalAddress=;Device.IPsec.IKEv2SA.1.RemoteAddress=;"
        "Device.IPsec.IKEv2SA.1.NATDetected=;");
    static const struct {
        const char *name, *up, *down;
    } values[] = {
        {"Status", "Up", "Down"},
        {"EncryptionAlgorithm", "AES-CBC", ""},
        {"EncryptionKeyLength", "256", "0"},
        {"PseudoRandomFunction", "HMAC-SHA2-384", ""},
        {"IntegrityAlgorithm", "HMAC-SHA2-256-128", ""},
        {"DiffieHellmanGroupTransform", "ECP-384", ""},
        {"CreationTime", "2026-01-01T00:00:00Z", "0001-01-01T00:00:00Z"},
        {"ChildSA.1.Status", "Up", "Down"},
        {"ChildSA.1.InboundSPI", "4294967295", "0"},
        {"ChildSA.1.OutboundSPI", "258", "0"},
        {"ChildSA.1.CreationTime", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"},
    };
    char text[64];
    for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
        ck_assert_int_eq(ipsec_facts_value(&facts, values[i].name, text, sizeof text), 0);
        ck_assert_str_eq(text, values[i].up);
        ck_assert_int_eq(ipsec_facts_value(&(IpsecFacts){}, values[i].name, text, sizeof text), 0);
        ck_assert_str_eq(text, values[i].down);
    }
    ck_assert_int_eq(ipsec_facts_value(&facts, "Alias", text, sizeof text), -ENOENT);
    static const struct {
        const char *name, *value;
    } counters[] = {{"BytesSent", "3"},       {"BytesReceived", "1"},   {"PacketsSent", "4"},
                    {"PacketsReceived", "2"}, {"IntegrityErrors", "6"}, {"ReplayErrors", "5"}};
    for (size_t i = 0; i < ARRAY_SIZE(counters); i++) {
        ck_assert_int_eq(
            ipsec_facts_counter(&(ChildTraffic){1, 2, 3, 4, 5, 6}, counters[i].name, text, sizeof text), 0);
        ck_assert_str_eq(text, counters[i].value);
    }
    ck_assert_int_eq(ipsec_facts_counter(&(ChildTraffic){}, "PolicyErrors", text, sizeof text), -ENOENT);
    /* Every algorithm we speak has a name. */
    for (uint8_t type = 0; type < IKE_TRANSFORM_TYPES_; type++)
        for (uint16_t id = 1; id < 64; id++) {
            const Transform *t = transform_find(type, id, type == IKE_TRANSFORM_ENCR && id != 28 ? 256 : 0);
            if (t && (type == IKE_TRANSFORM_ENCR || type == IKE_TRANSFORM_PRF ||
                      type == IKE_TRANSFORM_INTEG || type == IKE_TRANSFORM_DH))
                ck_assert_msg(ipsec_algorithm(t) != NULL, "%s", t->keyword);
        }
}
END_TEST

SUITE("box", fields, processors, processes, esp_counters, rows_come_and_go, the_tunnel)
