/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Encoding of soap.h: what a CPE sends. Plain text with double-quoted attributes and fixed prefixes, since
 * there are HeMSs that read nothing else. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/macro.h"
#include "base/utf8.h"
#include "cwmp/fault.h"
#include "cwmp/soap-table.h"

typedef struct Text {
    char *data;
    size_t len, size;
    bool bad; /* out of memory; nothing has been written since */
} Text;

static void text_add(Text *t, const char *s, size_t len) {
    if (t->bad)
        return;
    if (t->size - t->len < len + 1) {
        size_t size = MAX(2 * t->size, t->len + len + 1024);
        char *data = realloc(t->data, size);
        if (!data) {
            t->bad = true;
            return;
        }
        t->data = data;
        t->size = size;
    }
    memcpy(t->data + t->len, s, len);
    t->len += len;
    t->data[t->len] = 0;
}

/* Markup of ours with short arguments of ours. */
static void text_format(Text *t, const char *format, ...) _printf_(2, 3);
static void text_format(Text *t, const char *format, ...) {
    char buf[256];
    va_list ap;
    va_start(ap, format);
    int n = vsnprintf(buf, sizeof buf, format, ap);
    va_end(ap);
    assert(n >= 0 && (size_t)n < sizeof buf);
    text_add(t, buf, (size_t)n);
}

/* The bytes of the character at *s* if XML 1.0 (2.2) can carry it, else 0. */
static size_t xml_character(const char *s) {
    size_t size = utf8_sequence(s);

    if (size == 1 && (unsigned char)*s < ' ' && !strchr("\t\n\r", *s))
        return 0;
    return strncmp(s, "\xef\xbf\xbe", 3) == 0 || strncmp(s, "\xef\xbf\xbf", 3) == 0 ? 0 : size;
}

static void text_escaped_part(Text *t, const char *s, size_t length) {
    /* A bare carriage return would be read as a line feed (XML 1.0 2.11). */
    static const char *const references[128] = {
        ['&'] = "&amp;", ['<'] = "&lt;", ['>'] = "&gt;", ['"'] = "&quot;", ['\r'] = "&#13;"};
    for (const char *end = s + length; s < end;) {
        size_t size = xml_character(s);
        const char *reference = size == 1 ? references[(unsigned char)*s] : NULL;
        if (reference)
            text_add(t, reference, strlen(reference));
        else
            text_add(t, s, size);
        s += MAX(size, (size_t)1);
    }
}

static void text_escaped(Text *t, const char *s) {
    s = strempty(s);
    text_escaped_part(t, s, strlen(s));
}

static void text_element(Text *t, const char *name, const char *content) {
    text_format(t, "<%s>", name);
    text_escaped(t, content);
    text_format(t, "</%s>", name);
}

#define ARRAY_OF(t, element, type, n) text_format(t, "<%s soap-enc:arrayType=\"%s[%zu]\">", element, type, n)

static void encode_parameters(Text *t, const SoapMessage *m) {
    ARRAY_OF(t, "ParameterList", "cwmp:ParameterValueStruct", m->n_parameters);
    for (size_t i = 0; i < m->n_parameters; i++) {
        const SoapParameter *p = &m->parameters[i];
        text_format(t, "<ParameterValueStruct>");
        text_element(t, "Name", p->name);
        text_format(t, "<Value xsi:type=\"xsd:%s\">", p->type);
        text_escaped(t, p->value);
        text_format(t, "</Value></ParameterValueStruct>");
    }
    text_format(t, "</ParameterList>");
}

static void encode_device(Text *t, const SoapMessage *m) {
    text_format(t, "<DeviceId>");
    text_element(t, "Manufacturer", m->device.manufacturer);
    text_element(t, "OUI", m->device.oui);
    text_element(t, "ProductClass", m->device.product_class);
    text_element(t, "SerialNumber", m->device.serial_number);
    text_format(t, "</DeviceId>");
}

static void encode_events(Text *t, const SoapMessage *m) {
    ARRAY_OF(t, "Event", "cwmp:EventStruct", m->n_events);
    for (size_t i = 0; i < m->n_events; i++) {
        text_format(t, "<EventStruct>");
        text_element(t, "EventCode", m->events[i].code);
        text_element(t, "CommandKey", m->events[i].command_key);
        text_format(t, "</EventStruct>");
    }
    text_format(t, "</Event>");
}

static void encode_methods(Text *t, const SoapMessage *m) {
    ARRAY_OF(t, "MethodList", "xsd:string", m->n_names);
    for (size_t i = 0; i < m->n_names; i++)
        text_element(t, "string", m->names[i]);
    text_format(t, "</MethodList>");
}

static void encode_infos(Text *t, const SoapMessage *m) {
    ARRAY_OF(t, "ParameterList", "cwmp:ParameterInfoStruct", m->n_infos);
    for (size_t i = 0; i < m->n_infos; i++) {
        text_format(t, "<ParameterInfoStruct>");
        text_element(t, "Name", m->infos[i].name);
        text_format(t, "<Writable>%d</Writable></ParameterInfoStruct>", m->infos[i].writable);
    }
    text_format(t, "</ParameterList>");
}

