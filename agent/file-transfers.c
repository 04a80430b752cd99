/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See file-transfers.h. */
#include "file-transfers.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "clock.h"
#include "cwmp/fault.h"
#include "cwmp/session.h"
#include "cwmp/transfer-fault.h"
#include "file-line.h"
#include "installer-io.h"
#include "vendor-file-io.h"

#define BOOT_ID "/proc/sys/kernel/random/boot_id"
#define POLICY  "Device.ManagementServer.AutonomousTransferCompletePolicy."

struct FileTransfers {
    FileTransfersConfig config;
    char directory[PATH_MAX];
    Transfers *transfers;
    sd_event_source *timer;
    bool started, running;
    Spool *spool; /* NULL: it could not be opened yet, nor then *io* */
    TransferIo *io;
    FileLine *in, *out;
    InstallerIo *installer;
    VendorFile *made; /* for *out*, which is held */
    uint64_t announced[SESSION_REQUESTS_MAX];
    size_t n_announced;
};

static void run(FileTransfers *files);

/* The store --------------------------------------------------------------------------------------- */

static int on_save(void *userdata, const char *key, const char *value) {
    FileTransfers *files = userdata;
    return store_commit(files->config.store, &(StoreChange){STORE_TRANSFER, key, value}, 1);
}

typedef struct Unreadable {
    Transfers *transfers;
    size_t n;
    char keys[RPC_QUEUED_MAX][TRANSFER_ID_BYTES];
} Unreadable;

static int on_stored(void *userdata, const char *key, const char *value) {
    Unreadable *u = userdata;
    int r = transfers_load(u->transfers, key, value);

    if (r == -EINVAL) {
        log_warning("store: the transfer \"%s\" cannot be taken up again", key);
        if (u->n < ARRAY_SIZE(u->keys) && strlen(key) < TRANSFER_ID_BYTES)
            strcpy(u->keys[u->n++], key);
        return 0;
    }
    return r;
}

static int load(FileTransfers *files) {
    Unreadable unreadable = {.transfers = files->transfers};
    int r = store_load(files->config.store, STORE_TRANSFER, on_stored, &unreadable);

    for (size_t i = 0; i < unreadable.n; i++)
        (void)on_save(files, unreadable.keys[i], NULL);
    return r;
}

static void on_raise(void *userdata, TransferKind kind, const char *command_key) {
    static const EventType types[TRANSFER_KINDS_] = {
        [TRANSFER_DOWNLOAD] = EVENT_M_DOWNLOAD,
        [TRANSFER_UPLOAD] = EVENT_M_UPLOAD,
        [TRANSFER_SCHEDULED] = EVENT_M_SCHEDULE_DOWNLOAD,
        [TRANSFER_AUTONOMOUS] = EVENT_AUTONOMOUS_TRANSFER,
    };
    FileTransfers *files = userdata;
    files->config.raise(files->config.userdata, types[kind], kind == TRANSFER_AUTONOMOUS ? "" : command_key);
}

/* What is to be done -------------------------------------------------------------------------------- */

/* A disk that could not be written at the start may be there now. */
static int spool_ready(FileTransfers *files) {
    if (files->io)
        return 0;
    int r = files->spool ? 0 : spool_new(&files->spool, files->directory);
    if (r == 0)
        r = transfer_io_new(&files->io, &(TransferIoConfig){.event = files->config.event,
                                                            .spool = files->spool,
                                                            .tls = files->config.tls});
    if (r < 0)
        log_error("%s, where files of the HeMS go: %s", files->directory, strerror(-r));
    return r;
}

static void on_moved(void *userdata, const char *id, int fault, const char *text, uint64_t size) {
    FileTransfers *files = userdata;
    transfers_moved(files->transfers, clock_now(), id, fault, text, size);
    run(files);
}

static void on_installed(void *userdata, const char *id, int fault, const char *text) {
    FileTransfers *files = userdata;

    if (!transfers_knows(files->transfers, id)) /* its HeMS is gone */
        spool_forget(files->spool, id);
    transfers_installed(files->transfers, clock_now(), id, fault, text);
    run(files);
}

static void move_failed(FileTransfers *files, const TransferAction *action, int r) {
    transfers_moved(files->transfers, clock_now(), action->id,
                    transfer_fault_general(action->kind == TRANSFER_FETCH), strerror(-r), 0);
}

static void fetch_file(FileTransfers *files, const TransferAction *action) {
    int r = spool_ready(files);
    if (r < 0)
        move_failed(files, action, r);
    else
        file_line_start(files->in, files->io, action, false);
}

static void on_made(void *userdata, int error) {
    FileTransfers *files = userdata;

    vendor_file_free(TAKE_PTR(files->made));
    file_line_release(files->out, error);
}

static void send_file(FileTransfers *files, const TransferAction *action) {
    int r = spool_ready(files);
    if (r == 0 && !spool_has(files->spool, action->id))
        r = action->transfer == TRANSFER_AUTONOMOUS
                ? -ENOENT
                : vendor_file_new(&files->made, files->config.event, files->spool, action->id,
                                  action->file_type, device_model(files->config.device), on_made, files);
    if (r < 0)
        move_failed(files, action, r);
    else
        file_line_start(files->out, files->io, action, files->made);
}

