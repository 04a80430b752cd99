/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the evidence about a gateway's certificates amounts to under each policy, with a world of the test's
 * own to fetch from; the cache; certificates of other kinds; and the paths revocation is asked along. */
#include "ike/revocation.h"
#include "revocation-data.h"
#include "seeded.h"

#define DAY  (24 * 3600 * USEC_PER_SEC)
#define HOUR (3600 * USEC_PER_SEC)

/* What a URL serves: "x.ocsp" of OCSP, "x.crl"; "!words" fails; NULL: it is an error to ask. */
typedef struct World {
    const char *ocsp, *crl, *ocsp2, *crl2; /* those of the end entity under ca; those under intermediate */
    unsigned asked;
} World;

static RevocationCache *cache;

static const char *served(World *world, const RevocationNeed *need) {
    const char *what = streq(need->url, "http://ocsp.operator.example/")                  ? world->ocsp
                       : streq(need->url, "http://crl.operator.example/ca.crl")           ? world->crl
                       : streq(need->url, "http://ocsp2.operator.example/")               ? world->ocsp2
                       : streq(need->url, "http://crl.operator.example/intermediate.crl") ? world->crl2
                                                                                          : NULL;
    world->asked++;
    ck_assert_msg(what != NULL, "asked %s", need->url);
    ck_assert(need->is_crl ? need->request_size == 0 && need->size_max == CRL_SIZE_MAX
                           : need->request_size > 0 && need->size_max == OCSP_RESPONSE_MAX);
    return what;
}

static RevocationVerdict play(Revocation policy, const char *const *chain, const char *const *stapled,
                              World *world, Moment now, char *text) {
    uint64_t state;
    Rng rng = seeded_rng(&state, 1);
    CertificatePath path = data_path(chain);
    Reader ocsp[4];
    size_t n = 0;
    RevocationJob *job;
    RevocationVerdict verdict;

    for (; stapled && stapled[n] && stapled[n][0]; n++)
        ocsp[n] = data_response(stapled[n]);
    ck_assert_int_eq(revocation_job_new(&job, cache, policy, &path, ocsp, n, &rng), 0);
    for (int rounds = 0; (verdict = revocation_job_evaluate(job, now, text)) == REVOCATION_NEEDED; rounds++) {
        const RevocationNeed *need;
        ck_assert_int_lt(rounds, 10);
        for (size_t i = 0; (need = revocation_job_need(job, i)); i++) {
            const char *what = served(world, need);
            if (what[0] == '!')
                revocation_job_answer(job, now, i, NULL, 0, what + 1);
            else {
                Reader der = need->is_crl ? data_crl(what) : data_response(what);
                revocation_job_answer(job, now, i, data_copy(der), der.left, NULL);
            }
        }
    }
    ck_assert_ptr_null(revocation_job_need(job, 0));
    revocation_job_free(job);
    return verdict;
}

static void load(const char *name) {
    char file[128], error[ERROR_MAX_BYTES] = "";
    snprintf(file, sizeof file, "%s.crl.der", name);
    Reader der = data_file(file);
    ck_assert_msg(revocation_cache_load(cache, der.data, der.left, error) == 0, "%s", error);
}

static void fresh(void) {
    revocation_cache_free(cache);
    ck_assert_int_eq(revocation_cache_new(&cache), 0);
}

#define PASS   REVOCATION_GOOD
#define REVOKE REVOCATION_REVOKED
#define DOUBT  REVOCATION_UNKNOWN

static const Moment NOW = {.mono = 100 * DAY, .real = DATA_NOW};

/* The table of policies: off passes everything without asking anybody, the other two see the same and judge
 * what is unknown each in its way. */
