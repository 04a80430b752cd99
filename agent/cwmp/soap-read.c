/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Decoding of soap.h: the only file that knows libxml2. */
#include <libxml/SAX2.h>
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <stdio.h>
#include <strings.h>

#include "base/macro.h"
#include "cwmp/soap-table.h"
#include "status.h"

/* One decoding: what the parser's callbacks and the walk over its tree share. */
typedef struct Decoder {
    SoapMessage message;
    size_t elements;
    int error; /* the first one; the walk goes on after it, harmlessly */
    char *text;
} Decoder;

static int decoder_fail(Decoder *d, int error, const char *format, ...) _printf_(3, 4);
static int decoder_fail(Decoder *d, int error, const char *format, ...) {
    if (!d->error) {
        va_list ap;
        va_start(ap, format);
        vsnprintf(d->text, ERROR_MAX_BYTES, format, ap);
        va_end(ap);
        d->error = error;
    }
    return error;
}

/* A bad argument is for a fault 9003; the first one is named. */
static void decoder_bad_argument(Decoder *d, const char *format, ...) _printf_(2, 3);
static void decoder_bad_argument(Decoder *d, const char *format, ...) {
    char text[160];
    va_list ap;

    if (d->message.bad_arguments)
        return;
    va_start(ap, format);
    int n = vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    d->message.bad_arguments = soap_string(&d->message, text, MIN((size_t)n, sizeof text - 1));
    if (!d->message.bad_arguments)
        decoder_fail(d, -ENOMEM, "out of memory");
}

static bool in_namespace(const xmlNode *node, const char *uri) {
    return node->ns && streq((const char *)node->ns->href, uri);
}

static bool is_named(const xmlNode *node, const char *name) {
    return streq((const char *)node->name, name);
}

static const xmlNode *first_element(const xmlNode *node) {
    while (node && node->type != XML_ELEMENT_NODE)
        node = node->next;
    return node;
}

#define FOR_EACH_ELEMENT(child, parent)                                                                      \
    for (const xmlNode *child = first_element((parent)->children); child; child = first_element(child->next))

/* Arguments are unqualified in the schemas, and in the CWMP namespace where a peer made that the default one.
 */
static const xmlNode *find_element(const xmlNode *parent, const char *name) {
    FOR_EACH_ELEMENT(child, parent)
    if (is_named(child, name))
        return child;
    return NULL;
}

static bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_text(const xmlNode *node) {
    return node->type == XML_TEXT_NODE || node->type == XML_CDATA_SECTION_NODE;
}

/* The characters of *node*, exactly; "" for NULL. */
static const char *node_text(Decoder *d, const xmlNode *node) {
    size_t size = 0;
    for (const xmlNode *c = node ? node->children : NULL; c; c = c->next)
        size += is_text(c) && c->content ? strlen((const char *)c->content) : 0;

    char *text = soap_reserve(&d->message, size), *end = text;
    if (!text) {
        decoder_fail(d, -ENOMEM, "out of memory");
        return "";
    }
    for (const xmlNode *c = node ? node->children : NULL; c; c = c->next)
        if (is_text(c) && c->content)
            end = stpcpy(end, (const char *)c->content);
    return text;
}

/* The same without white space around it. */
static const char *node_token(Decoder *d, const xmlNode *node) {
    const char *text = node_text(d, node);
    while (is_space(*text))
        text++;
    size_t size = strlen(text);
    while (size > 0 && is_space(text[size - 1]))
        size--;
    const char *token = soap_string(&d->message, text, size);
    return token ? token : (decoder_fail(d, -ENOMEM, "out of memory"), "");
}

/* 0 or 1 like xsd:boolean, -1 for anything else. */
static int node_boolean(Decoder *d, const xmlNode *node) {
    const char *token = node_token(d, node);
    if (streq(token, "1") || strcasecmp(token, "true") == 0)
        return 1;
    if (streq(token, "0") || strcasecmp(token, "false") == 0)
        return 0;
    return -1;
}

