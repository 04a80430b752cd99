/* SPDX-License-Identifier: GPL-3.0-or-later */
/* CWMP messages as bytes and as structs: SOAP 1.1 envelopes of TR-069 clause 3.4.7 and Annex A, namespaces
 * cwmp-1-0, cwmp-1-1 and cwmp-1-2 (which 1.3 and 1.4 share). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a peer may send. Beyond a limit the whole envelope is refused. */
#define SOAP_ENVELOPE_MAX (2 * 1024 * 1024) /* bytes */
#define SOAP_DEPTH_MAX    32                /* nested elements */
#define SOAP_ELEMENTS_MAX 100000            /* elements altogether */
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

/* X(name, local name of the element in the Body) */
#define SOAP_KINDS(X)                                                                                        \
    X(INFORM, "Inform")                                                                                      \
    X(INFORM_RESPONSE, "InformResponse")                                                                     \
    X(GET_RPC_METHODS, "GetRPCMethods")                                                                      \
    X(GET_RPC_METHODS_RESPONSE, "GetRPCMethodsResponse")                                                     \
    X(GET_PARAMETER_NAMES, "GetParameterNames")                                                              \
    X(GET_PARAMETER_NAMES_RESPONSE, "GetParameterNamesResponse")                                             \
    X(GET_PARAMETER_VALUES, "GetParameterValues")                                                            \
    X(GET_PARAMETER_VALUES_RESPONSE, "GetParameterValuesResponse")                                           \
    X(SET_PARAMETER_VALUES, "SetParameterValues")                                                            \
    X(SET_PARAMETER_VALUES_RESPONSE, "SetParameterValuesResponse")                                           \
    X(FACTORY_RESET, "FactoryReset")                                                                         \
    X(FACTORY_RESET_RESPONSE, "FactoryResetResponse")

typedef enum SoapKind {
    SOAP_EMPTY,   /* an envelope whose Body holds nothing */
    SOAP_UNKNOWN, /* an element of a CWMP namespace that is none of these; *name* says which */
    SOAP_FAULT,
#define X(name, element) SOAP_##name,
    SOAP_KINDS(X)
#undef X
        SOAP_KINDS_,
} SoapKind;

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
    int status;                /* SetParameterValuesResponse */
    const char *path;          /* GetParameterNames */
    bool next_level;           /* GetParameterNames */
    size_t n_names;
    const char **names; /* GetParameterValues, GetRPCMethodsResponse */
    size_t n_infos;
    SoapInfo *infos; /* GetParameterNamesResponse */

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
int soap_add_parameter_fault(SoapMessage *message, const SoapParameterFault *fault);

/* Reads one envelope into *ret*, which the caller clears after success. By namespace URI; any prefix, CDATA
 * and comments; no DTD, no entities but XML's five. 0; -EBADMSG: not XML, not SOAP or not CWMP; -E2BIG: a
 * limit above; -ENOMEM. On error writes one line for a person to *error* (ERROR_MAX_BYTES). A
 * request that can be answered, though its arguments are wrong, is no error: see bad_arguments. */
int soap_decode(const void *data, size_t size, SoapMessage *ret, char *error);

/* Writes the envelope of *message*: *ret* is malloc'ed, *ret_size* bytes and a NUL. Characters that XML
 * cannot carry are left out. 0, -ENOMEM, or -EINVAL for a kind that a CPE does not send. */
int soap_encode(const SoapMessage *message, char **ret, size_t *ret_size);
