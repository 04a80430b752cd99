/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The last registration as a person looks at it, made from tree_of_timeline(): each step a bar on the way
 * from its begin to its end, in the terminal or as a picture. Pure. */
#pragma once

#include "dbus/ctl/style.h"
#include "dbus/ctl/tree.h"

/* A step that runs ends at *now* (Moment.mono). */
void timeline_print(FILE *out, const Style *style, usec_t now, const json_object *steps);
/* A complete SVG document. */
void timeline_print_svg(FILE *out, usec_t now, const json_object *steps);

/* Where the bars of both begin and end. */
typedef struct TimelineSpan {
    usec_t start, length; /* of the whole; at least 1 */
} TimelineSpan;

TimelineSpan timeline_span(const json_object *steps, usec_t now);
usec_t timeline_step_end(const json_object *step, usec_t now);
Colour timeline_step_colour(const json_object *step);
