/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See soap.h. What a message owns, and the tables of its fields. */
#include "cwmp/soap.h"

#include <stddef.h>

#include "base/macro.h"
#include "cwmp/soap-table.h"

static const char *const version_namespaces[CWMP_VERSIONS_] = {
    [CWMP_1_0] = "urn:dslforum-org:cwmp-1-0", [CWMP_1_1] = "urn:dslforum-org:cwmp-1-1",
    [CWMP_1_2] = "urn:dslforum-org:cwmp-1-2", [CWMP_1_3] = "urn:dslforum-org:cwmp-1-3",
    [CWMP_1_4] = "urn:dslforum-org:cwmp-1-4",
};

const char *cwmp_version_namespace(CwmpVersion version) {
    return version_namespaces[version];
}

/* Strings of a message: blocks that are wiped and freed together. */
#define ARENA_BLOCK 4000

struct SoapArena {
    SoapArena *next;
    size_t size, used;
    char data[];
};

void soap_message_clear(SoapMessage *message) {
    for (SoapArena *block = message->arena, *next; block; block = next) {
        next = block->next;
        explicit_bzero(block->data, block->used);
        free(block);
    }
    free(message->events);
    free(message->parameters);
    free(message->names);
    free(message->infos);
    free(message->attributes);
    free(message->transfers);
    free(message->parameter_faults);
    *message = (SoapMessage){0};
}

/* *size* bytes and one for the NUL. */
char *soap_reserve(SoapMessage *m, size_t size) {
    SoapArena *block = m->arena;
    size++;
    if (!block || block->size - block->used < size) {
        size_t capacity = MAX(size, (size_t)ARENA_BLOCK);
        block = malloc(sizeof *block + capacity);
        if (!block)
            return NULL;
        *block = (SoapArena){.next = m->arena, .size = capacity};
        m->arena = block;
    }
    char *s = block->data + block->used;
    block->used += size;
    s[size - 1] = 0;
    return s;
}

char *soap_string(SoapMessage *message, const char *s, size_t size) {
    char *copy = soap_reserve(message, size);
    if (copy)
        memcpy(copy, s, size);
    return copy;
}

static const char *copy_string(SoapMessage *m, const char *s, bool *ok) {
    const char *copy = soap_string(m, s, strlen(s));
    *ok = *ok && copy;
    return copy;
}

int soap_add_event(SoapMessage *m, const SoapEvent *event) {
    bool ok = true;
    SoapEvent copy = {copy_string(m, event->code, &ok), copy_string(m, event->command_key, &ok)};
    return ok ? LIST_ADD(m->events, m->n_events, copy) : -ENOMEM;
}

int soap_add_parameter(SoapMessage *m, const SoapParameter *parameter) {
    bool ok = true;
    SoapParameter copy = {copy_string(m, parameter->name, &ok), copy_string(m, parameter->type, &ok),
                          copy_string(m, parameter->value, &ok)};
    return ok ? LIST_ADD(m->parameters, m->n_parameters, copy) : -ENOMEM;
}

int soap_add_name(SoapMessage *m, const char *name) {
    bool ok = true;
    const char *copy = copy_string(m, name, &ok);
    return ok ? LIST_ADD(m->names, m->n_names, copy) : -ENOMEM;
}

int soap_add_info(SoapMessage *m, const SoapInfo *info) {
    bool ok = true;
    SoapInfo copy = {copy_string(m, info->name, &ok), info->writable};
    return ok ? LIST_ADD(m->infos, m->n_infos, copy) : -ENOMEM;
}

int soap_add_parameter_fault(SoapMessage *m, const SoapParameterFault *fault) {
    bool ok = true;
    SoapParameterFault copy = {copy_string(m, fault->name, &ok), fault->code,
                               copy_string(m, fault->text, &ok)};
    return ok ? LIST_ADD(m->parameter_faults, m->n_parameter_faults, copy) : -ENOMEM;
}

