/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the journal is told of the procedure: which message, and whom and what it names. */
#include "procedure-script.h"

#include "base/log.h"

#define URL "http://hems.example:7547/"

/* The last line of each message: its fields as one text, and how many there were. */
static struct {
    char fields[1024];
    unsigned n;
} told[MESSAGES_];

static int on_line(int level, const char *id, const char *text, const char *const *fields, size_t n) {
#define X(name, id, fields) id,
    static const char *const ids[] = {"", LOG_MESSAGES(X)};
#undef X
    unsigned message = 1;
    size_t used = 0;

    while (message < MESSAGES_ && !streq(ids[message], id))
        message++;
    ck_assert_uint_lt(message, MESSAGES_);
    told[message].n++;
    told[message].fields[0] = 0;
    for (size_t i = 0; i < n; i++)
        used += (size_t)snprintf(told[message].fields + used, sizeof told->fields - used, "%s%s",
                                 i ? "|" : "", fields[i]);
    return 0;
}

static void expect_told(LogMessage message, unsigned times, const char *fields) {
    ck_assert_uint_eq(told[message].n, times);
    ck_assert_str_eq(told[message].fields, times ? fields : "");
}

static void begin(void) {
    memset(told, 0, sizeof told);
    log_set_sink(on_line);
    setup("segw.example", "hems.example");
    start(URL);
    expect_action(ACTION_RESOLVE);
}

static void to_session(void) {
    begin();
    resolved(1);
    expect_action(ACTION_TUNNEL);
    tunnel_up(AF_INET);
    expect_action(ACTION_RESOLVE);
    resolved(1);
    expect_action(ACTION_SESSION);
}

static void to_registered(void) {
    to_session();
    event(EVENT_SESSION_ACCEPTED);
    with_mme(EVENT_SESSION_ANSWERED, mmes("10.0.0.20", "10.0.0.21"));
    expect_state(AGENT_REGISTERED, STEP_REGISTERED);
}

START_TEST(registered_once) {
    to_session();
    expect_told(
        MESSAGE_STEP, 4,
        "STEP=Open a TR-069 session with the Serving HeMS|CLAUSE=5.1.3 steps 1.1-1.2|STATE=registering");
    to_registered();
    expect_told(MESSAGE_REGISTERED, 1,
                "STEP=Registered with the Serving HeMS|CLAUSE=5.1.3 steps 3-4|STATE=registered|PEER=" URL
                "|MME=10.0.0.20 10.0.0.21");
    with_mme(EVENT_SESSION_ENDED, mmes("10.0.0.20", NULL));
    expect_told(MESSAGE_REGISTRATION_LOST, 0, NULL);
    session_due();
    ck_assert_uint_eq(told[MESSAGE_REGISTERED].n, 1);
}
END_TEST

START_TEST(registered_without_an_mme) {
    to_session();
    event(EVENT_SESSION_ACCEPTED);
    ended(NULL, mmes(NULL, NULL));
    expect_told(MESSAGE_REGISTERED, 0, NULL);
    expect_told(MESSAGE_WITHOUT_MME, 1,
                "STEP=Registered with the Serving HeMS|CLAUSE=5.1.3 steps "
                "3-4|STATE=registered-without-mme|PEER=" URL);
}
END_TEST

/* A name is named where there is no address yet; then the wait says how long it is. */
START_TEST(a_name_that_does_not_resolve) {
    begin();
    absent("segw.example: none");
    expect_told(MESSAGE_STEP_FAILED, 1,
                "STEP=Ask the public DNS for the Serving SeGW|CLAUSE=5.1.2.2 steps 1-2|PEER=segw.example|"
                "ERROR=segw.example: none");
    usec_t wait = procedure_deadline(p) - now.mono;
    char fields[256];
    snprintf(fields, sizeof fields,
             "STEP=Wait before the next attempt|STATE=retrying|ERROR=segw.example: none|RETRY_SEC=%u",
             (unsigned)(wait / USEC_PER_SEC));
    expect_told(MESSAGE_RETRY, 1, fields);
}
END_TEST

/* What the tunnel says of its failure is kept; it has one line. */
START_TEST(a_gateway_that_is_not_trusted) {
    begin();
    resolved(1);
    expect_action(ACTION_TUNNEL);
    procedure_event(
        p, now,
        &(ProcedureEvent){EVENT_TUNNEL_DOWN, .text = "not trusted", .message = MESSAGE_SEGW_UNTRUSTED});
    expect_told(MESSAGE_SEGW_UNTRUSTED, 1,
                "STEP=Establish the IPsec tunnel to the Serving SeGW|CLAUSE=5.1.2.2 step 3|PEER=203.0.113.1|"
                "ERROR=not trusted");
    expect_told(MESSAGE_STEP_FAILED, 0, NULL);
    expect_told(MESSAGE_TUNNEL_LOST, 0, NULL);
}
END_TEST

