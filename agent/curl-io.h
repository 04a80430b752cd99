/* SPDX-License-Identifier: GPL-3.0-or-later */
/* libcurl's multi interface on sd-event: its sockets and its timer are sources of the loop, and what is done
 * is told. For all who speak HTTP. */
#pragma once

#include <curl/curl.h>
#include <systemd/sd-event.h>

#include "base/macro.h"

typedef struct CurlIo CurlIo;

/* A transfer is done and was taken out; the handler may add, remove, or free the CurlIo. */
typedef void (*CurlIoHandler)(void *userdata, CURL *easy, CURLcode code);

/* 0 or negative errno. Takes a reference of *event*. */
int curl_io_new(CurlIo **ret, sd_event *event, CurlIoHandler handler, void *userdata);
/* Closes all connections. No transfer may be in it; an easy handle whose connection it keeps may be gone.
 * NULL is fine. */
void curl_io_free(CurlIo *io);
DEFINE_CLEANUP(CurlIo, curl_io_free)
/* Starts a transfer, from the event loop. 0 or -ENOMEM. */
int curl_io_add(CurlIo *io, CURL *easy);
/* Stops it without a word; one that is not in it is fine. */
void curl_io_remove(CurlIo *io, CURL *easy);
