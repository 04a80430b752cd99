/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See vendor-file-io.h. */
#include "vendor-file-io.h"

#include <unistd.h>

#include "cwmp/vendor-config.h"
#include "vendor-log-io.h"

struct VendorFile {
    Spool *spool;
    char id[TRANSFER_ID_BYTES];
    int fd; /* -EBADF: it was committed or abandoned */
    VendorLog *log;
    VendorFileHandler handler;
    void *userdata;
};

static int end(VendorFile *f, int error) {
    int fd = f->fd;

    f->fd = -EBADF;
    if (error == 0)
        return spool_commit(f->spool, f->id, fd);
    spool_abandon(f->spool, f->id, fd);
    return error;
}

void vendor_file_free(VendorFile *f) {
    if (!f)
        return;
    vendor_log_free(f->log);
    if (f->fd >= 0)
        spool_abandon(f->spool, f->id, f->fd);
    free(f);
}

static int write_config(int fd, const Model *model) {
    VendorConfig config = {};
    int r = model_read(model, "", vendor_config_visit, &config);

    for (size_t done = 0; r == 0 && done < config.size;) {
        ssize_t n = write(fd, config.text + done, config.size - done);
        if (n < 0 && errno != EINTR)
            r = -errno;
        done += n > 0 ? (size_t)n : 0;
    }
    vendor_config_clear(&config);
    return r;
}

static void on_log(void *userdata, int error) {
    VendorFile *f = userdata;
    f->handler(f->userdata, end(f, error));
}

/* "2 Vendor Log File" and "4 Vendor Log File 1"; the others are the configuration. */
static bool is_log(const char *file_type) {
    return strstr(file_type, "Vendor Log File");
}

int vendor_file_new(VendorFile **ret, sd_event *event, Spool *spool, const char *id, const char *file_type,
                    const Model *model, VendorFileHandler handler, void *userdata) {
    _cleanup_(vendor_file_freep) VendorFile *f = calloc(1, sizeof *f);

    if (!f)
        return -ENOMEM;
    *f = (VendorFile){.spool = spool, .fd = -EBADF, .handler = handler, .userdata = userdata};
    int r = spool_create(spool, id, &f->fd);
    if (r < 0)
        return r;
    strcpy(f->id, id);
    if (!is_log(file_type)) {
        r = end(f, write_config(f->fd, model));
        return r < 0 ? r : 1;
    }
    r = vendor_log_new(&f->log, &(VendorLogConfig){.event = event, .fd = f->fd}, on_log, f);
    if (r == 0)
        *ret = TAKE_PTR(f);
    return r;
}
