/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The files of transfers (TR-069 A.3.2.8, A.4.1.5): fetched into a spool directory, or sent from it by PUT,
 * over HTTP(S) with libcurl on sd-event. As with a CWMP session no name is resolved here, no redirect
 * followed, no proxy used, and a socket that cannot be bound to the tunnel does not connect. What was fetched
 * is never executed or looked into.
 */
#pragma once

#include <stdint.h>
#include <systemd/sd-event.h>

#include "base/address.h"
#include "base/macro.h"
#include "base/moment.h"
#include "cwmp/tls.h"
#include "spool-io.h"

#define TRANSFER_IO_SIZE_MAX        (UINT64_C(2) << 30) /* bytes of a file, unless TransferIoConfig says */
#define TRANSFER_IO_RESERVE         (UINT64_C(4) << 20) /* bytes of the disk that are not ours */
#define TRANSFER_IO_CONNECT_TIMEOUT (30 * USEC_PER_SEC)
#define TRANSFER_IO_STALL_TIMEOUT   (60 * USEC_PER_SEC)       /* nothing comes any more */
#define TRANSFER_IO_TIMEOUT         (6 * 3600 * USEC_PER_SEC) /* of the whole */
#define TRANSFER_IO_RESUME_WAIT     (5 * USEC_PER_SEC)
#define TRANSFER_IO_BREAKS_MAX      5           /* in a row, without a byte between them */
#define TRANSFER_IO_HEADERS_MAX     (64 * 1024) /* bytes of an answer's header lines */
#define TRANSFER_IO_ERROR_BODY_MAX  (64 * 1024) /* of what goes with an error */
#define TRANSFER_IO_TAG_MAX         256

typedef struct TransferIo TransferIo;

typedef struct TransferIoConfig {
    sd_event *event;
    Spool *spool;                      /* must outlive it */
    const TlsConfig *tls;              /* NULL: no https; must outlive it */
    uint64_t size_max, reserve;        /* 0: as above */
    usec_t stall_timeout, resume_wait; /* 0: as above; tests are in a hurry */
} TransferIoConfig;

/* Where a transfer goes; as CwmpIoTarget. Copied. */
typedef struct TransferIoTarget {
    const char *url;
    Address address;                 /* what its host resolved to */
    const char *interface;           /* SO_BINDTODEVICE; NULL: not bound to one */
    Address source;                  /* AF_UNSPEC: not bound */
    const char *username, *password; /* NULL or "": none */
} TransferIoTarget;

/* Told once from the event loop, unless stopped: *fault* 0, or that of TransferComplete with one line of
 * *text*. It may start another, or free the TransferIo. */
typedef void (*TransferIoHandler)(void *userdata, const char *id, int fault, const char *text, uint64_t size);

/* 0 or -ENOMEM. */
int transfer_io_new(TransferIo **ret, const TransferIoConfig *config);
/* Stops all; what has come stays. NULL is fine. */
void transfer_io_free(TransferIo *io);
DEFINE_CLEANUP(TransferIo, transfer_io_free)

/* *size*: bytes to be expected, 0: not known. *resume*: what has come before may be the beginning. 0;
 * -EINVAL: not a URL to go to; -EPROTONOSUPPORT; -EBUSY: that id moves already; or other negative errno. Then
 * nothing is told. */
int transfer_io_fetch(TransferIo *io, const char *id, const TransferIoTarget *target, uint64_t size,
                      bool resume, TransferIoHandler handler, void *userdata);
/* PUTs ID.file; -ENOENT without one. */
int transfer_io_send(TransferIo *io, const char *id, const TransferIoTarget *target,
                     TransferIoHandler handler, void *userdata);
/* Without a word; the files stay. */
void transfer_io_stop(TransferIo *io, const char *id);
/* The fault for a negative errno of the two above. */
int transfer_io_fault(int error, bool download);
