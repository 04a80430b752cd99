/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The arguments of each method as they are read, and what is wrong with them; lists as they are written. */
#include <check.h>

#include "base/macro.h"
#include "cwmp/fault.h"
#include "cwmp/soap.h"
#include "status.h"
#include "files.h"
#include "suite.h"

static SoapMessage decode_file(const char *name) {
    SoapMessage m = {0};
    char error[ERROR_MAX_BYTES] = "";
    size_t size;
    _cleanup_free_ char *data = data_read("cwmp", name, &size);
    ck_assert_msg(soap_decode(data, size, &m, error) == 0, "%s: %s", name, error);
    ck_assert_msg(m.bad_arguments == NULL, "%s: %s", name, m.bad_arguments);
    return m;
}

static SoapMessage decode_body(const char *body) {
    SoapMessage m;
    char error[ERROR_MAX_BYTES];
    _cleanup_free_ char *text = NULL;
    int n = asprintf(&text,
                     "<e:Envelope xmlns:e=\"" SOAP_NS_ENVELOPE
                     "\" xmlns:c=\"urn:dslforum-org:cwmp-1-2\">"
                     "<e:Body>%s</e:Body></e:Envelope>",
                     body);
    ck_assert_msg(soap_decode(text, (size_t)n, &m, error) == 0, "%s", error);
    return m;
}

START_TEST(a_download) {
    SoapMessage m = decode_file("download.xml");
    ck_assert_int_eq(m.kind, SOAP_DOWNLOAD);
    ck_assert_int_eq(m.version, CWMP_1_0);
    ck_assert_str_eq(m.command_key, "fw 2026-11");
    ck_assert_str_eq(m.file_type, "1 Firmware Upgrade Image");
    ck_assert_str_eq(m.url, "https://files.example/henb?a=1&b=2");
    ck_assert_str_eq(m.username, "henb");
    ck_assert_str_eq(m.password, " p<w ");
    ck_assert_uint_eq(m.file_size, UINT32_MAX);
    ck_assert_str_eq(m.target_file_name, "image.bin");
    ck_assert_uint_eq(m.delay, 30);
    ck_assert_str_eq(m.success_url, "http://ok.example/");
    ck_assert_str_eq(m.failure_url, "http://bad.example/");
    soap_message_clear(&m);

    /* What may be missing is empty. */
    m = decode_body("<c:Download><FileType>t</FileType><URL>u</URL></c:Download>");
    ck_assert_ptr_null(m.bad_arguments);
    ck_assert_str_eq(m.command_key, "");
    ck_assert_str_eq(m.password, "");
    ck_assert_uint_eq(m.file_size, 0);
    ck_assert_str_eq(m.failure_url, "");
    soap_message_clear(&m);
}
END_TEST

START_TEST(an_upload) {
    SoapMessage m = decode_file("upload.xml");
    ck_assert_int_eq(m.kind, SOAP_UPLOAD);
    ck_assert_str_eq(m.command_key, "log");
    ck_assert_str_eq(m.file_type, "4 Vendor Log File 1");
    ck_assert_str_eq(m.url, "http://files.example/up");
    ck_assert_str_eq(m.username, "");
    ck_assert_uint_eq(m.delay, 0);
    soap_message_clear(&m);
}
END_TEST

START_TEST(a_schedule_download_with_its_windows) {
    SoapMessage m = decode_file("scheduledownload.xml");
    ck_assert_int_eq(m.kind, SOAP_SCHEDULE_DOWNLOAD);
    ck_assert_str_eq(m.command_key, "night");
    ck_assert_str_eq(m.file_type, "3 Vendor Configuration File");
    ck_assert_str_eq(m.username, "a");
    ck_assert_uint_eq(m.n_windows, 2);
    ck_assert_uint_eq(m.windows[0].start, 3600);
    ck_assert_uint_eq(m.windows[0].end, 7200);
    ck_assert_int_eq(m.windows[0].mode, RPC_WINDOW_AT_ANY_TIME);
    ck_assert_str_eq(m.windows[0].user_message, "");
    ck_assert_int_eq(m.windows[0].max_retries, -1);
    ck_assert_uint_eq(m.windows[1].start, 7200);
    ck_assert_uint_eq(m.windows[1].end, 10800);
    ck_assert_int_eq(m.windows[1].mode, RPC_WINDOW_WHEN_IDLE);
    ck_assert_str_eq(m.windows[1].user_message,
                     "N\xc3\xa4"
                     "chtlich");
    ck_assert_int_eq(m.windows[1].max_retries, 3);
    soap_message_clear(&m);
}
END_TEST

