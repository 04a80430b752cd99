/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Log lines for the journal: "<level>text" on standard error, as sd-daemon(3) defines it, or by the sink of
 * log-journal-io.h. A line says what happened to whom, in the field's words, and never holds a secret. */
#pragma once

#include <syslog.h>

#include "base/log-messages.h"
#include "base/macro.h"

#define ERROR_MAX_BYTES 512 /* one line that explains a failure, with its NUL */

/* Writes such a line to *error* (ERROR_MAX_BYTES). Always -EINVAL, for what the line is about. */
int error_line(char *error, const char *format, ...) _printf_(2, 3);

/* Lines less important than *level* (LOG_ERR .. LOG_DEBUG) are dropped. Default LOG_INFO. */
void log_set_level(int level);
int log_get_level(void);
/* Takes a printf format without a newline. */
void log_write(int level, const char *format, ...) _printf_(2, 3);
/* The same for a line of that MESSAGE_ID; the sink has the fields. Standard error has none of them: a
 * terminal the text alone, anything else the level before it, as "<6>". Both go one way, so that they stay in
 * their order. */
void log_message(int level, LogMessage message, const LogFields *fields, const char *format, ...)
    _printf_(4, 5);

/* Takes a line with its MESSAGE_ID, or NULL, and *n* texts "NAME=value", all without control characters.
 * Negative errno: it cannot, and the line goes to standard error. NULL, the default, takes none. */
typedef int (*LogSink)(int level, const char *id, const char *text, const char *const *fields, size_t n);
void log_set_sink(LogSink sink);

/* Numbers as values of fields. */
#define LOG_NUMBER_MAX 24
const char *log_number(int64_t number, char ret[static LOG_NUMBER_MAX]);
#define LOG_NUMBER(number) log_number((number), (char[LOG_NUMBER_MAX]){0})
/* As in "ip xfrm state", without 0x: 8 digits, 16 of IKE's. */
const char *log_spi(uint64_t spi, int digits, char ret[static LOG_NUMBER_MAX]);
#define LOG_SPI(spi)     log_spi((spi), 8, (char[LOG_NUMBER_MAX]){0})
#define LOG_IKE_SPI(spi) log_spi((spi), 16, (char[LOG_NUMBER_MAX]){0})

#define log_error(...)   log_write(LOG_ERR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_WARNING, __VA_ARGS__)
#define log_notice(...)  log_write(LOG_NOTICE, __VA_ARGS__)
#define log_info(...)    log_write(LOG_INFO, __VA_ARGS__)
#define log_debug(...)   log_write(LOG_DEBUG, __VA_ARGS__)
