/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See timeline-view.h. After the model of systemd-analyze plot: time runs to the right, a step is a line. */
#include "base/macro.h"
#include "dbus/ctl/timeline-view.h"

#define WIDTH  800u /* of the bars */
#define MARGIN 20u
#define ROW    22u
#define TOP    60u
#define LETTER 7u /* of a text, about */
#define TICKS  10u

/* Text as XML has it. */
static void text_print(FILE *out, const char *text) {
    static const struct {
        char c;
        const char *entity;
    } entities[] = {{'<', "&lt;"}, {'>', "&gt;"}, {'&', "&amp;"}, {'"', "&quot;"}};
    const char *shown;

    for (size_t n; *text; text += n) {
        n = style_character(text, &shown);
        for (size_t i = 0; i < ARRAY_SIZE(entities); i++)
            if (*text == entities[i].c)
                shown = entities[i].entity;
        fwrite(shown, 1, shown == text ? n : strlen(shown), out);
    }
}

static unsigned x_of(const TimelineSpan *span, usec_t at) {
    return MARGIN + (unsigned)((at - MIN(span->start, at)) * WIDTH / span->length);
}

static void scale_print(FILE *out, const TimelineSpan *span, size_t rows) {
    char duration[DURATION_MAX];

    for (unsigned i = 0; i <= TICKS; i++) {
        usec_t at = span->start + span->length * i / TICKS;
        fprintf(out, "<line class=\"tick\" x1=\"%u\" y1=\"%u\" x2=\"%u\" y2=\"%zu\"/>", x_of(span, at),
                TOP - 8, x_of(span, at), TOP + rows * ROW);
        fprintf(out, "<text class=\"tick\" x=\"%u\" y=\"%u\">%s</text>\n", x_of(span, at), TOP - 12,
                duration_format(at - span->start, duration));
    }
}

static void row_print(FILE *out, const TimelineSpan *span, usec_t now, const json_object *step, size_t row) {
    usec_t start = tree_number(step, "start"), end = timeline_step_end(step, now);
    unsigned x = x_of(span, start), width = MAX(x_of(span, end) - x, 2u);
    size_t y = TOP + row * ROW;
    const char *clause = tree_text(step, "clause"), *error = tree_text(step, "error");
    char duration[DURATION_MAX];

    fprintf(out, "<rect class=\"");
    text_print(out, tree_text(step, "outcome"));
    fprintf(out, "\" x=\"%u\" y=\"%zu\" width=\"%u\" height=\"%u\"/>", x, y + 2, width, ROW - 4);
    fprintf(out, "<text x=\"%u\" y=\"%zu\">", x + width + 6, y + ROW - 7);
    text_print(out, tree_text(step, "title"));
    fprintf(out, " (%s%s", duration_format(end - start, duration), *clause ? ", " : "");
    text_print(out, clause);
    fputs(")", out);
    if (*error) {
        fputs(": ", out);
        text_print(out, error);
    }
    fputs("</text>\n", out);
}

/* How far to the right the bars and texts reach. */
static size_t right_of(const TimelineSpan *span, usec_t now, const json_object *steps) {
    size_t right = MARGIN + WIDTH;

    for (size_t i = 0; i < json_object_array_length(steps); i++) {
        const json_object *step = json_object_array_get_idx(steps, i);
        size_t letters = strlen(tree_text(step, "title")) + strlen(tree_text(step, "clause")) +
                         strlen(tree_text(step, "error")) + DURATION_MAX / 2;
        right = MAX(right, x_of(span, timeline_step_end(step, now)) + letters * LETTER);
    }
    return right;
}

void timeline_print_svg(FILE *out, usec_t now, const json_object *steps) {
    size_t n = json_object_array_length(steps);
    TimelineSpan span = timeline_span(steps, now);
    char duration[DURATION_MAX];

    fprintf(out,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%zu\" height=\"%zu\">\n"
            "<style>text { font: 12px sans-serif } .tick { stroke: none; fill: #888; text-anchor: middle }\n"
            "line.tick { stroke: #ddd } rect.done { fill: #4a9 } rect.failed { fill: #d44 } "
            "rect.running { fill: #ca3 }</style>\n"
            "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n",
            right_of(&span, now, steps) + MARGIN, TOP + n * ROW + MARGIN);
    fprintf(out, "<text x=\"%u\" y=\"20\">HeNB registration (TS 32.593 5.1): %zu steps, %s</text>\n", MARGIN,
            n, n ? duration_format(span.length, duration) : "0s");
    if (n > 0)
        scale_print(out, &span, n);
    for (size_t i = 0; i < n; i++)
        row_print(out, &span, now, json_object_array_get_idx(steps, i), i);
    fputs("</svg>\n", out);
}
