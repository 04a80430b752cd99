/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A target with a fault that only a mutation finds: shows that replay.c notices. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    MUST(size == 0 || data[0] != 0xff);
    return 0;
}
