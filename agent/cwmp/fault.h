/* SPDX-License-Identifier: GPL-3.0-or-later */
/* CWMP fault codes of a CPE (TR-069 A.5.1), written once. A function of this directory that may return one
 * returns it as a positive int. */
#pragma once

/* X(name, code, FaultString) */
#define CWMP_FAULTS(X)                                                                                       \
    X(METHOD_NOT_SUPPORTED, 9000, "Method not supported")                                                    \
    X(REQUEST_DENIED, 9001, "Request denied")                                                                \
    X(INTERNAL_ERROR, 9002, "Internal error")                                                                \
    X(INVALID_ARGUMENTS, 9003, "Invalid arguments")                                                          \
    X(RESOURCES_EXCEEDED, 9004, "Resources exceeded")                                                        \
    X(INVALID_NAME, 9005, "Invalid parameter name")                                                          \
    X(INVALID_TYPE, 9006, "Invalid parameter type")                                                          \
    X(INVALID_VALUE, 9007, "Invalid parameter value")                                                        \
    X(NOT_WRITABLE, 9008, "Attempt to set a non-writable parameter")                                         \
    X(NOTIFICATION_REJECTED, 9009, "Notification request rejected")

typedef enum CwmpFault {
#define X(name, code, text) FAULT_##name = code,
    CWMP_FAULTS(X)
#undef X
} CwmpFault;

/* The FaultString of *code*, "Fault" for one that is not in the table. */
const char *cwmp_fault_text(int code);
