/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See status-text.h. */
#include "dbus/ctl/status-text.h"

#include <inttypes.h>
#include <stdarg.h>

#include "base/macro.h"

#define NAME        "henb-agent - "
#define DOT         2u /* columns with the space behind it */
#define HEAD        (DOT + (unsigned)strlen(NAME))
#define LABEL       12 /* columns before the colon */
#define ROOM_MIN    20 /* columns after it, however narrow the terminal */
#define EARLIER_MAX 3  /* errors before the last one */

/* The columns for a text that begins after *used* of them; 0: as wide as it gets. */
static unsigned room_of(const Style *style, unsigned used) {
    return style->width ? MAX(style->width, used + ROOM_MIN) - used : 0;
}

/* What follows a label stands on lines of its own, each under the first. */
static void line(FILE *out, const Style *style, const char *label, const char *text, Colour colour) {
    unsigned indent = LABEL + 2;

    fprintf(out, "%*s%s%s", LABEL, label, *label ? ": " : "  ", style_on(style, colour));
    style_wrap(out, style, text, indent, room_of(style, indent));
    fprintf(out, "%s\n", colour == COLOUR_PLAIN ? "" : style_off(style));
}

_printf_(4, 5) static void line_format(FILE *out, const Style *style, const char *label, const char *format,
                                       ...) {
    char text[1024];
    va_list ap;

    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    if (*text)
        line(out, style, label, text, COLOUR_PLAIN);
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
    char addresses[768];
    const char *entry = strempty(json_object_get_string(json_object_array_get_idx(mme, 0)));

    tree_join(json_object_array_get_idx(mme, 1), " ", addresses, sizeof addresses);
    bool literal = streq(entry, addresses);
    line_format(out, style, label, "%s%s%s port %d", entry, literal ? "" : " ", literal ? "" : addresses,
                json_object_get_int(json_object_array_get_idx(mme, 2)));
}

