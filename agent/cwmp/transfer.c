/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See transfer.h. */
#include "cwmp/transfer.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "base/url.h"
#include "cwmp/fault.h"
#include "cwmp/value.h"

#define BIT(action) (1u << (action))

struct Transfers {
    TransfersConfig config;
    char boot_id[TRANSFER_BOOT_ID_BYTES];
    TransferPolicy policy;
    char *file_types;
    bool outside;
    Transfer *first; /* in the order of their coming */
};

static const struct {
    const char *name;
    bool numbered; /* "<Instance>" may come after it */
    unsigned kinds;
} file_types[] = {
    {"1 Firmware Upgrade Image", false, BIT(TRANSFER_DOWNLOAD) | BIT(TRANSFER_SCHEDULED)},
    {"3 Vendor Configuration File", false, BIT(TRANSFER_DOWNLOAD) | BIT(TRANSFER_SCHEDULED)},
    {"1 Vendor Configuration File", false, BIT(TRANSFER_UPLOAD)}, /* deprecated, and still asked for */
    {"2 Vendor Log File", false, BIT(TRANSFER_UPLOAD)},
    {"3 Vendor Configuration File", true, BIT(TRANSFER_UPLOAD)},
    {"4 Vendor Log File", true, BIT(TRANSFER_UPLOAD)},
};

static int64_t seconds(const Transfers *ts, Moment now) {
    return ts->config.clock_trusted ? (int64_t)(now.real / USEC_PER_SEC) : RPC_TIME_UNKNOWN;
}

int transfers_new(Transfers **ret, const TransfersConfig *config) {
    Transfers *ts = calloc(1, sizeof *ts);

    if (!ts)
        return -ENOMEM;
    ts->config = *config;
    snprintf(ts->boot_id, sizeof ts->boot_id, "%s", config->boot_id);
    *ret = ts;
    return 0;
}

void transfers_free(Transfers *ts) {
    if (!ts)
        return;
    for (Transfer *t = ts->first, *next; t; t = next) {
        next = t->next;
        transfer_free(t);
    }
    free(ts->file_types);
    free(ts);
}

static void append(Transfers *ts, Transfer *t) {
    Transfer **end = &ts->first;
    while (*end)
        end = &(*end)->next;
    *end = t;
}

static Transfer *find(const Transfers *ts, const char *id) {
    for (Transfer *t = ts->first; t; t = t->next)
        if (t->state != TRANSFER_GONE && streq(t->id, id))
            return t;
    return NULL;
}

bool transfers_knows(const Transfers *ts, const char *id) {
    return find(ts, id);
}

static size_t count(const Transfers *ts, bool autonomous) {
    size_t n = 0;
    for (Transfer *t = ts->first; t; t = t->next)
        n += t->state != TRANSFER_GONE && (t->kind == TRANSFER_AUTONOMOUS) == autonomous;
    return n;
}

static bool is_full(const Transfers *ts, TransferKind kind) {
    return kind == TRANSFER_AUTONOMOUS ? count(ts, true) >= TRANSFERS_AUTONOMOUS_MAX
                                       : count(ts, false) >= TRANSFERS_MAX;
}

static int save(Transfers *ts, Transfer *t) {
    char *text = transfer_encode(t);
    int r = text ? ts->config.save(ts->config.userdata, t->id, text) : -ENOMEM;

    record_free(text);
    t->unsaved = r < 0;
    return r;
}

/* What may not be had any more: files, then the record, and then itself when the actions are told. */
static void discard(Transfers *ts, Transfer *t, unsigned wants, Moment now) {
    t->state = TRANSFER_GONE;
    t->wants = wants;
    transfer_wipe(t);
    t->unsaved = ts->config.save(ts->config.userdata, t->id, NULL) < 0;
    t->due = now.mono + TRANSFER_SAVE_INTERVAL;
}

static bool is_filtered(const Transfers *ts, const Transfer *t) {
    const char *list = ts->file_types, *item;

    if (!ts->policy.enable || !ts->policy.uploads || !(t->fault ? ts->policy.failures : ts->policy.successes))
        return true;
    while (list && *list) {
        size_t n = value_next_item(&list, &item);
        if (n > 0 && strncmp(t->file_type, item, n) == 0 && (t->file_type[n] == 0 || t->file_type[n] == ' '))
            return false;
    }
    return true;
}

