/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Every message of the CPE against the CWMP schemas in the folder that CWMP_XSD_DIR names: reference data,
 * no part of this project. What they import of SOAP is a stub of ours. */
#include <check.h>
#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <libxml/xmlschemas.h>

#include "base/macro.h"
#include "cwmp-messages.h"
#include "suite.h"

static const char *no_schemas(void) {
    const char *folder = getenv("CWMP_XSD_DIR");
    return folder && *folder ? NULL : "CWMP_XSD_DIR names no folder";
}

/* Schemas include each other by addresses on the web. Nothing is fetched. */
static xmlParserInput *load(const char *url, const char *id, xmlParserCtxt *parser) {
    const char *data = getenv("TEST_DATA") ?: "tests/data", *base = strrchr(url, '/');
    char path[4096];

    if (strcmp(url, SOAP_NS_ENVELOPE) == 0)
        snprintf(path, sizeof path, "%s/cwmp/soap-envelope.xsd", data);
    else if (strcmp(url, SOAP_NS_ENCODING) == 0)
        snprintf(path, sizeof path, "%s/cwmp/soap-encoding.xsd", data);
    else
        snprintf(path, sizeof path, "%s/%s", getenv("CWMP_XSD_DIR"), base ? base + 1 : url);
    return xmlNewInputFromFile(parser, path);
}

static xmlSchema *schema_of(const char *file, const char *uri) {
    char text[1024];
    int n = snprintf(text, sizeof text,
                     "<xs:schema xmlns:xs=\"" SOAP_NS_SCHEMA
                     "\">"
                     "<xs:import namespace=\"" SOAP_NS_ENVELOPE "\" schemaLocation=\"" SOAP_NS_ENVELOPE
                     "\"/>"
                     "<xs:import namespace=\"%s\" schemaLocation=\"http://schemas.invalid/%s\"/></xs:schema>",
                     uri, file);
    xmlSetExternalEntityLoader(load);
    xmlSchemaParserCtxt *parser = xmlSchemaNewMemParserCtxt(text, n);
    xmlSchema *schema = xmlSchemaParse(parser);
    xmlSchemaFreeParserCtxt(parser);
    ck_assert_msg(schema != NULL, "%s cannot be read", file);
    return schema;
}

typedef struct Judge {
    xmlSchema *schema;
    const char *file, *what;
    size_t n, bad;
} Judge;

static void complain(void *userdata, const xmlError *error) {
    const Judge *judge = userdata;
    fprintf(stderr, "%s: %s: %s", judge->file, judge->what, error->message);
}

static bool is_valid(Judge *judge, const char *text, size_t size) {
    xmlDoc *document = xmlReadMemory(text, (int)size, NULL, NULL, XML_PARSE_NONET);
    ck_assert_ptr_nonnull(document);
    xmlSchemaValidCtxt *validator = xmlSchemaNewValidCtxt(judge->schema);
    xmlSchemaSetValidStructuredErrors(validator, (xmlStructuredErrorFunc)complain, judge);
    int r = xmlSchemaValidateDoc(validator, document);
    xmlSchemaFreeValidCtxt(validator);
    xmlFreeDoc(document);
    return r == 0;
}

static void visit(void *userdata, const char *what, const char *text, size_t size) {
    Judge *judge = userdata;
    judge->what = what;
    judge->n++;
    if (!is_valid(judge, text, size)) {
        judge->bad++;
        fprintf(stderr, "%.*s\n", (int)MIN(size, (size_t)2000), text);
    }
}

/* 1.3 and 1.4 are spoken in the namespace of 1.2; there is no schema for the namespaces of their own. */
START_TEST(every_message_is_valid) {
    static const struct {
        const char *file;
        CwmpVersion version;
    } cases[] = {{"cwmp-1-0.xsd", CWMP_1_0},
                 {"cwmp-1-1.xsd", CWMP_1_1},
                 {"cwmp-1-2.xsd", CWMP_1_2},
                 {"cwmp-1-3.xsd", CWMP_1_2},
                 {"cwmp-1-4.xsd", CWMP_1_2}};
    size_t bad = 0;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        Judge judge = {.schema = schema_of(cases[i].file, cwmp_version_namespace(cases[i].version)),
                       .file = cases[i].file};
        cwmp_messages(cases[i].version, visit, &judge);
        printf("%s: %zu messages, %zu not valid\n", judge.file, judge.n, judge.bad);
        bad += judge.bad;
        fflush(stdout);
        xmlSchemaFree(judge.schema);
    }
    ck_assert_uint_eq(bad, 0);
}
END_TEST

/* And the schemas do judge: a message with a part missing, in the wrong place, or of the wrong kind. */
START_TEST(what_is_not_valid_is_found) {
    static const char *const bodies[] = {
        "<c:SetParameterValuesResponse/>",
        "<c:SetParameterValuesResponse><Status>2</Status></c:SetParameterValuesResponse>",
        "<c:Nothing/>",
        "<c:AddObjectResponse><Status>0</Status><InstanceNumber>1</InstanceNumber></c:AddObjectResponse>",
        "<c:DownloadResponse><Status>0</Status><StartTime>now</StartTime><CompleteTime>" SOAP_TIME_UNKNOWN
        "</CompleteTime></c:DownloadResponse>",
        "<e:Fault><faultcode>Client</faultcode><faultstring>CWMP fault</faultstring><detail><c:Fault>"
        "<FaultCode>7000</FaultCode></c:Fault></detail></e:Fault>",
    };
    Judge judge = {.schema = schema_of("cwmp-1-0.xsd", "urn:dslforum-org:cwmp-1-0"), .file = "meant to fail"};
    for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
        char text[1024];
        judge.what = bodies[i];
        int n = snprintf(
            text, sizeof text,
            "<e:Envelope xmlns:e=\"" SOAP_NS_ENVELOPE
            "\" xmlns:c=\"urn:dslforum-org:cwmp-1-0\">"
            "<e:Header><c:ID e:mustUnderstand=\"1\">1</c:ID></e:Header><e:Body>%s</e:Body></e:Envelope>",
            bodies[i]);
        ck_assert_msg(!is_valid(&judge, text, (size_t)n), "%s", bodies[i]);
    }
    xmlSchemaFree(judge.schema);
}
END_TEST

SUITE_IF_ABLE(no_schemas, "cwmp-schema", every_message_is_valid, what_is_not_valid_is_found)
