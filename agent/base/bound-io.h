/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A socket that belongs to one side: bound to its interface and to the box's address there, or not used at
 * all. */
#pragma once

#include "base/address.h"

/* Binds *fd*: SO_BINDTODEVICE to *interface* (NULL or "": to none), then to *at*; an *at* of AF_UNSPEC is not
 * bound to, one without a port saves the port for connect(). 0 or negative errno, with *why* (*size* bytes)
 * "cannot bind to interface henb0: No such device": then the socket is to be closed, never to be used another
 * way. */
int bound_io_bind(int fd, const char *interface, const Endpoint *at, char *why, size_t size);
