/* SPDX-License-Identifier: GPL-3.0-or-later */
/* libcurl's multi interface on sd-event: its sockets and its timer are sources of the loop, and what is done
 * is told. For all who speak HTTP. */
#pragma once

#include <curl/curl.h>
#include <systemd/sd-event.h>

#include "base/address.h"
#include "base/macro.h"

struct Tls;

#define CURL_IO_MSEC(usec) ((long)((usec) / USEC_PER_MSEC)) /* for libcurl's options */

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

/* A handle on which everything is off by name that libcurl might do by itself and nobody here wants: proxies,
 * redirects, .netrc, credentials, HTTP before 1.1. 0, -ENOMEM, or -EINVAL: libcurl does not know an option.
 */
int curl_io_easy(CURL **ret);
/* TLS as *tls* has it, with libcurl's own checks on beside those; no session is resumed, each connection is
 * verified. *tls* must outlive the connections. 0, -ENOMEM, or -EPROTONOSUPPORT: a libcurl without OpenSSL.
 */
int curl_io_secure(CURL *easy, struct Tls *tls);
/* Adds one line to what CURLOPT_HTTPHEADER takes. 0 or -ENOMEM. */
int curl_io_header(struct curl_slist **lines, const char *line);
/* For CURLOPT_CONNECT_TO: to *address* whatever the URL's host, so that no resolver is ever asked; *port* 0:
 * the URL's. NULL without memory. */
struct curl_slist *curl_io_connect_to(const Address *address, uint16_t port);
