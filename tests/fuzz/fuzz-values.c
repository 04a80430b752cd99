/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Names and values of a HeMS, and what the store kept of them, for the data model.
 *
 * An input is a list of steps: a letter, a byte of choices, and lines. A name may begin with '#' or '@' and
 * two bytes: one of the parameters or of the objects there are, with row 1 (after '$' and '%': the row that
 * was added last). One model serves all inputs; what one of them has touched is put back behind it, and must
 * then be what it was. */
#include <string.h>

#include "base/log.h"
#include "base/macro.h"
#include "cwmp/fault.h"
#include "cwmp/model-tree.h"
#include "cwmp/value.h"
#include "fuzz.h"

#define STEPS_MAX  6
#define WISHES_MAX 4
#define LARGE      64
#define SEEN_MAX   16 /* of one walk: a step must be cheap */

typedef enum Choice {
    CHOICE_MORE = 3, /* wishes beside the first */
    CHOICE_FAIL = 4, /* the disk is full */
    CHOICE_VETO = 8,
    CHOICE_GIVE_UP = 16, /* after preparing */
    CHOICE_ODD = 32,
} Choice;

typedef struct Input {
    const uint8_t *data, *end;
} Input;

static struct World {
    Model *model;
    size_t n_parameters, n_bytes; /* of the model as it was new */
    unsigned choices;
    uint32_t added;
    size_t changes, seen; /* of this step */
    char names[STEPS_MAX * (WISHES_MAX + 1)][MODEL_NAME_MAX], values[WISHES_MAX][1024];
    size_t n_names;
} world;

static int commit(void *userdata, const ModelChange *changes, size_t n) {
    for (size_t i = 0; i < n; i++)
        MUST(changes[i].name && (changes[i].kind != MODEL_CHANGE_VALUE || changes[i].parameter));
    world.changes += n;
    return world.choices & CHOICE_FAIL ? -ENOSPC : 0;
}

static const char *veto(void *userdata, const ModelChange *change) {
    return world.choices & CHOICE_VETO ? "not here" : NULL;
}

static int live(void *userdata, const char *name, const ModelParameter *parameter, char *buf, size_t size) {
    return world.choices & CHOICE_ODD ? -ENOENT : snprintf(buf, size, "7") < 0;
}

static void noticed(void *userdata, int notification) {
    MUST(notification == 1 || notification == 2);
}

/* What the input says -------------------------------------------------------------------------------- */

_plain_ static unsigned take(Input *in) {
    return in->data < in->end ? *in->data++ : 0;
}

/* Up to the end of the line; what has no room is passed over. */
_plain_ static void take_line(Input *in, char *buf, size_t n, size_t size) {
    for (; in->data < in->end && *in->data != '\n'; in->data++)
        if (n + 1 < size && *in->data != 0)
            buf[n++] = (char)*in->data;
    in->data += in->data < in->end;
    buf[n] = 0;
}

_plain_ static size_t put_template(char *buf, const char *template, uint32_t row) {
    size_t n = 0;
    for (const char *s = template; *s;)
        if (*s == '{') {
            n += (size_t)sprintf(buf + n, "%u", s[4] && strchr(s + 1, '{') ? 1 : row);
            s += 3;
        } else {
            buf[n++] = *s++;
        }
    return n;
}

static const char *take_name(Input *in) {
    char *name = world.names[world.n_names++];
    size_t n = 0;

    unsigned form = in->data < in->end ? *in->data : 0;
    if (form > 0 && strchr("#@$%", (int)form)) {
        unsigned index = (take(in), take(in));
        index |= take(in) << 8;
        const char *template = form == '#' || form == '$' ? model_parameters_[index % model_n_parameters].path
                                                          : model_objects_[index % model_n_objects].path;
        n = put_template(name, template, form == '#' || form == '@' ? 1 : world.added);
    }
    take_line(in, name, n, MODEL_NAME_MAX);
    return name;
}

static const char *take_value(Input *in, size_t i) {
    take_line(in, world.values[i], 0, sizeof world.values[i]);
    return world.values[i];
}