/* The one way to an outcome. Only when it is on the disk is anybody told. */
static void finish(Transfers *ts, Transfer *t, int fault, const char *text, Moment now) {
    t->fault = fault;
    snprintf(t->text, sizeof t->text, "%.*s", RPC_FAULT_STRING_MAX,
             fault ? text ?: cwmp_fault_text(fault) : "");
    t->complete_time = seconds(ts, now);
    t->wants = (t->state == TRANSFER_MOVING ? t->wants & BIT(TRANSFER_STOP) : 0) | BIT(TRANSFER_FORGET);
    if (fault)
        log_message(LOG_WARNING, MESSAGE_TRANSFER_FAILED,
                    &(LogFields){.transfer = t->id,
                                 .file_type = t->file_type,
                                 .cwmp_fault = LOG_NUMBER(fault),
                                 .error = t->text},
                    "transfer %s of %s failed: %d %s", t->id, t->file_type, fault, t->text);
    else
        log_message(LOG_INFO, MESSAGE_TRANSFER_DONE,
                    &(LogFields){.transfer = t->id, .file_type = t->file_type},
                    "transfer %s of %s is complete", t->id, t->file_type);
    if (t->kind == TRANSFER_AUTONOMOUS && is_filtered(ts, t)) {
        discard(ts, t, t->wants, now);
        return;
    }
    t->state = TRANSFER_DONE;
    transfer_wipe(t);
    if (save(ts, t) == 0)
        ts->config.raise(ts->config.userdata, t->kind, t->command_key);
    t->due = now.mono + TRANSFER_SAVE_INTERVAL;
}

static uint64_t elapsed(const Transfer *t, Moment now) {
    int64_t usec = (int64_t)now.mono - t->base;
    return usec > 0 ? (uint64_t)usec : 0;
}

static usec_t at(const Transfer *t, uint32_t second) {
    int64_t usec = t->base + (int64_t)second * (int64_t)USEC_PER_SEC;
    return usec > 0 ? (usec_t)usec : 0;
}

/* When was it received, on the clock of this boot? One that stands before the receipt, or is not to be
 * believed, cannot tell: then the delay counts from now on. */
static void place(const Transfers *ts, Transfer *t, Moment now) {
    int64_t real = seconds(ts, now);

    t->base_guessed = real == RPC_TIME_UNKNOWN || t->received == RPC_TIME_UNKNOWN || real < t->received ||
                      real - t->received > INT64_C(100) * 366 * 86400;
    t->base = (int64_t)now.mono - (t->base_guessed ? 0 : (real - t->received) * (int64_t)USEC_PER_SEC);
}

static void set_due(Transfer *t) {
    if (t->kind == TRANSFER_SCHEDULED)
        t->due = t->window < t->n_windows ? at(t, t->windows[t->window].start) : 0;
    else
        t->due = at(t, t->delay);
}

int transfers_load(Transfers *ts, const char *key, const char *value) {
    Transfer *t;

    int r = transfer_decode(key, value, &t);
    if (r < 0)
        return r;
    if (find(ts, key) || is_full(ts, t->kind)) {
        transfer_free(t);
        return -EINVAL;
    }
    append(ts, t);
    return 0;
}

void transfers_start(Transfers *ts, Moment now) {
    for (Transfer *t = ts->first; t; t = t->next) {
        place(ts, t, now);
        set_due(t);
        switch (t->state) {
        case TRANSFER_MOVING:
            t->state = TRANSFER_WAITING;
            if (t->starts >= TRANSFER_STARTS_MAX)
                finish(ts, t, FAULT_TRANSFER_FAILED, "The transfer was interrupted again and again", now);
            break;
        case TRANSFER_INSTALLING:
            t->again = true;
            t->give_up = now.mono + TRANSFER_INSTALL_TIMEOUT;
            t->wants = BIT(TRANSFER_INSTALL);
            break;
        case TRANSFER_DONE: /* the power may have failed before its events were saved */
            t->wants = BIT(TRANSFER_FORGET);
            ts->config.raise(ts->config.userdata, t->kind, t->command_key);
            break;
        case TRANSFER_WAITING:
        case TRANSFER_GONE:
        case TRANSFER_STATES_:
            break;
        }
    }
    transfers_tick(ts, now);
}

