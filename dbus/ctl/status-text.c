/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See status-text.h. */
#include "dbus/ctl/status-text.h"

#include <inttypes.h>

#include "base/macro.h"

#define LABEL 12 /* columns before the colon */

/* What follows a label stands on lines of its own, each under the first. */
static void line_begin(FILE *out, const char *label) {
    fprintf(out, "%*s%s", LABEL, label, *label ? ": " : "  ");
}

/* A line with one text, cut to the terminal. */
static void line(FILE *out, const Style *style, const char *label, const char *text) {
    line_begin(out, label);
    style_print(out, style, text, style->width > LABEL + 12 ? style->width - LABEL - 2 : 0);
    fputc('\n', out);
}

static void line_unless_empty(FILE *out, const Style *style, const char *label, const char *text) {
    if (*text)
        line(out, style, label, text);
}

static Colour state_colour(const char *state) {
    static const struct {
        const char *state;
        Colour colour;
    } colours[] = {
        {"registered", COLOUR_GOOD}, {"retrying", COLOUR_BAD},     {"failed-config", COLOUR_BAD},
        {"idle", COLOUR_PLAIN},      {"deregistered", COLOUR_BAD},
    };
    for (size_t i = 0; i < ARRAY_SIZE(colours); i++)
        if (streq(colours[i].state, state))
            return colours[i].colour;
    return COLOUR_BUSY;
}

static void dot_print(FILE *out, const Style *style, Colour colour, bool full) {
    const char *dot = !style->utf8 ? "*" : full ? "\xe2\x97\x8f" : "\xe2\x97\x8b";
    fprintf(out, "%s%s%s ", style_on(style, colour), dot, style_off(style));
}

static void mme_print(FILE *out, const Style *style, const json_object *mme, const char *label) {
    char text[1024], addresses[768] = "";
    size_t n = 0;
    json_object *list = json_object_array_get_idx(mme, 1);
    const char *entry = json_object_get_string(json_object_array_get_idx(mme, 0));

    for (size_t i = 0; i < json_object_array_length(list) && n < sizeof addresses; i++)
        n += (size_t)snprintf(addresses + n, sizeof addresses - n, " %s",
                              json_object_get_string(json_object_array_get_idx(list, i)));
    bool literal = streq(strempty(entry), addresses + 1 * (n > 0));
    snprintf(text, sizeof text, "%s%s port %d", strempty(entry), literal ? "" : addresses,
             json_object_get_int(json_object_array_get_idx(mme, 2)));
    line(out, style, label, text);
}

static void mmes_print(FILE *out, const Style *style, const json_object *agent) {
    json_object *mme;

    if (tree_child(agent, "Mme") && !tree_item(agent, "Mme", 0))
        line(out, style, "MME", "none");
    for (size_t i = 0; (mme = tree_item(agent, "Mme", i)); i++)
        if (json_object_is_type(mme, json_type_array) && json_object_array_length(mme) == 3)
            mme_print(out, style, mme, i ? "" : "MME");
}

/* "in 3min 5s", "12s ago": a moment of a clock seen from *now*. */
static const char *distance_format(usec_t now, usec_t at, char ret[static DURATION_MAX + 8]) {
    char duration[DURATION_MAX];
    /* To the second: this is read by people. */
    usec_t apart = (at > now ? at - now : now - at) / USEC_PER_SEC * USEC_PER_SEC;

    snprintf(ret, DURATION_MAX + 8, at > now ? "in %s" : "%s ago", duration_format(apart, duration));
    return ret;
}

static void spis_print(FILE *out, const json_object *tunnel) {
    line_begin(out, "SPIs");
    fprintf(out, "IKE %016" PRIx64 " %016" PRIx64 ", ESP in %08" PRIx64 " out %08" PRIx64 "\n",
            json_object_get_uint64(tree_item(tunnel, "IkeSpis", 0)),
            json_object_get_uint64(tree_item(tunnel, "IkeSpis", 1)),
            json_object_get_uint64(tree_item(tunnel, "ChildSpis", 0)),
            json_object_get_uint64(tree_item(tunnel, "ChildSpis", 1)));
}

static void counters_print(FILE *out, const json_object *tunnel) {
    const json_object *dropped = tree_child(tunnel, "Dropped");

    line_begin(out, "Packets");
    fprintf(out, "%" PRIu64 " in, %" PRIu64 " out\n", tree_number(tunnel, "PacketsIn"),
            tree_number(tunnel, "PacketsOut"));
    line_begin(out, "IKE");
    fprintf(out,
            "%" PRIu64 " sent again; dropped %" PRIu64 " malformed, %" PRIu64 " foreign, %" PRIu64
            " unexpected, %" PRIu64 " forged\n",
            tree_number(tunnel, "Retransmitted"), tree_number(dropped, "Malformed"),
            tree_number(dropped, "Foreign"), tree_number(dropped, "Unexpected"),
            tree_number(dropped, "Forged"));
}

/* The lines that a screen and the full account have in common. */
static void tunnel_lines(FILE *out, const Style *style, Moment now, const json_object *tunnel) {
    char text[512], inner[256], distance[DURATION_MAX + 8];
    usec_t rekey = tree_number(tunnel, "NextRekey");

    if (!tree_flag(tunnel, "Up")) {
        line(out, style, "Tunnel", "down");
        return;
    }
    snprintf(text, sizeof text, "up, %s %s %s (%s)%s%s", tree_text(tunnel, "LocalAddress"),
             style->utf8 ? "\xe2\x86\x92" : "->", tree_text(tunnel, "PeerAddress"),
             tree_text(tunnel, "PeerIdentity"), streq(tree_text(tunnel, "Nat"), "none") ? "" : ", NAT ",
             streq(tree_text(tunnel, "Nat"), "none") ? "" : tree_text(tunnel, "Nat"));
    line(out, style, "Tunnel", text);
    line(out, style, "Inside", tree_join(tunnel, "InnerAddresses", " ", inner, sizeof inner));
    if (rekey > 0) {
        snprintf(text, sizeof text, "new keys %s", distance_format(now.mono, rekey, distance));
        line(out, style, "", text);
    }
}

