/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See timeline.h. */
#include "timeline.h"

#include <stdio.h>

#include "base/macro.h"

const char *timeline_outcome_to_string(TimelineOutcome outcome) {
    static const char *const words[] = {
        [TIMELINE_RUNNING] = "running",
        [TIMELINE_DONE] = "done",
        [TIMELINE_FAILED] = "failed",
    };
    static_assert(ARRAY_SIZE(words) == TIMELINE_OUTCOMES_, "a word for each outcome");

    assert(outcome >= 0 && outcome < TIMELINE_OUTCOMES_);
    return words[outcome];
}

static TimelineStep *last(Timeline *t) {
    return t->n > 0 ? &t->steps[(t->first + t->n - 1) % TIMELINE_MAX] : NULL;
}

static void step_begin(Timeline *t, usec_t now, const char *title, const char *clause) {
    if (t->n == TIMELINE_MAX)
        t->first = (t->first + 1) % TIMELINE_MAX;
    else
        t->n++;
    *last(t) = (TimelineStep){.start = now};
    snprintf(last(t)->title, sizeof last(t)->title, "%s", title);
    snprintf(last(t)->clause, sizeof last(t)->clause, "%s", clause);
}

/* *error*: "" for a step that went well. */
static void step_end(Timeline *t, usec_t now, const char *error) {
    TimelineStep *step = last(t);

    if (!step || step->outcome != TIMELINE_RUNNING)
        return;
    step->end = now;
    step->outcome = *error ? TIMELINE_FAILED : TIMELINE_DONE;
    snprintf(step->error, sizeof step->error, "%s", error);
}

/* Where nothing is to be done until somebody says so: no registration is under way. */
static bool is_rest(AgentState state) {
    return state == AGENT_IDLE || state == AGENT_DEREGISTERED;
}

static bool is_registered(AgentState state) {
    return state == AGENT_REGISTERED || state == AGENT_REGISTERED_WITHOUT_MME;
}

void timeline_note(Timeline *t, usec_t now, AgentState state, const char *title, const char *clause,
                   const char *error) {
    const TimelineStep *step = last(t);
    bool news = *error && !streq(error, t->error);
    bool same = step && streq(step->title, title) && streq(step->clause, clause);

    snprintf(t->error, sizeof t->error, "%s", error);
    if (t->over ? is_registered(state) || is_rest(state) : same && !news)
        return;
    if (is_rest(state) && t->n == 0)
        return;
    if (t->over) {
        t->first = t->n = 0;
        t->over = false;
        news = false; /* the error is that of the loss */
    }
    /* The same error a second time is no news; but then what follows waits. */
    step_end(t, now, news || state == AGENT_RETRYING ? error : "");
    step_begin(t, now, title, clause);
    if (is_registered(state) || is_rest(state)) {
        step_end(t, now, "");
        t->over = true;
    }
}

const TimelineStep *timeline_step(const Timeline *t, size_t i) {
    return i < t->n ? &t->steps[(t->first + i) % TIMELINE_MAX] : NULL;
}
