/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Once time is abstracted, the procedure is finite: every state it can reach is visited, by every event that
 * can come there, and what must always hold is checked in each. The engine's source is included, since what
 * makes two states the same is inside of it. */
#include "../agent/discovery/procedure.c"

#include <check.h>

#include "suite.h"

#define STATES_MAX 4000000
#define GOOD_STEPS 80 /* more than the longest way to `registered` in a good world */
#define NOW        (1000 * USEC_PER_SEC)

static const Moment now = {.mono = NOW, .real = NOW};

/* The same everywhere: waits have their least length, which is a length. */
static void zero_fill(void *userdata, void *ret, size_t size) {
    memset(ret, 0, size);
}
static const Rng rng = {.fill = zero_fill};

/* What the world around the procedure does, as its actions say. */
typedef struct World {
    bool asked, building, tunnel, session, accepted;
    bool reached; /* the point of 5.1.3 with the HeMS of now: it set an MME, or its session ended well */
} World;

/* What tells two states apart: everything that decides about what comes next. */
typedef struct Key {
    World world;
    uint8_t step, failed, site, sites_failed, learned, hems, tunnel_to;
    uint8_t segws, hems_known, segw, segw_index, hems_index, tries, handover, silent;
    uint8_t network, tunnel, session, due, location, confirmed, outcome, ticks;
    uint8_t word_n, word_open, word_index, word_names, published_n, ages;
} Key;

typedef struct State {
    Procedure procedure;
    World world;
} State;

/* Everything the world may have to say. */
typedef struct Stimulus {
    const char *name;
    ProcedureEvent
        event;  /* EVENT_NONE: time passes, until the deadline or, with *ages*, until no answer holds */
    bool fails; /* an answer that is a failure: a world of only these must come to a wait */
    bool ages;
} Stimulus;

#define SEGW_INITIAL "segw.initial.example"
#define SEGW_SERVING "segw.serving.example"
#define SEGW_SECOND  "segw2.serving.example"
#define HEMS_INITIAL "hems.initial.example"
#define HEMS_SERVING "hems.serving.example"
#define MME_NAME     "mme.serving.example"

static Site assigned_site, moved_site, same_site, beside_site;
static S1Config s1_none, s1_literal, s1_name;
static AddressList one, two, inside;

static Site site_make(const char *segw, const char *second, const char *hems) {
    Site site = {};
    const char *segws[] = {segw, second};
    for (size_t i = 0; i < ARRAY_SIZE(segws) && segws[i]; i++)
        snprintf(site.segws[site.n_segws++], sizeof site.segws[0], "%s", segws[i]);
    snprintf(site.hems_url, sizeof site.hems_url, segw ? "http://%s:7547/" : "https://%s/", hems);
    return site;
}

static S1Config s1_make(const char *entry) {
    S1Config s1 = {.connection_mode = "One", .admin_state = true};
    if (entry) {
        s1.mme.n = 1;
        snprintf(s1.mme.items[0].entry, sizeof s1.mme.items[0].entry, "%s", entry);
        answer_literal(entry, &s1.mme.items[0].addresses);
    }
    return s1;
}

static void world_make(void) {
    assigned_site = site_make(SEGW_SERVING, SEGW_SECOND, HEMS_SERVING);
    moved_site = site_make(SEGW_INITIAL, NULL, HEMS_SERVING);
    same_site = site_make(SEGW_INITIAL, NULL, HEMS_INITIAL);
    beside_site = site_make(SEGW_SECOND, NULL, HEMS_INITIAL);
    s1_none = s1_make(NULL);
    s1_literal = s1_make("10.0.0.20");
    s1_name = s1_make(MME_NAME);
    one = inside = (AddressList){.n = 1, .items = {address("10.0.0.1")}};
    two = (AddressList){.n = 2, .items = {address("10.0.0.1"), address("10.0.0.2")}};
}

