/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The kernel's XFRM netlink messages: encoders and decoders, pure (libmnl only lays out bytes). */
#pragma once

#include "ike/child-sa.h"
