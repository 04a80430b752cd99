/* SPDX-License-Identifier: GPL-3.0-or-later */
/* CWMP messages as bytes and as structs: SOAP 1.1 envelopes of TR-069 clause 3.4.7 and Annex A, namespaces
 * cwmp-1-0, cwmp-1-1 and cwmp-1-2 (which 1.3 and 1.4 share). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cwmp/rpc-services.h"

/* What a peer may send. Beyond a limit the whole envelope is refused. */
#define SOAP_ENVELOPE_MAX (2 * 1024 * 1024) /* bytes */
#define SOAP_DEPTH_MAX    32                /* nested elements */
#define SOAP_ELEMENTS_MAX 100000            /* elements altogether */
#define SOAP_ACCESS_MAX   64                /* entities of an AccessList */
#define SOAP_TAG_MAX      4096              /* bytes of one tag with its attributes */

/* Namespaces, not protocol versions: 1.3 and 1.4 are spoken in that of 1.2. There are HeMSs that use the last
 * two all the same, and get their answer in them. */
typedef enum CwmpVersion {
    CWMP_1_0,
    CWMP_1_1,
    CWMP_1_2,
    CWMP_1_3,
    CWMP_1_4,
    CWMP_VERSIONS_,
} CwmpVersion;

#define SOAP_NS_ENVELOPE "http://schemas.xmlsoap.org/soap/envelope/"
#define SOAP_NS_ENCODING "http://schemas.xmlsoap.org/soap/encoding/"
#define SOAP_NS_SCHEMA   "http://www.w3.org/2001/XMLSchema"
#define SOAP_NS_INSTANCE "http://www.w3.org/2001/XMLSchema-instance"
/* "urn:dslforum-org:cwmp-1-0" and so on. */
const char *cwmp_version_namespace(CwmpVersion version);

#define SOAP_TIME_UNKNOWN "0001-01-01T00:00:00Z" /* TR-106 3.2 */

/* X(name, local name of the element in the Body, the first namespace that has it) */
#define SOAP_KINDS(X)                                                                                        \
    X(INFORM, "Inform", CWMP_1_0)                                                                            \
    X(INFORM_RESPONSE, "InformResponse", CWMP_1_0)                                                           \
    X(GET_RPC_METHODS, "GetRPCMethods", CWMP_1_0)                                                            \
    X(GET_RPC_METHODS_RESPONSE, "GetRPCMethodsResponse", CWMP_1_0)                                           \
    X(GET_PARAMETER_NAMES, "GetParameterNames", CWMP_1_0)                                                    \
    X(GET_PARAMETER_NAMES_RESPONSE, "GetParameterNamesResponse", CWMP_1_0)                                   \
    X(GET_PARAMETER_VALUES, "GetParameterValues", CWMP_1_0)                                                  \
    X(GET_PARAMETER_VALUES_RESPONSE, "GetParameterValuesResponse", CWMP_1_0)                                 \
    X(SET_PARAMETER_VALUES, "SetParameterValues", CWMP_1_0)                                                  \
    X(SET_PARAMETER_VALUES_RESPONSE, "SetParameterValuesResponse", CWMP_1_0)                                 \
    X(GET_PARAMETER_ATTRIBUTES, "GetParameterAttributes", CWMP_1_0)                                          \
    X(GET_PARAMETER_ATTRIBUTES_RESPONSE, "GetParameterAttributesResponse", CWMP_1_0)                         \
    X(SET_PARAMETER_ATTRIBUTES, "SetParameterAttributes", CWMP_1_0)                                          \
    X(SET_PARAMETER_ATTRIBUTES_RESPONSE, "SetParameterAttributesResponse", CWMP_1_0)                         \
    X(ADD_OBJECT, "AddObject", CWMP_1_0)                                                                     \
    X(ADD_OBJECT_RESPONSE, "AddObjectResponse", CWMP_1_0)                                                    \
    X(DELETE_OBJECT, "DeleteObject", CWMP_1_0)                                                               \
    X(DELETE_OBJECT_RESPONSE, "DeleteObjectResponse", CWMP_1_0)                                              \
    X(REBOOT, "Reboot", CWMP_1_0)                                                                            \
    X(REBOOT_RESPONSE, "RebootResponse", CWMP_1_0)                                                           \
    X(FACTORY_RESET, "FactoryReset", CWMP_1_0)                                                               \
    X(FACTORY_RESET_RESPONSE, "FactoryResetResponse", CWMP_1_0)                                              \
    X(SCHEDULE_INFORM, "ScheduleInform", CWMP_1_0)                                                           \
    X(SCHEDULE_INFORM_RESPONSE, "ScheduleInformResponse", CWMP_1_0)                                          \
    X(DOWNLOAD, "Download", CWMP_1_0)                                                                        \
    X(DOWNLOAD_RESPONSE, "DownloadResponse", CWMP_1_0)                                                       \
    X(UPLOAD, "Upload", CWMP_1_0)                                                                            \
    X(UPLOAD_RESPONSE, "UploadResponse", CWMP_1_0)                                                           \
    X(SCHEDULE_DOWNLOAD, "ScheduleDownload", CWMP_1_2)                                                       \
    X(SCHEDULE_DOWNLOAD_RESPONSE, "ScheduleDownloadResponse", CWMP_1_2)                                      \
    X(CANCEL_TRANSFER, "CancelTransfer", CWMP_1_2)                                                           \
    X(CANCEL_TRANSFER_RESPONSE, "CancelTransferResponse", CWMP_1_2)                                          \
    X(GET_QUEUED_TRANSFERS, "GetQueuedTransfers", CWMP_1_0)                                                  \
    X(GET_QUEUED_TRANSFERS_RESPONSE, "GetQueuedTransfersResponse", CWMP_1_0)                                 \
    X(GET_ALL_QUEUED_TRANSFERS, "GetAllQueuedTransfers", CWMP_1_1)                                           \
    X(GET_ALL_QUEUED_TRANSFERS_RESPONSE, "GetAllQueuedTransfersResponse", CWMP_1_1)                          \
    X(TRANSFER_COMPLETE, "TransferComplete", CWMP_1_0)                                                       \
    X(TRANSFER_COMPLETE_RESPONSE, "TransferCompleteResponse", CWMP_1_0)                                      \
    X(AUTONOMOUS_TRANSFER_COMPLETE, "AutonomousTransferComplete", CWMP_1_1)                                  \
    X(AUTONOMOUS_TRANSFER_COMPLETE_RESPONSE, "AutonomousTransferCompleteResponse", CWMP_1_1)                 \
    X(REQUEST_DOWNLOAD, "RequestDownload", CWMP_1_0)                                                         \
    X(REQUEST_DOWNLOAD_RESPONSE, "RequestDownloadResponse", CWMP_1_0)