void transfers_clock(Transfers *ts, bool trusted, Moment now) {
    ts->config.clock_trusted = trusted;
    for (Transfer *t = ts->first; trusted && t; t = t->next) {
        if (!t->base_guessed || t->received == RPC_TIME_UNKNOWN)
            continue;
        place(ts, t, now);
        if (t->state == TRANSFER_WAITING && t->attempts == 0)
            set_due(t);
    }
    transfers_tick(ts, now);
}

int transfers_set_policy(Transfers *ts, const TransferPolicy *policy) {
    char *types = strdup(strempty(policy->file_types));

    if (!types)
        return -ENOMEM;
    free(ts->file_types);
    ts->file_types = types;
    ts->policy = *policy;
    ts->policy.file_types = types;
    return 0;
}

void transfers_side(Transfers *ts, bool outside) {
    ts->outside = outside;
}

static bool is_our_file(const char *type, TransferKind kind) {
    if (kind == TRANSFER_AUTONOMOUS)
        return true;
    for (size_t i = 0; i < ARRAY_SIZE(file_types); i++) {
        size_t n = strlen(file_types[i].name);
        if (!(file_types[i].kinds & BIT(kind)) || strncmp(type, file_types[i].name, n) != 0)
            continue;
        if (type[n] == 0 || (file_types[i].numbered && streq(type + n, " 1")))
            return true;
    }
    return false;
}

static int judge(const Transfers *ts, TransferKind kind, const char *type, const char *url,
                 const char **ret_text) {
    const char *why = NULL;
    Url parsed;

    if (!is_our_file(type, kind)) {
        *ret_text = "This file type cannot be transferred";
        return FAULT_INVALID_ARGUMENTS;
    }
    int r = url_parse(url, &parsed, &why);
    if (r == -EPROTONOSUPPORT)
        return FAULT_PROTOCOL_NOT_SUPPORTED;
    if (r < 0) {
        *ret_text = why;
        return FAULT_INVALID_ARGUMENTS;
    }
    if (ts->outside && !parsed.tls) {
        *ret_text = "Outside of the tunnel only over https";
        return FAULT_PROTOCOL_NOT_SUPPORTED;
    }
    if (is_full(ts, kind)) {
        *ret_text = "Enough transfers are queued";
        return FAULT_RESOURCES_EXCEEDED;
    }
    return 0;
}

static bool copy(char *to, size_t size, const char *from) {
    size_t n = strlen(from);
    if (n >= size)
        return false;
    memcpy(to, from, n + 1);
    return true;
}
#define COPY(field, from) copy(field, sizeof(field), from)

static Transfer *make(Transfers *ts, TransferKind kind, Moment now) {
    Transfer *t = calloc(1, sizeof *t);

    if (!t)
        return NULL;
    snprintf(t->id, sizeof t->id, "%016" PRIx64, rng_spi(ts->config.rng));
    t->kind = kind;
    t->outside = ts->outside;
    t->received = seconds(ts, now);
    t->start_time = t->complete_time = RPC_TIME_UNKNOWN;
    t->base = (int64_t)now.mono;
    return t;
}

/* Takes *t*. What is not on the disk was not promised. */
static int enqueue(Transfers *ts, Transfer *t, Moment now) {
    if (save(ts, t) < 0) {
        transfer_free(t);
        return FAULT_INTERNAL_ERROR;
    }
    set_due(t);
    append(ts, t);
    transfers_tick(ts, now);
    return 0;
}

int transfers_download(Transfers *ts, Moment now, const RpcDownload *d, const char **ret_text) {
    int r = judge(ts, TRANSFER_DOWNLOAD, d->file_type, d->url, ret_text);
    if (r != 0)
        return r;
    _cleanup_(transfer_freep) Transfer *t = make(ts, TRANSFER_DOWNLOAD, now);
    if (!t)
        return -ENOMEM;
    if (!COPY(t->command_key, d->command_key) || !COPY(t->file_type, d->file_type) || !COPY(t->url, d->url) ||
        !COPY(t->username, d->username) || !COPY(t->password, d->password) ||
        !COPY(t->target, d->target_file_name))
        return FAULT_INVALID_ARGUMENTS;
    t->size = d->file_size;
    t->delay = d->delay;
    return enqueue(ts, TAKE_PTR(t), now);
}