/* Filled once world_make() has run. */
static size_t stimuli(Stimulus ret[static 40]) {
    const Stimulus all[] = {
        {"start", {.type = EVENT_START}},
        {"network up", {.type = EVENT_NETWORK_UP}},
        {"network down", {.type = EVENT_NETWORK_DOWN}},
        {"other DNS servers", {.type = EVENT_DNS_CHANGED}},
        {"resolved", {.type = EVENT_RESOLVED, .addresses = &one, .ttl = ANSWER_TTL_MAX}},
        {"two addresses", {.type = EVENT_RESOLVED, .addresses = &two, .ttl = ANSWER_TTL_MAX}},
        {"NXDOMAIN", {.type = EVENT_RESOLVED, .text = "", .absent = true}, .fails = true},
        {"DNS is silent", {.type = EVENT_RESOLVED, .text = "", .silent = true}, .fails = true},
        {"SERVFAIL", {.type = EVENT_RESOLVED, .text = ""}, .fails = true},
        {"tunnel up", {.type = EVENT_TUNNEL_UP, .addresses = &inside}},
        {"tunnel down", {.type = EVENT_TUNNEL_DOWN, .text = ""}, .fails = true},
        {"uplink moved", {.type = EVENT_TUNNEL_DOWN, .text = "", .moved = true}},
        {"location", {.type = EVENT_LOCATION}},
        {"InformResponse", {.type = EVENT_SESSION_ACCEPTED}},
        {"MME set", {.type = EVENT_SESSION_ANSWERED, .s1 = &s1_literal, .mme_set = true}},
        {"MME set by name", {.type = EVENT_SESSION_ANSWERED, .s1 = &s1_name, .mme_set = true}},
        {"MME cleared", {.type = EVENT_SESSION_ANSWERED, .s1 = &s1_none, .mme_set = true}},
        {"AdminState set", {.type = EVENT_SESSION_ANSWERED, .s1 = &s1_literal}},
        {"ended", {.type = EVENT_SESSION_ENDED, .s1 = &s1_literal}},
        {"ended without MME", {.type = EVENT_SESSION_ENDED, .s1 = &s1_none}},
        {"ended, assigned", {.type = EVENT_SESSION_ENDED, .s1 = &s1_name, .site = &assigned_site}},
        {"ended, moved", {.type = EVENT_SESSION_ENDED, .s1 = &s1_literal, .site = &moved_site}},
        {"ended, to stay", {.type = EVENT_SESSION_ENDED, .s1 = &s1_literal, .site = &same_site}},
        {"ended, another SeGW", {.type = EVENT_SESSION_ENDED, .s1 = &s1_literal, .site = &beside_site}},
        {"broken", {.type = EVENT_SESSION_ENDED, .text = ""}, .fails = true},
        {"unreached", {.type = EVENT_SESSION_UNREACHED, .text = ""}, .fails = true},
        {"unreached, silent", {.type = EVENT_SESSION_UNREACHED, .text = "", .silent = true}, .fails = true},
        {"session due", {.type = EVENT_SESSION_DUE}},
        {"reconnect", {.type = EVENT_RECONNECT}},
        {"deregistered", {.type = EVENT_DEREGISTERED}},
        {"time", {.type = EVENT_NONE}},
        {"age", {.type = EVENT_NONE}, .ages = true},
    };
    memcpy(ret, all, sizeof all);
    return ARRAY_SIZE(all);
}

