/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Keys as lines of Wireshark's tables, for a build that gives them away (-Dkey-export=true). No other has
 * this. The algorithms' names are those that Wireshark 4.0 knows; it has none for ChaCha20. */
#pragma once

#include "ike/ike-sa.h"
#include "ike/keys.h"

#define KEY_LINE_MAX 768 /* with its newline and NUL */

/* The IKE SAs of *sa*, from 0 on, which a rekeying makes more than one: the SPI of the initiator, and the
 * line of the table "ikev2_decryption_table" in *ret*, "" when Wireshark has no name for its algorithms.
 * False: there are no more. The caller wipes *ret*. */
bool key_line_ike(const IkeSa *sa, size_t i, uint64_t *ret_spi, char ret[static KEY_LINE_MAX]);
/* The line of the table "esp_sa" for one direction, CHILD_IN or CHILD_OUT; its addresses are left open, which
 * a NAT and MOBIKE change. "": as above. */
void key_line_esp(const ChildSa *child, unsigned direction, char ret[static KEY_LINE_MAX]);
