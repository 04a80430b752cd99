/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See usim-milenage.h. */
#include "ike/usim-milenage.h"

#include <stdarg.h>
#include <stdio.h>

#include "ike/crypto.h"

#define LINE_MAX_BYTES 256

uint64_t sqn_array_highest(const SqnArray *sqn) {
    size_t at = 0;

    for (size_t i = 1; i < SQN_PLACES; i++)
        if (sqn->seq[i] > sqn->seq[at])
            at = i;
    return sqn->seq[at] << SQN_IND_BITS | at;
}

bool sqn_array_accept(SqnArray *sqn, uint64_t number) {
    const uint64_t seq = number >> SQN_IND_BITS, highest = sqn_array_highest(sqn) >> SQN_IND_BITS;
    uint64_t *place = &sqn->seq[number % SQN_PLACES];

    if (seq <= *place || (seq > highest && seq - highest > SQN_DELTA))
        return false;
    *place = seq;
    return true;
}

static int milenage_identity(void *userdata, char imsi[static IMSI_MAX + 1], size_t *ret_mnc_size) {
    const UsimMilenage *u = userdata;

    strcpy(imsi, u->imsi);
    *ret_mnc_size = u->mnc_size;
    return 0;
}

static void sqn_write(uint64_t number, const uint8_t ak[static AKA_SQN_BYTES],
                      uint8_t ret[static AKA_SQN_BYTES]) {
    for (size_t i = 0; i < AKA_SQN_BYTES; i++)
        ret[i] = (uint8_t)(number >> 8 * (AKA_SQN_BYTES - 1 - i)) ^ ak[i];
}

static uint64_t sqn_read(const uint8_t hidden[static AKA_SQN_BYTES], const uint8_t ak[static AKA_SQN_BYTES]) {
    uint64_t number = 0;

    for (size_t i = 0; i < AKA_SQN_BYTES; i++)
        number = number << 8 | (hidden[i] ^ ak[i]);
    return number;
}

/* AUTS = SQN_MS ^ f5*(RAND), f1*(SQN_MS, RAND, AMF*); AMF* is zero (TS 33.102 6.3.3). */
static int auts_make(const UsimMilenage *u, const uint8_t rand[static AKA_RAND_BYTES],
                     const uint8_t ak_resync[static AKA_SQN_BYTES], uint8_t ret[static AKA_AUTS_BYTES]) {
    static const uint8_t no_amf[AKA_AMF_BYTES], no_ak[AKA_SQN_BYTES];
    uint8_t sqn[AKA_SQN_BYTES], mac_a[AKA_MAC_BYTES];
    uint64_t highest = sqn_array_highest(&u->sqn);

    sqn_write(highest, no_ak, sqn);
    sqn_write(highest, ak_resync, ret);
    int r = milenage_f1(&u->milenage, rand, sqn, no_amf, mac_a, ret + AKA_SQN_BYTES);
    explicit_bzero(mac_a, sizeof mac_a);
    return r;
}

/* The order of TS 33.102 6.3.3: AK, MAC-A, sequence number, and only then RES, CK and IK leave. */
static int milenage_judge(UsimMilenage *u, const uint8_t rand[static AKA_RAND_BYTES],
                          const uint8_t autn[static AKA_AUTN_BYTES], const MilenageAnswer *functions,
                          UsimAnswer *ret) {
    static const uint8_t no_ak[AKA_SQN_BYTES];
    const uint8_t *amf = autn + AKA_SQN_BYTES, *mac = amf + AKA_AMF_BYTES;
    uint8_t sqn[AKA_SQN_BYTES], mac_a[AKA_MAC_BYTES], mac_s[AKA_MAC_BYTES];
    uint64_t number = sqn_read(autn, functions->ak);
    SqnArray taken = u->sqn;

    sqn_write(number, no_ak, sqn);
    int r = milenage_f1(&u->milenage, rand, sqn, amf, mac_a, mac_s);
    bool genuine = r == 0 && crypto_equal(mac_a, mac, AKA_MAC_BYTES);
    explicit_bzero(mac_a, sizeof mac_a);
    explicit_bzero(mac_s, sizeof mac_s);
    if (r < 0)
        return r;
    if (!genuine) {
        ret->verdict = USIM_MAC_FAILURE;
        return 0;
    }
    if (!sqn_array_accept(&taken, number)) {
        ret->verdict = USIM_SYNC_FAILURE;
        return auts_make(u, rand, functions->ak_resync, ret->auts);
    }
    r = u->keep ? u->keep(u->userdata, &taken) : 0;
    if (r < 0)
        return r;
    u->sqn = taken;
    ret->verdict = USIM_ACCEPTED;
    ret->res_size = MILENAGE_RES_BYTES;
    memcpy(ret->res, functions->res, MILENAGE_RES_BYTES);
    memcpy(ret->ck, functions->ck, AKA_KEY_BYTES);
    memcpy(ret->ik, functions->ik, AKA_KEY_BYTES);
    return 0;
}