/* Can it come now? Answers come only where something was asked. */
static bool possible(const State *s, const Stimulus *stimulus) {
    const World *w = &s->world;
    switch (stimulus->event.type) {
    case EVENT_START:
        return s->procedure.step == STEP_IDLE || s->procedure.step == STEP_DEREGISTERED;
    case EVENT_NETWORK_UP:
        return !s->procedure.network;
    case EVENT_NETWORK_DOWN:
        return s->procedure.network;
    case EVENT_RESOLVED:
        return w->asked;
    case EVENT_TUNNEL_UP:
        return w->building;
    case EVENT_TUNNEL_DOWN:
        return w->building || w->tunnel;
    case EVENT_SESSION_ACCEPTED:
    case EVENT_SESSION_UNREACHED:
        return w->session && !w->accepted;
    case EVENT_SESSION_ANSWERED:
        return w->session && w->accepted;
    case EVENT_SESSION_ENDED:
        return w->session && (w->accepted || stimulus->event.text);
    case EVENT_SESSION_DUE:
        return procedure_view(&s->procedure).waits_for_session;
    case EVENT_LOCATION:
    case EVENT_DNS_CHANGED:
    case EVENT_RECONNECT:
        return true;
    case EVENT_DEREGISTERED:
        return s->procedure.step != STEP_IDLE && s->procedure.step != STEP_DEREGISTERED;
    case EVENT_NONE:
        return stimulus->ages || s->procedure.deadline != USEC_NEVER;
    }
    return false;
}

/* Late answers come too, and change nothing. */
static bool awaited(const State *s, const Stimulus *stimulus) {
    return stimulus->event.type != EVENT_RESOLVED || table[s->procedure.step].event == EVENT_RESOLVED;
}

/* May the public DNS hear this name? Of HeMSs only that of 5.1.2.4, of MMEs none. */
static bool is_public_name(const Procedure *p, const char *name) {
    return streq(name, SEGW_INITIAL) || streq(name, SEGW_SERVING) || streq(name, SEGW_SECOND) ||
           (streq(name, HEMS_INITIAL) && !is_private(p) && is_initial(p));
}

/* One action, as the world takes it; what is wrong with it, or NULL. */
static const char *act(State *s, const ProcedureAction *a) {
    World *w = &s->world;
    const Procedure *p = &s->procedure;

    if (p->step == STEP_DEREGISTERED && a->type != ACTION_CLOSE)
        return "something is sent though de-registered";
    switch (a->type) {
    case ACTION_RESOLVE:
        w->asked = true;
        if (a->side == RESOLVER_PRIVATE && !w->tunnel)
            return "the private DNS is asked without a tunnel";
        if (a->side == RESOLVER_PUBLIC && !is_public_name(p, a->name))
            return "a private name goes to the public DNS";
        return NULL;
    case ACTION_HEMS:
        w->reached = false;
        return w->session ? "the HeMS changes under a session" : NULL;
    case ACTION_MOVED:
        w->reached = w->reached && p->confirmed;
        return NULL;
    case ACTION_TUNNEL:
        if (w->tunnel || w->building)
            return "a second tunnel";
        w->building = true;
        return NULL;
    case ACTION_CLOSE:
        *w = (World){.reached = w->reached};
        return NULL;
    case ACTION_SESSION:
        if (w->session)
            return "a second session";
        if (a->outside ? is_private(p) || !is_initial(p) : !w->tunnel)
            return "a session on the wrong side";
        if (!streq(a->name, site_of(p)->hems_url))
            return "a session with another HeMS";
        w->session = true;
        w->accepted = false;
        return NULL;
    case ACTION_SESSION_MISSED:
        return w->session ? "a session that runs is missed" : NULL;
    }
    return "no action";
}

static const char *invariant(const State *s) {
    ProcedureView view = procedure_view(&s->procedure);
    const World *w = &s->world;

    if ((view.s1->mme.n > 0) != (view.state == AGENT_REGISTERED))
        return "Mme and registered do not go together";
    if (view.s1->mme.n > 0 && !w->tunnel)
        return "Mme without a tunnel";
    if (view.s1->mme.n > 0 && !w->reached)
        return "Mme before the Serving HeMS has spoken";
    if (w->tunnel != s->procedure.tunnel || w->session != s->procedure.session)
        return "the procedure is wrong about its tunnel or session";
    if (s->procedure.deadline != USEC_NEVER && s->procedure.deadline <= now.mono)
        return "a wait without length";
    if (s->procedure.step == STEP_DEREGISTERED && (w->tunnel || w->building || w->session))
        return "de-registered with a tunnel or a session";
    return NULL;
}

