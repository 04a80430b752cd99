/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tests of what the box asks its HeMS for (agent/download-request.h). */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "base/macro.h"
#include "download-request.h"
#include "suite.h"

static DownloadRequest request;

START_TEST(one_waits_until_it_is_answered) {
    char name[] = "Version";
    const SessionFileArg args[] = {{name, "2.1"}, {"Nothing", ""}};
    SessionRequest told;
    ck_assert(!download_request_get(&request, &told));
    ck_assert_ptr_null(download_request_set(&request, "1 Firmware Upgrade Image", args, 2));
    *name = 'X'; /* it is copied */
    ck_assert_ptr_nonnull(strstr(download_request_set(&request, "2 Web Content", NULL, 0), "not answered"));
    for (size_t i = 0; i < 2; i++) { /* as often as a session is begun */
        ck_assert(download_request_get(&request, &told));
        ck_assert_int_eq(told.kind, SESSION_REQUEST_REQUEST_DOWNLOAD);
        ck_assert_str_eq(told.file_type, "1 Firmware Upgrade Image");
        ck_assert_uint_eq(told.n_args, 2);
        ck_assert_str_eq(told.args[0].name, "Version");
        ck_assert_str_eq(told.args[0].value, "2.1");
        ck_assert_str_eq(told.args[1].value, "");
    }
    SessionAnswer answer = {.kind = SESSION_REQUEST_TRANSFER_COMPLETE, .id = told.id};
    ck_assert(!download_request_answered(&request, &answer));
    answer.kind = SESSION_REQUEST_REQUEST_DOWNLOAD;
    answer.id++;
    ck_assert(!download_request_answered(&request, &answer));
    answer.id = told.id;
    answer.fault = 8000;
    ck_assert(download_request_answered(&request, &answer));
    ck_assert(!download_request_get(&request, &told));
    /* The next one is another. */
    ck_assert_ptr_null(download_request_set(&request, "3 A", NULL, 0));
    ck_assert(download_request_get(&request, &told));
    ck_assert_uint_ne(told.id, answer.id);
    ck_assert_uint_eq(told.n_args, 0);
}
END_TEST

START_TEST(wishes_that_are_refused) {
    char text[300];
    memset(text, 'x', sizeof text);
    SessionFileArg args[RPC_FILE_ARGS_MAX + 1] = {{"a", text}};
    for (size_t i = 1; i < ARRAY_SIZE(args); i++)
        args[i] = (SessionFileArg){"a", ""};
    text[DOWNLOAD_REQUEST_VALUE + 1] = 0;
    ck_assert_ptr_nonnull(download_request_set(&request, "1 A", args, 1));
    text[DOWNLOAD_REQUEST_VALUE] = 0;
    ck_assert_ptr_nonnull(download_request_set(&request, "", args, 1));
    ck_assert_ptr_nonnull(download_request_set(&request, text, args, 1));
    ck_assert_ptr_nonnull(download_request_set(&request, "1\nA", args, 1));
    ck_assert_ptr_nonnull(download_request_set(&request, "1\x7f", args, 1));
    ck_assert_ptr_nonnull(download_request_set(&request, "1 \xff", args, 1));
    ck_assert_ptr_nonnull(download_request_set(&request, "1 A", &(SessionFileArg){"", "a"}, 1));
    ck_assert_ptr_nonnull(download_request_set(&request, "1 A", &(SessionFileArg){text, "a"}, 1));
    ck_assert_ptr_nonnull(download_request_set(&request, "1 A", args, ARRAY_SIZE(args)));
    ck_assert_ptr_null(download_request_set(&request, "1 A", args, RPC_FILE_ARGS_MAX));
}
END_TEST

SUITE("download-request", one_waits_until_it_is_answered, wishes_that_are_refused)