static int upload(Transfers *ts, TransferKind kind, Moment now, const RpcUpload *u, const char *target,
                  const char **ret_text, char ret_id[static TRANSFER_ID_BYTES]) {
    int r = judge(ts, kind, u->file_type, u->url, ret_text);
    if (r != 0)
        return r;
    _cleanup_(transfer_freep) Transfer *t = make(ts, kind, now);
    if (!t)
        return -ENOMEM;
    if (!COPY(t->command_key, kind == TRANSFER_UPLOAD ? u->command_key : "") ||
        !COPY(t->file_type, u->file_type) || !COPY(t->url, u->url) || !COPY(t->username, u->username) ||
        !COPY(t->password, u->password) || !COPY(t->target, target))
        return FAULT_INVALID_ARGUMENTS;
    t->delay = u->delay;
    memcpy(ret_id, t->id, TRANSFER_ID_BYTES);
    return enqueue(ts, TAKE_PTR(t), now);
}

int transfers_upload(Transfers *ts, Moment now, const RpcUpload *u, const char **ret_text) {
    char id[TRANSFER_ID_BYTES];
    return upload(ts, TRANSFER_UPLOAD, now, u, "", ret_text, id);
}

int transfers_autonomous(Transfers *ts, Moment now, const RpcUpload *u, const char *target,
                         char ret_id[static TRANSFER_ID_BYTES]) {
    const char *text = NULL;
    return upload(ts, TRANSFER_AUTONOMOUS, now, u, target, &text, ret_id);
}

int transfers_schedule_download(Transfers *ts, Moment now, const RpcScheduleDownload *d,
                                const char **ret_text) {
    int r = judge(ts, TRANSFER_SCHEDULED, d->file_type, d->url, ret_text);
    if (r != 0)
        return r;
    _cleanup_(transfer_freep) Transfer *t = make(ts, TRANSFER_SCHEDULED, now);
    if (!t)
        return -ENOMEM;
    if (d->n_windows < 1 || d->n_windows > RPC_WINDOWS_MAX || !COPY(t->command_key, d->command_key) ||
        !COPY(t->file_type, d->file_type) || !COPY(t->url, d->url) || !COPY(t->username, d->username) ||
        !COPY(t->password, d->password) || !COPY(t->target, d->target_file_name))
        return FAULT_INVALID_ARGUMENTS;
    t->size = d->file_size;
    t->n_windows = (uint32_t)d->n_windows;
    for (size_t i = 0; i < d->n_windows; i++) {
        /* "When Idle" is ours to define: nobody stands before this box, it is idle. */
        if (d->windows[i].mode == RPC_WINDOW_CONFIRMATION_NEEDED) {
            *ret_text = "Nobody at this box can confirm a download";
            return FAULT_REQUEST_DENIED;
        }
        t->windows[i] = (TransferWindow){d->windows[i].start, d->windows[i].end,
                                         MAX(d->windows[i].max_retries, INT32_C(-1))};
    }
    return enqueue(ts, TAKE_PTR(t), now);
}

/* A.4.1.9: what is cancelled gets no TransferComplete. Several with one CommandKey: all, or none. */
int transfers_cancel(Transfers *ts, Moment now, const char *command_key, const char **ret_text) {
    bool found = false;

    for (Transfer *t = ts->first; t; t = t->next) {
        if (t->state == TRANSFER_GONE || t->kind == TRANSFER_AUTONOMOUS ||
            !streq(t->command_key, command_key))
            continue;
        found = true;
        if (t->state == TRANSFER_INSTALLING || t->state == TRANSFER_DONE)
            return FAULT_CANCEL_NOT_PERMITTED;
    }
    if (!found) {
        *ret_text = "No transfer has this CommandKey";
        return FAULT_REQUEST_DENIED;
    }
    for (Transfer *t = ts->first; t; t = t->next)
        if (t->state != TRANSFER_GONE && t->kind != TRANSFER_AUTONOMOUS &&
            streq(t->command_key, command_key)) {
            log_info("transfer %s of %s is cancelled", t->id, t->file_type);
            discard(ts, t, (t->state == TRANSFER_MOVING ? BIT(TRANSFER_STOP) : 0) | BIT(TRANSFER_FORGET),
                    now);
        }
    transfers_tick(ts, now);
    return 0;
}