/* What the world itself makes of its own news. */
static void world_hears(State *s, const Stimulus *stimulus) {
    World *w = &s->world;
    const ProcedureEvent *e = &stimulus->event;
    switch (e->type) {
    case EVENT_RESOLVED:
        w->asked = false;
        return;
    case EVENT_TUNNEL_UP:
        w->building = false;
        w->tunnel = true;
        return;
    case EVENT_TUNNEL_DOWN: /* its resolver and its session end with it */
        *w = (World){.reached = w->reached, .asked = w->asked && !w->tunnel};
        return;
    case EVENT_SESSION_ACCEPTED:
        w->accepted = true;
        return;
    case EVENT_SESSION_ANSWERED:
        w->reached |= e->mme_set && !is_initial(&s->procedure);
        return;
    case EVENT_SESSION_ENDED:
        w->session = w->accepted = false;
        /* Also with the Initial HeMS: where it turns out to be the Serving one (same URL), this was its
         * session; where not, ACTION_HEMS takes it back. */
        w->reached |= !e->text && (!is_initial(&s->procedure) || e->site);
        return;
    case EVENT_SESSION_UNREACHED:
        w->session = false;
        return;
    default:
        return;
    }
}

/* All answers have grown old. */
static void age(Procedure *p) {
    for (size_t i = 0; i < SITE_SEGWS_MAX; i++)
        if (p->segws[i].expires != USEC_NEVER)
            p->segws[i].expires = now.mono;
    if (p->hems.expires != USEC_NEVER)
        p->hems.expires = now.mono;
    if (p->far_end.expires != USEC_NEVER)
        p->far_end.expires = now.mono;
}

static const char *apply(State *s, const Stimulus *stimulus) {
    ProcedureAction action;
    const char *wrong = NULL;
    bool initial = is_initial(&s->procedure);
    bool unsaid = s->procedure.step == STEP_HANDOVER_DNS && stimulus->event.type == EVENT_RESOLVED &&
                  stimulus->event.text && !stimulus->event.absent;

    world_hears(s, stimulus);
    if (stimulus->ages)
        age(&s->procedure);
    else if (stimulus->event.type == EVENT_NONE) {
        s->procedure.deadline = now.mono;
        procedure_tick(&s->procedure, now);
    } else
        procedure_event(&s->procedure, now, &stimulus->event);
    while (!wrong && procedure_next(&s->procedure, &action)) {
        wrong = act(s, &action);
        if (unsaid && action.type == ACTION_RESOLVE)
            wrong = "the public DNS is asked though the private one said nothing";
    }
    if (stimulus->event.type == EVENT_SESSION_ENDED && initial && is_initial(&s->procedure))
        s->world.reached = false; /* it assigned nothing */
    return wrong ? wrong : invariant(s);
}

static uint8_t answer_key(const Answer *answer) {
    return answer->list.n == 0 || answer->expires <= now.mono ? 0 : (uint8_t)answer->list.n;
}

static uint8_t name_key(const char *name) {
    static const char *const names[] = {"", SEGW_INITIAL, SEGW_SERVING, SEGW_SECOND};
    for (uint8_t i = 0; i < ARRAY_SIZE(names); i++)
        if (streq(names[i], name))
            return i;
    return 255;
}

