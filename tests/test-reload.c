/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A reload: what of other files is in force afterwards, what wants a new beginning, and that what cannot be
 * used changes nothing. */
#include <check.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/log.h"
#include "files.h"
#include "reload.h"
#include "suite.h"

#define PATH_BYTES 128

static char dir[] = "/tmp/henb-reload-XXXXXX";
static char path[PATH_BYTES];
static Config config, next;
static Security *security;
static Reloaded done;
static char error[ERROR_MAX_BYTES];

static const char *in_dir(const char *name, char ret[static PATH_BYTES]) {
    snprintf(ret, PATH_BYTES, "%s/%s", dir, name);
    return ret;
}

/* Copies one of tests/data/ike to *name*. */
static void put(const char *name, const char *data) {
    char to[PATH_BYTES];
    size_t size;
    _cleanup_free_ char *bytes = data_read("ike", data, &size);
    file_write(in_dir(name, to), bytes, size);
}

static void write_config(const char *more) {
    char text[2048];

    snprintf(text, sizeof text,
             "[Identity]\nManufacturer=Example\nOUI=00A0BC\nProductClass=HeNB\nSerialNumber=000001\n"
             "[Serving]\nSeGW=segw.operator.example\nHeMS=hems.operator.example\n"
             "[Trust]\nCA=%s/ca.pem\nCertificate=%s/henb.pem\nKey=%s/henb-key.pem\n%s",
             dir, dir, dir, more);
    file_write_text(path, text);
}

static void begin(const char *more) {
    ck_assert_ptr_nonnull(mkdtemp(dir));
    in_dir("agent.conf", path);
    put("ca.pem", "ca.pem");
    put("henb.pem", "device-ecdsa.pem");
    put("henb-key.pem", "device-ecdsa.key.pem");
    write_config(more);
    ck_assert_msg(config_load(&config, path, error) == 0, "%s", error);
    ck_assert_msg(security_new(&security, &config, dir, error) == 0, "%s", error);
    log_set_level(config.log_level);
}

static void end(void) {
    char command[PATH_BYTES];

    security_free(security);
    snprintf(command, sizeof command, "rm -r %s", dir);
    ck_assert_int_eq(system(command), 0);
}

static void reload_done(void) {
    ck_assert_msg(reload(path, &config, security, &next, &done, error) == 0, "%s", error);
}

/* Refused with a line about *file* that goes on with *rest*; what was in force still is. */
static void check_refused(const char *file, const char *rest) {
    const Credential *credential = security_credential(security);
    const TrustStore *trust = security_trust(security);
    char expected[2 * ERROR_MAX_BYTES];
    static Config before;

    before = config;
    ck_assert_int_lt(reload(path, &config, security, &next, &done, error), 0);
    snprintf(expected, sizeof expected, "%s/%s%s", dir, file, rest);
    ck_assert_msg(strncmp(error, expected, strlen(expected)) == 0, "%s\ninstead of %s", error, expected);
    ck_assert_mem_eq(&before, &config, sizeof config);
    ck_assert_ptr_eq(security_credential(security), credential);
    ck_assert_ptr_eq(security_trust(security), trust);
}

START_TEST(nothing_has_changed) {
    begin("");
    const Credential *credential = security_credential(security);
    LOG_OF(reload_done(), "<5>reload: nothing has changed\n");
    ck_assert(!done.restart && !done.credentials && !done.log_level);
    ck_assert_ptr_eq(security_credential(security), credential);
    put("henb.pem", "device-ecdsa.pem"); /* the same bytes, written anew */
    LOG_OF(reload_done(), "<5>reload: nothing has changed\n");
    end();
}
END_TEST

START_TEST(another_certificate) {
    begin("");
    const Credential *credential = security_credential(security);
    put("henb.pem", "device-rsa.pem");
    put("henb-key.pem", "device-rsa.key.pem");
    LOG_OF(reload_done(), "<5>reload: certificate, roots or revocation lists are others than before\n");
    ck_assert(!done.restart && done.credentials);
    ck_assert_ptr_ne(security_credential(security), credential);
    LOG_OF(reload_done(), "<5>reload: nothing has changed\n");
    ck_assert(!done.credentials);
    end();
}
END_TEST

START_TEST(other_roots_and_lists) {
    begin("");
    put("ca.pem", "ed25519-ca.pem");
    reload_done();
    ck_assert(done.credentials);
    put("crl.pem", "revocation/good.crl.pem");
    char more[2 * PATH_BYTES];
    snprintf(more, sizeof more, "CRL=%s/crl.pem\n", dir);
    write_config(more);
    LOG_OF(reload_done(),
           "<5>reload: in force from now on: [Trust] CRL=; certificate, roots or revocation "
           "lists are others than before\n");
    ck_assert(done.credentials);
    ck_assert_ptr_nonnull(revocation_cache_entry(security_revocation(security), 0));
    reload_done();
    ck_assert(!done.credentials);
    write_config("");
    reload_done();
    ck_assert(done.credentials);
    ck_assert_ptr_null(revocation_cache_entry(security_revocation(security), 0));
    end();
}
END_TEST

