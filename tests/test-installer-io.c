/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The installer and the reboot against a systemd1 and a login1 of the test's own, on a private bus. */
#include <check.h>
#include <stdio.h>
#include <sys/stat.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "installer-io.h"
#include "login-io.h"
#include "private-bus.h"
#include "suite.h"

#define ID        "0123456789abcdef"
#define UNIT_PATH "/org/freedesktop/systemd1/unit/installer"

static struct {
    PrivateBus daemon;
    sd_event *event;
    sd_bus *bus; /* the fakes' */
    InstallerIo *installer;
    LoginIo *login;
    char results[64];
    const char *state;
    const char *result; /* written when the unit is started; NULL: none */
    bool refuse;
    unsigned starts, reboots, looks;
    int fault;
    bool told;
    char text[512];
} w;

static void write_result(const char *text) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s.result", w.results, ID);
    FILE *f = fopen(path, "we");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
}

static int on_start(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    const char *unit, *mode;
    ck_assert_int_ge(sd_bus_message_read(m, "ss", &unit, &mode), 0);
    ck_assert_str_eq(unit, "henb-install@" ID ".service");
    ck_assert_str_eq(mode, "fail");
    if (w.refuse)
        return sd_bus_error_set(error, "org.freedesktop.DBus.Error.AccessDenied", "Permission denied");
    w.starts++;
    if (w.result)
        write_result(w.result);
    return sd_bus_reply_method_return(m, "o", "/org/freedesktop/systemd1/job/1");
}

static int on_load(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    w.looks++;
    return sd_bus_reply_method_return(m, "o", UNIT_PATH);
}

static int get_state(sd_bus *bus, const char *path, const char *interface, const char *name,
                     sd_bus_message *m, void *userdata, sd_bus_error *error) {
    return sd_bus_message_append(m, "s", w.state);
}

static int on_reboot(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    int interactive;
    ck_assert_int_ge(sd_bus_message_read(m, "b", &interactive), 0);
    ck_assert_int_eq(interactive, 0);
    if (w.refuse)
        return sd_bus_error_set(error, "org.freedesktop.DBus.Error.AccessDenied", "Permission denied");
    w.reboots++;
    return sd_bus_reply_method_return(m, "");
}