START_TEST(policies) {
    static const struct {
        const char *title;
        const char *chain[4], *stapled[4], *file; /* in the file CRL= */
        World world;
        RevocationVerdict verdict;
        const char *text;
        unsigned asked;
    } cases[] = {
        {"OCSP by http, good", {"gateway", "ca", ""}, {}, NULL, {"good", NULL}, PASS, "", 1},
        {"its delegate", {"gateway", "ca", ""}, {}, NULL, {"delegate", NULL}, PASS, "", 1},
        {"revoked",
         {"revoked", "ca", ""},
         {},
         NULL,
         {"revoked", NULL},
         REVOKE,
         "(serial 1002) was revoked on 2026-05-01 00:00:00 UTC (keyCompromise), says the OCSP responder",
         1},
        {"revoked, by a delegate",
         {"revoked", "ca", ""},
         {},
         NULL,
         {"delegate-revoked", NULL},
         REVOKE,
         "1002",
         1},
        {"on hold", {"held", "ca", ""}, {}, NULL, {"held", NULL}, REVOKE, "certificateHold", 1},
        {"CRL alone, good", {"crl-only", "ca", ""}, {}, NULL, {NULL, "good"}, PASS, "", 1},
        {"responder dead, CRL good", {"gateway", "ca", ""}, {}, NULL, {"!timed out", "good"}, PASS, "", 2},
        {"responder dead, CRL revoking",
         {"revoked", "ca", ""},
         {},
         NULL,
         {"!timed out", "revoking"},
         REVOKE,
         "says the CRL of \"Root CA\"",
         2},
        {"both dead",
         {"gateway", "ca", ""},
         {},
         NULL,
         {"!timed out", "!HTTP status 404"},
         DOUBT,
         "http://ocsp.operator.example/: timed out; CRL http://crl.operator.example/ca.crl: HTTP status 404",
         2},
        {"responder does not know", {"gateway", "ca", ""}, {}, NULL, {"unknown", "good"}, PASS, "", 2},
        {"nobody knows", {"gateway", "ca", ""}, {}, NULL, {"unknown", "!x"}, DOUBT, "does not know it", 2},
        {"responder tries later", {"gateway", "ca", ""}, {}, NULL, {"try-later", "good"}, PASS, "", 2},
        {"responder is a stranger",
         {"gateway", "ca", ""},
         {},
         NULL,
         {"stranger", "!x"},
         DOUBT,
         "signature is wrong",
         2},
        {"response expired",
         {"gateway", "ca", ""},
         {},
         NULL,
         {"expired", "!x"},
         DOUBT,
         "expired on 2026-05-08",
         2},
        {"response of the future",
         {"gateway", "ca", ""},
         {},
         NULL,
         {"future", "!x"},
         DOUBT,
         "of the future",
         2},
        {"response about another",
         {"gateway", "ca", ""},
         {},
         NULL,
         {"revoked", "!x"},
         DOUBT,
         "not about this",
         2},
        {"response with another nonce", {"gateway", "ca", ""}, {}, NULL, {"nonce", "!x"}, DOUBT, "nonce", 2},
        {"CRL expired",
         {"crl-only", "ca", ""},
         {},
         NULL,
         {NULL, "expired"},
         DOUBT,
         "expired on 2026-05-01",
         1},
        {"CRL of a stranger",
         {"crl-only", "ca", ""},
         {},
         NULL,
         {NULL, "stranger"},
         DOUBT,
         "signature is wrong",
         1},
        {"CRL with SHA-1", {"crl-only", "ca", ""}, {}, NULL, {NULL, "sha1"}, DOUBT, "SHA-256", 1},
        {"CRL of another issuer",
         {"crl-only", "ca", ""},
         {},
         NULL,
         {NULL, "intermediate"},
         DOUBT,
         "does not cover",
         1},
        {"indirect CRL", {"crl-only", "ca", ""}, {}, NULL, {NULL, "idp-indirect"}, DOUBT, "indirect", 1},
        {"delta CRL", {"crl-only", "ca", ""}, {}, NULL, {NULL, "idp-delta"}, DOUBT, "delta", 1},
        {"CRL of CAs only", {"crl-only", "ca", ""}, {}, NULL, {NULL, "idp-authority"}, DOUBT, "cover", 1},
        {"CRL of users only", {"crl-only", "ca", ""}, {}, NULL, {NULL, "idp-user"}, PASS, "", 1},
        {"CRL of its point", {"crl-only", "ca", ""}, {}, NULL, {NULL, "idp-here"}, PASS, "", 1},
        {"CRL of another point",
         {"crl-only", "ca", ""},
         {},
         NULL,
         {NULL, "idp-elsewhere"},
         DOUBT,
         "cover",
         1},
        {"CRL that lists it, expired",
         {"revoked", "ca", ""},
         {},
         NULL,
         {"!x", "expired-revoking"},
         REVOKE,
         "1002",
         2},
        {"a hold that may have ended", {"held", "ca", ""}, {}, NULL, {"expired-held", "good"}, PASS, "", 2},
        {"revocation does not end",
         {"revoked", "ca", ""},
         {},
         NULL,
         {"expired-revoked", NULL},
         REVOKE,
         "1002",
         1},
        {"nothing to ask", {"silent", "ca", ""}, {}, NULL, {NULL}, DOUBT, "names neither", 0},
        {"URLs of other kinds", {"odd-urls", "ca", ""}, {}, NULL, {NULL}, DOUBT, "not http", 0},
        /* RFC 4806 */
        {"stapled, good", {"gateway", "ca", ""}, {"good"}, NULL, {NULL}, PASS, "", 0},
        {"stapled, revoked",
         {"revoked", "ca", ""},
         {"revoked"},
         NULL,
         {NULL},
         REVOKE,
         "says the OCSP response in IKE",
         0},
        {"stapled, expired", {"gateway", "ca", ""}, {"expired"}, NULL, {"good"}, PASS, "", 1},
        {"stapled, of a stranger",
         {"gateway", "ca", ""},
         {"stranger"},
         NULL,
         {"!x", "!y"},
         DOUBT,
         "in IKE: its signature is wrong",
         2},
        {"stapled, several",
         {"gateway", "ca", ""},
         {"revoked", "stranger", "good"},
         NULL,
         {NULL},
         PASS,
         "",
         0},
        {"stapled, no nextUpdate, 12 h old", {"silent", "ca", ""}, {"no-next"}, NULL, {NULL}, DOUBT, "", 0},
        /* the operator's file */
        {"file, good", {"gateway", "ca", ""}, {}, "good", {NULL}, PASS, "", 0},
        {"file, revoking", {"revoked", "ca", ""}, {}, "revoking", {NULL}, REVOKE, "says the file's CRL", 0},
        {"a response outdoes the file",
         {"revoked", "ca", ""},
         {"revoked"},
         "good",
         {NULL},
         REVOKE,
         "1002",
         0},
        {"file, expired",
         {"silent", "ca", ""},
         {},
         "expired",
         {NULL},
         DOUBT,
         "the file's CRL of \"Root CA\": it expired on",
         0},
        {"file, expired, the responder lives", {"gateway", "ca", ""}, {}, "expired", {"good"}, PASS, "", 1},
        {"file, of the future", {"silent", "ca", ""}, {}, "future", {NULL}, DOUBT, "future", 0},
        {"file, of an issuer that may not",
         {"silent", "no-crl-ca", ""},
         {},
         "no-crl",
         {NULL},
         DOUBT,
         "may not sign CRLs",
         0},
        {"responder revoked by a CRL",
         {"gateway", "ca", ""},
         {"delegate-checked"},
         "expired-revoking",
         {"!x", "!y"},
         DOUBT,
         "responder's certificate is revoked",
         2},
        {"responder not to be checked",
         {"gateway", "ca", ""},
         {"delegate"},
         "expired-revoking",
         {NULL},
         PASS,
         "",
         0},
        /* intermediates */
        {"two, both good",
         {"below", "intermediate", "ca", ""},
         {},
         NULL,
         {"intermediate", NULL, "below", NULL},
         PASS,
         "",
         2},
        {"two, CRLs",
         {"below", "intermediate", "ca", ""},
         {},
         NULL,
         {"!x", "good", "!y", "intermediate"},
         PASS,
         "",
         4},
        {"intermediate revoked",
         {"below", "intermediate", "ca", ""},
         {},
         NULL,
         {"intermediate-revoked", NULL, "below", NULL},
         REVOKE,
         "\"Gateway CA\" (no subjectAltName) (serial 10) was revoked",
         2},
        {"intermediate unknown",
         {"below", "intermediate", "ca", ""},
         {"below"},
         NULL,
         {"!x", "!y"},
         DOUBT,
         "\"Gateway CA\"",
         2},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        for (Revocation policy = REVOCATION_OFF; policy <= REVOCATION_STRICT; policy++) {
            World world = cases[i].world;
            char text[ERROR_MAX_BYTES];
            bool off = policy == REVOCATION_OFF,
                 passes = off || cases[i].verdict == PASS ||
                          (cases[i].verdict == DOUBT && policy != REVOCATION_STRICT);
            fresh();
            if (cases[i].file)
                load(cases[i].file);
            RevocationVerdict v = play(policy, cases[i].chain, cases[i].stapled, &world, NOW, text);
            ck_assert_msg(v == (off ? PASS : cases[i].verdict), "%s, policy %d: %d \"%s\"", cases[i].title,
                          policy, v, text);
            ck_assert_msg(off ? !text[0] : strstr(text, cases[i].text) != NULL, "%s: \"%s\"", cases[i].title,
                          text);
            ck_assert_msg((text[0] == 0) == (v == PASS), "%s: \"%s\"", cases[i].title, text);
            ck_assert_msg(world.asked == (off ? 0 : cases[i].asked), "%s: asked %u", cases[i].title,
                          world.asked);
            ck_assert_int_eq(revocation_passes(policy, v), passes);
        }
    }
}
END_TEST