/* A table's name without the "{i}." of its template. */
_plain_ static void cut_row(char *name) {
    size_t n = strlen(name);
    for (n -= n > 0; n > 0 && name[n - 1] >= '0' && name[n - 1] <= '9'; n--)
        ;
    name[n] = 0;
}

static const char *take_table(Input *in) {
    bool whole = in->data < in->end && strchr("@%", *in->data) && *in->data;
    const char *name = take_name(in);
    if (whole)
        cut_row((char *)name);
    return name;
}

/* Reading --------------------------------------------------------------------------------------------- */

static int same_name(void *userdata, const char *name, const ModelParameter *parameter, const char *value) {
    MUST(parameter && streq(name, userdata) && value);
    return 0;
}

/* Whatever is listed can be read. */
static int readable(void *userdata, const char *name, const ModelParameter *parameter, const char *value) {
    size_t n = strlen(name);
    MUST(n > 0 && n < MODEL_NAME_MAX && !parameter == (name[n - 1] == '.') && !parameter == !value);
    if (parameter) {
        MUST(model_read(world.model, name, same_name, (void *)name) == 0);
        MUST(model_parameter(world.model, name) == parameter);
        MUST(!(parameter->flags & MODEL_HIDDEN) || !*value);
    } else {
        ModelPlace place;
        MUST(model_find_place(world.model, name, &place));
    }
    return ++world.seen == SEEN_MAX;
}

static int attributes_fit(void *userdata, const ModelAttributes *a) {
    const ModelAttributes *wish = userdata;
    ModelRef ref;

    MUST(model_find(world.model, a->name, &ref) && a->notification >= 0 && a->notification <= 2);
    MUST(!*a->access || streq(a->access, "Subscriber"));
    if (wish && wish->set_notification && !(ref.parameter->flags & (MODEL_ACTIVE_FORCED | MODEL_CANDENY)))
        MUST(a->notification == wish->notification);
    return ++world.seen == SEEN_MAX;
}

static void read_some(Input *in) {
    const char *path = take_name(in);
    bool next = world.choices & CHOICE_GIVE_UP;
    ModelRef ref;

    int r = model_list(world.model, path, next, readable, NULL);
    MUST(r == 0 || r == 1 || r == FAULT_INVALID_NAME || (next && r == FAULT_INVALID_ARGUMENTS));
    world.seen = 0;
    int read = model_read(world.model, path, readable, NULL);
    MUST((read == FAULT_INVALID_NAME) == (r == FAULT_INVALID_NAME) || r == FAULT_INVALID_ARGUMENTS);
    world.seen = 0;
    int attributes = model_attributes_read(world.model, path, attributes_fit, NULL);
    MUST((read == FAULT_INVALID_NAME) == (attributes == FAULT_INVALID_NAME));
    MUST(!model_is_creatable(world.model, path) || read != FAULT_INVALID_NAME);
    if (!model_find(world.model, path, &ref))
        return;
    MUST(model_is_known(world.model, path) || ref.parameter->flags & MODEL_REPORTED);
    (void)model_get_unsigned(world.model, path);
    (void)model_get_boolean(world.model, path);
    MUST(*model_type_wire(ref.parameter->type));
}

/* A value as it stands fits, in the form it has. */
static void check_stable(const char *name) {
    char why[VALUE_WHY_MAX] = "", time[VALUE_TIME_MAX], *again;
    ModelRef ref;
    int64_t seconds, back;

    if (!model_find(world.model, name, &ref) || !ref.cell->value)
        return;
    MUST(value_canonical(ref.parameter, ref.cell->value, &again, why) == 0);
    MUST(streq(again, ref.cell->value));
    free(again);
    if (ref.parameter->type != MODEL_DATE_TIME || (seconds = model_get_time(world.model, name)) < 0 ||
        seconds > INT64_C(4102444800)) /* 2100 */
        return;
    MUST(value_parse_time(value_format_time(seconds, time), &back) == 0 && back == seconds);
}

_plain_ static size_t parameters_below(const ModelNode *node, size_t most) {
    size_t n = node_object(node)->n;
    for (size_t i = 0; i < node_branches(world.model, node); i++)
        for (size_t k = 0; k < node->branches[i].n && n <= most; k++)
            n += parameters_below(node->branches[i].rows[k], most - n);
    return n;
}