static const sd_bus_vtable manager[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("StartUnit", "ss", "o", on_start, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("LoadUnit", "s", "o", on_load, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_VTABLE_END,
};
static const sd_bus_vtable unit[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_PROPERTY("ActiveState", "s", get_state, 0, 0),
    SD_BUS_VTABLE_END,
};
static const sd_bus_vtable login_manager[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("Reboot", "b", "", on_reboot, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_VTABLE_END,
};

static void start(void) {
    memset(&w, 0, sizeof w);
    private_bus_start(&w.daemon, NULL);
    w.state = "inactive";
    strcpy(w.results, "/tmp/henb-install-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(w.results));
    ck_assert_int_ge(sd_event_new(&w.event), 0);
    ck_assert_int_ge(sd_bus_open_system(&w.bus), 0);
    ck_assert_int_ge(sd_bus_attach_event(w.bus, w.event, 0), 0);
    ck_assert_int_ge(sd_bus_add_object_vtable(w.bus, NULL, "/org/freedesktop/systemd1",
                                              "org.freedesktop.systemd1.Manager", manager, NULL),
                     0);
    ck_assert_int_ge(
        sd_bus_add_object_vtable(w.bus, NULL, UNIT_PATH, "org.freedesktop.systemd1.Unit", unit, NULL), 0);
    ck_assert_int_ge(sd_bus_add_object_vtable(w.bus, NULL, "/org/freedesktop/login1",
                                              "org.freedesktop.login1.Manager", login_manager, NULL),
                     0);
    ck_assert_int_ge(sd_bus_request_name(w.bus, "org.freedesktop.systemd1", 0), 0);
    ck_assert_int_ge(sd_bus_request_name(w.bus, "org.freedesktop.login1", 0), 0);
    InstallerIoConfig config = {.event = w.event,
                                .results = w.results,
                                .poll = 10 * USEC_PER_MSEC,
                                .reboot_wait = 500 * USEC_PER_MSEC};
    ck_assert_int_eq(installer_io_new(&w.installer, &config), 0);
    ck_assert_int_eq(login_io_new(&w.login, w.event), 0);
}

static void stop(void) {
    char path[128];
    installer_io_free(w.installer);
    login_io_free(w.login);
    sd_bus_close_unref(w.bus);
    sd_event_unref(w.event);
    snprintf(path, sizeof path, "%s/%s.result", w.results, ID);
    unlink(path);
    ck_assert_int_eq(rmdir(w.results), 0);
    private_bus_stop(&w.daemon);
}

static void on_told(void *userdata, const char *id, int fault, const char *text) {
    ck_assert_str_eq(id, ID);
    ck_assert(!w.told);
    w.told = true;
    w.fault = fault;
    snprintf(w.text, sizeof w.text, "%s", text);
}

static void run(unsigned msec) {
    uint64_t now, end;
    ck_assert_int_ge(sd_event_now(w.event, CLOCK_BOOTTIME, &end), 0);
    end += msec * USEC_PER_MSEC;
    do {
        ck_assert_int_ge(sd_event_run(w.event, 5 * USEC_PER_MSEC), 0);
        ck_assert_int_ge(sd_event_now(w.event, CLOCK_BOOTTIME, &now), 0);
    } while (now < end && !w.told);
}

static void install(bool again, bool rebooted) {
    w.told = false;
    ck_assert_int_eq(installer_io_start(w.installer, ID, again, rebooted, on_told, NULL), 0);
    ck_assert_int_eq(installer_io_start(w.installer, ID, again, rebooted, on_told, NULL), -EBUSY);
}

static void install_and_wait(void) {
    install(false, false);
    run(5000);
    ck_assert(w.told);
}

START_TEST(result_is_read) {
    static const struct {
        const char *result;
        int fault;
        const char *text;
    } rows[] = {
        {"0\n", 0, ""},
        {"9019 The signature is not ours\n", 9019, "The signature is not ours"},
        {"9018", 9018, ""},
        {"0 rebooted into slot B\nmore\n", 0, "rebooted into slot B"},
        {"9020 no\n", 9010, "The installer's result cannot be read"},
        {"ok\n", 9010, "The installer's result cannot be read"},
        {"", 9010, "The installer's result cannot be read"},
        {NULL, 9010, "The installer ended without a result"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        start();
        w.result = rows[i].result;
        install_and_wait();
        ck_assert_int_eq(w.fault, rows[i].fault);
        ck_assert_str_eq(w.text, rows[i].text);
        ck_assert_uint_eq(w.starts, 1);
        stop();
    }
}
END_TEST

START_TEST(waits_while_it_runs) {
    start();
    w.state = "activating";
    install(false, false);
    run(200);
    ck_assert(!w.told);
    ck_assert_uint_gt(w.looks, 2);
    write_result("0\n");
    w.state = "inactive";
    run(5000);
    ck_assert(w.told);
    ck_assert_int_eq(w.fault, 0);
    stop();
}
END_TEST

START_TEST(fails_and_is_refused) {
    start();
    w.state = "failed";
    install_and_wait();
    ck_assert_int_eq(w.fault, 9010);
    ck_assert_str_eq(w.text, "The installer failed without a result");
    w.refuse = true;
    install_and_wait();
    ck_assert_int_eq(w.fault, 9010);
    ck_assert_str_eq(w.text, "The installer cannot be started: Permission denied");
    stop();
}
END_TEST

START_TEST(expectation_36_result_after_a_reboot) {
    start();
    install(true, true); /* the new system is still being judged */
    run(100);
    ck_assert(!w.told);
    write_result("0\n");
    run(5000);
    ck_assert(w.told);
    ck_assert_int_eq(w.fault, 0);
    ck_assert_uint_eq(w.starts, 0); /* it is not installed again */
    stop();
    start();
    install(true, true);
    run(5000);
    ck_assert(w.told);
    ck_assert_int_eq(w.fault, 9010);
    stop();
}
END_TEST

static void on_refused(void *userdata, const char *text) {
    w.told = true;
    snprintf(w.text, sizeof w.text, "%s", text);
}

START_TEST(expectation_37_reboot_by_login1) {
    start();
    ck_assert_int_eq(login_io_reboot(w.login, on_refused, NULL), 0);
    run(200);
    ck_assert_uint_eq(w.reboots, 1);
    ck_assert(!w.told);
    ck_assert_int_eq(login_io_reboot(w.login, on_refused, NULL), -EALREADY);
    stop();
}
END_TEST

START_TEST(refusal_has_a_name) {
    start();
    w.refuse = true;
    for (int i = 0; i < 2; i++) {
        w.told = false;
        ck_assert_int_eq(login_io_reboot(w.login, on_refused, NULL), 0);
        run(2000);
        ck_assert(w.told);
        ck_assert_str_eq(w.text, "Permission denied (org.freedesktop.DBus.Error.AccessDenied)");
    }
    stop();
}
END_TEST

SUITE("installer-io", result_is_read, waits_while_it_runs, fails_and_is_refused,
      expectation_36_result_after_a_reboot, expectation_37_reboot_by_login1, refusal_has_a_name)
