/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See prepared.h. */
#include "ike/prepared.h"

int ike_prepared_new(IkePrepared **ret, uint16_t group, const Rng *rng) {
    _cleanup_(ike_prepared_freep) IkePrepared *p = calloc(1, sizeof *p);

    if (!p)
        return -ENOMEM;
    p->spi_i = rng_spi(rng);
    rng->fill(rng->userdata, p->nonce, sizeof p->nonce);
    int r = key_exchange_new(&p->key_exchange, transform_find(IKE_TRANSFORM_DH, group, 0), rng);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(p);
    return 0;
}

void ike_prepared_free(IkePrepared *p) {
    if (!p)
        return;
    key_exchange_free(p->key_exchange);
    explicit_bzero(p, sizeof *p);
    free(p);
}
