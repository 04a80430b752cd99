/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How the last registration went, step by step: from the power-up, or from the loss of what was registered,
 * to the published MMEs. Fed with what the procedure shows of itself; pure. What comes after a registration,
 * later sessions and refreshed names, is none. */
#pragma once

#include "base/moment.h"
#include "status.h"

#define TIMELINE_MAX 64 /* steps; of a registration with more, the oldest are forgotten */

typedef enum TimelineOutcome {
    TIMELINE_RUNNING,
    TIMELINE_DONE,
    TIMELINE_FAILED,
    TIMELINE_OUTCOMES_,
} TimelineOutcome;

/* "running", "done", "failed". */
const char *timeline_outcome_to_string(TimelineOutcome outcome);

typedef struct TimelineStep {
    usec_t start, end; /* Moment.mono; end 0: it runs */
    char clause[32];   /* "5.1.2.2 step 3"; "" */
    char title[64];
    TimelineOutcome outcome;
    char error[ERROR_MAX_BYTES]; /* FAILED: why; else "" */
} TimelineStep;

typedef struct Timeline {
    size_t first, n;
    TimelineStep steps[TIMELINE_MAX]; /* a ring */
    bool over;                        /* the registration is complete */
    char error[ERROR_MAX_BYTES];      /* the latest one shown */
} Timeline;

/* The procedure shows this now. */
void timeline_note(Timeline *timeline, usec_t now, AgentState state, const char *title, const char *clause,
                   const char *error);
/* The i-th step, the oldest first; NULL: no more. */
const TimelineStep *timeline_step(const Timeline *timeline, size_t i);