START_TEST(the_other_methods) {
    SoapMessage m = decode_file("canceltransfer.xml");
    ck_assert_int_eq(m.kind, SOAP_CANCEL_TRANSFER);
    ck_assert_int_eq(m.version, CWMP_1_3);
    ck_assert_str_eq(m.command_key, "night");
    soap_message_clear(&m);

    m = decode_file("scheduleinform.xml");
    ck_assert_int_eq(m.kind, SOAP_SCHEDULE_INFORM);
    ck_assert_uint_eq(m.delay, 600);
    ck_assert_str_eq(m.command_key, "later");
    soap_message_clear(&m);

    m = decode_file("addobject.xml");
    ck_assert_int_eq(m.kind, SOAP_ADD_OBJECT);
    ck_assert_str_eq(m.path, "Device.Services.FAPService.1.CellConfig.LTE.EPC.PLMNList.");
    ck_assert_str_eq(m.parameter_key, "add-1");
    soap_message_clear(&m);

    m = decode_file("deleteobject.xml");
    ck_assert_int_eq(m.kind, SOAP_DELETE_OBJECT);
    ck_assert_int_eq(m.version, CWMP_1_4);
    ck_assert_str_eq(m.path, "Device.Services.FAPService.1.CellConfig.LTE.EPC.PLMNList.2.");
    ck_assert_str_eq(m.parameter_key, "del-1");
    soap_message_clear(&m);

    m = decode_file("reboot.xml");
    ck_assert_int_eq(m.kind, SOAP_REBOOT);
    ck_assert_str_eq(m.command_key, "after update");
    soap_message_clear(&m);

    m = decode_file("getqueuedtransfers.xml");
    ck_assert_int_eq(m.kind, SOAP_GET_QUEUED_TRANSFERS);
    soap_message_clear(&m);

    m = decode_file("getallqueuedtransfers.xml");
    ck_assert_int_eq(m.kind, SOAP_GET_ALL_QUEUED_TRANSFERS);
    soap_message_clear(&m);

    m = decode_file("transfercompleteresponse.xml");
    ck_assert_int_eq(m.kind, SOAP_TRANSFER_COMPLETE_RESPONSE);
    ck_assert(m.hold_requests);
    soap_message_clear(&m);

    m = decode_file("informresponse-version.xml");
    ck_assert_int_eq(m.kind, SOAP_INFORM_RESPONSE);
    ck_assert_str_eq(m.use_version, "1.4");
    ck_assert_ptr_null(m.not_understood);
    soap_message_clear(&m);
}
END_TEST

