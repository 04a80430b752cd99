/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See owner.h. */
#include "owner.h"

#include <stdio.h>

#include "base/utf8.h"

#define FAULT_DENIED   9001 /* TR-069 A.5.1: request denied */
#define FAULT_INTERNAL 9002

typedef enum OwnersState {
    OWNERS_IDLE,
    OWNERS_ASKING,
    OWNERS_AGREED,
} OwnersState;

/* How far one of them is with the change set. */
typedef enum MemberState {
    MEMBER_ABSENT,  /* not there, or does not want to be asked */
    MEMBER_PRESENT, /* nothing of the change set is its own */
    MEMBER_TO_ASK,
    MEMBER_ASKED,
    MEMBER_AGREED,
    MEMBER_OBJECTS,
    MEMBER_FAILED,
    MEMBER_TO_COMMIT,
    MEMBER_TO_ABORT,
} MemberState;

/* One well-known name of the table. */
typedef struct Member {
    const char *name;
    MemberState state;
    OwnerChange *changes; /* in Owners.changes */
    size_t n;
} Member;

struct Owners {
    const OwnerTable *table;
    size_t n_members;
    Member members[OWNERS_MAX];

    OwnersState state;
    uint64_t id;
    usec_t deadline;
    OwnerChange *changes; /* of the change set, grouped by member; owned with their strings */
    size_t n_changes;
    OwnerFault *faults; /* one at most for each change */
    size_t n_faults;
    bool verdict; /* to be told */
};

static Member *member_find(Owners *owners, const char *name) {
    for (size_t i = 0; i < owners->n_members; i++)
        if (streq(owners->members[i].name, name))
            return &owners->members[i];
    return NULL;
}

int owners_new(Owners **ret, const OwnerTable *table) {
    Owners *owners = calloc(1, sizeof *owners);

    if (!owners)
        return -ENOMEM;
    owners->table = table;
    owners->deadline = USEC_NEVER;
    for (size_t i = 0; i < table->n; i++)
        if (!member_find(owners, table->rows[i].name))
            owners->members[owners->n_members++] = (Member){.name = table->rows[i].name};
    *ret = owners;
    return 0;
}

static void changes_free(Owners *owners) {
    for (size_t i = 0; i < owners->n_changes; i++) {
        free((char *)owners->changes[i].name);
        if (owners->changes[i].value) {
            explicit_bzero((char *)owners->changes[i].value, strlen(owners->changes[i].value));
            free((char *)owners->changes[i].value);
        }
    }
    free(owners->changes);
    free(owners->faults);
    owners->changes = NULL;
    owners->faults = NULL;
    owners->n_changes = owners->n_faults = 0;
}

void owners_free(Owners *owners) {
    if (!owners)
        return;
    changes_free(owners);
    free(owners);
}

/* The only one that writes Owners.state. */
static void state_set(Owners *owners, OwnersState state) {
    owners->state = state;
    if (state != OWNERS_ASKING)
        owners->deadline = USEC_NEVER;
}

/* A fault for each of the member's changes that has none. */
static void member_blame(Owners *owners, const Member *member, int code, const char *text) {
    for (size_t i = 0; i < member->n; i++) {
        bool blamed = false;
        for (size_t j = 0; j < owners->n_faults && !blamed; j++)
            blamed = owners->faults[j].name == member->changes[i].name;
        if (blamed)
            continue;
        OwnerFault *fault = &owners->faults[owners->n_faults++];
        *fault = (OwnerFault){.name = member->changes[i].name, .code = code};
        snprintf(fault->text, sizeof fault->text, "%s", text);
    }
}

/* Whoever was asked and is still there gets the last word. */
static void members_end(Owners *owners, bool committed) {
    for (size_t i = 0; i < owners->n_members; i++) {
        Member *m = &owners->members[i];
        switch (m->state) {
        case MEMBER_ABSENT:
        case MEMBER_PRESENT:
        case MEMBER_TO_COMMIT:
        case MEMBER_TO_ABORT:
            break;
        case MEMBER_TO_ASK:
            m->state = MEMBER_PRESENT;
            break;
        case MEMBER_ASKED:
        case MEMBER_AGREED:
        case MEMBER_OBJECTS:
        case MEMBER_FAILED:
            m->state = committed ? MEMBER_TO_COMMIT : MEMBER_TO_ABORT;
            break;
        }
        m->changes = NULL;
        m->n = 0;
    }
}