static int milenage_authenticate(void *userdata, const uint8_t rand[static AKA_RAND_BYTES],
                                 const uint8_t autn[static AKA_AUTN_BYTES], UsimAnswer *ret) {
    UsimMilenage *u = userdata;
    MilenageAnswer functions;

    *ret = (UsimAnswer){};
    int r = milenage_f2345(&u->milenage, rand, &functions);
    if (r == 0)
        r = milenage_judge(u, rand, autn, &functions, ret);
    explicit_bzero(&functions, sizeof functions);
    return r;
}

Usim usim_milenage_driver(UsimMilenage *usim) {
    return (Usim){"milenage", milenage_identity, milenage_authenticate, usim};
}

void usim_milenage_wipe(UsimMilenage *usim) {
    explicit_bzero(usim, sizeof *usim);
}

static int hex_digit(char c) {
    static const char digits[] = "0123456789abcdef";
    const char *at = c ? strchr(digits, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c) : NULL;

    return at ? (int)(at - digits) : -1;
}

static const char *hex_read(const char *value, uint8_t *ret, size_t size) {
    for (size_t i = 0; i < 2 * size; i++) {
        int digit = hex_digit(value[i]);
        if (digit < 0)
            return "not of so many hexadecimal digits";
        ret[i / 2] = (uint8_t)(i % 2 ? ret[i / 2] | digit : digit << 4);
    }
    return value[2 * size] ? "not of so many hexadecimal digits" : NULL;
}

typedef struct CredentialFile {
    UsimMilenage usim;
    uint8_t op[MILENAGE_KEY_BYTES];
    unsigned seen; /* bits of credential_keys[] */
} CredentialFile;

static const char *credential_imsi(CredentialFile *f, const char *value) {
    if (!imsi_is_valid(value))
        return "not 6 to 15 digits";
    strcpy(f->usim.imsi, value);
    return NULL;
}

static const char *credential_mnc_length(CredentialFile *f, const char *value) {
    if (!streq(value, "2") && !streq(value, "3"))
        return "not 2 or 3";
    f->usim.mnc_size = (size_t)(value[0] - '0');
    return NULL;
}

static const char *credential_k(CredentialFile *f, const char *value) {
    return hex_read(value, f->usim.milenage.k, MILENAGE_KEY_BYTES);
}

static const char *credential_op(CredentialFile *f, const char *value) {
    return hex_read(value, f->op, MILENAGE_KEY_BYTES);
}

static const char *credential_opc(CredentialFile *f, const char *value) {
    return hex_read(value, f->usim.milenage.opc, MILENAGE_KEY_BYTES);
}

static const char *credential_sqn(CredentialFile *f, const char *value) {
    static const uint8_t no_ak[AKA_SQN_BYTES];
    uint8_t sqn[AKA_SQN_BYTES];
    const char *wrong = hex_read(value, sqn, sizeof sqn);

    if (wrong)
        return wrong;
    for (size_t i = 0; i < SQN_PLACES; i++)
        f->usim.sqn.seq[i] = sqn_read(sqn, no_ak) >> SQN_IND_BITS;
    return NULL;
}