/* A small decimal number; 0 for anything else. */
static unsigned node_number(Decoder *d, const xmlNode *node) {
    const char *token = node_token(d, node);
    size_t digits = strspn(token, "0123456789");
    return digits > 0 && digits < 10 && !token[digits] ? (unsigned)strtoul(token, NULL, 10) : 0;
}

/* An attribute by namespace, "" when absent. It lives as long as the tree. */
static const char *node_attribute(const xmlNode *node, const char *name, const char *uri) {
    for (const xmlAttr *a = node->properties; a; a = a->next)
        if (streq((const char *)a->name, name) && a->ns && streq((const char *)a->ns->href, uri) &&
            a->children && a->children->content)
            return (const char *)a->children->content;
    return "";
}

static int find_version(const xmlNode *node) {
    for (int v = 0; v < CWMP_VERSIONS_; v++)
        if (in_namespace(node, cwmp_version_namespace((CwmpVersion)v)))
            return v;
    return -1;
}

static void decode_id(Decoder *d, const xmlNode *node) {
    d->message.id = node_text(d, node);
}

static void decode_hold_requests(Decoder *d, const xmlNode *node) {
    d->message.hold_requests = node_boolean(d, node) == 1;
}

static void decode_use_version(Decoder *d, const xmlNode *node) {
    d->message.use_version = node_token(d, node);
}

static void decode_nothing(Decoder *d, const xmlNode *node) {
}

/* Header blocks that a CPE may get (TR-069 3.4.7, table of SOAP headers). */
static const struct {
    const char *name;
    void (*decode)(Decoder *d, const xmlNode *node);
} headers[] = {
    {"ID", decode_id},
    {"HoldRequests", decode_hold_requests},
    {"UseCWMPVersion", decode_use_version},
    {"NoMoreRequests", decode_nothing}, /* of CWMP 1.0, ignored since 1.1 */
    {"SessionTimeout", decode_nothing},
};

/* SOAP 1.1 4.2.2, 4.2.3: only blocks for us, or for whoever comes next, have to be understood. */
static bool must_understand(const xmlNode *node) {
    const char *must = node_attribute(node, "mustUnderstand", SOAP_NS_ENVELOPE);
    const char *actor = node_attribute(node, "actor", SOAP_NS_ENVELOPE);
    return (streq(must, "1") || streq(must, "true")) &&
           (!*actor || streq(actor, "http://schemas.xmlsoap.org/soap/actor/next"));
}

static void decode_header(Decoder *d, const xmlNode *header) {
    FOR_EACH_ELEMENT(node, header) {
        int version = find_version(node);
        size_t i = 0;
        while (i < ARRAY_SIZE(headers) && (version < 0 || !is_named(node, headers[i].name)))
            i++;
        if (i < ARRAY_SIZE(headers)) {
            d->message.version = (CwmpVersion)version;
            headers[i].decode(d, node);
        } else if (must_understand(node) && !d->message.not_understood) {
            const char *name = (const char *)node->name;
            d->message.not_understood = soap_string(&d->message, name, strlen(name));
            if (!d->message.not_understood)
                decoder_fail(d, -ENOMEM, "out of memory");
        }
    }
}

/* The value of xsi:type without its prefix. */
static const char *node_type(const xmlNode *node) {
    const char *type = node_attribute(node, "type", SOAP_NS_INSTANCE), *colon = strchr(type, ':');
    return colon ? colon + 1 : type;
}

/* 0 or 1; a bad argument is noted as such. */
static bool decode_boolean(Decoder *d, const xmlNode *node, const char *what) {
    int value = node_boolean(d, node);
    if (value < 0)
        decoder_bad_argument(d, "%s is not a boolean", what);
    return value == 1;
}

/* A decimal number of *min*..*max*; an absent one is 0. */
static int64_t decode_integer(Decoder *d, const xmlNode *node, const char *what, int64_t min, int64_t max) {
    const char *token = node_token(d, node);
    char *end;
    errno = 0;
    long long value = strtoll(token, &end, 10);
    if (node && (errno || end == token || *end || value < min || value > max)) {
        decoder_bad_argument(d, "%s is not a number of %lld to %lld", what, (long long)min, (long long)max);
        return 0;
    }
    return value;
}