/* Is there a verdict now? */
static void judge(Owners *owners) {
    for (size_t i = 0; i < owners->n_members; i++)
        if (owners->members[i].state == MEMBER_TO_ASK || owners->members[i].state == MEMBER_ASKED)
            return;
    owners->verdict = true;
    if (owners->n_faults == 0) {
        state_set(owners, OWNERS_AGREED);
        return;
    }
    members_end(owners, false);
    state_set(owners, OWNERS_IDLE);
}

bool owners_enter(Owners *owners, const char *name) {
    Member *m = member_find(owners, name);

    if (m && m->state == MEMBER_ABSENT)
        m->state = MEMBER_PRESENT;
    return m;
}

void owners_leave(Owners *owners, const char *name) {
    Member *m = member_find(owners, name);
    char text[OWNER_REASON_MAX];

    if (!m)
        return;
    switch (m->state) {
    case MEMBER_ABSENT:
        return;
    case MEMBER_TO_ASK:
    case MEMBER_ASKED:
        snprintf(text, sizeof text, "%.90s has left the bus", m->name);
        member_blame(owners, m, FAULT_INTERNAL, text);
        m->state = MEMBER_ABSENT;
        judge(owners);
        return;
    case MEMBER_PRESENT:
    case MEMBER_AGREED:
    case MEMBER_OBJECTS:
    case MEMBER_FAILED:
    case MEMBER_TO_COMMIT:
    case MEMBER_TO_ABORT:
        m->state = MEMBER_ABSENT;
        return;
    }
}

/* Copies the changes of *m* behind those that are there. */
static int member_take(Owners *owners, Member *m, const OwnerChange *changes, size_t n) {
    OwnerChange *first = &owners->changes[owners->n_changes];

    for (size_t i = 0; i < n; i++) {
        const OwnerRow *row = owner_table_find(owners->table, changes[i].name);
        if (!row || !streq(row->name, m->name))
            continue;
        OwnerChange *copy = &owners->changes[owners->n_changes++];
        *copy = (OwnerChange){strdup(changes[i].name), changes[i].kind, strdup(changes[i].value)};
        if (!copy->name || !copy->value)
            return -ENOMEM;
        m->n++;
    }
    m->changes = first;
    if (m->n > 0)
        m->state = MEMBER_TO_ASK;
    return 0;
}

int owners_begin(Owners *owners, usec_t now, const OwnerChange *changes, size_t n) {
    if (owners->state != OWNERS_IDLE || owners->verdict)
        return -EBUSY;
    for (size_t i = 0; i < owners->n_members; i++)
        if (owners->members[i].state == MEMBER_TO_COMMIT || owners->members[i].state == MEMBER_TO_ABORT)
            return -EBUSY;
    changes_free(owners);
    owners->changes = calloc(n ?: 1, sizeof *owners->changes);
    owners->faults = calloc(n ?: 1, sizeof *owners->faults);
    if (!owners->changes || !owners->faults) {
        changes_free(owners);
        return -ENOMEM;
    }
    for (size_t i = 0; i < owners->n_members; i++) {
        Member *m = &owners->members[i];
        if (m->state == MEMBER_PRESENT && member_take(owners, m, changes, n) < 0) {
            members_end(owners, false);
            changes_free(owners);
            return -ENOMEM;
        }
    }
    owners->id++;
    owners->deadline = now + OWNER_LIMIT;
    state_set(owners, OWNERS_ASKING);
    judge(owners);
    return 0;
}

static Member *member_asked(Owners *owners, uint64_t id, const char *name) {
    Member *m = member_find(owners, name);
    return owners->state == OWNERS_ASKING && id == owners->id && m && m->state == MEMBER_ASKED ? m : NULL;
}

/* A reason as a HeMS may see it: cut between characters, without control characters. */
static void reason_clean(char ret[static OWNER_REASON_MAX], const char *reason) {
    size_t len = 0;

    for (size_t n; (n = utf8_sequence(reason)) > 0 && len + n < OWNER_REASON_MAX; reason += n, len += n) {
        memcpy(ret + len, reason, n);
        if ((unsigned char)*reason < ' ' || *reason == 0x7f)
            ret[len] = '?';
    }
    ret[len] = 0;
    if (len == 0)
        strcpy(ret, "refused by the part of the box that it concerns");
}

