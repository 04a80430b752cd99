/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What HeMSs expect of a session, by the numbers of the interoperability notes, and what goes with it:
 * versions, objections, requests of our own. */
#include <check.h>

#include "session-bench.h"
#include "suite.h"

#define IN(version, header, body)                                                                            \
    "<e:Envelope xmlns:e=\"http://schemas.xmlsoap.org/soap/envelope/\" "                                     \
    "xmlns:c=\"urn:dslforum-org:cwmp-" version "\"><e:Header>" header "</e:Header><e:Body>" body             \
    "</e:Body></e:Envelope>"
#define ACCEPT "<c:InformResponse><MaxEnvelopes>1</MaxEnvelopes></c:InformResponse>"
#define KEY    "Device.ManagementServer.ParameterKey"
#define SET(name, value, key)                                                                                \
    ENVELOPE("<c:SetParameterValues><ParameterList><P><Name>" name "</Name><Value>" value                    \
             "</Value></P></ParameterList><ParameterKey>" key "</ParameterKey></c:SetParameterValues>")

START_TEST(expectation_7_the_first_post_is_the_whole_inform) {
    static const SoapEvent events[] = {{"0 BOOTSTRAP", ""}};
    for (CwmpVersion version = CWMP_1_0; version < CWMP_VERSIONS_; version++)
        for (size_t n = 0; n <= 1; n++) {
            Bench b = bench_with(&(SessionConfig){.events = events, .n_events = n, .version = version});
            ck_assert_int_eq(b.last.kind, SOAP_INFORM);
            ck_assert_int_eq(b.last.version, version);
            /* Once more the whole of it when the HeMS wants it repeated. */
            bench_text(&b, 200, FAULT("8005"));
            ck_assert_str_eq(bench_seen(&b), "p");
            ck_assert_int_eq(b.last.kind, SOAP_INFORM);
            bench_done(&b);
        }
}
END_TEST

/* At whatever place it comes, the session fails at once, once, and sends nothing more. */
START_TEST(expectation_11_http_errors_at_every_place) {
    static const unsigned statuses[] = {201, 301, 302, 307, 400, 401, 403, 404,
                                        405, 415, 500, 501, 502, 503, 504};
    for (size_t i = 0; i < ARRAY_SIZE(statuses); i++)
        for (unsigned place = 0; place < 4; place++) {
            static const SessionRequest ours = {.kind = SESSION_REQUEST_GET_RPC_METHODS, .id = 1};
            Bench b = bench_asking(&ours, place == 3);
            if (place > 0)
                bench_text(&b, 200, ENVELOPE(ACCEPT));
            if (place == 2)
                bench_text(&b, 200, ENVELOPE("<c:GetRPCMethods/>"));
            bench_seen(&b);
            bench_text(&b, statuses[i], "<html><body>no</body></html>");
            ck_assert_str_eq(bench_seen(&b), "e");
            ck_assert_int_lt(b.end.error, 0);
            expect_end(&b, b.end.error, "HTTP ");
            bench_done(&b);
        }
}
END_TEST

START_TEST(expectation_11_bodies_that_break_off) {
    static const char *const whole = ENVELOPE(ACCEPT);
    for (size_t size = 1; size < strlen(whole); size += 7) {
        Bench b = bench_boot();
        bench_answer(&b, 200, "text/xml", whole, size);
        ck_assert_str_eq(bench_seen(&b), "e");
        expect_end(&b, -EBADMSG, "XML");
        bench_done(&b);
    }
}
END_TEST

START_TEST(expectation_16_the_first_inform_is_in_cwmp_1_0) {
    Bench b = bench_boot();
    ck_assert_ptr_nonnull(strstr(b.last_text, "xmlns:cwmp=\"urn:dslforum-org:cwmp-1-0\""));
    ck_assert_ptr_nonnull(strstr(b.last_text,
                                 "<cwmp:SupportedCWMPVersions soap-env:mustUnderstand=\"0\">"
                                 "1.0,1.1,1.2,1.3,1.4</cwmp:SupportedCWMPVersions>"));
    bench_done(&b);
}
END_TEST