/* Is there so much below it that a walk through all of it is no step? whole_tree() does that. */
static bool is_large(const char *path) {
    ModelPlace place;
    size_t n = 0;

    if (!model_find_place(world.model, path, &place))
        return false;
    for (size_t i = 0; place.branch && i < place.branch->n && n <= LARGE; i++)
        n += parameters_below(place.branch->rows[i], LARGE - n);
    return n + (place.branch ? 0 : parameters_below(place.node, LARGE)) > LARGE;
}

/* Types that no parameter of the model has now. */
static const ModelParameter others[] = {
    {.path = "hex", .name = "hex", .type = MODEL_HEX_BINARY, .item = MODEL_HEX_BINARY, .size = {1, 8}},
    {.path = "list", .name = "list", .type = MODEL_LIST, .item = MODEL_HEX_BINARY, .size = {0, 32}},
};

/* A text as a value of any parameter there is. */
static void judge_value(Input *in) {
    size_t n, index = take(in);
    const ModelParameter *parameters = model_parameters(&n);
    char why[VALUE_WHY_MAX] = "", *value, *again;

    index |= take(in) << 8;
    index %= n + ARRAY_SIZE(others);
    const ModelParameter *p = index < n ? &parameters[index] : &others[index - n];
    int r = value_canonical(p, take_value(in, 0), &value, why);
    if (r != 0) {
        MUST(r == FAULT_INVALID_VALUE && *why && strlen(why) < sizeof why);
        return;
    }
    MUST(value_canonical(p, value, &again, why) == 0 && streq(again, value));
    value_free(again);
    value_free(value);
}

/* Changing -------------------------------------------------------------------------------------------- */

/* All that the names of this input have now, as one number. */
_plain_ static uint64_t world_state(void) {
    uint64_t state = world.model->n_parameters * 31 + world.model->n_bytes;

    for (size_t i = 0; i < world.n_names; i++) {
        ModelRef ref;
        ModelPlace place;
        state = state * 31 + 7;
        if (model_find(world.model, world.names[i], &ref)) {
            for (const char *s = cell_value(ref.cell, ref.parameter); *s; s++)
                state = state * 131 + (unsigned char)*s;
            state = state * 31 + ref.cell->notification + 8 * ref.cell->notification_set +
                    16 * ref.cell->access_set + 32 * ref.cell->access_none;
            MUST(!ref.cell->named);
        } else if (model_find_place(world.model, world.names[i], &place) && place.branch) {
            state = state * 31 + place.branch->n * 7 + place.branch->last;
        }
    }
    return state;
}

_plain_ static void check_faults(const ModelSet *sets, size_t n, const ModelFault *faults, size_t n_faults) {
    for (size_t i = 0; i < n_faults; i++) {
        bool found = false;
        for (size_t k = 0; k < n; k++)
            found |= faults[i].name == sets[k].name;
        MUST(found && faults[i].code >= 9000 && *faults[i].text);
    }
}

static void set_some(Input *in) {
    ModelSet sets[WISHES_MAX];
    ModelOutcome outcome = {};
    ModelFault *faults;
    ModelTransaction *t;
    size_t n_faults, n = 0, changes;

    do {
        sets[n].name = take_name(in);
        sets[n].value = take_value(in, n);
        sets[n].type = world.choices & CHOICE_ODD ? "int" : "";
    } while (++n < WISHES_MAX && n <= (world.choices & CHOICE_MORE) && in->data < in->end);
    const char *key = n > 1 ? sets[1].value : "";
    uint64_t before = world_state();
    int r = model_prepare_set(world.model, sets, n, key, &t, &faults, &n_faults);
    MUST(r == 0 || r == FAULT_INVALID_ARGUMENTS || r == FAULT_RESOURCES_EXCEEDED);
    check_faults(sets, n, faults, n_faults);
    free(faults);
    MUST(world_state() == before);
    if (r == 0) {
        MUST(model_transaction_changes(t, &changes) || changes == 0);
        if (world.choices & CHOICE_GIVE_UP)
            model_transaction_free(t);
        r = world.choices & CHOICE_GIVE_UP ? FAULT_INTERNAL_ERROR : model_commit(world.model, t, &outcome);
        MUST(r == 0 || r == FAULT_INTERNAL_ERROR);
    }
    MUST(r == 0 || world_state() == before);
    if (r != 0)
        return;
    /* The same again is accepted and changes nothing. */
    before = world_state();
    MUST(model_set(world.model, sets, n, key, &outcome, &faults, &n_faults) == 0);
    MUST(outcome.topics_changed == 0 && world_state() == before);
    for (size_t i = 0; i < n; i++)
        check_stable(sets[i].name);
}

