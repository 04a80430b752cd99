/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The session engine against a scripted HeMS, on a clock of the test's. */
#include <check.h>

#include "seeded.h"
#include "session-bench.h"
#include "suite.h"

/* HeNB                         HeMS
 *  Inform            ->
 *                    <-  InformResponse
 *  (empty)           ->
 *                    <-  GetRPCMethods
 *  Response          ->
 *                    <-  GetParameterValues
 *  Response          ->
 *                    <-  SetParameterValues   (changed)
 *  Response          ->
 *                    <-  204                  (answered, ended) */
START_TEST(registration_as_in_5_1_3) {
    Bench b = bench_boot();
    ck_assert_ptr_nonnull(strstr(b.last_text, "<CurrentTime>2026-11-23T07:08:09Z</CurrentTime>"));
    ck_assert_ptr_nonnull(strstr(b.last_text, "<EventCode>0 BOOTSTRAP</EventCode>"));
    ck_assert_ptr_nonnull(strstr(b.last_text, "<EventCode>1 BOOT</EventCode>"));
    ck_assert_ptr_nonnull(strstr(b.last_text, "urn:dslforum-org:cwmp-1-0"));
    ck_assert_ptr_nonnull(strstr(
        b.last_text, "<cwmp:SupportedCWMPVersions soap-env:mustUnderstand=\"0\">1.0,1.1,1.2,1.3,1.4<"));
    ck_assert_ptr_nonnull(
        strstr(b.last_text, "<Name>" LTE "OpState</Name><Value xsi:type=\"xsd:boolean\">false<"));
    ck_assert_ptr_nonnull(strstr(b.last_text, "cwmp:ParameterValueStruct[9]"));

    bench_file(&b, "informresponse-pretty.xml");
    ck_assert_str_eq(bench_seen(&b), "a0");
    bench_file(&b, "getrpcmethods.xml");
    ck_assert_str_eq(bench_seen(&b), "p");
    ck_assert_ptr_nonnull(
        strstr(b.last_text, "urn:dslforum-org:cwmp-1-2")); /* the request's, not the Inform's */
    bench_file(&b, "getparametervalues.xml");
    ck_assert_str_eq(bench_seen(&b), "p");
    ck_assert_str_eq(b.last.id, "7");
    bench_file(&b, "setparametervalues.xml");
    ck_assert_str_eq(bench_seen(&b), "cp");
    ck_assert_int_eq(b.last.kind, SOAP_SET_PARAMETER_VALUES_RESPONSE);
    bench_text(&b, 204, "");
    ck_assert_str_eq(bench_seen(&b), "we");
    expect_end(&b, 0, "ended");
    bench_done(&b);
}
END_TEST

START_TEST(inform_says_what_it_is_told) {
    Bench b = bench_new(NULL, 0, 7);
    ck_assert_ptr_nonnull(strstr(b.last_text, "<Event soap-enc:arrayType=\"cwmp:EventStruct[0]\"></Event>"));
    ck_assert_ptr_nonnull(strstr(b.last_text, "<RetryCount>7</RetryCount>"));
    bench_done(&b);

    SoapEvent many[SESSION_EVENTS_MAX + 1];
    for (size_t i = 0; i < ARRAY_SIZE(many); i++)
        many[i] = (SoapEvent){"M Download", "k"};
    Model *model;
    Session *session;
    ck_assert_int_eq(model_new(&model, &(ModelConfig){0}), 0);
    const SessionConfig config = {.url = URL, .events = many, .n_events = ARRAY_SIZE(many), .model = model};
    ck_assert_int_eq(session_new(&session, &config, start_time), -E2BIG);
    /* A clock that nobody has set: the Unknown Time (expectation 22). */
    const SessionConfig early = {.url = URL, .model = model};
    SessionAction action;
    ck_assert_int_eq(session_new(&session, &early, (Moment){.mono = 5, .real = 86400 * USEC_PER_SEC}), 0);
    ck_assert(session_next(session, &action));
    ck_assert_ptr_nonnull(memmem(action.body, action.size, "<CurrentTime>0001-01-01T00:00:00Z<", 34));
    session_free(session);
    model_free(model);
}
END_TEST