/* Nobody knows the time: dates of evidence do not count, as those of certificates. */
START_TEST(clock_not_trusted) {
    static const struct {
        const char *x, *response;
        RevocationVerdict verdict;
    } cases[] = {
        {"gateway", "expired", PASS},          {"gateway", "future", PASS},
        {"gateway", "no-next", PASS},          {"held", "expired-held", REVOKE},
        {"gateway", "delegate-expired", PASS}, {"revoked", "revoked", REVOKE},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        World world = {.ocsp = cases[i].response, .crl = "!x"};
        char text[ERROR_MAX_BYTES];
        fresh();
        RevocationVerdict v = play(REVOCATION_STRICT, (const char *[]){cases[i].x, "ca", ""}, NULL, &world,
                                   (Moment){.mono = 5, .real = CERTIFICATE_UNDATED}, text);
        ck_assert_msg(v == cases[i].verdict, "%s: %d %s", cases[i].response, v, text);
    }
}
END_TEST

/* A reconnect while the responder is away: what was fetched counts until its nextUpdate. */
START_TEST(outage) {
    static const char *const chain[] = {"gateway", "ca", ""};
    World world = {.ocsp = "good"}, nobody = {}, dead = {.ocsp = "!timed out", .crl = "!timed out"};
    char text[ERROR_MAX_BYTES];
    Moment now = NOW;

    fresh();
    ck_assert_int_eq(play(REVOCATION_STRICT, chain, NULL, &world, now, text), PASS);
    now.mono += HOUR - 1, now.real += HOUR - 1; /* not asked again */
    ck_assert_int_eq(play(REVOCATION_STRICT, chain, NULL, &nobody, now, text), PASS);
    now.mono += 1, now.real += 1; /* asked again, but it does without */
    ck_assert_int_eq(play(REVOCATION_STRICT, chain, NULL, &dead, now, text), PASS);
    ck_assert_uint_eq(dead.asked, 2);
    now.mono += 6 * DAY, now.real += 6 * DAY; /* nextUpdate is 6.5 days ahead of NOW */
    ck_assert_int_eq(play(REVOCATION_STRICT, chain, NULL, &dead, now, text), PASS);
    now.mono += DAY, now.real += DAY;
    ck_assert_int_eq(play(REVOCATION_STRICT, chain, NULL, &dead, now, text), DOUBT);
    ck_assert_msg(strstr(text, "it expired on 2026-06-07 12:00:00 UTC") && strstr(text, "timed out"), "%s",
                  text);
    /* Without nextUpdate an hour, and no more. */
    fresh();
    now = (Moment){.mono = 100 * DAY, .real = DATA_NOW - 12 * HOUR};
    world.ocsp = "no-next";
    ck_assert_int_eq(play(REVOCATION_STRICT, chain, NULL, &world, now, text), PASS);
    now.mono += HOUR, now.real += HOUR;
    ck_assert_int_eq(play(REVOCATION_STRICT, chain, NULL, &dead, now, text), PASS); /* the tolerance */
    now.mono += HOUR, now.real += HOUR;
    ck_assert_int_eq(play(REVOCATION_STRICT, chain, NULL, &dead, now, text), DOUBT);
}
END_TEST

