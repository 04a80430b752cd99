/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See installer-io.h. The result is looked for every few seconds: it is there soon after the unit has ended,
 * and whether the unit still runs is asked each time, so no signal that may be missed is waited for. */
#include "installer-io.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "base/log.h"
#include "cwmp/fault.h"
#include "cwmp/transfer-record.h"

#define SYSTEMD_NAME    "org.freedesktop.systemd1"
#define SYSTEMD_PATH    "/org/freedesktop/systemd1"
#define SYSTEMD_MANAGER SYSTEMD_NAME ".Manager"
#define SYSTEMD_UNIT    SYSTEMD_NAME ".Unit"

struct InstallerIo {
    InstallerIoConfig config;
    sd_bus *bus;
    sd_bus_slot *call;
    sd_event_source *timer;
    char id[TRANSFER_ID_BYTES]; /* "": none runs */
    usec_t started;
    bool rebooted;
    InstallerIoHandler handler;
    void *userdata;
};

int installer_io_new(InstallerIo **ret, const InstallerIoConfig *config) {
    InstallerIo *i = calloc(1, sizeof *i);

    if (!i)
        return -ENOMEM;
    i->config = *config;
    i->config.event = sd_event_ref(config->event);
    i->config.results = config->results ?: INSTALLER_RESULTS;
    i->config.poll = config->poll ?: INSTALLER_POLL;
    i->config.reboot_wait = config->reboot_wait ?: INSTALLER_REBOOT_WAIT;
    *ret = i;
    return 0;
}

static void forget(InstallerIo *i) {
    i->id[0] = 0;
    i->timer = sd_event_source_disable_unref(i->timer);
    i->call = sd_bus_slot_unref(i->call);
    i->bus = sd_bus_close_unref(i->bus);
}

void installer_io_free(InstallerIo *i) {
    if (!i)
        return;
    forget(i);
    sd_event_unref(i->config.event);
    free(i);
}

static void finish(InstallerIo *i, int fault, const char *text) {
    char id[TRANSFER_ID_BYTES], line[ERROR_MAX_BYTES];

    strcpy(id, i->id);
    snprintf(line, sizeof line, "%s", text);
    forget(i);
    i->handler(i->userdata, id, fault, line);
}

static usec_t now(const InstallerIo *i) {
    uint64_t usec = 0;
    (void)sd_event_now(i->config.event, CLOCK_BOOTTIME, &usec);
    return usec;
}

/* "0", or a fault of TransferComplete, a space and words. Anything else is an installer's mistake. */
static int read_result(const InstallerIo *i, int *ret_fault, char *text, size_t size) {
    char path[PATH_MAX], line[INSTALLER_RESULT_MAX], *end;

    int n = snprintf(path, sizeof path, "%s/%s.result", i->config.results, i->id);
    if (n < 0 || (size_t)n >= sizeof path)
        return -ENAMETOOLONG;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    ssize_t got = read(fd, line, sizeof line - 1);
    close(fd);
    if (got < 0)
        return -EIO;
    line[got] = 0;
    line[strcspn(line, "\r\n")] = 0;
    long fault = strtol(line, &end, 10);
    if (end == line || (*end && *end != ' ') ||
        (fault != 0 && (fault < FAULT_METHOD_NOT_SUPPORTED + 1 || fault > FAULT_FILE_AUTHENTICATION))) {
        *ret_fault = FAULT_TRANSFER_FAILED;
        snprintf(text, size, "The installer's result cannot be read");
        return 0;
    }
    *ret_fault = (int)fault;
    snprintf(text, size, "%s", *end ? end + 1 : "");
    return 0;
}

static int wait_more(InstallerIo *i);

static int connect_bus(InstallerIo *i) {
    if (i->bus)
        return 0;
    int r = sd_bus_open_system_with_description(&i->bus, "installer");
    if (r < 0)
        return r;
    r = sd_bus_attach_event(i->bus, i->config.event, 0);
    if (r < 0)
        i->bus = sd_bus_close_unref(i->bus);
    return r;
}

static int unit_name(const InstallerIo *i, char *ret, size_t size) {
    return snprintf(ret, size, "henb-install@%s.service", i->id);
}

/* It has ended, or nobody knows it, and there is no result. After a reboot it may be started by the box
 * itself, when it finds the new system good. */
static void without_result(InstallerIo *i, const char *text) {
    if (i->rebooted && now(i) - i->started < i->config.reboot_wait) {
        if (wait_more(i) < 0)
            finish(i, FAULT_INTERNAL_ERROR, "Out of memory");
        return;
    }
    finish(i, FAULT_TRANSFER_FAILED, text);
}