/* The far end's address is to be used when the answer to the POST with the SetParameterValuesResponse has
 * arrived, whatever it holds: TS 32.593 5.1.3 step 2.2. */
START_TEST(whatever_answers_the_set_response_counts) {
    static const struct {
        unsigned status;
        const char *body;
        bool broken;
        const char *seen;
    } cases[] = {
        {204, "", false, "we"},
        {200, "", false, "we"},
        {200, ENVELOPE("<c:GetRPCMethods/>"), false, "wp"},
        {200, "<html>", false, "we"},
        {500, "oops", false, "we"},
        {401, "", false, "we"},
        {200, "", true, "we"}, /* its body broke off */
        {0, "", true, "e"},    /* nothing came: the session broke earlier */
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        Bench b = bench_boot();
        bench_file(&b, "informresponse-default-ns.xml");
        bench_file(&b, "setparametervalues.xml");
        ck_assert_str_eq(bench_seen(&b), "a0cp");
        if (cases[i].broken)
            bench_broken(&b, cases[i].status);
        else
            bench_text(&b, cases[i].status, cases[i].body);
        ck_assert_msg(strcmp(bench_seen(&b), cases[i].seen) == 0, "case %zu", i);
        /* The values stay in any case. */
        ck_assert_str_ne(model_get(b.model, LTE "Gateway.S1SigLinkServerList"), "");
        bench_done(&b);
    }
}
END_TEST

START_TEST(silence_after_the_set_response_is_no_answer) {
    Bench b = bench_boot();
    bench_file(&b, "informresponse-bom.xml");
    bench_file(&b, "setparametervalues.xml");
    ck_assert_str_eq(bench_seen(&b), "a0cp");
    b.now.mono += SESSION_ANSWER_TIMEOUT;
    session_tick(b.session, b.now);
    ck_assert_str_eq(bench_seen(&b), "e");
    expect_end(&b, -ETIMEDOUT, "no answer from " URL " for 60 s");
    bench_done(&b);
}
END_TEST

START_TEST(a_refused_set_is_not_told_as_answered) {
    Bench b = bench_boot();
    bench_file(&b, "informresponse-pretty.xml");
    bench_text(
        &b, 200,
        ENVELOPE("<c:SetParameterValues><ParameterList><P><Name>" LTE
                 "Gateway.S1SigLinkServerList</Name><Value>mme/1</Value></P></ParameterList><ParameterKey/>"
                 "</c:SetParameterValues>"));
    ck_assert_str_eq(bench_seen(&b), "a0p");
    ck_assert_int_eq(b.last.fault, 9003);
    ck_assert_ptr_nonnull(strstr(b.last_text, "<SetParameterValuesFault><ParameterName>" LTE
                                              "Gateway.S1SigLinkServerList</ParameterName><FaultCode>9007"));
    bench_text(&b, 200, "");
    ck_assert_str_eq(bench_seen(&b), "e");
    expect_end(&b, 0, "ended");
    bench_done(&b);
}
END_TEST

START_TEST(the_second_set_of_a_session_is_told_too) {
    Bench b = bench_boot();
    bench_file(&b, "informresponse-pretty.xml");
    bench_file(&b, "setparametervalues.xml");
    bench_file(&b, "setparametervalues.xml");
    ck_assert_str_eq(bench_seen(&b), "a0cpwcp");
    ck_assert_uint_eq(b.outcome.topics_set, MODEL_TOPIC_MME | MODEL_TOPIC_S1);
    ck_assert_uint_eq(b.outcome.topics_changed, 0); /* the same values as before */
    bench_text(&b, 200,
               ENVELOPE("<c:SetParameterValues><ParameterList><P><Name>Device.ManagementServer."
                        "PeriodicInformInterval</Name><Value>300</Value></P></ParameterList><ParameterKey/>"
                        "</c:SetParameterValues>"));
    ck_assert_str_eq(bench_seen(&b), "wcp");
    ck_assert_uint_eq(b.outcome.topics_changed, MODEL_TOPIC_PERIODIC);
    bench_text(&b, 204, "");
    ck_assert_str_eq(bench_seen(&b), "we");
    bench_done(&b);
}
END_TEST