static void add_row(Input *in) {
    const char *table = take_table(in);
    ModelOutcome outcome;
    ModelTransaction *t;
    uint32_t instance;
    ModelPlace place;

    uint64_t before = world_state();
    int r = model_prepare_add(world.model, table, world.choices & CHOICE_ODD ? take_value(in, 0) : "", &t,
                              &instance);
    if (r == 0 && world.choices & CHOICE_GIVE_UP) {
        model_transaction_free(t);
        r = -1;
    }
    if (r == 0)
        r = model_commit(world.model, t, &outcome);
    if (r != 0) {
        MUST(world_state() == before);
        return;
    }
    char *row = world.names[world.n_names++];
    snprintf(row, MODEL_NAME_MAX, "%s%u.", table, instance);
    MUST(model_find_place(world.model, row, &place) && !place.branch && place.node->instance == instance);
    MUST(model_is_creatable(world.model, table));
    world.added = instance;
}

static void delete_row(Input *in) {
    const char *row = take_name(in);
    ModelOutcome outcome;
    ModelTransaction *t;
    ModelPlace place;

    uint64_t before = world_state();
    int r = model_prepare_delete(world.model, row, world.choices & CHOICE_ODD ? take_value(in, 0) : "", &t);
    if (r == 0 && world.choices & CHOICE_GIVE_UP) {
        model_transaction_free(t);
        r = -1;
    }
    if (r == 0)
        r = model_commit(world.model, t, &outcome);
    if (r != 0)
        MUST(world_state() == before);
    else
        MUST(!model_find_place(world.model, row, &place));
}

/* Others take away or add what a transaction was prepared for. */
static void commit_late(Input *in) {
    const char *path = take_table(in), *name = take_name(in);
    const ModelSet set = {name, take_value(in, 0), ""};
    ModelTransaction *first = NULL, *second = NULL;
    ModelFault *faults;
    ModelOutcome outcome;
    uint32_t instance;
    size_t n;

    int r = model_prepare_add(world.model, path, "", &first, &instance);
    if (r == 0)
        r = model_row_add(world.model, path, &instance);
    if (r == 0 && model_commit(world.model, TAKE_PTR(first), &outcome) != FAULT_INTERNAL_ERROR)
        MUST(false);
    model_transaction_free(first);
    r = model_prepare_set(world.model, &set, 1, "", &first, &faults, &n);
    free(faults);
    char *row = world.names[world.n_names++];
    snprintf(row, MODEL_NAME_MAX, "%s1.", path);
    if (r == 0 && model_prepare_delete(world.model, row, "", &second) == 0)
        MUST(model_row_remove(world.model, row) == 0 &&
             model_commit(world.model, second, &outcome) == FAULT_INTERNAL_ERROR);
    if (r == 0)
        (void)model_commit(world.model, first, &outcome);
}

static void set_attributes(Input *in) {
    ModelAttributes wishes[WISHES_MAX];
    size_t n = 0;

    do {
        unsigned what = take(in);
        ModelAttributes *a = &wishes[n];
        *a = (ModelAttributes){.set_notification = what & 1,
                               .notification = (what >> 2 & 3) - (what >> 5 & 1)};
        a->set_access = what & 2;
        a->name = take_name(in);
        a->access = a->set_access ? take_value(in, n) : "";
    } while (++n < WISHES_MAX && n <= (world.choices & CHOICE_MORE) && in->data < in->end);
    for (size_t i = 0; i < n; i++)
        if (is_large(wishes[i].name))
            return;
    uint64_t before = world_state();
    int r = model_attributes_set(world.model, wishes, n);
    MUST(r >= 0 && (r == 0 || world_state() == before));
    if (r == 0 && n == 1)
        MUST(model_attributes_read(world.model, wishes[0].name, attributes_fit, &wishes[0]) <= 1);
}