typedef enum SoapKind {
    SOAP_EMPTY,   /* an envelope whose Body holds nothing */
    SOAP_UNKNOWN, /* an element of a CWMP namespace that is none of these; *name* says which */
    SOAP_FAULT,
#define X(name, element, since) SOAP_##name,
    SOAP_KINDS(X)
#undef X
        SOAP_KINDS_,
} SoapKind;

/* The first namespace that has it. */
CwmpVersion soap_since(SoapKind kind);

typedef enum SoapFaultCode {
    SOAP_CLIENT,
    SOAP_SERVER,
    SOAP_MUST_UNDERSTAND, /* SOAP 1.1 4.4.1; carries no cwmp:Fault */
} SoapFaultCode;

typedef struct SoapDevice {
    const char *manufacturer, *oui, *product_class, *serial_number;
} SoapDevice;

typedef struct SoapEvent {
    const char *code;        /* "0 BOOTSTRAP" */
    const char *command_key; /* "" but for M events */
} SoapEvent;

typedef struct SoapParameter {
    const char *name;
    const char *type;  /* xsi:type without prefix, "string"; "" when the peer gave none */
    const char *value; /* exactly as sent: the model knows which types ignore white space */
} SoapParameter;

typedef struct SoapInfo {
    const char *name;
    bool writable;
} SoapInfo;

typedef struct SoapParameterFault {
    const char *name;
    int code;
    const char *text;
} SoapParameterFault;

typedef struct SoapAttributes {
    const char *name;
    bool set_notification; /* SetParameterAttributes */
    int notification;
    bool set_access;    /* SetParameterAttributes */
    const char *access; /* entities, separated by commas: "Subscriber" */
} SoapAttributes;

typedef struct SoapArena SoapArena;

/* One message. Owns its lists and all strings it was given by the soap_add_ functions, soap_string() or
 * soap_decode(); strings set otherwise are borrowed. Zero-initialised is a valid empty message. Which
 * arguments mean something follows from *kind*; strings of a decoded message that were absent are "", but
 * *id*, *not_understood*, *use_version* and *bad_arguments* are NULL. */
