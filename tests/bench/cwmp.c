/* SPDX-License-Identifier: GPL-3.0-or-later */
/* usage: cwmp [PARAMETERS...]. What a data model of that many parameters costs a session: the HeMS's
 * envelopes go into the session engine, the box's come out, and what is set is on the disk. tests/bench/cwmp
 * shows it. Exits with 1 when an answer does not hold what it should; time and memory are printed alone. */
#include <inttypes.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/macro.h"
#include "cwmp/session.h"
#include "kept.h"

#define NEIGHBOURS "Device.Services.FAPService.1.CellConfig.LTE.RAN.NeighborList."
#define IN_USE     "Device.Services.FAPService.1.CellConfig.LTE.RAN.NeighborListInUse."
#define SET_ROWS   91 /* with 11 parameters each that a HeMS may set */
#define SET_FEW    1000
#define SET_MANY   10000
#define TIMES      5 /* the best of */

#define NOTHING_YET                                                                                          \
    (Cost) {                                                                                                 \
        1e9, 1e9                                                                                             \
    }

#define HEAD                                                                                                 \
    "<e:Envelope xmlns:e=\"http://schemas.xmlsoap.org/soap/envelope/\" "                                     \
    "xmlns:c=\"urn:dslforum-org:cwmp-1-0\"><e:Header><c:ID>1</c:ID></e:Header><e:Body>"
#define TAIL "</e:Body></e:Envelope>"

static const char *const tables[] = {NEIGHBOURS "LTECell.",
                                     NEIGHBOURS "InterRATCell.UMTS.",
                                     NEIGHBOURS "InterRATCell.GSM.",
                                     NEIGHBOURS "InterRATCell.CDMA2000.",
                                     IN_USE "LTECell.",
                                     IN_USE "InterRATCell.UMTS.",
                                     IN_USE "InterRATCell.GSM.",
                                     IN_USE "InterRATCell.CDMA2000."};

typedef struct Box {
    Store *store;
    Model *model;
    Session *session;
    Moment now;
    bool assigned;
    char *sent; /* the last POST */
    size_t n_sent;
} Box;

/* Seconds on the clock, and of the processor, which a busy machine makes no longer. */
typedef struct Cost {
    double wall, cpu;
} Cost;

/* What one size of the model came to. */
typedef struct Result {
    size_t parameters, bytes, inform, n_many;
    Cost read, set_few, set_many, rows;
} Result;

static void must(bool good, const char *what) {
    if (good)
        return;
    fprintf(stderr, "bench: %s\n", what);
    exit(1);
}

