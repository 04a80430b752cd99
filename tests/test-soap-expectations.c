/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What HeMSs expect of the bytes, by the numbers of the interoperability notes: of those they send, in every
 * style; of ours, in every message there is. */
#include <check.h>
#include <libxml/parser.h>
#include <libxml/tree.h>

#include "base/macro.h"
#include "cwmp-messages.h"
#include "status.h"
#include "suite.h"

#define NS_1_0 "urn:dslforum-org:cwmp-1-0"

/* One request in the styles of many tool kits. */
START_TEST(expectation_15_a_request_in_every_style) {
    static const char *const texts[] = {
        /* any prefix */
        "<q:Envelope xmlns:q=\"" SOAP_NS_ENVELOPE "\" xmlns:z=\"" NS_1_0
        "\"><q:Header><z:ID>7</z:ID></q:Header>"
        "<q:Body><z:GetParameterNames><ParameterPath>Device.A.</ParameterPath><NextLevel>1</NextLevel>"
        "</z:GetParameterNames></q:Body></q:Envelope>",
        /* default namespaces, declared where they are needed */
        "<Envelope xmlns=\"" SOAP_NS_ENVELOPE "\"><Header><ID xmlns=\"" NS_1_0
        "\">7</ID></Header><Body>"
        "<GetParameterNames xmlns=\"" NS_1_0
        "\"><ParameterPath>Device.A.</ParameterPath><NextLevel>true"
        "</NextLevel></GetParameterNames></Body></Envelope>",
        /* namespaces nobody uses, attributes nobody asked for, single quotes */
        "<?xml version='1.0' encoding='utf-8' standalone='no'?><s:Envelope xmlns:s='" SOAP_NS_ENVELOPE
        "' xmlns:unused='urn:unused' s:encodingStyle='" SOAP_NS_ENCODING "' xmlns:c='" NS_1_0
        "' xmlns:xsd='" SOAP_NS_SCHEMA "' xmlns:xsi='" SOAP_NS_INSTANCE
        "'><s:Header><c:ID s:mustUnderstand='1'>"
        "7</c:ID></s:Header><s:Body id='_0'><c:GetParameterNames unused:a='b'><ParameterPath "
        "xsi:type='xsd:string'>"
        "Device.A.</ParameterPath><NextLevel xsi:type='xsd:boolean'>1</NextLevel></c:GetParameterNames>"
        "</s:Body></s:Envelope>",
        /* comments, processing instructions, CDATA, white space and character references around everything */
        "\xef\xbb\xbf\r\n<?xml version=\"1.0\"?>\n<!-- a -->\n<s:Envelope xmlns:s=\"" SOAP_NS_ENVELOPE
        "\">\n<s:Header>\n<c:ID xmlns:c=\"" NS_1_0
        "\"><!-- b -->7</c:ID>\n</s:Header>\n<?c d?><s:Body>\n<!-- e -->"
        "<c:GetParameterNames xmlns:c=\"" NS_1_0
        "\">\n<ParameterPath>\n\t<![CDATA[Device]]>&#46;<!-- f -->A.\r\n"
        "</ParameterPath>\n<NextLevel> TRUE </NextLevel>\n</c:GetParameterNames>\n</s:Body>\n</s:Envelope>\n",
        /* arguments in another order, and qualified */
        "<s:Envelope xmlns:s=\"" SOAP_NS_ENVELOPE "\" xmlns:c=\"" NS_1_0
        "\"><s:Header><c:ID>7</c:ID></s:Header>"
        "<s:Body><c:GetParameterNames><c:NextLevel>1</c:NextLevel><c:ParameterPath>Device.A.</"
        "c:ParameterPath>"
        "</c:GetParameterNames></s:Body></s:Envelope>",
    };
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        SoapMessage m;
        char error[ERROR_MAX_BYTES];
        ck_assert_msg(soap_decode(texts[i], strlen(texts[i]), &m, error) == 0, "%zu: %s", i, error);
        ck_assert_int_eq(m.kind, SOAP_GET_PARAMETER_NAMES);
        ck_assert_int_eq(m.version, CWMP_1_0);
        ck_assert_str_eq(m.id, "7");
        ck_assert_str_eq(m.path, "Device.A.");
        ck_assert(m.next_level);
        ck_assert_ptr_null(m.bad_arguments);
        soap_message_clear(&m);
    }
}
END_TEST