/* Also of a tunnel that was up: whom it is about is no HeMS. */
START_TEST(a_gateway_that_is_not_trusted_any_more) {
    to_registered();
    procedure_event(
        p, now,
        &(ProcedureEvent){EVENT_TUNNEL_DOWN, .text = "not trusted", .message = MESSAGE_SEGW_UNTRUSTED});
    expect_told(MESSAGE_SEGW_UNTRUSTED, 1,
                "STEP=Registered with the Serving HeMS|CLAUSE=5.1.3 steps 3-4|PEER=203.0.113.1|"
                "ERROR=not trusted");
    expect_told(MESSAGE_TUNNEL_LOST, 0, NULL);
}
END_TEST

/* Each name that fails has one line, and the last one has no second. */
START_TEST(names_of_mmes_that_do_not_resolve) {
    to_session();
    event(EVENT_SESSION_ACCEPTED);
    with_mme(EVENT_SESSION_ANSWERED, mmes("mme1.example", "mme2.example"));
    failure(EVENT_RESOLVED, "mme1.example: none");
    expect_told(MESSAGE_STEP_FAILED, 1,
                "STEP=Ask the private DNS for the MME|CLAUSE=5.1.3 step 2.1|PEER=mme1.example|"
                "ERROR=mme1.example: none");
    failure(EVENT_RESOLVED, "mme2.example: none");
    expect_told(MESSAGE_STEP_FAILED, 2,
                "STEP=Ask the private DNS for the MME|CLAUSE=5.1.3 step 2.1|PEER=mme2.example|"
                "ERROR=mme2.example: none");
    expect_state(AGENT_RETRYING, STEP_WAIT_MME);
}
END_TEST

START_TEST(an_attempt_that_fails_is_no_loss) {
    begin();
    resolved(1);
    expect_action(ACTION_TUNNEL);
    failure(EVENT_TUNNEL_DOWN, "no answer");
    ck_assert_uint_eq(told[MESSAGE_STEP_FAILED].n, 1);
    expect_told(MESSAGE_TUNNEL_LOST, 0, NULL);
    expect_told(MESSAGE_REGISTRATION_LOST, 0, NULL);
}
END_TEST

START_TEST(a_tunnel_that_is_lost_takes_the_registration) {
    to_registered();
    failure(EVENT_TUNNEL_DOWN, "dead");
    expect_told(MESSAGE_TUNNEL_LOST, 1,
                "STEP=Registered with the Serving HeMS|CLAUSE=5.1.3 steps 3-4|PEER=203.0.113.1|ERROR=dead");
    expect_told(MESSAGE_REGISTRATION_LOST, 1,
                "STEP=Registered with the Serving HeMS|CLAUSE=5.1.3 steps 3-4|PEER=" URL
                "|MME=10.0.0.20 10.0.0.21");
    expect_told(MESSAGE_STEP_FAILED, 0, NULL);
}
END_TEST

START_TEST(a_session_that_fails) {
    to_session();
    procedure_event(p, now, &(ProcedureEvent){EVENT_SESSION_ENDED, .text = "fault 8003", .fault = 8003});
    expect_told(MESSAGE_SESSION_FAILED, 1,
                "STEP=Open a TR-069 session with the Serving HeMS|CLAUSE=5.1.3 steps 1.1-1.2|PEER=" URL
                "|ERROR=fault 8003|CWMP_FAULT=8003");
}
END_TEST

START_TEST(deregistered) {
    to_registered();
    event(EVENT_DEREGISTERED);
    ck_assert_uint_eq(told[MESSAGE_REGISTRATION_LOST].n, 1);
    expect_told(MESSAGE_STEP, told[MESSAGE_STEP].n,
                "STEP=De-registered by the operator|CLAUSE=5.1.4|STATE=deregistered");
}
END_TEST

SUITE("procedure-log", registered_once, registered_without_an_mme, a_name_that_does_not_resolve,
      a_gateway_that_is_not_trusted, a_gateway_that_is_not_trusted_any_more,
      names_of_mmes_that_do_not_resolve, an_attempt_that_fails_is_no_loss,
      a_tunnel_that_is_lost_takes_the_registration, a_session_that_fails, deregistered)