/* What the store kept. */
static void put_kept(Input *in) {
    const bool rows = world.choices & CHOICE_GIVE_UP;
    const char *name = rows ? take_table(in) : take_name(in), *text = take_value(in, 0);

    uint64_t before = world_state();
    int r = rows                          ? model_put_instances(world.model, name, text)
            : world.choices & CHOICE_MORE ? model_put(world.model, name, text)
                                          : model_put_attribute(world.model, name, text);
    MUST(r == 0 || (r > 0 && world_state() == before));
    if (r == 0)
        check_stable(name);
}

/* What the box itself says. */
static void report(Input *in) {
    const char *name = take_name(in), *value = take_value(in, 0);
    uint32_t instance;

    if (world.choices & CHOICE_GIVE_UP) {
        cut_row((char *)name);
        if (model_row_add(world.model, name, &instance) == 0) {
            char row[MODEL_NAME_MAX + 16];
            snprintf(row, sizeof row, "%s%u.", name, instance);
            MUST(model_row_remove(world.model, row) == 0 && model_row_remove(world.model, row) == -ENOENT);
        }
        return;
    }
    uint64_t before = world_state();
    int r = model_report(world.model, name, value);
    MUST(r == 0 || world_state() == before);
    if (r == 0)
        MUST(model_is_known(world.model, name) == (*value != 0));
    world.seen = 0;
    if (world.choices & CHOICE_ODD && !is_large(name))
        (void)model_read_reported(world.model, name, readable, NULL);
}

/* All of the tree ------------------------------------------------------------------------------------- */

static int count(void *userdata, const char *name, const ModelParameter *parameter, const char *value) {
    return (*(size_t *)userdata)++, 0;
}

static int count_attributes(void *userdata, const ModelAttributes *attributes) {
    return (*(size_t *)userdata)++, 0;
}

static int read_again(void *userdata, const char *name, const ModelParameter *parameter, const char *value) {
    *(size_t *)userdata += parameter != NULL;
    world.seen = 0;
    return MIN(readable(NULL, name, parameter, value), 0);
}

/* What the steps are too cheap for, on a model of its own. */
static void whole_tree(void) {
    static const char url[] = "Device.ManagementServer.URL";
    Model *const shared = world.model;
    size_t n = 0, listed = 0, forced = 0, changed = 0;
    const ModelConfig config = {.commit = commit, .live = live};

    world.choices = 0;

    MUST(model_new(&world.model, &config) == 0);
    MUST(model_read(world.model, "", count, &n) == 0 && n == world.model->n_parameters);
    MUST(model_list(world.model, "Device.", false, read_again, &listed) == 0 && listed == n);
    MUST(model_read_forced(world.model, count, &forced) == 0 && forced > 0);
    MUST(model_attributes_set(world.model, &(ModelAttributes){"", true, 2, true, "Subscriber"}, 1) == 0);
    n = 0;
    MUST(model_attributes_read(world.model, "", count_attributes, &n) == 0 && n == listed);
    model_watch(world.model);
    MUST(model_put(world.model, url, "http://h/") == 0 && model_put(world.model, url, "http://i/") == 0);
    MUST(model_read_changed(world.model, count, &changed) == 0 && changed == 1);
    model_changes_delivered(world.model);
    MUST(model_read_changed(world.model, count, &changed) == 0 && changed == 1);
    world.choices = CHOICE_FAIL;
    MUST(model_attributes_reset(world.model) == -ENOSPC);
    world.choices = 0;
    MUST(model_attributes_reset(world.model) == 0);
    model_free(world.model);
    model_free(NULL);
    world.model = shared;
}

/* Putting back ---------------------------------------------------------------------------------------- */