static Key key_of(const State *s) {
    const Procedure *p = &s->procedure;
    const Site *learned = &p->config.sites.items[SITE_LEARNED];
    Key k;

    memset(&k, 0, sizeof k);
    k.world = s->world;
    /* What nobody looks at any more makes no difference. */
    k.world.asked = s->world.asked && table[p->step].event == EVENT_RESOLVED;
    k.step = (uint8_t)p->step;
    k.failed = p->step == STEP_WAIT ? (uint8_t)table[p->failed].row.resolver : 0;
    k.site = (uint8_t)p->config.sites.current;
    k.sites_failed = (uint8_t)p->config.sites.failed;
    k.learned = learned->n_segws == 0 ? 0
                                      : (uint8_t)(1 + 2 * name_key(learned->segws[0]) +
                                                  (strstr(learned->hems_url, HEMS_INITIAL) != NULL));
    k.hems = p->hems_url[0] == 0 ? 0 : strstr(p->hems_url, HEMS_INITIAL) ? 1 : 2;
    k.tunnel_to = p->tunnel || s->world.building ? name_key(p->tunnel_to) : 0;
    for (size_t i = 0; i < site_of(p)->n_segws; i++)
        k.segws = (uint8_t)(k.segws * 3 + answer_key(&p->segws[i]));
    k.hems_known = answer_key(&p->hems);
    k.hems_index = table[p->step].event == EVENT_SESSION_ACCEPTED ? (uint8_t)p->hems_index : 0;
    k.segw = (uint8_t)p->segw;
    k.segw_index = (uint8_t)p->segw_index;
    k.tries = (uint8_t)p->tries;
    k.handover = p->step == STEP_HANDOVER_DNS ? (uint8_t)p->handover : 0;
    k.silent = p->tunnel ? (uint8_t)p->silent : 0;
    k.network = p->network;
    k.tunnel = p->tunnel;
    k.session = p->session;
    k.due = p->due;
    k.location = p->config.wait_for_location > 0 && p->location;
    k.confirmed = p->confirmed;
    k.outcome = (uint8_t)p->outcome;
    k.ticks = p->deadline != USEC_NEVER;
    k.published_n = (uint8_t)p->far_end.published.mme.n;
    k.word_index = p->step == STEP_MME_DNS ? (uint8_t)p->far_end.index : 0;
    if (!p->confirmed)
        return k;
    k.word_n = (uint8_t)p->far_end.word.mme.n;
    k.word_names = k.word_n && streq(p->far_end.word.mme.items[0].entry, MME_NAME);
    k.word_open = k.word_n && p->far_end.word.mme.items[0].addresses.n == 0;
    k.ages = p->far_end.expires == USEC_NEVER ? 0 : p->far_end.expires <= now.mono ? 1 : 2;
    return k;
}

/* The set of keys, open addressing; an index for each. */
static Key *keys;
static uint32_t *slots, n_keys;
#define SLOTS (1u << 23)

static uint32_t key_slot(const Key *k) {
    uint64_t h = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < sizeof *k; i++)
        h = (h ^ ((const uint8_t *)k)[i]) * UINT64_C(1099511628211);
    uint32_t slot = (uint32_t)(h >> 20) % SLOTS;
    while (slots[slot] && memcmp(&keys[slots[slot] - 1], k, sizeof *k) != 0)
        slot = (slot + 1) % SLOTS;
    return slot;
}

/* The state's number; *ret_new says whether it was seen for the first time. */
static uint32_t key_number(const Key *k, bool *ret_new) {
    uint32_t slot = key_slot(k);
    *ret_new = slots[slot] == 0;
    if (*ret_new) {
        ck_assert_uint_lt(n_keys, STATES_MAX);
        keys[n_keys] = *k;
        slots[slot] = ++n_keys;
    }
    return slots[slot] - 1;
}

/* States to go on from. */
typedef struct Todo {
    struct Todo *next;
    uint32_t number;
    State state;
} Todo;

static Todo *spare; /* they are large, and there are many in turn */

static Todo *todo_take(void) {
    Todo *todo = spare;
    if (todo)
        spare = todo->next;
    else
        todo = malloc(sizeof *todo);
    ck_assert_ptr_nonnull(todo);
    return todo;
}

static void todo_give(Todo *todo) {
    todo->next = spare;
    spare = todo;
}