static void mmes_print(FILE *out, const Style *style, const json_object *agent) {
    json_object *mme;

    if (tree_child(agent, "Mme") && !tree_item(agent, "Mme", 0))
        line(out, style, "MME", "none", COLOUR_PLAIN);
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

/* "1201 (93.8K)" */
static const char *traffic_format(const json_object *tunnel, const char *packets, const char *bytes,
                                  char ret[static 48]) {
    char size[SIZE_TEXT_MAX];
    bool known = tree_child(tunnel, bytes);

    size_format(tree_number(tunnel, bytes), size);
    snprintf(ret, 48, "%" PRIu64 "%s%s%s", tree_number(tunnel, packets), known ? " (" : "", known ? size : "",
             known ? ")" : "");
    return ret;
}

static void counters_print(FILE *out, const Style *style, const json_object *tunnel) {
    const json_object *dropped = tree_child(tunnel, "Dropped");
    char in[48], outward[48];

    line_format(out, style, "Packets", "%s in, %s out", traffic_format(tunnel, "PacketsIn", "BytesIn", in),
                traffic_format(tunnel, "PacketsOut", "BytesOut", outward));
    line_format(out, style, "IKE",
                "%" PRIu64 " sent again; dropped %" PRIu64 " malformed, %" PRIu64 " foreign, %" PRIu64
                " unexpected, %" PRIu64 " forged",
                tree_number(tunnel, "Retransmitted"), tree_number(dropped, "Malformed"),
                tree_number(dropped, "Foreign"), tree_number(dropped, "Unexpected"),
                tree_number(dropped, "Forged"));
    if (tree_child(dropped, "EspReplayed"))
        line_format(out, style, "ESP", "dropped %" PRIu64 " replayed, %" PRIu64 " forged",
                    tree_number(dropped, "EspReplayed"), tree_number(dropped, "EspForged"));
}

static void security_lines(FILE *out, const Style *style, const json_object *tunnel) {
    line_format(out, style, "IKE SA", "%s", tree_text(tunnel, "IkeAlgorithms"));
    line_format(out, style, "Child SA", "%s%s", tree_text(tunnel, "EspAlgorithms"),
                tree_flag(tunnel, "UdpEncapsulation") ? ", in UDP" : "");
    line_format(out, style, "SPIs", "IKE %016" PRIx64 " %016" PRIx64,
                json_object_get_uint64(tree_item(tunnel, "IkeSpis", 0)),
                json_object_get_uint64(tree_item(tunnel, "IkeSpis", 1)));
    line_format(out, style, "", "ESP in %08" PRIx64 " out %08" PRIx64,
                json_object_get_uint64(tree_item(tunnel, "ChildSpis", 0)),
                json_object_get_uint64(tree_item(tunnel, "ChildSpis", 1)));
}

/* The lines that a screen and the full account have in common. */
static void tunnel_lines(FILE *out, const Style *style, Moment now, const json_object *tunnel) {
    char inner[256], distance[DURATION_MAX + 8];
    usec_t rekey = tree_number(tunnel, "NextRekey");
    const char *nat = tree_text(tunnel, "Nat");

    if (!tree_flag(tunnel, "Up")) {
        line(out, style, "Tunnel", "down", COLOUR_PLAIN);
        return;
    }
    if (streq(nat, "none"))
        nat = "";
    line_format(out, style, "Tunnel", "up, %s %s %s (%s)%s%s", tree_text(tunnel, "LocalAddress"),
                style->utf8 ? "\xe2\x86\x92" : "->", tree_text(tunnel, "PeerAddress"),
                tree_text(tunnel, "PeerIdentity"), *nat ? ", NAT " : "", nat);
    tree_join(tree_child(tunnel, "InnerAddresses"), " ", inner, sizeof inner);
    line_format(out, style, "Inside", "%s", inner);
    if (rekey > 0)
        line_format(out, style, "New keys", "%s", distance_format(now.mono, rekey, distance));
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
    const char *fault = tree_text(session, "LastFault");

    outcome_format(session, now, text, sizeof text);
    line_format(out, style, "Session", "%s", text);
    if (*fault)
        line(out, style, "Fault", fault, COLOUR_BAD);
    if (next > 0)
        line_format(out, style, "Next", "%s", distance_format(now.mono, next, distance));
    tree_join(tree_child(session, "PendingEvents"), ", ", text, sizeof text);
    line_format(out, style, "Events", "%s", text);
}

/* "NAME (MORE)", or one of them alone. */
static void line_pair(FILE *out, const Style *style, const char *label, const char *name, const char *more) {
    line_format(out, style, label, "%s%s%s%s", name, *more ? " (" : "", more, *more ? ")" : "");
}

static void agent_lines(FILE *out, const Style *style, const json_object *agent) {
    line_pair(out, style, "Step", tree_text(agent, "Step"), tree_text(agent, "Clause"));
    mmes_print(out, style, agent);
    if (tree_child(agent, "AdminState"))
        line_format(out, style, "S1", "%s the MMEs; the operator %s",
                    streq(tree_text(agent, "S1ConnectionMode"), "All") ? "to all of" : "to one of",
                    tree_flag(agent, "AdminState") ? "lets the cell on the air"
                                                   : "has not let the cell on the air");
    line_pair(out, style, "SeGW", tree_text(agent, "SeGW"), tree_text(agent, "SeGWAddress"));
}

/* What failed last, and before that on the way of the last registration: the newest first. */
static void errors_print(FILE *out, const Style *style, Moment now, const json_object *tree) {
    const char *last = tree_text(tree_child(tree, "agent"), "LastError"), *before = last;
    const json_object *steps = tree_child(tree, "timeline");
    char distance[DURATION_MAX + 8];
    unsigned n = 0;

    if (*last)
        line(out, style, "Last error", last, COLOUR_BAD);
    for (size_t i = tree_length(steps); i-- > 0 && n < EARLIER_MAX;) {
        const json_object *step = tree_item(tree, "timeline", i);
        const char *error = tree_text(step, "error");
        if (!*error || streq(error, before))
            continue;
        distance_format(now.mono, tree_number(step, "end"), distance);
        line_format(out, style, n++ ? "" : "Earlier", "%s: %s", distance, error);
        before = error;
    }
}

void status_print(FILE *out, const Style *style, Moment now, const json_object *tree) {
    const json_object *agent = tree_child(tree, "agent"), *tunnel;
    const char *state = tree_text(agent, "State");
    Colour colour = state_colour(state);

    dot_print(out, style, colour, true);
    fprintf(out, "%s%s", NAME, style_on(style, colour));
    style_wrap(out, style, state, HEAD, room_of(style, HEAD));
    fprintf(out, "%s\n", style_off(style));
    agent_lines(out, style, agent);
    for (size_t i = 0; (tunnel = tree_item(tree, "tunnels", i)); i++)
        tunnel_lines(out, style, now, tunnel);
    line_format(out, style, "HeMS", "%s", tree_text(agent, "HeMS"));
    session_lines(out, style, now, tree_child(tree, "session"));
    if (tree_child(agent, "ClockTrusted") && !tree_flag(agent, "ClockTrusted"))
        line(out, style, "Clock",
             "not believed: before the day the agent was built, or before a time known to be past",
             COLOUR_PLAIN);
    errors_print(out, style, now, tree);
}

void status_print_absent(FILE *out, const Style *style) {
    dot_print(out, style, COLOUR_PLAIN, false);
    fputs(NAME "not running\n", out);
    line(out, style, "S1", "treat it as down: nothing is known of tunnel and MME", COLOUR_PLAIN);
}

void tunnels_print(FILE *out, const Style *style, Moment now, const json_object *tree) {
    const json_object *tunnel;

    for (size_t i = 0; (tunnel = tree_item(tree, "tunnels", i)); i++) {
        dot_print(out, style, tree_flag(tunnel, "Up") ? COLOUR_GOOD : COLOUR_BAD, true);
        style_wrap(out, style, tree_text(tunnel, "Path"), DOT, room_of(style, DOT));
        fputc('\n', out);
        tunnel_lines(out, style, now, tunnel);
        line_format(out, style, "Our name", "%s", tree_text(tunnel, "LocalIdentity"));
        if (!tree_flag(tunnel, "Up"))
            continue;
        security_lines(out, style, tunnel);
        counters_print(out, style, tunnel);
    }
}

void session_print(FILE *out, const Style *style, Moment now, const json_object *tree) {
    const json_object *session = tree_child(tree, "session");

    line_format(out, style, "HeMS", "%s", tree_text(session, "Url"));
    session_lines(out, style, now, session);
}

void parameters_print(FILE *out, const Style *style, const json_object *tree, bool names) {
    json_object_object_foreach((json_object *)tree, name, parameter) {
        style_print(out, style, name);
        if (!names) {
            fprintf(out, "%s=%s", style_on(style, COLOUR_FAINT), style_off(style));
            style_print(out, style, tree_text(parameter, "value"));
        }
        fputc('\n', out);
    }
}