enum { KEY_IMSI, KEY_MNC_LENGTH, KEY_K, KEY_OP, KEY_OPC, KEY_SQN };
static const struct {
    const char *name;
    const char *(*parse)(CredentialFile *f, const char *value);
} credential_keys[] = {
    [KEY_IMSI] = {"IMSI", credential_imsi}, [KEY_MNC_LENGTH] = {"MNCLength", credential_mnc_length},
    [KEY_K] = {"K", credential_k},          [KEY_OP] = {"OP", credential_op},
    [KEY_OPC] = {"OPc", credential_opc},    [KEY_SQN] = {"SQN", credential_sqn},
};
#define SEEN(f, key) ((f)->seen >> (key)&1)

/* NULL, or what is wrong with the line, which is cut up. */
static const char *credential_line(CredentialFile *f, char *line, const char **ret_name) {
    line += strspn(line, " \t");
    for (size_t n = strlen(line); n > 0 && strchr(" \t\r", line[n - 1]);)
        line[--n] = '\0';
    if (!*line || *line == '#')
        return NULL;
    char *value = strchr(line, '=');
    if (!value)
        return "not Key=Value";
    *value++ = '\0';
    for (size_t i = 0; i < ARRAY_SIZE(credential_keys); i++)
        if (streq(line, credential_keys[i].name)) {
            *ret_name = credential_keys[i].name;
            if (SEEN(f, i))
                return "is there twice";
            f->seen |= 1u << i;
            return credential_keys[i].parse(f, value);
        }
    return "no such key";
}

static int credential_fail(char *text, const char *format, ...) _printf_(2, 3);
static int credential_fail(char *text, const char *format, ...) {
    va_list ap;

    va_start(ap, format);
    vsnprintf(text, CREDENTIAL_TEXT, format, ap);
    va_end(ap);
    return -EINVAL;
}

static int credential_lines(CredentialFile *f, const char *file, size_t size, char *text) {
    char line[LINE_MAX_BYTES];
    unsigned number = 1;

    for (size_t at = 0, next; at < size; at = next + 1, number++) {
        const char *name = NULL, *end = memchr(file + at, '\n', size - at);
        next = end ? (size_t)(end - file) : size;
        if (next - at >= sizeof line || memchr(file + at, '\0', next - at))
            return credential_fail(text, "line %u: too long, or not text", number);
        memcpy(line, file + at, next - at);
        line[next - at] = '\0';
        const char *wrong = credential_line(f, line, &name);
        explicit_bzero(line, sizeof line);
        if (wrong)
            return credential_fail(text, "line %u: %s%s%s", number, strempty(name), name ? "=: " : "", wrong);
    }
    return 0;
}

static int credential_complete(CredentialFile *f, char *text) {
    if (!SEEN(f, KEY_IMSI) || !SEEN(f, KEY_K))
        return credential_fail(text, "missing: %s=", SEEN(f, KEY_IMSI) ? "K" : "IMSI");
    if (SEEN(f, KEY_OP) == SEEN(f, KEY_OPC))
        return credential_fail(text, "%s",
                               SEEN(f, KEY_OP) ? "OP= and OPc= are there" : "missing: OP= or OPc=");
    return SEEN(f, KEY_OP) ? milenage_opc(f->usim.milenage.k, f->op, f->usim.milenage.opc) : 0;
}

int usim_milenage_parse(UsimMilenage *ret, const char *file, size_t size, char *text) {
    CredentialFile f = {.usim.mnc_size = 2};
    int r = size > CREDENTIAL_MAX ? credential_fail(text, "longer than %d bytes", CREDENTIAL_MAX)
                                  : credential_lines(&f, file, size, text);

    if (r == 0)
        r = credential_complete(&f, text);
    if (r == 0)
        *ret = f.usim;
    explicit_bzero(&f, sizeof f);
    return r;
}
