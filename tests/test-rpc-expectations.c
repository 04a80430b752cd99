/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What HeMSs expect of the methods, by the numbers of the interoperability notes; and the methods that other
 * engines serve. */
#include <check.h>
#include <stdarg.h>

#include "session-bench.h"
#include "suite.h"

#define PERIODIC "Device.ManagementServer.Periodic"

static Bench bench_serving(const RpcServices *services) {
    Bench b = bench_with(&(SessionConfig){.services = services});
    bench_file(&b, "informresponse-pretty.xml");
    ck_assert_str_eq(bench_seen(&b), "a0");
    return b;
}

static void ask_in(Bench *b, const char *version, const char *body) {
    char text[4096];
    ck_assert_int_lt(snprintf(text, sizeof text,
                              "<e:Envelope xmlns:e=\"http://schemas.xmlsoap.org/soap/envelope/\" "
                              "xmlns:c=\"urn:dslforum-org:cwmp-%s\"><e:Body>%s</e:Body></e:Envelope>",
                              version, body),
                     (int)sizeof text);
    bench_text(b, 200, text);
}

static void ask(Bench *b, const char *body) {
    ask_in(b, "1-0", body);
}

static void set_typed(Bench *b, const char *name, const char *type, const char *value) {
    char body[1024];
    snprintf(body, sizeof body,
             "<c:SetParameterValues><ParameterList><P><Name>%s</Name><Value "
             "xmlns:t=\"http://www.w3.org/2001/XMLSchema-instance\" "
             "xmlns:x=\"http://www.w3.org/2001/XMLSchema\" %s>%s"
             "</Value></P></ParameterList><ParameterKey/></c:SetParameterValues>",
             name, type, value);
    ask(b, body);
}

START_TEST(expectation_22_times_are_read_in_every_form) {
    static const struct {
        const char *text;
        int64_t seconds; /* INT64_MAX: refused */
    } cases[] = {
        {"2026-11-23T07:08:09Z", 1795417689},        {"2026-11-23T07:08:09", 1795417689}, /* TR-106: UTC */
        {"2026-11-23T08:08:09+01:00", 1795417689},   {"2026-11-23T01:38:09-05:30", 1795417689},
        {"2026-11-23T07:08:09.999999Z", 1795417689}, {"2026-11-23T07:08:09.5+00:00", 1795417689},
        {" 2026-11-23T07:08:09Z\n", 1795417689},     {"0001-01-01T00:00:00Z", INT64_MIN},
        {"0001-01-01T00:00:00", INT64_MIN},          {"2026-11-23", INT64_MAX},
        {"2026-13-23T07:08:09Z", INT64_MAX},         {"yesterday", INT64_MAX},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        Bench b = bench_serving(NULL);
        set_typed(&b, PERIODIC "InformTime", "t:type=\"x:dateTime\"", cases[i].text);
        if (cases[i].seconds == INT64_MAX) {
            ck_assert_msg(b.last.fault == 9003 && strstr(b.last_text, "<FaultCode>9007<"), "%s",
                          cases[i].text);
        } else {
            ck_assert_msg(b.last.kind == SOAP_SET_PARAMETER_VALUES_RESPONSE, "%s", cases[i].text);
            ck_assert_int_eq(model_get_time(b.model, PERIODIC "InformTime"), cases[i].seconds);
        }
        bench_done(&b);
    }
}
END_TEST

START_TEST(expectation_22_our_times_have_a_zone) {
    static const struct {
        int64_t seconds;
        const char *text;
    } cases[] = {
        {1795417689, "2026-11-23T07:08:09Z"}, {0, "0001-01-01T00:00:00Z"}, {86400, "0001-01-01T00:00:00Z"}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        Bench b = bench_boot();
        Session *session;
        SessionAction action;
        char expected[64];
        const Moment now = {.real = (usec_t)cases[i].seconds * USEC_PER_SEC};
        ck_assert_int_eq(session_new(&session, &(SessionConfig){.url = URL, .model = b.model}, now), 0);
        ck_assert(session_next(session, &action));
        snprintf(expected, sizeof expected, "<CurrentTime>%s</CurrentTime>", cases[i].text);
        ck_assert_ptr_nonnull(memmem(action.body, action.size, expected, strlen(expected)));
        session_free(session);
        bench_done(&b);
    }
}
END_TEST

