/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <check.h>

#include "base/macro.h"
#include "cwmp/fault.h"
#include "cwmp/rpc.h"
#include "status.h"
#include "files.h"
#include "suite.h"

static Model *model;

static void start(void) {
    ck_assert_int_eq(model_new(&model, &(ModelConfig){0}), 0);
    ck_assert_int_eq(model_put(model, "Device.DeviceInfo.SerialNumber", "000001"), 0);
}

/* Decodes *text*, answers it, and gives the answer as the HeMS would read it. */
static SoapMessage answer_bytes(const char *data, size_t size, RpcEffect *effect, char **ret_text) {
    SoapMessage request = {0}, answer = {0}, back = {0};
    char error[ERROR_MAX_BYTES];
    size_t n;
    ck_assert_msg(soap_decode(data, size, &request, error) == 0, "%s", error);
    ck_assert_int_eq(rpc_answer(model, NULL, &request, &answer, effect), 0);
    if (effect->transaction)
        ck_assert_int_eq(rpc_conclude(model, 0, NULL, 0, &answer, effect), 0);
    ck_assert_int_eq(answer.version, request.version);
    ck_assert_int_eq(soap_encode(&answer, ret_text, &n), 0);
    ck_assert_msg(soap_decode(*ret_text, n, &back, error) == 0, "%s", error);
    soap_message_clear(&answer);
    soap_message_clear(&request);
    return back;
}

static SoapMessage answer_file(const char *name, RpcEffect *effect, char **ret_text) {
    size_t size;
    _cleanup_free_ char *data = data_read("cwmp", name, &size);
    return answer_bytes(data, size, effect, ret_text);
}

static SoapMessage answer_body(const char *body, RpcEffect *effect, char **ret_text) {
    char text[4096];
    int n = snprintf(text, sizeof text,
                     "<e:Envelope xmlns:e=\"http://schemas.xmlsoap.org/soap/envelope/\" "
                     "xmlns:c=\"urn:dslforum-org:cwmp-1-2\"><e:Header><c:ID>77</c:ID></e:Header>"
                     "<e:Body>%s</e:Body></e:Envelope>",
                     body);
    return answer_bytes(text, (size_t)n, effect, ret_text);
}

START_TEST(get_rpc_methods_lists_what_is_answered) {
    start();
    RpcEffect effect;
    _cleanup_free_ char *text = NULL;
    SoapMessage m = answer_file("getrpcmethods.xml", &effect, &text);
    ck_assert_str_eq(m.id, ""); /* echoed, empty as it was */
    ck_assert_ptr_nonnull(strstr(text, "urn:dslforum-org:cwmp-1-2"));
    ck_assert_ptr_nonnull(
        strstr(text,
               "<cwmp:GetRPCMethodsResponse><MethodList soap-enc:arrayType=\"xsd:string[9]\">"
               "<string>GetRPCMethods</string><string>SetParameterValues</string>"
               "<string>GetParameterValues</string><string>GetParameterNames</string>"
               "<string>SetParameterAttributes</string><string>GetParameterAttributes</string>"
               "<string>AddObject</string><string>DeleteObject</string>"
               "<string>FactoryReset</string></MethodList>"));
    soap_message_clear(&m);
    model_free(model);
}
END_TEST

START_TEST(get_parameter_names_answers_in_count) {
    start();
    RpcEffect effect;
    _cleanup_free_ char *text = NULL;
    SoapMessage m = answer_file("getparameternames.xml", &effect, &text);
    ck_assert_str_eq(m.id, "intrnl.unset.id.GetParameterNames1479821385640.16383520570");
    ck_assert_ptr_nonnull(strstr(text, "soap-enc:arrayType=\"cwmp:ParameterInfoStruct[70]\""));
    ck_assert_ptr_nonnull(strstr(text, "<Name>Device.ManagementServer.URL</Name><Writable>1</Writable>"));
    ck_assert_ptr_nonnull(strstr(text, "<Name>Device.ManagementServer.</Name><Writable>0</Writable>"));
    soap_message_clear(&m);
    model_free(model);
}
END_TEST

