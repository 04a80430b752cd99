/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See status.h. */
#include "status.h"

#include "base/macro.h"

const char *agent_state_to_string(AgentState state) {
    static const char *const words[] = {
        [AGENT_IDLE] = "idle",
        [AGENT_WAITING_NETWORK] = "waiting-network",
        [AGENT_DISCOVERING] = "discovering",
        [AGENT_REGISTERING] = "registering",
        [AGENT_REGISTERED_WITHOUT_MME] = "registered-without-mme",
        [AGENT_REGISTERED] = "registered",
        [AGENT_RETRYING] = "retrying",
        [AGENT_DEREGISTERED] = "deregistered",
        [AGENT_FAILED_CONFIG] = "failed-config",
    };
    static_assert(ARRAY_SIZE(words) == AGENT_STATES_, "a word for each state");

    assert(state >= 0 && state < AGENT_STATES_);
    return words[state];
}

const char *session_outcome_to_string(SessionOutcome outcome) {
    static const char *const words[] = {
        [SESSION_NONE] = "none",
        [SESSION_SUCCEEDED] = "succeeded",
        [SESSION_FAILED] = "failed",
        [SESSION_UNREACHED] = "unreached",
    };
    static_assert(ARRAY_SIZE(words) == SESSION_OUTCOMES_, "a word for each outcome");

    assert(outcome >= 0 && outcome < SESSION_OUTCOMES_);
    return words[outcome];
}
