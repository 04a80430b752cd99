/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whom a box stays away from (TS 32.593 5.1.4), over restarts and other factory data, with a real store. */
#include "deregistration.h"

#include <limits.h>

#include "state.h"
#include "suite.h"

static Config factory_of(const char *operator_name, const char *hems_url) {
    Config config = {};
    snprintf(config.operator_name, sizeof config.operator_name, "%s", operator_name);
    snprintf(config.serving.hems, sizeof config.serving.hems, "%s", hems_url);
    return config;
}

/* As the agent starts: the store of before, these factory data. */
static Deregistration started(Store **ret_store, const char *path, const Config *factory) {
    Deregistration d;
    store_close(*ret_store);
    ck_assert_int_eq(store_open(ret_store, path), 0);
    ck_assert_int_eq(deregistration_load(&d, *ret_store, factory), 0);
    return d;
}

START_TEST(a_new_box_is_barred_from_nobody) {
    state_start();
    const char *path = state_path;
    Config a = factory_of("", "http://hems.operator.example:7547/");
    Store *store = NULL;
    Deregistration d = started(&store, path, &a);
    ck_assert(!d.in_force);
    ck_assert_str_eq(d.operator_name, "operator.example");
    ck_assert(!deregistration_bars(&d, "hems.operator.example"));
    store_close(store);
    state_stop();
}
END_TEST

START_TEST(the_same_operator_is_left_alone_whoever_names_it) {
    state_start();
    const char *path = state_path;
    Config a = factory_of("", "http://hems.operator.example:7547/");
    Store *store = NULL;
    Deregistration d = started(&store, path, &a);
    /* The box was there once, and has been sent on since. */
    deregistration_learn(&d, "http://acs7.region.net.example:7547/");
    deregistration_learn(&d, "http://acs8.region.net.example:7547/");
    d = started(&store, path, &a);
    ck_assert(!d.in_force && !deregistration_bars(&d, "acs7.region.net.example"));
    deregistration_learn(&d, "http://hems.operator.example:7547/");
    ck_assert_int_eq(deregistration_set(&d, false), 0);
    ck_assert(d.in_force);

    d = started(&store, path, &a);
    ck_assert(d.in_force);
    ck_assert(deregistration_bars(&d, "HEMS.Operator.example"));
    ck_assert(deregistration_bars(&d, "acs1.region.net.example")); /* learned from a HeMS */
    ck_assert(!deregistration_bars(&d, "hems.other.example"));

    /* By its name, though the host is another; and by its host, though it has another name now. */
    Config renamed = factory_of("OPERATOR.example", "http://acs.elsewhere.example:7547/");
    d = started(&store, path, &renamed);
    ck_assert(d.in_force);
    Config disguised = factory_of("Somebody", "http://new.operator.example:7547/");
    d = started(&store, path, &disguised);
    ck_assert(d.in_force);
    store_close(store);
    state_stop();
}
END_TEST

START_TEST(another_operator_registers_and_may_mark_too) {
    state_start();
    const char *path = state_path;
    Config a = factory_of("A", "http://hems.a.operators.example:7547/");
    Config b = factory_of("B", "http://hems.b.operators.example:7547/");
    Store *store = NULL;
    Deregistration d = started(&store, path, &a);
    ck_assert_int_eq(deregistration_set(&d, false), 0);
    d = started(&store, path, &b);
    ck_assert(!d.in_force);
    ck_assert(deregistration_bars(&d, "hems.a.operators.example")); /* whoever sends it there */
    ck_assert_int_eq(deregistration_set(&d, false), 0);
    d = started(&store, path, &a);
    ck_assert(d.in_force); /* both marks hold */
    d = started(&store, path, &b);
    ck_assert(d.in_force);
    ck_assert_int_eq(deregistration_clear(&d), 0);
    ck_assert(!d.in_force);
    d = started(&store, path, &a);
    ck_assert(!d.in_force);
    store_close(store);
    state_stop();
}
END_TEST

START_TEST(a_mark_that_cannot_be_read_is_one) {
    state_start();
    const char *path = state_path;
    Config a = factory_of("A", "http://hems.a.operators.example:7547/");
    Store *store = NULL;
    (void)started(&store, path, &a);
    ck_assert_int_eq(store_set_mark(store, "\001\002"), 0);
    Deregistration d = started(&store, path, &a);
    ck_assert(d.in_force);
    store_close(store);
    state_stop();
}
END_TEST

START_TEST(a_mark_that_cannot_be_stored_binds_only_where_it_must) {
    state_start();
    const char *path = state_path;
    Config a = factory_of("A", "http://hems.a.operators.example:7547/");
    Store *store = NULL;
    Deregistration d = started(&store, path, &a);
    state_stop(); /* the disk is gone */
    ck_assert_int_lt(deregistration_set(&d, false), 0);
    ck_assert(!d.in_force && !deregistration_is_marked(&d));
    ck_assert(!deregistration_bars(&d, "hems.a.operators.example"));
    ck_assert_int_lt(deregistration_set(&d, true), 0);
    ck_assert(d.in_force && deregistration_bars(&d, "hems.a.operators.example"));
    store_close(store);
}
END_TEST

SUITE("deregistration", a_new_box_is_barred_from_nobody, the_same_operator_is_left_alone_whoever_names_it,
      another_operator_registers_and_may_mark_too, a_mark_that_cannot_be_read_is_one,
      a_mark_that_cannot_be_stored_binds_only_where_it_must)
