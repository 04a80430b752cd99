/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a HeMS gets to read of the box: measurements (TS 32.435) and its configuration. */
#include <check.h>
#include <libxml/parser.h>
#include <stdio.h>

#include "cwmp/pm-counters.h"
#include "cwmp/vendor-config.h"
#include "suite.h"

#define BEGIN INT64_C(1795561200) /* 2026-11-24T23:00:00Z */

static const PmHeader header = {"Vendor & Co", "001122-SN1", "FAP", "1.0", BEGIN, BEGIN + 3600};

static void add(PmFile *f, const char *info, const char *object, const char *type, const char *value,
                bool suspect) {
    ck_assert_int_eq(pm_file_add(f, &(PmCounter){info, object, type, value, suspect}), 0);
}

static char *text_of(PmFile *f) {
    char *text;
    size_t size;
    ck_assert_int_eq(pm_file_write(f, &header, &text, &size), 0);
    ck_assert_uint_eq(strlen(text), size);
    xmlDoc *doc = xmlReadMemory(text, (int)size, "pm.xml", NULL, XML_PARSE_NONET | XML_PARSE_NOERROR);
    ck_assert_msg(doc, "not well-formed: %s", text);
    xmlFreeDoc(doc);
    return text;
}

START_TEST(measurements) {
    PmFile *f;
    ck_assert_int_eq(pm_file_new(&f), 0);
    add(f, "RRC", "Cell=2", "RRC.ConnEstabAtt.Sum", "7", false);
    add(f, "RRC", "Cell=1", "RRC.ConnEstabSucc.Sum", "4", true);
    add(f, "RRC", "Cell=1", "RRC.ConnEstabAtt.Sum", "5", false);
    add(f, "RRC", "Cell=1", "RRC.ConnEstabAtt.Sum", "6", false); /* counts */
    add(f, "ERAB", "Cell=1", "ERAB.EstabAttNbr.Sum", NULL, false);
    char *text = text_of(f);
    ck_assert_str_eq(
        text,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<measCollecFile xmlns=\"http://www.3gpp.org/ftp/specs/archive/32_series/32.435#measCollec\">\n"
        "  <fileHeader fileFormatVersion=\"32.435 V10.0\" vendorName=\"Vendor &amp; Co\">\n"
        "    <fileSender localDn=\"001122-SN1\" elementType=\"FAP\"/>\n"
        "    <measCollec beginTime=\"2026-11-24T23:00:00Z\"/>\n"
        "  </fileHeader>\n"
        "  <measData>\n"
        "    <managedElement localDn=\"001122-SN1\" swVersion=\"1.0\"/>\n"
        "    <measInfo measInfoId=\"ERAB\">\n"
        "      <granPeriod duration=\"PT3600S\" endTime=\"2026-11-25T00:00:00Z\"/>\n"
        "      <measType p=\"1\">ERAB.EstabAttNbr.Sum</measType>\n"
        "      <measValue measObjLdn=\"Cell=1\">\n"
        "        <r p=\"1\">NIL</r>\n"
        "      </measValue>\n"
        "    </measInfo>\n"
        "    <measInfo measInfoId=\"RRC\">\n"
        "      <granPeriod duration=\"PT3600S\" endTime=\"2026-11-25T00:00:00Z\"/>\n"
        "      <measType p=\"1\">RRC.ConnEstabAtt.Sum</measType>\n"
        "      <measType p=\"2\">RRC.ConnEstabSucc.Sum</measType>\n"
        "      <measValue measObjLdn=\"Cell=1\">\n"
        "        <r p=\"1\">6</r>\n"
        "        <r p=\"2\">4</r>\n"
        "        <suspect>true</suspect>\n"
        "      </measValue>\n"
        "      <measValue measObjLdn=\"Cell=2\">\n"
        "        <r p=\"1\">7</r>\n"
        "      </measValue>\n"
        "    </measInfo>\n"
        "  </measData>\n"
        "  <fileFooter>\n"
        "    <measCollec endTime=\"2026-11-25T00:00:00Z\"/>\n"
        "  </fileFooter>\n"
        "</measCollecFile>\n");
    free(text);
    text = text_of(f); /* the same again */
    ck_assert_ptr_nonnull(strstr(text, "<r p=\"1\">6</r>"));
    free(text);
    pm_file_free(f);
}
END_TEST