/* Of at most *max* characters. */
static const char *decode_text(Decoder *d, const xmlNode *node, const char *what, size_t max) {
    const char *text = node_text(d, node);
    size_t n = 0;
    for (const char *s = text; *s; s++)
        n += ((unsigned char)*s & 0xc0) != 0x80;
    if (max > 0 && n > max)
        decoder_bad_argument(d, "%s is longer than %zu characters", what, max);
    return text;
}

/* What the items of a SOAP array are called means nothing (SOAP 1.1 5.4.2). */
static void decode_names(Decoder *d, const xmlNode *list) {
    FOR_EACH_ELEMENT(item, list)
    if (soap_add_name(&d->message, node_token(d, item)) < 0)
        decoder_fail(d, -ENOMEM, "out of memory");
}

static void decode_parameters(Decoder *d, const xmlNode *list) {
    FOR_EACH_ELEMENT(item, list) {
        const xmlNode *name = find_element(item, "Name"), *value = find_element(item, "Value");
        if (!name || !value) {
            decoder_bad_argument(d, "a ParameterValueStruct without Name or Value");
            return;
        }
        SoapParameter p = {node_token(d, name), node_type(value), node_text(d, value)};
        if (soap_add_parameter(&d->message, &p) < 0)
            decoder_fail(d, -ENOMEM, "out of memory");
    }
}

/* The entities of an AccessList with commas between them. */
static const char *decode_access(Decoder *d, const xmlNode *list) {
    const char *access = "";
    size_t n = 0;
    if (!list)
        return access;
    FOR_EACH_ELEMENT(item, list) {
        const char *entity = node_token(d, item);
        if (++n > SOAP_ACCESS_MAX) {
            decoder_bad_argument(d, "AccessList has more than %d entities", SOAP_ACCESS_MAX);
            break;
        }
        size_t old = strlen(access), size = old + (old > 0) + strlen(entity);
        char *joined = soap_reserve(&d->message, size);
        if (!joined) {
            decoder_fail(d, -ENOMEM, "out of memory");
            break;
        }
        stpcpy(stpcpy(stpcpy(joined, access), old > 0 ? "," : ""), entity);
        access = joined;
    }
    return access;
}

static void decode_attributes(Decoder *d, const xmlNode *list) {
    FOR_EACH_ELEMENT(item, list) {
        const xmlNode *name = find_element(item, "Name");
        if (!name) {
            decoder_bad_argument(d, "a SetParameterAttributesStruct without Name");
            return;
        }
        SoapAttributes a = {
            .name = node_token(d, name),
            .set_notification =
                decode_boolean(d, find_element(item, "NotificationChange"), "NotificationChange"),
            .notification = (int)decode_integer(d, find_element(item, "Notification"), "Notification", 0, 6),
            .set_access = decode_boolean(d, find_element(item, "AccessListChange"), "AccessListChange"),
            .access = decode_access(d, find_element(item, "AccessList")),
        };
        if (soap_add_attributes(&d->message, &a) < 0)
            decoder_fail(d, -ENOMEM, "out of memory");
    }
}

static RpcWindowMode decode_window_mode(Decoder *d, const xmlNode *node) {
    static const char *const modes[] = {
#define X(name, text) [RPC_WINDOW_##name] = text,
        RPC_WINDOW_MODES(X)
#undef X
    };
    const char *token = node_token(d, node);
    for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
        if (streq(token, modes[i]))
            return (RpcWindowMode)i;
    decoder_bad_argument(d, "WindowMode is not one that a CPE has to know");
    return RPC_WINDOW_AT_ANY_TIME;
}

