/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who the operator is, and whom a box that has been de-registered stays away from (TS 32.593 5.1.4: it does
 * not register with that operator again).
 *
 * A host belongs to its suffix, the name without its first label: hems.operator.example to operator.example.
 * Of a name of two labels or one nothing is cut off: the suffix of hems.example would be "example", and a box
 * that has left one operator would be barred from everybody else under it. Where names are given out a level
 * deeper (operator.co.uk as the name of a HeMS itself) the suffix is too wide all the same; no list of such
 * places is kept here, and Operator= together with longer host names avoids it. An address belongs to itself
 * alone, however it is spelt; an IPv4 address mapped into IPv6 is that IPv4 address.
 *
 * Names are compared without case, and a trailing dot is no part of them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/url.h"

#define OPERATOR_NAME_MAX_BYTES 65 /* with its NUL */
#define OPERATOR_SUFFIXES_MAX   32
#define OPERATOR_MARK_MAX_BYTES (32 + OPERATOR_NAME_MAX_BYTES + OPERATOR_SUFFIXES_MAX * (8 + HOST_MAX_BYTES))

typedef struct OperatorMark {
    char name[OPERATOR_NAME_MAX_BYTES]; /* "": not known */
    size_t n;
    char suffixes[OPERATOR_SUFFIXES_MAX]
                 [HOST_MAX_BYTES]; /* in lower case; addresses as address_format() has them */
} OperatorMark;

/* The operator's name: *configured* (Operator=), or unless that is NULL or "", the suffix of *hems_host* in
 * lower case, of which as many last labels are taken as fit. "" when neither says anything. */
void operator_name(const char *configured, const char *hems_host, char ret[static OPERATOR_NAME_MAX_BYTES]);

/* From now on *host* is barred and what shares its suffix. 0; -EINVAL: neither a name nor an address;
 * -ENOSPC: there are as many as can be, and what was barred stays barred. */
int operator_mark_add_host(OperatorMark *mark, const char *host);
bool operator_mark_bars_name(const OperatorMark *mark, const char *name);
/* Equal to a suffix or under it; the same address. */
bool operator_mark_bars_host(const OperatorMark *mark, const char *host);

/* Lines "operator NAME" and "suffix HOST". format: 0 or -ENOBUFS, which OPERATOR_MARK_MAX_BYTES never gives.
 * parse: 0 or -EBADMSG; lines that begin with another word are those of a later version and are passed over.
 * *ret* is written only on success. */
int operator_mark_format(const OperatorMark *mark, char *ret, size_t size);
int operator_mark_parse(const char *text, OperatorMark *ret);