/* What it answers in, or asks for, is what the next session may begin with. */
START_TEST(expectation_16_versions_are_negotiated) {
    static const struct {
        const char *answer;
        CwmpVersion version;
    } cases[] = {
        {IN("1-0", "", ACCEPT), CWMP_1_0},
        {IN("1-1", "", ACCEPT), CWMP_1_1},
        {IN("1-2", "", ACCEPT), CWMP_1_2},
        {IN("1-3", "", ACCEPT), CWMP_1_3},
        {IN("1-4", "", ACCEPT), CWMP_1_4},
        {IN("1-2", "<c:UseCWMPVersion e:mustUnderstand=\"1\">1.0</c:UseCWMPVersion>", ACCEPT), CWMP_1_0},
        {IN("1-0", "<c:UseCWMPVersion e:mustUnderstand=\"1\">1.1</c:UseCWMPVersion>", ACCEPT), CWMP_1_1},
        {IN("1-0", "<c:UseCWMPVersion e:mustUnderstand=\"1\"> 1.2 </c:UseCWMPVersion>", ACCEPT), CWMP_1_2},
        {IN("1-2", "<c:UseCWMPVersion e:mustUnderstand=\"1\">1.4</c:UseCWMPVersion>", ACCEPT), CWMP_1_2},
    };
    static const SessionRequest ours = {.kind = SESSION_REQUEST_GET_RPC_METHODS, .id = 1};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        Bench b = bench_asking(&ours, 1);
        bench_text(&b, 200, cases[i].answer);
        ck_assert_str_eq(bench_seen(&b), "ap");
        ck_assert_int_eq(b.version, cases[i].version);
        ck_assert_int_eq(b.last.version, cases[i].version); /* and our requests are in it */
        bench_text(&b, 200, ENVELOPE("<c:GetRPCMethodsResponse><MethodList/></c:GetRPCMethodsResponse>"));
        ck_assert_str_eq(bench_seen(&b), "r0");
        bench_done(&b);

        b = bench_with(&(SessionConfig){.version = cases[i].version});
        ck_assert_int_eq(b.last.version, cases[i].version);
        bench_done(&b);
    }
}
END_TEST

