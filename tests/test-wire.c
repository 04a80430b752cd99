/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <check.h>

#include "base/address.h"
#include "base/macro.h"
#include "base/wire.h"
#include "suite.h"

START_TEST(reader_reads_in_network_order) {
    const uint8_t data[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    Reader r = reader_new(data, sizeof data);
    ck_assert_uint_eq(reader_u8(&r), 0x01);
    ck_assert_uint_eq(reader_u16(&r), 0x0203);
    ck_assert_uint_eq(reader_u32(&r), 0x04050607);
    ck_assert_uint_eq(reader_u64(&r), 0x08090a0b0c0d0e0f);
    ck_assert(reader_done(&r));
}
END_TEST

START_TEST(reader_error_is_sticky) {
    const uint8_t data[] = {1, 2, 3};
    Reader r = reader_new(data, sizeof data);
    ck_assert_uint_eq(reader_u32(&r), 0);
    ck_assert(r.bad);
    ck_assert_uint_eq(reader_u8(&r), 0); /* though one byte would have been there */
    ck_assert_ptr_null(reader_bytes(&r, 0));
    uint8_t copy[2] = {9, 9};
    reader_copy(&r, copy, 2);
    ck_assert_uint_eq(copy[0] | copy[1], 0);
    ck_assert(!reader_done(&r));
}
END_TEST

START_TEST(sub_reader_is_narrow) {
    const uint8_t data[] = {1, 2, 3};
    Reader r = reader_new(data, sizeof data), sub = reader_sub(&r, 2);
    ck_assert_uint_eq(reader_u16(&sub), 0x0102);
    reader_u8(&sub);
    ck_assert(sub.bad && !r.bad);
    ck_assert_uint_eq(reader_u8(&r), 3);
    sub = reader_sub(&r, 1);
    ck_assert(sub.bad && r.bad);
}
END_TEST

START_TEST(writer_stops_at_the_end) {
    uint8_t buf[4];
    Writer w = writer_new(buf, sizeof buf);
    writer_u16(&w, 0x0102);
    writer_u32(&w, 1);
    writer_u8(&w, 3);
    ck_assert(w.bad);
    ck_assert_uint_eq(w.len, 2);
    ck_assert_uint_eq(buf[1], 2);
}
END_TEST

START_TEST(writer_patches) {
    uint8_t buf[4];
    Writer w = writer_new(buf, sizeof buf);
    writer_u32(&w, 0);
    writer_patch_u16(&w, 2, 0xabcd);
    ck_assert(!w.bad);
    ck_assert_uint_eq(buf[2], 0xab);
    ck_assert_uint_eq(buf[3], 0xcd);
}
END_TEST

START_TEST(address_literals) {
    static const struct {
        const char *text, *back;
    } cases[] = {
        {"192.0.2.1", "192.0.2.1"},
        {"2001:db8:0:0::1", "2001:db8::1"},
        {"::", "::"},
        {"192.0.2", NULL},
        {"segw.example", NULL},
        {"[::1]", NULL},
        {"fe80::1%eth0", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        Address a;
        ck_assert_int_eq(address_parse(cases[i].text, &a), cases[i].back ? 0 : -EINVAL);
        if (cases[i].back)
            ck_assert_str_eq(ADDRESS_STR(&a), cases[i].back);
    }
}
END_TEST

START_TEST(endpoints_go_through_sockaddr) {
    static const char *texts[] = {"192.0.2.1", "2001:db8::1"};
    static const char *shown[] = {"192.0.2.1:500", "[2001:db8::1]:500"};
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        Endpoint e = {.port = 500}, back;
        struct sockaddr_storage ss;
        ck_assert_int_eq(address_parse(texts[i], &e.address), 0);
        ck_assert_uint_gt(endpoint_to_sockaddr(&e, &ss), 0);
        ck_assert_int_eq(endpoint_from_sockaddr((struct sockaddr *)&ss, &back), 0);
        ck_assert(endpoint_equal(&e, &back));
        ck_assert_str_eq(ENDPOINT_STR(&back), shown[i]);
    }
}
END_TEST

SUITE("wire", reader_reads_in_network_order, reader_error_is_sticky, sub_reader_is_narrow,
      writer_stops_at_the_end, writer_patches, address_literals, endpoints_go_through_sockaddr)
