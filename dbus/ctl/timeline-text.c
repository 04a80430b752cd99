/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See timeline-view.h. */
#include "base/macro.h"
#include "dbus/ctl/timeline-view.h"

#define TIMES    20u /* columns of the two numbers */
#define BAR_MIN  10u
#define BAR_MAX  40u
#define TEXT_MIN 28u /* columns of a text beside its bar */
#define BELOW    4u  /* before a text below it */

usec_t timeline_step_end(const json_object *step, usec_t now) {
    usec_t start = tree_number(step, "start"), end = tree_number(step, "end");
    return MAX(end == 0 ? now : end, start);
}

TimelineSpan timeline_span(const json_object *steps, usec_t now) {
    size_t n = json_object_array_length(steps);
    TimelineSpan span = {.length = 1};

    if (n == 0)
        return span;
    span.start = tree_number(json_object_array_get_idx(steps, 0), "start");
    usec_t end = timeline_step_end(json_object_array_get_idx(steps, n - 1), now);
    span.length = MAX(end - MIN(span.start, end), (usec_t)1);
    return span;
}

Colour timeline_step_colour(const json_object *step) {
    const char *outcome = tree_text(step, "outcome");
    return streq(outcome, "failed") ? COLOUR_BAD : streq(outcome, "running") ? COLOUR_BUSY : COLOUR_GOOD;
}

static void seconds_print(FILE *out, usec_t usec) {
    fprintf(out, "%5llu.%03llus", (unsigned long long)(usec / USEC_PER_SEC),
            (unsigned long long)(usec % USEC_PER_SEC / USEC_PER_MSEC));
}

/* At least one column, so that each step can be seen. */
static void bar_print(FILE *out, const Style *style, const TimelineSpan *span, usec_t start, usec_t end,
                      unsigned columns, Colour colour, bool padded) {
    unsigned from = (unsigned)((start - MIN(span->start, start)) * columns / span->length);
    unsigned to = (unsigned)((end - MIN(span->start, end)) * columns / span->length);

    from = MIN(from, columns - 1);
    to = MIN(MAX(to, from + 1), columns);
    fprintf(out, "%*s%s", (int)from, "", style_on(style, colour));
    for (unsigned i = from; i < to; i++)
        fputs(style->utf8 ? "\xe2\x96\x88" : "#", out);
    fprintf(out, "%s%*s", style_off(style), padded ? (int)(columns - to) : 0, "");
}

/* Where the columns are. In a narrow terminal the texts are below the bars instead of beside them. */
typedef struct Layout {
    unsigned bar, indent, room; /* *room* of the texts; 0: as wide as it gets */
    bool below;
} Layout;

static Layout layout_of(const Style *style) {
    unsigned width = style->width;
    Layout l = {.bar = width ? MIN(MAX(width / 5, BAR_MIN), BAR_MAX) : BAR_MAX};

    l.indent = TIMES + l.bar + 2;
    if (width == 0)
        return l;
    l.below = width < l.indent + TEXT_MIN;
    if (l.below) {
        l.bar = MIN(MAX(width, TIMES + 1 + BAR_MIN) - TIMES - 1, BAR_MAX);
        l.indent = BELOW;
    }
    l.room = MAX(width, l.indent + TEXT_MIN / 2) - l.indent;
    return l;
}

/* The title and, where it has room, the clause behind it. */
static void title_print(FILE *out, const Style *style, const Layout *l, const json_object *step) {
    const char *clause = tree_text(step, "clause");
    char text[128];

    unsigned used = style_wrap(out, style, tree_text(step, "title"), l->indent, l->room);
    if (!*clause)
        return;
    snprintf(text, sizeof text, "(%s)", clause);
    if (l->room > 0 && used + 1 + strlen(text) > l->room)
        fprintf(out, "\n%*s", (int)l->indent, "");
    else
        fputc(' ', out);
    fputs(style_on(style, COLOUR_FAINT), out);
    style_wrap(out, style, text, l->indent, l->room);
    fputs(style_off(style), out);
}

static void step_print(FILE *out, const Style *style, const Layout *l, const TimelineSpan *span, usec_t now,
                       const json_object *step) {
    usec_t start = tree_number(step, "start"), end = timeline_step_end(step, now);
    const char *error = tree_text(step, "error");

    seconds_print(out, start - MIN(span->start, start));
    seconds_print(out, end - start);
    fputc(' ', out);
    bar_print(out, style, span, start, end, l->bar, timeline_step_colour(step), !l->below);
    if (l->below)
        fprintf(out, "\n%*s", (int)l->indent, "");
    else
        fputc(' ', out);
    title_print(out, style, l, step);
    fputc('\n', out);
    if (!*error)
        return;
    fprintf(out, "%*s%s", (int)l->indent, "", style_on(style, COLOUR_BAD));
    style_wrap(out, style, error, l->indent, l->room);
    fprintf(out, "%s\n", style_off(style));
}

static const char *outcome_of(const json_object *last) {
    const char *outcome = tree_text(last, "outcome");
    return streq(outcome, "done") ? "completed" : streq(outcome, "failed") ? "failed" : "not completed yet";
}

void timeline_print(FILE *out, const Style *style, usec_t now, const json_object *steps) {
    size_t n = json_object_array_length(steps);
    TimelineSpan span = timeline_span(steps, now);
    Layout layout = layout_of(style);
    char duration[DURATION_MAX], text[128];

    if (n == 0) {
        fputs("No registration has begun.\n", out);
        return;
    }
    snprintf(text, sizeof text, "Registration %s, %s in %zu step%s",
             outcome_of(json_object_array_get_idx(steps, n - 1)), duration_format(span.length, duration), n,
             n == 1 ? "" : "s");
    style_wrap(out, style, text, 0, style->width);
    fprintf(out, "\n%10s%10s\n", "at", "took");
    for (size_t i = 0; i < n; i++)
        step_print(out, style, &layout, &span, now, json_object_array_get_idx(steps, i));
}
