/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See eap.h. */
#include "ike/eap.h"

#define LENGTH_OFFSET 2
#define EXPANDED_SIZE 7 /* vendor (3) and vendor's type (4), 5.7 */

int eap_decode(const uint8_t *packet, size_t size, EapPacket *ret) {
    Reader r = reader_new(packet, size);
    EapPacket p = {.code = reader_u8(&r), .identifier = reader_u8(&r)};
    size_t length = reader_u16(&r);

    if (r.bad || length != size)
        return -EBADMSG;
    switch (p.code) {
    case EAP_REQUEST:
    case EAP_RESPONSE:
        p.type = reader_u8(&r);
        p.size = r.left;
        p.data = reader_bytes(&r, r.left);
        if (r.bad || p.type == 0 || (p.type == EAP_TYPE_EXPANDED && p.size < EXPANDED_SIZE))
            return -EBADMSG;
        break;
    case EAP_SUCCESS:
    case EAP_FAILURE:
        if (!reader_done(&r))
            return -EBADMSG;
        break;
    default:
        return -EBADMSG;
    }
    *ret = p;
    return 0;
}

Writer eap_begin(void *data, size_t size, uint8_t identifier, uint8_t type) {
    Writer w = writer_new(data, size);

    writer_u8(&w, EAP_RESPONSE);
    writer_u8(&w, identifier);
    writer_u16(&w, 0);
    writer_u8(&w, type);
    return w;
}

int eap_end(Writer *w, size_t *ret_size) {
    if (w->bad || w->len > UINT16_MAX)
        return -ENOBUFS;
    writer_patch_u16(w, LENGTH_OFFSET, (uint16_t)w->len);
    *ret_size = w->len;
    return 0;
}

static void expanded_write(Writer *w, uint32_t vendor_type) {
    writer_u8(w, 0);
    writer_u16(w, 0);
    writer_u32(w, vendor_type);
}

Writer eap_nak(void *data, size_t size, const EapPacket *request, uint8_t type) {
    const bool expanded = request->type == EAP_TYPE_EXPANDED;
    Writer w = eap_begin(data, size, request->identifier, expanded ? EAP_TYPE_EXPANDED : EAP_TYPE_NAK);

    if (expanded) {
        expanded_write(&w, EAP_TYPE_NAK);
        writer_u8(&w, EAP_TYPE_EXPANDED);
        expanded_write(&w, type);
    } else {
        writer_u8(&w, type);
    }
    return w;
}