START_TEST(attributes_both_ways) {
    SoapMessage m = decode_file("setparameterattributes.xml");
    ck_assert_int_eq(m.kind, SOAP_SET_PARAMETER_ATTRIBUTES);
    ck_assert_uint_eq(m.n_attributes, 2);
    ck_assert_str_eq(m.attributes[0].name, "Device.DeviceInfo.");
    ck_assert(m.attributes[0].set_notification && m.attributes[0].set_access);
    ck_assert_int_eq(m.attributes[0].notification, 2);
    ck_assert_str_eq(m.attributes[0].access, "Subscriber,X_EXAMPLE_Admin");
    ck_assert_str_eq(m.attributes[1].name, "Device.ManagementServer.URL");
    ck_assert(!m.attributes[1].set_notification && !m.attributes[1].set_access);
    ck_assert_str_eq(m.attributes[1].access, "");

    SoapMessage answer = {.kind = SOAP_GET_PARAMETER_ATTRIBUTES_RESPONSE, .id = "1"};
    for (size_t i = 0; i < m.n_attributes; i++)
        ck_assert_int_eq(soap_add_attributes(&answer, &m.attributes[i]), 0);
    _cleanup_free_ char *text = NULL;
    size_t size;
    ck_assert_int_eq(soap_encode(&answer, &text, &size), 0);
    ck_assert_ptr_nonnull(strstr(
        text,
        "<ParameterList soap-enc:arrayType=\"cwmp:ParameterAttributeStruct[2]\"><ParameterAttributeStruct>"
        "<Name>Device.DeviceInfo.</Name><Notification>2</Notification>"
        "<AccessList soap-enc:arrayType=\"xsd:string[2]\"><string>Subscriber</string>"
        "<string>X_EXAMPLE_Admin</string></AccessList></ParameterAttributeStruct><ParameterAttributeStruct>"
        "<Name>Device.ManagementServer.URL</Name><Notification>0</Notification>"
        "<AccessList soap-enc:arrayType=\"xsd:string[0]\"></AccessList></ParameterAttributeStruct>"));
    soap_message_clear(&answer);
    soap_message_clear(&m);

    m = decode_file("getparameterattributes.xml");
    ck_assert_int_eq(m.kind, SOAP_GET_PARAMETER_ATTRIBUTES);
    ck_assert_uint_eq(m.n_names, 2);
    ck_assert_str_eq(m.names[1], "Device.ManagementServer.URL");
    soap_message_clear(&m);
}
END_TEST

#define WINDOW(start, end, mode, retries)                                                                    \
    "<W><WindowStart>" start "</WindowStart><WindowEnd>" end "</WindowEnd><WindowMode>" mode                 \
    "</WindowMode><UserMessage/><MaxRetries>" retries "</MaxRetries></W>"
#define SCHEDULE(windows)                                                                                    \
    "<c:ScheduleDownload><FileType>t</FileType><URL>u</URL><TimeWindowList>" windows                         \
    "</TimeWindowList></c:ScheduleDownload>"
#define ATTRIBUTES(more)                                                                                     \
    "<c:SetParameterAttributes><ParameterList><P><Name>a</Name>" more                                        \
    "</P></ParameterList></c:SetParameterAttributes>"
#define CHANGES "<NotificationChange>1</NotificationChange><AccessListChange>1</AccessListChange>"
#define TEN(x)  x x x x x x x x x x