static void install(FileTransfers *files, const TransferAction *action) {
    int r = spool_ready(files);
    if (r == 0 && !action->again)
        r = spool_describe(files->spool, action->id, action->file_type, action->target);
    if (r == 0)
        r = installer_io_start(files->installer, action->id, action->again, action->rebooted, on_installed,
                               files);
    if (r < 0)
        transfers_installed(files->transfers, clock_now(), action->id, FAULT_TRANSFER_FAILED,
                            r == -EBUSY ? "Another file is still being installed" : strerror(-r));
}

static void stop(FileTransfers *files, const char *id) {
    if (file_line_has(files->out, id))
        vendor_file_free(TAKE_PTR(files->made));
    file_line_stop(files->out, id);
    file_line_stop(files->in, id);
}

static void perform(FileTransfers *files, const TransferAction *action) {
    switch (action->kind) {
    case TRANSFER_STOP:
        stop(files, action->id);
        break;
    case TRANSFER_FETCH:
        fetch_file(files, action);
        break;
    case TRANSFER_SEND:
        send_file(files, action);
        break;
    case TRANSFER_INSTALL:
        install(files, action);
        break;
    case TRANSFER_FORGET:
        if (files->spool)
            spool_forget(files->spool, action->id);
        break;
    }
}

/* After each call of the engine. What is done at once comes back here, and finds it running. */
static void run(FileTransfers *files) {
    TransferAction action;

    if (files->running || !files->started)
        return;
    files->running = true;
    while (transfers_next(files->transfers, &action))
        perform(files, &action);
    files->running = false;
    timer_set(files->timer, transfers_deadline(files->transfers));
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
    FileTransfers *files = userdata;
    transfers_tick(files->transfers, clock_now());
    run(files);
    return 0;
}

/* Its owner ---------------------------------------------------------------------------------------- */