int transfers_visit(const Transfers *ts, RpcTransferVisitor visitor, void *userdata) {
    static const RpcTransferState states[TRANSFER_STATES_] = {
        [TRANSFER_WAITING] = RPC_TRANSFER_NOT_STARTED,
        [TRANSFER_MOVING] = RPC_TRANSFER_IN_PROGRESS,
        [TRANSFER_INSTALLING] = RPC_TRANSFER_IN_PROGRESS,
        [TRANSFER_DONE] = RPC_TRANSFER_COMPLETED,
    };
    size_t n = 0;

    /* The requested ones first: the list on the wire is bounded. */
    for (int autonomous = 0; autonomous < 2; autonomous++)
        for (Transfer *t = ts->first; t && n < RPC_QUEUED_MAX; t = t->next) {
            if (t->state == TRANSFER_GONE || (t->kind == TRANSFER_AUTONOMOUS) != (autonomous == 1))
                continue;
            RpcTransfer row = {
                .command_key = t->command_key,
                .state = t->state == TRANSFER_WAITING && t->attempts > 0 ? RPC_TRANSFER_IN_PROGRESS
                                                                         : states[t->state],
                .is_download = transfer_is_download(t),
                .is_autonomous = t->kind == TRANSFER_AUTONOMOUS,
                .file_type = t->file_type,
                .file_size = t->size,
                .target_file_name = t->target,
                .is_scheduled = t->kind == TRANSFER_SCHEDULED,
            };
            int r = visitor(userdata, &row);
            if (r != 0)
                return r;
            n++;
        }
    return 0;
}

static void next_window(Transfer *t) {
    t->window++;
    t->attempts = 0;
    t->state = TRANSFER_WAITING;
    set_due(t);
}

/* A.3.2.8: a CPE must not repeat a Download by itself. ScheduleDownload says how often in each window, and
 * the box's own transfers are its own business. */
static void failed(Transfers *ts, Transfer *t, int fault, const char *text, Moment now) {
    int64_t retries =
        t->kind == TRANSFER_AUTONOMOUS ? TRANSFER_RETRIES
        : t->kind == TRANSFER_SCHEDULED
            ? (t->windows[t->window].max_retries < 0 ? TRANSFER_RETRIES : t->windows[t->window].max_retries)
            : 0;

    t->attempts++;
    t->state = TRANSFER_WAITING;
    t->starts = 0; /* it came to an end */
    t->due = now.mono + (TRANSFER_RETRY_WAIT << MIN(t->attempts - 1, 6u));
    if (t->attempts > retries) {
        if (t->kind != TRANSFER_SCHEDULED || t->window + 1 >= t->n_windows) {
            finish(ts, t, fault, text, now);
            return;
        }
        next_window(t);
    }
    log_warning("transfer %s of %s is to be tried again: %d %s", t->id, t->file_type, fault, strempty(text));
    (void)save(ts, t); /* at worst it is tried once more than allowed */
}

void transfers_moved(Transfers *ts, Moment now, const char *id, int fault, const char *text, uint64_t size) {
    Transfer *t = find(ts, id);

    if (!t || t->state != TRANSFER_MOVING)
        return;
    t->wants = 0;
    if (fault) {
        t->wants = BIT(TRANSFER_FORGET) * (t->kind != TRANSFER_AUTONOMOUS);
        failed(ts, t, fault, text, now);
    } else {
        t->size = (uint32_t)MIN(size, (uint64_t)UINT32_MAX);
        if (!transfer_is_download(t)) {
            finish(ts, t, 0, NULL, now);
        } else {
            /* An installation that the disk does not know of would be done again after it has rebooted. */
            t->state = TRANSFER_INSTALLING;
            t->again = false;
            t->give_up = now.mono + TRANSFER_INSTALL_TIMEOUT;
            memcpy(t->boot_id, ts->boot_id, sizeof t->boot_id);
            t->wants = BIT(TRANSFER_INSTALL);
            if (save(ts, t) < 0)
                finish(ts, t, FAULT_INTERNAL_ERROR, "The state of the transfer cannot be stored", now);
        }
    }
    transfers_tick(ts, now);
}