START_TEST(what_is_wrong_is_named) {
    static const struct {
        const char *body, *says;
    } cases[] = {
        {"<c:Download><URL>u</URL></c:Download>", "FileType is missing"},
        {"<c:Download><FileType>t</FileType></c:Download>", "URL is missing"},
        {"<c:Upload/>", "FileType is missing"},
        {"<c:Download><FileType>t</FileType><URL>u</URL><FileSize>-1</FileSize></c:Download>",
         "FileSize is not a number of 0 to 4294967295"},
        {"<c:Download><FileType>t</FileType><URL>u</URL><FileSize>4294967296</FileSize></c:Download>",
         "FileSize"},
        {"<c:Download><FileType>t</FileType><URL>u</URL><DelaySeconds>1.5</DelaySeconds></c:Download>",
         "DelaySeconds"},
        {"<c:Download><FileType>t</FileType><URL>u</URL><DelaySeconds/></c:Download>", "DelaySeconds"},
        {"<c:ScheduleInform><DelaySeconds>99999999999999999999</DelaySeconds></c:ScheduleInform>",
         "DelaySeconds"},
        {"<c:ScheduleInform><DelaySeconds>0x10</DelaySeconds></c:ScheduleInform>", "DelaySeconds"},
        {"<c:Reboot><CommandKey>" TEN("abc") "xyz</CommandKey></c:Reboot>",
         "CommandKey is longer than 32 characters"},
        {"<c:CancelTransfer><CommandKey>" TEN("abc") "xyz</CommandKey></c:CancelTransfer>", "CommandKey"},
        {"<c:Upload><FileType>" TEN("1234567") "</FileType><URL>u</URL></c:Upload>",
         "FileType is longer than 64"},
        {"<c:Upload><FileType>t</FileType><URL>" TEN(TEN("123")) "</URL></c:Upload>",
         "URL is longer than 256"},
        {SCHEDULE(""), "TimeWindowList is empty"},
        {"<c:ScheduleDownload><FileType>t</FileType><URL>u</URL></c:ScheduleDownload>",
         "TimeWindowList is missing"},
        {SCHEDULE(WINDOW("5", "5", "1 At Any Time", "0")), "WindowEnd is not after WindowStart"},
        {SCHEDULE(WINDOW("0", "5", "5 Whenever", "0")), "WindowMode"},
        {SCHEDULE(WINDOW("0", "5", "1 At Any Time", "-2")), "MaxRetries"},
        {SCHEDULE(WINDOW("x", "5", "1 At Any Time", "0")), "WindowStart"},
        {SCHEDULE(WINDOW("0", "9", "2 Immediately", "0") WINDOW("8", "12", "2 Immediately", "0")), "overlap"},
        {SCHEDULE(WINDOW("0", "1", "2 Immediately", "0") WINDOW("1", "2", "2 Immediately", "0")
                      WINDOW("2", "3", "2 Immediately", "0")),
         "more than 2 windows"},
        {"<c:SetParameterAttributes/>", "ParameterList is missing"},
        {"<c:SetParameterAttributes><ParameterList><P/></ParameterList></c:SetParameterAttributes>",
         "without Name"},
        {ATTRIBUTES(""), "NotificationChange is not a boolean"},
        {ATTRIBUTES(CHANGES "<Notification>7</Notification>"), "Notification is not a number of 0 to 6"},
        {ATTRIBUTES("<NotificationChange>2</NotificationChange><AccessListChange>1</AccessListChange>"),
         "NotificationChange"},
        {ATTRIBUTES("<NotificationChange>0</NotificationChange>"), "AccessListChange is not a boolean"},
        {ATTRIBUTES(CHANGES "<AccessList>" TEN(
             "<s>a</s><s>b</s><s>c</s><s>d</s><s>e</s><s>f</s><s>g</s>") "</AccessList>"),
         "AccessList has more than 64 entities"},
        {"<c:GetParameterAttributes/>", "ParameterNames is missing"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        SoapMessage m = decode_body(cases[i].body);
        ck_assert_msg(m.bad_arguments != NULL, "%s", cases[i].body);
        ck_assert_msg(strstr(m.bad_arguments, cases[i].says) != NULL, "%s", m.bad_arguments);
        soap_message_clear(&m);
    }
}
END_TEST

/* Characters are counted, not bytes; the last that fits does. */
START_TEST(limits_are_in_characters) {
    SoapMessage m = decode_body(
        "<c:Reboot><CommandKey>" TEN("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80") "xy</CommandKey></c:Reboot>");
    ck_assert_ptr_null(m.bad_arguments);
    ck_assert_uint_eq(strlen(m.command_key), 92);
    soap_message_clear(&m);
}
END_TEST

START_TEST(transfer_lists) {
    static const RpcTransfer transfers[] = {
        {"a<b", RPC_TRANSFER_NOT_STARTED, true, false, "1 Firmware Upgrade Image", 12, "x"},
        {"", RPC_TRANSFER_COMPLETED, false, true, "4 Vendor Log File", 0, ""}};
    for (size_t all = 0; all < 2; all++) {
        SoapMessage m = {.kind = all ? SOAP_GET_ALL_QUEUED_TRANSFERS_RESPONSE
                                     : SOAP_GET_QUEUED_TRANSFERS_RESPONSE,
                         .version = CWMP_1_2,
                         .id = "1"};
        _cleanup_free_ char *text = NULL;
        size_t size;
        for (size_t i = 0; i < ARRAY_SIZE(transfers); i++)
            ck_assert_int_eq(soap_add_transfer(&m, &transfers[i]), 0);
        ck_assert_int_eq(soap_encode(&m, &text, &size), 0);
        ck_assert_ptr_nonnull(strstr(
            text,
            all ? "<TransferList "
                  "soap-enc:arrayType=\"cwmp:AllQueuedTransferStruct[2]\"><AllQueuedTransferStruct>"
                  "<CommandKey>a&lt;b</CommandKey><State>1</State><IsDownload>1</IsDownload>"
                  "<FileType>1 Firmware Upgrade Image</FileType><FileSize>12</FileSize>"
                  "<TargetFileName>x</TargetFileName></AllQueuedTransferStruct><AllQueuedTransferStruct>"
                  "<CommandKey></CommandKey><State>3</State><IsDownload>0</IsDownload>"
                : "<TransferList soap-enc:arrayType=\"cwmp:QueuedTransferStruct[2]\"><QueuedTransferStruct>"
                  "<CommandKey>a&lt;b</CommandKey><State>1</State></"
                  "QueuedTransferStruct><QueuedTransferStruct>"
                  "<CommandKey></CommandKey><State>3</State></QueuedTransferStruct></TransferList>"));
        soap_message_clear(&m);
    }
}
END_TEST

START_TEST(answers_in_the_schemas_order) {
    static const struct {
        SoapMessage message;
        const char *body;
    } cases[] = {
        {{.kind = SOAP_ADD_OBJECT_RESPONSE, .instance = UINT32_MAX, .status = 1},
         "<cwmp:AddObjectResponse><InstanceNumber>4294967295</InstanceNumber><Status>1</Status>"
         "</cwmp:AddObjectResponse>"},
        {{.kind = SOAP_DELETE_OBJECT_RESPONSE},
         "<cwmp:DeleteObjectResponse><Status>0</Status></cwmp:DeleteObjectResponse>"},
        {{.kind = SOAP_UPLOAD_RESPONSE, .start_time = "2026-11-23T07:00:00Z"},
         "<cwmp:UploadResponse><Status>0</Status><StartTime>2026-11-23T07:00:00Z</StartTime>"
         "<CompleteTime>0001-01-01T00:00:00Z</CompleteTime></cwmp:UploadResponse>"},
        {{.kind = SOAP_SET_PARAMETER_ATTRIBUTES_RESPONSE},
         "<cwmp:SetParameterAttributesResponse></cwmp:SetParameterAttributesResponse>"},
        {{.kind = SOAP_GET_RPC_METHODS}, "<cwmp:GetRPCMethods></cwmp:GetRPCMethods>"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_free_ char *text = NULL;
        size_t size;
        ck_assert_int_eq(soap_encode(&cases[i].message, &text, &size), 0);
        ck_assert_msg(strstr(text, cases[i].body) != NULL, "%s", text);
    }
}
END_TEST

/* The schemas of each version have faults of their own for a FaultStruct and for a Fault. */
START_TEST(faults_that_a_version_knows) {
    static const struct {
        CwmpVersion version;
        int code, fault, transfer;
    } cases[] = {
        {CWMP_1_0, 9005, 9005, 9002}, {CWMP_1_0, 9012, 9012, 9012}, {CWMP_1_0, 9013, 9013, 9010},
        {CWMP_1_0, 9014, 9010, 9010}, {CWMP_1_0, 9020, 9010, 9010}, {CWMP_1_0, 0, 0, 0},
        {CWMP_1_1, 9013, 9013, 9010}, {CWMP_1_1, 9014, 9014, 9014}, {CWMP_1_2, 9019, 9019, 9019},
        {CWMP_1_2, 9020, 9020, 9020}, {CWMP_1_2, 9021, 9021, 9002}, {CWMP_1_4, 9001, 9001, 9001},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        ck_assert_int_eq(cwmp_fault_in(cases[i].version, cases[i].code), cases[i].fault);
        ck_assert_int_eq(cwmp_transfer_fault_in(cases[i].version, cases[i].code), cases[i].transfer);
    }
}
END_TEST

SUITE("soap-methods", a_download, an_upload, a_schedule_download_with_its_windows, the_other_methods,
      attributes_both_ways, what_is_wrong_is_named, limits_are_in_characters, transfer_lists,
      answers_in_the_schemas_order, faults_that_a_version_knows)