START_TEST(expectation_15_empty_elements_are_written_in_two_ways) {
    static const char *const bodies[] = {
        "<c:GetParameterNames><ParameterPath/><NextLevel>0</NextLevel></c:GetParameterNames>",
        "<c:GetParameterNames><ParameterPath></ParameterPath><NextLevel>false</NextLevel></"
        "c:GetParameterNames>",
        "<c:GetParameterNames><ParameterPath> \n "
        "</ParameterPath><NextLevel>False</NextLevel></c:GetParameterNames>",
        "<c:GetParameterNames><NextLevel>0</NextLevel></c:GetParameterNames>",
    };
    for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
        SoapMessage m;
        char text[1024], error[ERROR_MAX_BYTES];
        int n = snprintf(text, sizeof text,
                         "<e:Envelope xmlns:e=\"" SOAP_NS_ENVELOPE "\" xmlns:c=\"" NS_1_0
                         "\"><e:Body>%s</e:Body>"
                         "</e:Envelope>",
                         bodies[i]);
        ck_assert_int_eq(soap_decode(text, (size_t)n, &m, error), 0);
        ck_assert_str_eq(m.path, "");
        ck_assert(!m.next_level);
        ck_assert_ptr_null(m.bad_arguments);
        soap_message_clear(&m);
    }
}
END_TEST

static void every_message(MessageVisitor visitor) {
    for (CwmpVersion version = CWMP_1_0; version < CWMP_VERSIONS_; version++) {
        size_t n = 0;
        cwmp_messages(version, visitor, &n);
        ck_assert_uint_gt(n, 100);
    }
}

static void has_an_id(void *userdata, const char *what, const char *text, size_t size) {
    static const char begin[] =
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<soap-env:Envelope xmlns:soap-env=\"" SOAP_NS_ENVELOPE
        "\" ";
    static const char header[] = "><soap-env:Header><cwmp:ID soap-env:mustUnderstand=\"1\">";
    ++*(size_t *)userdata;
    ck_assert_msg(strncmp(text, begin, sizeof begin - 1) == 0, "%s", what);
    const char *found = strstr(text, header);
    ck_assert_msg(found && found == strchr(strchr(text, '\n'), '>'), "%s", what);
    ck_assert_msg(strstr(text, "</cwmp:ID>") != NULL, "%s", what);
}

START_TEST(expectation_18_every_message_has_an_id) {
    every_message(has_an_id);
}
END_TEST

#define NAMED(node, text) (strcmp((const char *)(node)->name, text) == 0)

static void check_value(const xmlNode *item, const char *what) {
    static const char *const known[] = {"xsd:string",       "xsd:int",          "xsd:unsignedInt",
                                        "xsd:boolean",      "xsd:dateTime",     "xsd:long",
                                        "xsd:unsignedLong", "xsd:base64Binary", "xsd:hexBinary"};
    const xmlNode *name = item->children, *value = name ? name->next : NULL;
    ck_assert_msg(name && value && !value->next && NAMED(name, "Name") && NAMED(value, "Value"), "%s", what);
    xmlChar *type = xmlGetNsProp(value, (const xmlChar *)"type", (const xmlChar *)SOAP_NS_INSTANCE);
    size_t i = 0;
    ck_assert_msg(type != NULL, "%s", what);
    while (i < ARRAY_SIZE(known) && strcmp((const char *)type, known[i]) != 0)
        i++;
    ck_assert_msg(i < ARRAY_SIZE(known), "%s: %s", what, type);
    xmlFree(type);
}