typedef struct SoapMessage {
    CwmpVersion version;

    const char *id;             /* cwmp:ID, byte by byte; NULL: none */
    bool hold_requests;         /* cwmp:HoldRequests */
    bool supported_versions;    /* encoding: offer our versions (cwmp:SupportedCWMPVersions) */
    const char *use_version;    /* cwmp:UseCWMPVersion */
    const char *not_understood; /* a header block we do not know, with mustUnderstand="1" */

    SoapKind kind;
    const char *name;          /* local name of the element in the Body */
    const char *bad_arguments; /* what is wrong with the arguments of this request, for a fault 9003 */

    SoapDevice device;        /* Inform */
    size_t n_events;          /* Inform */
    SoapEvent *events;        /* Inform */
    const char *current_time; /* Inform */
    uint32_t retry_count;     /* Inform */
    uint32_t max_envelopes;   /* Inform, InformResponse */
    size_t n_parameters;
    SoapParameter *parameters; /* Inform, SetParameterValues, GetParameterValuesResponse */
    const char *parameter_key; /* SetParameterValues */
    int status;        /* responses to SetParameterValues, AddObject, DeleteObject, Download, Upload */
    const char *path;  /* GetParameterNames, AddObject, DeleteObject */
    uint32_t instance; /* AddObjectResponse */
    bool next_level;   /* GetParameterNames */
    size_t n_names;
    const char **names; /* GetParameterValues, GetParameterAttributes, GetRPCMethodsResponse */
    size_t n_infos;
    SoapInfo *infos; /* GetParameterNamesResponse */
    size_t n_attributes;
    SoapAttributes *attributes; /* SetParameterAttributes, GetParameterAttributesResponse */

    /* Transfers, Reboot, ScheduleInform: see rpc-services.h for which has what. */
    const char *command_key, *file_type, *url, *username, *password, *target_file_name;
    const char *success_url, *failure_url, *announce_url, *transfer_url;
    uint32_t file_size, delay;
    bool is_download;
    const char *start_time, *complete_time; /* dateTime; encoding: NULL is the Unknown Time */
    int transfer_fault;
    const char *transfer_fault_text;
    size_t n_windows;
    RpcWindow windows[RPC_WINDOWS_MAX]; /* ScheduleDownload */
    size_t n_transfers;
    RpcTransfer *transfers; /* responses to Get[All]QueuedTransfers */
    size_t n_args;
    const SessionFileArg *args; /* RequestDownload; borrowed */

    SoapFaultCode fault_code; /* Fault: its SOAP faultcode */
    int fault;                /* Fault: its CWMP code; 0 when the peer gave none */
    const char *fault_text;   /* Fault: CWMP's FaultString, or SOAP's faultstring without a CWMP one */
    size_t n_parameter_faults;
    SoapParameterFault *parameter_faults; /* Fault to a SetParameterValues */

    SoapArena *arena;
} SoapMessage;

/* Frees and wipes (values may be passwords) what the message owns and makes it empty. */
void soap_message_clear(SoapMessage *message);

/* A copy of *size* bytes of *s* with a NUL behind it, owned by *message*; NULL without memory. */
char *soap_string(SoapMessage *message, const char *s, size_t size);
/* Append a copy. 0 or -ENOMEM. */
int soap_add_event(SoapMessage *message, const SoapEvent *event);
int soap_add_parameter(SoapMessage *message, const SoapParameter *parameter);
int soap_add_name(SoapMessage *message, const char *name);
int soap_add_info(SoapMessage *message, const SoapInfo *info);
int soap_add_attributes(SoapMessage *message, const SoapAttributes *attributes);
int soap_add_transfer(SoapMessage *message, const RpcTransfer *transfer);
int soap_add_parameter_fault(SoapMessage *message, const SoapParameterFault *fault);

/* Reads one envelope into *ret*, which the caller clears after success. By namespace URI; any prefix, CDATA
 * and comments; no DTD, no entities but XML's five. 0; -EBADMSG: not XML, not SOAP or not CWMP; -E2BIG: a
 * limit above; -ENOMEM. On error writes one line for a person to *error* (ERROR_MAX_BYTES). A
 * request that can be answered, though its arguments are wrong, is no error: see bad_arguments. */
int soap_decode(const void *data, size_t size, SoapMessage *ret, char *error);

/* Writes the envelope of *message*: *ret* is malloc'ed, *ret_size* bytes and a NUL. Characters that XML
 * cannot carry are left out. 0, -ENOMEM, or -EINVAL for a kind that a CPE does not send. */
int soap_encode(const SoapMessage *message, char **ret, size_t *ret_size);
