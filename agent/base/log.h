/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Log lines for the journal: "<level>text" on standard error, as sd-daemon(3) defines it. A line says what
 * happened to whom, in the field's words, and never holds a secret. */
#pragma once

#include <syslog.h>

#include "base/macro.h"

#define ERROR_MAX_BYTES 512 /* one line that explains a failure, with its NUL */

/* Writes such a line to *error* (ERROR_MAX_BYTES). Always -EINVAL, for what the line is about. */
int error_line(char *error, const char *format, ...) _printf_(2, 3);

/* Lines less important than *level* (LOG_ERR .. LOG_DEBUG) are dropped. Default LOG_INFO. */
void log_set_level(int level);
int log_get_level(void);
/* Takes a printf format without a newline. */
void log_write(int level, const char *format, ...) _printf_(2, 3);

#define log_error(...)   log_write(LOG_ERR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_WARNING, __VA_ARGS__)
#define log_notice(...)  log_write(LOG_NOTICE, __VA_ARGS__)
#define log_info(...)    log_write(LOG_INFO, __VA_ARGS__)
#define log_debug(...)   log_write(LOG_DEBUG, __VA_ARGS__)