/* A dead responder costs its time once a minute, where it may be passed over at all. */
START_TEST(dead_is_not_asked_at_once) {
    static const char *const chain[] = {"gateway", "ca", ""};
    World dead = {.ocsp = "!timed out", .crl = "!timed out"};
    char text[ERROR_MAX_BYTES];
    Moment now = NOW;

    fresh();
    ck_assert_int_eq(play(REVOCATION_IF_AVAILABLE, chain, NULL, &dead, now, text), DOUBT);
    now.mono += REVOCATION_RETRY - 1;
    ck_assert_int_eq(play(REVOCATION_IF_AVAILABLE, chain, NULL, &dead, now, text), DOUBT);
    ck_assert_uint_eq(dead.asked, 2);
    ck_assert_msg(strstr(text, "failed less than a minute ago"), "%s", text);
    ck_assert_int_eq(play(REVOCATION_STRICT, chain, NULL, &dead, now, text), DOUBT);
    ck_assert_uint_eq(dead.asked, 4);
    now.mono += REVOCATION_RETRY;
    ck_assert_int_eq(play(REVOCATION_IF_AVAILABLE, chain, NULL, &dead, now, text), DOUBT);
    ck_assert_uint_eq(dead.asked, 6);
}
END_TEST

/* Somebody on the way plays an older response, from before the revocation. */
START_TEST(older_is_not_taken) {
    static const char *const chain[] = {"gateway", "ca", ""};
    World world = {.ocsp = "good"}, replayed = {.ocsp = "older", .crl = "!x"};
    char text[ERROR_MAX_BYTES];
    Moment now = NOW;

    fresh();
    ck_assert_int_eq(play(REVOCATION_STRICT, chain, NULL, &world, now, text), PASS);
    size_t size = revocation_cache_size(cache);
    now.mono += 2 * HOUR, now.real += 2 * HOUR;
    ck_assert_int_eq(play(REVOCATION_STRICT, chain, NULL, &replayed, now, text),
                     PASS); /* by the cached one */
    ck_assert_uint_eq(replayed.asked, 2);
    ck_assert_uint_eq(revocation_cache_size(cache), size);
}
END_TEST