static void encode_access(Text *t, const char *access) {
    size_t n = *access ? 1 : 0;
    for (const char *s = access; *s; s++)
        n += *s == ',';
    ARRAY_OF(t, "AccessList", "xsd:string", n);
    for (const char *s = access; n > 0; n--) {
        size_t size = strcspn(s, ",");
        text_format(t, "<string>");
        text_escaped_part(t, s, size);
        text_format(t, "</string>");
        s += size + (s[size] == ',');
    }
    text_format(t, "</AccessList>");
}

static void encode_attributes(Text *t, const SoapMessage *m) {
    ARRAY_OF(t, "ParameterList", "cwmp:ParameterAttributeStruct", m->n_attributes);
    for (size_t i = 0; i < m->n_attributes; i++) {
        const SoapAttributes *a = &m->attributes[i];
        text_format(t, "<ParameterAttributeStruct>");
        text_element(t, "Name", a->name);
        text_format(t, "<Notification>%d</Notification>", a->notification);
        encode_access(t, a->access);
        text_format(t, "</ParameterAttributeStruct>");
    }
    text_format(t, "</ParameterList>");
}

static void encode_transfers(Text *t, const SoapMessage *m) {
    bool all = m->kind == SOAP_GET_ALL_QUEUED_TRANSFERS_RESPONSE;
    const char *item = all ? "AllQueuedTransferStruct" : "QueuedTransferStruct";
    ARRAY_OF(t, "TransferList", all ? "cwmp:AllQueuedTransferStruct" : "cwmp:QueuedTransferStruct",
             m->n_transfers);
    for (size_t i = 0; i < m->n_transfers; i++) {
        const RpcTransfer *r = &m->transfers[i];
        text_format(t, "<%s>", item);
        text_element(t, "CommandKey", r->command_key);
        text_format(t, "<State>%d</State>", (int)r->state);
        if (all) {
            text_format(t, "<IsDownload>%d</IsDownload>", r->is_download);
            text_element(t, "FileType", r->file_type);
            text_format(t, "<FileSize>%" PRIu32 "</FileSize>", r->file_size);
            text_element(t, "TargetFileName", r->target_file_name);
        }
        text_format(t, "</%s>", item);
    }
    text_format(t, "</TransferList>");
}

static void encode_args(Text *t, const SoapMessage *m) {
    ARRAY_OF(t, "FileTypeArg", "cwmp:ArgStruct", m->n_args);
    for (size_t i = 0; i < m->n_args; i++) {
        text_format(t, "<ArgStruct>");
        text_element(t, "Name", m->args[i].name);
        text_element(t, "Value", m->args[i].value);
        text_format(t, "</ArgStruct>");
    }
    text_format(t, "</FileTypeArg>");
}

/* Table 27: what went wrong with a transfer; 0 and "" when nothing did. */
static void encode_transfer_fault(Text *t, const SoapMessage *m) {
    text_format(t, "<FaultStruct><FaultCode>%d</FaultCode>",
                cwmp_transfer_fault_in(m->version, m->transfer_fault));
    text_element(t, "FaultString", m->transfer_fault_text);
    text_format(t, "</FaultStruct>");
}

/* TR-069 3.4.7: faultstring is always "CWMP fault". */
static void encode_fault(Text *t, const SoapMessage *m) {
    static const char *const codes[] = {[SOAP_CLIENT] = "Client", [SOAP_SERVER] = "Server"};

    text_format(t, "<soap-env:Fault>");
    if (m->fault_code == SOAP_MUST_UNDERSTAND) {
        text_format(t, "<faultcode>soap-env:MustUnderstand</faultcode>");
        text_element(t, "faultstring", m->fault_text);
        text_format(t, "</soap-env:Fault>");
        return;
    }
    text_format(t,
                "<faultcode>%s</faultcode><faultstring>CWMP fault</faultstring>"
                "<detail><cwmp:Fault><FaultCode>%d</FaultCode>",
                codes[m->fault_code], cwmp_fault_in(m->version, m->fault));
    text_element(t, "FaultString", m->fault_text);
    for (size_t i = 0; i < m->n_parameter_faults; i++) {
        const SoapParameterFault *f = &m->parameter_faults[i];
        text_format(t, "<SetParameterValuesFault>");
        text_element(t, "ParameterName", f->name);
        text_format(t, "<FaultCode>%d</FaultCode>", f->code);
        text_element(t, "FaultString", f->text);
        text_format(t, "</SetParameterValuesFault>");
    }
    text_format(t, "</cwmp:Fault></detail></soap-env:Fault>");
}

static void (*const encode_list[FIELD_TYPES_])(Text *t, const SoapMessage *m) = {
    [FIELD_DEVICE] = encode_device,         [FIELD_EVENTS] = encode_events,
    [FIELD_PARAMETERS] = encode_parameters, [FIELD_METHODS] = encode_methods,
    [FIELD_INFOS] = encode_infos,           [FIELD_ATTRIBUTES] = encode_attributes,
    [FIELD_TRANSFERS] = encode_transfers,   [FIELD_ARGS] = encode_args,
    [FIELD_FAULT] = encode_transfer_fault,
};