START_TEST(expectation_16_a_version_that_is_refused) {
    static const struct {
        unsigned status;
        const char *body;
        bool refused;
    } cases[] = {
        {400, "", true},  {500, "", true},  {500, FAULT("8003"), true}, {200, FAULT("8003"), true},
        {404, "", false}, {503, "", false}, {401, "", false},           {200, "<html/>", false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        for (CwmpVersion version = CWMP_1_0; version <= CWMP_1_2; version++) {
            Bench b = bench_with(&(SessionConfig){.version = version});
            bench_text(&b, cases[i].status, cases[i].body);
            ck_assert_str_eq(bench_seen(&b), "e");
            ck_assert_msg(b.end.version_refused == (cases[i].refused && version > CWMP_1_0), "case %zu", i);
            bench_done(&b);
        }
    /* Not what comes after the Inform. */
    Bench b = bench_with(&(SessionConfig){.version = CWMP_1_2});
    bench_text(&b, 200, IN("1-2", "", ACCEPT));
    bench_text(&b, 500, "");
    ck_assert_str_eq(bench_seen(&b), "a0e");
    ck_assert(!b.end.version_refused);
    bench_done(&b);
}
END_TEST

#define LONG_ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

START_TEST(expectation_17_the_id_of_a_request_comes_back) {
    static const struct {
        const char *header, *id;
    } cases[] = {
        {"<c:ID e:mustUnderstand=\"1\">1</c:ID>", "1"},
        {"<c:ID e:mustUnderstand=\"1\"></c:ID>", ""},
        {"<c:ID/>", ""},
        {"<c:ID>null</c:ID>", "null"},
        {"<c:ID> a  b\n</c:ID>", " a  b\n"},
        {"<c:ID>&lt;&amp;&gt;\"'</c:ID>", "<&>\"'"},
        {"<c:ID>" LONG_ID "</c:ID>", LONG_ID},
        {"<c:New e:mustUnderstand=\"0\"/><c:ID>5</c:ID>", "5"},
        {"", "0"}, /* none: ours has one all the same, there are HeMSs that demand it */
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char text[1024];
        Bench b = bench_boot();
        bench_text(&b, 200, IN("1-0", "<c:ID>not the Inform's</c:ID>", ACCEPT));
        snprintf(text, sizeof text, IN("1-0", "%s", "<c:GetRPCMethods/>"), cases[i].header);
        bench_text(&b, 200, text);
        ck_assert_str_eq(bench_seen(&b), "a0p");
        ck_assert_int_eq(b.last.kind, SOAP_GET_RPC_METHODS_RESPONSE);
        ck_assert_str_eq(b.last.id, cases[i].id);
        bench_done(&b);
    }
    Bench b = bench_boot();
    bench_text(&b, 200,
               "<e:Envelope xmlns:e=\"http://schemas.xmlsoap.org/soap/envelope/\"><e:Body>"
               "<InformResponse xmlns=\"urn:dslforum-org:cwmp-1-0\"/></e:Body></e:Envelope>");
    bench_text(&b, 200, IN("1-0", "<c:New e:mustUnderstand=\"1\"/><c:ID>5</c:ID>", "<c:GetRPCMethods/>"));
    ck_assert_str_eq(bench_seen(&b), "a0p");
    ck_assert_int_eq(b.last.kind, SOAP_FAULT);
    ck_assert_ptr_nonnull(strstr(b.last_text, "<faultcode>soap-env:MustUnderstand</faultcode>"));
    ck_assert_str_eq(b.last.id, "5");
    bench_done(&b);
}
END_TEST

START_TEST(expectation_31_the_parameter_key_goes_with_success_alone) {
    static const struct {
        const char *request, *key;
    } cases[] = {
        {SET("Device.DeviceInfo.ProvisioningCode", "x", "first"), "first"},
        {SET("Device.DeviceInfo.ProvisioningCode", "x", "second"), "second"}, /* nothing changed: success */
        {SET("Device.DeviceInfo.SerialNumber", "x", "no"), "second"},
        {SET("Device.No", "x", "no"), "second"},
        {SET(LTE "AdminState", "maybe", "no"), "second"},
        {SET("Device.DeviceInfo.ProvisioningCode", "y", "0123456789012345678901234567890123"), "second"},
        {ENVELOPE(
             "<c:AddObject><ObjectName>Device.No.</ObjectName><ParameterKey>no</ParameterKey></c:AddObject>"),
         "second"},
        {ENVELOPE("<c:DeleteObject><ObjectName>Device.No.1.</ObjectName><ParameterKey>no</ParameterKey>"
                  "</c:DeleteObject>"),
         "second"},
        {ENVELOPE("<c:Reboot><CommandKey>no</CommandKey></c:Reboot>"), "second"},
        {SET("Device.DeviceInfo.ProvisioningCode", "z", ""), ""},
    };
    Bench b = bench_boot();
    ck_assert_ptr_nonnull(strstr(b.last_text, "<Name>" KEY "</Name><Value xsi:type=\"xsd:string\"></Value>"));
    bench_file(&b, "informresponse-pretty.xml");
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        bench_text(&b, 200, cases[i].request);
        ck_assert_msg(strcmp(model_get(b.model, KEY), cases[i].key) == 0, "case %zu", i);

        /* In every Inform from then on. */
        Session *next;
        SessionAction action;
        char expected[160];
        ck_assert_int_eq(session_new(&next, &(SessionConfig){.url = URL, .model = b.model}, b.now), 0);
        ck_assert(session_next(next, &action));
        snprintf(expected, sizeof expected, "<Name>" KEY "</Name><Value xsi:type=\"xsd:string\">%s</Value>",
                 cases[i].key);
        ck_assert_ptr_nonnull(memmem(action.body, action.size, expected, strlen(expected)));
        session_free(next);
    }
    bench_done(&b);
}
END_TEST

static const SessionRequest failed_download = {.kind = SESSION_REQUEST_TRANSFER_COMPLETE,
                                               .id = 42,
                                               .command_key = "fw & more",
                                               .fault = 9016,
                                               .fault_string = "HTTP 404",
                                               .start_time = 1795417689,
                                               .complete_time = 1795417690};

/* In the session of its events, before the empty POST; told as done only by the answer. */
START_TEST(expectation_36_a_transfer_is_told_in_the_session_of_its_event) {
    static const SoapEvent events[] = {{"7 TRANSFER COMPLETE", ""}, {"M Download", "fw & more"}};
    Bench b = bench_with(&(SessionConfig){
        .events = events, .n_events = 2, .requests = &failed_download, .n_requests = 1, .version = CWMP_1_2});
    ck_assert_ptr_nonnull(strstr(b.last_text,
                                 "<EventStruct><EventCode>7 TRANSFER COMPLETE</EventCode><CommandKey>"
                                 "</CommandKey></EventStruct><EventStruct><EventCode>M Download</EventCode>"
                                 "<CommandKey>fw &amp; more</CommandKey></EventStruct>"));
    bench_text(&b, 200, IN("1-2", "", ACCEPT));
    ck_assert_str_eq(bench_seen(&b), "ap");
    ck_assert_ptr_nonnull(
        strstr(b.last_text,
               "<cwmp:TransferComplete><CommandKey>fw &amp; "
               "more</CommandKey><FaultStruct><FaultCode>9016</FaultCode>"
               "<FaultString>HTTP 404</FaultString></FaultStruct><StartTime>2026-11-23T07:08:09Z</StartTime>"
               "<CompleteTime>2026-11-23T07:08:10Z</CompleteTime></cwmp:TransferComplete>"));
    bench_text(&b, 200, ENVELOPE("<c:TransferCompleteResponse/>"));
    ck_assert_str_eq(bench_seen(&b), "r0");
    ck_assert_uint_eq(b.answer.id, 42);
    ck_assert_int_eq(b.answer.kind, SESSION_REQUEST_TRANSFER_COMPLETE);
    ck_assert_int_eq(b.answer.fault, 0);
    bench_done(&b);
}
END_TEST

START_TEST(expectation_36_what_is_not_answered_is_not_told) {
    static const struct {
        unsigned status;
        bool broken;
        const char *body;
    } cases[] = {
        {0, true, ""},
        {200, true, ""},
        {200, false, ""},
        {204, false, ""},
        {503, false, ""},
        {200, false, "<html/>"},
        {401, false, ""},
        {200, false, ENVELOPE("")},
        {200, false, ENVELOPE("<c:GetRPCMethods/>")},
        {200, false, ENVELOPE("<c:GetRPCMethodsResponse/>")},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        Bench b = bench_asking(&failed_download, 1);
        bench_text(&b, 200, ENVELOPE(ACCEPT));
        ck_assert_str_eq(bench_seen(&b), "ap");
        if (cases[i].broken)
            bench_broken(&b, cases[i].status);
        else
            bench_text(&b, cases[i].status, cases[i].body);
        ck_assert_msg(strcmp(bench_seen(&b), "e") == 0, "case %zu", i);
        ck_assert_int_lt(b.end.error, 0);
        bench_done(&b);
    }
}
END_TEST

/* cwmp-1-0 knows fewer faults: the text still says which. */
START_TEST(expectation_36_a_fault_that_the_version_does_not_know) {
    Bench b = bench_asking(&failed_download, 1);
    bench_text(&b, 200, ENVELOPE(ACCEPT));
    ck_assert_ptr_nonnull(
        strstr(b.last_text, "<FaultCode>9010</FaultCode><FaultString>HTTP 404</FaultString>"));
    bench_done(&b);
}
END_TEST

static int allow_reboot(void *userdata, const char *command_key, const char **ret_text) {
    ck_assert_str_eq(command_key, "k1");
    return 0;
}

static int refuse_reboot(void *userdata, const char *command_key, const char **ret_text) {
    *ret_text = "an update is being installed";
    return 9001;
}

#define REBOOT ENVELOPE("<c:Reboot><CommandKey>k1</CommandKey></c:Reboot>")

/* HeNB                         HeMS
 *  (empty)           ->
 *                    <-  Reboot
 *  Response          ->
 *                    <-  2xx                  (taken: it counts when the session has ended, however) */
START_TEST(expectation_37_a_reboot_after_the_hems_has_the_response) {
    static const struct {
        unsigned status;
        bool broken;
        const char *body;
        bool reboot;
    } cases[] = {
        {204, false, "", true},       {200, false, "", true},
        {202, false, "", true},       {200, false, ENVELOPE(""), true},
        {200, false, "<html>", true}, {200, true, "", true}, /* its body broke off */
        {0, true, "", false},         {500, false, "", false},
        {500, true, "", false},       {400, false, "Bad session state", false},
        {401, false, "", false},      {302, false, "", false},
        {404, false, "", false},      {503, false, FAULT("8005"), false},
    };
    static const RpcServices services = {.reboot = allow_reboot};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        Bench b = bench_with(&(SessionConfig){.services = &services});
        bench_file(&b, "informresponse-pretty.xml");
        bench_text(&b, 200, REBOOT);
        ck_assert_str_eq(bench_seen(&b), "a0p");
        ck_assert_int_eq(b.last.kind, SOAP_REBOOT_RESPONSE);
        if (cases[i].broken)
            bench_broken(&b, cases[i].status);
        else
            bench_text(&b, cases[i].status, cases[i].body);
        ck_assert_msg(strcmp(bench_seen(&b), "e") == 0, "case %zu", i);
        ck_assert_msg(b.end.reboot == cases[i].reboot, "case %zu", i);
        ck_assert(!b.end.factory_reset);
        if (b.end.reboot)
            ck_assert_str_eq(b.end.command_key, "k1");
        bench_done(&b);
    }
}
END_TEST

