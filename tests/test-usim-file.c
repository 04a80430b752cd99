/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The credential file's USIM: its sequence numbers outlive it; and what a build without a card reader, or a
 * machine without one, says. */
#include "files.h"
#include "ike/usim-file-io.h"
#include "ike/usim-pcsc-io.h"
#include "suite.h"

#define CREDENTIAL                                                                                           \
    "IMSI=234150123456789\nK=465b5ce8b199b49faa5f0a2ee238a6bc\nOPc=cd63cb71954a9f4e48a5994e37a02baf\n"

static char dir[] = "/tmp/henb-usim-XXXXXX";
static char credential[64], kept[64], text[CREDENTIAL_TEXT];

static void folder_make(void) {
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(credential, sizeof credential, "%s/usim.conf", dir);
    snprintf(kept, sizeof kept, "%s/" USIM_SQN_FILE, dir);
    file_write(credential, CREDENTIAL, strlen(CREDENTIAL));
}

static void folder_remove(void) {
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", dir);
    ck_assert_int_eq(system(command), 0);
}

/* What the file's USIM says to the number. */
static UsimVerdict challenge(uint64_t number, int result) {
    Milenage m;
    MilenageAnswer f;
    uint8_t rand[16] = {1}, autn[16] = {}, sqn[6], mac_s[8];
    UsimMilenage lab;
    UsimFile *u = NULL;
    UsimAnswer a = {};

    ck_assert_int_eq(usim_milenage_parse(&lab, CREDENTIAL, strlen(CREDENTIAL), text), 0);
    m = lab.milenage;
    ck_assert_int_eq(milenage_f2345(&m, rand, &f), 0);
    for (size_t i = 0; i < 6; i++) {
        sqn[i] = (uint8_t)(number >> 8 * (5 - i));
        autn[i] = sqn[i] ^ f.ak[i];
    }
    ck_assert_int_eq(milenage_f1(&m, rand, sqn, autn + 6, autn + 8, mac_s), 0);
    ck_assert_msg(usim_file_new(&u, credential, dir, text) == 0, "%s", text);
    Usim usim = usim_file_driver(u);
    ck_assert_int_eq(usim.authenticate(usim.userdata, rand, autn, &a), result);
    usim_file_free(u);
    return a.verdict;
}

START_TEST(numbers_are_kept) {
    folder_make();
    ck_assert_int_eq(challenge(0x10000, 0), USIM_ACCEPTED);
    ck_assert_int_eq(challenge(0x10000, 0), USIM_SYNC_FAILURE);
    ck_assert_int_eq(challenge(0x10021, 0), USIM_ACCEPTED);
    ck_assert_int_eq(challenge(0x10020, 0), USIM_ACCEPTED);
    ck_assert_int_eq(challenge(0x10020, 0), USIM_SYNC_FAILURE);
    folder_remove();
}
END_TEST

START_TEST(numbers_that_cannot_be_kept) {
    char command[128];

    folder_make();
    snprintf(command, sizeof command, "mkdir %s/" USIM_SQN_FILE ".new", dir);
    ck_assert_int_eq(system(command), 0);
    challenge(0x10000, -EISDIR);
    folder_remove();
}
END_TEST

START_TEST(kept_files) {
    static const struct {
        const char *file;
        int result;
    } cases[] = {
        {"999990123456789 rest\n", 0}, /* of another subscription */
        {"234150123456789 00000000001\n", -EBADMSG},
        {"234150123456789\n", -EBADMSG},
        {"rubbish", -EBADMSG},
    };
    UsimFile *u = NULL;

    folder_make();
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        file_write(kept, cases[i].file, strlen(cases[i].file));
        ck_assert_int_eq(usim_file_new(&u, credential, dir, text), cases[i].result);
        if (cases[i].result == 0)
            usim_file_free(u);
        else
            ck_assert_str_eq(text, "kept sequence numbers: damaged");
    }
    ck_assert_int_eq(usim_file_new(&u, "/nowhere/usim", dir, text), -ENOENT);
    ck_assert_str_eq(text, "No such file or directory");
    file_write(credential, "K=1\n", 4);
    ck_assert_int_eq(usim_file_new(&u, credential, dir, text), -EINVAL);
    ck_assert_str_eq(text, "line 1: K=: not of so many hexadecimal digits");
    folder_remove();
}
END_TEST

/* No machine that runs this has a reader of this name. */
START_TEST(no_reader) {
    char imsi[IMSI_MAX + 1];
    UsimPcsc *u = NULL;
    size_t size;
    int r = usim_pcsc_new(&u, "no such reader");

    if (r == -ENOTSUP)
        return;
    ck_assert_int_eq(r, 0);
    Usim usim = usim_pcsc_driver(u);
    ck_assert_str_eq(usim.name, "pcsc");
    ck_assert_int_eq(usim.identity(usim.userdata, imsi, &size), -ENODEV);
    usim_pcsc_free(u);
}
END_TEST

SUITE("usim-file", numbers_are_kept, numbers_that_cannot_be_kept, kept_files, no_reader)
