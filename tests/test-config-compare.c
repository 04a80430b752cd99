/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a reload does with each key of agent.conf: another value is seen, and the key is named in its class.
 */
#include <check.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/log.h"
#include "config-compare.h"
#include "files.h"
#include "suite.h"

#define FILE_A "/proc/self/status"
#define FILE_B "/proc/self/limits"

static char dir[] = "/tmp/henb-config-compare-XXXXXX";
static char path[64];
static Config now, next;
static ConfigDifference difference;

static const char good[] =
    "[Identity]\nManufacturer=Example\nOUI=00A0BC\nProductClass=HeNB\nSerialNumber=000001\nOperator=Tel\n"
    "[Trust]\nCA=" FILE_A "\nCertificate=" FILE_A "\nKey=" FILE_A
    "\n"
    "[Serving]\nSeGW=segw.operator.example\nHeMS=hems.operator.example\n"
    "[Initial]\nSeGW=segw0.operator.example\nHeMS=hems0.operator.example\n"
    "[HostingParty]\nUSIM=pcsc\n"
    "[Owners]\nDevice.FAP.GPS.=org.example.Location\nDevice.Time.=org.example.Time\n";

/* Another value of each key; *also*: what follows from it. */
static const struct {
    const char *section, *key, *value;
    bool in_place;
    const char *also;
} others[] = {
    {"Identity", "Manufacturer", "Other"},
    {"Identity", "OUI", "00A0BD"},
    {"Identity", "ProductClass", "Femto"},
    {"Identity", "SerialNumber", "000002"},
    {"Identity", "HardwareVersion", "2"},
    {"Identity", "SoftwareVersion", "2"},
    {"Identity", "Operator", "Cell"},
    {"Initial", "SeGW", "segw1.operator.example"},
    {"Initial", "HeMS", "hems1.operator.example"},
    {"Initial", "SeGWIdentity", "segw1.operator.example"},
    {"Serving", "SeGW", "segw2.operator.example"},
    {"Serving", "HeMS", "hems2.operator.example"},
    {"Serving", "SeGWIdentity", "segw2.operator.example"},
    {"Trust", "CA", FILE_B, true},
    {"Trust", "Certificate", FILE_B, true},
    {"Trust", "Key", FILE_B, true},
    {"Trust", "CRL", FILE_B, true},
    {"Trust", "Revocation", "strict"},
    {"Trust", "ClockPolicy", "lenient"},
    {"Network", "PublicDNS", "192.0.2.1"},
    {"Network", "PrivateDNS", "192.0.2.1 192.0.2.2"},
    {"Network", "TunnelInterface", "tun1"},
    {"Network", "InterfaceId", "7"},
    {"IPsec", "IKEProposals", "aes128gcm16-prfsha256-ecp256"},
    {"IPsec", "ESPProposals", "aes128gcm16"},
    {"IPsec", "PFS", "yes"},
    {"IPsec", "ESN", "no", false, "[IPsec] ESPProposals=, "},
    {"IPsec", "ReplayWindow", "256"},
    {"IPsec", "ChildLifetime", "100"},
    {"IPsec", "IKELifetime", "100"},
    {"IPsec", "ChildBytes", "5000000000"},
    {"IPsec", "ChildPackets", "1000"},
    {"IPsec", "NATKeepalive", "0"},
    {"IPsec", "FragmentSize", "1500"},
    {"Registration", "WaitForLocation", "5"},
    {"Registration", "InformParameters", "Device.FAP."},
    {"Registration", "Username", "another"},
    {"Registration", "PasswordFile", FILE_B},
    {"Registration", "FallbackRounds", "4"},
    {"Registration", "FallbackTime", "4"},
    {"HostingParty", "USIM", "pcsc:Reader"},
    {"HostingParty", "Realm", "realm.example"},
    {"Owners", "Device.FAP.GPS.", "org.example.Gps"},
    {"Log", "Level", "debug", true},
};

static void directory_make(void) {
    char dropins[96];

    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/agent.conf", dir);
    snprintf(dropins, sizeof dropins, "%s.d", path);
    ck_assert_int_eq(mkdir(dropins, 0755), 0);
}

static void load(Config *ret, const char *more) {
    char file[96], error[ERROR_MAX_BYTES] = "";

    if (!*path)
        directory_make();
    file_write_text(path, good);
    snprintf(file, sizeof file, "%s.d/50.conf", path);
    file_write_text(file, more);
    ck_assert_msg(config_load(ret, path, error) == 0, "%s: %s", more, error);
}

static void compare(const char *before, const char *after) {
    load(&now, before);
    load(&next, after);
    config_compare(&now, &next, &difference);
}