START_TEST(expectation_37_the_session_goes_on_before_the_reboot) {
    static const RpcServices services = {.reboot = allow_reboot};
    Bench b = bench_with(&(SessionConfig){.services = &services});
    bench_file(&b, "informresponse-pretty.xml");
    bench_text(&b, 200, REBOOT);
    bench_text(&b, 200, SET("Device.DeviceInfo.ProvisioningCode", "x", "k"));
    ck_assert_str_eq(bench_seen(&b), "a0pcp");
    bench_broken(&b, 0); /* now it breaks, but the HeMS has the response */
    ck_assert_str_eq(bench_seen(&b), "e");
    ck_assert_int_eq(b.end.error, -ECONNRESET);
    ck_assert(b.end.reboot);
    ck_assert_str_eq(b.end.command_key, "k1");
    bench_done(&b);
}
END_TEST

START_TEST(expectation_37_no_reboot_without_a_response_that_arrived) {
    static const RpcServices allowing = {.reboot = allow_reboot}, refusing = {.reboot = refuse_reboot};
    Bench b = bench_with(&(SessionConfig){.services = &allowing});
    bench_file(&b, "informresponse-pretty.xml");
    bench_text(&b, 200, REBOOT);
    b.now.mono += SESSION_ANSWER_TIMEOUT;
    session_tick(b.session, b.now);
    ck_assert_str_eq(bench_seen(&b), "a0pe");
    ck_assert(!b.end.reboot);
    bench_done(&b);

    b = bench_with(&(SessionConfig){.services = &refusing});
    bench_file(&b, "informresponse-pretty.xml");
    bench_text(&b, 200, REBOOT);
    ck_assert_int_eq(b.last.fault, 9001);
    ck_assert_str_eq(b.last.fault_text, "an update is being installed");
    bench_text(&b, 204, "");
    ck_assert_str_eq(bench_seen(&b), "a0pe");
    ck_assert_int_eq(b.end.error, 0);
    ck_assert(!b.end.reboot);
    bench_done(&b);
}
END_TEST