_plain_ static void reset_cell(const ModelRef *ref) {
    char *kept = ref->parameter->flags & MODEL_COUNT ? ref->cell->value : NULL;

    if (ref->cell->value && !kept) {
        world.model->n_bytes -= strlen(ref->cell->value);
        value_free(ref->cell->value);
    }
    *ref->cell = (ModelCell){.value = kept};
}

_plain_ static void reset_node(ModelNode *node) {
    for (size_t i = 0; i < node_object(node)->n; i++)
        reset_cell(&(ModelRef){node, &node->cells[i], node_parameter(node, i)});
    for (size_t i = 0; i < node_branches(world.model, node); i++)
        for (size_t k = 0; k < node->branches[i].n; k++)
            reset_node(node->branches[i].rows[k]);
}

_plain_ static void reset_table(const char *table, const ModelPlace *place) {
    const ModelObject *object = &model_objects_[place->branch->object];

    if (place->branch->n == object->initial && place->branch->last == object->initial)
        return;
    while (place->branch->n > 0) {
        ModelNode *row = place->branch->rows[0];
        branch_detach(world.model, place->node, place->branch, row, false);
        node_free(world.model, row);
    }
    place->branch->last = 0;
    for (uint32_t i = 0, instance; i < object->initial; i++)
        MUST(model_row_add(world.model, table, &instance) == 0);
    for (size_t i = 0; i < node_object(place->node)->n && object->initial == 0; i++) {
        ModelCell *cell = &place->node->cells[i];
        const ModelParameter *p = node_parameter(place->node, i);
        if (!(p->flags & MODEL_COUNT) || p->counted != place->branch->object || !cell->value)
            continue;
        world.model->n_bytes -= strlen(cell->value);
        value_free(TAKE_PTR(cell->value));
    }
}

_plain_ static void put_back(const char *name) {
    char part[MODEL_NAME_MAX];
    ModelPlace place;
    ModelRef ref;

    for (const char *dot = strchr(name, '.'); dot; dot = strchr(dot + 1, '.')) {
        size_t n = (size_t)(dot - name) + 1;
        memcpy(part, name, n);
        part[n] = 0;
        if (!model_find_place(world.model, part, &place))
            break;
        if (place.branch)
            reset_table(part, &place);
    }
    if (model_find(world.model, name, &ref))
        reset_cell(&ref);
    else if (model_find_place(world.model, name, &place) && !is_large(name)) {
        for (size_t i = 0; place.branch && i < place.branch->n; i++)
            reset_node(place.branch->rows[i]);
        if (!place.branch)
            reset_node(place.node);
    }
}

static void step(Input *in) {
    S1Config s1;
    unsigned letter = take(in);

    world.choices = take(in);
    world.seen = world.changes = 0;
    switch (letter) {
    case 'S':
        return set_some(in);
    case 'A':
        return add_row(in);
    case 'D':
        return delete_row(in);
    case 'N':
        return set_attributes(in);
    case 'K':
        return put_kept(in);
    case 'P':
        return report(in);
    case 'L':
        return commit_late(in);
    case 'V':
        return judge_value(in);
    case 'R':
        return read_some(in);
    case '1':
        model_s1(world.model, &s1);
        MUST(s1.mme.n <= MME_MAX && *s1.connection_mode);
        return;
    }
    in->data = in->end;
}

static void begin(void) {
    const ModelConfig config = {.commit = commit, .veto = veto, .live = live, .noticed = noticed};

    log_set_level(LOG_EMERG);
    MUST(model_new(&world.model, &config) == 0);
    model_watch(world.model);
    world.n_parameters = world.model->n_parameters;
    world.n_bytes = world.model->n_bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Input in = {data, data + size};

    if (!world.model)
        begin();
    if (size == 1 && *data == 'W')
        whole_tree();
    world.n_names = 0;
    world.added = 1;
    for (size_t i = 0; i < STEPS_MAX && in.data < in.end; i++)
        step(&in);
    put_back("Device.ManagementServer.ParameterKey");
    for (size_t i = 0; i < world.n_names; i++)
        put_back(world.names[i]);
    MUST(world.model->n_parameters == world.n_parameters && world.model->n_bytes == world.n_bytes);
    return 0;
}