/* Table 41 */
static void decode_windows(Decoder *d, const xmlNode *list) {
    SoapMessage *m = &d->message;
    FOR_EACH_ELEMENT(item, list) {
        if (m->n_windows == RPC_WINDOWS_MAX) {
            decoder_bad_argument(d, "TimeWindowList has more than %d windows", RPC_WINDOWS_MAX);
            return;
        }
        RpcWindow w = {
            .start =
                (uint32_t)decode_integer(d, find_element(item, "WindowStart"), "WindowStart", 0, UINT32_MAX),
            .end = (uint32_t)decode_integer(d, find_element(item, "WindowEnd"), "WindowEnd", 0, UINT32_MAX),
            .mode = decode_window_mode(d, find_element(item, "WindowMode")),
            .user_message =
                decode_text(d, find_element(item, "UserMessage"), "UserMessage", RPC_USER_MESSAGE_MAX),
            .max_retries =
                (int32_t)decode_integer(d, find_element(item, "MaxRetries"), "MaxRetries", -1, INT32_MAX),
        };
        if (w.end <= w.start)
            decoder_bad_argument(d, "WindowEnd is not after WindowStart");
        if (m->n_windows > 0 && w.start < m->windows[m->n_windows - 1].end)
            decoder_bad_argument(d, "the windows of TimeWindowList overlap");
        m->windows[m->n_windows++] = w;
    }
    if (m->n_windows == 0)
        decoder_bad_argument(d, "TimeWindowList is empty");
}

static void decode_fault(Decoder *d, const xmlNode *node) {
    const xmlNode *detail = find_element(node, "detail");
    const xmlNode *fault = detail ? find_element(detail, "Fault") : NULL;
    const char *code = node_token(d, find_element(node, "faultcode")), *colon = strchr(code, ':');

    d->message.kind = SOAP_FAULT;
    d->message.fault_code = streq(colon ? colon + 1 : code, "Client") ? SOAP_CLIENT : SOAP_SERVER;
    d->message.fault_text = node_token(d, find_element(node, "faultstring"));
    if (!fault)
        return;
    d->message.fault = (int)node_number(d, find_element(fault, "FaultCode"));
    const xmlNode *text = find_element(fault, "FaultString");
    if (text)
        d->message.fault_text = node_token(d, text);
}

static void (*const decode_list[FIELD_TYPES_])(Decoder *d, const xmlNode *node) = {
    [FIELD_PARAMETERS] = decode_parameters, [FIELD_NAMES] = decode_names,     [FIELD_METHODS] = decode_names,
    [FIELD_ATTRIBUTES] = decode_attributes, [FIELD_WINDOWS] = decode_windows,
};

static void decode_field(Decoder *d, const SoapField *field, const xmlNode *node) {
    void *where = (char *)&d->message + field->offset;

    if (!node && field->required)
        decoder_bad_argument(d, "%s is missing", field->element);
    else if (decode_list[field->type])
        decode_list[field->type](d, node);
    else
        switch (field->type) {
        case FIELD_TEXT:
            *(const char **)where = decode_text(d, node, field->element, field->max);
            break;
        case FIELD_TOKEN:
            *(const char **)where = node_token(d, node);
            break;
        case FIELD_BOOLEAN:
            *(bool *)where = decode_boolean(d, node, field->element);
            break;
        case FIELD_NUMBER:
            *(uint32_t *)where = (uint32_t)decode_integer(d, node, field->element, 0, UINT32_MAX);
            break;
        case FIELD_COUNT:
            *(uint32_t *)where = node_number(d, node);
            break;
        default: /* what only a CPE sends */
            break;
        }
}

/* What a HeMS does not send to a CPE is recognised, not read. */
static bool is_read(SoapKind kind) {
    switch (kind) {
    case SOAP_INFORM:
    case SOAP_TRANSFER_COMPLETE:
    case SOAP_AUTONOMOUS_TRANSFER_COMPLETE:
    case SOAP_REQUEST_DOWNLOAD:
    case SOAP_GET_PARAMETER_VALUES_RESPONSE:
        return false;
    default:
        return true;
    }
}

static void decode_fields(Decoder *d, const xmlNode *node) {
    const SoapField *field = is_read(d->message.kind) ? soap_fields[d->message.kind] : NULL;
    for (; field && field->type != FIELD_END; field++)
        decode_field(d, field, find_element(node, field->element));
}

