/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See measurements.h. */
#include "measurements.h"

#include <stdio.h>

#include "base/log.h"
#include "clock.h"

#define ROWS "Device.FAP.PerfMgmt.Config."

typedef struct Period {
    char row[MODEL_NAME_MAX]; /* with the dot at its end; "": none */
    uint32_t interval;
    int64_t phase;
    int64_t begin, end; /* seconds since 1970 */
    bool seen;
} Period;

struct Measurements {
    MeasurementsConfig config;
    PmCounters *counters;
    uint32_t own; /* phase */
    Period periods[PM_PERIODS_MAX];
    sd_event_source *timer;
};

static int64_t seconds(void) {
    return (int64_t)(clock_now().real / USEC_PER_SEC);
}

static const char *row_name(const char *row, const char *name, char ret[static MODEL_NAME_MAX]) {
    snprintf(ret, MODEL_NAME_MAX, "%.256s%s", row, name);
    return ret;
}
#define ROW_NAME(row, name) row_name(row, name, (char[MODEL_NAME_MAX]){})

static void timer_plan(Measurements *m) {
    const Moment now = clock_now();
    int64_t end = INT64_MAX;

    for (size_t i = 0; i < PM_PERIODS_MAX; i++)
        if (*m->periods[i].row)
            end = MIN(end, m->periods[i].end);
    usec_t at = (usec_t)end * USEC_PER_SEC;
    timer_set(m->timer, end == INT64_MAX ? USEC_NEVER : now.mono + (at > now.real ? at - now.real : 0));
}

static void period_begin(Measurements *m, Period *p, int64_t begin) {
    p->begin = begin;
    p->end = pm_next(begin, p->interval, p->phase, m->own);
    pm_counters_begin(m->counters, (size_t)(p - m->periods));
}

/* 0, -ENOMEM, or what file_transfers_autonomous() returns. */
static int period_send(Measurements *m, const Period *p) {
    const Model *model = device_model(m->config.device);
    const Config *f = m->config.factory;
    char element[8 + IDENTITY_MAX_BYTES], type[RPC_BYTES(RPC_FILE_TYPE_MAX)], url[RPC_BYTES(RPC_URL_MAX)];
    char name[PM_FILE_NAME_MAX];
    _cleanup_free_ char *text = NULL;
    size_t size;

    snprintf(element, sizeof element, "%s-%s", f->oui, f->serial_number);
    snprintf(type, sizeof type, "X %s PM", f->oui);
    const PmHeader header = {.vendor = f->manufacturer,
                             .element = element,
                             .type = "FAP",
                             .software = model_get(model, "Device.DeviceInfo.SoftwareVersion"),
                             .begin = p->begin,
                             .end = p->end};
    int r = pm_counters_write(m->counters, (size_t)(p - m->periods), &header, &text, &size);
    if (r == 0)
        r = pm_file_url(model_get(model, ROW_NAME(p->row, "URL")), pm_file_name(&header, name), url,
                        sizeof url);
    if (r < 0)
        return r;
    const RpcUpload upload = {.command_key = "",
                              .file_type = type,
                              .url = url,
                              .username = model_get(model, ROW_NAME(p->row, "Username")),
                              .password = model_get(model, ROW_NAME(p->row, "Password"))};
    return file_transfers_autonomous(m->config.files, &upload, name, text, size);
}

/* A file that could not even be queued is lost, and its counts are in the next one. */
static void period_end(Measurements *m, Period *p) {
    const int64_t end = p->end;
    int r = period_send(m, p);

    if (r == 0) {
        period_begin(m, p, end);
        return;
    }
    log_warning("the measurements for %s wait for the end of the next period: %s", p->row,
                r < 0 ? strerror(-r) : "enough files wait already");
    p->end = pm_next(end, p->interval, p->phase, m->own);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
    Measurements *m = userdata;
    const int64_t now = seconds();

    for (size_t i = 0; i < PM_PERIODS_MAX; i++)
        if (*m->periods[i].row && now >= m->periods[i].end)
            period_end(m, &m->periods[i]);
    timer_plan(m);
    return 0;
}

static Period *period_of(Measurements *m, const char *row) {
    Period *empty = NULL;

    for (size_t i = 0; i < PM_PERIODS_MAX; i++) {
        if (streq(m->periods[i].row, row))
            return &m->periods[i];
        if (!*m->periods[i].row && !empty)
            empty = &m->periods[i];
    }
    return empty;
}

static int on_row(void *userdata, const char *row, const ModelParameter *parameter, const char *value) {
    Measurements *m = userdata;
    const Model *model = device_model(m->config.device);
    const size_t n = strlen(row);

    if (parameter || n <= strlen(ROWS) || n > 256 || !model_get_boolean(model, ROW_NAME(row, "Enable")) ||
        !*model_get(model, ROW_NAME(row, "URL")))
        return 0;
    const uint32_t interval = model_get_unsigned(model, ROW_NAME(row, "PeriodicUploadInterval"));
    const int64_t phase = model_get_time(model, ROW_NAME(row, "PeriodicUploadTime"));
    Period *p = period_of(m, row);
    if (!p) {
        log_warning("%s: measurements have %d files at most", row, PM_PERIODS_MAX);
        return 0;
    }
    p->seen = true;
    if (*p->row && p->interval == interval && p->phase == phase)
        return 0;
    snprintf(p->row, sizeof p->row, "%s", row);
    p->interval = interval;
    p->phase = phase;
    period_begin(m, p, seconds());
    return 0;
}

void measurements_update(Measurements *m) {
    for (size_t i = 0; i < PM_PERIODS_MAX; i++)
        m->periods[i].seen = false;
    if (m->config.clock_trusted)
        (void)model_list(device_model(m->config.device), ROWS, true, on_row, m);
    for (size_t i = 0; i < PM_PERIODS_MAX; i++)
        if (!m->periods[i].seen)
            m->periods[i] = (Period){};
    timer_plan(m);
}

void measurements_clock(Measurements *m, bool trusted) {
    const bool same = trusted == m->config.clock_trusted;
    const int64_t now = seconds();

    m->config.clock_trusted = trusted;
    for (size_t i = 0; i < PM_PERIODS_MAX; i++) {
        Period *p = &m->periods[i];
        if (!same || now < p->begin || now - p->end > p->interval)
            *p = (Period){};
    }
    measurements_update(m);
}

PmCounters *measurements_counters(const Measurements *m) {
    return m->counters;
}

int measurements_new(Measurements **ret, const MeasurementsConfig *config) {
    _cleanup_(measurements_freep) Measurements *m = calloc(1, sizeof *m);

    if (!m)
        return -ENOMEM;
    m->config = *config;
    config->rng->fill(config->rng->userdata, &m->own, sizeof m->own);
    int r = pm_counters_new(&m->counters);
    if (r == 0)
        r = sd_event_add_time(config->event, &m->timer, CLOCK_BOOTTIME, UINT64_MAX, 1, on_timer, m);
    if (r < 0)
        return r;
    measurements_update(m);
    *ret = TAKE_PTR(m);
    return 0;
}

void measurements_free(Measurements *m) {
    if (!m)
        return;
    sd_event_source_disable_unref(m->timer);
    pm_counters_free(m->counters);
    free(m);
}