START_TEST(objections_of_others_reach_the_hems) {
    static const ModelFault objections[] = {{LTE "AdminState", 9001, "REM is not ready"},
                                            {"Device.DeviceInfo.ProvisioningCode", 9007, "not <ours>"}};
    for (size_t n = 1; n <= 2; n++) {
        Bench b = bench_boot();
        b.objections = objections;
        b.n_objections = n;
        bench_file(&b, "informresponse-pretty.xml");
        bench_file(&b, "setparametervalues.xml");
        ck_assert_str_eq(bench_seen(&b), "a0p"); /* nothing was committed */
        ck_assert_int_eq(b.last.fault, 9003);
        ck_assert_ptr_nonnull(strstr(b.last_text, "<SetParameterValuesFault><ParameterName>" LTE
                                                  "AdminState</ParameterName><FaultCode>9001</FaultCode>"
                                                  "<FaultString>REM is not ready</FaultString>"));
        ck_assert((strstr(b.last_text, "not &lt;ours&gt;") != NULL) == (n == 2));
        ck_assert_str_eq(model_get(b.model, LTE "AdminState"), "false");
        ck_assert_str_eq(model_get(b.model, KEY), "");
        /* The session goes on, and the same without an objection is done. */
        b.n_objections = 0;
        bench_file(&b, "setparametervalues.xml");
        ck_assert_str_eq(bench_seen(&b), "cp");
        ck_assert_str_eq(model_get(b.model, LTE "AdminState"), "true");
        bench_done(&b);
    }
}
END_TEST

