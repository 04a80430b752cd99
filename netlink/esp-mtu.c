/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See esp-mtu.h. */
#include "netlink/esp-mtu.h"

#include "base/macro.h"

#define UDP_HEADER  8
#define ESP_HEADER  8 /* SPI and sequence number; the upper half of one of 64 bits is not sent */
#define ESP_TRAILER 2 /* pad length and next header */

/* AEADs (RFC 4106, RFC 7634) are stream ciphers with an explicit IV of 8 bytes; their packets are padded to 4
 * bytes alone (RFC 4303 2.4). AES-CBC (RFC 3602) has blocks and IVs of 16. */
typedef struct Shape {
    unsigned iv, block, icv;
} Shape;

static Shape shape_of(const EspAlgorithms *a) {
    if (a->aead)
        return (Shape){.iv = 8, .block = 4, .icv = a->icv_bits / 8u};
    return (Shape){.iv = 16, .block = 16, .icv = a->truncation_bits / 8u};
}

unsigned esp_inner_mtu(unsigned outer_mtu, const EspAlgorithms *algorithms, bool encapsulate, int family) {
    Shape shape = shape_of(algorithms);
    unsigned around = (family == AF_INET6 ? 40u : 20u) + (encapsulate ? UDP_HEADER : 0u) + ESP_HEADER +
                      shape.iv + shape.icv;
    unsigned inside = outer_mtu > around ? (outer_mtu - around) / shape.block * shape.block : 0;
    return inside > ESP_TRAILER ? inside - ESP_TRAILER : 0;
}
