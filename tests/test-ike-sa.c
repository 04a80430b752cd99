/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The engine of one IKE SA against a responder of the tests' own, on a fake clock. */
#include <check.h>
#include <stdio.h>

#include "ike-link.h"
#include "suite.h"

/* Both ends must hold the same pair, seen from opposite sides. */
static void assert_agreed(const Link *l) {
    const ChildSa *a = &l->child, *b = &l->responder.child;

    ck_assert_uint_eq(l->ups, 1);
    ck_assert(l->responder.peer_authenticated);
    ck_assert_uint_eq(a->spi_in, b->spi_out);
    ck_assert_uint_eq(a->spi_out, b->spi_in);
    ck_assert_uint_gt(a->keys_in.encryption_size, 0);
    ck_assert_mem_eq(&a->keys_in, &b->keys_out, sizeof a->keys_in);
    ck_assert_mem_eq(&a->keys_out, &b->keys_in, sizeof a->keys_in);
    ck_assert_mem_ne(&a->keys_out, &a->keys_in, sizeof a->keys_in);
}

START_TEST(plain_handshake) {
    _cleanup_(link_freep) Link *l = link_new(&(Switches){}, NULL, 1);

    ck_assert_msg(link_establish(l), "%d %s", l->end, l->text);
    assert_agreed(l);
}
END_TEST

SUITE("ike-sa", plain_handshake)