/* Edges of the world in which every answer is a failure. */
static struct { uint32_t from, to; } * edges;
static size_t n_edges, edges_room;

static void edge_add(uint32_t from, uint32_t to) {
    if (n_edges == edges_room) {
        edges_room = edges_room ? 2 * edges_room : 65536;
        edges = realloc(edges, edges_room * sizeof *edges);
        ck_assert_ptr_nonnull(edges);
    }
    edges[n_edges].from = from;
    edges[n_edges++].to = to;
}

/* Kahn: takes away what nothing leads to; what is left then is a cycle. */
static void no_cycle_without_a_delay(const char *what) {
    uint32_t *degree = calloc(n_keys, sizeof *degree), *first = calloc(n_keys + 1, sizeof *first),
             *to = calloc(n_edges + 1, sizeof *to), *stack = calloc(n_keys + 1, sizeof *stack);
    size_t gone = 0, depth = 0;

    for (size_t i = 0; i < n_edges; i++) {
        first[edges[i].from + 1]++;
        degree[edges[i].to]++;
    }
    for (uint32_t i = 0; i < n_keys; i++)
        first[i + 1] += first[i];
    uint32_t *fill = calloc(n_keys + 1, sizeof *fill);
    for (size_t i = 0; i < n_edges; i++)
        to[first[edges[i].from] + fill[edges[i].from]++] = edges[i].to;
    for (uint32_t i = 0; i < n_keys; i++)
        if (degree[i] == 0)
            stack[depth++] = i;
    while (depth > 0) {
        uint32_t i = stack[--depth];
        gone++;
        for (uint32_t j = first[i]; j < first[i + 1]; j++)
            if (--degree[to[j]] == 0)
                stack[depth++] = to[j];
    }
    ck_assert_msg(gone == n_keys, "%s: %zu states fail in a circle without a delay", what, n_keys - gone);
    free(degree);
    free(first);
    free(to);
    free(stack);
    free(fill);
}

/* What a good world says next. */
static ProcedureEvent good(const State *s) {
    const World *w = &s->world;
    bool serving = !is_initial(&s->procedure);

    if (s->procedure.step == STEP_IDLE)
        return (ProcedureEvent){.type = EVENT_START};
    if (!s->procedure.network)
        return (ProcedureEvent){.type = EVENT_NETWORK_UP};
    if (w->asked)
        return (ProcedureEvent){.type = EVENT_RESOLVED, .addresses = &one, .ttl = ANSWER_TTL_MAX};
    if (w->building)
        return (ProcedureEvent){.type = EVENT_TUNNEL_UP, .addresses = &inside};
    if (w->session && !w->accepted)
        return (ProcedureEvent){.type = EVENT_SESSION_ACCEPTED};
    if (w->session && serving)
        return (ProcedureEvent){.type = EVENT_SESSION_ENDED, .s1 = &s1_literal};
    if (w->session)
        return (ProcedureEvent){.type = EVENT_SESSION_ENDED, .s1 = &s1_literal, .site = &assigned_site};
    if (procedure_view(&s->procedure).waits_for_session)
        return (ProcedureEvent){.type = EVENT_SESSION_DUE};
    return (ProcedureEvent){.type = EVENT_NONE};
}

static bool is_done(const State *s) {
    AgentState state = procedure_view(&s->procedure).state;
    return state == AGENT_REGISTERED || state == AGENT_DEREGISTERED;
}

static const char *heals(const State *from) {
    State s = *from;
    for (int i = 0; i < GOOD_STEPS && !is_done(&s); i++) {
        Stimulus next = {.event = good(&s)};
        if (next.event.type == EVENT_NONE && s.procedure.deadline == USEC_NEVER)
            return "waits for nothing";
        const char *wrong = apply(&s, &next);
        if (wrong)
            return wrong;
    }
    return is_done(&s) ? NULL : "a good world does not lead to `registered`";
}

