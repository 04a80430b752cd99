/* SPDX-License-Identifier: GPL-3.0-or-later */
/* IP addresses of either family as values. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

typedef struct Address {
    int family; /* AF_INET, AF_INET6, or AF_UNSPEC for "none" */
    union {
        struct in_addr in;
        struct in6_addr in6;
        uint8_t bytes[16];
    };
} Address;

typedef struct Endpoint {
    Address address;
    uint16_t port; /* host byte order */
} Endpoint;

#define ADDRESS_STR_MAX  INET6_ADDRSTRLEN
#define ENDPOINT_STR_MAX (ADDRESS_STR_MAX + 8)

/* Most addresses one name is taken to have; what a resolver returns beyond that is left out. */
#define ADDRESSES_MAX 16
typedef struct AddressList {
    size_t n;
    Address items[ADDRESSES_MAX];
} AddressList;

/* The first one of *family*; NULL without one. */
const Address *address_list_find(const AddressList *list, int family);
/* The same addresses in the same order. */
bool address_list_equal(const AddressList *a, const AddressList *b);

/* Most servers one resolver asks. */
#define DNS_SERVERS_MAX 8

/* 4 or 16; 0 for none. */
size_t address_size(int family);
/* From network-order bytes, address_size(family) of them. */
Address address_from_bytes(int family, const void *bytes);
/* Parses a literal (no name, no brackets, no zone). 0 or -EINVAL; *ret* may be NULL for a mere check. */
int address_parse(const char *s, Address *ret);
bool address_is_literal(const char *s);
bool address_equal(const Address *a, const Address *b);
bool address_is_unspecified(const Address *a);
/* One host can have it: not unspecified, multicast, or 255.255.255.255. */
bool address_is_unicast(const Address *a);
/* Writes the literal to *buf* (ADDRESS_STR_MAX bytes) and returns it; "" for none. */
const char *address_format(const Address *a, char buf[static ADDRESS_STR_MAX]);
/* "192.0.2.1:500", "[2001:db8::1]:500"; *buf* has ENDPOINT_STR_MAX bytes. */
const char *endpoint_format(const Endpoint *e, char buf[static ENDPOINT_STR_MAX]);
bool endpoint_equal(const Endpoint *a, const Endpoint *b);
/* To and from what sockets take. *ret* gets the filled size by return value; from: 0 or -EAFNOSUPPORT. */
socklen_t endpoint_to_sockaddr(const Endpoint *e, struct sockaddr_storage *ret);
int endpoint_from_sockaddr(const struct sockaddr *sa, Endpoint *ret);

#define ADDRESS_STR(a)  address_format((a), (char[ADDRESS_STR_MAX]){0})
#define ENDPOINT_STR(e) endpoint_format((e), (char[ENDPOINT_STR_MAX]){0})