/* A list that need not be there is no reason to refuse, and one of strict is. */
START_TEST(list_that_cannot_be_read) {
    char more[2 * PATH_BYTES], at[PATH_BYTES];

    begin("");
    file_write_text(in_dir("crl.pem", at), "no list\n");
    snprintf(more, sizeof more, "CRL=%s\n", at);
    write_config(more);
    LOG_OF(reload_done(), "[Trust] CRL=");
    ck_assert(!done.credentials);
    snprintf(more, sizeof more, "CRL=%s\nRevocation=strict\n", at);
    write_config(more);
    check_refused("agent.conf:13: [Trust] CRL=", at);
    end();
}
END_TEST

/* The same certificate under another name costs nothing. */
START_TEST(another_path) {
    char more[2 * PATH_BYTES], at[PATH_BYTES];

    begin("");
    put("renewed.pem", "device-ecdsa.pem");
    in_dir("agent.conf.d", at);
    ck_assert_int_eq(mkdir(at, 0755), 0);
    in_dir("agent.conf.d/renewed.conf", at);
    snprintf(more, sizeof more, "[Trust]\nCertificate=%s/renewed.pem\n", dir);
    file_write_text(at, more);
    LOG_OF(reload_done(), "<5>reload: in force from now on: [Trust] Certificate=\n");
    ck_assert(!done.restart && !done.credentials);
    ck_assert_str_eq(config_origin(&config, "Trust", "Certificate") + strlen(dir),
                     "/agent.conf.d/renewed.conf:2: [Trust] Certificate=");
    put("renewed.pem", "device-rsa.pem"); /* of which the key is another */
    check_refused("agent.conf:12: [Trust] Key=", "");
    end();
}
END_TEST

START_TEST(another_level) {
    begin("");
    write_config("[Log]\nLevel=debug\n");
    LOG_OF(reload_done(), "<5>reload: in force from now on: [Log] Level=\n");
    ck_assert(!done.restart && !done.credentials && done.log_level);
    ck_assert_int_eq(log_get_level(), LOG_DEBUG);
    ck_assert_int_eq(config.log_level, LOG_DEBUG);
    log_set_level(LOG_WARNING); /* by the bus: stays where the file says what it said before */
    reload_done();
    ck_assert(!done.log_level);
    ck_assert_int_eq(log_get_level(), LOG_WARNING);
    end();
}
END_TEST

/* What runs goes on with what it has, until it has made way for the other configuration. */
START_TEST(another_hems) {
    static Config before;

    begin("");
    before = config;
    write_config("[Log]\nLevel=debug\n[Initial]\nHeMS=hems0.operator.example\n[Identity]\nOperator=Tel\n");
    LOG_OF(reload_done(), "<5>reload: what runs cannot take another [Identity] Operator=, [Initial] HeMS=: ");
    ck_assert(done.restart && !done.credentials && !done.log_level);
    ck_assert_mem_eq(&before, &config, sizeof config);
    ck_assert_str_eq(next.initial.hems, "https://hems0.operator.example/");
    ck_assert_int_eq(log_get_level(), LOG_INFO);
    end();
}
END_TEST

START_TEST(what_cannot_be_used) {
    begin("");
    write_config("[IPsec]\nPFS=perhaps\n");
    check_refused("agent.conf:14: [IPsec] PFS=: not one of prefer, yes, no", "");
    write_config("[Log]\nLevel=debug\n[Network]\nInterfaceId=0\n");
    check_refused("agent.conf:16: [Network] InterfaceId=: ", "");
    ck_assert_int_eq(log_get_level(), LOG_INFO);
    write_config("[Log]\nLevel=debug\n");
    put("henb.pem", "device-rsa.pem");
    check_refused("agent.conf:12: [Trust] Key=", "");
    ck_assert_int_eq(log_get_level(), LOG_INFO);
    /* A new beginning would not come far either. */
    write_config("[IPsec]\nPFS=no\n");
    check_refused("agent.conf:12: [Trust] Key=", "");
    put("henb.pem", "ca.key.pem");
    check_refused("agent.conf:11: [Trust] Certificate=", "");
    put("henb.pem", "device-ecdsa.pem");
    reload_done();
    ck_assert(done.restart);
    end();
}
END_TEST

SUITE("reload", nothing_has_changed, another_certificate, other_roots_and_lists, list_that_cannot_be_read,
      another_path, another_level, another_hems, what_cannot_be_used)
