/* SPDX-License-Identifier: GPL-3.0-or-later */
/* CWMP fault codes of a CPE (TR-069 A.5.1), written once. A function of this directory that may return one
 * returns it as a positive int. */
#pragma once

#include "cwmp/soap.h"

/* X(name, code, whose fault: the SOAP faultcode, FaultString) */
#define CWMP_FAULTS(X)                                                                                       \
    X(METHOD_NOT_SUPPORTED, 9000, SERVER, "Method not supported")                                            \
    X(REQUEST_DENIED, 9001, SERVER, "Request denied")                                                        \
    X(INTERNAL_ERROR, 9002, SERVER, "Internal error")                                                        \
    X(INVALID_ARGUMENTS, 9003, CLIENT, "Invalid arguments")                                                  \
    X(RESOURCES_EXCEEDED, 9004, SERVER, "Resources exceeded")                                                \
    X(INVALID_NAME, 9005, CLIENT, "Invalid parameter name")                                                  \
    X(INVALID_TYPE, 9006, CLIENT, "Invalid parameter type")                                                  \
    X(INVALID_VALUE, 9007, CLIENT, "Invalid parameter value")                                                \
    X(NOT_WRITABLE, 9008, CLIENT, "Attempt to set a non-writable parameter")                                 \
    X(NOTIFICATION_REJECTED, 9009, SERVER, "Notification request rejected")                                  \
    X(TRANSFER_FAILED, 9010, SERVER, "File transfer failure")                                                \
    X(UPLOAD_FAILED, 9011, SERVER, "Upload failure")                                                         \
    X(SERVER_AUTHENTICATION, 9012, SERVER, "File transfer server authentication failure")                    \
    X(PROTOCOL_NOT_SUPPORTED, 9013, SERVER, "Unsupported protocol for file transfer")                        \
    X(MULTICAST, 9014, SERVER, "File transfer failure: unable to join multicast group")                      \
    X(SERVER_UNREACHABLE, 9015, SERVER, "File transfer failure: unable to contact file server")              \
    X(FILE_INACCESSIBLE, 9016, SERVER, "File transfer failure: unable to access file")                       \
    X(FILE_INCOMPLETE, 9017, SERVER, "File transfer failure: unable to complete download")                   \
    X(FILE_CORRUPTED, 9018, SERVER, "File transfer failure: file corrupted or otherwise unusable")           \
    X(FILE_AUTHENTICATION, 9019, SERVER, "File transfer failure: file authentication failure")               \
    X(WINDOWS_MISSED, 9020, SERVER,                                                                          \
      "File transfer failure: unable to complete download within specified time windows")                    \
    X(CANCEL_NOT_PERMITTED, 9021, SERVER,                                                                    \
      "Cancelation of file transfer not permitted in current transfer state")

typedef enum CwmpFault {
#define X(name, code, whose, text) FAULT_##name = code,
    CWMP_FAULTS(X)
#undef X
} CwmpFault;

/* Of a HeMS (A.5.2). */
#define CWMP_FAULT_ACS_INTERNAL 8002
#define CWMP_FAULT_RETRY        8005

/* The FaultString of *code*, "Fault" for one that is not in the table. */
const char *cwmp_fault_text(int code);
/* The faultcode that goes with it. */
SoapFaultCode cwmp_fault_whose(int code);
/* The code that says it in *version*: cwmp-1-0 knows none after 9013. */
int cwmp_fault_in(CwmpVersion version, int code);
/* The same for the FaultStruct of a TransferComplete, which the schemas narrow to 0, 9001, 9002, 9010 and
 * later, without 9013. */
int cwmp_transfer_fault_in(CwmpVersion version, int code);