/* The ParameterList of the answer to GetParameterNames, malloc'ed; NULL: a fault. */
static char *names_of(Bench *b, const char *path, const char *next_level) {
    char body[512];
    snprintf(body, sizeof body,
             "<c:GetParameterNames><ParameterPath>%s</ParameterPath><NextLevel>%s</NextLevel></"
             "c:GetParameterNames>",
             path, next_level);
    ask(b, body);
    if (b->last.kind == SOAP_FAULT)
        return NULL;
    char *list = strstr(b->last_text, "<ParameterList");
    ck_assert_ptr_nonnull(list);
    return strdup(list);
}

START_TEST(expectation_23_the_whole_tree_in_two_ways) {
    Bench b = bench_serving(NULL);
    static const char *const no[] = {"0", "false", " False "}, *const yes[] = {"1", "true", "TRUE"};
    _cleanup_free_ char *all = names_of(&b, "", "0");
    ck_assert_ptr_nonnull(strstr(all, "<Name>Device.</Name>"));
    ck_assert_ptr_nonnull(strstr(all, "<Name>" LTE "AdminState</Name>"));
    ck_assert_ptr_nonnull(strstr(all, "<Name>Device.ManagementServer.</Name>"));
    for (size_t i = 0; i < ARRAY_SIZE(no); i++) {
        _cleanup_free_ char *empty = names_of(&b, "", no[i]), *device = names_of(&b, "Device.", no[i]);
        ck_assert_str_eq(empty, all);
        ck_assert_str_eq(device, all);
    }
    for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
        _cleanup_free_ char *empty = names_of(&b, "", yes[i]), *device = names_of(&b, "Device.", yes[i]);
        ck_assert_ptr_nonnull(
            strstr(empty, "cwmp:ParameterInfoStruct[1]\"><ParameterInfoStruct><Name>Device.</Name>"));
        ck_assert_ptr_nonnull(strstr(device, "<Name>Device.ManagementServer.</Name>"));
        ck_assert_ptr_nonnull(strstr(device, "<Name>Device.RootDataModelVersion</Name>"));
        ck_assert_ptr_null(strstr(device, "<Name>Device.ManagementServer.URL</Name>"));
    }
    bench_done(&b);
}
END_TEST

START_TEST(expectation_23_an_object_needs_its_dot) {
    static const struct {
        const char *path, *next_level;
        int fault;
    } cases[] = {{"Device", "0", 9005},
                 {"Device", "1", 9005},
                 {"Device.ManagementServer", "0", 9005},
                 {"Device.ManagementServer", "1", 9005},
                 {"Device.ManagementServer.", "1", 0},
                 {"Device.ManagementServer.URL.", "0", 9005},
                 {"Device.ManagementServer.URL", "0", 0},
                 {".", "0", 9005},
                 {"Device..", "0", 9005},
                 {"device.", "0", 9005},
                 {"InternetGatewayDevice.", "0", 9005}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        Bench b = bench_serving(NULL);
        free(names_of(&b, cases[i].path, cases[i].next_level));
        ck_assert_msg(b.last.fault == cases[i].fault, "%s: %d", cases[i].path, b.last.fault);
        bench_done(&b);
    }
    Bench b = bench_serving(NULL);
    ask(&b,
        "<c:GetParameterValues><ParameterNames><s>Device.ManagementServer</s></ParameterNames></"
        "c:GetParameterValues>");
    ck_assert_int_eq(b.last.fault, 9005);
    bench_done(&b);
}
END_TEST

