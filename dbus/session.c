/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See session.h. */
#include "dbus/session.h"

#include "status.h"

static int append_outcome(sd_bus_message *m, const void *field) {
    return sd_bus_message_append_basic(m, 's', session_outcome_to_string(*(const SessionOutcome *)field));
}

static bool outcome_equal(const void *a, const void *b) {
    return *(const SessionOutcome *)a == *(const SessionOutcome *)b;
}

/* The events are several fields: the property is over the whole struct. */
static int append_pending(sd_bus_message *m, const void *field) {
    const SessionStatus *s = field;
    int r = sd_bus_message_open_container(m, 'a', "s");
    for (size_t i = 0; i < s->n_pending && r >= 0; i++)
        r = sd_bus_message_append_basic(m, 's', s->pending[i]);
    return r < 0 ? r : sd_bus_message_close_container(m);
}

static bool pending_equal(const void *a, const void *b) {
    const SessionStatus *x = a, *y = b;
    if (x->n_pending != y->n_pending)
        return false;
    for (size_t i = 0; i < x->n_pending; i++)
        if (!streq(x->pending[i], y->pending[i]))
            return false;
    return true;
}

static const PublishedProperty properties[] = {
    {"Url", "s", offsetof(SessionStatus, url), append_text, text_equal},
    {"Running", "b", offsetof(SessionStatus, running), append_bool, bool_equal},
    {"LastSession", "t", offsetof(SessionStatus, last_session), append_u64, u64_equal},
    {"LastOutcome", "s", offsetof(SessionStatus, last_outcome), append_outcome, outcome_equal},
    {"LastFault", "s", offsetof(SessionStatus, last_fault), append_text, text_equal},
    {"NextInform", "t", offsetof(SessionStatus, next_inform), append_u64, u64_equal},
    {"PendingEvents", "as", 0, append_pending, pending_equal},
};

int bus_session_add(Publication **ret, sd_bus *bus, const char *path) {
    const PublicationConfig config = {.path = path,
                                      .interface = "org.henb.Agent1.Session",
                                      .properties = properties,
                                      .n = ARRAY_SIZE(properties),
                                      .size = sizeof(SessionStatus)};
    return publication_new(ret, bus, &config, &(SessionStatus){});
}