START_TEST(a_verdict_out_of_time_means_nothing) {
    Bench b = bench_boot();
    ck_assert_int_eq(session_verdict(b.session, b.now, NULL, 0), 0);
    ck_assert_str_eq(bench_seen(&b), "");
    bench_file(&b, "informresponse-pretty.xml");
    b.silent = true;
    bench_file(&b, "setparametervalues.xml");
    ck_assert_str_eq(bench_seen(&b), "a0v");
    ck_assert_uint_eq(session_deadline(b.session), b.now.mono + SESSION_VERDICT_TIMEOUT);
    bench_text(&b, 204, ""); /* nothing is out: that is nobody's answer */
    ck_assert_str_eq(bench_seen(&b), "");
    b.now.mono += SESSION_VERDICT_TIMEOUT;
    session_tick(b.session, b.now);
    ck_assert_int_eq(session_verdict(b.session, b.now, NULL, 0), 0); /* too late */
    ck_assert_str_eq(bench_seen(&b), "p");
    ck_assert_int_eq(b.last.fault, 9002);
    ck_assert_str_eq(model_get(b.model, LTE "AdminState"), "false");
    bench_done(&b);
}
END_TEST

/* Freed while a verdict is missing: nothing leaks, nothing is committed. */
START_TEST(a_session_can_go_while_it_waits) {
    Bench b = bench_boot();
    bench_file(&b, "informresponse-pretty.xml");
    b.silent = true;
    bench_file(&b, "setparametervalues.xml");
    ck_assert_str_eq(bench_seen(&b), "a0v");
    ck_assert_str_eq(model_get(b.model, LTE "AdminState"), "false");
    bench_done(&b);
}
END_TEST

static const SessionFileArg file_args[] = {{"Version", "1 & 2"}, {"", ""}};
static const SessionRequest all_requests[] = {
    {.kind = SESSION_REQUEST_AUTONOMOUS_TRANSFER_COMPLETE,
     .id = 1,
     .announce_url = "http://a.example/?x=1&y=2",
     .transfer_url = "http://t.example/",
     .is_download = true,
     .file_type = "1 Firmware Upgrade Image",
     .file_size = UINT32_MAX,
     .target_file_name = "a<b",
     .start_time = 1795417689,
     .complete_time = RPC_TIME_UNKNOWN},
    {.kind = SESSION_REQUEST_REQUEST_DOWNLOAD,
     .id = 2,
     .file_type = "2 Web Content",
     .args = file_args,
     .n_args = 2},
    {.kind = SESSION_REQUEST_TRANSFER_COMPLETE, .id = 3, .start_time = 0, .complete_time = 0},
};

START_TEST(requests_of_our_own_as_they_are_written) {
    Bench b = bench_asking(all_requests, 3);
    bench_text(&b, 200, IN("1-2", "", ACCEPT));
    ck_assert_str_eq(bench_seen(&b), "ap");
    ck_assert_ptr_nonnull(
        strstr(b.last_text,
               "<cwmp:AutonomousTransferComplete><AnnounceURL>http://a.example/?x=1&amp;y=2</AnnounceURL>"
               "<TransferURL>http://t.example/</TransferURL><IsDownload>1</IsDownload>"
               "<FileType>1 Firmware Upgrade Image</FileType><FileSize>4294967295</FileSize>"
               "<TargetFileName>a&lt;b</TargetFileName><FaultStruct><FaultCode>0</FaultCode>"
               "<FaultString></FaultString></FaultStruct><StartTime>2026-11-23T07:08:09Z</StartTime>"
               "<CompleteTime>0001-01-01T00:00:00Z</CompleteTime></cwmp:AutonomousTransferComplete>"));
    bench_text(&b, 200, IN("1-2", "", "<c:AutonomousTransferCompleteResponse/>"));
    ck_assert_str_eq(bench_seen(&b), "rp");
    ck_assert_ptr_nonnull(
        strstr(b.last_text,
               "<cwmp:RequestDownload><FileType>2 Web Content</FileType>"
               "<FileTypeArg soap-enc:arrayType=\"cwmp:ArgStruct[2]\"><ArgStruct><Name>Version</Name>"
               "<Value>1 &amp; 2</Value></ArgStruct><ArgStruct><Name></Name><Value></Value></ArgStruct>"
               "</FileTypeArg></cwmp:RequestDownload>"));
    bench_text(&b, 200, IN("1-2", "", "<c:RequestDownloadResponse/>"));
    ck_assert_str_eq(bench_seen(&b), "rp");
    ck_assert_uint_eq(b.answer.id, 2);
    ck_assert_ptr_nonnull(strstr(b.last_text, "<StartTime>1970-01-01T00:00:00Z</StartTime>"));
    bench_text(&b, 200, IN("1-2", "", "<c:TransferCompleteResponse/>"));
    ck_assert_str_eq(bench_seen(&b), "r0");
    ck_assert_uint_eq(b.answer.id, 3);
    bench_done(&b);
}
END_TEST

