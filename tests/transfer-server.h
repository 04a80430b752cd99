/* SPDX-License-Identifier: GPL-3.0-or-later */
/* transfer-server.py (TRANSFER_SERVER) beside a test. */
#pragma once

/* Its port on loopback. It ends with the test. */
unsigned transfer_server_start(void);
