/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the journal is told of the procedure, from what it publishes (*v*). Pure. */
#pragma once

#include "discovery/procedure.h"

/* The step is reached; *wait*: until the next attempt, USEC_NEVER: it waits for none. */
void procedure_log_step(const ProcedureView *v, usec_t wait);
/* It is reached, and a registration with it, with or without an MME. */
void procedure_log_registered(const ProcedureView *v);
/* The registration of *v* is over: what it published must not be used any more. */
void procedure_log_lost(const ProcedureView *v);
/* Something failed at the step, by *e*. *name*: what was asked for, where *v* does not know; or NULL. */
void procedure_log_failure(const ProcedureView *v, const ProcedureEvent *e, const char *name,
                           const char *text);