static void encode_field(Text *t, const SoapMessage *m, const SoapField *field) {
    const void *where = (const char *)m + field->offset;
    const char *text;

    if (encode_list[field->type]) {
        encode_list[field->type](t, m);
        return;
    }
    switch (field->type) {
    case FIELD_NUMBER:
    case FIELD_COUNT:
        text_format(t, "<%s>%" PRIu32 "</%s>", field->element, *(const uint32_t *)where, field->element);
        break;
    case FIELD_INTEGER:
        text_format(t, "<%s>%d</%s>", field->element, *(const int *)where, field->element);
        break;
    case FIELD_BOOLEAN:
        text_format(t, "<%s>%d</%s>", field->element, *(const bool *)where, field->element);
        break;
    default:
        text = *(const char *const *)where;
        text_element(t, field->element, field->type == FIELD_TIME && !text ? SOAP_TIME_UNKNOWN : text);
    }
}

/* A response, or one of the requests that a CPE makes. */
static bool is_sent(SoapKind kind) {
    static const bool sent[SOAP_KINDS_] = {
        [SOAP_FAULT] = true,
        [SOAP_INFORM] = true,
        [SOAP_GET_RPC_METHODS] = true,
        [SOAP_GET_RPC_METHODS_RESPONSE] = true,
        [SOAP_GET_PARAMETER_NAMES_RESPONSE] = true,
        [SOAP_GET_PARAMETER_VALUES_RESPONSE] = true,
        [SOAP_SET_PARAMETER_VALUES_RESPONSE] = true,
        [SOAP_GET_PARAMETER_ATTRIBUTES_RESPONSE] = true,
        [SOAP_SET_PARAMETER_ATTRIBUTES_RESPONSE] = true,
        [SOAP_ADD_OBJECT_RESPONSE] = true,
        [SOAP_DELETE_OBJECT_RESPONSE] = true,
        [SOAP_REBOOT_RESPONSE] = true,
        [SOAP_FACTORY_RESET_RESPONSE] = true,
        [SOAP_SCHEDULE_INFORM_RESPONSE] = true,
        [SOAP_DOWNLOAD_RESPONSE] = true,
        [SOAP_UPLOAD_RESPONSE] = true,
        [SOAP_SCHEDULE_DOWNLOAD_RESPONSE] = true,
        [SOAP_CANCEL_TRANSFER_RESPONSE] = true,
        [SOAP_GET_QUEUED_TRANSFERS_RESPONSE] = true,
        [SOAP_GET_ALL_QUEUED_TRANSFERS_RESPONSE] = true,
        [SOAP_TRANSFER_COMPLETE] = true,
        [SOAP_AUTONOMOUS_TRANSFER_COMPLETE] = true,
        [SOAP_REQUEST_DOWNLOAD] = true,
    };
    return sent[kind];
}

static void encode_header(Text *t, const SoapMessage *m) {
    text_format(t, "<soap-env:Header><cwmp:ID soap-env:mustUnderstand=\"1\">");
    text_escaped(t, m->id);
    text_format(t, "</cwmp:ID>");
    if (m->supported_versions)
        text_format(t,
                    "<cwmp:SupportedCWMPVersions soap-env:mustUnderstand=\"0\">1.0,1.1,1.2,1.3,1.4"
                    "</cwmp:SupportedCWMPVersions>");
    text_format(t, "</soap-env:Header>");
}

int soap_encode(const SoapMessage *message, char **ret, size_t *ret_size) {
    Text t = {0};
    const char *name = soap_elements[message->kind]; /* NULL: a Fault, which is no element of CWMP */

    if (!is_sent(message->kind))
        return -EINVAL;
    text_format(&t, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<soap-env:Envelope");
    text_format(&t, " xmlns:soap-env=\"%s\"", SOAP_NS_ENVELOPE);
    text_format(&t, " xmlns:soap-enc=\"%s\"", SOAP_NS_ENCODING);
    text_format(&t, " xmlns:xsd=\"%s\"", SOAP_NS_SCHEMA);
    text_format(&t, " xmlns:xsi=\"%s\"", SOAP_NS_INSTANCE);
    text_format(&t, " xmlns:cwmp=\"%s\">", cwmp_version_namespace(message->version));
    encode_header(&t, message);
    text_format(&t, "<soap-env:Body>");
    if (name)
        text_format(&t, "<cwmp:%s>", name);
    else
        encode_fault(&t, message);
    for (const SoapField *f = soap_fields[message->kind]; f && f->type != FIELD_END; f++)
        encode_field(&t, message, f);
    if (name)
        text_format(&t, "</cwmp:%s>", name);
    text_format(&t, "</soap-env:Body></soap-env:Envelope>");
    if (t.bad) {
        free(t.data);
        return -ENOMEM;
    }
    *ret = t.data;
    *ret_size = t.len;
    return 0;
}
