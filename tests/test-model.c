/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <check.h>
#include <stdio.h>

#include "base/macro.h"
#include "cwmp/fault.h"
#include "cwmp/model.h"
#include "cwmp/value.h"
#include "suite.h"

#define LTE  "Device.Services.FAPService.1.FAPControl.LTE."
#define LIST LTE "Gateway.S1SigLinkServerList"
#define PORT LTE "Gateway.S1SigLinkPort"
#define MS   "Device.ManagementServer."

/* A commit that remembers, or refuses. */
typedef struct Disk {
    int error;
    size_t commits, n;
    char text[1024]; /* "path:old>new;" of the last one */
} Disk;

static int disk_commit(void *userdata, const ModelChange *changes, size_t n) {
    Disk *disk = userdata;
    char *end = disk->text;
    disk->commits++;
    disk->n = n;
    for (size_t i = 0; i < n; i++)
        end += sprintf(end, "%s:%s>%s;", changes[i].name, strempty(changes[i].old_value),
                       changes[i].new_value ? changes[i].new_value : "gone");
    return disk->error;
}

static Model *new_model(Disk *disk) {
    Model *model;
    ck_assert_int_eq(model_new(&model, &(ModelConfig){.commit = disk ? disk_commit : NULL, .userdata = disk}),
                     0);
    return model;
}
DEFINE_CLEANUP(Model, model_free)

/* Sets name, value pairs up to a NULL. */
static int set(Model *model, const char *key, const char *const *pairs, ModelOutcome *outcome,
               ModelFault **faults, size_t *n_faults) {
    ModelSet sets[16];
    size_t n = 0;
    for (; pairs[2 * n]; n++)
        sets[n] = (ModelSet){pairs[2 * n], pairs[2 * n + 1], ""};
    return model_set(model, sets, n, key, outcome, faults, n_faults);
}

/* Initial values are canonical, but for URLs that nobody has set. */
START_TEST(all_initial_values_fit_their_type) {
    size_t n;
    const ModelParameter *p = model_parameters(&n);
    ck_assert_uint_gt(n, 700);
    for (size_t i = 0; i < n; i++) {
        char why[VALUE_WHY_MAX];
        _cleanup_free_ char *canonical = NULL;
        if (*p[i].initial || p[i].size.min == 0) {
            ck_assert_msg(value_canonical(&p[i], p[i].initial, &canonical, why) == 0, "%s: %s", p[i].path,
                          why);
            ck_assert_msg(streq(canonical, p[i].initial), "%s", p[i].path);
        }
        ck_assert_uint_le(strlen(p[i].path), 256);
        ck_assert(!(p[i].flags & MODEL_HIDDEN) || p[i].flags & MODEL_WRITE);
        ck_assert(!(p[i].flags & MODEL_REPORTED) || !(p[i].flags & MODEL_WRITE));
        ck_assert(!(p[i].flags & MODEL_ASSIGNED) || p[i].flags & MODEL_WRITE);
    }
}
END_TEST