/* Visits all there is from *config* on. */
static void explore(const char *what, const ProcedureConfig *config) {
    Stimulus all[40];
    size_t n = stimuli(all), transitions = 0;
    unsigned long seen_steps[STEPS_] = {};
    Procedure *p;
    bool is_new;

    memset(slots, 0, SLOTS * sizeof *slots);
    n_keys = 0;
    n_edges = 0;
    ck_assert_int_eq(procedure_new(&p, config, &rng), 0);
    Todo *todo = todo_take();
    *todo = (Todo){};
    todo->state.procedure = *p;
    procedure_free(p);
    Key start = key_of(&todo->state);
    todo->number = key_number(&start, &is_new);
    while (todo) {
        Todo *at = todo;
        todo = at->next;
        seen_steps[at->state.procedure.step]++;
        const char *sick = heals(&at->state);
        ck_assert_msg(!sick, "%s: from \"%s\": %s", what, procedure_row(at->state.procedure.step)->title,
                      sick);
        for (size_t i = 0; i < n; i++) {
            if (!possible(&at->state, &all[i]))
                continue;
            Todo *to = todo_take();
            to->state = at->state;
            const char *wrong = apply(&to->state, &all[i]);
            ck_assert_msg(!wrong, "%s: \"%s\" --%s--> \"%s\": %s", what,
                          procedure_row(at->state.procedure.step)->title, all[i].name,
                          procedure_row(to->state.procedure.step)->title, strempty(wrong));
            transitions++;
            Key key = key_of(&to->state);
            to->number = key_number(&key, &is_new);
            if (all[i].fails && awaited(&at->state, &all[i]))
                edge_add(at->number, to->number);
            if (is_new) {
                to->next = todo;
                todo = to;
            } else
                todo_give(to);
        }
        todo_give(at);
    }
    no_cycle_without_a_delay(what);
    unsigned steps = 0;
    for (ProcedureStep step = 0; step < STEPS_; step++)
        steps += seen_steps[step] > 0;
    printf("%s: closed with %u states in %u of %u steps, %zu transitions\n", what, n_keys, steps, STEPS_,
           transitions);
}

static ProcedureConfig config_make(void) {
    ProcedureConfig config = {.sites = {.fallback_rounds = 2}};
    log_set_level(LOG_EMERG);
    world_make();
    keys = malloc(STATES_MAX * sizeof *keys);
    slots = malloc(SLOTS * sizeof *slots);
    ck_assert(keys && slots);
    return config;
}

START_TEST(closure_of_5_1_2_2) {
    ProcedureConfig config = config_make();
    config.sites.items[SITE_FACTORY] = site_make(SEGW_SERVING, NULL, HEMS_SERVING);
    explore("5.1.2.2", &config);
}
END_TEST

START_TEST(closure_of_5_1_2_3) {
    ProcedureConfig config = config_make();
    config.sites.items[SITE_INITIAL] = site_make(SEGW_INITIAL, NULL, HEMS_INITIAL);
    explore("5.1.2.3", &config);
}
END_TEST

START_TEST(closure_of_5_1_2_4) {
    ProcedureConfig config = config_make();
    config.sites.items[SITE_INITIAL] = site_make(NULL, NULL, HEMS_INITIAL);
    config.wait_for_location = USEC_PER_SEC;
    explore("5.1.2.4, waiting for the location", &config);
}
END_TEST

START_TEST(closure_of_everything) {
    ProcedureConfig config = config_make();
    config.sites.items[SITE_LEARNED] = assigned_site;
    config.sites.items[SITE_FACTORY] = site_make(SEGW_SERVING, NULL, HEMS_SERVING);
    config.sites.items[SITE_INITIAL] = site_make(SEGW_INITIAL, NULL, HEMS_INITIAL);
    explore("saved data, serving pair and initial pair", &config);
}
END_TEST

SUITE("closure", closure_of_5_1_2_2, closure_of_5_1_2_3, closure_of_5_1_2_4, closure_of_everything)