START_TEST(get_parameter_values_of_names_and_subtrees) {
    start();
    RpcEffect effect;
    _cleanup_free_ char *text = NULL;
    SoapMessage m = answer_file("getparametervalues.xml", &effect, &text);
    ck_assert_ptr_nonnull(strstr(text, "cwmp:ParameterValueStruct[26]"));
    ck_assert_ptr_nonnull(strstr(text,
                                 "<Name>Device.DeviceInfo.SerialNumber</Name>"
                                 "<Value xsi:type=\"xsd:string\">000001</Value>"));
    ck_assert(!effect.values_set);
    soap_message_clear(&m);
    free(TAKE_PTR(text));

    m = answer_body(
        "<c:GetParameterValues><ParameterNames><string>Device.Services.FAPServiceNumberOfEntries"
        "</string></ParameterNames></c:GetParameterValues>",
        &effect, &text);
    ck_assert_ptr_nonnull(strstr(text,
                                 "<Name>Device.Services.FAPServiceNumberOfEntries</Name>"
                                 "<Value xsi:type=\"xsd:unsignedInt\">1</Value>"));
    soap_message_clear(&m);
    free(TAKE_PTR(text));

    m = answer_body("<c:GetParameterValues><ParameterNames/></c:GetParameterValues>", &effect, &text);
    ck_assert_ptr_nonnull(strstr(text, "cwmp:ParameterValueStruct[0]"));
    soap_message_clear(&m);
    model_free(model);
}
END_TEST

START_TEST(set_parameter_values_is_answered_and_told) {
    start();
    RpcEffect effect;
    _cleanup_free_ char *text = NULL;
    SoapMessage m = answer_file("setparametervalues.xml", &effect, &text);
    ck_assert_ptr_nonnull(strstr(
        text, "<cwmp:SetParameterValuesResponse><Status>0</Status></cwmp:SetParameterValuesResponse>"));
    ck_assert(effect.values_set);
    ck_assert_uint_eq(effect.outcome.topics_set, MODEL_TOPIC_MME | MODEL_TOPIC_S1);
    ck_assert_str_eq(
        model_get(model, "Device.Services.FAPService.1.FAPControl.LTE.Gateway.S1SigLinkServerList"),
        "mme1.operator.example,198.51.100.7,2001:db8::7");
    ck_assert_str_eq(model_get(model, "Device.ManagementServer.ParameterKey"), "key-1");
    soap_message_clear(&m);
    model_free(model);
}
END_TEST

START_TEST(factory_reset_is_answered_and_told) {
    start();
    RpcEffect effect;
    _cleanup_free_ char *text = NULL;
    SoapMessage m = answer_body("<c:FactoryReset/>", &effect, &text);
    ck_assert_ptr_nonnull(strstr(text,
                                 "<soap-env:Body><cwmp:FactoryResetResponse>"
                                 "</cwmp:FactoryResetResponse></soap-env:Body>"));
    ck_assert_str_eq(m.id, "77");
    ck_assert(effect.factory_reset && !effect.values_set);
    soap_message_clear(&m);
    free(TAKE_PTR(text));
    /* Whatever a HeMS puts into it. */
    m = answer_body("<c:FactoryReset><CommandKey>x</CommandKey></c:FactoryReset>", &effect, &text);
    ck_assert_int_eq(m.kind, SOAP_FACTORY_RESET_RESPONSE);
    soap_message_clear(&m);
    free(TAKE_PTR(text));
    m = answer_file("getrpcmethods.xml", &effect, &text);
    ck_assert(!effect.factory_reset);
    soap_message_clear(&m);
    model_free(model);
}
END_TEST

START_TEST(faults_of_each_kind) {
    static const struct {
        const char *body;
        int fault;
        SoapFaultCode whose;
        const char *text;
    } cases[] = {
        {"<c:Reboot><CommandKey/></c:Reboot>", 9000, SOAP_SERVER, "Method not supported: Reboot"},
        {"<c:Inform/>", 9000, SOAP_SERVER, "Method not supported: Inform"},
        {"<c:X_Vendor/>", 9000, SOAP_SERVER, "Method not supported: X_Vendor"},
        {"<c:GetParameterNames><ParameterPath>Device.No.</ParameterPath><NextLevel>1</NextLevel>"
         "</c:GetParameterNames>",
         9005, SOAP_CLIENT, "Invalid parameter name: Device.No."},
        {"<c:GetParameterNames><ParameterPath>Device.DeviceInfo.SerialNumber</ParameterPath><NextLevel>1</"
         "NextLevel>"
         "</c:GetParameterNames>",
         9003, SOAP_CLIENT, "Invalid arguments: Device.DeviceInfo.SerialNumber"},
        {"<c:GetParameterValues><ParameterNames><string>Device.DeviceInfo.SerialNumber</string>"
         "<string>Device.No</string></ParameterNames></c:GetParameterValues>",
         9005, SOAP_CLIENT, "Invalid parameter name: Device.No"},
        {"<c:GetParameterValues/>", 9003, SOAP_CLIENT, "ParameterNames is missing"},
        {"<c:SetParameterValues><ParameterList><P><Name>Device.No</Name><Value>1</Value></P></ParameterList>"
         "<ParameterKey/></c:SetParameterValues>",
         9003, SOAP_CLIENT, "Invalid arguments"},
    };
    start();
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        RpcEffect effect;
        _cleanup_free_ char *text = NULL;
        SoapMessage m = answer_body(cases[i].body, &effect, &text);
        ck_assert_int_eq(m.kind, SOAP_FAULT);
        ck_assert_int_eq(m.fault, cases[i].fault);
        ck_assert_int_eq(m.fault_code, cases[i].whose);
        ck_assert_str_eq(m.fault_text, cases[i].text);
        ck_assert_str_eq(m.id, "77");
        ck_assert(!effect.values_set);
        ck_assert_ptr_nonnull(strstr(text, "<faultstring>CWMP fault</faultstring>"));
        soap_message_clear(&m);
    }
    model_free(model);
}
END_TEST