void transfers_installed(Transfers *ts, Moment now, const char *id, int fault, const char *text) {
    Transfer *t = find(ts, id);

    if (!t || t->state != TRANSFER_INSTALLING)
        return;
    if (fault) {
        t->wants = BIT(TRANSFER_FORGET);
        failed(ts, t, fault, text, now);
    } else {
        finish(ts, t, 0, NULL, now);
    }
    transfers_tick(ts, now);
}

/* One file comes in at a time, and one goes out; what is installed is all that the disk has room for. */
static bool is_free(const Transfers *ts, bool download) {
    for (const Transfer *t = ts->first; t; t = t->next)
        if (transfer_is_download(t) == download &&
            (t->state == TRANSFER_MOVING || t->state == TRANSFER_INSTALLING))
            return false;
    return true;
}

static void begin(Transfers *ts, Transfer *t, Moment now) {
    t->state = TRANSFER_MOVING;
    t->starts++;
    t->start_time = seconds(ts, now);
    if (save(ts, t) < 0) /* then it begins anew after a restart, and its starts are not counted */
        log_warning("transfer %s begins, which cannot be stored", t->id);
    t->wants |= BIT(transfer_is_download(t) ? TRANSFER_FETCH : TRANSFER_SEND);
}

/* Windows that are over, with or without an attempt. False: there is none left, and it is done. */
static bool check_windows(Transfers *ts, Transfer *t, Moment now) {
    if (t->kind != TRANSFER_SCHEDULED || (t->state != TRANSFER_WAITING && t->state != TRANSFER_MOVING))
        return true;
    while (t->window < t->n_windows && elapsed(t, now) >= t->windows[t->window].end * USEC_PER_SEC) {
        unsigned stop = t->state == TRANSFER_MOVING ? BIT(TRANSFER_STOP) : 0;
        if (t->window + 1 >= t->n_windows) {
            t->wants |= stop;
            finish(ts, t, FAULT_WINDOWS_MISSED, NULL, now);
            return false;
        }
        next_window(t);
        t->starts = 0;
        t->wants = stop;
        (void)save(ts, t);
    }
    return true;
}

static void tick_one(Transfers *ts, Transfer *t, Moment now) {
    if (!check_windows(ts, t, now))
        return;
    switch (t->state) {
    case TRANSFER_WAITING:
        if (now.mono >= t->due && is_free(ts, transfer_is_download(t)))
            begin(ts, t, now);
        break;
    case TRANSFER_INSTALLING:
        if (now.mono >= t->give_up) {
            finish(ts, t, FAULT_TRANSFER_FAILED, "The installer has not come to an end", now);
        }
        break;
    case TRANSFER_DONE:
        if (t->unsaved && now.mono >= t->due) {
            t->due = now.mono + TRANSFER_SAVE_INTERVAL;
            if (save(ts, t) == 0)
                ts->config.raise(ts->config.userdata, t->kind, t->command_key);
        }
        break;
    case TRANSFER_GONE:
        if (t->unsaved && now.mono >= t->due)
            discard(ts, t, t->wants, now);
        break;
    case TRANSFER_MOVING:
    case TRANSFER_STATES_:
        break;
    }
}

static void sweep(Transfers *ts) {
    for (Transfer **p = &ts->first; *p;) {
        Transfer *t = *p;
        if (t->state != TRANSFER_GONE || t->wants || t->unsaved) {
            p = &t->next;
            continue;
        }
        *p = t->next;
        transfer_free(t);
    }
}

void transfers_tick(Transfers *ts, Moment now) {
    /* What ends first makes room for what begins. */
    for (Transfer *t = ts->first; t; t = t->next)
        if (t->state != TRANSFER_WAITING)
            tick_one(ts, t, now);
    for (Transfer *t = ts->first; t; t = t->next)
        if (t->state == TRANSFER_WAITING)
            tick_one(ts, t, now);
}