/* "failed" with its reason; "inactive": it ended well or was never started. */
static int on_state(sd_bus_message *m, void *userdata, sd_bus_error *ret) {
    InstallerIo *i = userdata;
    const sd_bus_error *error = sd_bus_message_get_error(m);
    char text[ERROR_MAX_BYTES];
    const char *state = "";
    int fault;

    i->call = sd_bus_slot_unref(i->call);
    if (error) {
        log_warning("the installer's state: %s", error->message ?: error->name);
        if (wait_more(i) < 0)
            finish(i, FAULT_INTERNAL_ERROR, "Out of memory");
        return 0;
    }
    if (sd_bus_message_read(m, "v", "s", &state) < 0)
        state = "";
    if (streq(state, "active") || streq(state, "activating") || streq(state, "deactivating") ||
        streq(state, "reloading")) {
        if (wait_more(i) < 0)
            finish(i, FAULT_INTERNAL_ERROR, "Out of memory");
        return 0;
    }
    /* The result may have been written between the last look and its end. */
    if (read_result(i, &fault, text, sizeof text) == 0)
        finish(i, fault, text);
    else if (streq(state, "failed"))
        without_result(i, "The installer failed without a result");
    else
        without_result(i, "The installer ended without a result");
    return 0;
}

static int ask_state(InstallerIo *i, const char *path) {
    return sd_bus_call_method_async(i->bus, &i->call, SYSTEMD_NAME, path, "org.freedesktop.DBus.Properties",
                                    "Get", on_state, i, "ss", SYSTEMD_UNIT, "ActiveState");
}

static int on_unit(sd_bus_message *m, void *userdata, sd_bus_error *ret) {
    InstallerIo *i = userdata;
    const sd_bus_error *error = sd_bus_message_get_error(m);
    const char *path = NULL;

    i->call = sd_bus_slot_unref(i->call);
    if (error || sd_bus_message_read(m, "o", &path) < 0 || ask_state(i, path) < 0) {
        if (wait_more(i) < 0)
            finish(i, FAULT_INTERNAL_ERROR, "Out of memory");
    }
    return 0;
}

/* LoadUnit, unlike GetUnit, also knows a unit that has ended well and was dropped from memory. */
static void look(InstallerIo *i) {
    char text[ERROR_MAX_BYTES], unit[64];
    int fault;

    int r = read_result(i, &fault, text, sizeof text);
    if (r == 0) {
        finish(i, fault, text);
        return;
    }
    if (r != -ENOENT)
        log_warning("the installer's result: %s", strerror(-r));
    unit_name(i, unit, sizeof unit);
    r = connect_bus(i);
    if (r >= 0)
        r = sd_bus_call_method_async(i->bus, &i->call, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER,
                                     "LoadUnit", on_unit, i, "s", unit);
    if (r < 0 && wait_more(i) < 0)
        finish(i, FAULT_INTERNAL_ERROR, "Out of memory");
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
    InstallerIo *i = userdata;
    i->timer = sd_event_source_disable_unref(i->timer);
    look(i);
    return 0;
}

static int wait_more(InstallerIo *i) {
    i->timer = sd_event_source_disable_unref(i->timer);
    return sd_event_add_time_relative(i->config.event, &i->timer, CLOCK_BOOTTIME, i->config.poll, 0, on_timer,
                                      i);
}

static int on_started(sd_bus_message *m, void *userdata, sd_bus_error *ret) {
    InstallerIo *i = userdata;
    const sd_bus_error *error = sd_bus_message_get_error(m);
    char text[ERROR_MAX_BYTES];

    i->call = sd_bus_slot_unref(i->call);
    if (error) {
        snprintf(text, sizeof text, "The installer cannot be started: %s", error->message ?: error->name);
        finish(i, FAULT_TRANSFER_FAILED, text);
    } else if (wait_more(i) < 0) {
        finish(i, FAULT_INTERNAL_ERROR, "Out of memory");
    }
    return 0;
}

/* No bus, no installer. */
static int on_unreachable(sd_event_source *source, uint64_t usec, void *userdata) {
    finish(userdata, FAULT_TRANSFER_FAILED, "The installer cannot be started: no system bus");
    return 0;
}

int installer_io_start(InstallerIo *i, const char *id, bool again, bool rebooted, InstallerIoHandler handler,
                       void *userdata) {
    char unit[64];

    if (!transfer_id_is_valid(id))
        return -EINVAL;
    if (i->id[0])
        return -EBUSY;
    strcpy(i->id, id);
    i->handler = handler;
    i->userdata = userdata;
    i->rebooted = rebooted;
    i->started = now(i);
    int r = connect_bus(i);
    if (again) {
        r = wait_more(i);
    } else if (r >= 0) {
        unit_name(i, unit, sizeof unit);
        r = sd_bus_call_method_async(i->bus, &i->call, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER,
                                     "StartUnit", on_started, i, "ss", unit, "fail");
    } else {
        r = sd_event_add_time_relative(i->config.event, &i->timer, CLOCK_BOOTTIME, 0, 0, on_unreachable, i);
    }
    if (r < 0)
        forget(i);
    return r < 0 ? r : 0;
}
