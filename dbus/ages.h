/* SPDX-License-Identifier: GPL-3.0-or-later */
/* When other daemons have last reported a parameter. Pure. */
#pragma once

#include "base/macro.h"
#include "base/moment.h"

#define AGES_MAX 4096 /* parameters; what is reported beyond has no age */

typedef struct Ages Ages;

/* 0 or -ENOMEM. */
int ages_new(Ages **ret);
void ages_free(Ages *ages);
DEFINE_CLEANUP(Ages, ages_free)
/* *path* was reported. Without memory it has no age. */
void ages_note(Ages *ages, const char *path, usec_t now);
/* It is not known any more. */
void ages_forget(Ages *ages, const char *path);
/* Tells *visitor* of *path*, or of all below it if it ends with a dot (or is ""), in the order of their
 * names. 0, or what the visitor returned when that was not 0. */
int ages_visit(const Ages *ages, const char *path,
               int (*visitor)(void *userdata, const char *path, usec_t reported), void *userdata);