static double seconds(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static Cost best(Cost a, Cost b) {
    return (Cost){MIN(a.wall, b.wall), MIN(a.cpu, b.cpu)};
}

static int commit(void *userdata, const ModelChange *changes, size_t n) {
    Box *box = userdata;
    return kept_commit(box->store, changes, n, &box->assigned);
}

static int count(void *userdata, const char *name, const ModelParameter *parameter, const char *value) {
    (*(size_t *)userdata)++;
    return 0;
}

static size_t parameters_of(const Model *model) {
    size_t n = 0;
    must(model_read(model, "", count, &n) == 0, "the model cannot be read");
    return n;
}

/* Rows until there are *wanted* parameters; as many as there may be. */
static void grow(Model *model, size_t wanted) {
    size_t n = parameters_of(model), of_row;
    uint32_t instance;
    char row[MODEL_NAME_MAX];

    for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
        while (n < wanted && model_row_add(model, tables[i], &instance) == 0) {
            snprintf(row, sizeof row, "%s%" PRIu32 ".", tables[i], instance);
            of_row = 0;
            must(model_read(model, row, count, &of_row) == 0, "a new row cannot be read");
            n += of_row;
        }
}

/* The session ---------------------------------------------------------------------------------------- */

static void drain(Box *box) {
    SessionAction action;

    while (session_next(box->session, &action))
        switch (action.kind) {
        case SESSION_POST:
            free(box->sent);
            box->sent = strndup(action.body ? action.body : "", action.size);
            box->n_sent = action.size;
            break;
        case SESSION_PREPARED:
            must(session_verdict(box->session, box->now, NULL, 0) == 0, "no memory");
            break;
        case SESSION_ENDED:
            must(action.error == 0, action.text);
            break;
        case SESSION_ACCEPTED:
        case SESSION_REPLIED:
        case SESSION_CHANGED:
        case SESSION_ANSWERED:
            break;
        }
}

/* How long the box takes from the envelope to its answer. */
static Cost ask(Box *box, const char *envelope) {
    const SessionResponse response = {
        .status = 200, .content_type = "text/xml", .body = envelope, .size = strlen(envelope)};
    Cost start = {seconds(CLOCK_MONOTONIC), seconds(CLOCK_PROCESS_CPUTIME_ID)};

    must(session_input(box->session, box->now, &response) == 0, "no memory");
    drain(box);
    return (Cost){seconds(CLOCK_MONOTONIC) - start.wall, seconds(CLOCK_PROCESS_CPUTIME_ID) - start.cpu};
}

static size_t occurrences(const char *text, const char *what) {
    size_t n = 0;
    for (const char *s = text; (s = strstr(s, what)); s += strlen(what))
        n++;
    return n;
}

/* Setting -------------------------------------------------------------------------------------------- */

typedef struct Wishes {
    FILE *f;
    size_t n, wanted;
    unsigned round;
} Wishes;

/* Another value each time; PLMNID and CID of a row are its own. */
static int wish(void *userdata, const char *name, const ModelParameter *parameter, const char *value) {
    Wishes *w = userdata;
    const ModelRange *range = parameter->ranges;
    int64_t number;

    if (w->n == w->wanted)
        return 1;
    if (!(parameter->flags & MODEL_WRITE) || streq(parameter->name, "Alias"))
        return 0;
    fprintf(w->f, "<P><Name>%s</Name><Value>", name);
    switch (parameter->type) {
    case MODEL_BOOLEAN:
        fprintf(w->f, "%s", streq(parameter->name, "Enable") || w->round % 2 ? "1" : "0");
        break;
    case MODEL_STRING:
        fprintf(w->f, "0010%u", w->round % 10);
        break;
    default:
        number = streq(parameter->name, "CID") ? (int64_t)w->n : (int64_t)w->round % 6;
        fprintf(w->f, "%" PRId64, range ? range->min + number % (range->max - range->min + 1) : number);
    }
    fprintf(w->f, "</Value></P>");
    w->n++;
    return 0;
}

/* malloc'ed; *ret_n: as many as there are, up to *wanted*. */
static char *set_envelope(const Model *model, size_t wanted, unsigned round, size_t *ret_n) {
    char *text;
    size_t size;
    Wishes w = {open_memstream(&text, &size), 0, wanted, round};

    must(w.f, "no memory");
    fprintf(w.f, HEAD "<c:SetParameterValues><ParameterList>");
    must(model_read(model, NEIGHBOURS, wish, &w) >= 0, "no neighbours");
    fprintf(w.f, "</ParameterList><ParameterKey>%u</ParameterKey></c:SetParameterValues>" TAIL, round);
    must(fclose(w.f) == 0, "no memory");
    *ret_n = w.n;
    return text;
}

static Cost set(Box *box, size_t wanted, size_t *ret_n) {
    static unsigned round;
    Cost least = NOTHING_YET;

    for (unsigned i = 0; i < TIMES; i++) {
        _cleanup_free_ char *envelope = set_envelope(box->model, wanted, ++round, ret_n);
        least = best(least, ask(box, envelope));
        must(strstr(box->sent, "<Status>0</Status>"), "a set was refused");
    }
    return least;
}

/* Rows ----------------------------------------------------------------------------------------------- */

/* The first row of a table goes, and another one comes: there need not be room for more. */
static Cost change_rows(Box *box) {
    Cost gone = ask(box, HEAD "<c:DeleteObject><ObjectName>" NEIGHBOURS
                              "LTECell.1.</ObjectName><ParameterKey/>"
                              "</c:DeleteObject>" TAIL);
    must(strstr(box->sent, "<Status>0</Status>"), "the row was not deleted");
    Cost made = ask(box, HEAD "<c:AddObject><ObjectName>" NEIGHBOURS
                              "LTECell.</ObjectName><ParameterKey/>"
                              "</c:AddObject>" TAIL);
    must(strstr(box->sent, "<InstanceNumber>"), "no row was added");
    return (Cost){gone.wall + made.wall, gone.cpu + made.cpu};
}

/* One size ------------------------------------------------------------------------------------------- */

static void box_open(Box *box, const char *path) {
    static const SoapEvent events[] = {{"0 BOOTSTRAP", ""}, {"1 BOOT", ""}};
    const ModelConfig config = {.commit = commit, .userdata = box};

    *box = (Box){.now = {.mono = USEC_PER_SEC, .real = UINT64_C(1795417689) * USEC_PER_SEC}};
    must(store_open(&box->store, path) == 0, "no store");
    must(model_new(&box->model, &config) == 0, "no memory");
    const SessionConfig session = {.url = "http://hems.example/",
                                   .device = {"Example", "00A0BC", "HeNB", "000001"},
                                   .events = events,
                                   .n_events = ARRAY_SIZE(events),
                                   .model = box->model};
    must(session_new(&box->session, &session, box->now) == 0, "no session");
    drain(box);
}

static void box_close(Box *box) {
    session_free(box->session);
    model_free(box->model);
    store_close(box->store);
    free(box->sent);
}

static size_t heap(void) {
    const struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

static size_t model_bytes(size_t wanted) {
    Model *model;
    size_t before = heap();

    must(model_new(&model, &(ModelConfig){}) == 0, "no memory");
    grow(model, wanted);
    size_t bytes = heap() - before;
    model_free(model);
    return bytes;
}

static Cost read_all(Box *box, size_t parameters) {
    Cost least = NOTHING_YET;

    for (unsigned i = 0; i < TIMES; i++) {
        least = best(least,
                     ask(box, HEAD "<c:GetParameterValues><ParameterNames><string></string></ParameterNames>"
                                   "</c:GetParameterValues>" TAIL));
        must(occurrences(box->sent, "<ParameterValueStruct>") == parameters, "an answer is not whole");
    }
    return least;
}

static Result measure(const char *folder, size_t wanted) {
    char path[256];
    size_t few;
    Box box;

    snprintf(path, sizeof path, "%s/store", folder);
    Result r = {.bytes = model_bytes(wanted)};
    box_open(&box, path);
    r.inform = box.n_sent;
    ask(&box, HEAD "<c:InformResponse><MaxEnvelopes>1</MaxEnvelopes></c:InformResponse>" TAIL);
    grow(box.model, wanted);
    r.parameters = parameters_of(box.model);
    r.read = read_all(&box, r.parameters);
    for (uint32_t i = 0, instance; i < SET_ROWS && wanted < SET_MANY; i++)
        must(model_row_add(box.model, tables[0], &instance) == 0, "no row more");
    r.set_few = set(&box, SET_FEW, &few);
    must(few == SET_FEW, "there are too few to be set");
    r.set_many = set(&box, SET_MANY, &r.n_many);
    r.rows = change_rows(&box);
    box_close(&box);
    unlink(path);
    return r;
}

/* Of what one of them costs. */
static double ratio(double cost, size_t n, double first, size_t n_first) {
    return first > 0 && n > 0 ? cost / (double)n / (first / (double)n_first) : 0;
}

static void print_result(const Result *r, const Result *first) {
    printf(
        "%10zu | %8.2f %8.2f %6.2f | %8.2f %8.2f %6.2f | %6zu %8.2f %8.2f %6.2f | %8.2f %8.2f | %8zu %6.2f\n",
        r->parameters, 1e3 * r->read.wall, 1e3 * r->read.cpu,
        ratio(r->read.cpu, r->parameters, first->read.cpu, first->parameters), 1e3 * r->set_few.wall,
        1e3 * r->set_few.cpu, ratio(r->set_few.cpu, SET_FEW, first->set_few.cpu, SET_FEW), r->n_many,
        1e3 * r->set_many.wall, 1e3 * r->set_many.cpu,
        ratio(r->set_many.cpu, r->n_many, first->set_few.cpu, SET_FEW), 1e3 * r->rows.wall, 1e3 * r->rows.cpu,
        r->bytes / 1024, ratio((double)r->bytes, r->parameters, (double)first->bytes, first->parameters));
}

int main(int argc, char **argv) {
    static const char *const usual[] = {"", "1000", "10000", "50000"};
    char folder[] = "/tmp/bench-cwmp-XXXXXX";
    Result first = {};

    must(mkdtemp(folder), "no folder");
    log_set_level(LOG_WARNING);
    const char *const *sizes = argc > 1 ? (const char *const *)argv : usual;
    int n = argc > 1 ? argc : (int)ARRAY_SIZE(usual);
    printf("%10s | %-24s | %-24s | %-31s | %-17s | %s\n", "", "read all", "set 1000", "set as many as",
           "delete, add a row", "model");
    printf("%10s | %8s %8s %6s | %8s %8s %6s | %6s %8s %8s %6s | %8s %8s | %8s %6s\n", "parameters", "ms",
           "cpu ms", "ratio", "ms", "cpu ms", "ratio", "", "ms", "cpu ms", "ratio", "ms", "cpu ms", "KiB",
           "ratio");
    for (int i = 1; i < n; i++) {
        Result r = measure(folder, strtoul(sizes[i], NULL, 10));
        first = i == 1 ? r : first;
        print_result(&r, &first);
    }
    printf("an Inform: %zu bytes\n", first.inform);
    rmdir(folder);
    return 0;
}