static const OwnerChange *member_change(const Member *m, const char *name) {
    for (size_t i = 0; i < m->n; i++)
        if (streq(m->changes[i].name, name))
            return &m->changes[i];
    return NULL;
}

void owners_answer(Owners *owners, uint64_t id, const char *name, bool agreed,
                   const OwnerObjection *objections, size_t n) {
    Member *m = member_asked(owners, id, name);
    size_t before = owners->n_faults;
    char text[OWNER_REASON_MAX];

    if (!m)
        return;
    if (agreed && n == 0) {
        m->state = MEMBER_AGREED;
        judge(owners);
        return;
    }
    for (size_t i = 0; i < n && owners->n_faults - before < m->n; i++) {
        const OwnerChange *change = member_change(m, objections[i].name);
        if (!change)
            continue;
        const Member one = {.changes = (OwnerChange *)change, .n = 1};
        reason_clean(text, objections[i].reason);
        member_blame(owners, &one, FAULT_DENIED, text);
    }
    if (owners->n_faults == before) {
        reason_clean(text, n > 0 ? objections[0].reason : "");
        member_blame(owners, m, FAULT_DENIED, text);
    }
    m->state = MEMBER_OBJECTS;
    judge(owners);
}

void owners_failed(Owners *owners, uint64_t id, const char *name, const char *why) {
    Member *m = member_asked(owners, id, name);
    char text[OWNER_REASON_MAX], reason[OWNER_REASON_MAX];

    if (!m)
        return;
    snprintf(text, sizeof text, "%.60s failed: ", m->name);
    reason_clean(reason, why);
    snprintf(text + strlen(text), sizeof text - strlen(text), "%.40s", utf8_is_valid(reason) ? reason : "");
    member_blame(owners, m, FAULT_INTERNAL, text);
    m->state = MEMBER_FAILED;
    judge(owners);
}

void owners_tick(Owners *owners, usec_t now) {
    char text[OWNER_REASON_MAX];

    if (owners->state != OWNERS_ASKING || now < owners->deadline)
        return;
    for (size_t i = 0; i < owners->n_members; i++) {
        Member *m = &owners->members[i];
        if (m->state != MEMBER_TO_ASK && m->state != MEMBER_ASKED)
            continue;
        snprintf(text, sizeof text, "%.90s did not answer", m->name);
        member_blame(owners, m, FAULT_INTERNAL, text);
        m->state = m->state == MEMBER_ASKED ? MEMBER_FAILED : MEMBER_PRESENT;
    }
    judge(owners);
}

usec_t owners_deadline(const Owners *owners) {
    return owners->deadline;
}

void owners_end(Owners *owners, bool committed) {
    if (owners->state == OWNERS_IDLE)
        return;
    assert(!committed || owners->state == OWNERS_AGREED);
    owners->verdict = false;
    members_end(owners, committed);
    state_set(owners, OWNERS_IDLE);
}

bool owners_next(Owners *owners, OwnerAction *ret) {
    for (size_t i = 0; i < owners->n_members; i++) {
        Member *m = &owners->members[i];
        OwnerAction action = {.id = owners->id, .name = m->name};
        switch (m->state) {
        case MEMBER_ABSENT:
        case MEMBER_PRESENT:
        case MEMBER_ASKED:
        case MEMBER_AGREED:
        case MEMBER_OBJECTS:
        case MEMBER_FAILED:
            continue;
        case MEMBER_TO_ASK:
            m->state = MEMBER_ASKED;
            action.type = OWNER_PREPARE;
            action.changes = m->changes;
            action.n = m->n;
            break;
        case MEMBER_TO_COMMIT:
        case MEMBER_TO_ABORT:
            action.type = m->state == MEMBER_TO_COMMIT ? OWNER_COMMIT : OWNER_ABORT;
            m->state = MEMBER_PRESENT;
            break;
        }
        *ret = action;
        return true;
    }
    if (!owners->verdict)
        return false;
    owners->verdict = false;
    *ret = (OwnerAction){
        .type = OWNER_VERDICT, .id = owners->id, .faults = owners->faults, .n = owners->n_faults};
    return true;
}
