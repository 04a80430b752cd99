/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An HTTPS server on the loopback, in a thread, for tests: it takes POSTs to /acs and answers each with a
 * byte. Its TLS is good or bad as its options say. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tls-authority.h"

typedef struct ServerOptions {
    const char *address; /* NULL: 127.0.0.1 */
    const Identity *identity, *intermediate;
    int min, max;                 /* versions; 0: what OpenSSL has */
    const char *suites, *ciphers; /* of TLS 1.3; of TLS 1.2 and older */
    const Identity *clients;      /* demands a certificate of this CA; NULL: none */
    Bytes staple;
    bool close_each; /* connection, after an answer */
    const char *raw; /* no TLS, but these bytes, *raw_size* of them */
    size_t raw_size;
} ServerOptions;

typedef struct Server {
    ServerOptions options;
    int fd;
    uint16_t port;
    pthread_t thread;
    void *context;
    /* Written by the thread, read after server_stop(). */
    size_t n_connections, n_handshakes, n_requests, n_resumed;
    char version[16], cipher[64], sni[256], peer[128];
    unsigned char alpn[64]; /* what the client offered last */
    size_t alpn_size;
} Server;

Server *server_start(const ServerOptions *options);
/* All connections of the client must be closed. After this the records may be read. */
void server_stop(Server *server);
void server_free(Server *server);