START_TEST(hostile_names) {
    static const char *const bad[] = {"abc", "1e", "--1", "1 ", "0x1", ".", "1<2", "+"};
    static const char *const good[] = {"", "0", "-1", "1.5", ".5", "1e9", "12345678901234567890"};
    char big[PM_TEXT_MAX + 1];
    PmFile *f;
    ck_assert_int_eq(pm_file_new(&f), 0);
    memset(big, 'x', PM_TEXT_MAX);
    big[PM_TEXT_MAX] = 0;
    ck_assert_int_eq(pm_file_add(f, &(PmCounter){"i", "o", big, "1", false}), -EINVAL);
    ck_assert_int_eq(pm_file_add(f, &(PmCounter){"", "o", "t", "1", false}), -EINVAL);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        ck_assert_int_eq(pm_file_add(f, &(PmCounter){"i", "o", "t", bad[i], false}), -EINVAL);
    for (size_t i = 0; i < ARRAY_SIZE(good); i++)
        ck_assert_int_eq(pm_file_add(f, &(PmCounter){"i", "o", "t", good[i], false}), 0);
    add(f, "<&\">", "\x01\xff\xef\xbf\xbf", "</measType>", "1", false);
    char *text = text_of(f);
    ck_assert_ptr_nonnull(strstr(text, "measInfoId=\"&lt;&amp;&quot;&gt;\""));
    ck_assert_ptr_nonnull(strstr(text, "measObjLdn=\"???\""));
    free(text);
    int r = 0;
    for (size_t i = 0; r == 0 && i <= PM_COUNTERS_MAX; i++)
        r = pm_file_add(f, &(PmCounter){"i", "o", "t", "1", false});
    ck_assert_int_eq(r, -E2BIG);
    pm_file_free(f);
    ck_assert_int_eq(pm_file_new(&f), 0); /* nobody counts anything */
    free(text_of(f));
    pm_file_free(f);
}
END_TEST

START_TEST(names_of_files) {
    char name[PM_FILE_NAME_MAX], url[64];
    ck_assert_str_eq(pm_file_name(&header, name), "A20261124.2300+0000-0000+0000_001122-SN1");
    PmHeader h = header;
    h.element = "a/b\\..c d";
    ck_assert_str_eq(pm_file_name(&h, name), "A20261124.2300+0000-0000+0000_a-b-..c-d");
    ck_assert_int_eq(pm_file_url("http://pm/", "A", url, sizeof url), 0);
    ck_assert_str_eq(url, "http://pm/A");
    ck_assert_int_eq(pm_file_url("http://pm/put?x=1", "A", url, sizeof url), 0);
    ck_assert_str_eq(url, "http://pm/put?x=1");
    ck_assert_int_eq(pm_file_url("http://pm/", name, url, 12), -E2BIG);
}
END_TEST