static usec_t deadline_of(const Transfers *ts, const Transfer *t) {
    usec_t end = t->kind == TRANSFER_SCHEDULED && t->window < t->n_windows ? at(t, t->windows[t->window].end)
                                                                           : USEC_NEVER;
    switch (t->state) {
    case TRANSFER_WAITING: /* for a free line it need not be woken: what ends does that */
        return is_free(ts, transfer_is_download(t)) ? MIN(t->due, end) : end;
    case TRANSFER_MOVING:
        return end;
    case TRANSFER_INSTALLING:
        return t->give_up;
    case TRANSFER_DONE:
    case TRANSFER_GONE:
        return t->unsaved ? t->due : USEC_NEVER;
    case TRANSFER_STATES_:
        break;
    }
    return USEC_NEVER;
}

usec_t transfers_deadline(const Transfers *ts) {
    usec_t deadline = USEC_NEVER;
    for (const Transfer *t = ts->first; t; t = t->next)
        deadline = MIN(deadline, deadline_of(ts, t));
    return deadline;
}

static TransferActionKind lowest(unsigned wants) {
    return (TransferActionKind)__builtin_ctz(wants);
}

/* A file that goes, goes before one that comes. */
bool transfers_next(Transfers *ts, TransferAction *ret) {
    static const unsigned rounds[] = {BIT(TRANSFER_STOP), BIT(TRANSFER_FORGET),
                                      BIT(TRANSFER_FETCH) | BIT(TRANSFER_SEND) | BIT(TRANSFER_INSTALL)};

    sweep(ts);
    for (size_t i = 0; i < ARRAY_SIZE(rounds); i++)
        for (Transfer *t = ts->first; t; t = t->next) {
            if (!(t->wants & rounds[i]))
                continue;
            TransferActionKind kind = lowest(t->wants & rounds[i]);
            t->wants &= ~BIT(kind);
            *ret = (TransferAction){
                .kind = kind,
                .id = t->id,
                .transfer = t->kind,
                .file_type = t->file_type,
                .url = t->url,
                .username = t->username,
                .password = t->password,
                .target = t->target,
                .outside = t->outside,
                .size = t->size,
                .resume = t->starts > 1,
                .again = t->again,
                .rebooted = t->again && !streq(t->boot_id, ts->boot_id),
            };
            return true;
        }
    return false;
}

size_t transfers_reports(const Transfers *ts, SessionRequest *ret, size_t max) {
    size_t n = 0;

    for (const Transfer *t = ts->first; t && n < max; t = t->next)
        if (t->state == TRANSFER_DONE && !t->unsaved)
            ret[n++] = (SessionRequest){
                .kind = t->kind == TRANSFER_AUTONOMOUS ? SESSION_REQUEST_AUTONOMOUS_TRANSFER_COMPLETE
                                                       : SESSION_REQUEST_TRANSFER_COMPLETE,
                .id = strtoull(t->id, NULL, 16),
                .command_key = t->command_key,
                .announce_url = "",
                .transfer_url = t->url,
                .is_download = transfer_is_download(t),
                .file_size = t->size,
                .target_file_name = t->target,
                .file_type = t->file_type,
                .fault = t->fault,
                .fault_string = t->text,
                .start_time = t->start_time,
                .complete_time = t->complete_time,
            };
    return n;
}

/* A HeMS that does not want to hear of it is told a few times more, in other sessions: it may have been out
 * of order itself. */
void transfers_answered(Transfers *ts, Moment now, const SessionAnswer *answer) {
    char id[TRANSFER_ID_BYTES];

    snprintf(id, sizeof id, "%016" PRIx64, answer->id);
    Transfer *t = find(ts, id);
    if (!t || t->state != TRANSFER_DONE)
        return;
    if (answer->fault && answer->fault != FAULT_METHOD_NOT_SUPPORTED && ++t->refusals < TRANSFER_REFUSALS_MAX)
        return;
    if (answer->fault)
        log_warning("the HeMS does not take the outcome of transfer %s: %d", t->id, answer->fault);
    discard(ts, t, t->wants, now);
}

void transfers_reset(Transfers *ts, Moment now) {
    for (Transfer *t = ts->first; t; t = t->next)
        if (t->state != TRANSFER_GONE)
            discard(ts, t,
                    t->state == TRANSFER_MOVING       ? BIT(TRANSFER_STOP) | BIT(TRANSFER_FORGET)
                    : t->state == TRANSFER_INSTALLING ? 0
                                                      : BIT(TRANSFER_FORGET),
                    now);
}
