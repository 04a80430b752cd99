/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See file-line.h. */
#include "file-line.h"

#include <stdio.h>

#include "base/log.h"
#include "cwmp/fault.h"

typedef enum LineState {
    LINE_FREE,
    LINE_HELD,    /* its file is being made */
    LINE_WAITING, /* for a way */
    LINE_ASKED,   /* for addresses */
    LINE_MOVING,
} LineState;

struct FileLine {
    FileLineConfig config;
    Names *names;
    TransferIo *io;
    bool outside_open;
    LineState state;
    /* Of the file. */
    char id[TRANSFER_ID_BYTES];
    char url[RPC_BYTES(RPC_URL_MAX)];
    char username[RPC_BYTES(RPC_USERNAME_MAX)];
    char password[RPC_BYTES(RPC_PASSWORD_MAX)];
    bool download, outside, resume;
    uint32_t size;
    AddressList addresses;
    size_t next; /* of them */
};

int file_line_new(FileLine **ret, const FileLineConfig *config) {
    _cleanup_(file_line_freep) FileLine *line = calloc(1, sizeof *line);

    if (!line)
        return -ENOMEM;
    line->config = *config;
    int r = names_new(&line->names, config->event, config->factory, config->inside);
    if (r == 0)
        *ret = TAKE_PTR(line);
    return r;
}

/* Nothing is under way for the file any more. */
static void halt(FileLine *line) {
    if (line->state == LINE_MOVING)
        transfer_io_stop(line->io, line->id);
    names_forget(line->names);
}

static void clear(FileLine *line) {
    line->state = LINE_FREE;
    line->id[0] = 0;
    explicit_bzero(line->username, sizeof line->username);
    explicit_bzero(line->password, sizeof line->password);
}

void file_line_free(FileLine *line) {
    if (!line)
        return;
    halt(line);
    names_free(line->names);
    clear(line);
    free(line);
}

static void finish(FileLine *line, int fault, const char *text, uint64_t size) {
    char id[TRANSFER_ID_BYTES];

    memcpy(id, line->id, sizeof id);
    clear(line);
    line->config.moved(line->config.userdata, id, fault, text, size);
}

static void on_moved(void *userdata, const char *id, int fault, const char *text, uint64_t size);

static int move(FileLine *line) {
    const bool outside = line->outside;
    TransferIoTarget target = {.url = line->url,
                               .address = line->addresses.items[line->next++],
                               .interface = outside ? NULL : line->config.factory->tunnel_interface,
                               .username = line->username,
                               .password = line->password};

    int r = passage_source(line->config.inside, outside, &target.address, &target.source);
    if (r < 0)
        return r;
    return line->download
               ? transfer_io_fetch(line->io, line->id, &target, line->size, line->resume, on_moved, line)
               : transfer_io_send(line->io, line->id, &target, on_moved, line);
}

/* To the next address. */
static void go_on(FileLine *line) {
    line->state = LINE_MOVING;
    int r = move(line);
    if (r < 0)
        finish(line, transfer_io_fault(r, line->download), strerror(-r), 0);
}

/* What came from one address of a host goes on from another. */
static void on_moved(void *userdata, const char *id, int fault, const char *text, uint64_t size) {
    FileLine *line = userdata;

    if (fault == FAULT_SERVER_UNREACHABLE && line->next < line->addresses.n) {
        log_warning("transfer %s: %s; another address of the host is tried", id, text);
        line->resume = true;
        go_on(line);
        return;
    }
    finish(line, fault, text, size);
}

static void on_answer(void *userdata, const ResolverAnswer *answer) {
    FileLine *line = userdata;

    if (answer->error < 0) {
        finish(line, FAULT_SERVER_UNREACHABLE, answer->text, 0);
        return;
    }
    line->addresses = answer->addresses;
    line->next = 0;
    go_on(line);
}

static bool is_open(const FileLine *line) {
    return line->outside ? line->outside_open : line->config.inside->addresses.n > 0;
}

static void begin(FileLine *line) {
    const Passage passage = {line->outside, line->config.barred, line->config.barred_userdata};
    const char *why;

    if (line->state != LINE_WAITING || !is_open(line))
        return;
    line->state = LINE_ASKED;
    int r = passage_ask(&passage, line->names, line->url, on_answer, line, &why);
    if (r < 0)
        finish(line,
               r == -EPERM             ? FAULT_REQUEST_DENIED
               : r == -EPROTONOSUPPORT ? FAULT_PROTOCOL_NOT_SUPPORTED
                                       : FAULT_SERVER_UNREACHABLE,
               why, 0);
}

void file_line_start(FileLine *line, TransferIo *io, const TransferAction *action, bool held) {
    assert(line->state == LINE_FREE);
    line->io = io;
    snprintf(line->id, sizeof line->id, "%s", action->id);
    snprintf(line->url, sizeof line->url, "%s", action->url);
    snprintf(line->username, sizeof line->username, "%s", action->username);
    snprintf(line->password, sizeof line->password, "%s", action->password);
    line->download = action->kind == TRANSFER_FETCH;
    line->outside = action->outside;
    line->resume = action->resume;
    line->size = action->size;
    line->state = held ? LINE_HELD : LINE_WAITING;
    begin(line);
}

void file_line_release(FileLine *line, int error) {
    assert(line->state == LINE_HELD);
    line->state = LINE_WAITING;
    if (error < 0)
        finish(line, transfer_io_fault(error, line->download), strerror(-error), 0);
    else
        begin(line);
}

bool file_line_has(const FileLine *line, const char *id) {
    return line->state != LINE_FREE && streq(line->id, id);
}

void file_line_stop(FileLine *line, const char *id) {
    if (!file_line_has(line, id))
        return;
    halt(line);
    clear(line);
}

void file_line_inside(FileLine *line) {
    if (line->outside && line->state != LINE_FREE)
        return;
    if (line->state == LINE_ASKED || line->state == LINE_MOVING) {
        line->resume |= line->state == LINE_MOVING;
        halt(line);
        line->state = LINE_WAITING;
    } else
        names_forget(line->names); /* its servers were the other tunnel's */
    begin(line);
}

void file_line_outside(FileLine *line) {
    line->outside_open = true;
    begin(line);
}