static void decode_body(Decoder *d, const xmlNode *body) {
    SoapMessage *m = &d->message;
    const xmlNode *node = first_element(body->children);

    if (!node)
        return;
    m->name = soap_string(m, (const char *)node->name, strlen((const char *)node->name));
    if (!m->name) {
        decoder_fail(d, -ENOMEM, "out of memory");
        return;
    }
    if (in_namespace(node, SOAP_NS_ENVELOPE) && is_named(node, "Fault")) {
        decode_fault(d, node);
        return;
    }
    int version = find_version(node);
    if (version < 0) {
        decoder_fail(d, -EBADMSG, "not CWMP: %.100s in the Body", m->name);
        return;
    }
    m->version = (CwmpVersion)version;
    m->kind = SOAP_UNKNOWN;
    for (int kind = SOAP_UNKNOWN; kind < SOAP_KINDS_; kind++)
        if (soap_elements[kind] && is_named(node, soap_elements[kind]))
            m->kind = (SoapKind)kind;
    decode_fields(d, node);
}

static void decode_envelope(Decoder *d, const xmlNode *root) {
    if (!root || !is_named(root, "Envelope")) {
        decoder_fail(d, -EBADMSG, "not SOAP: the document is <%.100s>", root ? (const char *)root->name : "");
        return;
    }
    if (!in_namespace(root, SOAP_NS_ENVELOPE)) {
        decoder_fail(d, -EBADMSG, "not SOAP 1.1: the Envelope is of %.200s",
                     root->ns ? (const char *)root->ns->href : "no namespace");
        return;
    }
    const xmlNode *header = find_element(root, "Header"), *body = find_element(root, "Body");
    if (!body || !in_namespace(body, SOAP_NS_ENVELOPE)) {
        decoder_fail(d, -EBADMSG, "not SOAP: no Body in the Envelope");
        return;
    }
    if (header && in_namespace(header, SOAP_NS_ENVELOPE))
        decode_header(d, header);
    decode_body(d, body);
}

/* Where a markup construct that begins at *s* ends, its last byte included; NULL when it does not. */
static const char *markup_end(const char *s, const char *end) {
    static const struct {
        const char *begin, *end;
    } special[] = {{"<!--", "-->"}, {"<![CDATA[", "]]>"}, {"<?", "?>"}};

    for (size_t i = 0; i < ARRAY_SIZE(special); i++) {
        size_t n = strlen(special[i].begin), m = strlen(special[i].end);
        if ((size_t)(end - s) < n || memcmp(s, special[i].begin, n) != 0)
            continue;
        const char *found = memmem(s + n, (size_t)(end - s) - n, special[i].end, m);
        return found ? found + m : NULL;
    }
    char quote = 0;
    for (; s < end; s++) {
        if (quote ? *s == quote : *s == '"' || *s == '\'')
            quote = quote ? 0 : *s;
        else if (!quote && *s == '>')
            return s + 1;
    }
    return NULL;
}

/* libxml2 compares each attribute of a tag with all before it: a megabyte of them would take hours. */
static bool tags_are_short(const char *s, const char *end) {
    while ((s = memchr(s, '<', (size_t)(end - s)))) {
        bool tag = end - s > 1 && s[1] != '!' && s[1] != '?';
        const char *limit = tag && end - s > SOAP_TAG_MAX ? s + SOAP_TAG_MAX : end;
        const char *next = markup_end(s, limit);
        if (!next)
            return limit == end; /* unfinished: for the parser to say */
        s = next;
    }
    return true;
}

/* SOAP 1.1 3: a message must not contain a DTD, and without one there are no entities to expand. */
static void refuse_dtd(void *context, const xmlChar *name, const xmlChar *external, const xmlChar *system) {
    xmlParserCtxt *parser = context;
    decoder_fail(parser->_private, -EBADMSG, "not SOAP: a document type declaration");
    xmlStopParser(parser);
}

