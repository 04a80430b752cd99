/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tunnel-world.h"
START_TEST(x) {
}
END_TEST
SUITE("successor", x)