START_TEST(an_unknown_mandatory_header_is_refused) {
    static const char text[] =
        "<e:Envelope xmlns:e=\"http://schemas.xmlsoap.org/soap/envelope/\"><e:Header>"
        "<x:Y xmlns:x=\"urn:x\" e:mustUnderstand=\"1\"/></e:Header><e:Body>"
        "<c:GetRPCMethods xmlns:c=\"urn:dslforum-org:cwmp-1-0\"/></e:Body></e:Envelope>";
    start();
    RpcEffect effect;
    _cleanup_free_ char *answer = NULL;
    SoapMessage m = answer_bytes(text, strlen(text), &effect, &answer);
    ck_assert_int_eq(m.kind, SOAP_FAULT);
    ck_assert_ptr_nonnull(strstr(answer, "<faultcode>soap-env:MustUnderstand</faultcode>"));
    ck_assert_str_eq(m.fault_text, "Header Y is not understood");
    soap_message_clear(&m);
    model_free(model);
}
END_TEST

START_TEST(a_small_request_cannot_ask_for_everything_ever_again) {
    SoapMessage request = {.kind = SOAP_GET_PARAMETER_VALUES, .name = "GetParameterValues"}, answer;
    RpcEffect effect;
    start();
    for (size_t i = 0; i < RPC_ANSWER_MAX / 30; i++)
        ck_assert_int_eq(soap_add_name(&request, ""), 0);
    ck_assert_int_eq(rpc_answer(model, NULL, &request, &answer, &effect), 0);
    ck_assert_int_eq(answer.kind, SOAP_FAULT);
    ck_assert_int_eq(answer.fault, FAULT_RESOURCES_EXCEEDED);
    soap_message_clear(&answer);
    soap_message_clear(&request);
    model_free(model);
}
END_TEST

static int services_asked;

static int service_download(void *userdata, const RpcDownload *d, const char **ret_text) {
    services_asked++;
    ck_assert_str_eq(d->command_key, "k");
    ck_assert_str_eq(d->url, "http://f/x");
    ck_assert_uint_eq(d->file_size, 4294967295);
    *ret_text = "queue is full";
    return services_asked == 1 ? 0 : FAULT_RESOURCES_EXCEEDED;
}

START_TEST(a_download_is_handed_on_and_pending) {
    const RpcServices services = {.download = service_download};
    const SoapMessage request = {.kind = SOAP_DOWNLOAD,
                                 .name = "Download",
                                 .command_key = "k",
                                 .file_type = "1 Firmware Upgrade Image",
                                 .url = "http://f/x",
                                 .file_size = UINT32_MAX};
    SoapMessage answer;
    RpcEffect effect;
    start();
    services_asked = 0;
    ck_assert_int_eq(rpc_answer(model, &services, &request, &answer, &effect), 0);
    ck_assert_int_eq(answer.kind, SOAP_DOWNLOAD_RESPONSE);
    ck_assert_int_eq(answer.status, 1);
    soap_message_clear(&answer);
    ck_assert_int_eq(rpc_answer(model, &services, &request, &answer, &effect), 0);
    ck_assert_int_eq(answer.fault, FAULT_RESOURCES_EXCEEDED);
    ck_assert_str_eq(answer.fault_text, "queue is full");
    soap_message_clear(&answer);
    ck_assert_int_eq(rpc_answer(model, NULL, &request, &answer, &effect), 0);
    ck_assert_int_eq(answer.fault, FAULT_METHOD_NOT_SUPPORTED);
    soap_message_clear(&answer);
    model_free(model);
}
END_TEST

SUITE("rpc", a_download_is_handed_on_and_pending, get_rpc_methods_lists_what_is_answered,
      get_parameter_names_answers_in_count, get_parameter_values_of_names_and_subtrees,
      set_parameter_values_is_answered_and_told, factory_reset_is_answered_and_told, faults_of_each_kind,
      an_unknown_mandatory_header_is_refused, a_small_request_cannot_ask_for_everything_ever_again)