static void count_element(void *context, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri,
                          int n_namespaces, const xmlChar **namespaces, int n_attributes, int n_defaulted,
                          const xmlChar **attributes) {
    xmlParserCtxt *parser = context;
    Decoder *d = parser->_private;

    if (parser->nodeNr >= SOAP_DEPTH_MAX || ++d->elements > SOAP_ELEMENTS_MAX) {
        decoder_fail(d, -E2BIG, "XML: line %d: more than %d levels or %d elements",
                     xmlSAX2GetLineNumber(parser), SOAP_DEPTH_MAX, SOAP_ELEMENTS_MAX);
        xmlStopParser(parser);
        return;
    }
    xmlSAX2StartElementNs(context, name, prefix, uri, n_namespaces, namespaces, n_attributes, n_defaulted,
                          attributes);
}

/* Encodings in which ASCII bytes mean ASCII characters only, so that tags_are_short() sees what the parser
 * sees. Whatever else is declared is read as UTF-8. */
static const char *declared_encoding(const char *s, size_t size) {
    static const char latin1[] = "ISO-8859-1";
    const char *end =
        size > 5 && memcmp(s, "<?xml", 5) == 0 ? memmem(s, MIN(size, (size_t)200), "?>", 2) : NULL;
    const char *name = end ? memmem(s, (size_t)(end - s), "encoding=", 9) : NULL;
    if (name && (size_t)(end - name) > 10 + strlen(latin1) &&
        strncasecmp(name + 10, latin1, strlen(latin1)) == 0)
        return latin1;
    return "UTF-8";
}

static xmlDoc *decoder_parse(Decoder *d, const char *s, size_t size) {
    const int options = XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_COMPACT;
    xmlParserCtxt *parser;
    xmlDoc *document;

    xmlInitParser();
    parser = xmlNewParserCtxt();
    if (!parser) {
        decoder_fail(d, -ENOMEM, "out of memory");
        return NULL;
    }
    parser->_private = d;
    parser->sax->internalSubset = refuse_dtd;
    parser->sax->startElementNs = count_element;
    document = xmlCtxtReadMemory(parser, s, (int)size, NULL, declared_encoding(s, size), options);
    if (!document && !d->error) {
        const xmlError *e = xmlCtxtGetLastError(parser);
        bool memory = e && e->code == XML_ERR_NO_MEMORY;
        const char *text = e && e->message ? e->message : "empty document";
        decoder_fail(d, memory ? -ENOMEM : -EBADMSG, "XML: line %d: %.*s", e ? e->line : 1,
                     (int)strcspn(text, "\n"), text);
    }
    xmlFreeParserCtxt(parser);
    return document;
}

int soap_decode(const void *data, size_t size, SoapMessage *ret, char *error) {
    Decoder d = {.text = error,
                 .message = {.name = "",
                             .parameter_key = "",
                             .path = "",
                             .fault_text = "",
                             .current_time = "",
                             .command_key = "",
                             .file_type = "",
                             .url = "",
                             .username = "",
                             .password = "",
                             .target_file_name = "",
                             .success_url = "",
                             .failure_url = ""}};
    const char *s = data ? data : "";

    if (size > SOAP_ENVELOPE_MAX)
        return decoder_fail(&d, -E2BIG, "XML: %zu bytes, more than %d", size, SOAP_ENVELOPE_MAX);
    if (size >= 3 && memcmp(s, "\xef\xbb\xbf", 3) == 0)
        s += 3, size -= 3;
    while (size > 0 &&
           is_space(*s)) /* before an XML declaration XML allows none; there are HeMSs that send it */
        s++, size--;
    if (size == 0 || memchr(s, 0, size))
        return decoder_fail(&d, -EBADMSG,
                            size ? "XML: a NUL byte (UTF-16?)" : "XML: nothing but white space");
    if (!tags_are_short(s, s + size))
        return decoder_fail(&d, -E2BIG, "XML: a tag of more than %d bytes", SOAP_TAG_MAX);

    xmlDoc *document = decoder_parse(&d, s, size);
    if (document && !d.error)
        decode_envelope(&d, xmlDocGetRootElement(document));
    xmlFreeDoc(document);
    if (d.error) {
        soap_message_clear(&d.message);
        return d.error;
    }
    *ret = d.message;
    return 0;
}