static void outcome_format(const json_object *session, Moment now, char *ret, size_t size) {
    char time[TIME_MAX], distance[DURATION_MAX + 8];
    usec_t last = tree_number(session, "LastSession");
    const char *outcome = tree_text(session, "LastOutcome");

    if (tree_flag(session, "Running"))
        snprintf(ret, size, "running");
    else if (last == 0)
        snprintf(ret, size, "none yet");
    else
        snprintf(ret, size, "%s %s; %s", outcome, time_format(last, time),
                 distance_format(now.real, last, distance));
}

static void session_lines(FILE *out, const Style *style, Moment now, const json_object *session) {
    char text[256], distance[DURATION_MAX + 8];
    usec_t next = tree_number(session, "NextInform");

    outcome_format(session, now, text, sizeof text);
    line(out, style, "Session", text);
    line_unless_empty(out, style, "Fault", tree_text(session, "LastFault"));
    if (next > 0)
        line(out, style, "Next", distance_format(now.mono, next, distance));
    line_unless_empty(out, style, "Waiting", tree_join(session, "PendingEvents", ", ", text, sizeof text));
}

static void agent_lines(FILE *out, const Style *style, const json_object *agent) {
    char text[512];
    const char *clause = tree_text(agent, "Clause"), *address = tree_text(agent, "SeGWAddress");

    snprintf(text, sizeof text, "%s%s%s%s", tree_text(agent, "Step"), *clause ? " (" : "", clause,
             *clause ? ")" : "");
    line_unless_empty(out, style, "Step", text);
    mmes_print(out, style, agent);
    snprintf(text, sizeof text, "%s the MMEs, cell %s",
             streq(tree_text(agent, "S1ConnectionMode"), "All") ? "to all of" : "to one of",
             tree_flag(agent, "AdminState") ? "on the air" : "off by the operator");
    if (tree_child(agent, "AdminState"))
        line(out, style, "S1", text);
    snprintf(text, sizeof text, "%s%s%s%s", tree_text(agent, "SeGW"), *address ? " (" : "", address,
             *address ? ")" : "");
    line_unless_empty(out, style, "SeGW", text);
}

void status_print(FILE *out, const Style *style, Moment now, const json_object *tree) {
    const json_object *agent = tree_child(tree, "agent"), *tunnel;
    const char *state = tree_text(agent, "State"), *error = tree_text(agent, "LastError");
    Colour colour = state_colour(state);

    dot_print(out, style, colour, true);
    fprintf(out, "henb-agent - %s%s%s\n", style_on(style, colour), state, style_off(style));
    agent_lines(out, style, agent);
    for (size_t i = 0; (tunnel = tree_item(tree, "tunnels", i)); i++)
        tunnel_lines(out, style, now, tunnel);
    line_unless_empty(out, style, "HeMS", tree_text(agent, "HeMS"));
    session_lines(out, style, now, tree_child(tree, "session"));
    if (tree_child(agent, "ClockTrusted") && !tree_flag(agent, "ClockTrusted"))
        line(out, style, "Clock", "not believed: it stands before the agent was built or last ran");
    if (*error) {
        line_begin(out, "Last error");
        fprintf(out, "%s", style_on(style, COLOUR_BAD));
        style_print(out, style, error, 0);
        fprintf(out, "%s\n", style_off(style));
    }
}

void status_print_absent(FILE *out, const Style *style) {
    dot_print(out, style, COLOUR_PLAIN, false);
    fputs("henb-agent - not running\n", out);
    line(out, style, "S1", "treat it as down: nothing is known of tunnel and MME");
}

void tunnels_print(FILE *out, const Style *style, Moment now, const json_object *tree) {
    const json_object *tunnel;

    for (size_t i = 0; (tunnel = tree_item(tree, "tunnels", i)); i++) {
        dot_print(out, style, tree_flag(tunnel, "Up") ? COLOUR_GOOD : COLOUR_BAD, true);
        fprintf(out, "%s\n", tree_text(tunnel, "Path"));
        tunnel_lines(out, style, now, tunnel);
        line_unless_empty(out, style, "Identity", tree_text(tunnel, "LocalIdentity"));
        if (!tree_flag(tunnel, "Up"))
            continue;
        line(out, style, "IKE SA", tree_text(tunnel, "IkeAlgorithms"));
        line_begin(out, "Child SA");
        fprintf(out, "%s%s\n", tree_text(tunnel, "EspAlgorithms"),
                tree_flag(tunnel, "UdpEncapsulation") ? ", in UDP" : "");
        spis_print(out, tunnel);
        counters_print(out, tunnel);
    }
}

void session_print(FILE *out, const Style *style, Moment now, const json_object *tree) {
    const json_object *session = tree_child(tree, "session");

    line_unless_empty(out, style, "HeMS", tree_text(session, "Url"));
    session_lines(out, style, now, session);
}

void parameters_print(FILE *out, const Style *style, const json_object *tree, bool names) {
    json_object_object_foreach((json_object *)tree, name, parameter) {
        fputs(name, out);
        if (!names) {
            fprintf(out, "%s=%s", style_on(style, COLOUR_FAINT), style_off(style));
            style_print(out, style, tree_text(parameter, "value"), 0);
        }
        fputc('\n', out);
    }
}
