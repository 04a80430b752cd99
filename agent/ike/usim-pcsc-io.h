/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The hosting party's card in a PC/SC reader. Each call connects anew, so that a card may be taken out and
 * put back in between; it blocks for as long as the card takes, some 0.1 to 0.5 s. The card must not want a
 * PIN. Optional: without libpcsclite, usim-pcsc-absent-io.c stands here. */
#pragma once

#include "ike/usim.h"

typedef struct UsimPcsc UsimPcsc;

/* *reader*: what its name begins with; "": the first reader with a card. 0, -ENOMEM, -ENOTSUP (built without
 * PC/SC). The driver's calls return -ENODEV (no such reader, or no PC/SC daemon), -ENOMEDIUM (no card),
 * -EACCES (a PIN is wanted), -ENOENT (no HPSIM and no USIM on it), -EBADMSG, -EPROTO, -EIO. */
int usim_pcsc_new(UsimPcsc **ret, const char *reader);
void usim_pcsc_free(UsimPcsc *usim);
DEFINE_CLEANUP(UsimPcsc, usim_pcsc_free)
/* The driver; *usim* must outlive it. */
Usim usim_pcsc_driver(UsimPcsc *usim);