START_TEST(expectation_24_all_names_or_none) {
    static const struct {
        const char *names;
        int fault, items;
    } cases[] = {{"<ParameterNames/>", 0, 0},
                 {"<ParameterNames></ParameterNames>", 0, 0},
                 {"", 9003, 0}, /* that is no call of this method */
                 {"<ParameterNames><s>" LTE "AdminState</s></ParameterNames>", 0, 1},
                 {"<ParameterNames><s>" LTE "AdminState</s><s>Device.No</s></ParameterNames>", 9005, 0},
                 {"<ParameterNames><s>Device.No</s><s>" LTE "AdminState</s></ParameterNames>", 9005, 0},
                 {"<ParameterNames><s>Device.No.</s></ParameterNames>", 9005, 0}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        Bench b = bench_serving(NULL);
        char body[512], list[64];
        snprintf(body, sizeof body, "<c:GetParameterValues>%s</c:GetParameterValues>", cases[i].names);
        ask(&b, body);
        ck_assert_msg(b.last.fault == cases[i].fault, "case %zu: %d", i, b.last.fault);
        snprintf(list, sizeof list, "cwmp:ParameterValueStruct[%d]\"", cases[i].items);
        ck_assert_msg(!strstr(b.last_text, list) == (cases[i].fault != 0), "case %zu: %s", i, b.last_text);
        ck_assert_msg(!strstr(b.last_text, "<Value") == (cases[i].items == 0), "case %zu", i);
        bench_done(&b);
    }
}
END_TEST

