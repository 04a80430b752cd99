/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See usim-pcsc-io.h: what stands there in a build without libpcsclite. */
#include "ike/usim-pcsc-io.h"

int usim_pcsc_new(UsimPcsc **ret, const char *reader) {
    return -ENOTSUP;
}

void usim_pcsc_free(UsimPcsc *usim) {
}

Usim usim_pcsc_driver(UsimPcsc *usim) {
    return (Usim){};
}
