/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Keys that were given away open what went over the wire: each sealed message of an exchange is opened by
 * OpenSSL with nothing but the lines in the file. */
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files.h"
#include "hex.h"
#include "ike-link.h"
#include "ike/key-lines.h"
#include "key-export-io.h"
#include "suite.h"

#define MESSAGES_MAX 64
#define LINES_MAX    8

/* One line of ikev2_decryption_table. */
typedef struct Line {
    uint64_t spi_i, spi_r;
    uint8_t encryption[2][64], integrity[2][64]; /* of initiator and responder */
    size_t encryption_size, integrity_size;
    char encr[64], integ[64];
} Line;

typedef struct Recording {
    size_t n;
    struct {
        size_t size;
        uint8_t data[RESPONDER_MESSAGE_MAX];
    } messages[MESSAGES_MAX];
} Recording;

static char folder[] = "/tmp/henb-keys-XXXXXX";
static char ike_path[64], esp_path[64];

static void folder_make(void) {
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(ike_path, sizeof ike_path, "%s/keys/ikev2_decryption_table", folder);
    snprintf(esp_path, sizeof esp_path, "%s/keys/esp_sa", folder);
    key_export_begin(folder);
}

static void folder_remove(void) {
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", folder);
    ck_assert_int_eq(system(command), 0);
}

/* Each datagram as it is on the wire, and the keys as they are then. */
static void record(Link *l, bool by_gateway, uint8_t *data, size_t *size) {
    Recording *r = l->userdata;

    key_export(l->sa, &(IkeAction){.type = IKE_SEND});
    ck_assert_uint_lt(r->n, MESSAGES_MAX);
    r->messages[r->n].size = *size;
    memcpy(r->messages[r->n++].data, data, *size);
}

static size_t lines_read(Line lines[static LINES_MAX]) {
    char *text = file_read(ike_path, NULL), *save = NULL;
    size_t n = 0;

    for (char *s = strtok_r(text, "\n", &save); s; s = strtok_r(NULL, "\n", &save), n++) {
        char keys[4][130] = {};
        ck_assert_uint_lt(n, LINES_MAX);
        Line *l = &lines[n];
        int fields = sscanf(
            s, "%16lx,%16lx,%129[0-9a-f],%129[0-9a-f],\"%63[^\"]\",%129[0-9a-f],%129[0-9a-f],\"%63[^\"]\"",
            &l->spi_i, &l->spi_r, keys[0], keys[1], l->encr, keys[2], keys[3], l->integ);
        if (fields == 5) /* AEAD: there are no keys of integrity */
            fields = 6 + sscanf(strstr(s, "]\",") + 3, ",,\"%63[^\"]\"", l->integ) + 1;
        ck_assert_msg(fields == 8, "%s", s);
        l->encryption_size = hex_bytes(keys[0], l->encryption[0], 64);
        ck_assert_uint_eq(hex_bytes(keys[1], l->encryption[1], 64), l->encryption_size);
        l->integrity_size = hex_bytes(keys[2], l->integrity[0], 64);
        ck_assert_uint_eq(hex_bytes(keys[3], l->integrity[1], 64), l->integrity_size);
    }
    free(text);
    return n;
}

/* RFC 5282: what stands before the IV is authenticated. */
static bool gcm_opens(const uint8_t *key, size_t key_size, const uint8_t *message, size_t size, size_t iv) {
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    uint8_t nonce[12], plain[RESPONDER_MESSAGE_MAX];
    int n;

    memcpy(nonce, key + key_size - 4, 4);
    memcpy(nonce + 4, message + iv, 8);
    bool good =
        EVP_DecryptInit_ex(c, key_size == 36 ? EVP_aes_256_gcm() : EVP_aes_128_gcm(), NULL, key, nonce) &&
        EVP_DecryptUpdate(c, NULL, &n, message, (int)iv) &&
        EVP_DecryptUpdate(c, plain, &n, message + iv + 8, (int)(size - iv - 8 - 16)) &&
        EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, 16, (void *)(message + size - 16)) &&
        EVP_DecryptFinal_ex(c, plain + n, &n) == 1;
    EVP_CIPHER_CTX_free(c);
    return good;
}