START_TEST(a_request_that_the_version_does_not_have_is_not_sent) {
    Bench b = bench_asking(all_requests, 1);
    bench_text(&b, 200, ENVELOPE(ACCEPT));
    ck_assert_str_eq(bench_seen(&b), "ar0");
    ck_assert_uint_eq(b.answer.id, 1);
    ck_assert_int_eq(b.answer.fault, 9000);
    bench_done(&b);
}
END_TEST

/* Each request of ours has an ID of its own, and 8005 counts for each anew. */
START_TEST(requests_are_repeated_one_by_one) {
    Bench b = bench_asking(all_requests + 1, 2);
    bench_text(&b, 200, IN("1-2", "", ACCEPT));
    for (unsigned request = 0; request < 2; request++) {
        char id[16];
        snprintf(id, sizeof id, "%u", 2 + request);
        for (unsigned i = 0; i < SESSION_REPEATS_MAX; i++) {
            bench_text(&b, i % 2 ? 500 : 200, FAULT("8005"));
            ck_assert_str_eq(b.last.id, id);
        }
        bench_seen(&b);
        bench_text(&b, 200, FAULT("8005"));
        ck_assert_str_eq(bench_seen(&b), request == 0 ? "rp" : "r0");
        ck_assert_int_eq(b.answer.fault, 8005);
        ck_assert_str_eq(b.answer.text, "no");
    }
    bench_done(&b);
}
END_TEST

START_TEST(too_many_requests_are_refused) {
    SessionRequest many[SESSION_REQUESTS_MAX + 1];
    for (size_t i = 0; i < ARRAY_SIZE(many); i++)
        many[i] = failed_download;
    Session *session;
    const SessionConfig config = {.url = URL, .requests = many, .n_requests = ARRAY_SIZE(many)};
    ck_assert_int_eq(session_new(&session, &config, start_time), -E2BIG);
    /* As many as there may be, all at once not in this version. */
    for (size_t i = 0; i < ARRAY_SIZE(many); i++)
        many[i] = all_requests[0];
    Bench b = bench_asking(many, SESSION_REQUESTS_MAX);
    bench_text(&b, 200, ENVELOPE(ACCEPT));
    ck_assert_uint_eq(strlen(bench_seen(&b)), SESSION_REQUESTS_MAX + 2);
    bench_done(&b);
}
END_TEST

SUITE("session-expectations", expectation_7_the_first_post_is_the_whole_inform,
      expectation_11_http_errors_at_every_place, expectation_11_bodies_that_break_off,
      expectation_16_the_first_inform_is_in_cwmp_1_0, expectation_16_versions_are_negotiated,
      expectation_16_a_version_that_is_refused, expectation_17_the_id_of_a_request_comes_back,
      expectation_31_the_parameter_key_goes_with_success_alone,
      expectation_36_a_transfer_is_told_in_the_session_of_its_event,
      expectation_36_what_is_not_answered_is_not_told, expectation_36_a_fault_that_the_version_does_not_know,
      expectation_37_a_reboot_after_the_hems_has_the_response,
      expectation_37_the_session_goes_on_before_the_reboot,
      expectation_37_no_reboot_without_a_response_that_arrived, objections_of_others_reach_the_hems,
      a_verdict_out_of_time_means_nothing, a_session_can_go_while_it_waits,
      requests_of_our_own_as_they_are_written, a_request_that_the_version_does_not_have_is_not_sent,
      requests_are_repeated_one_by_one, too_many_requests_are_refused)
