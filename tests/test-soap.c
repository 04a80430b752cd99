/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <check.h>

#include "base/macro.h"
#include "cwmp/soap.h"
#include "status.h"
#include "files.h"
#include "seeded.h"
#include "suite.h"

static SoapMessage decode_file(const char *name) {
    SoapMessage m = {0};
    char error[ERROR_MAX_BYTES] = "";
    size_t size;
    _cleanup_free_ char *data = data_read("cwmp", name, &size);
    ck_assert_msg(soap_decode(data, size, &m, error) == 0, "%s: %s", name, error);
    return m;
}

static int decode_text(const char *text, SoapMessage *ret, char error[static ERROR_MAX_BYTES]) {
    *ret = (SoapMessage){0};
    error[0] = 0;
    return soap_decode(text, strlen(text), ret, error);
}

#define ENVELOPE(header, body)                                                                               \
    "<e:Envelope xmlns:e=\"http://schemas.xmlsoap.org/soap/envelope/\" "                                     \
    "xmlns:c=\"urn:dslforum-org:cwmp-1-0\"><e:Header>" header "</e:Header><e:Body>" body                     \
    "</e:Body></e:Envelope>"

/* Expectations 15 to 17 of the interoperability notes: any prefix, default namespaces, no header, odd IDs. */
START_TEST(expectation_15_inform_responses_of_every_style) {
    static const struct {
        const char *file, *id;
        CwmpVersion version;
        unsigned max_envelopes;
    } cases[] = {
        {"informresponse-pretty.xml", "1", CWMP_1_0, 1},
        {"informresponse-default-ns.xml", NULL, CWMP_1_2, 8},
        {"informresponse-bom.xml", "null", CWMP_1_1, 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        SoapMessage m = decode_file(cases[i].file);
        ck_assert_int_eq(m.kind, SOAP_INFORM_RESPONSE);
        ck_assert_int_eq(m.version, cases[i].version);
        ck_assert_uint_eq(m.max_envelopes, cases[i].max_envelopes);
        ck_assert_ptr_null(m.not_understood);
        ck_assert(!m.hold_requests);
        if (cases[i].id)
            ck_assert_str_eq(m.id, cases[i].id);
        else
            ck_assert_ptr_null(m.id);
        soap_message_clear(&m);
        ck_assert_ptr_null(m.arena);
    }
}
END_TEST

START_TEST(get_parameter_names_trims_the_path) {
    SoapMessage m = decode_file("getparameternames.xml");
    ck_assert_int_eq(m.kind, SOAP_GET_PARAMETER_NAMES);
    ck_assert_str_eq(m.path, "Device.ManagementServer.");
    ck_assert(!m.next_level);
    ck_assert_ptr_null(m.bad_arguments);
    ck_assert_str_eq(m.id, "intrnl.unset.id.GetParameterNames1479821385640.16383520570");
    soap_message_clear(&m);
}
END_TEST

START_TEST(get_parameter_values_reads_cdata_and_skips_comments) {
    SoapMessage m = decode_file("getparametervalues.xml");
    ck_assert_int_eq(m.kind, SOAP_GET_PARAMETER_VALUES);
    ck_assert_uint_eq(m.n_names, 3);
    ck_assert_str_eq(m.names[0], "Device.DeviceInfo.SerialNumber");
    ck_assert_str_eq(m.names[1], "Device.DeviceInfo.");
    ck_assert_str_eq(m.names[2], "Device.ManagementServer.ParameterKey");
    soap_message_clear(&m);
}
END_TEST

START_TEST(set_parameter_values_keeps_the_value_exactly) {
    SoapMessage m = decode_file("setparametervalues.xml");
    ck_assert_int_eq(m.kind, SOAP_SET_PARAMETER_VALUES);
    ck_assert_uint_eq(m.n_parameters, 4);
    ck_assert_str_eq(m.parameters[1].name,
                     "Device.Services.FAPService.1.FAPControl.LTE.Gateway.S1SigLinkPort");
    ck_assert_str_eq(m.parameters[1].type, "int");
    ck_assert_str_eq(m.parameters[1].value, "36412");
    ck_assert_str_eq(m.parameters[3].value, "a  <b> & <c> \xc3\xa4");
    ck_assert_str_eq(m.parameter_key, "key-1");
    soap_message_clear(&m);
}
END_TEST

START_TEST(faults_name_code_and_text) {
    SoapMessage m = decode_file("fault.xml");
    ck_assert_int_eq(m.kind, SOAP_FAULT);
    ck_assert_int_eq(m.fault, 8001);
    ck_assert_str_eq(m.fault_text, "unknown device");
    soap_message_clear(&m);

    char error[ERROR_MAX_BYTES];
    ck_assert_int_eq(decode_text(ENVELOPE("",
                                          "<e:Fault><faultcode>e:Client</faultcode>"
                                          "<faultstring>bad</faultstring></e:Fault>"),
                                 &m, error),
                     0);
    ck_assert_int_eq(m.kind, SOAP_FAULT);
    ck_assert_int_eq(m.fault_code, SOAP_CLIENT);
    ck_assert_int_eq(m.fault, 0);
    ck_assert_str_eq(m.fault_text, "bad");
    soap_message_clear(&m);
}
END_TEST

START_TEST(a_factory_reset_has_no_arguments) {
    SoapMessage m = decode_file("factoryreset.xml");
    ck_assert_int_eq(m.kind, SOAP_FACTORY_RESET);
    ck_assert_int_eq(m.version, CWMP_1_0);
    ck_assert_str_eq(m.name, "FactoryReset");
    ck_assert_str_eq(m.id, "1669291840");
    ck_assert_ptr_null(m.bad_arguments);
    soap_message_clear(&m);

    char *text;
    size_t size;
    m = (SoapMessage){.version = CWMP_1_0, .id = "1", .kind = SOAP_FACTORY_RESET_RESPONSE};
    ck_assert_int_eq(soap_encode(&m, &text, &size), 0);
    ck_assert_ptr_nonnull(strstr(text,
                                 "<soap-env:Body><cwmp:FactoryResetResponse>"
                                 "</cwmp:FactoryResetResponse></soap-env:Body>"));
    free(text);
}
END_TEST

START_TEST(an_empty_body_is_no_error) {
    SoapMessage m = decode_file("empty-body.xml");
    ck_assert_int_eq(m.kind, SOAP_EMPTY);
    soap_message_clear(&m);
}
END_TEST

START_TEST(expectation_17_headers_that_must_be_understood) {
    static const struct {
        const char *header, *not_understood;
    } cases[] = {
        {"<c:Strange e:mustUnderstand=\"1\"/>", "Strange"},
        {"<c:Strange e:mustUnderstand=\"0\"/>", NULL},
        {"<c:Strange/>", NULL},
        {"<x:ID xmlns:x=\"urn:other\" e:mustUnderstand=\"1\">5</x:ID>", "ID"},
        {"<x:T xmlns:x=\"urn:other\" e:mustUnderstand=\"1\" e:actor=\"urn:somebody-else\"/>", NULL},
        {"<c:UseCWMPVersion e:mustUnderstand=\"1\">1.2</c:UseCWMPVersion>", NULL},
        {"<c:SessionTimeout e:mustUnderstand=\"1\">30</c:SessionTimeout>", NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char text[1024], error[ERROR_MAX_BYTES];
        SoapMessage m;
        snprintf(text, sizeof text, ENVELOPE("%s", "<c:GetRPCMethods/>"), cases[i].header);
        ck_assert_msg(decode_text(text, &m, error) == 0, "%s", error);
        ck_assert_int_eq(m.kind, SOAP_GET_RPC_METHODS);
        if (cases[i].not_understood)
            ck_assert_pstr_eq(m.not_understood, cases[i].not_understood);
        else
            ck_assert_ptr_null(m.not_understood);
        soap_message_clear(&m);
    }
}
END_TEST

START_TEST(expectation_17_ids_and_hold_requests) {
    static const struct {
        const char *header, *id;
        bool hold;
    } cases[] = {
        {"<c:HoldRequests e:mustUnderstand=\"1\">true</c:HoldRequests>", NULL, true},
        {"<c:HoldRequests>1</c:HoldRequests><c:ID/>", "", true},
        {"<c:ID> 5 </c:ID><c:HoldRequests>0</c:HoldRequests>", " 5 ", false},
        {"<c:ID>a&amp;b&lt;\"</c:ID>", "a&b<\"", false},
        {"<c:ID>0123456789012345678901234567890123456789012345678901234567890123456789</c:ID>",
         "0123456789012345678901234567890123456789012345678901234567890123456789", false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char text[1024], error[ERROR_MAX_BYTES];
        SoapMessage m;
        snprintf(text, sizeof text, ENVELOPE("%s", "<c:InformResponse/>"), cases[i].header);
        ck_assert_int_eq(decode_text(text, &m, error), 0);
        ck_assert(m.hold_requests == cases[i].hold);
        ck_assert_pstr_eq(m.id, cases[i].id);
        soap_message_clear(&m);
    }
}
END_TEST

START_TEST(wrong_arguments_can_still_be_answered) {
    static const char *const bodies[] = {
        "<c:GetParameterNames><ParameterPath/></c:GetParameterNames>",
        "<c:GetParameterNames><ParameterPath/><NextLevel>maybe</NextLevel></c:GetParameterNames>",
        "<c:GetParameterValues/>",
        "<c:SetParameterValues><ParameterKey/></c:SetParameterValues>",
        "<c:SetParameterValues><ParameterList><P><Name>a</Name></P></ParameterList></c:SetParameterValues>",
        "<c:SetParameterValues><ParameterList><P><Value>a</Value></P></ParameterList></c:SetParameterValues>",
    };
    for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
        char text[1024], error[ERROR_MAX_BYTES];
        SoapMessage m;
        snprintf(text, sizeof text, ENVELOPE("<c:ID>9</c:ID>", "%s"), bodies[i]);
        ck_assert_msg(decode_text(text, &m, error) == 0, "%s", error);
        ck_assert_ptr_nonnull(m.bad_arguments);
        ck_assert_str_eq(m.id, "9");
        soap_message_clear(&m);
    }
}
END_TEST

START_TEST(what_is_not_an_envelope_is_named) {
    static const struct {
        const char *text;
        int error;
        const char *says;
    } cases[] = {
        {"", -EBADMSG, "white space"},
        {" \r\n ", -EBADMSG, "white space"},
        {"<html><body><p>Not found<br></body></html>", -EBADMSG, "XML: line 1: "},
        {"<html><body/></html>", -EBADMSG, "not SOAP: the document is <html>"},
        {"{\"a\":1}", -EBADMSG, "XML: line 1: "},
        {"<a>\n<b>\n</a>", -EBADMSG, "XML: line 3: "},
        {"<Envelope><Body/></Envelope>", -EBADMSG, "not SOAP 1.1"},
        {"<e:Envelope xmlns:e=\"http://www.w3.org/2003/05/soap-envelope\"><e:Body/></e:Envelope>", -EBADMSG,
         "not SOAP 1.1"},
        {"<e:Envelope xmlns:e=\"http://schemas.xmlsoap.org/soap/envelope/\"/>", -EBADMSG, "no Body"},
        {ENVELOPE("", "<Inform/>"), -EBADMSG, "not CWMP: Inform"},
        {ENVELOPE("", "<x:Inform xmlns:x=\"urn:dslforum-org:cwmp-9-9\"/>"), -EBADMSG, "not CWMP"},
        {ENVELOPE("", "<c:InformResponse><MaxEnvelopes>&bomb;</MaxEnvelopes></c:InformResponse>"), -EBADMSG,
         "XML: line 1: "},
        {ENVELOPE("", "<c:InformResponse>\xff\xfe</c:InformResponse>"), -EBADMSG, "XML: line 1: "},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char error[ERROR_MAX_BYTES];
        SoapMessage m;
        ck_assert_int_eq(decode_text(cases[i].text, &m, error), cases[i].error);
        ck_assert_msg(strstr(error, cases[i].says) != NULL, "%zu: %s", i, error);
    }
}
END_TEST

START_TEST(document_types_and_entities_are_refused) {
    static const char *const texts[] = {
        "<!DOCTYPE lolz [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;\">]>"
        "<e:Envelope xmlns:e=\"http://schemas.xmlsoap.org/soap/envelope/\"><e:Body>&b;</e:Body></e:Envelope>",
        "<!DOCTYPE e:Envelope SYSTEM \"file:///etc/passwd\">"
        "<e:Envelope xmlns:e=\"http://schemas.xmlsoap.org/soap/envelope/\"><e:Body/></e:Envelope>",
        "<?xml version=\"1.0\"?><!DOCTYPE x [<!ENTITY y SYSTEM \"http://192.0.2.1/\">]><x>&y;</x>",
    };
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        char error[ERROR_MAX_BYTES];
        SoapMessage m;
        ck_assert_int_eq(decode_text(texts[i], &m, error), -EBADMSG);
        ck_assert_msg(strstr(error, "document type declaration") != NULL, "%s", error);
    }
}
END_TEST

/* A body of *n* times *part*, with *before* and *after* it. */
static char *repeat(const char *before, const char *part, size_t n, const char *after) {
    char *text = malloc(strlen(before) + n * strlen(part) + strlen(after) + 1), *end = stpcpy(text, before);
    for (size_t i = 0; i < n; i++)
        end = stpcpy(end, part);
    strcpy(end, after);
    return text;
}

START_TEST(limits_are_kept) {
    static const struct {
        const char *before, *part;
        size_t n;
        const char *says;
    } cases[] = {
        {"", "<a>", SOAP_DEPTH_MAX + 1, "levels"},
        {"<a>", "<b/>", SOAP_ELEMENTS_MAX, "elements"},
        {"<a ", "x='' ", SOAP_TAG_MAX / 4, "a tag of more than"},
        {"<a b='", "x", SOAP_TAG_MAX + 1, "a tag of more than"},
        {"<a>", "x", SOAP_ENVELOPE_MAX, "more than 2097152"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char error[ERROR_MAX_BYTES];
        SoapMessage m;
        _cleanup_free_ char *text = repeat(cases[i].before, cases[i].part, cases[i].n, "'/>");
        ck_assert_int_eq(decode_text(text, &m, error), -E2BIG);
        ck_assert_msg(strstr(error, cases[i].says) != NULL, "%s", error);
    }
}
END_TEST

START_TEST(long_values_are_no_problem) {
    char error[ERROR_MAX_BYTES];
    SoapMessage m;
    _cleanup_free_ char *text = repeat(
        "<e:Envelope xmlns:e=\"http://schemas.xmlsoap.org/soap/envelope/\"><e:Body>"
        "<c:SetParameterValues xmlns:c=\"urn:dslforum-org:cwmp-1-0\"><ParameterList><p><Name>a</Name><Value>",
        "0123456789abcdef", 4096,
        "<!-- < ' > --></Value></p></ParameterList></c:SetParameterValues></e:Body></e:Envelope>");
    ck_assert_msg(decode_text(text, &m, error) == 0, "%s", error);
    ck_assert_uint_eq(strlen(m.parameters[0].value), 65536);
    soap_message_clear(&m);
}
END_TEST

START_TEST(declared_encodings) {
    static const struct {
        const char *declaration, *value;
        int r;
        const char *read;
    } cases[] = {
        {"<?xml version='1.0' encoding='ISO-8859-1'?>", "\xe4", 0, "\xc3\xa4"},
        {"<?xml version='1.0' encoding='UTF-8'?>", "\xe4", -EBADMSG, NULL},
        {"<?xml version='1.0' encoding='us-ascii'?>", "a", 0, "a"},
        {"<?xml version='1.0' encoding='UTF-16'?>", "a", 0, "a"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char text[1024], error[ERROR_MAX_BYTES];
        SoapMessage m;
        snprintf(text, sizeof text, "%s" ENVELOPE("<c:ID>%s</c:ID>", "<c:InformResponse/>"),
                 cases[i].declaration, cases[i].value);
        ck_assert_msg(decode_text(text, &m, error) == cases[i].r, "%zu %s", i, error);
        if (cases[i].r == 0)
            ck_assert_str_eq(m.id, cases[i].read);
        if (cases[i].r == 0)
            soap_message_clear(&m);
    }
    SoapMessage m;
    char error[ERROR_MAX_BYTES];
    ck_assert_int_eq(soap_decode("\xff\xfe<\0a\0/\0>\0", 10, &m, error), -EBADMSG);
    ck_assert_msg(strstr(error, "NUL") != NULL, "%s", error);
}
END_TEST

static const char *const all_files[] = {
    "informresponse-pretty.xml",
    "informresponse-default-ns.xml",
    "informresponse-bom.xml",
    "getparameternames.xml",
    "getparametervalues.xml",
    "setparametervalues.xml",
    "getrpcmethods.xml",
    "fault.xml",
    "factoryreset.xml",
    "empty-body.xml",
    "download.xml",
    "upload.xml",
    "scheduledownload.xml",
    "canceltransfer.xml",
    "scheduleinform.xml",
    "addobject.xml",
    "deleteobject.xml",
    "setparameterattributes.xml",
    "getparameterattributes.xml",
    "reboot.xml",
    "getqueuedtransfers.xml",
    "getallqueuedtransfers.xml",
    "transfercompleteresponse.xml",
    "informresponse-version.xml",
};

static void decode_exactly(const char *data, size_t size) {
    /* A copy that ends where the bytes end, for the sanitizer to see a read beyond. */
    _cleanup_free_ char *copy = malloc(size + (size == 0));
    char error[ERROR_MAX_BYTES] = "";
    SoapMessage m;
    memcpy(copy, data, size);
    int r = soap_decode(copy, size, &m, error);
    ck_assert(r <= 0);
    ck_assert((r == 0) == (error[0] == 0));
    if (r == 0)
        soap_message_clear(&m);
}

START_TEST(truncated_envelopes_are_refused) {
    for (size_t i = 0; i < ARRAY_SIZE(all_files); i++) {
        size_t size;
        _cleanup_free_ char *data = data_read("cwmp", all_files[i], &size);
        while (data[size - 1] != '>')
            size--;
        for (size_t n = 0; n < size; n++) {
            char error[ERROR_MAX_BYTES];
            SoapMessage m;
            decode_exactly(data, n);
            ck_assert_int_lt(soap_decode(data, n, &m, error), 0);
        }
    }
}
END_TEST

/* Bytes changed, cut out, doubled and swapped for markup: whatever comes, an answer and no crash. */
START_TEST(mutated_envelopes_do_no_harm) {
    static const char snippets[][16] = {
        "<",    ">",        "&",  "]]>",          "<![CDATA[", "<!--",       "'",
        "\"",   "xmlns=''", "/>", "<!DOCTYPE a>", "&#0;",      "&#x110000;", "<?xml?>",
        "\xc0", ":",        " "};
    uint64_t seed = 32593;
    Rng rng = {seeded_fill, &seed};

    for (size_t round = 0; round < 20000; round++) {
        size_t size;
        _cleanup_free_ char *data =
            data_read("cwmp", all_files[rng_below(&rng, ARRAY_SIZE(all_files))], &size);
        data = realloc(data, size + 4 * sizeof snippets[0]); /* room for what is put in below */
        for (uint64_t n = 1 + rng_below(&rng, 4); n > 0; n--) {
            size_t at = rng_below(&rng, size), left = size - at;
            const char *snippet = snippets[rng_below(&rng, ARRAY_SIZE(snippets))];
            size_t cut = rng_below(&rng, MIN(left, (size_t)40) + 1);
            switch (rng_below(&rng, 3)) {
            case 0:
                data[at] = (char)rng_below(&rng, 256);
                break;
            case 1:
                memmove(data + at, data + at + cut, left - cut);
                size -= cut;
                break;
            case 2:
                memmove(data + at + strlen(snippet), data + at, left);
                memcpy(data + at, snippet, strlen(snippet));
                size += strlen(snippet);
                break;
            }
            if (size == 0)
                break;
        }
        decode_exactly(data, size);
    }
}
END_TEST

static char *encode(const SoapMessage *m) {
    char *text;
    size_t size;
    ck_assert_int_eq(soap_encode(m, &text, &size), 0);
    ck_assert_uint_eq(size, strlen(text));
    return text;
}

START_TEST(expectation_20_an_inform_byte_by_byte) {
    SoapMessage m = {.version = CWMP_1_0,
                     .id = "1",
                     .supported_versions = true,
                     .kind = SOAP_INFORM,
                     .device = {"A & B", "00A0BC", "HeNB", "1"},
                     .current_time = "2026-11-23T07:00:00Z",
                     .max_envelopes = 1,
                     .retry_count = 3};
    ck_assert_int_eq(soap_add_event(&m, &(SoapEvent){"0 BOOTSTRAP", ""}), 0);
    ck_assert_int_eq(soap_add_event(&m, &(SoapEvent){"1 BOOT", ""}), 0);
    ck_assert_int_eq(soap_add_parameter(&m, &(SoapParameter){"Device.A", "string", "<x>\r\n"}), 0);
    _cleanup_free_ char *text = encode(&m);
    ck_assert_str_eq(
        text,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<soap-env:Envelope xmlns:soap-env=\"http://schemas.xmlsoap.org/soap/envelope/\" "
        "xmlns:soap-enc=\"http://schemas.xmlsoap.org/soap/encoding/\" "
        "xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" "
        "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xmlns:cwmp=\"urn:dslforum-org:cwmp-1-0\">"
        "<soap-env:Header><cwmp:ID soap-env:mustUnderstand=\"1\">1</cwmp:ID>"
        "<cwmp:SupportedCWMPVersions soap-env:mustUnderstand=\"0\">1.0,1.1,1.2,1.3,1.4"
        "</cwmp:SupportedCWMPVersions></soap-env:Header><soap-env:Body><cwmp:Inform>"
        "<DeviceId><Manufacturer>A &amp; B</Manufacturer><OUI>00A0BC</OUI><ProductClass>HeNB</ProductClass>"
        "<SerialNumber>1</SerialNumber></DeviceId>"
        "<Event soap-enc:arrayType=\"cwmp:EventStruct[2]\">"
        "<EventStruct><EventCode>0 BOOTSTRAP</EventCode><CommandKey></CommandKey></EventStruct>"
        "<EventStruct><EventCode>1 BOOT</EventCode><CommandKey></CommandKey></EventStruct></Event>"
        "<MaxEnvelopes>1</MaxEnvelopes><CurrentTime>2026-11-23T07:00:00Z</CurrentTime>"
        "<RetryCount>3</RetryCount>"
        "<ParameterList soap-enc:arrayType=\"cwmp:ParameterValueStruct[1]\">"
        "<ParameterValueStruct><Name>Device.A</Name><Value xsi:type=\"xsd:string\">&lt;x&gt;&#13;\n</Value>"
        "</ParameterValueStruct></ParameterList></cwmp:Inform></soap-env:Body></soap-env:Envelope>");
    soap_message_clear(&m);
}
END_TEST

START_TEST(expectation_21_faults_as_tr_069_writes_them) {
    SoapMessage m = {
        .version = CWMP_1_2, .id = "5", .kind = SOAP_FAULT, .fault = 9003, .fault_text = "Invalid arguments"};
    ck_assert_int_eq(soap_add_parameter_fault(&m, &(SoapParameterFault){"Device.X", 9005, "no"}), 0);
    _cleanup_free_ char *text = encode(&m);
    ck_assert_ptr_nonnull(strstr(text, "xmlns:cwmp=\"urn:dslforum-org:cwmp-1-2\""));
    ck_assert_ptr_nonnull(
        strstr(text,
               "<soap-env:Fault><faultcode>Client</faultcode><faultstring>CWMP fault</faultstring>"
               "<detail><cwmp:Fault><FaultCode>9003</FaultCode><FaultString>Invalid arguments</FaultString>"
               "<SetParameterValuesFault><ParameterName>Device.X</ParameterName><FaultCode>9005</FaultCode>"
               "<FaultString>no</FaultString></SetParameterValuesFault></cwmp:Fault></detail>"
               "</soap-env:Fault></soap-env:Body>"));
    soap_message_clear(&m);

    m = (SoapMessage){.kind = SOAP_FAULT, .fault_code = SOAP_MUST_UNDERSTAND, .fault_text = "no"};
    _cleanup_free_ char *must = encode(&m);
    ck_assert_ptr_nonnull(strstr(must, "<faultcode>soap-env:MustUnderstand</faultcode>"));
    ck_assert_ptr_null(strstr(must, "<detail>"));
}
END_TEST

START_TEST(expectation_19_what_xml_cannot_carry_is_left_out) {
    static const struct {
        const char *value, *written;
    } cases[] = {
        {"a\x01\x1f"
         "b",
         "ab"},
        {"\t\n", "\t\n"},
        {"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"},
        {"a\xff\xc3", "a"},                 /* no UTF-8, cut UTF-8 */
        {"\xc0\xaf.\xe0\x80\xaf.", ".."},   /* overlong */
        {"\xed\xa0\x80x\xef\xbf\xbe", "x"}, /* surrogate, U+FFFE */
        {"\xef\xbf\xbf.\xef\xbf\xbd\x7f", ".\xef\xbf\xbd\x7f"},
        {"\xf4\x90\x80\x80y", "y"}, /* beyond U+10FFFF */
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        SoapMessage m = {.kind = SOAP_GET_PARAMETER_VALUES_RESPONSE, .id = "1"}, back;
        char expected[128], error[ERROR_MAX_BYTES];
        ck_assert_int_eq(soap_add_parameter(&m, &(SoapParameter){"n", "string", cases[i].value}), 0);
        _cleanup_free_ char *text = encode(&m);
        snprintf(expected, sizeof expected, "<Value xsi:type=\"xsd:string\">%s</Value>", cases[i].written);
        ck_assert_msg(strstr(text, expected) != NULL, "%zu: %s", i, text);
        ck_assert_int_eq(decode_text(text, &back, error), 0);
        soap_message_clear(&back);
        soap_message_clear(&m);
    }
}
END_TEST

START_TEST(requests_are_nothing_a_cpe_sends) {
    SoapMessage m = {.kind = SOAP_SET_PARAMETER_VALUES};
    char *text;
    size_t size;
    ck_assert_int_eq(soap_encode(&m, &text, &size), -EINVAL);
}
END_TEST

SUITE("soap", expectation_15_inform_responses_of_every_style, get_parameter_names_trims_the_path,
      get_parameter_values_reads_cdata_and_skips_comments, set_parameter_values_keeps_the_value_exactly,
      faults_name_code_and_text, a_factory_reset_has_no_arguments, an_empty_body_is_no_error,
      expectation_17_headers_that_must_be_understood, expectation_17_ids_and_hold_requests,
      wrong_arguments_can_still_be_answered, what_is_not_an_envelope_is_named,
      document_types_and_entities_are_refused, limits_are_kept, long_values_are_no_problem,
      declared_encodings, truncated_envelopes_are_refused, mutated_envelopes_do_no_harm,
      expectation_20_an_inform_byte_by_byte, expectation_21_faults_as_tr_069_writes_them,
      expectation_19_what_xml_cannot_carry_is_left_out, requests_are_nothing_a_cpe_sends)
