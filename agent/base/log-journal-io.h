/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lines with a MESSAGE_ID go to the journal with their fields, where standard error is the journal's
 * (systemd.exec(5), JOURNAL_STREAM). Plain lines stay on standard error: who is behind them the journal knows
 * even when the process has ended by the time it reads them, as after a start that failed. */
#pragma once

#include <stdbool.h>

/* Standard error is the journal's, not a terminal's or a file's. */
bool log_journal_is_there(void);
/* To be called before the first line. */
void log_journal_use(void);