/* The type is what the HeMS wrote; the value decides. */
START_TEST(expectation_27_a_value_is_judged_not_its_type) {
    static const struct {
        const char *name, *type, *value, *read; /* NULL: 9007 */
    } cases[] = {
        {LTE "AdminState", "t:type=\"x:boolean\"", "1", "true"},
        {LTE "AdminState", "t:type=\"x:boolean\"", "true", "true"},
        {LTE "AdminState", "t:type=\"x:boolean\"", "0", "false"},
        {LTE "AdminState", "t:type=\"x:boolean\"", "false", "false"},
        {LTE "AdminState", "t:type=\"x:string\"", "true", "true"},
        {LTE "AdminState", "t:type=\"x:int\"", "1", "true"},
        {LTE "AdminState", "", "1", "true"},
        {LTE "AdminState", "t:type=\"json\"", "1", "true"},
        {LTE "AdminState", "t:type=\"\"", "1", "true"},
        {LTE "AdminState", "t:type=\"x:boolean\"", "yes", NULL},
        {LTE "AdminState", "t:type=\"x:boolean\"", "", NULL},
        {PERIODIC "InformInterval", "t:type=\"x:unsignedInt\"", "+0300", "300"},
        {PERIODIC "InformInterval", "t:type=\"x:int\"", "000300", "300"},
        {PERIODIC "InformInterval", "t:type=\"x:string\"", " 300 ", "300"},
        {PERIODIC "InformInterval", "t:type=\"x:boolean\"", "1", "1"},
        {PERIODIC "InformInterval", "t:type=\"x:unsignedInt\"", "-1", NULL},
        {PERIODIC "InformInterval", "t:type=\"x:unsignedInt\"", "3e2", NULL},
        {PERIODIC "InformInterval", "t:type=\"x:unsignedInt\"", "4294967296", NULL},
        {LTE "Gateway.S1SigLinkPort", "t:type=\"x:unsignedInt\"", "+0", "0"},
        {LTE "Gateway.S1ConnectionMode", "t:type=\"x:boolean\"", "All", "All"},
        {LTE "Gateway.S1ConnectionMode", "t:type=\"x:string\"", "Some", NULL},
        {LTE "Gateway.S1SigLinkServerList", "t:type=\"x:unsignedInt\"", "192.0.2.1", "192.0.2.1"},
        {"Device.DeviceInfo.ProvisioningCode", "t:type=\"x:int\"", "not a number", "not a number"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        Bench b = bench_serving(NULL);
        set_typed(&b, cases[i].name, cases[i].type, cases[i].value);
        if (cases[i].read) {
            ck_assert_msg(b.last.kind == SOAP_SET_PARAMETER_VALUES_RESPONSE, "case %zu: %s", i, b.last_text);
            ck_assert_str_eq(model_get(b.model, cases[i].name), cases[i].read);
        } else {
            ck_assert_msg(b.last.fault == 9003 && strstr(b.last_text, "<FaultCode>9007<"), "case %zu", i);
        }
        bench_done(&b);
    }
}
END_TEST

/* What the engines beside the model were asked for, in words. */
static char asked[1024];

static int say(int r, const char *format, ...) _printf_(2, 3);
static int say(int r, const char *format, ...) {
    va_list ap;
    va_start(ap, format);
    vsnprintf(asked, sizeof asked, format, ap);
    va_end(ap);
    return r;
}

static int download(void *userdata, const RpcDownload *d, const char **ret_text) {
    return say(0, "%s|%s|%s|%s|%s|%u|%s|%u|%s|%s", d->command_key, d->file_type, d->url, d->username,
               d->password, d->file_size, d->target_file_name, d->delay, d->success_url, d->failure_url);
}

static int upload(void *userdata, const RpcUpload *u, const char **ret_text) {
    return say(0, "%s|%s|%s|%s|%s|%u", u->command_key, u->file_type, u->url, u->username, u->password,
               u->delay);
}

static int schedule_download(void *userdata, const RpcScheduleDownload *d, const char **ret_text) {
    ck_assert_uint_eq(d->n_windows, 2);
    return say(0, "%s|%s|%s|%s|%s|%u|%s|%u-%u %d %s %d|%u-%u %d %s %d", d->command_key, d->file_type, d->url,
               d->username, d->password, d->file_size, d->target_file_name, d->windows[0].start,
               d->windows[0].end, (int)d->windows[0].mode, d->windows[0].user_message,
               d->windows[0].max_retries, d->windows[1].start, d->windows[1].end, (int)d->windows[1].mode,
               d->windows[1].user_message, d->windows[1].max_retries);
}

static int cancel_transfer(void *userdata, const char *command_key, const char **ret_text) {
    *ret_text = "it is being installed";
    return say(strcmp(command_key, "night") == 0 ? 0 : 9021, "%s", command_key);
}

static int schedule_inform(void *userdata, uint32_t delay, const char *command_key, const char **ret_text) {
    return say(0, "%u|%s", delay, command_key);
}

static size_t n_queued = 4;

static int visit_transfers(void *userdata, RpcTransferVisitor visitor, void *visitor_userdata) {
    static const RpcTransfer queued[] = {
        {"mine", RPC_TRANSFER_IN_PROGRESS, true, false, "1 Firmware Upgrade Image", 7, "f",
         .is_scheduled = false},
        {"planned", RPC_TRANSFER_NOT_STARTED, true, false, "1 Firmware Upgrade Image", 0, "",
         .is_scheduled = true},
        {"", RPC_TRANSFER_COMPLETED, false, true, "4 Vendor Log File", 0, "", .is_scheduled = false},
        {"log", RPC_TRANSFER_COMPLETED, false, false, "4 Vendor Log File", 0, "", .is_scheduled = false}};
    for (size_t i = 0; i < n_queued; i++) {
        int r = visitor(visitor_userdata, &queued[i < ARRAY_SIZE(queued) ? i : 0]);
        if (r != 0)
            return r;
    }
    return 0;
}

static const RpcServices all_services = {.download = download,
                                         .upload = upload,
                                         .schedule_download = schedule_download,
                                         .cancel_transfer = cancel_transfer,
                                         .visit_transfers = visit_transfers,
                                         .schedule_inform = schedule_inform};

#define PENDING                                                                                              \
    "<Status>1</Status><StartTime>0001-01-01T00:00:00Z</StartTime><CompleteTime>0001-01-01T00:00:00Z</"      \
    "CompleteTime>"

START_TEST(arguments_reach_the_services) {
    static const struct {
        const char *file, *asked, *answer;
    } cases[] = {
        {"download.xml",
         "fw 2026-11|1 Firmware Upgrade Image|https://files.example/henb?a=1&b=2|henb| p<w "
         "|4294967295|image.bin|30|"
         "http://ok.example/|http://bad.example/",
         "<cwmp:DownloadResponse>" PENDING "</cwmp:DownloadResponse>"},
        {"upload.xml", "log|4 Vendor Log File 1|http://files.example/up|||0",
         "<cwmp:UploadResponse>" PENDING "</cwmp:UploadResponse>"},
        {"scheduledownload.xml",
         "night|3 Vendor Configuration File|http://files.example/conf|a|b|0||3600-7200 0  -1|7200-10800 2 "
         "N\xc3\xa4"
         "chtlich 3",
         "<cwmp:ScheduleDownloadResponse></cwmp:ScheduleDownloadResponse>"},
        {"canceltransfer.xml", "night", "<cwmp:CancelTransferResponse></cwmp:CancelTransferResponse>"},
        {"scheduleinform.xml", "600|later", "<cwmp:ScheduleInformResponse></cwmp:ScheduleInformResponse>"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        Bench b = bench_serving(&all_services);
        asked[0] = 0;
        bench_file(&b, cases[i].file);
        ck_assert_str_eq(bench_seen(&b), "p");
        ck_assert_str_eq(asked, cases[i].asked);
        ck_assert_msg(strstr(b.last_text, cases[i].answer) != NULL, "%s", b.last_text);
        bench_done(&b);
    }
}
END_TEST

START_TEST(services_are_not_asked_in_vain) {
    static const struct {
        const char *body;
        int fault;
        const char *text;
    } cases[] = {
        {"<c:ScheduleInform><DelaySeconds>0</DelaySeconds><CommandKey/></c:ScheduleInform>", 9003,
         "greater than 0"},
        {"<c:ScheduleInform><DelaySeconds>-5</DelaySeconds></c:ScheduleInform>", 9003, "DelaySeconds"},
        {"<c:Download><FileType>t</FileType></c:Download>", 9003, "URL is missing"},
        {"<c:Reboot><CommandKey/></c:Reboot>", 9000, "Reboot"}, /* no such service here */
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        Bench b = bench_serving(&all_services);
        asked[0] = 0;
        ask_in(&b, "1-2", cases[i].body);
        ck_assert_int_eq(b.last.fault, cases[i].fault);
        ck_assert_msg(strstr(b.last.fault_text, cases[i].text) != NULL, "%s", b.last.fault_text);
        ck_assert_str_eq(asked, "");
        bench_done(&b);
    }
    Bench b = bench_serving(&all_services);
    ask_in(&b, "1-2", "<c:CancelTransfer><CommandKey>other</CommandKey></c:CancelTransfer>");
    ck_assert_int_eq(b.last.fault, 9021);
    ck_assert_str_eq(b.last.fault_text, "it is being installed");
    bench_done(&b);
}
END_TEST

/* A.4.1.1: of Download and Upload alone; A.4.1.7: all. */
START_TEST(queued_transfers_and_all_of_them) {
    n_queued = 4;
    Bench b = bench_serving(&all_services);
    bench_file(&b, "getqueuedtransfers.xml");
    ck_assert_ptr_nonnull(
        strstr(b.last_text, "cwmp:QueuedTransferStruct[2]\"><QueuedTransferStruct><CommandKey>mine<"));
    ck_assert_ptr_nonnull(strstr(b.last_text, "<CommandKey>log<"));
    ck_assert_ptr_null(strstr(b.last_text, "planned"));
    bench_file(&b, "getallqueuedtransfers.xml");
    ck_assert_ptr_nonnull(strstr(b.last_text, "cwmp:AllQueuedTransferStruct[4]\">"));
    ck_assert_ptr_nonnull(strstr(b.last_text, "<CommandKey>planned</CommandKey><State>1</State>"));
    bench_done(&b);

    n_queued = RPC_QUEUED_MAX + 1; /* what the answer has no room for */
    b = bench_serving(&all_services);
    bench_file(&b, "getallqueuedtransfers.xml");
    ck_assert_int_eq(b.last.fault, 9004);
    bench_done(&b);
}
END_TEST

static bool lists(const Bench *b, const char *method) {
    for (size_t i = 0; i < b->last.n_names; i++)
        if (strcmp(b->last.names[i], method) == 0)
            return true;
    return false;
}

START_TEST(methods_of_later_versions_are_not_in_earlier_ones) {
    static const struct {
        const char *method, *body;
        CwmpVersion since;
    } cases[] = {
        {"GetQueuedTransfers", "<c:GetQueuedTransfers/>", CWMP_1_0},
        {"ScheduleInform", "<c:ScheduleInform><DelaySeconds>1</DelaySeconds></c:ScheduleInform>", CWMP_1_0},
        {"GetAllQueuedTransfers", "<c:GetAllQueuedTransfers/>", CWMP_1_1},
        {"CancelTransfer", "<c:CancelTransfer><CommandKey>night</CommandKey></c:CancelTransfer>", CWMP_1_2},
    };
    static const char *const versions[] = {"1-0", "1-1", "1-2", "1-3", "1-4"};
    n_queued = 0;
    for (CwmpVersion version = CWMP_1_0; version < CWMP_VERSIONS_; version++) {
        Bench b = bench_serving(&all_services);
        ask_in(&b, versions[version], "<c:GetRPCMethods/>");
        ck_assert_int_eq(b.last.version, version);
        ck_assert(lists(&b, "Download") && lists(&b, "Upload") && lists(&b, "AddObject") &&
                  !lists(&b, "Reboot"));
        ck_assert(lists(&b, "ScheduleDownload") == (version >= CWMP_1_2));
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
            ck_assert(lists(&b, cases[i].method) == (version >= cases[i].since));
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
            ask_in(&b, versions[version], cases[i].body);
            ck_assert_int_eq(b.last.fault, version >= cases[i].since ? 0 : 9000);
            ck_assert_int_eq(b.last.version, version);
        }
        bench_done(&b);
    }
}
END_TEST

#define CELLS     "Device.Services.FAPService.1.CellConfig.LTE.RAN.NeighborList.LTECell."
#define CELLS_N   500
#define CELLS_SET 250 /* four parameters each */

static int count_one(void *userdata, const char *name, const ModelParameter *parameter, const char *value) {
    (*(size_t *)userdata)++;
    return 0;
}

static size_t occurrences(const char *text, const char *what) {
    size_t n = 0;
    for (const char *s = text; (s = strstr(s, what)); s++)
        n++;
    return n;
}

static Bench bench_full(void) {
    Bench b = bench_serving(NULL);
    uint32_t instance;
    for (size_t i = 0; i < CELLS_N; i++)
        ck_assert_int_eq(model_row_add(b.model, CELLS, &instance), 0);
    return b;
}

/* However much there is: one answer, and no 9004. How long it takes, bench/cwmp shows. */
START_TEST(expectation_34_a_full_tree_is_answered_at_once) {
    Bench b = bench_full();
    size_t parameters = 0, names = 0;
    ck_assert_int_eq(model_read(b.model, "", count_one, &parameters), 0);
    ck_assert_int_eq(model_list(b.model, "", false, count_one, &names), 0);
    ck_assert_uint_gt(parameters, 6500);
    ask(&b, "<c:GetParameterValues><ParameterNames><s>Device.</s></ParameterNames></c:GetParameterValues>");
    ck_assert_int_eq(b.last.kind, SOAP_GET_PARAMETER_VALUES_RESPONSE);
    ck_assert_uint_eq(occurrences(b.last_text, "<ParameterValueStruct>"), parameters);
    ask(&b, "<c:GetParameterNames><ParameterPath/><NextLevel>0</NextLevel></c:GetParameterNames>");
    ck_assert_int_eq(b.last.kind, SOAP_GET_PARAMETER_NAMES_RESPONSE);
    ck_assert_uint_eq(occurrences(b.last_text, "<ParameterInfoStruct>"), names);
    bench_done(&b);
}
END_TEST

/* *CID* of the last row is *last*. */
static void set_cells(Bench *b, size_t last) {
    char *text;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    fprintf(f,
            "<e:Envelope xmlns:e=\"http://schemas.xmlsoap.org/soap/envelope/\" "
            "xmlns:c=\"urn:dslforum-org:cwmp-1-0\"><e:Body><c:SetParameterValues><ParameterList>");
    for (size_t i = 1; i <= CELLS_SET; i++)
        fprintf(f,
                "<P><Name>" CELLS
                "%zu.Enable</Name><Value>1</Value></P>"
                "<P><Name>" CELLS
                "%zu.PLMNID</Name><Value>00101</Value></P>"
                "<P><Name>" CELLS
                "%zu.CID</Name><Value>%zu</Value></P>"
                "<P><Name>" CELLS "%zu.PhyCellID</Name><Value>7</Value></P>",
                i, i, i, i < CELLS_SET ? i : last, i);
    fprintf(f, "</ParameterList><ParameterKey>k</ParameterKey></c:SetParameterValues></e:Body></e:Envelope>");
    fclose(f);
    bench_text(b, 200, text);
    free(text);
}

/* 1,000 parameters in one transaction; two rows with one key, and it is none. */
START_TEST(expectation_34_a_thousand_values_are_set_at_once) {
    Bench b = bench_full();
    set_cells(&b, 3);
    ck_assert_int_eq(b.last.fault, 9003);
    ck_assert_uint_eq(occurrences(b.last_text, "<SetParameterValuesFault>"),
                      6); /* Enable, PLMNID, CID of rows 3 and 250 */
    ck_assert_str_eq(model_get(b.model, CELLS "1.CID"), "0");
    set_cells(&b, CELLS_SET);
    ck_assert_int_eq(b.last.kind, SOAP_SET_PARAMETER_VALUES_RESPONSE);
    ck_assert_str_eq(model_get(b.model, CELLS "250.CID"), "250");
    ck_assert_str_eq(model_get(b.model, CELLS "1.PhyCellID"), "7");
    bench_done(&b);
}
END_TEST

START_TEST(attributes_are_answered) {
    Bench b = bench_serving(NULL);
    bench_file(&b, "getparameterattributes.xml");
    ck_assert_int_eq(b.last.kind, SOAP_GET_PARAMETER_ATTRIBUTES_RESPONSE);
    ck_assert_ptr_nonnull(strstr(b.last_text, "<Name>Device.ManagementServer.URL</Name><Notification>"));
    ask(&b,
        "<c:GetParameterAttributes><ParameterNames><s>Device.No</s></ParameterNames></"
        "c:GetParameterAttributes>");
    ck_assert_int_eq(b.last.fault, 9005);
    ck_assert_str_eq(b.last.fault_text, "Invalid parameter name: Device.No");
    bench_done(&b);
}
END_TEST

SUITE("rpc-expectations", expectation_22_times_are_read_in_every_form, expectation_22_our_times_have_a_zone,
      expectation_23_the_whole_tree_in_two_ways, expectation_23_an_object_needs_its_dot,
      expectation_24_all_names_or_none, expectation_27_a_value_is_judged_not_its_type,
      expectation_34_a_full_tree_is_answered_at_once, expectation_34_a_thousand_values_are_set_at_once,
      arguments_reach_the_services, services_are_not_asked_in_vain, queued_transfers_and_all_of_them,
      methods_of_later_versions_are_not_in_earlier_ones, attributes_are_answered)
