/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The IKE header: a datagram. */
#include "base/macro.h"
#include "fuzz.h"
#include "ike/payload.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Reader r = reader_new(data, size);
    uint8_t buffer[IKE_HEADER_SIZE];
    IkeHeader h, again;
    IkeWriter m;

    int e = ike_header_decode(&r, &h);
    if (e != 0) {
        MUST(e == -EBADMSG || e == IKE_NOTIFY_INVALID_MAJOR_VERSION);
        return 0;
    }
    MUST(h.length == size && r.left == size - IKE_HEADER_SIZE && h.spi_i != 0);

    ike_writer_start(&m, buffer, sizeof buffer, &h);
    MUST(ike_writer_finish(&m) == 0);
    r = reader_new(buffer, sizeof buffer);
    MUST(ike_header_decode(&r, &again) == 0);
    MUST(again.spi_i == h.spi_i && again.spi_r == h.spi_r && again.exchange == h.exchange);
    MUST(again.flags == h.flags && again.message_id == h.message_id && again.length == IKE_HEADER_SIZE);
    return 0;
}