/* RFC 7296 3.14: the checksum is over all before it; the last byte of the plaintext says how much is padding.
 */
static bool cbc_opens(const Line *l, bool initiator, const uint8_t *message, size_t size, size_t iv) {
    size_t icv = l->integrity_size / 2, sealed = size - icv - iv - 16;
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    uint8_t checksum[64], plain[RESPONDER_MESSAGE_MAX];
    const EVP_MD *hash = l->integrity_size == 64   ? EVP_sha512()
                         : l->integrity_size == 48 ? EVP_sha384()
                                                   : EVP_sha256();
    unsigned checksum_size = sizeof checksum;
    int n;

    HMAC(hash, l->integrity[!initiator], (int)l->integrity_size, message, size - icv, checksum,
         &checksum_size);
    bool good = memcmp(checksum, message + size - icv, icv) == 0 &&
                EVP_DecryptInit_ex(c, l->encryption_size == 32 ? EVP_aes_256_cbc() : EVP_aes_128_cbc(), NULL,
                                   l->encryption[!initiator], message + iv) &&
                EVP_CIPHER_CTX_set_padding(c, 0) &&
                EVP_DecryptUpdate(c, plain, &n, message + iv + 16, (int)sealed) && (size_t)n == sealed &&
                plain[n - 1] < n;
    EVP_CIPHER_CTX_free(c);
    return good;
}

static bool line_opens(const Line *l, const uint8_t *message, size_t size) {
    const bool initiator = message[19] & 0x08;
    const size_t iv = message[16] == 53 ? 28 + 8 : 28 + 4; /* of SKF, SK */
    char header[33];

    snprintf(header, sizeof header, "%016lx%016lx", l->spi_i, l->spi_r);
    uint8_t spis[16];
    hex_bytes(header, spis, sizeof spis);
    if (memcmp(spis, message, sizeof spis) != 0)
        return false;
    return strstr(l->encr, "GCM")
               ? gcm_opens(l->encryption[!initiator], l->encryption_size, message, size, iv)
               : cbc_opens(l, initiator, message, size, iv);
}

static size_t sealed_messages_open(const Recording *r, const Line *lines, size_t n_lines) {
    size_t opened = 0;

    for (size_t i = 0; i < r->n; i++) {
        size_t by = 0;
        if (r->messages[i].data[18] == IKE_EXCHANGE_SA_INIT)
            continue;
        for (size_t k = 0; k < n_lines; k++)
            by += line_opens(&lines[k], r->messages[i].data, r->messages[i].size);
        ck_assert_msg(by == 1, "message %zu is opened by %zu lines", i, by);
        opened++;
    }
    return opened;
}

/* Each suite; and when the gateway has rekeyed the IKE SA, which makes it the initiator, its messages as
 * well. */
START_TEST(exchanges_open) {
    static const struct {
        uint8_t proposal;
        const char *encr, *integ;
    } cases[] = {{1, "AES-GCM-256 with 16 octet ICV [RFC5282]", "NONE [RFC4306]"},
                 {2, "AES-CBC-256 [RFC3602]", "HMAC_SHA2_256_128 [RFC4868]"}};

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        Recording *r = calloc(1, sizeof *r);
        Line lines[LINES_MAX] = {};
        struct stat st;

        strcpy(folder + strlen(folder) - 6, "XXXXXX");
        folder_make();
        _cleanup_(link_freep) Link *l =
            link_new(&(Switches){.proposal = cases[i].proposal, .fragment = 600}, NULL, i);
        l->userdata = r;
        l->mangle = record;
        link_assert_up(l);
        link_gateway_wants(l, REQUEST_REKEY_IKE, 0);
        link_run_for(l, 20 * USEC_PER_SEC);
        link_close(l);
        link_run_for(l, 20 * USEC_PER_SEC);
        ck_assert_uint_eq(lines_read(lines), 2);
        ck_assert_str_eq(lines[0].encr, cases[i].encr);
        ck_assert_str_eq(lines[0].integ, cases[i].integ);
        ck_assert_uint_ge(sealed_messages_open(r, lines, 2), 8);
        lines[0].encryption[0][0] ^= 1; /* it can fail */
        for (size_t k = 0; k < r->n; k++)
            if (r->messages[k].data[18] == IKE_EXCHANGE_AUTH && r->messages[k].data[19] & 0x08 && i == 0)
                ck_assert(!line_opens(&lines[0], r->messages[k].data, r->messages[k].size));
        ck_assert(stat(ike_path, &st) == 0 && (st.st_mode & 0777) == 0600);
        folder_remove();
        free(r);
    }
}
END_TEST

