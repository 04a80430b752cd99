/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is told to the HeMS of a file server's answers (TR-069 A.5.1). Pure. */
#pragma once

#include <stdbool.h>

/* 9010 or 9011. */
int transfer_fault_general(bool download);
/* For an HTTP status that is no success. */
int transfer_fault_of_status(unsigned status, bool download);
