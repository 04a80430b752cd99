/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See sealer.h. */
#include "ike/sealer.h"

Sealer *sealer_new(const IkeHeader *header, const SealKeys *keys) {
    Sealer *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->header = *header;
    s->keys = keys;
    s->m.w = writer_new(s->buffer, sizeof s->buffer);
    writer_u8(&s->m.w, IKE_PAYLOAD_NONE);
    return s;
}

void sealer_free(Sealer *s) {
    if (!s)
        return;
    explicit_bzero(s->buffer, sizeof s->buffer);
    free(s);
}

int sealer_finish(const Sealer *s, uint64_t *counter, const Rng *rng, size_t limit, size_t more_than,
                  Fragments *ret) {
    FragmentSource source = {.header = s->header,
                             .first_type = s->buffer[0],
                             .plain = s->buffer + 1,
                             .plain_size = s->m.w.len - 1,
                             .keys = s->keys,
                             .limit = limit,
                             .more_than = more_than};

    return s->m.w.bad ? -ENOBUFS : fragments_seal(&source, counter, rng, ret);
}
