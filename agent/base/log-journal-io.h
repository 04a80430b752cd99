/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lines go to the journal with their fields, where standard error is the journal's (systemd.exec(5),
 * JOURNAL_STREAM). */
#pragma once

#include <stdbool.h>

/* Standard error is the journal's, not a terminal's or a file's. */
bool log_journal_is_there(void);
/* From now on. For a program that runs: of one that has ended by the time the journal reads its lines, as
 * after a start that failed, the journal knows by standard error alone which unit it was. */
void log_journal_use(void);