static int boot_id_read(char ret[static TRANSFER_BOOT_ID_BYTES]) {
    int fd = open(BOOT_ID, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    ssize_t n = read(fd, ret, TRANSFER_BOOT_ID_BYTES - 1);
    close(fd);
    if (n < 0)
        return -EIO;
    ret[n] = 0;
    ret[strcspn(ret, "\n")] = 0;
    return 0;
}

static int transfers_open(FileTransfers *files) {
    char boot_id[TRANSFER_BOOT_ID_BYTES];

    int r = boot_id_read(boot_id);
    if (r == 0)
        r = transfers_new(&files->transfers, &(TransfersConfig){.rng = files->config.rng,
                                                                .boot_id = boot_id,
                                                                .clock_trusted = files->config.clock_trusted,
                                                                .save = on_save,
                                                                .raise = on_raise,
                                                                .userdata = files});
    return r < 0 ? r : load(files);
}

static int lines_open(FileTransfers *files) {
    const FileTransfersConfig *c = &files->config;
    const FileLineConfig line = {.event = c->event,
                                 .factory = c->factory,
                                 .inside = c->inside,
                                 .barred = c->barred,
                                 .barred_userdata = c->userdata,
                                 .moved = on_moved,
                                 .userdata = files};

    int r = file_line_new(&files->in, &line);
    if (r == 0)
        r = file_line_new(&files->out, &line);
    if (r == 0)
        r = installer_io_new(&files->installer,
                             &(InstallerIoConfig){.event = c->event, .results = c->results, .poll = c->poll});
    if (r == 0)
        r = sd_event_add_time(c->event, &files->timer, CLOCK_BOOTTIME, UINT64_MAX, 1, on_timer, files);
    return r < 0 ? r : 0;
}

int file_transfers_new(FileTransfers **ret, const FileTransfersConfig *config) {
    _cleanup_(file_transfers_freep) FileTransfers *files = calloc(1, sizeof *files);

    if (!files)
        return -ENOMEM;
    files->config = *config;
    snprintf(files->directory, sizeof files->directory, "%s/spool", config->state_directory);
    int r = lines_open(files);
    if (r == 0)
        r = transfers_open(files);
    if (r == 0)
        *ret = TAKE_PTR(files);
    return r;
}

void file_transfers_free(FileTransfers *files) {
    if (!files)
        return;
    sd_event_source_disable_unref(files->timer);
    vendor_file_free(files->made);
    file_line_free(files->in);
    file_line_free(files->out);
    installer_io_free(files->installer);
    transfer_io_free(files->io);
    spool_free(files->spool);
    transfers_free(files->transfers);
    free(files);
}

static bool knows(void *userdata, const char *id) {
    return transfers_knows(userdata, id);
}

void file_transfers_start(FileTransfers *files) {
    files->started = true;
    if (spool_ready(files) == 0)
        spool_sweep(files->spool, knows, files->transfers);
    file_transfers_policy(files);
    transfers_start(files->transfers, clock_now());
    run(files);
}

/* Methods and sessions ----------------------------------------------------------------------------- */

int file_transfers_download(FileTransfers *files, const RpcDownload *download, const char **ret_text) {
    int r = transfers_download(files->transfers, clock_now(), download, ret_text);
    run(files);
    return r;
}

int file_transfers_upload(FileTransfers *files, const RpcUpload *upload, const char **ret_text) {
    int r = transfers_upload(files->transfers, clock_now(), upload, ret_text);
    run(files);
    return r;
}

int file_transfers_schedule(FileTransfers *files, const RpcScheduleDownload *download,
                            const char **ret_text) {
    int r = transfers_schedule_download(files->transfers, clock_now(), download, ret_text);
    run(files);
    return r;
}

int file_transfers_cancel(FileTransfers *files, const char *command_key, const char **ret_text) {
    int r = transfers_cancel(files->transfers, clock_now(), command_key, ret_text);
    run(files);
    return r;
}

int file_transfers_visit(const FileTransfers *files, RpcTransferVisitor visitor, void *userdata) {
    return transfers_visit(files->transfers, visitor, userdata);
}

static int write_file(Spool *spool, const char *id, const char *data, size_t size) {
    int fd, r = spool_create(spool, id, &fd);

    if (r < 0)
        return r;
    for (size_t done = 0; done < size;) {
        ssize_t n = write(fd, data + done, size - done);
        if (n < 0 && errno != EINTR) {
            r = -errno;
            spool_abandon(spool, id, fd);
            return r;
        }
        done += n > 0 ? (size_t)n : 0;
    }
    return spool_commit(spool, id, fd);
}

int file_transfers_autonomous(FileTransfers *files, const RpcUpload *upload, const char *name,
                              const char *data, size_t size) {
    char id[TRANSFER_ID_BYTES];

    int r = spool_ready(files);
    if (r == 0)
        r = transfers_autonomous(files->transfers, clock_now(), upload, name, id);
    if (r != 0)
        return r;
    r = write_file(files->spool, id, data, size);
    if (r < 0) /* and there is nothing to send: it fails */
        log_error("%s cannot be written: %s", name, strerror(-r));
    run(files);
    return 0;
}

unsigned file_transfers_announce(FileTransfers *files, bool outside) {
    SessionRequest reports[SESSION_REQUESTS_MAX];
    unsigned events = 0;

    transfers_side(files->transfers, outside);
    files->n_announced = transfers_reports(files->transfers, reports, ARRAY_SIZE(reports));
    for (size_t i = 0; i < files->n_announced; i++) {
        files->announced[i] = reports[i].id;
        events |= 1u << (reports[i].kind == SESSION_REQUEST_TRANSFER_COMPLETE ? EVENT_TRANSFER_COMPLETE
                                                                              : EVENT_AUTONOMOUS_TRANSFER);
    }
    return events;
}

static bool is_announced(const FileTransfers *files, uint64_t id) {
    for (size_t i = 0; i < files->n_announced; i++)
        if (files->announced[i] == id)
            return true;
    return false;
}

size_t file_transfers_reports(const FileTransfers *files, SessionRequest *ret, size_t max) {
    SessionRequest reports[SESSION_REQUESTS_MAX];
    size_t n = 0, n_reports = transfers_reports(files->transfers, reports, ARRAY_SIZE(reports));

    /* What is complete since then has an event of its own, which this session's Inform has not. */
    for (size_t i = 0; i < n_reports && n < max; i++)
        if (is_announced(files, reports[i].id))
            ret[n++] = reports[i];
    return n;
}

void file_transfers_answered(FileTransfers *files, const SessionAnswer *answer) {
    if (answer->kind != SESSION_REQUEST_TRANSFER_COMPLETE &&
        answer->kind != SESSION_REQUEST_AUTONOMOUS_TRANSFER_COMPLETE)
        return;
    transfers_answered(files->transfers, clock_now(), answer);
    run(files);
}

void file_transfers_inside(FileTransfers *files) {
    if (files->config.inside->addresses.n > 0) /* and beside it, too */
        file_transfers_outside(files);
    file_line_inside(files->in);
    file_line_inside(files->out);
}

void file_transfers_outside(FileTransfers *files) {
    file_line_outside(files->in);
    file_line_outside(files->out);
}

void file_transfers_clock(FileTransfers *files, bool trusted) {
    transfers_clock(files->transfers, trusted, clock_now());
    run(files);
}

void file_transfers_policy(FileTransfers *files) {
    const Model *model = device_model(files->config.device);
    const char *types = model_get(model, POLICY "TransferTypeFilter");
    const char *results = model_get(model, POLICY "ResultTypeFilter");
    const TransferPolicy policy = {
        .enable = model_get_boolean(model, POLICY "Enable"),
        .uploads = !streq(types, "Download"),
        .successes = !streq(results, "Failure"),
        .failures = !streq(results, "Success"),
        .file_types = model_get(model, POLICY "FileTypeFilter"),
    };
    if (transfers_set_policy(files->transfers, &policy) < 0)
        log_warning("which transfers of its own the box reports stays as it was: out of memory");
}

void file_transfers_reset(FileTransfers *files) {
    transfers_reset(files->transfers, clock_now());
    files->n_announced = 0;
    run(files);
}