START_TEST(periods) {
    static const struct {
        int64_t now;
        uint32_t interval;
        int64_t phase;
        uint32_t own;
        int64_t next;
    } rows[] = {
        {1000, 900, 0, 7, 1800},           {1800, 900, 0, 7, 2700},    {1799, 900, 0, 7, 1800},
        {1000, 900, 100, 7, 1900},         {1000, 900, 5000, 7, 1400}, {1000, 900, INT64_MIN, 7, 1807},
        {1000, 900, INT64_MIN, 907, 1807}, {1000, 900, -100, 7, 1700}, {1000, 0, 0, 0, 1001},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        ck_assert_int_eq(pm_next(rows[i].now, rows[i].interval, rows[i].phase, rows[i].own), rows[i].next);
}
END_TEST

START_TEST(configuration) {
    VendorConfig c = {0};
    ModelParameter writable = {.flags = MODEL_WRITE}, hidden = {.flags = MODEL_WRITE | MODEL_HIDDEN},
                   fixed = {.flags = 0};
    ck_assert_int_eq(vendor_config_visit(&c, "Device.", NULL, NULL), 0);
    ck_assert_int_eq(vendor_config_visit(&c, "Device.A", &writable, "1%\n\xc3\xa4 x=y"), 0);
    ck_assert_int_eq(vendor_config_visit(&c, "Device.Password", &hidden, "s3cret"), 0);
    ck_assert_int_eq(vendor_config_visit(&c, "Device.Uptime", &fixed, "5"), 0);
    ck_assert_int_eq(vendor_config_visit(&c, "Device.B", &writable, ""), 0);
    ck_assert_str_eq(c.text, "Device.A=1%25%0A%C3%A4 x=y\nDevice.B=\n");
    ck_assert_uint_eq(c.size, strlen(c.text));
    int r = 0;
    char *value = calloc(1, 100001);
    memset(value, 'x', 100000);
    for (int i = 0; r == 0 && i < 100; i++)
        r = vendor_config_visit(&c, "Device.C", &writable, value);
    ck_assert_int_eq(r, -E2BIG);
    free(value);
    vendor_config_clear(&c);
}
END_TEST

static char *period(PmCounters *c, size_t number) {
    char *text;
    size_t size;
    ck_assert_int_eq(pm_counters_write(c, number, &header, &text, &size), 0);
    pm_counters_begin(c, number);
    return text;
}

static void check_result(PmCounters *c, size_t number, const char *result) {
    char *text = period(c, number);
    ck_assert_msg(strstr(text, result), "no %s in %s", result, text);
    free(text);
}

START_TEST(periods_side_by_side) {
    const PmCounter setups = {"RRC", "Cell=1", "RRC.ConnEstabAtt.Sum", NULL, false};
    PmCounter load = {"RRC", "Cell=1", "RRC.ConnMean", "1.5", false};
    PmCounters *c;

    ck_assert_int_eq(pm_counters_new(&c), 0);
    ck_assert_int_eq(pm_counters_count(c, &setups, 100), 0); /* where it begins */
    ck_assert_int_eq(pm_counters_count(c, &setups, 107), 0);
    check_result(c, 0, "<r p=\"1\">7</r>");
    check_result(c, 0, "<r p=\"1\">NIL</r>"); /* nothing was told */
    ck_assert_int_eq(pm_counters_count(c, &setups, 107), 0);
    check_result(c, 0, "<r p=\"1\">0</r>");
    ck_assert_int_eq(pm_counters_count(c, &setups, 3), 0); /* began anew */
    check_result(c, 0, "<r p=\"1\">3</r>");
    ck_assert_int_eq(pm_counters_measure(c, &load), 0);
    load.value = "2.5";
    ck_assert_int_eq(pm_counters_measure(c, &load), 0);
    check_result(c, 0, "<r p=\"2\">2.5</r>");
    check_result(c, 0, "<r p=\"2\">NIL</r>");
    check_result(c, 1, "<r p=\"1\">10</r>"); /* all of it */
    load.value = "much";
    ck_assert_int_eq(pm_counters_measure(c, &load), -EINVAL);
    load.type = "";
    ck_assert_int_eq(pm_counters_count(c, &load, 1), -EINVAL);
    pm_counters_free(c);
}
END_TEST

START_TEST(counters_have_a_limit) {
    PmCounters *c;
    char object[32];
    PmCounter counter = {"RRC", object, "RRC.ConnEstabAtt.Sum", NULL, false};

    ck_assert_int_eq(pm_counters_new(&c), 0);
    for (int i = PM_COUNTERS_MAX; i > 0; i--) {
        snprintf(object, sizeof object, "Cell=%d", i);
        ck_assert_int_eq(pm_counters_count(c, &counter, 1), 0);
    }
    ck_assert_int_eq(pm_counters_count(c, &counter, 2), 0);
    strcpy(object, "Cell=0");
    ck_assert_int_eq(pm_counters_count(c, &counter, 1), -E2BIG);
    free(period(c, 0));
    pm_counters_free(c);
}
END_TEST

SUITE("pm-file", periods_side_by_side, counters_have_a_limit, measurements, hostile_names, names_of_files,
      periods, configuration)
