/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See answer.h. */
#include "discovery/answer.h"

#include "base/macro.h"

usec_t answer_expiry(usec_t ttl, Moment now) {
    usec_t lives = MAX(ttl, ANSWER_TTL_MIN);
    return now.mono + MIN(lives, ANSWER_TTL_MAX);
}

bool answer_literal(const char *name, AddressList *ret) {
    Address a;
    if (address_parse(name, &a) < 0)
        return false;
    *ret = (AddressList){.n = 1, .items = {a}};
    return true;
}

bool answer_known(Answer *answer, const char *name, Moment now) {
    if (answer->list.n > 0 && now.mono < answer->expires)
        return true;
    answer->list.n = 0;
    answer->expires = USEC_NEVER;
    return answer_literal(name, &answer->list);
}

void answer_set(Answer *answer, const AddressList *list, usec_t ttl, Moment now) {
    answer->list = *list;
    answer->expires = answer_expiry(ttl, now);
}