static RevocationEntry entry_of(uint8_t key, size_t size, usec_t fetched) {
    RevocationEntry e = {.der = {calloc(1, size), size}, .key = {key}, .fetched = fetched, .this_update = 1};
    return e;
}

START_TEST(cache_is_bounded) {
    fresh();
    for (uint8_t i = 0; i < 3 * REVOCATION_ENTRIES_MAX; i++) {
        RevocationEntry e = entry_of(i, 10, i);
        ck_assert(revocation_cache_put(cache, &e));
    }
    ck_assert_uint_eq(revocation_cache_size(cache), 10 * REVOCATION_ENTRIES_MAX);
    for (uint8_t i = 0; i < 3 * REVOCATION_ENTRIES_MAX; i++)
        ck_assert_int_eq(revocation_cache_find(cache, (uint8_t[REVOCATION_KEY_BYTES]){i}) != NULL,
                         i >= 2 * REVOCATION_ENTRIES_MAX); /* the oldest went */
    for (uint8_t i = 100; i < 110; i++) {
        RevocationEntry e = entry_of(i, REVOCATION_BYTES_MAX / 2, i);
        ck_assert(revocation_cache_put(cache, &e));
        ck_assert_uint_le(revocation_cache_size(cache), REVOCATION_BYTES_MAX);
    }
    RevocationEntry large = entry_of(200, REVOCATION_BYTES_MAX + 1, 200);
    ck_assert(!revocation_cache_put(cache, &large));
    ck_assert_ptr_nonnull(revocation_cache_find(cache, (uint8_t[REVOCATION_KEY_BYTES]){109}));
    RevocationEntry older = entry_of(109, 5, 300);
    older.this_update = 0;
    ck_assert(!revocation_cache_put(cache, &older));
    /* Failures, too: the one that is longest ago is forgotten. */
    for (uint8_t i = 1; i <= REVOCATION_FAILURES_MAX + 1; i++)
        revocation_cache_fail(cache, (uint8_t[REVOCATION_KEY_BYTES]){i}, i);
    ck_assert(!revocation_cache_failed(cache, (uint8_t[REVOCATION_KEY_BYTES]){1}, 20));
    ck_assert(revocation_cache_failed(cache, (uint8_t[REVOCATION_KEY_BYTES]){2}, 20));
}
END_TEST

