/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Transfers from the request to the report, with a store, a spool, a file server (tests/transfer-server.py),
 * and a systemd1 of the test's own that installs. The tunnel is the loopback interface. */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <systemd/sd-bus.h>

#include "base/log.h"
#include "cwmp/session.h"
#include "file-transfers.h"
#include "measurements.h"
#include "private-bus.h"
#include "suite.h"
#include "transfer-server.h"

#define FIRMWARE "1 Firmware Upgrade Image"
#define BARRED   "127.0.0.9"

static struct {
    PrivateBus daemon;
    sd_event *event;
    sd_bus *bus; /* systemd1's */
    char state[64], results[80];
    const char *result; /* of the installer */
    unsigned port, installed, raised[EVENT_TYPES_];
    uint64_t drawn;
    Config factory;
    IkeConfiguration inside;
    Store *store;
    Device *device;
    FileTransfers *files;
} w;

static void fill(void *userdata, void *ret, size_t size) {
    w.drawn++;
    memset(ret, 0, size);
    memcpy(ret, &w.drawn, size < sizeof w.drawn ? size : sizeof w.drawn);
}

static const Rng rng = {.fill = fill};

/* The installer: StartUnit writes the result, unless there is none. */
static int on_unit(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    const char *unit, *mode;
    char path[160];

    ck_assert_int_ge(sd_bus_message_read(m, "ss", &unit, &mode), 0);
    ck_assert_int_eq(sscanf(unit, "henb-install@%16s", path), 1);
    w.installed++;
    snprintf(path, sizeof path, "%s/%.16s.result", w.results, unit + strlen("henb-install@"));
    FILE *f = fopen(path, "we");
    ck_assert_ptr_nonnull(f);
    fputs(w.result, f);
    fclose(f);
    return sd_bus_reply_method_return(m, "o", "/org/freedesktop/systemd1/job/1");
}