static void check_none(void) {
    ck_assert_str_eq(difference.in_place, "");
    ck_assert_str_eq(difference.restart, "");
}

static void directory_remove(void) {
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", dir);
    ck_assert_int_eq(system(command), 0);
}

START_TEST(each_key_is_seen) {
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        const bool owner = streq(others[i].section, "Owners");
        char text[512], name[128];
        snprintf(text, sizeof text, "[%s]\n%s=%s\n", others[i].section, others[i].key, others[i].value);
        snprintf(name, sizeof name, owner ? "%s[%s]" : "%s[%s] %s=", strempty(others[i].also),
                 others[i].section, others[i].key);
        for (int way = 0; way < 2; way++) {
            compare(way ? text : "", way ? "" : text);
            ck_assert_str_eq(difference.in_place, others[i].in_place ? name : "");
            ck_assert_str_eq(difference.restart, others[i].in_place ? "" : name);
        }
        compare(text, text);
        check_none();
    }
    directory_remove();
}
END_TEST

static bool is_tried(const char *section, const char *key) {
    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        if (streq(others[i].section, section) && streq(others[i].key, key))
            return true;
    return false;
}

/* Each key that config.c knows has its line above, and so a class. */
START_TEST(each_key_is_tried) {
    char section[64], key[64];
    size_t n = 0;

    load(&now, "");
    for (size_t i = 0; i < CONFIG_KEYS_MAX && *now.origins[i]; i++, n++) {
        const char *at = strstr(now.origins[i], " [");
        ck_assert_msg(at && sscanf(at, " [%63[^]]] %63[^=]=", section, key) == 2, "%s", now.origins[i]);
        ck_assert_msg(is_tried(section, key), "[%s] %s= is not tried here", section, key);
    }
    ck_assert_uint_eq(n + 1, ARRAY_SIZE(others)); /* and [Owners] */
    directory_remove();
}
END_TEST

/* The default spelled out, the same in another order or in two lines, an identity that is the SeGW's name. */
START_TEST(the_same_in_other_words) {
    compare("", "[Log]\nLevel=info\n[IPsec]\nPFS=prefer\nChildLifetime=14400\n# a comment\n");
    check_none();
    compare("", "[Serving]\nSeGWIdentity=segw.operator.example\nHeMS=http://hems.operator.example:7547/\n");
    check_none();
    compare("[Network]\nPublicDNS=192.0.2.1\n", "[Network]\nPublicDNS=  192.0.2.1 \n");
    check_none();
    compare("[IPsec]\nIKEProposals=aes128gcm16-prfsha256-ecp256\n",
            "[IPsec]\nIKEProposals=AES128GCM16-prfsha256-ecp256\n");
    check_none();
    compare("[Owners]\nDevice.X.=org.example.X\nDevice.Y.=org.example.Y\n",
            "[Owners]\nDevice.Y.=org.example.Y\nDevice.X.=org.example.X\n");
    check_none();
    directory_remove();
}
END_TEST

START_TEST(parts_of_a_list) {
    compare("[Network]\nPublicDNS=192.0.2.1 192.0.2.2\n", "[Network]\nPublicDNS=192.0.2.1\n");
    ck_assert_str_eq(difference.restart, "[Network] PublicDNS=");
    compare("[Network]\nPublicDNS=192.0.2.1\n", "[Network]\nPublicDNS=192.0.2.1 192.0.2.2\n");
    ck_assert_str_eq(difference.restart, "[Network] PublicDNS=");
    compare("", "[Owners]\nDevice.X.=org.example.X\n");
    ck_assert_str_eq(difference.restart, "[Owners]");
    compare("", "[Owners]\nDevice.Time.=\n");
    ck_assert_str_eq(difference.restart, "[Owners]");
    directory_remove();
}
END_TEST

/* The text holds all names there are. */
START_TEST(all_at_once) {
    char text[4096] = "";

    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        size_t len = strlen(text);
        snprintf(text + len, sizeof text - len, "[%s]\n%s=%s\n", others[i].section, others[i].key,
                 others[i].value);
    }
    compare("", text);
    ck_assert_str_eq(difference.in_place,
                     "[Trust] CA=, [Trust] Certificate=, [Trust] Key=, [Trust] CRL=, [Log] Level=");
    ck_assert_uint_lt(strlen(difference.restart), CONFIG_NAMES_MAX - 1);
    ck_assert_ptr_nonnull(strstr(difference.restart, "[Identity] Manufacturer=, "));
    ck_assert_ptr_nonnull(strstr(difference.restart, ", [Owners]"));
    directory_remove();
}
END_TEST

SUITE("config-compare", each_key_is_seen, each_key_is_tried, the_same_in_other_words, parts_of_a_list,
      all_at_once)