/* The number in arrayType is that of the items, and each item is what it has to be. */
static void check_node(const xmlNode *node, const char *what) {
    xmlChar *type = xmlGetNsProp(node, (const xmlChar *)"arrayType", (const xmlChar *)SOAP_NS_ENCODING);
    if (type) {
        size_t n = 0;
        for (const xmlNode *item = node->children; item; item = item->next)
            n++;
        const char *bracket = strchr((const char *)type, '[');
        ck_assert_msg(bracket && strtoul(bracket + 1, NULL, 10) == n, "%s: %s and %zu", what, type, n);
        xmlFree(type);
    }
    if (NAMED(node, "ParameterValueStruct"))
        check_value(node, what);
    for (const xmlNode *child = node->children; child; child = child->next)
        if (child->type == XML_ELEMENT_NODE)
            check_node(child, what);
}

/* The parser sees to it that it is XML and UTF-8. */
static void counts_right(void *userdata, const char *what, const char *text, size_t size) {
    xmlDoc *document = xmlReadMemory(text, (int)size, NULL, NULL, XML_PARSE_NONET);
    ++*(size_t *)userdata;
    ck_assert_msg(document != NULL, "%s", what);
    check_node(xmlDocGetRootElement(document), what);
    xmlFreeDoc(document);
}

START_TEST(expectation_19_counts_types_and_characters) {
    every_message(counts_right);
}
END_TEST

/* Within tags: double quotes, one space between attributes, none around "=". */
static void quotes_double(void *userdata, const char *what, const char *text, size_t size) {
    bool tag = false, quoted = false;
    ++*(size_t *)userdata;
    for (const char *s = text; *s; s++) {
        if (!tag) {
            tag = *s == '<';
            continue;
        }
        if (*s == '"')
            quoted = !quoted;
        else if (!quoted) {
            ck_assert_msg(*s != '\'' && (*s != '=' || (s[1] == '"' && s[-1] != ' ')), "%s: %.20s", what, s);
            ck_assert_msg(*s != ' ' || s[1] != ' ', "%s: %.20s", what, s);
            tag = *s != '>';
        }
    }
    ck_assert(!tag && !quoted);
    /* No other prefix than xsd for a type. */
    for (const char *s = text; (s = strstr(s, "xsi:type=")); s++)
        ck_assert_msg(strncmp(s, "xsi:type=\"xsd:", 14) == 0, "%s: %.30s", what, s);
}

START_TEST(expectation_20_attributes_have_double_quotes) {
    every_message(quotes_double);
}
END_TEST

static void faults_right(void *userdata, const char *what, const char *text, size_t size) {
    static const char begin[] = "<soap-env:Body><soap-env:Fault><faultcode>";
    static const char middle[] =
        "</faultcode><faultstring>CWMP fault</faultstring><detail><cwmp:Fault><FaultCode>9";
    const char *fault = strstr(text, begin);
    ++*(size_t *)userdata;
    if (!fault)
        return;
    fault += sizeof begin - 1;
    if (strncmp(fault, "soap-env:MustUnderstand", 23) == 0) { /* SOAP 1.1 4.4.4: no detail about a header */
        ck_assert_msg(strstr(fault, "<detail>") == NULL, "%s", what);
        return;
    }
    ck_assert_msg(strncmp(fault, "Client", 6) == 0 || strncmp(fault, "Server", 6) == 0, "%s", what);
    fault += 6;
    ck_assert_msg(strncmp(fault, middle, sizeof middle - 1) == 0, "%s: %.200s", what, fault);
    fault = strstr(fault, "</FaultCode>");
    ck_assert_msg(fault && strncmp(fault, "</FaultCode><FaultString>", 25) == 0, "%s", what);
    const char *end =
        strstr(fault, "</cwmp:Fault></detail></soap-env:Fault></soap-env:Body></soap-env:Envelope>");
    ck_assert_msg(end != NULL, "%s", what);
}

START_TEST(expectation_21_every_fault_has_the_one_form) {
    every_message(faults_right);
}
END_TEST

SUITE("soap-expectations", expectation_15_a_request_in_every_style,
      expectation_15_empty_elements_are_written_in_two_ways, expectation_18_every_message_has_an_id,
      expectation_19_counts_types_and_characters, expectation_20_attributes_have_double_quotes,
      expectation_21_every_fault_has_the_one_form)
