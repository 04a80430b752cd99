/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Encoding of soap.h: what a CPE sends. Plain text with double-quoted attributes and fixed prefixes, since
 * there are HeMSs that read nothing else. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/macro.h"
#include "base/utf8.h"
#include "cwmp/soap.h"

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

static void text_escaped(Text *t, const char *s) {
    /* A bare carriage return would be read as a line feed (XML 1.0 2.11). */
    static const char *const references[128] = {
        ['&'] = "&amp;", ['<'] = "&lt;", ['>'] = "&gt;", ['"'] = "&quot;", ['\r'] = "&#13;"};
    for (s = strempty(s); *s;) {
        size_t size = xml_character(s);
        const char *reference = size == 1 ? references[(unsigned char)*s] : NULL;
        if (reference)
            text_add(t, reference, strlen(reference));
        else
            text_add(t, s, size);
        s += MAX(size, (size_t)1);
    }
}

static void text_element(Text *t, const char *name, const char *content) {
    text_format(t, "<%s>", name);
    text_escaped(t, content);
    text_format(t, "</%s>", name);
}

static void encode_parameters(Text *t, const SoapMessage *m) {
    text_format(t, "<ParameterList soap-enc:arrayType=\"cwmp:ParameterValueStruct[%zu]\">", m->n_parameters);
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

static void encode_inform(Text *t, const SoapMessage *m) {
    text_format(t, "<DeviceId>");
    text_element(t, "Manufacturer", m->device.manufacturer);
    text_element(t, "OUI", m->device.oui);
    text_element(t, "ProductClass", m->device.product_class);
    text_element(t, "SerialNumber", m->device.serial_number);
    text_format(t, "</DeviceId><Event soap-enc:arrayType=\"cwmp:EventStruct[%zu]\">", m->n_events);
    for (size_t i = 0; i < m->n_events; i++) {
        text_format(t, "<EventStruct>");
        text_element(t, "EventCode", m->events[i].code);
        text_element(t, "CommandKey", m->events[i].command_key);
        text_format(t, "</EventStruct>");
    }
    text_format(t, "</Event><MaxEnvelopes>%" PRIu32 "</MaxEnvelopes>", m->max_envelopes);
    text_element(t, "CurrentTime", m->current_time);
    text_format(t, "<RetryCount>%" PRIu32 "</RetryCount>", m->retry_count);
    encode_parameters(t, m);
}

static void encode_methods(Text *t, const SoapMessage *m) {
    text_format(t, "<MethodList soap-enc:arrayType=\"xsd:string[%zu]\">", m->n_names);
    for (size_t i = 0; i < m->n_names; i++)
        text_element(t, "string", m->names[i]);
    text_format(t, "</MethodList>");
}

static void encode_infos(Text *t, const SoapMessage *m) {
    text_format(t, "<ParameterList soap-enc:arrayType=\"cwmp:ParameterInfoStruct[%zu]\">", m->n_infos);
    for (size_t i = 0; i < m->n_infos; i++) {
        text_format(t, "<ParameterInfoStruct>");
        text_element(t, "Name", m->infos[i].name);
        text_format(t, "<Writable>%d</Writable></ParameterInfoStruct>", m->infos[i].writable);
    }
    text_format(t, "</ParameterList>");
}

static void encode_status(Text *t, const SoapMessage *m) {
    text_format(t, "<Status>%d</Status>", m->status);
}

static void encode_nothing(Text *t, const SoapMessage *m) {
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
                codes[m->fault_code], m->fault);
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

/* What a CPE sends. A Fault is no element of a CWMP namespace and has no name here. */
static const struct {
    const char *name;
    void (*encode)(Text *t, const SoapMessage *m);
} kinds[SOAP_KINDS_] = {
    [SOAP_FAULT] = {NULL, encode_fault},
    [SOAP_INFORM] = {"Inform", encode_inform},
    [SOAP_GET_RPC_METHODS_RESPONSE] = {"GetRPCMethodsResponse", encode_methods},
    [SOAP_GET_PARAMETER_NAMES_RESPONSE] = {"GetParameterNamesResponse", encode_infos},
    [SOAP_GET_PARAMETER_VALUES_RESPONSE] = {"GetParameterValuesResponse", encode_parameters},
    [SOAP_SET_PARAMETER_VALUES_RESPONSE] = {"SetParameterValuesResponse", encode_status},
    [SOAP_FACTORY_RESET_RESPONSE] = {"FactoryResetResponse", encode_nothing},
};

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
    const char *name = kinds[message->kind].name;

    if (!kinds[message->kind].encode)
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
    kinds[message->kind].encode(&t, message);
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
