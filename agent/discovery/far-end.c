/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See far-end.h. */
#include "discovery/far-end.h"

#include "base/macro.h"

static void keep(FarEnd *f, Mme *mme) {
    for (size_t i = 0; i < f->published.mme.n; i++)
        if (streq(f->published.mme.items[i].entry, mme->entry))
            mme->addresses = f->published.mme.items[i].addresses;
}

void far_end_take(FarEnd *f, const S1Config *s1, Moment now) {
    bool lives = f->expires != USEC_NEVER && now.mono < f->expires;

    f->word = *s1;
    f->index = 0;
    f->published.admin_state &= s1->admin_state;
    if (!lives)
        f->expires = USEC_NEVER;
    for (size_t i = 0; lives && i < f->word.mme.n; i++)
        if (f->word.mme.items[i].addresses.n == 0)
            keep(f, &f->word.mme.items[i]);
}

const char *far_end_name(FarEnd *f) {
    const MmeList *mme = &f->word.mme;
    while (f->index < mme->n && mme->items[f->index].addresses.n > 0)
        f->index++;
    return f->index < mme->n ? mme->items[f->index].entry : NULL;
}

void far_end_answer(FarEnd *f, const AddressList *list, usec_t ttl, Moment now) {
    Mme *mme = &f->word.mme.items[f->index++];

    usec_t expires = list ? answer_expiry(ttl, now) : now.mono + FAR_END_RETRY;

    if (list)
        mme->addresses = *list;
    else
        keep(f, mme);
    if (mme->addresses.n > 0)
        f->expires = MIN(f->expires, expires);
}

bool far_end_usable(const FarEnd *f) {
    for (size_t i = 0; i < f->word.mme.n; i++)
        if (f->word.mme.items[i].addresses.n > 0)
            return true;
    return false;
}

void far_end_publish(FarEnd *f) {
    const MmeList *mme = &f->word.mme;

    f->published = f->word;
    f->published.mme = (MmeList){};
    for (size_t i = 0; i < mme->n; i++)
        if (mme->items[i].addresses.n > 0)
            f->published.mme.items[f->published.mme.n++] = mme->items[i];
}

bool far_end_is_complete(const FarEnd *f) {
    return f->published.mme.n == f->word.mme.n;
}

void far_end_ask_again(FarEnd *f, bool all, const AddressList *inside) {
    f->index = 0;
    if (!all)
        return;
    f->expires = USEC_NEVER;
    for (size_t i = 0; i < f->word.mme.n; i++) {
        AddressList *list = &f->word.mme.items[i].addresses;
        bool use = answer_literal(f->word.mme.items[i].entry, list) &&
                   (!inside || address_list_find(inside, list->items[0].family));
        if (!use)
            list->n = 0;
    }
}

void far_end_withdraw(FarEnd *f) {
    f->published.mme = (MmeList){};
}
