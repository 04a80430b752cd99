/* SPDX-License-Identifier: GPL-3.0-or-later */
/* THE registration procedure of TS 32.593 clause 5.1 as a table: one row a step. Pure: events and time in,
 * actions out. It asks for "the addresses of NAME", "a tunnel to NAME", "a session with URL" and does not
 * know how those are made. */
#pragma once

#include "base/address.h"
#include "base/moment.h"
#include "base/rng.h"
#include "status.h"

typedef struct Procedure Procedure;

/* Whose DNS: clause 5.1's "public DNS" and "private DNS". */
typedef enum ResolverSide {
    RESOLVER_NONE,
    RESOLVER_PUBLIC,
    RESOLVER_PRIVATE,
} ResolverSide;