/* Expectation 27, TR-106 3.2: lexical forms and what they become; NULL: refused. */
START_TEST(expectation_27_values_of_each_type) {
    static const struct {
        ModelType type;
        int64_t min, max; /* of the number, or of the size */
        const char *values, *text, *canonical;
    } cases[] = {
        {MODEL_STRING, 0, 4, NULL, " a  ", " a  "},
        {MODEL_STRING, 0, 4, NULL, "abcde", NULL},
        {MODEL_STRING, 0, 2, NULL, "\xc3\xa4\xc3\xa4", "\xc3\xa4\xc3\xa4"}, /* characters, not bytes */
        {MODEL_STRING, 1, 4, NULL, "", NULL},
        {MODEL_BOOLEAN, 0, 0, NULL, "1", "true"},
        {MODEL_BOOLEAN, 0, 0, NULL, "\n true ", "true"},
        {MODEL_BOOLEAN, 0, 0, NULL, "False", "false"},
        {MODEL_BOOLEAN, 0, 0, NULL, "0", "false"},
        {MODEL_BOOLEAN, 0, 0, NULL, "yes", NULL},
        {MODEL_BOOLEAN, 0, 0, NULL, "", NULL},
        {MODEL_BOOLEAN, 0, 0, NULL, "tru", NULL},
        {MODEL_UNSIGNED_INT, 0, UINT32_MAX, NULL, "+0007", "7"},
        {MODEL_UNSIGNED_INT, 0, UINT32_MAX, NULL, "4294967295", "4294967295"},
        {MODEL_UNSIGNED_INT, 0, UINT32_MAX, NULL, "4294967296", NULL},
        {MODEL_UNSIGNED_INT, 0, UINT32_MAX, NULL, "99999999999999999999999999", NULL},
        {MODEL_UNSIGNED_INT, 0, UINT32_MAX, NULL, "-1", NULL},
        {MODEL_UNSIGNED_INT, 0, UINT32_MAX, NULL, "-0", "0"},
        {MODEL_UNSIGNED_INT, 0, UINT32_MAX, NULL, "0x10", NULL},
        {MODEL_UNSIGNED_INT, 0, UINT32_MAX, NULL, "", NULL},
        {MODEL_UNSIGNED_INT, 0, UINT32_MAX, NULL, "+", NULL},
        {MODEL_UNSIGNED_INT, 1, 65535, NULL, "0", NULL},
        {MODEL_INT, -1, 10, NULL, " -01 ", "-1"},
        {MODEL_INT, -1, 10, NULL, "-2", NULL},
        {MODEL_INT, -1, 10, NULL, "1.0", NULL},
        {MODEL_DATE_TIME, 0, 0, NULL, "2026-11-23T07:08:09Z", "2026-11-23T07:08:09Z"},
        {MODEL_DATE_TIME, 0, 0, NULL, " 2026-11-23T07:08:09.123456+01:00 ",
         "2026-11-23T07:08:09.123456+01:00"},
        {MODEL_DATE_TIME, 0, 0, NULL, "2026-11-23T07:08:09", "2026-11-23T07:08:09"},
        {MODEL_DATE_TIME, 0, 0, NULL, "2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z"},
        {MODEL_DATE_TIME, 0, 0, NULL, "2026-02-29T00:00:00Z", NULL},
        {MODEL_DATE_TIME, 0, 0, NULL, "2026-11-23", NULL},
        {MODEL_DATE_TIME, 0, 0, NULL, "2026-11-23T07:08:09.Z", NULL},
        {MODEL_DATE_TIME, 0, 0, NULL, "2026-11-23T24:08:09Z", NULL},
        {MODEL_DATE_TIME, 0, 0, NULL, "2026-11-23T07:08:09+1", NULL},
        {MODEL_DATE_TIME, 0, 0, NULL, "2026-11-23T07:08:09ZZ", NULL},
        {MODEL_ENUMERATION, 0, 0, "One|All", "All", "All"},
        {MODEL_ENUMERATION, 0, 0, "One|All", "all", NULL},
        {MODEL_ENUMERATION, 0, 0, "One|All", "", NULL},
        {MODEL_ENUMERATION, 0, 0, "One|All", "One|All", NULL},
        {MODEL_LIST, 0, 65535, "A|B", " A , B", "A,B"},
        {MODEL_LIST, 0, 65535, "A|B", "", ""},
        {MODEL_LIST, 0, 65535, "A|B", "A,C", NULL},
        {MODEL_LIST, 0, 3, NULL, "a, b", "a,b"},
        {MODEL_LIST, 0, 3, NULL, "a,bc", NULL},
        {MODEL_ADDRESS, 0, 0, NULL, " 192.0.2.1 ", "192.0.2.1"},
        {MODEL_ADDRESS, 0, 0, NULL, "2001:db8::1", "2001:db8::1"},
        {MODEL_ADDRESS, 0, 0, NULL, "", ""},
        {MODEL_ADDRESS, 0, 0, NULL, "192.0.2.300", NULL},
        {MODEL_ADDRESS, 0, 0, NULL, "segw.example", NULL},
        {MODEL_HOST, 0, 64, NULL, " segw.operator.example\n", "segw.operator.example"},
        {MODEL_HOST, 0, 64, NULL, "2001:db8::1", "2001:db8::1"},
        {MODEL_HOST, 0, 64, NULL, "", ""},
        {MODEL_HOST, 0, 64, NULL, "segw1-a.example", "segw1-a.example"},
        {MODEL_HOST, 0, 64, NULL, "segw_1.example", NULL}, /* url.h says why */
        {MODEL_HOST, 0, 64, NULL, "segw.example.", NULL},
        {MODEL_HOST, 0, 64, NULL, "0.0.0.0", NULL},
        {MODEL_HOST, 0, 64, NULL, "192.0.2.300", NULL}, /* meant to be an address */
        {MODEL_HOST, 0, 64, NULL, "192.0.2", NULL},
        {MODEL_HOST, 0, 64, NULL, "a..b", NULL},
        {MODEL_HOST, 0, 64, NULL, ".a", NULL},
        {MODEL_HOST, 0, 64, NULL, "-a.example", NULL},
        {MODEL_HOST, 0, 64, NULL, "a-.example", NULL},
        {MODEL_HOST, 0, 64, NULL, "a b", NULL},
        {MODEL_HOST, 0, 64, NULL, "[2001:db8::1]", NULL},
        {MODEL_HOST, 0, 64, NULL, "host:36412", NULL},
        {MODEL_HOST, 0, 9, NULL, "ab.example", NULL},
        {MODEL_HOSTS, 0, 256, NULL, " mme1.example ,\n198.51.100.7,2001:db8::7",
         "mme1.example,198.51.100.7,2001:db8::7"},
        {MODEL_HOSTS, 0, 256, NULL, "", ""},
        {MODEL_HOSTS, 0, 256, NULL, "  ", ""},
        {MODEL_HOSTS, 0, 256, NULL, "a,,b", NULL},
        {MODEL_HOSTS, 0, 256, NULL, "a,", NULL},
        {MODEL_HOSTS, 0, 256, NULL, "a, ", NULL},
        {MODEL_HOSTS, 0, 256, NULL, ",", NULL},
        {MODEL_HOSTS, 0, 256, NULL, "a;b", NULL},
        {MODEL_HOSTS, 0, 256, NULL, "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p", "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p"},
        {MODEL_HOSTS, 0, 256, NULL, "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q", NULL}, /* MME_MAX */
        {MODEL_HOSTS, 0, 5, NULL, "aaa,bb", NULL},
        {MODEL_URL, 1, 99, NULL, " http://hems.example:7547/a?b ", "http://hems.example:7547/a?b"},
        {MODEL_URL, 1, 99, NULL, "HTTPS://[2001:db8::1]:443/", "HTTPS://[2001:db8::1]:443/"},
        {MODEL_URL, 1, 99, NULL, "http://192.0.2.1", "http://192.0.2.1"},
        {MODEL_URL, 1, 99, NULL, "http://hems.example?x=1", "http://hems.example?x=1"},
        {MODEL_URL, 1, 99, NULL, "", NULL},
        {MODEL_URL, 0, 99, NULL, "", ""},
        {MODEL_URL, 1, 99, NULL, "ftp://hems.example/", NULL},
        {MODEL_URL, 1, 99, NULL, "http:///", NULL},
        {MODEL_URL, 1, 99, NULL, "http://", NULL},
        {MODEL_URL, 1, 99, NULL, "http://user:secret@hems.example/", NULL},
        {MODEL_URL, 1, 99, NULL, "http://hems.example:0/", NULL},
        {MODEL_URL, 1, 99, NULL, "http://hems.example:65536/", NULL},
        {MODEL_URL, 1, 99, NULL, "http://hems.example:/", NULL},
        {MODEL_URL, 1, 99, NULL, "http://[192.0.2.1]/", NULL},
        {MODEL_URL, 1, 99, NULL, "http://[2001:db8::1/", NULL},
        {MODEL_URL, 1, 99, NULL, "http://hems.example/a b", NULL},
        {MODEL_URL, 1, 99, NULL, "http://hems.example/a#b", NULL},
        {MODEL_UNSIGNED_LONG, 0, INT64_MAX, NULL, "18446744073709551615", "18446744073709551615"},
        {MODEL_UNSIGNED_LONG, 0, INT64_MAX, NULL, "18446744073709551616", NULL},
        {MODEL_UNSIGNED_LONG, 0, INT64_MAX, NULL, "-1", NULL},
        {MODEL_INT, INT32_MIN, INT32_MAX, NULL, "-2147483648", "-2147483648"},
        {MODEL_INT, INT32_MIN, INT32_MAX, NULL, "-18446744073709551615", NULL},
        {MODEL_HEX_BINARY, 0, 2, NULL, " 00fF ", "00FF"},
        {MODEL_HEX_BINARY, 0, 2, NULL, "00f", NULL},
        {MODEL_HEX_BINARY, 0, 2, NULL, "00ff00", NULL},
        {MODEL_HEX_BINARY, 0, 2, NULL, "0g", NULL},
        {MODEL_IPV4, 0, 0, NULL, "192.0.2.1", "192.0.2.1"},
        {MODEL_IPV4, 0, 0, NULL, "2001:db8::1", NULL},
        {MODEL_IPV6, 0, 0, NULL, "2001:db8::1", "2001:db8::1"},
        {MODEL_IPV6, 0, 0, NULL, "192.0.2.1", NULL},
        {MODEL_URL, 1, 20, NULL, "http://hems.example:7547/", NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const ModelRange range = {cases[i].min, cases[i].max};
        const ModelParameter p = {.path = "X",
                                  .type = cases[i].type,
                                  .item = cases[i].type != MODEL_LIST ? cases[i].type
                                          : cases[i].values           ? MODEL_ENUMERATION
                                                                      : MODEL_STRING,
                                  .size = range,
                                  .ranges = &range,
                                  .n_ranges = 1,
                                  .values = cases[i].values};
        char why[VALUE_WHY_MAX] = "";
        _cleanup_free_ char *canonical = NULL;
        int r = value_canonical(&p, cases[i].text, &canonical, why);
        ck_assert_msg(r == (cases[i].canonical ? 0 : FAULT_INVALID_VALUE), "%zu: \"%s\" gave %d %s", i,
                      cases[i].text, r, why);
        ck_assert_pstr_eq(canonical, cases[i].canonical);
        ck_assert((r > 0) == (why[0] != 0));
    }
}
END_TEST

START_TEST(times_are_counted) {
    static const struct {
        const char *text;
        int64_t seconds;
    } cases[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2026-11-23T07:08:09Z", 1795417689},
        {"2026-11-23T08:08:09+01:00", 1795417689},
        {"2026-11-23T04:38:09-02:30", 1795417689},
        {"2000-03-01T00:00:00", 951868800},
        {"2000-02-29T23:59:59Z", 951868799},
        {"0001-01-01T00:00:00Z", -62135596800},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        int64_t seconds;
        ck_assert_int_eq(value_parse_time(cases[i].text, &seconds), 0);
        ck_assert_int_eq(seconds, cases[i].seconds);
    }
    char buf[VALUE_TIME_MAX];
    ck_assert_str_eq(value_format_time(1795417689, buf), "2026-11-23T07:08:09Z");
    ck_assert_str_eq(value_format_time(951868799, buf), "2000-02-29T23:59:59Z");
    ck_assert_str_eq(value_format_time(1735689599, buf), "2024-12-31T23:59:59Z");
}
END_TEST

/* Names seen by a walk, in order, joined by spaces; a '!' behind those the HeMS may set. */
static int collect(void *userdata, const char *name, const ModelParameter *parameter, const char *value) {
    char *text = userdata;
    sprintf(text + strlen(text), "%s%s%s", *text ? " " : "", name,
            parameter && parameter->flags & MODEL_WRITE ? "!" : "");
    ck_assert((parameter == NULL) == (value == NULL));
    return 0;
}

/* NextLevel as 0, 1, true, false is the codec's. */
START_TEST(expectation_23_get_parameter_names_walks) {
    _cleanup_(model_freep) Model *model = new_model(NULL);
    static const struct {
        const char *path;
        bool next_level;
        int r;
        const char *names;
    } cases[] = {
        {"", true, 0, "Device."},
        {"Device.", true, 0,
         "Device.RootDataModelVersion Device.DeviceInfo. Device.ManagementServer. Device.Time. Device.IP. "
         "Device.IPsec. Device.DNS. Device.FaultMgmt. Device.Security. Device.FAP. Device.Services."},
        {"Device.Services.", true, 0,
         "Device.Services.FAPServiceNumberOfEntries Device.Services.FAPService."},
        {"Device.Services.FAPService.", true, 0, "Device.Services.FAPService.1."},
        {MS "DownloadAvailability.", false, 0,
         MS "DownloadAvailability. " MS "DownloadAvailability.Query. " MS
            "DownloadAvailability.Query.Enable! " MS "DownloadAvailability.Query.Status " MS
            "DownloadAvailability.Query.URL!"},
        {"Device.DeviceInfo.VendorLogFile.", false, 0, "Device.DeviceInfo.VendorLogFile."},
        {"Device.DeviceInfo.VendorLogFile.", true, 0, ""},
        {"Device.DeviceInfo.VendorLogFile.1.", true, FAULT_INVALID_NAME, ""},
        {PORT, false, 0, PORT "!"},
        {PORT, true, FAULT_INVALID_ARGUMENTS, ""},
        {"Device.DeviceInfo", false, FAULT_INVALID_NAME, ""}, /* an object without its dot: expectation 23 */
        {"Device.Nothing.", false, FAULT_INVALID_NAME, ""},
        {"Device.Dev", false, FAULT_INVALID_NAME, ""},
        {".", true, FAULT_INVALID_NAME, ""},
        {"Device.Services.FAPService.2.", true, FAULT_INVALID_NAME, ""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char names[8192] = "";
        ck_assert_int_eq(model_list(model, cases[i].path, cases[i].next_level, collect, names), cases[i].r);
        ck_assert_str_eq(names, cases[i].names);
    }
    static char whole[262144], device[262144];
    ck_assert_int_eq(model_list(model, "", false, collect, whole), 0);
    ck_assert_int_eq(model_list(model, "Device.", false, collect, device), 0);
    ck_assert_str_eq(whole, device);
}
END_TEST

static int count_reads(void *userdata, const char *name, const ModelParameter *parameter, const char *value) {
    ++*(size_t *)userdata;
    return 0;
}

static int read_again(void *userdata, const char *name, const ModelParameter *parameter, const char *value) {
    size_t n = 0;
    ck_assert_int_eq(model_read(userdata, name, count_reads, &n), 0);
    if (parameter)
        ck_assert_uint_eq(n, 1);
    return 0;
}

START_TEST(expectation_26_whatever_is_listed_can_be_read) {
    _cleanup_(model_freep) Model *model = new_model(NULL);
    size_t n = 0;
    ck_assert_int_eq(model_list(model, "", false, read_again, model), 0);
    ck_assert_int_eq(model_read(model, "", count_reads, &n), 0);
    ck_assert_uint_gt(n, 600);
    ck_assert_int_eq(model_read(model, "Device.DeviceInfo", count_reads, &n), FAULT_INVALID_NAME);
    ck_assert_int_eq(model_read(model, "Device.Nothing.", count_reads, &n), FAULT_INVALID_NAME);
}
END_TEST

START_TEST(every_inform_has_the_forced_parameters) {
    _cleanup_(model_freep) Model *model = new_model(NULL);
    char names[4096] = "";
    ck_assert_int_eq(model_read_forced(model, collect, names), 0);
    ck_assert_str_eq(names,
                     "Device.RootDataModelVersion Device.DeviceInfo.SerialNumber "
                     "Device.DeviceInfo.HardwareVersion Device.DeviceInfo.SoftwareVersion "
                     "Device.DeviceInfo.ProvisioningCode! Device.ManagementServer.ParameterKey "
                     "Device.ManagementServer.ConnectionRequestURL " LTE "OpState " LTE "RFTxStatus");
}
END_TEST

static int read_value(void *userdata, const char *name, const ModelParameter *parameter, const char *value) {
    *(const char **)userdata = value;
    return 0;
}

START_TEST(expectation_33_secrets_read_as_nothing) {
    Disk disk = {0};
    _cleanup_(model_freep) Model *model = new_model(&disk);
    const char *value;
    ModelOutcome outcome;
    ModelFault *faults;
    size_t n;
    ck_assert_int_eq(
        set(model, "", (const char *const[]){MS "Password", "s3cret", NULL}, &outcome, &faults, &n), 0);
    ck_assert_int_eq(model_read(model, MS "Password", read_value, &value), 0);
    ck_assert_str_eq(value, "");
    ck_assert_str_eq(model_get(model, MS "Password"), "s3cret");
    ck_assert_uint_eq(outcome.topics_changed, 0);
    ck_assert_str_eq(disk.text, MS "Password:>s3cret;");
}
END_TEST

START_TEST(a_set_is_committed_once_with_the_difference) {
    Disk disk = {0};
    _cleanup_(model_freep) Model *model = new_model(&disk);
    static const char *const wishes[] = {LIST, "mme.example", PORT, "36412", LTE "AdminState", "1", NULL};
    ModelOutcome outcome;
    ModelFault *faults;
    size_t n;

    ck_assert_int_eq(set(model, "k1", wishes, &outcome, &faults, &n), 0);
    ck_assert_uint_eq(disk.commits, 1);
    ck_assert_str_eq(disk.text, LIST ":>mme.example;" LTE "AdminState:false>true;" MS "ParameterKey:>k1;");
    ck_assert_uint_eq(outcome.topics_set, MODEL_TOPIC_MME | MODEL_TOPIC_S1);
    ck_assert_uint_eq(outcome.topics_changed, MODEL_TOPIC_MME | MODEL_TOPIC_S1);
    ck_assert_str_eq(model_get(model, LIST), "mme.example");
    ck_assert_str_eq(model_get(model, MS "ParameterKey"), "k1");
    ck_assert(model_get_boolean(model, LTE "AdminState"));
    ck_assert_ptr_null(faults);

    /* The same again: success, nothing to commit, no change (expectation 30). */
    ck_assert_int_eq(set(model, "k1", wishes, &outcome, &faults, &n), 0);
    ck_assert_uint_eq(disk.commits, 1);
    ck_assert_uint_eq(outcome.topics_set, MODEL_TOPIC_MME | MODEL_TOPIC_S1);
    ck_assert_uint_eq(outcome.topics_changed, 0);

    /* No wishes at all: the key alone. */
    ck_assert_int_eq(set(model, "k2", (const char *const[]){NULL}, &outcome, &faults, &n), 0);
    ck_assert_str_eq(disk.text, MS "ParameterKey:k1>k2;");
}
END_TEST

START_TEST(expectation_28_one_bad_wish_among_many_changes_nothing) {
    Disk disk = {0};
    _cleanup_(model_freep) Model *model = new_model(&disk);
    static const char *const wishes[] = {
        LIST, "mme.example", PORT,         "70000", LTE "OpState",   "true",           "Device.Absent",
        "1",  MS "URL",      "gopher://x", LIST,    "again.example", LTE "AdminState", "maybe",
        NULL};
    static const struct {
        const char *name;
        int code;
        const char *text;
    } expected[] = {
        {PORT, FAULT_INVALID_VALUE, "out of range (0..65535)"},
        {LTE "OpState", FAULT_NOT_WRITABLE, "Attempt to set a non-writable parameter"},
        {"Device.Absent", FAULT_INVALID_NAME, "Invalid parameter name"},
        {MS "URL", FAULT_INVALID_VALUE, "a URL that is neither http: nor https:"},
        {LIST, FAULT_INVALID_ARGUMENTS, "named twice"},
        {LTE "AdminState", FAULT_INVALID_VALUE, "not a boolean"},
    };
    ModelOutcome outcome;
    _cleanup_free_ ModelFault *faults = NULL;
    size_t n;

    ck_assert_int_eq(set(model, "k1", wishes, &outcome, &faults, &n), FAULT_INVALID_ARGUMENTS);
    ck_assert_uint_eq(n, ARRAY_SIZE(expected));
    for (size_t i = 0; i < n; i++) {
        ck_assert_str_eq(faults[i].name, expected[i].name);
        ck_assert_int_eq(faults[i].code, expected[i].code);
        ck_assert_str_eq(faults[i].text, expected[i].text);
    }
    ck_assert_uint_eq(disk.commits, 0);
    ck_assert_str_eq(model_get(model, LIST), "");
    ck_assert_str_eq(model_get(model, MS "ParameterKey"), "");
}
END_TEST

START_TEST(a_commit_that_fails_changes_nothing) {
    Disk disk = {.error = -ENOSPC};
    _cleanup_(model_freep) Model *model = new_model(&disk);
    ModelOutcome outcome;
    ModelFault *faults;
    size_t n;
    ck_assert_int_eq(set(model, "k", (const char *const[]){LIST, "mme.example", NULL}, &outcome, &faults, &n),
                     FAULT_INTERNAL_ERROR);
    ck_assert_uint_eq(disk.commits, 1);
    ck_assert_ptr_null(faults);
    ck_assert_str_eq(model_get(model, LIST), "");
    ck_assert_str_eq(model_get(model, MS "ParameterKey"), "");
}
END_TEST

static const char *no_other_port(void *userdata, const ModelChange *change) {
    return streq(change->name, PORT) ? "not this port" : NULL;
}

START_TEST(what_the_box_cannot_act_on_is_denied_by_name) {
    _cleanup_(model_freep) Model *model = NULL;
    ModelOutcome outcome;
    _cleanup_free_ ModelFault *faults = NULL;
    _cleanup_free_ ModelFault *again = NULL;
    size_t n;
    ck_assert_int_eq(model_new(&model, &(ModelConfig){.veto = no_other_port}), 0);
    ck_assert_int_eq(
        set(model, "k", (const char *const[]){LIST, "mme.example", PORT, "1", NULL}, &outcome, &faults, &n),
        FAULT_INVALID_ARGUMENTS);
    ck_assert_uint_eq(n, 1);
    ck_assert_str_eq(faults[0].name, PORT);
    ck_assert_int_eq(faults[0].code, FAULT_REQUEST_DENIED);
    ck_assert_str_eq(faults[0].text, "not this port");
    ck_assert_str_eq(model_get(model, LIST), "");
    /* The value it has already is asked about as well: naming it may mean something. */
    ck_assert_int_eq(set(model, "k", (const char *const[]){PORT, "36412", NULL}, &outcome, &again, &n),
                     FAULT_INVALID_ARGUMENTS);
}
END_TEST

/* Setting what is assigned counts, and is on the disk, also when it is what it was. */
START_TEST(what_is_assigned_is_committed_in_any_case) {
    Disk disk = {0};
    _cleanup_(model_freep) Model *model = new_model(&disk);
    ModelOutcome outcome;
    ModelFault *faults;
    size_t n;
    ck_assert_int_eq(model_put(model, LTE "Gateway.SecGWServer1", "segw.example"), 0);
    ck_assert_int_eq(set(model, "",
                         (const char *const[]){LTE "Gateway.SecGWServer1", "segw.example", PORT, "36412",
                                               LTE "Gateway.SecGWServer2", "", NULL},
                         &outcome, &faults, &n),
                     0);
    ck_assert_str_eq(disk.text,
                     LTE "Gateway.SecGWServer1:segw.example>segw.example;" LTE "Gateway.SecGWServer2:>;");
    ck_assert_uint_eq(outcome.topics_set, MODEL_TOPIC_MME);
    ck_assert_uint_eq(outcome.topics_changed, 0);
    ck_assert_int_eq(
        set(model, "", (const char *const[]){MS "URL", "http://hems.example/", NULL}, &outcome, &faults, &n),
        0);
    ck_assert_str_eq(disk.text, MS "URL:>http://hems.example/;");
    ck_assert_uint_eq(outcome.topics_changed, 0);
}
END_TEST

/* What others measure: a value of the type at any time, and whether it means anything. */
START_TEST(reported_values_are_known_or_not) {
    static const struct {
        const char *path, *value, *reads;
        int r;
    } cases[] = {
        {"Device.FAP.GPS.LockedLatitude", "52520008", "52520008", 0},
        {"Device.FAP.GPS.LockedLatitude", "90000001", "0", FAULT_INVALID_VALUE},
        {"Device.FAP.GPS.LockedLatitude", "north", "0", FAULT_INVALID_VALUE},
        {"Device.FAP.GPS.LastSuccessfulScanTime", "2026-11-23T07:08:09Z", "2026-11-23T07:08:09Z", 0},
        {"Device.FAP.GPS.ScanStatus", "Success", "Success", 0},
        {"Device.FAP.GPS.ScanStatus", "success", "Indeterminate", FAULT_INVALID_VALUE},
        {"Device.IPsec.IKEv2SA.1.RemoteAddress", "2001:db8::7", "2001:db8::7", 0},
        {"Device.IPsec.IKEv2SA.1.RemoteAddress", "segw.example", "", FAULT_INVALID_VALUE},
        {"Device.IPsec.IKEv2SA.1.NATDetected", "Both", "Unsupported", FAULT_INVALID_VALUE},
        {"Device.Services.FAPService.1.REM.LTE.Cell.4.RF.RSRP", "-43", "-140", FAULT_INVALID_VALUE},
        {"Device.Services.FAPService.1.REM.LTE.Cell.4.RF.RSRP", "-44", "-44", 0},
        {"Device.Services.FAPService.1.REM.LTE.Cell.4.BCCH.PLMNList.1.PLMNID", "0010100", "",
         FAULT_INVALID_VALUE},
        {LIST, "mme.example", "", FAULT_NOT_WRITABLE},
        {"Device.DeviceInfo.SerialNumber", "1", "", FAULT_NOT_WRITABLE},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_(model_freep) Model *model = new_model(NULL);
        const ModelParameter *p = model_parameter(model, cases[i].path);
        bool reportable = p->flags & MODEL_REPORTED;
        ck_assert(model_is_known(model, cases[i].path) == !reportable);
        ck_assert_int_eq(model_report(model, cases[i].path, cases[i].value), cases[i].r);
        ck_assert_str_eq(model_get(model, cases[i].path), cases[i].reads);
        ck_assert(model_is_known(model, cases[i].path) == (!reportable || cases[i].r == 0));
        if (!reportable)
            continue;
        /* Forgotten again. */
        ck_assert_int_eq(model_report(model, cases[i].path, ""), 0);
        ck_assert_str_eq(model_get(model, cases[i].path), p->initial);
        ck_assert(!model_is_known(model, cases[i].path));
    }
    _cleanup_(model_freep) Model *model = new_model(NULL);
    ck_assert_int_eq(model_report(model, "Device.Gone", "1"), FAULT_INVALID_NAME);
    ck_assert_int_eq(model_report(model, "Device.FAP.GPS.", "1"), FAULT_INVALID_NAME);
    ck_assert_ptr_null(model_parameter(model, "Device.Gone"));
    /* A bad report leaves the one before. */
    ck_assert_int_eq(model_report(model, "Device.FAP.GPS.NumberOfSatellites", "7"), 0);
    ck_assert_int_eq(model_report(model, "Device.FAP.GPS.NumberOfSatellites", "-7"), FAULT_INVALID_VALUE);
    ck_assert_str_eq(model_get(model, "Device.FAP.GPS.NumberOfSatellites"), "7");
    ck_assert(model_is_known(model, "Device.FAP.GPS.NumberOfSatellites"));
}
END_TEST

START_TEST(the_inform_table_is_as_long_as_it_says) {
    _cleanup_(model_freep) Model *model = new_model(NULL);
    char names[8192] = "";
    ck_assert_int_eq(model_list(model, MS "InformParameter.", true, collect, names), 0);
    ck_assert_str_eq(names, MS "InformParameter.1. " MS "InformParameter.2. " MS "InformParameter.3. " MS
                               "InformParameter.4. " MS "InformParameter.5. " MS "InformParameter.6. " MS
                               "InformParameter.7. " MS "InformParameter.8.");
    ck_assert_str_eq(model_get(model, MS "InformParameterNumberOfEntries"), "8");
}
END_TEST

START_TEST(a_parameter_key_too_long_is_refused) {
    Disk disk = {0};
    _cleanup_(model_freep) Model *model = new_model(&disk);
    ModelOutcome outcome;
    ModelFault *faults;
    size_t n;
    ck_assert_int_eq(set(model, "123456789012345678901234567890123", (const char *const[]){PORT, "1", NULL},
                         &outcome, &faults, &n),
                     FAULT_INVALID_ARGUMENTS);
    ck_assert_str_eq(model_get(model, PORT), "36412");
    ck_assert_uint_eq(disk.commits, 0);
}
END_TEST

START_TEST(the_value_decides_not_the_wire_type) {
    _cleanup_(model_freep) Model *model = new_model(NULL);
    static const struct {
        const char *name, *type, *value;
        int code;
    } cases[] = {
        {PORT, "int", "1", 0},
        {PORT, "string", "2", 0},
        {LTE "Gateway.S1ConnectionMode", "boolean", "All", 0},
        {LTE "AdminState", "string", "0", 0},
        {PORT, "string", "many", FAULT_INVALID_TYPE},
        {PORT, "unsignedInt", "many", FAULT_INVALID_VALUE},
        {PORT, "", "many", FAULT_INVALID_VALUE},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        ModelOutcome outcome;
        _cleanup_free_ ModelFault *faults = NULL;
        size_t n;
        int r = model_set(model, &(ModelSet){cases[i].name, cases[i].value, cases[i].type}, 1, "", &outcome,
                          &faults, &n);
        ck_assert_int_eq(r, cases[i].code ? FAULT_INVALID_ARGUMENTS : 0);
        if (r)
            ck_assert_int_eq(faults[0].code, cases[i].code);
    }
}
END_TEST

START_TEST(this_side_may_put_read_only_values) {
    Disk disk = {0};
    _cleanup_(model_freep) Model *model = new_model(&disk);
    ck_assert_int_eq(model_put(model, LTE "OpState", "1"), 0);
    ck_assert_str_eq(model_get(model, LTE "OpState"), "true");
    ck_assert_int_eq(model_put(model, PORT, "65536"), FAULT_INVALID_VALUE);
    ck_assert_int_eq(model_put(model, "Device.Gone", "1"), FAULT_INVALID_NAME);
    ck_assert_uint_eq(model_get_unsigned(model, PORT), 36412);
    ck_assert_uint_eq(disk.commits, 0);

    ck_assert_int_eq(model_get_time(model, MS "PeriodicInformTime"), INT64_MIN);
    ck_assert_int_eq(model_put(model, MS "PeriodicInformTime", "1970-01-01T01:00:00+00:30"), 0);
    ck_assert_int_eq(model_get_time(model, MS "PeriodicInformTime"), 1800);
}
END_TEST

START_TEST(the_mme_list_is_ready_for_an_s1_stack) {
    _cleanup_(model_freep) Model *model = new_model(NULL);
    S1Config mme;

    model_s1(model, &mme);
    ck_assert_uint_eq(mme.mme.n, 0);
    ck_assert_str_eq(mme.connection_mode, "One");
    ck_assert(!mme.admin_state);

    ck_assert_int_eq(model_put(model, LIST, "mme1.example, 198.51.100.7,2001:db8::7"), 0);
    ck_assert_int_eq(model_put(model, LTE "Gateway.S1ConnectionMode", "All"), 0);
    ck_assert_int_eq(model_put(model, LTE "AdminState", "true"), 0);
    model_s1(model, &mme);
    ck_assert_uint_eq(mme.mme.n, 3);
    ck_assert_str_eq(mme.mme.items[0].entry, "mme1.example");
    ck_assert_uint_eq(mme.mme.items[0].addresses.n, 0);
    ck_assert_str_eq(mme.mme.items[1].entry, "198.51.100.7");
    ck_assert_uint_eq(mme.mme.items[1].addresses.n, 1);
    ck_assert_str_eq(ADDRESS_STR(&mme.mme.items[2].addresses.items[0]), "2001:db8::7");
    ck_assert_uint_eq(mme.mme.items[2].port, 36412);
    ck_assert_str_eq(mme.connection_mode, "All");
    ck_assert(mme.admin_state);

    ck_assert_int_eq(model_put(model, PORT, "36413"), 0);
    model_s1(model, &mme);
    ck_assert_uint_eq(mme.mme.items[0].port, 36413);
    ck_assert_int_eq(model_put(model, PORT, "0"), 0); /* no SCTP port: as if unset */
    model_s1(model, &mme);
    ck_assert_uint_eq(mme.mme.items[0].port, 36412);
}
END_TEST

SUITE("model", all_initial_values_fit_their_type, expectation_27_values_of_each_type, times_are_counted,
      expectation_23_get_parameter_names_walks, expectation_26_whatever_is_listed_can_be_read,
      every_inform_has_the_forced_parameters, expectation_33_secrets_read_as_nothing,
      a_set_is_committed_once_with_the_difference, expectation_28_one_bad_wish_among_many_changes_nothing,
      a_commit_that_fails_changes_nothing, what_the_box_cannot_act_on_is_denied_by_name,
      what_is_assigned_is_committed_in_any_case, reported_values_are_known_or_not,
      the_inform_table_is_as_long_as_it_says, a_parameter_key_too_long_is_refused,
      the_value_decides_not_the_wire_type, this_side_may_put_read_only_values,
      the_mme_list_is_ready_for_an_s1_stack)