START_TEST(files) {
    static const struct {
        const char *file;
        size_t n;
        const char *text;
    } cases[] = {
        {"good.crl.pem", 1, NULL},         {"both.crl.pem", 2, NULL},
        {"good.crl.der", 1, NULL},         {"gateway.pem", 0, "holds no CRL"},
        {"idp-delta.crl.der", 0, "delta"}, {"request.der", 0, "cannot be read"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        Reader data = data_file(cases[i].file);
        char error[ERROR_MAX_BYTES] = "";
        size_t n = 0;
        fresh();
        int r = revocation_cache_load(cache, data.data, data.left, error);
        while (revocation_cache_entry(cache, n))
            n++;
        ck_assert_msg(cases[i].text ? r == -EINVAL && strstr(error, cases[i].text) : r == 0, "%s: %d %s",
                      cases[i].file, r, error);
        ck_assert_uint_eq(n, cases[i].n);
        /* One that cannot be used leaves those of before. */
        ck_assert_int_eq(
            revocation_cache_load(cache, (const uint8_t *)"-----BEGIN X509 CRL-----\n", 25, error), -EINVAL);
        ck_assert_int_eq(revocation_cache_entry(cache, 0) != NULL, n > 0);
        ck_assert_int_eq(revocation_cache_load(cache, NULL, 0, error), 0);
        ck_assert_ptr_null(revocation_cache_entry(cache, 0));
    }
}
END_TEST

START_TEST(giving_up) {
    uint64_t state;
    Rng rng = seeded_rng(&state, 1);
    CertificatePath path = data_path((const char *[]){"gateway", "ca", ""});
    RevocationJob *job;
    char text[ERROR_MAX_BYTES];

    fresh();
    ck_assert_int_eq(revocation_job_new(&job, cache, REVOCATION_STRICT, &path, NULL, 0, &rng), 0);
    ck_assert_int_eq(revocation_job_evaluate(job, NOW, text), REVOCATION_NEEDED);
    revocation_job_give_up(job, "no answer within 10 s");
    ck_assert_int_eq(revocation_job_evaluate(job, NOW, text), REVOCATION_UNKNOWN);
    ck_assert_msg(strstr(text, "no answer within 10 s"), "%s", text);
    revocation_job_free(job);
}
END_TEST

static TrustStore *trust_of(const char *name) {
    char file[128], error[ERROR_MAX_BYTES];
    TrustStore *store;
    snprintf(file, sizeof file, "%s.pem", name);
    Reader pem = data_file(file);
    ck_assert_int_eq(trust_store_load(&store, pem.data, pem.left, error), 0);
    return store;
}

/* Each one's issuer, in any order and among others; and keys and signatures of every kind. */
START_TEST(paths) {
    static const struct {
        const char *trust, *chain[6], *path[4]; /* without a path: refused */
    } cases[] = {
        {"ca", {"gateway", ""}, {"gateway", "ca", ""}},
        {"ca", {"gateway", "ca", "other-ca", ""}, {"gateway", "ca", ""}},
        {"ca",
         {"below", "other-ca", "ca", "revoked", "intermediate", ""},
         {"below", "intermediate", "ca", ""}},
        {"intermediate", {"below", "ca", ""}, {"below", "intermediate", ""}}, /* a root that is none */
        {"ca", {"below", ""}, {}},
        {"other-ca", {"gateway", ""}, {}}, /* only the name is right */
        {"other-ca", {"gateway", "ca", ""}, {}},
        {"p521-ca", {"p521-gateway", ""}, {"p521-gateway", "p521-ca", ""}},
        {"ca", {"p384-gateway", "intermediate", ""}, {"p384-gateway", "intermediate", "ca", ""}},
        {"ed25519-ca", {"ed25519-gateway", ""}, {"ed25519-gateway", "ed25519-ca", ""}},
        {"ed25519-ca", {"ed25519-end", ""}, {"ed25519-end", "ed25519-ca", ""}},
        {"rsa-ca", {"pss-gateway", ""}, {"pss-gateway", "rsa-ca", ""}},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_(trust_store_freep) TrustStore *store = trust_of(cases[i].trust);
        CertificatePath chain = data_path(cases[i].chain), path = {}, *copy;
        Reader readers[CHAIN_MAX];
        char verdict[ERROR_MAX_BYTES] = "";

        for (size_t k = 0; k < chain.n; k++)
            readers[k] = reader_new(chain.certificates[k].der, chain.certificates[k].der_size);
        int r = certificate_verify_path(store, readers, chain.n, "segw.operator.example", DATA_NOW, &path,
                                        verdict);
        if (!cases[i].path[0]) {
            ck_assert_int_eq(r, IKE_NOTIFY_AUTHENTICATION_FAILED);
            continue;
        }
        ck_assert_msg(r == 0, "%s: %s", cases[i].chain[0], verdict);
        CertificatePath expected = data_path(cases[i].path);
        ck_assert_int_eq(certificate_path_copy(&copy, &path), 0);
        ck_assert_uint_eq(path.n, expected.n);
        ck_assert_uint_eq(copy->n, expected.n);
        for (size_t k = 0; k < path.n; k++) {
            const Certificate *x = &path.certificates[k], *y = &expected.certificates[k],
                              *z = &copy->certificates[k];
            ck_assert_msg(x509_same_bytes(x->der, x->der_size, y->der, y->der_size), "case %zu, %zu", i, k);
            ck_assert(z->der != x->der && x509_same_bytes(z->der, z->der_size, y->der, y->der_size));
        }
        ck_assert_uint_eq(path.certificates[0].not_after, UINT64_C(2366841600) * USEC_PER_SEC);
        free(copy);
    }
}
END_TEST

SUITE("revocation", policies, clock_not_trusted, outage, dead_is_not_asked_at_once, older_is_not_taken,
      cache_is_bounded, files, giving_up, paths)
