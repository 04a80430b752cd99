/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is kept of a registration's steps (agent/timeline.h). */
#include <check.h>

#include "base/macro.h"
#include "suite.h"
#include "timeline.h"

static Timeline timeline;
static usec_t now;

static void note(AgentState state, const char *title, const char *error) {
    timeline_note(&timeline, ++now, state, title, "5.1", error);
}

/* As "TITLE START-END OUTCOME ERROR;". */
static void check_steps(const char *expected) {
    char text[4096] = "";
    const TimelineStep *step;
    for (size_t i = 0, n = 0; (step = timeline_step(&timeline, i)); i++)
        n +=
            (size_t)snprintf(text + n, sizeof text - n, "%s %u-%u %s%s%s;", step->title,
                             (unsigned)step->start, (unsigned)step->end,
                             timeline_outcome_to_string(step->outcome), *step->error ? " " : "", step->error);
    ck_assert_str_eq(text, expected);
}

START_TEST(a_registration_that_goes_well) {
    note(AGENT_IDLE, "Not started", "");
    check_steps("");
    note(AGENT_DISCOVERING, "A", "");
    note(AGENT_DISCOVERING, "A", "");
    check_steps("A 2-0 running;");
    note(AGENT_REGISTERING, "B", "");
    check_steps("A 2-4 done;B 4-0 running;");
    note(AGENT_REGISTERED, "C", "");
    check_steps("A 2-4 done;B 4-5 done;C 5-5 done;");
    /* What comes later is none of it. */
    note(AGENT_REGISTERED, "A", "failed");
    note(AGENT_REGISTERED_WITHOUT_MME, "C", "");
    check_steps("A 2-4 done;B 4-5 done;C 5-5 done;");
    ck_assert_str_eq(timeline_step(&timeline, 0)->clause, "5.1");
}
END_TEST

START_TEST(failures_stand_at_their_step) {
    note(AGENT_DISCOVERING, "A", "");
    note(AGENT_DISCOVERING, "B", "");
    note(AGENT_DISCOVERING, "B", "first address"); /* the same step, another attempt */
    note(AGENT_RETRYING, "Wait", "second address");
    note(AGENT_DISCOVERING, "A", "second address"); /* stays published */
    note(AGENT_DISCOVERING, "B", "second address");
    note(AGENT_RETRYING, "Wait", "second address"); /* the same once more */
    check_steps(
        "A 1-2 done;B 2-3 failed first address;B 3-4 failed second address;Wait 4-5 done;A 5-6 done;"
        "B 6-7 failed second address;Wait 7-0 running;");
}
END_TEST

START_TEST(a_loss_begins_anew) {
    note(AGENT_DISCOVERING, "A", "");
    note(AGENT_REGISTERED, "C", "");
    note(AGENT_RETRYING, "Wait", "the SeGW is silent");
    check_steps("Wait 3-0 running;");
    note(AGENT_DISCOVERING, "A", "the SeGW is silent");
    note(AGENT_REGISTERED_WITHOUT_MME, "C", "");
    check_steps("Wait 3-4 done;A 4-5 done;C 5-5 done;");
    /* The operator's word ends one, and is the start of none. */
    note(AGENT_DEREGISTERED, "D", "");
    check_steps("Wait 3-4 done;A 4-5 done;C 5-5 done;");
    note(AGENT_DISCOVERING, "A", "");
    note(AGENT_DEREGISTERED, "D", "");
    check_steps("A 7-8 done;D 8-8 done;");
}
END_TEST

START_TEST(of_a_long_one_the_end_is_kept) {
    char title[16];
    for (unsigned i = 0; i < TIMELINE_MAX + 10; i++) {
        snprintf(title, sizeof title, "S%u", i);
        note(AGENT_DISCOVERING, title, "");
    }
    ck_assert_str_eq(timeline_step(&timeline, 0)->title, "S10");
    ck_assert_str_eq(timeline_step(&timeline, TIMELINE_MAX - 1)->title, title);
    ck_assert_ptr_null(timeline_step(&timeline, TIMELINE_MAX));
    ck_assert_uint_eq(timeline_step(&timeline, 1)->start, timeline_step(&timeline, 0)->end);
}
END_TEST

SUITE("timeline", a_registration_that_goes_well, failures_stand_at_their_step, a_loss_begins_anew,
      of_a_long_one_the_end_is_kept)
