/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See timeline-view.h. */
#include "base/macro.h"
#include "dbus/ctl/timeline-view.h"

#define TIMES   20 /* columns of the two numbers */
#define BAR_MIN 10u
#define BAR_MAX 40u

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
                      unsigned columns, Colour colour) {
    unsigned from = (unsigned)((start - MIN(span->start, start)) * columns / span->length);
    unsigned to = (unsigned)((end - MIN(span->start, end)) * columns / span->length);

    from = MIN(from, columns - 1);
    to = MIN(MAX(to, from + 1), columns);
    fprintf(out, "%*s%s", (int)from, "", style_on(style, colour));
    for (unsigned i = from; i < to; i++)
        fputs(style->utf8 ? "\xe2\x96\x88" : "#", out);
    fprintf(out, "%s%*s", style_off(style), (int)(columns - to), "");
}

static void step_print(FILE *out, const Style *style, const TimelineSpan *span, usec_t now, unsigned columns,
                       const json_object *step) {
    usec_t start = tree_number(step, "start"), end = timeline_step_end(step, now);
    const char *clause = tree_text(step, "clause"), *error = tree_text(step, "error");
    unsigned used = TIMES + columns + 2, room = style->width > used + 10 ? style->width - used : 0;
    Colour colour = timeline_step_colour(step);
    char title[128];

    seconds_print(out, start - MIN(span->start, start));
    seconds_print(out, end - start);
    fputc(' ', out);
    bar_print(out, style, span, start, end, columns, colour);
    fputc(' ', out);
    snprintf(title, sizeof title, "%s%s%s%s", tree_text(step, "title"), *clause ? " (" : "", clause,
             *clause ? ")" : "");
    style_print(out, style, title, room);
    fputc('\n', out);
    if (!*error)
        return;
    fprintf(out, "%*s%s", (int)used, "", style_on(style, COLOUR_BAD));
    style_print(out, style, error, 0);
    fprintf(out, "%s\n", style_off(style));
}

static const char *outcome_of(const json_object *last) {
    const char *outcome = tree_text(last, "outcome");
    return streq(outcome, "done") ? "completed" : streq(outcome, "failed") ? "failed" : "not completed yet";
}

void timeline_print(FILE *out, const Style *style, usec_t now, const json_object *steps) {
    size_t n = json_object_array_length(steps);
    TimelineSpan span = timeline_span(steps, now);
    unsigned columns = style->width ? MIN(MAX(style->width / 5, BAR_MIN), BAR_MAX) : BAR_MAX;
    char duration[DURATION_MAX];

    if (n == 0) {
        fputs("No registration has begun.\n", out);
        return;
    }
    fprintf(out, "Registration %s, %s in %zu steps\n", outcome_of(json_object_array_get_idx(steps, n - 1)),
            duration_format(span.length, duration), n);
    fprintf(out, "%10s%10s\n", "at", "took");
    for (size_t i = 0; i < n; i++)
        step_print(out, style, &span, now, columns, json_object_array_get_idx(steps, i));
}