int soap_add_attributes(SoapMessage *m, const SoapAttributes *attributes) {
    bool ok = true;
    SoapAttributes copy = *attributes;
    copy.name = copy_string(m, attributes->name, &ok);
    copy.access = copy_string(m, attributes->access, &ok);
    return ok ? LIST_ADD(m->attributes, m->n_attributes, copy) : -ENOMEM;
}

int soap_add_transfer(SoapMessage *m, const RpcTransfer *transfer) {
    bool ok = true;
    RpcTransfer copy = *transfer;
    copy.command_key = copy_string(m, transfer->command_key, &ok);
    copy.file_type = copy_string(m, transfer->file_type, &ok);
    copy.target_file_name = copy_string(m, transfer->target_file_name, &ok);
    return ok ? LIST_ADD(m->transfers, m->n_transfers, copy) : -ENOMEM;
}

/* Type, element, where, the most characters (0: no limit), whether a request without it is refused. */
#define FIELD(kind, element, member, max, required)                                                          \
    { FIELD_##kind, element, offsetof(SoapMessage, member), max, required }
#define TEXT(element, member, max)   FIELD(TEXT, element, member, max, false)
#define NEEDED(element, member, max) FIELD(TEXT, element, member, max, true)
#define TOKEN(element, member)       FIELD(TOKEN, element, member, 0, false)
#define NUMBER(element, member)      FIELD(NUMBER, element, member, 0, false)
#define BOOLEAN(element, member)     FIELD(BOOLEAN, element, member, 0, true)
#define INTEGER(element, member)     FIELD(INTEGER, element, member, 0, false)
#define TIME(element, member)        FIELD(TIME, element, member, 0, false)
#define LIST(kind, element)                                                                                  \
    { FIELD_##kind, element, 0, 0, true }
#define FIELDS(...)                                                                                          \
    (const SoapField[]) {                                                                                    \
        __VA_ARGS__, {                                                                                       \
            0                                                                                                \
        }                                                                                                    \
    }

#define COMMAND_KEY TEXT("CommandKey", command_key, RPC_COMMAND_KEY_MAX)
#define FILE_TYPE   NEEDED("FileType", file_type, RPC_FILE_TYPE_MAX)
#define TARGET      TEXT("TargetFileName", target_file_name, RPC_FILE_NAME_MAX)
#define FILE_SIZE   NUMBER("FileSize", file_size)
#define DELAY       NUMBER("DelaySeconds", delay)
#define STATUS      INTEGER("Status", status)
#define TIMES       TIME("StartTime", start_time), TIME("CompleteTime", complete_time)
#define SERVER                                                                                               \
    NEEDED("URL", url, RPC_URL_MAX), TEXT("Username", username, RPC_USERNAME_MAX),                           \
        TEXT("Password", password, RPC_PASSWORD_MAX)
/* Of any length: the model judges it (A.3.2.1). */
#define PARAMETER_KEY TEXT("ParameterKey", parameter_key, 0)

/* In the schemas' order. */
const SoapField *const soap_fields[SOAP_KINDS_] = {
    [SOAP_INFORM] = FIELDS(LIST(DEVICE, "DeviceId"), LIST(EVENTS, "Event"),
                           NUMBER("MaxEnvelopes", max_envelopes), TIME("CurrentTime", current_time),
                           NUMBER("RetryCount", retry_count), LIST(PARAMETERS, "ParameterList")),
    [SOAP_INFORM_RESPONSE] =
        FIELDS({FIELD_COUNT, "MaxEnvelopes", offsetof(SoapMessage, max_envelopes), 0, false}),
    [SOAP_GET_RPC_METHODS_RESPONSE] = FIELDS(LIST(METHODS, "MethodList")),
    [SOAP_GET_PARAMETER_NAMES] = FIELDS(TOKEN("ParameterPath", path), BOOLEAN("NextLevel", next_level)),
    [SOAP_GET_PARAMETER_NAMES_RESPONSE] = FIELDS(LIST(INFOS, "ParameterList")),
    [SOAP_GET_PARAMETER_VALUES] = FIELDS(LIST(NAMES, "ParameterNames")),
    [SOAP_GET_PARAMETER_VALUES_RESPONSE] = FIELDS(LIST(PARAMETERS, "ParameterList")),
    [SOAP_SET_PARAMETER_VALUES] = FIELDS(LIST(PARAMETERS, "ParameterList"), PARAMETER_KEY),
    [SOAP_SET_PARAMETER_VALUES_RESPONSE] = FIELDS(STATUS),
    [SOAP_GET_PARAMETER_ATTRIBUTES] = FIELDS(LIST(NAMES, "ParameterNames")),
    [SOAP_GET_PARAMETER_ATTRIBUTES_RESPONSE] = FIELDS(LIST(ATTRIBUTES, "ParameterList")),
    [SOAP_SET_PARAMETER_ATTRIBUTES] = FIELDS(LIST(ATTRIBUTES, "ParameterList")),
    [SOAP_ADD_OBJECT] = FIELDS(TOKEN("ObjectName", path), PARAMETER_KEY),
    [SOAP_ADD_OBJECT_RESPONSE] = FIELDS(NUMBER("InstanceNumber", instance), STATUS),
    [SOAP_DELETE_OBJECT] = FIELDS(TOKEN("ObjectName", path), PARAMETER_KEY),
    [SOAP_DELETE_OBJECT_RESPONSE] = FIELDS(STATUS),
    [SOAP_REBOOT] = FIELDS(COMMAND_KEY),
    [SOAP_SCHEDULE_INFORM] = FIELDS(DELAY, COMMAND_KEY),
    [SOAP_DOWNLOAD] =
        FIELDS(COMMAND_KEY, FILE_TYPE, SERVER, FILE_SIZE, TARGET, DELAY,
               TEXT("SuccessURL", success_url, RPC_URL_MAX), TEXT("FailureURL", failure_url, RPC_URL_MAX)),
    [SOAP_DOWNLOAD_RESPONSE] = FIELDS(STATUS, TIMES),
    [SOAP_UPLOAD] = FIELDS(COMMAND_KEY, FILE_TYPE, SERVER, DELAY),
    [SOAP_UPLOAD_RESPONSE] = FIELDS(STATUS, TIMES),
    [SOAP_SCHEDULE_DOWNLOAD] =
        FIELDS(COMMAND_KEY, FILE_TYPE, SERVER, FILE_SIZE, TARGET, LIST(WINDOWS, "TimeWindowList")),
    [SOAP_CANCEL_TRANSFER] = FIELDS(COMMAND_KEY),
    [SOAP_GET_QUEUED_TRANSFERS_RESPONSE] = FIELDS(LIST(TRANSFERS, "TransferList")),
    [SOAP_GET_ALL_QUEUED_TRANSFERS_RESPONSE] = FIELDS(LIST(TRANSFERS, "TransferList")),
    [SOAP_TRANSFER_COMPLETE] = FIELDS(COMMAND_KEY, LIST(FAULT, "FaultStruct"), TIMES),
    [SOAP_AUTONOMOUS_TRANSFER_COMPLETE] = FIELDS(
        TEXT("AnnounceURL", announce_url, 0), TEXT("TransferURL", transfer_url, 0),
        BOOLEAN("IsDownload", is_download), FILE_TYPE, FILE_SIZE, TARGET, LIST(FAULT, "FaultStruct"), TIMES),
    [SOAP_REQUEST_DOWNLOAD] = FIELDS(FILE_TYPE, LIST(ARGS, "FileTypeArg")),
};

const char *const soap_elements[SOAP_KINDS_] = {
#define X(kind, element, since) [SOAP_##kind] = element,
    SOAP_KINDS(X)
#undef X
};

CwmpVersion soap_since(SoapKind kind) {
    static const CwmpVersion first[SOAP_KINDS_] = {
#define X(kind, element, since) [SOAP_##kind] = since,
        SOAP_KINDS(X)
#undef X
    };
    return first[kind];
}
