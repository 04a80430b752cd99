/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The kernel's randomness. */
#pragma once

#include "base/rng.h"

/* By getrandom(2): waits until the kernel is seeded. */
Rng rng_system(void);
