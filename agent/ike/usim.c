/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See usim.h. */
#include "ike/usim.h"

#include <stdio.h>

void usim_answer_wipe(UsimAnswer *answer) {
    explicit_bzero(answer, sizeof *answer);
}

bool imsi_is_valid(const char *imsi) {
    size_t size = strlen(imsi);

    return size >= IMSI_MIN && size <= IMSI_MAX && strspn(imsi, "0123456789") == size;
}

int usim_nai(const Usim *usim, const char *realm, char ret[static NAI_MAX_BYTES]) {
    char imsi[IMSI_MAX + 1] = "";
    size_t mnc_size = 0;

    int r = usim->identity(usim->userdata, imsi, &mnc_size);
    if (r < 0)
        return r;
    if (!imsi_is_valid(imsi) || (mnc_size != 2 && mnc_size != 3))
        return -EINVAL;
    if (*realm)
        snprintf(ret, NAI_MAX_BYTES, "0%s@%s", imsi, realm);
    else
        snprintf(ret, NAI_MAX_BYTES, "0%s@wlan.mnc%s%.*s.mcc%.3s.3gppnetwork.org", imsi,
                 mnc_size == 2 ? "0" : "", (int)mnc_size, imsi + 3, imsi);
    return 0;
}
