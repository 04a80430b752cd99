/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The tunnel in the data model's words: Device.IPsec.Tunnel.1, IKEv2SA.1 and its ChildSA.1 (TR-181). The rows
 * are those of the one tunnel there is: they stay, also while it is down, and through all rekeyings. Pure. */
#pragma once

#include "base/address.h"
#include "base/moment.h"
#include "ike/child-sa.h"
#include "ike/transform.h"
#include "row-set.h"

#define IPSEC_TUNNEL   "Device.IPsec.Tunnel.1."
#define IPSEC_IKE_SA   "Device.IPsec.IKEv2SA.1."
#define IPSEC_CHILD_SA IPSEC_IKE_SA "ChildSA.1."

typedef struct IpsecFacts {
    bool up;                    /* false: the rest does not matter */
    Address local, remote;      /* outer */
    bool nat_local, nat_remote; /* we are behind a NAT, the gateway is */
    const Suite *suite;         /* of the IKE SA */
    usec_t created;             /* of it; microseconds since 1970, 0 while the time is not known */
    uint32_t spi_in, spi_out;   /* of the Child SA in use */
    usec_t child_created;
} IpsecFacts;

/* What is a fact of the program: which algorithms there are, and to which tunnel an SA belongs. Once, when
 * the data model is there. Of *rows*, *report* is used. */
void ipsec_facts_begin(const Rows *rows);
/* What others may place the box by, and so is told whenever it changes: the addresses, and NATs. */
void ipsec_facts_report(const Rows *rows, const IpsecFacts *facts);
/* A LIVE parameter below IPSEC_IKE_SA, "Status", "ChildSA.1.InboundSPI", in *buf*: 0, or -ENOENT. */
int ipsec_facts_value(const IpsecFacts *facts, const char *name, char *buf, size_t size);
/* One below IPSEC_CHILD_SA "Stats.", "BytesSent". 0, or -ENOENT. */
int ipsec_facts_counter(const ChildTraffic *traffic, const char *name, char *buf, size_t size);

/* The name in TR-181 of an algorithm; NULL: it has none there. */
const char *ipsec_algorithm(const Transform *transform);