static void esp_line(const ChildSa *child, unsigned direction, const char *expected) {
    char line[KEY_LINE_MAX];
    key_line_esp(child, direction, line);
    ck_assert_str_eq(line, expected);
}

START_TEST(esp_lines) {
    ChildSa child = {.spi_in = 0xc0ffee,
                     .spi_out = 0x80000001,
                     .remote = {.address = {.family = AF_INET}},
                     .algorithms = {.aead = "rfc4106(gcm(aes))", .icv_bits = 128},
                     .keys_in = {.encryption = {1, 2, 3}, .encryption_size = 20},
                     .keys_out = {.encryption = {0xff}, .encryption_size = 20}};

    esp_line(&child, CHILD_IN,
             "\"IPv4\",\"*\",\"*\",\"0x00c0ffee\",\"AES-GCM with 16 octet ICV [RFC4106]\","
             "\"0x0102030000000000000000000000000000000000\",\"NULL\",\"\"\n");
    esp_line(&child, CHILD_OUT,
             "\"IPv4\",\"*\",\"*\",\"0x80000001\",\"AES-GCM with 16 octet ICV [RFC4106]\","
             "\"0xff00000000000000000000000000000000000000\",\"NULL\",\"\"\n");
    child.remote.address.family = AF_INET6;
    child.algorithms =
        (EspAlgorithms){.encryption = "cbc(aes)", .integrity = "hmac(sha256)", .truncation_bits = 128};
    child.keys_in.encryption_size = 16;
    child.keys_in.integrity_size = 32;
    esp_line(&child, CHILD_IN,
             "\"IPv6\",\"*\",\"*\",\"0x00c0ffee\",\"AES-CBC [RFC3602]\","
             "\"0x01020300000000000000000000000000\",\"HMAC-SHA-256-128 [RFC4868]\","
             "\"0x0000000000000000000000000000000000000000000000000000000000000000\"\n");
    child.algorithms = (EspAlgorithms){.aead = "rfc7539esp(chacha20,poly1305)"};
    esp_line(&child, CHILD_IN, "");
}
END_TEST

/* What is installed is written, each direction when it is; what Wireshark has no name for is left out. */
START_TEST(esp_is_written_as_it_is_installed) {
    folder_make();
    _cleanup_(link_freep) Link *l = link_new(&(Switches){}, NULL, 1);
    link_assert_up(l);
    ChildSa child = l->child;
    char in[KEY_LINE_MAX], out[KEY_LINE_MAX], both[2 * KEY_LINE_MAX];

    key_line_esp(&child, CHILD_IN, in);
    key_line_esp(&child, CHILD_OUT, out);
    ck_assert(*in && *out);
    key_export(l->sa, &(IkeAction){.type = IKE_CHILD_UP, .up = {.child = &child}});
    snprintf(both, sizeof both, "%s%s", in, out);
    char *written = file_read(esp_path, NULL);
    ck_assert_str_eq(written, both);
    free(written);
    ck_assert_int_eq(unlink(esp_path), 0);
    key_export(l->sa,
               &(IkeAction){.type = IKE_CHILD_INSTALL, .child = {.child = &child, .parts = CHILD_OUT}});
    child.algorithms = (EspAlgorithms){.aead = "rfc7539esp(chacha20,poly1305)"};
    key_export(l->sa, &(IkeAction){.type = IKE_CHILD_INSTALL, .child = {.child = &child, .parts = CHILD_IN}});
    written = file_read(esp_path, NULL);
    ck_assert_str_eq(written, out);
    free(written);
    folder_remove();
}
END_TEST

SUITE("key-export", exchanges_open, esp_lines, esp_is_written_as_it_is_installed)
