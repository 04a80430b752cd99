/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See tls-server.h. */
#include "tls-server.h"

#include <check.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/macro.h"
#include "suite.h"

static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx";
static const char last_answer[] = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx";

static int take_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_size, const unsigned char *in,
                     unsigned size, void *userdata) {
    Server *s = userdata;
    s->alpn_size = MIN((size_t)size, sizeof s->alpn);
    memcpy(s->alpn, in, s->alpn_size);
    *out = in + 1;
    *out_size = in[0];
    return SSL_TLSEXT_ERR_OK;
}

static int give_staple(SSL *ssl, void *userdata) {
    Server *s = userdata;
    const Bytes *staple = &s->options.staple;
    if (!staple->data)
        return SSL_TLSEXT_ERR_NOACK;
    SSL_set_tlsext_status_ocsp_resp(ssl, OPENSSL_memdup(staple->data, staple->size), (long)staple->size);
    return SSL_TLSEXT_ERR_OK;
}

static SSL_CTX *context_make(Server *s) {
    const ServerOptions *o = &s->options;
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    SSL_CTX_set_security_level(ctx, 0);
    ck_assert_int_eq(SSL_CTX_use_certificate(ctx, o->identity->certificate), 1);
    ck_assert_int_eq(SSL_CTX_use_PrivateKey(ctx, o->identity->key), 1);
    if (o->intermediate)
        ck_assert_int_eq(SSL_CTX_add1_chain_cert(ctx, o->intermediate->certificate), 1);
    ck_assert_int_eq(SSL_CTX_set_min_proto_version(ctx, o->min), 1);
    ck_assert_int_eq(SSL_CTX_set_max_proto_version(ctx, o->max), 1);
    ck_assert_int_eq(SSL_CTX_set_cipher_list(ctx, o->ciphers ? o->ciphers : "ALL"), 1);
    if (o->suites)
        ck_assert_int_eq(SSL_CTX_set_ciphersuites(ctx, o->suites), 1);
    if (o->clients) {
        X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), o->clients->certificate);
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
        SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"test", 4);
    }
    SSL_CTX_set_alpn_select_cb(ctx, take_alpn, s);
    SSL_CTX_set_tlsext_status_cb(ctx, give_staple);
    SSL_CTX_set_tlsext_status_arg(ctx, s);
    return ctx;
}

static void server_record(Server *s, SSL *ssl) {
    X509 *peer = SSL_get0_peer_certificate(ssl);
    s->n_handshakes++;
    s->n_resumed += SSL_session_reused(ssl) ? 1 : 0;
    snprintf(s->version, sizeof s->version, "%s", SSL_get_version(ssl));
    snprintf(s->cipher, sizeof s->cipher, "%s", SSL_get_cipher(ssl));
    snprintf(s->sni, sizeof s->sni, "%s", strempty(SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name)));
    if (peer)
        X509_NAME_get_text_by_NID(X509_get_subject_name(peer), NID_commonName, s->peer, sizeof s->peer);
}

/* Answers requests, which are small enough to come in one record. */
static void server_answer(Server *s, SSL *ssl) {
    char request[4096];
    int n;
    while ((n = SSL_read(ssl, request, sizeof request - 1)) > 0) {
        request[n] = 0;
        ck_assert_msg(strncmp(request, "POST /acs HTTP/1.1\r\n", 20) == 0, "%s", request);
        s->n_requests++;
        const char *text = s->options.close_each ? last_answer : answer;
        if (SSL_write(ssl, text, (int)strlen(text)) <= 0 || s->options.close_each)
            break;
    }
}

/* So that nothing unread makes a reset of the end, before the alert is read. */
static void drain(int fd) {
    char rest[4096];
    shutdown(fd, SHUT_WR);
    while (recv(fd, rest, sizeof rest, 0) > 0)
        ;
}

static void server_serve(Server *s, int fd) {
    char hello[4096];
    if (s->options.raw) {
        if (recv(fd, hello, sizeof hello, 0) > 0)
            (void)send(fd, s->options.raw, s->options.raw_size, MSG_NOSIGNAL);
        drain(fd);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)); /* tickets, then answers */
    SSL *ssl = SSL_new(s->context);
    SSL_set_fd(ssl, fd);
    if (SSL_accept(ssl) == 1) {
        server_record(s, ssl);
        server_answer(s, ssl);
        SSL_shutdown(ssl);
    }
    drain(fd);
    SSL_free(ssl);
}

static void *server_run(void *userdata) {
    Server *s = userdata;
    for (;;) {
        int fd = accept(s->fd, NULL, NULL);
        if (fd < 0)
            return NULL;
        s->n_connections++;
        server_serve(s, fd);
        close(fd);
    }
}

Server *server_start(const ServerOptions *options) {
    Server *s = calloc(1, sizeof *s);
    struct sockaddr_storage ss;
    Endpoint e = {.address = address(options->address ? options->address : "127.0.0.1")};

    s->options = *options;
    if (!options->raw)
        s->context = context_make(s);
    s->fd = socket(e.address.family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t size = endpoint_to_sockaddr(&e, &ss);
    ck_assert_int_eq(bind(s->fd, (struct sockaddr *)&ss, size), 0);
    ck_assert_int_eq(listen(s->fd, 8), 0);
    ck_assert_int_eq(getsockname(s->fd, (struct sockaddr *)&ss, &size), 0);
    ck_assert_int_eq(endpoint_from_sockaddr((struct sockaddr *)&ss, &e), 0);
    s->port = e.port;
    ck_assert_int_eq(pthread_create(&s->thread, NULL, server_run, s), 0);
    return s;
}

void server_stop(Server *s) {
    shutdown(s->fd, SHUT_RDWR);
    ck_assert_int_eq(pthread_join(s->thread, NULL), 0);
    close(s->fd);
}

void server_free(Server *s) {
    SSL_CTX_free(s->context);
    free(s);
}
