/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How large an inner packet fits into an outer one (RFC 4303 2, RFC 3948 2.1). Pure. */
#pragma once

#include "ike/child-sa.h"

/* The largest inner packet that ESP in tunnel mode carries in one piece of *outer_mtu* bytes; *family*: of
 * the outer addresses. 0: none. */
unsigned esp_inner_mtu(unsigned outer_mtu, const EspAlgorithms *algorithms, bool encapsulate, int family);