static const sd_bus_vtable manager[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("StartUnit", "ss", "o", on_unit, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_VTABLE_END,
};

static void start_installer(void) {
    private_bus_start(&w.daemon, NULL);
    ck_assert_int_ge(sd_bus_open_system(&w.bus), 0);
    ck_assert_int_ge(sd_bus_attach_event(w.bus, w.event, 0), 0);
    ck_assert_int_ge(sd_bus_add_object_vtable(w.bus, NULL, "/org/freedesktop/systemd1",
                                              "org.freedesktop.systemd1.Manager", manager, NULL),
                     0);
    ck_assert_int_ge(sd_bus_request_name(w.bus, "org.freedesktop.systemd1", 0), 0);
}

static void on_raise(void *userdata, EventType type, const char *command_key) {
    ck_assert_str_eq(command_key, type == EVENT_AUTONOMOUS_TRANSFER ? "" : "key");
    w.raised[type]++;
}

static bool is_barred(void *userdata, const char *host) {
    return strcmp(host, BARRED) == 0;
}

/* The agent starts. */
static void boot(void) {
    const FileTransfersConfig config = {.event = w.event,
                                        .factory = &w.factory,
                                        .store = w.store,
                                        .device = w.device,
                                        .state_directory = w.state,
                                        .results = w.results,
                                        .poll = 5 * USEC_PER_MSEC,
                                        .inside = &w.inside,
                                        .clock_trusted = true,
                                        .rng = &rng,
                                        .barred = is_barred,
                                        .raise = on_raise};
    file_transfers_free(w.files);
    memset(w.raised, 0, sizeof w.raised);
    ck_assert_int_eq(file_transfers_new(&w.files, &config), 0);
    file_transfers_start(w.files);
}

static void tunnel(bool up) {
    w.inside = (IkeConfiguration){};
    if (up) {
        w.inside.addresses.items[w.inside.addresses.n++] = address("127.0.0.1");
        w.inside.dns = w.inside.addresses;
    }
    if (w.files)
        file_transfers_inside(w.files);
}

static void start(void) {
    char path[128];

    memset(&w, 0, sizeof w);
    log_set_level(LOG_DEBUG);
    w.result = "0\n";
    strcpy(w.factory.tunnel_interface, "lo");
    strcpy(w.factory.oui, "001122");
    strcpy(w.factory.serial_number, "SN1");
    strcpy(w.factory.serving.hems, "http://hems.example/");
    strcpy(w.state, "/tmp/henb-files-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(w.state));
    snprintf(w.results, sizeof w.results, "%s/results", w.state);
    ck_assert_int_eq(mkdir(w.results, 0700), 0);
    ck_assert_int_ge(sd_event_new(&w.event), 0);
    w.port = transfer_server_start();
    start_installer();
    snprintf(path, sizeof path, "%s/state.db", w.state);
    ck_assert_int_eq(store_open(&w.store, path), 0);
    const DeviceConfig device = {
        .factory = &w.factory, .store = w.store, .state_directory = w.state, .rng = &rng};
    ck_assert_int_eq(device_new(&w.device, &device), 0);
    tunnel(true);
    boot();
}

static int on_left(void *userdata, const char *key, const char *value) {
    ck_abort_msg("left in the store: %s", key);
}

/* Nothing is left of any transfer. */
static void stop(void) {
    char path[128];

    ck_assert_int_eq(store_load(w.store, STORE_TRANSFER, on_left, NULL), 0);
    file_transfers_free(w.files);
    device_free(w.device);
    store_close(w.store);
    snprintf(path, sizeof path, "%s/spool", w.state);
    ck_assert_msg(rmdir(path) == 0, "something is left in the spool");
    sd_bus_close_unref(w.bus);
    sd_event_unref(w.event);
    snprintf(path, sizeof path, "rm -r %s", w.state);
    ck_assert_int_eq(system(path), 0);
    private_bus_stop(&w.daemon);
}

static const char *url(const char *path) {
    static char text[64];
    snprintf(text, sizeof text, "http://127.0.0.1:%u/%s", w.port, path);
    return text;
}

static void download_from(const char *where) {
    const RpcDownload d = {.command_key = "key",
                           .file_type = FIRMWARE,
                           .url = where,
                           .username = "",
                           .password = "",
                           .target_file_name = "",
                           .success_url = "",
                           .failure_url = ""};
    const char *text = NULL;
    ck_assert_int_eq(file_transfers_download(w.files, &d, &text), 0);
}

static void turn(void) {
    ck_assert_int_ge(sd_event_run(w.event, 20 * USEC_PER_MSEC), 0);
}

static void wait_raised(EventType type) {
    while (!w.raised[type])
        turn();
    ck_assert_uint_eq(w.raised[type], 1);
}

/* The next session: what it tells is taken; the fault that it told. */
static int session(void) {
    SessionRequest told[SESSION_REQUESTS_MAX];

    ck_assert_uint_eq(file_transfers_announce(w.files, false), 1u << EVENT_TRANSFER_COMPLETE);
    ck_assert_uint_eq(file_transfers_reports(w.files, told, SESSION_REQUESTS_MAX), 1);
    ck_assert_str_eq(told[0].command_key, "key");
    const int fault = told[0].fault;
    file_transfers_answered(w.files, &(SessionAnswer){.kind = told[0].kind, .id = told[0].id});
    ck_assert_uint_eq(file_transfers_announce(w.files, false), 0);
    ck_assert_uint_eq(file_transfers_reports(w.files, told, SESSION_REQUESTS_MAX), 0);
    return fault;
}

static int outcome(EventType type) {
    wait_raised(type);
    return session();
}

/* Bytes of what has come so far. */
static off_t come(void) {
    char path[128];
    struct stat st;
    off_t size = -1;

    snprintf(path, sizeof path, "%s/spool", w.state);
    DIR *spool = opendir(path);
    for (struct dirent *e; spool && (e = readdir(spool));)
        if (strstr(e->d_name, ".part") && fstatat(dirfd(spool), e->d_name, &st, 0) == 0)
            size = st.st_size;
    if (spool)
        closedir(spool);
    return size;
}

START_TEST(expectation_36_download) {
    static const struct {
        const char *result;
        int fault;
    } rows[] = {{"0\n", 0}, {"9019 Not ours\n", 9019}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        start();
        w.result = rows[i].result;
        download_from(url("whole"));
        ck_assert_int_eq(outcome(EVENT_M_DOWNLOAD), rows[i].fault);
        ck_assert_uint_eq(w.installed, 1);
        stop();
    }
}
END_TEST

START_TEST(what_is_complete_later_is_told_later) {
    SessionRequest told[SESSION_REQUESTS_MAX];

    start();
    ck_assert_uint_eq(file_transfers_announce(w.files, false), 0);
    download_from(url("404"));
    wait_raised(EVENT_M_DOWNLOAD); /* another address of the HeMS is tried in this session */
    ck_assert_uint_eq(file_transfers_reports(w.files, told, SESSION_REQUESTS_MAX), 0);
    ck_assert_int_eq(session(), 9016);
    stop();
}
END_TEST

START_TEST(waits_for_the_tunnel) {
    start();
    tunnel(false);
    download_from(url("whole"));
    for (int i = 0; i < 20; i++)
        turn();
    ck_assert_int_eq(come(), -1);
    tunnel(true);
    ck_assert_int_eq(outcome(EVENT_M_DOWNLOAD), 0);
    stop();
}
END_TEST

/* The server breaks off after each 30000 bytes, and then the tunnel goes, too. */
START_TEST(goes_on_when_the_tunnel_is_back) {
    start();
    download_from(url("breaks-0"));
    for (off_t size = 30000; size < 100000; size += 30000) {
        while (come() != size)
            turn();
        tunnel(false);
        tunnel(true);
    }
    ck_assert_int_eq(outcome(EVENT_M_DOWNLOAD), 0);
    stop();
}
END_TEST

START_TEST(expectation_36_restarts) {
    start();
    download_from(url("breaks-0"));
    while (come() != 30000)
        turn();
    boot();
    while (come() != 60000)
        turn();
    boot();
    while (come() != 90000)
        turn();
    boot();
    wait_raised(EVENT_M_DOWNLOAD);
    ck_assert_uint_eq(w.installed, 1);
    boot(); /* before it is told */
    ck_assert_int_eq(outcome(EVENT_M_DOWNLOAD), 0);
    boot();
    ck_assert_uint_eq(file_transfers_announce(w.files, false), 0);
    stop();
}
END_TEST

START_TEST(no_way) {
    start();
    download_from("http://" BARRED "/image"); /* 5.1.4 */
    ck_assert_int_eq(outcome(EVENT_M_DOWNLOAD), 9001);
    w.raised[EVENT_M_DOWNLOAD] = 0;
    download_from("http://[::1]/image"); /* no inner address of that family */
    ck_assert_int_eq(outcome(EVENT_M_DOWNLOAD), 9015);
    stop();
}
END_TEST

START_TEST(uploads) {
    static const char *const types[] = {"1 Vendor Configuration File", "2 Vendor Log File",
                                        "3 Vendor Configuration File 1", "4 Vendor Log File 1"};
    start();
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        const char *text = NULL;
        const RpcUpload u = {
            .command_key = "key", .file_type = types[i], .url = url("it"), .username = "", .password = ""};
        w.raised[EVENT_M_UPLOAD] = 0;
        ck_assert_int_eq(file_transfers_upload(w.files, &u, &text), 0);
        ck_assert_int_eq(outcome(EVENT_M_UPLOAD), 0);
    }
    stop();
}
END_TEST

START_TEST(cancelled) {
    const char *text = NULL;

    start();
    download_from(url("breaks-0"));
    while (come() != 30000)
        turn();
    ck_assert_int_eq(file_transfers_cancel(w.files, "key", &text), 0);
    ck_assert_int_eq(file_transfers_cancel(w.files, "key", &text), 9001);
    download_from(url("breaks-0")); /* the line is free again */
    while (come() != 30000)
        turn();
    file_transfers_reset(w.files);
    ck_assert_int_eq(come(), -1);
    ck_assert_uint_eq(file_transfers_announce(w.files, false), 0);
    stop();
}
END_TEST

static void set(const char *name, const char *value) {
    ModelOutcome outcome;
    ModelFault *faults = NULL;
    size_t n;
    ck_assert_int_eq(
        model_set(device_model(w.device), &(ModelSet){name, value, "string"}, 1, "", &outcome, &faults, &n),
        0);
}

/* What the server has been sent as "pm". */
static void read_sent(char *ret, size_t size) {
    char command[192];
    snprintf(command, sizeof command,
             "python3 -c 'import urllib.request as r; print(r.urlopen(\"%s\").read().decode())'",
             url("stored/pm"));
    FILE *f = popen(command, "r");
    ck_assert_ptr_nonnull(f);
    ret[fread(ret, 1, size - 1, f)] = 0;
    pclose(f);
}

START_TEST(measurements_are_sent) {
    const PmCounter counter = {"RRC", "Cell=1", "RRC.ConnEstabAtt.Sum", NULL, false};
    SessionRequest told[SESSION_REQUESTS_MAX];
    ModelTransaction *add;
    ModelOutcome outcome;
    Measurements *m;
    uint32_t row;
    char text[4096];

    start();
    set("Device.ManagementServer.AutonomousTransferCompletePolicy.Enable", "1");
    set("Device.ManagementServer.AutonomousTransferCompletePolicy.FileTypeFilter", "X 001122 PM");
    file_transfers_policy(w.files);
    const MeasurementsConfig config = {.event = w.event,
                                       .factory = &w.factory,
                                       .device = w.device,
                                       .files = w.files,
                                       .rng = &rng,
                                       .clock_trusted = true};
    ck_assert_int_eq(measurements_new(&m, &config), 0);
    PmCounters *counters = measurements_counters(m);
    ck_assert_int_eq(pm_counters_count(counters, &counter, 100), 0);
    ck_assert_int_eq(model_prepare_add(device_model(w.device), "Device.FAP.PerfMgmt.Config.", "", &add, &row),
                     0);
    ck_assert_int_eq(model_commit(device_model(w.device), add, &outcome), 0);
    set("Device.FAP.PerfMgmt.Config.1.URL", url("pm"));
    set("Device.FAP.PerfMgmt.Config.1.PeriodicUploadInterval", "2");
    measurements_update(m); /* not enabled yet */
    set("Device.FAP.PerfMgmt.Config.1.Enable", "1");
    measurements_update(m);
    ck_assert_int_eq(pm_counters_count(counters, &counter, 142), 0);
    wait_raised(EVENT_AUTONOMOUS_TRANSFER);
    set("Device.FAP.PerfMgmt.Config.1.Enable", "0");
    measurements_update(m);
    ck_assert_uint_eq(file_transfers_announce(w.files, false), 1u << EVENT_AUTONOMOUS_TRANSFER);
    ck_assert_uint_eq(file_transfers_reports(w.files, told, SESSION_REQUESTS_MAX), 1);
    ck_assert_str_eq(told[0].file_type, "X 001122 PM");
    ck_assert_int_eq(told[0].fault, 0);
    ck_assert(strstr(told[0].target_file_name, "_001122-SN1"));
    file_transfers_answered(w.files, &(SessionAnswer){.kind = told[0].kind, .id = told[0].id});
    read_sent(text, sizeof text);
    ck_assert_msg(strstr(text, "<r p=\"1\">42</r>"), "%s", text);
    measurements_free(m);
    stop();
}
END_TEST

START_TEST(no_place_for_files) {
    char path[128];

    start();
    snprintf(path, sizeof path, "%s/spool", w.state);
    ck_assert_int_eq(rmdir(path), 0);
    FILE *f = fopen(path, "we");
    ck_assert_ptr_nonnull(f);
    fclose(f);
    boot(); /* all the same */
    download_from(url("whole"));
    ck_assert_int_eq(outcome(EVENT_M_DOWNLOAD), 9010);
    ck_assert_int_eq(unlink(path), 0);
    w.raised[EVENT_M_DOWNLOAD] = 0;
    download_from(url("whole")); /* the disk is back */
    ck_assert_int_eq(outcome(EVENT_M_DOWNLOAD), 0);
    stop();
}
END_TEST

SUITE("file-transfers", expectation_36_download, what_is_complete_later_is_told_later, waits_for_the_tunnel,
      goes_on_when_the_tunnel_is_back, expectation_36_restarts, no_way, uploads, cancelled,
      measurements_are_sent, no_place_for_files)