/* Expectation 11: anything that is no InformResponse fails the session and says what it was. */
START_TEST(expectation_11_what_may_answer_an_inform) {
    static const struct {
        unsigned status;
        const char *type, *body;
        int error;
        const char *says;
    } cases[] = {
        {404, "text/html", "<html/>", -EPROTO, "HTTP 404 from " URL},
        {503, "", "", -EPROTO, "HTTP 503 from " URL},
        {401, "", "", -EACCES, "HTTP 401 from " URL ": it wants a user name and password"},
        {302, "", "", -EPROTO, "HTTP 302 from " URL},
        {201, "", "", -EPROTO, "HTTP 201 from " URL},
        {500, "text/xml",
         ENVELOPE("<e:Fault><faultstring>CWMP fault</faultstring><detail><c:Fault><FaultCode>8003</FaultCode>"
                  "<FaultString>odd</FaultString></c:Fault></detail></e:Fault>"),
         -ECONNREFUSED, "HTTP 500 from " URL ": fault 8003 odd"},
        {204, "", "", -EPROTO, "nothing from " URL " instead of an InformResponse"},
        {200, "", " \r\n", -EPROTO, "nothing from " URL " instead of an InformResponse"},
        {200, "text/html", "<html><head><title>x</head></html>", -EBADMSG, "(text/html from " URL ")"},
        {200, "text/html", "<html/>", -EBADMSG, "not SOAP: the document is <html> (text/html from "},
        {200, "", "<a>\n\n<b", -EBADMSG, "XML: line 3: "},
        {200, "text/xml", ENVELOPE("<c:GetRPCMethods/>"), -EPROTO,
         "GetRPCMethods from " URL " instead of an InformResponse"},
        {200, "text/xml", ENVELOPE(""), -EPROTO, "an empty Body from " URL " instead of an InformResponse"},
        {200, "text/xml",
         "<e:Envelope xmlns:e=\"http://schemas.xmlsoap.org/soap/envelope/\" "
         "xmlns:c=\"urn:dslforum-org:cwmp-1-0\"><e:Header><c:New e:mustUnderstand=\"1\"/></e:Header><e:Body>"
         "<c:InformResponse/></e:Body></e:Envelope>",
         -EPROTO, "demands the unknown header New"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        Bench b = bench_boot();
        bench_answer(&b, cases[i].status, cases[i].type, cases[i].body, strlen(cases[i].body));
        ck_assert_str_eq(bench_seen(&b), "e");
        expect_end(&b, cases[i].error, cases[i].says);
        bench_done(&b);
    }
    Bench b = bench_boot();
    bench_file(&b, "fault.xml");
    ck_assert_str_eq(bench_seen(&b), "e");
    expect_end(&b, -ECONNREFUSED, "fault 8001 unknown device");
    bench_done(&b);

    b = bench_boot();
    bench_broken(&b, 0);
    ck_assert_str_eq(bench_seen(&b), "e");
    expect_end(&b, -ECONNRESET, URL ": Recv failure");
    bench_done(&b);
}
END_TEST

START_TEST(a_pause_the_hems_asks_for_is_handed_on) {
    Bench b = bench_boot();
    const SessionResponse response = {
        .status = 503, .content_type = "", .body = "", .retry_after = 120 * USEC_PER_SEC};
    ck_assert_int_eq(session_input(b.session, b.now, &response), 0);
    ck_assert_str_eq(bench_seen(&b), "e");
    ck_assert_uint_eq(b.end.retry_after, 120 * USEC_PER_SEC);
    bench_done(&b);
}
END_TEST

/* Expectation 5, and an envelope that holds nothing. */
START_TEST(expectation_5_ends_that_are_good) {
    static const struct {
        unsigned status;
        const char *body;
    } cases[] = {{204, ""}, {200, ""}, {200, "\n"}, {200, ENVELOPE("")}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        Bench b = bench_boot();
        bench_file(&b, "informresponse-pretty.xml");
        bench_text(&b, cases[i].status, cases[i].body);
        ck_assert_str_eq(bench_seen(&b), "a0e");
        expect_end(&b, 0, "ended");
        bench_done(&b);
    }
}
END_TEST

START_TEST(ends_that_are_bad) {
    static const struct {
        unsigned status;
        const char *body;
        int error;
        const char *says;
    } cases[] = {
        {400, "Bad session state", -EPROTO, "HTTP 400"},
        {200, "<html>", -EBADMSG, "XML: "},
        {200, ENVELOPE("<c:InformResponse/>"), -EPROTO,
         "InformResponse from " URL ", though nothing was asked"},
        {200, ENVELOPE("<c:XResponse/>"), -EPROTO, "though nothing was asked"},
        {200, ENVELOPE("<e:Fault><faultstring>no</faultstring></e:Fault>"), -ECONNREFUSED, "fault 0 no"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        Bench b = bench_boot();
        bench_file(&b, "informresponse-pretty.xml");
        ck_assert_str_eq(bench_seen(&b), "a0"); /* the events are delivered all the same */
        bench_text(&b, cases[i].status, cases[i].body);
        ck_assert_str_eq(bench_seen(&b), "e");
        expect_end(&b, cases[i].error, cases[i].says);
        bench_done(&b);
    }
}
END_TEST

START_TEST(a_fault_of_ours_does_not_end_the_session) {
    Bench b = bench_boot();
    bench_file(&b, "informresponse-pretty.xml");
    bench_text(&b, 200, ENVELOPE("<c:Reboot><CommandKey>x</CommandKey></c:Reboot>"));
    ck_assert_str_eq(bench_seen(&b), "a0p");
    ck_assert_int_eq(b.last.fault, 9000);
    ck_assert_str_eq(b.last.id, "9");
    bench_text(&b, 200, ENVELOPE("<c:GetRPCMethods/>"));
    ck_assert_str_eq(bench_seen(&b), "p");
    ck_assert_int_eq(b.last.kind, SOAP_GET_RPC_METHODS_RESPONSE);
    bench_done(&b);
}
END_TEST

#define RESET ENVELOPE("<c:FactoryReset/>")

/* TS 32.593 5.1.4, Figure 5-6: any 2xx shows that the HeMS has the response, whatever is in it, and nothing
 * that is in it is done.
 *
 * HeNB                         HeMS
 *  (empty)           ->
 *                    <-  FactoryReset
 *  Response          ->
 *                    <-  2xx                  (ended) */
START_TEST(a_factory_reset_ends_the_session) {
    static const struct {
        unsigned status;
        bool broken;
        const char *body;
        int error;
        const char *says;
    } cases[] = {
        {204, false, "", 0, "has our FactoryResetResponse"},
        {200, false, "", 0, "has our FactoryResetResponse"},
        {202, false, "", 0, "has our FactoryResetResponse"},
        {200, false, "<html>", 0, "has our FactoryResetResponse"},
        {200, false, ENVELOPE(""), 0, "has our FactoryResetResponse"},
        {200, false, ENVELOPE("<c:GetRPCMethods/>"), 0, "has our FactoryResetResponse"},
        {200, false, ENVELOPE("<c:FactoryResetResponse/>"), 0, "has our FactoryResetResponse"},
        {200, false,
         ENVELOPE("<c:SetParameterValues><ParameterList><P><Name>" LTE
                  "AdminState</Name><Value>1</Value></P></ParameterList><ParameterKey>k</ParameterKey>"
                  "</c:SetParameterValues>"),
         0, "has our FactoryResetResponse"},
        {200, false, ENVELOPE("<e:Fault><faultstring>no</faultstring></e:Fault>"), 0, "has our Factory"},
        {200, true, "", 0, "has our FactoryResetResponse"}, /* its body broke off */
        {0, true, "", -ECONNRESET, "Connection reset"},
        {500, false, "", -EPROTO, "HTTP 500"},
        {500, true, "", -ECONNRESET, "Connection reset"},
        {401, false, "", -EACCES, "HTTP 401"},
        {302, false, "", -EPROTO, "HTTP 302"},
        {400, false, "Bad session state", -EPROTO, "HTTP 400"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        Bench b = bench_boot();
        bench_file(&b, "informresponse-pretty.xml");
        bench_text(&b, 200, RESET);
        ck_assert_str_eq(bench_seen(&b), "a0p");
        ck_assert_int_eq(b.last.kind, SOAP_FACTORY_RESET_RESPONSE);
        ck_assert_str_eq(b.last.id, "9");
        if (cases[i].broken)
            bench_broken(&b, cases[i].status);
        else
            bench_text(&b, cases[i].status, cases[i].body);
        ck_assert_msg(strcmp(bench_seen(&b), "e") == 0, "case %zu", i);
        expect_end(&b, cases[i].error, cases[i].says);
        ck_assert(b.end.factory_reset == (cases[i].error == 0));
        ck_assert_str_eq(model_get(b.model, LTE "AdminState"), "false");
        ck_assert_str_eq(model_get(b.model, "Device.ManagementServer.ParameterKey"), "");
        bench_done(&b);
    }
}
END_TEST

START_TEST(a_factory_reset_that_nobody_takes_is_none) {
    Bench b = bench_boot();
    bench_file(&b, "informresponse-pretty.xml");
    bench_text(&b, 200, RESET);
    ck_assert_str_eq(bench_seen(&b), "a0p");
    b.now.mono += SESSION_ANSWER_TIMEOUT;
    session_tick(b.session, b.now);
    ck_assert_str_eq(bench_seen(&b), "e");
    ck_assert(!b.end.factory_reset);
    expect_end(&b, -ETIMEDOUT, "no answer");
    bench_done(&b);

    /* One that is answered with a fault is no FactoryReset either. */
    b = bench_boot();
    bench_file(&b, "informresponse-pretty.xml");
    bench_text(&b, 200,
               "<e:Envelope xmlns:e=\"http://schemas.xmlsoap.org/soap/envelope/\" "
               "xmlns:c=\"urn:dslforum-org:cwmp-1-0\"><e:Header><c:New e:mustUnderstand=\"1\"/></e:Header>"
               "<e:Body><c:FactoryReset/></e:Body></e:Envelope>");
    ck_assert_str_eq(bench_seen(&b), "a0p");
    ck_assert_int_eq(b.last.kind, SOAP_FAULT);
    bench_text(&b, 204, "");
    ck_assert_str_eq(bench_seen(&b), "e");
    ck_assert(!b.end.factory_reset);
    expect_end(&b, 0, "ended");
    bench_done(&b);
}
END_TEST

/* After other requests it is answered like any; the set before it counts as ever. */
START_TEST(a_factory_reset_after_other_requests) {
    Bench b = bench_boot();
    bench_file(&b, "informresponse-pretty.xml");
    bench_file(&b, "getrpcmethods.xml");
    bench_file(&b, "setparametervalues.xml");
    ck_assert_str_eq(bench_seen(&b), "a0pcp");
    bench_text(&b, 200, RESET);
    ck_assert_str_eq(bench_seen(&b), "wp");
    ck_assert_int_eq(b.last.kind, SOAP_FACTORY_RESET_RESPONSE);
    bench_file(&b, "setparametervalues.xml");
    ck_assert_str_eq(bench_seen(&b), "e");
    ck_assert(b.end.factory_reset);
    expect_end(&b, 0, "FactoryResetResponse");
    bench_done(&b);
}
END_TEST

/* HoldRequests forbids requests of ours, of which there are none: the empty POST is sent as ever. */
START_TEST(hold_requests_changes_nothing_for_us) {
    Bench b = bench_boot();
    bench_text(&b, 200,
               "<e:Envelope xmlns:e=\"http://schemas.xmlsoap.org/soap/envelope/\" "
               "xmlns:c=\"urn:dslforum-org:cwmp-1-0\"><e:Header>"
               "<c:HoldRequests e:mustUnderstand=\"1\">1</c:HoldRequests></e:Header><e:Body>"
               "<c:InformResponse><MaxEnvelopes>1</MaxEnvelopes></c:InformResponse></e:Body></e:Envelope>");
    ck_assert_str_eq(bench_seen(&b), "a0");
    bench_file(&b, "getrpcmethods.xml");
    ck_assert_str_eq(bench_seen(&b), "p");
    bench_text(&b, 204, "");
    ck_assert_str_eq(bench_seen(&b), "e");
    expect_end(&b, 0, "ended");
    bench_done(&b);
}
END_TEST

START_TEST(deadlines_move_with_each_post_and_end) {
    Bench b = bench_boot();
    ck_assert_uint_eq(session_deadline(b.session), start_time.mono + SESSION_ANSWER_TIMEOUT);
    session_tick(b.session, b.now); /* too early: nothing */
    ck_assert_str_eq(bench_seen(&b), "");
    bench_file(&b, "informresponse-pretty.xml");
    ck_assert_uint_eq(session_deadline(b.session), b.now.mono + SESSION_ANSWER_TIMEOUT);
    ck_assert_str_eq(bench_seen(&b), "a0");
    /* A HeMS that asks and asks. */
    while (b.now.mono < start_time.mono + SESSION_TIMEOUT) {
        bench_file(&b, "getrpcmethods.xml");
        ck_assert_str_eq(bench_seen(&b), "p");
        b.now.mono += 10 * USEC_PER_SEC;
    }
    ck_assert_uint_le(session_deadline(b.session), b.now.mono);
    session_tick(b.session, b.now);
    ck_assert_str_eq(bench_seen(&b), "e");
    expect_end(&b, -ETIMEDOUT, "does not end the session");
    bench_done(&b);
}
END_TEST

/* Whatever bytes come at whatever place, the session does something orderly. */
START_TEST(random_answers_do_no_harm) {
    static const char *const files[] = {"informresponse-pretty.xml", "setparametervalues.xml",
                                        "getparameternames.xml", "getparametervalues.xml", "fault.xml"};
    uint64_t seed = 5;
    Rng rng = {seeded_fill, &seed};
    size_t ended = 0;
    for (size_t round = 0; round < 500; round++) {
        Bench b = bench_boot();
        bench_file(&b, "informresponse-pretty.xml");
        for (size_t i = 0; i < 10 && b.end.kind != SESSION_ENDED; i++) {
            size_t size;
            _cleanup_free_ char *data = data_read("cwmp", files[rng_below(&rng, ARRAY_SIZE(files))], &size);
            if (rng_below(&rng, 2))
                data[rng_below(&rng, size)] = (char)rng_below(&rng, 256);
            bench_answer(&b, 200, "", data, size);
            const char *seen = bench_seen(&b);
            /* Either the next POST is out or it is over. */
            ck_assert(strchr("p0e", seen[strlen(seen) - 1]));
        }
        ended += b.end.kind == SESSION_ENDED;
        bench_done(&b);
    }
    ck_assert_uint_gt(ended, 100);
}
END_TEST

static const SessionRequest two_requests[] = {
    {.kind = SESSION_REQUEST_TRANSFER_COMPLETE,
     .id = 7,
     .command_key = "k",
     .start_time = RPC_TIME_UNKNOWN,
     .complete_time = RPC_TIME_UNKNOWN},
    {.kind = SESSION_REQUEST_GET_RPC_METHODS, .id = 8},
};

START_TEST(expectation_1_own_requests_one_by_one_then_an_empty_post) {
    Bench b = bench_asking(two_requests, 2);
    bench_text(&b, 200, ENVELOPE("<c:InformResponse><MaxEnvelopes>8</MaxEnvelopes></c:InformResponse>"));
    ck_assert_str_eq(bench_seen(&b), "ap");
    ck_assert_ptr_nonnull(strstr(
        b.last_text,
        "<cwmp:TransferComplete><CommandKey>k</CommandKey><FaultStruct><FaultCode>0</FaultCode><FaultString>"
        "</FaultString></FaultStruct><StartTime>0001-01-01T00:00:00Z</StartTime>"));
    bench_text(&b, 200, ENVELOPE("<c:TransferCompleteResponse/>"));
    ck_assert_str_eq(bench_seen(&b), "rp");
    ck_assert_uint_eq(b.answer.id, 7);
    ck_assert_int_eq(b.answer.fault, 0);
    ck_assert_int_eq(b.last.kind, SOAP_GET_RPC_METHODS);
    bench_text(&b, 200, FAULT("8000"));
    ck_assert_str_eq(bench_seen(&b), "r0");
    ck_assert_uint_eq(b.answer.id, 8);
    bench_text(&b, 204, "");
    ck_assert_str_eq(bench_seen(&b), "e");
    expect_end(&b, 0, "ended");
    bench_done(&b);
}
END_TEST

START_TEST(expectation_49_a_fault_answers_our_get_rpc_methods) {
    Bench b = bench_asking(two_requests + 1, 1);
    bench_file(&b, "informresponse-pretty.xml");
    ck_assert_str_eq(bench_seen(&b), "ap");
    bench_text(&b, 500, FAULT("8000"));
    ck_assert_str_eq(bench_seen(&b), "r0");
    ck_assert_int_eq(b.answer.fault, 8000);
    bench_done(&b);
}
END_TEST

START_TEST(a_fault_8005_repeats_but_not_for_ever) {
    Bench b = bench_asking(two_requests + 1, 1);
    for (unsigned i = 0; i < SESSION_REPEATS_MAX; i++) {
        bench_text(&b, 200, FAULT("8005"));
        ck_assert_str_eq(bench_seen(&b), "p");
        ck_assert_int_eq(b.last.kind, SOAP_INFORM);
    }
    bench_text(&b, 200, FAULT("8005"));
    ck_assert_str_eq(bench_seen(&b), "e");
    bench_done(&b);
}
END_TEST

START_TEST(hold_requests_keeps_ours_back) {
    Bench b = bench_asking(two_requests + 1, 1);
    bench_text(&b, 200,
               "<e:Envelope xmlns:e=\"http://schemas.xmlsoap.org/soap/envelope/\" "
               "xmlns:c=\"urn:dslforum-org:cwmp-1-0\"><e:Header><c:HoldRequests>1</c:HoldRequests></e:Header>"
               "<e:Body><c:InformResponse/></e:Body></e:Envelope>");
    ck_assert_str_eq(bench_seen(&b), "a0");
    bench_text(&b, 200, ENVELOPE("<c:GetRPCMethods/>"));
    ck_assert_str_eq(bench_seen(&b), "p");
    bench_text(&b, 204, "");
    ck_assert_str_eq(bench_seen(&b), "p");
    ck_assert_int_eq(b.last.kind, SOAP_GET_RPC_METHODS);
    bench_done(&b);
}
END_TEST

START_TEST(silence_instead_of_a_verdict_is_9002) {
    Bench b = bench_boot();
    bench_file(&b, "informresponse-pretty.xml");
    b.silent = true;
    bench_file(&b, "setparametervalues.xml");
    ck_assert_str_eq(bench_seen(&b), "a0v");
    b.now.mono += SESSION_VERDICT_TIMEOUT;
    session_tick(b.session, b.now);
    ck_assert_str_eq(bench_seen(&b), "p");
    ck_assert_int_eq(b.last.kind, SOAP_FAULT);
    ck_assert_int_eq(b.last.fault, 9002);
    bench_done(&b);
}
END_TEST

SUITE("session", expectation_1_own_requests_one_by_one_then_an_empty_post,
      expectation_49_a_fault_answers_our_get_rpc_methods, a_fault_8005_repeats_but_not_for_ever,
      hold_requests_keeps_ours_back, silence_instead_of_a_verdict_is_9002, registration_as_in_5_1_3,
      inform_says_what_it_is_told, whatever_answers_the_set_response_counts,
      silence_after_the_set_response_is_no_answer, a_refused_set_is_not_told_as_answered,
      the_second_set_of_a_session_is_told_too, expectation_11_what_may_answer_an_inform,
      a_pause_the_hems_asks_for_is_handed_on, expectation_5_ends_that_are_good, ends_that_are_bad,
      a_fault_of_ours_does_not_end_the_session, a_factory_reset_ends_the_session,
      a_factory_reset_that_nobody_takes_is_none, a_factory_reset_after_other_requests,
      hold_requests_changes_nothing_for_us, deadlines_move_with_each_post_and_end, random_answers_do_no_harm)
