/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See address.h. */
#include "base/address.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "base/macro.h"

size_t address_size(int family) {
    return family == AF_INET ? 4 : family == AF_INET6 ? 16 : 0;
}

Address address_from_bytes(int family, const void *bytes) {
    Address a = {.family = family};
    memcpy(a.bytes, bytes, address_size(family));
    return a;
}

int address_parse(const char *s, Address *ret) {
    static const int families[] = {AF_INET, AF_INET6};

    for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
        Address a = {.family = families[i]};
        if (inet_pton(a.family, s, a.bytes) == 1) {
            if (ret)
                *ret = a;
            return 0;
        }
    }
    return -EINVAL;
}

bool address_is_literal(const char *s) {
    return address_parse(s, NULL) == 0;
}

bool address_equal(const Address *a, const Address *b) {
    return a->family == b->family && memcmp(a->bytes, b->bytes, address_size(a->family)) == 0;
}

bool address_is_unspecified(const Address *a) {
    static const uint8_t zero[16];
    return memcmp(a->bytes, zero, address_size(a->family)) == 0;
}

bool address_is_unicast(const Address *a) {
    if (address_is_unspecified(a))
        return false;
    if (a->family == AF_INET)
        return !IN_MULTICAST(ntohl(a->in.s_addr)) && a->in.s_addr != htonl(INADDR_BROADCAST);
    return !IN6_IS_ADDR_MULTICAST(&a->in6);
}

const Address *address_list_find(const AddressList *list, int family) {
    for (size_t i = 0; i < list->n; i++)
        if (list->items[i].family == family)
            return &list->items[i];
    return NULL;
}

const char *address_format(const Address *a, char buf[static ADDRESS_STR_MAX]) {
    if (a->family == AF_UNSPEC || !inet_ntop(a->family, a->bytes, buf, ADDRESS_STR_MAX))
        buf[0] = 0;
    return buf;
}

const char *endpoint_format(const Endpoint *e, char buf[static ENDPOINT_STR_MAX]) {
    snprintf(buf, ENDPOINT_STR_MAX, e->address.family == AF_INET6 ? "[%s]:%u" : "%s:%u",
             ADDRESS_STR(&e->address), e->port);
    return buf;
}

bool endpoint_equal(const Endpoint *a, const Endpoint *b) {
    return a->port == b->port && address_equal(&a->address, &b->address);
}

socklen_t endpoint_to_sockaddr(const Endpoint *e, struct sockaddr_storage *ret) {
    memset(ret, 0, sizeof *ret);
    if (e->address.family == AF_INET) {
        struct sockaddr_in *in = (struct sockaddr_in *)ret;
        *in = (struct sockaddr_in){
            .sin_family = AF_INET, .sin_port = htons(e->port), .sin_addr = e->address.in};
        return sizeof *in;
    }
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;
    *in6 = (struct sockaddr_in6){
        .sin6_family = AF_INET6, .sin6_port = htons(e->port), .sin6_addr = e->address.in6};
    return sizeof *in6;
}

int endpoint_from_sockaddr(const struct sockaddr *sa, Endpoint *ret) {
    if (sa->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)sa;
        *ret = (Endpoint){.address = {.family = AF_INET, .in = in->sin_addr}, .port = ntohs(in->sin_port)};
        return 0;
    }
    if (sa->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)sa;
        *ret =
            (Endpoint){.address = {.family = AF_INET6, .in6 = in6->sin6_addr}, .port = ntohs(in6->sin6_port)};
        return 0;
    }
    return -EAFNOSUPPORT;
}

bool address_list_equal(const AddressList *a, const AddressList *b) {
    bool equal = a->n == b->n;
    for (size_t i = 0; equal && i < a->n; i++)
        equal = address_equal(&a->items[i], &b->items[i]);
    return equal;
}
