/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How henbctl's texts look: colours, width and words for times, as systemd's tools have them. Pure; what the
 * terminal and the environment want, style-io.h finds out. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/moment.h"

typedef struct Style {
    bool colours, utf8;
    unsigned width; /* columns of the terminal; 0: as wide as it gets */
} Style;

typedef enum Colour {
    COLOUR_PLAIN,
    COLOUR_GOOD,
    COLOUR_BUSY,
    COLOUR_BAD,
    COLOUR_FAINT,
} Colour;

/* Switches to a colour, and back; "" without colours. */
const char *style_on(const Style *style, Colour colour);
const char *style_off(const Style *style);
/* Prints *text*. What would move the cursor, change the terminal, turn the direction of writing or be no
 * character of the locale is "?": what a peer said may be part of it. */
void style_print(FILE *out, const Style *style, const char *text);
/* The same in lines of at most *columns* (0: one line), broken between words, or inside one that is longer;
 * all but the first after *indent* spaces. Returns the columns of the last one. */
unsigned style_wrap(FILE *out, const Style *style, const char *text, unsigned indent, unsigned columns);
/* The bytes of *text*'s first character, which is one; it is shown as *ret*, itself or "?" as above, in
 * UTF-8. */
size_t style_character(const char *text, const char **ret);
/* JSON as it is, but that those characters are written as \u and four digits. */
void style_print_json(FILE *out, const char *json);

#define DURATION_MAX 32
/* "1d 2h", "3min 5s", "12.345s", "0s": the two largest units, below a minute to the millisecond. */
const char *duration_format(usec_t usec, char ret[static DURATION_MAX]);
#define TIME_MAX 64
/* "Wed 2026-11-25 03:18:22 UTC", in the local time zone. */
const char *time_format(usec_t real, char ret[static TIME_MAX]);
#define SIZE_TEXT_MAX 16
/* "96B", "93.8K", "1.2G". */
const char *size_format(uint64_t bytes, char ret[static SIZE_TEXT_MAX]);
