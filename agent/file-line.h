/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One file on its way, in or out, as transfer.h asks for it one at a time each: waits until there is a way,
 * asks for its host's addresses, and moves it (transfer-io.h). A tunnel that goes is no failure: the file
 * goes on where it was when there is one again. */
#pragma once

#include <systemd/sd-event.h>

#include "config.h"
#include "cwmp/transfer.h"
#include "ike/ike-sa.h"
#include "transfer-io.h"
#include "passage.h"

typedef struct FileLine FileLine;

typedef struct FileLineConfig {
    sd_event *event;
    const Config *factory;
    const IkeConfiguration *inside;
    bool (*barred)(void *userdata, const char *host); /* as Passage has it */
    void *barred_userdata;
    /* What became of it, unless it was stopped; perhaps from within file_line_start(), _release() and
     * _open(). */
    TransferIoHandler moved;
    void *userdata;
} FileLineConfig;

/* What *config* points to must outlive it. 0 or -ENOMEM. */
int file_line_new(FileLine **ret, const FileLineConfig *config);
/* Without a word. NULL is fine. */
void file_line_free(FileLine *line);
DEFINE_CLEANUP(FileLine, file_line_free)

/* Fetches or sends, as *action* (copied) says; the line must be free. *held*: not before
 * file_line_release(). *io* must outlive it. */
void file_line_start(FileLine *line, TransferIo *io, const TransferAction *action, bool held);
/* *error* 0, or negative errno: there is nothing to send. */
void file_line_release(FileLine *line, int error);
/* Is it this one? */
bool file_line_has(const FileLine *line, const char *id);
/* Stops it without a word, if it is this one. */
void file_line_stop(FileLine *line, const char *id);
/* The tunnel is up, another one, or gone: what is inside of it begins anew or waits. */
void file_line_inside(FileLine *line);
/* The uplink works: outside there is a way, from now on. */
void file_line_outside(FileLine *line);
