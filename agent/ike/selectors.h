/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which traffic the first Child SA carries: what we ask for, and what becomes of the gateway's answer (RFC
 * 7296 2.9, 2.19). */
#pragma once

#include "ike/payload.h"

/* Everything, both families: the gateway narrows. */
size_t selectors_any(TrafficSelector ret[static 2]);
/* Leaves of our side *inner* and nothing else. False: nothing is left. */
bool selectors_narrow(ChildSa *child, const AddressList *inner);
/* Leaves of the gateway's answer what can be used. Of the inner addresses those that a host can have and
 * whose family has selectors on both sides: a gateway that refuses one family still gives the other. Of our
 * side of the selectors those addresses and nothing else. Of the DNS servers those of a family that has an
 * address. False: no address is left. */
bool selectors_settle(ChildSa *child, IkeConfiguration *configuration);
bool selectors_equal(const ChildSa *a, const ChildSa *b);
