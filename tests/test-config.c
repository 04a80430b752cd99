/* SPDX-License-Identifier: GPL-3.0-or-later */
/* agent.conf: what is taken from it, and that each mistake is told with file, line and key. */
#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/macro.h"
#include "base/utf8.h"
#include "config.h"
#include "files.h"
#include "suite.h"

#define IDENTITY "[Identity]\nManufacturer=Example\nOUI=00A0BC\nProductClass=HeNB\nSerialNumber=000001\n"
#define TRUST    "[Trust]\nCA=/proc/self/status\nCertificate=/proc/self/status\nKey=/proc/self/status\n"
#define SERVING  "[Serving]\nSeGW=segw.operator.example\nHeMS=hems.operator.example\n"
#define GOOD     IDENTITY TRUST SERVING /* 12 lines: a line appended to it is line 13 */
#define OPERATOR "[Identity]\nOperator=Ö-Tel\n"

static char dir[] = "/tmp/henb-config-XXXXXX";
static char path[64];
static Config config;
static char error[ERROR_MAX_BYTES];

static void directory_make(void) {
    if (*path)
        return;
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/agent.conf", dir);
}

static void directory_remove(void) {
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", dir);
    ck_assert_int_eq(system(command), 0);
}

static int load(const char *text) {
    directory_make();
    file_write_text(path, text);
    memset(error, 0, sizeof error);
    return config_load(&config, path, error);
}

static void dropin_write(const char *name, const char *text) {
    char file[128];
    directory_make();
    snprintf(file, sizeof file, "%s.d", path);
    mkdir(file, 0755);
    snprintf(file, sizeof file, "%s.d/%s", path, name);
    file_write_text(file, text);
}

/* *error* must be the configuration's path, then *rest*. */
static void check_error(const char *rest) {
    char expected[2 * ERROR_MAX_BYTES];
    snprintf(expected, sizeof expected, "%s%s", path, rest);
    ck_assert_str_eq(error, expected);
}

static void check_proposals(const ProposalSet *set, const char *expected) {
    char text[PROPOSALS_STR_MAX];
    ck_assert_str_eq(proposals_format(set, text), expected);
}

START_TEST(serving_pair_is_read) {
    char text[PROPOSALS_STR_MAX];
    ck_assert_msg(load(GOOD) == 0, "%s", error);
    ck_assert_str_eq(config.manufacturer, "Example");
    ck_assert_str_eq(config.oui, "00A0BC");
    ck_assert_str_eq(config.product_class, "HeNB");
    ck_assert_str_eq(config.serial_number, "000001");
    ck_assert_str_eq(config.hardware_version, "");
    ck_assert_str_eq(config.software_version, VERSION);
    ck_assert_str_eq(config.operator_name, "");
    ck_assert_str_eq(config.serving.segw, "segw.operator.example");
    ck_assert_str_eq(config.serving.segw_identity, "segw.operator.example");
    ck_assert_str_eq(config.serving.hems, "http://hems.operator.example:7547/");
    ck_assert_str_eq(config.initial.segw, "");
    ck_assert_str_eq(config.initial.segw_identity, "");
    ck_assert_str_eq(config.ca, "/proc/self/status");
    ck_assert_uint_eq(config.n_public_dns, 0);
    ck_assert_str_eq(config.tunnel_interface, "henb0");
    ck_assert_uint_eq(config.interface_id, 32593);
    ck_assert_int_eq(config.log_level, LOG_INFO);
    ck_assert_str_eq(config.crl, "");
    ck_assert_int_eq(config.revocation, REVOCATION_IF_AVAILABLE);
    ck_assert_int_eq(config.clock_policy, CLOCK_WAIT);
    ck_assert_uint_eq(config.n_private_dns, 0);
    ck_assert_uint_eq(config.wait_for_location, 0);
    ck_assert_str_eq(config.inform_parameters, "");
    ck_assert_uint_eq(config.fallback_rounds, 3);
    ck_assert_uint_eq(config.fallback_time, 3600);
    ck_assert_int_eq(config.pfs, PFS_PREFER);
    ck_assert_int_eq(config.esn, ESN_PREFER);
    ck_assert_uint_eq(config.replay_window, 128);
    ck_assert_uint_eq(config.child_lifetime, 14400);
    ck_assert_uint_eq(config.ike_lifetime, 86400);
    ck_assert_uint_eq(config.child_bytes, 0);
    ck_assert_uint_eq(config.child_packets, 0);
    ck_assert_uint_eq(config.nat_keepalive, 20);
    ck_assert_uint_eq(config.fragment_size, 1280);
    ProposalSet ike, esp;
    proposals_default(&ike, IKE_PROTOCOL_IKE, ESN_PREFER);
    proposals_default(&esp, IKE_PROTOCOL_ESP, ESN_PREFER);
    check_proposals(&config.ike_proposals, proposals_format(&ike, text));
    check_proposals(&config.esp_proposals, proposals_format(&esp, text));
    ck_assert_int_eq(config.usim.kind, USIM_NONE);
    ck_assert_str_eq(config.realm, "");
    directory_remove();
}
END_TEST

START_TEST(other_keys_are_read) {
    ck_assert_msg(load(GOOD "SeGWIdentity=gw.example\n"
                            "[Network]\nPublicDNS=192.0.2.53  2001:db8::53\nTunnelInterface=ipsec-henb\n"
                            "InterfaceId=7\n[Log]\nLevel=debug\n"
                            "[Identity]\nHardwareVersion=rev B\nSoftwareVersion=9\nOperator=Ö-Tel\n") == 0,
                  "%s", error);
    ck_assert_str_eq(config.serving.segw_identity, "gw.example");
    ck_assert_uint_eq(config.n_public_dns, 2);
    ck_assert_str_eq(ADDRESS_STR(&config.public_dns[0]), "192.0.2.53");
    ck_assert_str_eq(ADDRESS_STR(&config.public_dns[1]), "2001:db8::53");
    ck_assert_str_eq(config.tunnel_interface, "ipsec-henb");
    ck_assert_uint_eq(config.interface_id, 7);
    ck_assert_int_eq(config.log_level, LOG_DEBUG);
    ck_assert_str_eq(config.hardware_version, "rev B");
    ck_assert_str_eq(config.software_version, "9");
    ck_assert_str_eq(config.operator_name, "Ö-Tel");
    ck_assert_msg(load(GOOD "[Trust]\nCRL=/proc/self/stat\nRevocation=strict\nClockPolicy=lenient\n"
                            "[Network]\nPrivateDNS=10.0.0.53 fd00::53\n"
                            "[Registration]\nWaitForLocation=60\nInformParameters=Device.FAP.GPS.\n"
                            "FallbackRounds=0\nFallbackTime=9999999\n"
                            "Username=00A0BC-HeNB-1\nPasswordFile=/proc/self/stat\n") == 0,
                  "%s", error);
    ck_assert_str_eq(config.crl, "/proc/self/stat");
    ck_assert_int_eq(config.revocation, REVOCATION_STRICT);
    ck_assert_int_eq(config.clock_policy, CLOCK_LENIENT);
    ck_assert_uint_eq(config.n_private_dns, 2);
    ck_assert_str_eq(ADDRESS_STR(&config.private_dns[0]), "10.0.0.53");
    ck_assert_str_eq(ADDRESS_STR(&config.private_dns[1]), "fd00::53");
    ck_assert_uint_eq(config.wait_for_location, 60);
    ck_assert_str_eq(config.inform_parameters, "Device.FAP.GPS.");
    ck_assert_uint_eq(config.fallback_rounds, 0);
    ck_assert_uint_eq(config.fallback_time, 9999999);
    ck_assert_str_eq(config.username, "00A0BC-HeNB-1");
    ck_assert_str_eq(config.password_file, "/proc/self/stat");
    directory_remove();
}
END_TEST

/* 5.1.2.3, 5.1.2.4, and each of them beside the serving pair. */
START_TEST(initial_pair_is_read) {
    static const struct {
        const char *text, *serving, *segw, *identity, *hems;
    } cases[] = {
        {IDENTITY TRUST OPERATOR "[Initial]\nSeGW=a\nHeMS=b\n", "", "a", "a", "http://b:7547/"},
        {IDENTITY TRUST OPERATOR
         "[Initial]\nSeGW=192.0.2.1\nHeMS=https://10.0.0.1/x\nSeGWIdentity=gw.example\n",
         "", "192.0.2.1", "gw.example", "https://10.0.0.1/x"},
        {IDENTITY TRUST OPERATOR "[Initial]\nHeMS=b\n", "", "", "", "https://b/"},
        {IDENTITY TRUST OPERATOR "[Initial]\nHeMS=2001:db8::7\n", "", "", "", "https://[2001:db8::7]/"},
        {IDENTITY TRUST OPERATOR "[Initial]\nHeMS=HTTPS://b:8443/acs\n", "", "", "", "https://b:8443/acs"},
        {GOOD OPERATOR "[Initial]\nSeGW=a\nHeMS=b\n", "segw.operator.example", "a", "a", "http://b:7547/"},
        {GOOD OPERATOR "[Initial]\nHeMS=b\n", "segw.operator.example", "", "", "https://b/"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        ck_assert_msg(load(cases[i].text) == 0, "%s", error);
        ck_assert_str_eq(config.serving.segw, cases[i].serving);
        ck_assert_str_eq(config.initial.segw, cases[i].segw);
        ck_assert_str_eq(config.initial.segw_identity, cases[i].identity);
        ck_assert_str_eq(config.initial.hems, cases[i].hems);
    }
    directory_remove();
}
END_TEST

START_TEST(ipsec_is_read) {
    ck_assert_msg(
        load(GOOD "[IPsec]\nIKEProposals=aes256-sha384-ecp521, chacha20poly1305-prfsha512-modp4096\n"
                  "ESPProposals=aes256gcm16-ecp384 aes128-sha256-noesn\nESN=yes\nPFS=yes\n"
                  "ReplayWindow=4096\nChildLifetime=10\nIKELifetime=9999999\n"
                  "ChildBytes=999999999999999999\nChildPackets=100\nNATKeepalive=0\nFragmentSize=576\n") == 0,
        "%s", error);
    check_proposals(&config.ike_proposals,
                    "aes256-sha384-prfsha384-ecp521 chacha20poly1305-prfsha512-modp4096");
    check_proposals(&config.esp_proposals, "aes256gcm16-ecp384-esn aes128-sha256-noesn");
    ck_assert_int_eq(config.pfs, PFS_YES);
    ck_assert_int_eq(config.esn, ESN_YES);
    ck_assert_uint_eq(config.replay_window, 4096);
    ck_assert_uint_eq(config.child_lifetime, 10);
    ck_assert_uint_eq(config.ike_lifetime, 9999999);
    ck_assert_uint_eq(config.child_bytes, UINT64_C(999999999999999999));
    ck_assert_uint_eq(config.child_packets, 100);
    ck_assert_uint_eq(config.nat_keepalive, 0);
    ck_assert_uint_eq(config.fragment_size, 576);
    /* ESN= counts for proposals in other files and above it, too; a later value replaces, an empty one
     * resets. */
    dropin_write("10-a.conf", "[IPsec]\nESN=no\nIKEProposals=\nPFS=no\n");
    ck_assert_msg(
        load(GOOD "[IPsec]\nESPProposals=aes128gcm16\nESN=yes\nIKEProposals=aes256-sha256-ecp256\n") == 0,
        "%s", error);
    check_proposals(&config.esp_proposals, "aes128gcm16-noesn");
    ck_assert_uint_eq(config.ike_proposals.n, 2);
    ck_assert_int_eq(config.pfs, PFS_NO);
    directory_remove();
}
END_TEST

START_TEST(groups_without_pfs) {
    LOG_OF(load(GOOD "[IPsec]\nESPProposals=aes256gcm16-ecp384\nPFS=no\n"),
           ":14: [IPsec] ESPProposals=: the groups are of no use, because of PFS=no");
    ck_assert_str_eq(error, "");
    directory_remove();
}
END_TEST

START_TEST(inform_parameters_add_up) {
    char text[4096] = GOOD "[Registration]\n", expected[128];
    ck_assert_msg(load(GOOD "[Registration]\nInformParameters=Device.A.\tDevice.B_1\n"
                            "InformParameters=Device.C-2.\n") == 0,
                  "%s", error);
    ck_assert_str_eq(config.inform_parameters, "Device.A. Device.B_1 Device.C-2.");
    snprintf(expected, sizeof expected, "%s:15: [Registration] InformParameters=", path); /* the last one */
    ck_assert_str_eq(config_origin(&config, "Registration", "InformParameters"), expected);
    dropin_write("10-a.conf", "[Registration]\nInformParameters=Device.D\n");
    ck_assert_msg(load(GOOD "[Registration]\nInformParameters=Device.A.\n") == 0, "%s", error);
    ck_assert_str_eq(config.inform_parameters, "Device.A. Device.D");
    dropin_write("10-a.conf", "[Registration]\nInformParameters=\nInformParameters=Device.D\n");
    ck_assert_msg(load(GOOD "[Registration]\nInformParameters=Device.A.\n") == 0, "%s", error);
    ck_assert_str_eq(config.inform_parameters, "Device.D");
    dropin_write("10-a.conf", "[Registration]\nInformParameters=\n");
    ck_assert_msg(load(GOOD "[Registration]\nInformParameters=Device.A.\n") == 0, "%s", error);
    ck_assert_str_eq(config.inform_parameters, "");
    dropin_write("10-a.conf", "");
    /* 93 of 11 bytes with their separators fit in 1023. */
    for (size_t i = 0; i < 93; i++)
        strcat(text, "InformParameters=Device.123\n");
    ck_assert_msg(load(text) == 0, "%s", error);
    ck_assert_uint_eq(strlen(config.inform_parameters), 93 * 11 - 1);
    strcat(text, "InformParameters=Device.123\n");
    ck_assert_int_eq(load(text), -EINVAL);
    check_error(
        ":107: [Registration] InformParameters=: too long together with those before: \"Device.123\"");
    directory_remove();
}
END_TEST

START_TEST(crl_that_is_not_looked_at) {
    LOG_OF(load(GOOD "[Trust]\nRevocation=off\nCRL=/proc/self/stat\n"),
           ":15: [Trust] CRL=/proc/self/stat: not looked at, because of Revocation=off");
    ck_assert_str_eq(error, "");
    directory_remove();
}
END_TEST

START_TEST(hems_becomes_a_url) {
    static const struct {
        const char *hems, *url;
    } cases[] = {
        {"hems.example", "http://hems.example:7547/"},
        {"192.0.2.7", "http://192.0.2.7:7547/"},
        {"2001:db8::7", "http://[2001:db8::7]:7547/"},
        {"http://hems.example", "http://hems.example/"},
        {"HTTP://hems.example:80/acs?x=1", "http://hems.example:80/acs?x=1"},
        {"http://[2001:db8::7]:8080/", "http://[2001:db8::7]:8080/"},
        {"http://[2001:db8::7]/a", "http://[2001:db8::7]/a"},
        {"HTTPS://hems.example", "https://hems.example/"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char text[1024];
        snprintf(text, sizeof text, IDENTITY TRUST OPERATOR "[Serving]\nSeGW=192.0.2.1\nHeMS=%s\n",
                 cases[i].hems);
        ck_assert_msg(load(text) == 0, "%s", error);
        ck_assert_str_eq(config.serving.hems, cases[i].url);
    }
    directory_remove();
}
END_TEST

START_TEST(comments_blanks_and_indentation) {
    char text[2048] = "\xef\xbb\xbf# ";
    memset(text + strlen(text), 'x', 500); /* a comment may be longer than what libinih reads */
    strcat(text, "\n\n  ; another\n" IDENTITY TRUST
                 "[Serving]\r\n  SeGW = segw.example \r\n"
                 "\tHeMS: hems.op.example ; the old one\r\n");
    ck_assert_msg(load(text) == 0, "%s", error);
    ck_assert_str_eq(config.serving.segw, "segw.example");
    ck_assert_str_eq(config.serving.hems, "http://hems.op.example:7547/");
    directory_remove();
}
END_TEST

START_TEST(mistakes_are_told) {
    static const struct {
        const char *text, *error;
    } cases[] = {
        /* Lines that are no INI, sections and keys that do not exist. */
        {GOOD "[Serving\n", ":13: neither [Section] nor Key=Value"},
        {"nonsense\n" GOOD "[Log]\nLevel=loud\n", ":1: neither [Section] nor Key=Value"},
        {GOOD "[Log]\nLevel=loud\nnonsense\n",
         ":14: [Log] Level=: not one of error, warning, notice, info, debug: \"loud\""},
        {"OUI=00A0BC\n" GOOD, ":1: OUI=: stands before the first [Section]"},
        {GOOD "[Servng]\nSeGW=x\n", ":14: [Servng] SeGW=: there is no such section"},
        {GOOD "Segw=x\n", ":13: [Serving] Segw=: there is no such key"},
        {GOOD "[Log]\nSeGW=x\n", ":14: [Log] SeGW=: there is no such key"},
        {GOOD "SeGW=x\n", ":13: [Serving] SeGW=: set twice in this file, first in line 11"},
        /* Values. */
        {"[Identity]\nOUI=00a0bc\n",
         ":2: [Identity] OUI=: not six hexadecimal digits in upper case: \"00a0bc\""},
        {"[Identity]\nOUI=00A0BC1\n",
         ":2: [Identity] OUI=: not six hexadecimal digits in upper case: \"00A0BC1\""},
        {"[Identity]\nManufacturer=0123456789012345678901234567890123456789012345678901234567890123x\n",
         ":2: [Identity] Manufacturer=: too long: "
         "\"0123456789012345678901234567890123456789012345678901234567890123x\""},
        {"[Identity]\nManufacturer=a\033b\n",
         ":2: [Identity] Manufacturer=: holds a control character: \"a?b\""},
        {GOOD "[Registration]\nUsername=a\033b\n",
         ":14: [Registration] Username=: holds a control character: \"a?b\""},
        {GOOD "[Registration]\nPasswordFile=password\n",
         ":14: [Registration] PasswordFile=: not an absolute path: \"password\""},
        {GOOD "[Registration]\nPasswordFile=/nowhere\n",
         ":14: [Registration] PasswordFile=: cannot read \"/nowhere\": No such file or directory"},
        {"[Identity]\nManufacturer=a\xff\n", ":2: [Identity] Manufacturer=: not UTF-8: \"a\xff\""},
        {"[Serving]\nSeGW=segw_1.example\n",
         ":2: [Serving] SeGW=: not a host name or address: \"segw_1.example\""},
        {"[Serving]\nSeGW=-a.example\n", ":2: [Serving] SeGW=: not a host name or address: \"-a.example\""},
        {"[Serving]\nSeGW=a-.example\n", ":2: [Serving] SeGW=: not a host name or address: \"a-.example\""},
        {"[Serving]\nSeGW=a..b\n", ":2: [Serving] SeGW=: not a host name or address: \"a..b\""},
        {"[Serving]\nSeGW=a.b.\n", ":2: [Serving] SeGW=: not a host name or address: \"a.b.\""},
        {"[Serving]\nSeGW=192.0.2.300\n", ":2: [Serving] SeGW=: not a host name or address: \"192.0.2.300\""},
        {"[Serving]\nSeGW=0.0.0.0\n", ":2: [Serving] SeGW=: not a host name or address: \"0.0.0.0\""},
        {"[Serving]\nSeGW=ff02::1\n", ":2: [Serving] SeGW=: not a host name or address: \"ff02::1\""},
        {"[Serving]\nSeGW=[2001:db8::1]\n",
         ":2: [Serving] SeGW=: not a host name or address: \"[2001:db8::1]\""},
        {"[Serving]\nSeGWIdentity=C=SE, CN=x\n",
         ":2: [Serving] SeGWIdentity=: not a host name or address: \"C=SE, CN=x\""},
        {"[Serving]\nHeMS=hems:7547\n",
         ":2: [Serving] HeMS=: not a URL, host name or address: \"hems:7547\""},
        {"[Serving]\nHeMS=ftp://hems/\n",
         ":2: [Serving] HeMS=: a URL that is neither http: nor https:: \"ftp://hems/\""},
        {"[Serving]\nHeMS=http://u:p@hems/\n",
         ":2: [Serving] HeMS=: a user name or password in the URL: \"http://u:p@hems/\""},
        {"[Serving]\nHeMS=http:///acs\n",
         ":2: [Serving] HeMS=: the host of the URL is not a name or address: \"http:///acs\""},
        {"[Serving]\nHeMS=http://2001:db8::1/\n",
         ":2: [Serving] HeMS=: the port of the URL is not a number from 1 to 65535: \"http://2001:db8::1/\""},
        {"[Serving]\nHeMS=http://[hems]/\n",
         ":2: [Serving] HeMS=: the host of the URL is not a name or address: \"http://[hems]/\""},
        {"[Serving]\nHeMS=http://[2001:db8::1\n",
         ":2: [Serving] HeMS=: the host of the URL is not a name or address: \"http://[2001:db8::1\""},
        {"[Serving]\nHeMS=http://hems:0/\n",
         ":2: [Serving] HeMS=: the port of the URL is not a number from 1 to 65535: \"http://hems:0/\""},
        {"[Serving]\nHeMS=http://hems:65536/\n",
         ":2: [Serving] HeMS=: the port of the URL is not a number from 1 to 65535: \"http://hems:65536/\""},
        {"[Serving]\nHeMS=http://hems/a b\n",
         ":2: [Serving] HeMS=: the URL holds a character that has no place in one: \"http://hems/a b\""},
        {"[Serving]\nHeMS=http://hems?x\n",
         ":2: [Serving] HeMS=: the URL has no path before \"?\": \"http://hems?x\""},
        {"[Trust]\nCA=ca.pem\n", ":2: [Trust] CA=: not an absolute path: \"ca.pem\""},
        {"[Network]\nPublicDNS=192.0.2.1,192.0.2.2\n",
         ":2: [Network] PublicDNS=: not a list of addresses with spaces between them: "
         "\"192.0.2.1,192.0.2.2\""},
        {"[Network]\nPublicDNS=1.1.1.1 1.1.1.2 1.1.1.3 1.1.1.4 1.1.1.5 1.1.1.6 1.1.1.7 1.1.1.8 1.1.1.9\n",
         ":2: [Network] PublicDNS=: more servers than 8: "
         "\"1.1.1.1 1.1.1.2 1.1.1.3 1.1.1.4 1.1.1.5 1.1.1.6 1.1.1.7 1.1.1.8 1.1.1.9\""},
        {"[Network]\nTunnelInterface=a/b\n",
         ":2: [Network] TunnelInterface=: not an interface name: \"a/b\""},
        {"[Network]\nTunnelInterface=henb 0\n",
         ":2: [Network] TunnelInterface=: not an interface name: \"henb 0\""},
        {"[Network]\nTunnelInterface=..\n", ":2: [Network] TunnelInterface=: not an interface name: \"..\""},
        {"[Network]\nTunnelInterface=henb012345678901\n",
         ":2: [Network] TunnelInterface=: longer than an interface name can be (15): \"henb012345678901\""},
        {"[Network]\nInterfaceId=0\n",
         ":2: [Network] InterfaceId=: not a number from 1 to 32765 other than 253, 254 and 255: \"0\""},
        {"[Network]\nInterfaceId=254\n",
         ":2: [Network] InterfaceId=: not a number from 1 to 32765 other than 253, 254 and 255: \"254\""},
        {"[Network]\nInterfaceId=32766\n",
         ":2: [Network] InterfaceId=: not a number from 1 to 32765 other than 253, 254 and 255: \"32766\""},
        {"[Network]\nInterfaceId=-7\n",
         ":2: [Network] InterfaceId=: not a number from 1 to 32765 other than 253, 254 and 255: \"-7\""},
        {"[Network]\nPrivateDNS=dns.operator.example\n",
         ":2: [Network] PrivateDNS=: not a list of addresses with spaces between them: "
         "\"dns.operator.example\""},
        {"[Network]\nPrivateDNS=0.0.0.0\n",
         ":2: [Network] PrivateDNS=: not a list of addresses with spaces between them: \"0.0.0.0\""},
        {"[Trust]\nCRL=crl.pem\n", ":2: [Trust] CRL=: not an absolute path: \"crl.pem\""},
        {"[Trust]\nRevocation=yes\n",
         ":2: [Trust] Revocation=: not one of off, if-available, strict: \"yes\""},
        {"[Trust]\nClockPolicy=Wait\n", ":2: [Trust] ClockPolicy=: not one of wait, lenient: \"Wait\""},
        {"[Registration]\nWaitForLocation=1min\n",
         ":2: [Registration] WaitForLocation=: not a number from 0 to 9999999: \"1min\""},
        {"[Registration]\nFallbackRounds=-1\n",
         ":2: [Registration] FallbackRounds=: not a number from 0 to 9999999: \"-1\""},
        {"[Registration]\nFallbackTime=10000000\n",
         ":2: [Registration] FallbackTime=: not a number from 0 to 9999999: \"10000000\""},
        {"[Registration]\nInformParameters=Device.A,Device.B\n",
         ":2: [Registration] InformParameters=: not a list of parameters (Device.A.B or Device.A.) with "
         "spaces between them: \"Device.A,Device.B\""},
        {"[Registration]\nInformParameters=Device.A\nInformParameters=Device..B\n",
         ":3: [Registration] InformParameters=: not a list of parameters (Device.A.B or Device.A.) with "
         "spaces between them: \"Device..B\""},
        {"[Registration]\nInformParameters=InternetGatewayDevice.\n",
         ":2: [Registration] InformParameters=: not a list of parameters (Device.A.B or Device.A.) with "
         "spaces between them: \"InternetGatewayDevice.\""},
        {"[IPsec]\nIKEProposals=aes256-sha1-modp1024\n",
         ":2: [IPsec] IKEProposals=: sha1 is too weak (RFC 8247): \"aes256-sha1-modp1024\""},
        {"[IPsec]\nIKEProposals=aes256-sha256\n",
         ":2: [IPsec] IKEProposals=: aes256-sha256 names no group, as ecp256: \"aes256-sha256\""},
        {"[IPsec]\nESPProposals=aes256gcm16-prfsha256\n",
         ":2: [IPsec] ESPProposals=: prfsha256 is of IKE, not of ESP: \"aes256gcm16-prfsha256\""},
        {"[IPsec]\nESPProposals=3des-sha256\n",
         ":2: [IPsec] ESPProposals=: 3des is too weak (RFC 8247): \"3des-sha256\""},
        {"[IPsec]\nPFS=maybe\n", ":2: [IPsec] PFS=: not one of prefer, yes, no: \"maybe\""},
        {"[IPsec]\nESN=1\n", ":2: [IPsec] ESN=: not one of prefer, yes, no: \"1\""},
        {"[IPsec]\nReplayWindow=64\n",
         ":2: [IPsec] ReplayWindow=: not a number from 128 to 4096: a smaller window drops what a line "
         "reorders: "
         "\"64\""},
        {"[IPsec]\nReplayWindow=0\n",
         ":2: [IPsec] ReplayWindow=: not a number from 128 to 4096: a smaller window drops what a line "
         "reorders: "
         "\"0\""},
        {"[IPsec]\nReplayWindow=4097\n",
         ":2: [IPsec] ReplayWindow=: not a number from 128 to 4096: a smaller window drops what a line "
         "reorders: "
         "\"4097\""},
        {"[IPsec]\nChildLifetime=9\n", ":2: [IPsec] ChildLifetime=: not a number from 10 to 9999999: \"9\""},
        {"[IPsec]\nIKELifetime=0\n", ":2: [IPsec] IKELifetime=: not a number from 10 to 9999999: \"0\""},
        {"[IPsec]\nIKELifetime=1d\n", ":2: [IPsec] IKELifetime=: not a number from 10 to 9999999: \"1d\""},
        {"[IPsec]\nChildBytes=1\n",
         ":2: [IPsec] ChildBytes=: not 0 or a number from 100000 to 999999999999999999: \"1\""},
        {"[IPsec]\nChildBytes=18446744073709651616\n",
         ":2: [IPsec] ChildBytes=: not 0 or a number from 100000 to 999999999999999999: "
         "\"18446744073709651616\""},
        {"[IPsec]\nChildPackets=99\n",
         ":2: [IPsec] ChildPackets=: not 0 or a number from 100 to 999999999999999999: \"99\""},
        {"[IPsec]\nNATKeepalive=3601\n", ":2: [IPsec] NATKeepalive=: not a number from 0 to 3600: \"3601\""},
        {"[IPsec]\nFragmentSize=575\n", ":2: [IPsec] FragmentSize=: not a number from 576 to 1500: \"575\""},
        {"[IPsec]\nFragmentSize=1501\n",
         ":2: [IPsec] FragmentSize=: not a number from 576 to 1500: \"1501\""},
        /* What is missing. */
        {"",
         ": missing: [Identity] Manufacturer=, [Identity] OUI=, [Identity] ProductClass=, "
         "[Identity] SerialNumber=, [Trust] CA=, [Trust] Certificate=, [Trust] Key=, [Serving] SeGW=, "
         "[Serving] HeMS= (or [Initial] HeMS=)"},
        {IDENTITY SERVING "[Trust]\nCA=/a\nKey=\n", ": missing: [Trust] Certificate=, [Trust] Key="},
        {IDENTITY TRUST "[Serving]\nSeGW=a\n", ": missing: [Serving] HeMS="},
        {IDENTITY TRUST "[Serving]\nHeMS=a\n", ": missing: [Serving] SeGW="},
        {IDENTITY TRUST "[Initial]\nSeGW=a\n", ": missing: [Initial] HeMS="},
        {IDENTITY TRUST "[Initial]\nHeMS=b\n[Serving]\nHeMS=a\n", ": missing: [Serving] SeGW="},
        /* What goes over which way. */
        {IDENTITY TRUST OPERATOR "[Initial]\nHeMS=http://b/\n",
         ":13: [Initial] HeMS=: http: without a SeGW in front of it; https: is needed"},
        {GOOD OPERATOR "[Initial]\nHeMS=b\nSeGWIdentity=c\n",
         ":17: [Initial] SeGWIdentity=: there is no SeGW= it would be of"},
        {GOOD "[Initial]\nSeGWIdentity=c\n",
         ":14: [Initial] SeGWIdentity=: there is no SeGW= it would be of"},
        /* Who the operator is. */
        {IDENTITY TRUST "[Initial]\nSeGW=a\nHeMS=b.c.d.e\n",
         ":12: [Initial] HeMS=: [Identity] Operator= is needed with it"},
        {GOOD "[Initial]\nHeMS=b.c.d.e\n", ":14: [Initial] HeMS=: [Identity] Operator= is needed with it"},
        {IDENTITY TRUST "[Serving]\nSeGW=192.0.2.1\nHeMS=hems.operator.example\n",
         ":11: [Serving] SeGW=: [Identity] Operator= is needed with an address"},
        {IDENTITY TRUST "[Serving]\nSeGW=a\nHeMS=10.0.0.1\n",
         ":12: [Serving] HeMS=: [Identity] Operator= is needed with an address"},
        {IDENTITY TRUST "[Serving]\nSeGW=a\nHeMS=http://[2001:db8::1]/\n",
         ":12: [Serving] HeMS=: [Identity] Operator= is needed with an address"},
        {IDENTITY TRUST "[Serving]\nSeGW=segw.operator.example\nHeMS=hems\n",
         ":12: [Serving] HeMS=: [Identity] Operator= is needed with a name of less than three labels"},
        {IDENTITY TRUST "[Serving]\nSeGW=segw.operator.example\nHeMS=http://hems.example:80/\n",
         ":12: [Serving] HeMS=: [Identity] Operator= is needed with a name of less than three labels"},
        /* Files. */
        {IDENTITY SERVING "[Trust]\nCA=/nonexistent/ca.pem\nCertificate=/proc/self/status\nKey=/tmp\n",
         ":10: [Trust] CA=: cannot read \"/nonexistent/ca.pem\": No such file or directory"},
        {GOOD "[Trust]\nCRL=/nonexistent/crl.pem\n",
         ":14: [Trust] CRL=: cannot read \"/nonexistent/crl.pem\": No such file or directory"},
        {IDENTITY SERVING "[Trust]\nCA=/proc/self/status\nCertificate=/proc/self/status\nKey=/tmp\n",
         ":12: [Trust] Key=: cannot read \"/tmp\": Is a directory"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        ck_assert_msg(load(cases[i].text) < 0, "accepted: %s", cases[i].text);
        check_error(cases[i].error);
    }
    directory_remove();
}
END_TEST

/* libinih would cut these lines and hand over the first part as the value. */
START_TEST(long_line_is_an_error) {
    char text[1024] = {0}, expected[128];
    strcpy(text, IDENTITY SERVING "[Trust]\nCA=/");
    memset(text + strlen(text), 'x', 195); /* 199 bytes: one more than the reader takes */
    strcat(text, "\n");
    ck_assert_int_lt(load(text), 0);
    snprintf(expected, sizeof expected,
             ":10: the line is 199 bytes long, more than the 198 that can be read");
    check_error(expected);
    memmove(strrchr(text, 'x'), "\n", 2); /* 198 */
    ck_assert_int_lt(load(text), 0);
    check_error(": missing: [Trust] Certificate=, [Trust] Key=");
    ck_assert_uint_eq(strlen(config.ca), 195);
    directory_remove();
}
END_TEST

START_TEST(nul_byte_is_an_error) {
    static const char text[] = GOOD "[Log]\nLevel=in\0fo\n";
    directory_make();
    file_write(path, text, sizeof text - 1);
    ck_assert_int_lt(config_load(&config, path, error), 0);
    check_error(":14: the line holds a NUL byte");
    directory_remove();
}
END_TEST

START_TEST(files_that_cannot_be_read) {
    directory_make();
    ck_assert_int_eq(config_load(&config, path, error), -ENOENT);
    check_error(": No such file or directory");
    strcpy(path, dir);
    ck_assert_int_eq(config_load(&config, path, error), -EISDIR);
    check_error(": Is a directory");
    directory_remove();
}
END_TEST

/* Only the agent can read its key: that is no mistake for whoever else looks, but what is not there is one.
 */
START_TEST(files_of_the_agents_user) {
    char key[96], text[512];

    if (getuid() != 0) {
        printf("config: only root can be somebody else\n");
        return;
    }
    directory_make();
    snprintf(key, sizeof key, "%s/key.pem", dir);
    file_write_text(key, "");
    ck_assert_int_eq(chmod(key, 0600), 0);
    ck_assert_int_eq(chmod(dir, 0755), 0);
    snprintf(text, sizeof text,
             IDENTITY SERVING "[Trust]\nCA=/proc/self/status\nCertificate=/proc/self/status\nKey=%s\n", key);
    ck_assert_msg(load(text) == 0, "%s", error);
    ck_assert_int_eq(seteuid(65534), 0);
    ck_assert_int_eq(config_load(&config, path, error), -EACCES);
    ck_assert_msg(config_check(&config, path, error) == 0, "%s", error);
    ck_assert_int_eq(seteuid(0), 0);
    ck_assert_int_eq(unlink(key), 0);
    ck_assert_int_eq(config_check(&config, path, error), -ENOENT);
    ck_assert_ptr_nonnull(strstr(error, ":12: [Trust] Key=: cannot read"));
    directory_remove();
}
END_TEST

START_TEST(dropins_in_order_of_their_names) {
    dropin_write("20-b.conf", "[Serving]\nSeGW=b.example\n[Network]\nInterfaceId=2\n");
    dropin_write("10-a.conf",
                 "[Serving]\nSeGW=a.example\nHeMS=http://h.op.example/acs\n[Log]\nLevel=error\n");
    dropin_write("30-c.conf", "[Log]\nLevel=\n");
    dropin_write("ignored.conf.old", "nonsense\n");
    dropin_write(".ignored.conf", "nonsense\n");
    ck_assert_msg(load(GOOD "[Network]\nInterfaceId=1\n") == 0, "%s", error);
    ck_assert_str_eq(config.serving.segw, "b.example");
    ck_assert_str_eq(config.serving.segw_identity, "b.example");
    ck_assert_str_eq(config.serving.hems, "http://h.op.example/acs");
    ck_assert_uint_eq(config.interface_id, 2);
    ck_assert_int_eq(config.log_level, LOG_INFO);
    directory_remove();
}
END_TEST

START_TEST(mistakes_in_dropins_name_them) {
    dropin_write("10-a.conf", "\n[Trust]\nKey=/nonexistent/key.pem\n");
    ck_assert_int_eq(load(GOOD), -ENOENT);
    check_error(
        ".d/10-a.conf:3: [Trust] Key=: cannot read \"/nonexistent/key.pem\": No such file or directory");
    dropin_write("10-a.conf", "[Serving]\nSeGW=\n");
    ck_assert_int_eq(load(GOOD), -EINVAL);
    check_error(": missing: [Serving] SeGW=");
    dropin_write("20-b.conf", "[Log]\nLevel=loud\n");
    ck_assert_int_eq(load(GOOD), -EINVAL);
    check_error(".d/20-b.conf:2: [Log] Level=: not one of error, warning, notice, info, debug: \"loud\"");
    directory_remove();
}
END_TEST

START_TEST(origins_of_keys_are_kept) {
    char expected[ORIGIN_MAX_BYTES];
    dropin_write("10-a.conf", "\n[Trust]\nKey=/proc/self/stat\n");
    dropin_write("20-b.conf", "[Network]\nInterfaceId=\n");
    ck_assert_msg(load(GOOD "[Network]\nInterfaceId=7\n") == 0, "%s", error);
    snprintf(expected, sizeof expected, "%s:7: [Trust] CA=", path);
    ck_assert_str_eq(config_origin(&config, "Trust", "CA"), expected);
    snprintf(expected, sizeof expected, "%s.d/10-a.conf:3: [Trust] Key=", path);
    ck_assert_str_eq(config_origin(&config, "Trust", "Key"), expected);
    snprintf(expected, sizeof expected, "%s: [Network] InterfaceId=", path); /* emptied again */
    ck_assert_str_eq(config_origin(&config, "Network", "InterfaceId"), expected);
    snprintf(expected, sizeof expected, "%s: [Network] TunnelInterface=", path); /* never set */
    ck_assert_str_eq(config_origin(&config, "Network", "TunnelInterface"), expected);
    directory_remove();
}
END_TEST

START_TEST(hosting_party) {
    static const struct {
        const char *text, *error; /* NULL: good */
        UsimKind kind;
        const char *argument;
    } cases[] = {
        {"USIM=milenage:/proc/self/status\n", NULL, USIM_MILENAGE, "/proc/self/status"},
        {"USIM=pcsc\n", NULL, USIM_PCSC, ""},
        {"USIM=pcsc:ACS ACR38\nRealm=nai.epc.mnc001.mcc001.3gppnetwork.org\n", NULL, USIM_PCSC, "ACS ACR38"},
        {"USIM=pcsc\nUSIM=\n", "set twice in this file"},
        {"USIM=milenage\n",
         ":14: [HostingParty] USIM=: not one of milenage:FILE, pcsc, pcsc:READER: \"milenage\""},
        {"USIM=pcscd\n", ":14: [HostingParty] USIM=: not one of milenage:FILE, pcsc, pcsc:READER: \"pcscd\""},
        {"USIM=milenage:usim.conf\n",
         ":14: [HostingParty] USIM=: not an absolute path behind \"milenage:\": \"milenage:usim.conf\""},
        {"USIM=milenage:/nowhere/usim\n",
         ":14: [HostingParty] USIM=: cannot read \"/nowhere/usim\": No such file or directory"},
        {"Realm=a.example\n", ":14: [HostingParty] Realm=: there is no USIM= it would be of"},
        {"USIM=pcsc\nRealm=192.0.2.1\n", ":15: [HostingParty] Realm=: not a domain name: \"192.0.2.1\""},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char text[1024];
        snprintf(text, sizeof text, "%s[HostingParty]\n%s", GOOD, cases[i].text);
        int r = load(text);
        ck_assert_msg((r == 0) == !cases[i].error, "%s: %s", cases[i].text, error);
        if (cases[i].error) {
            ck_assert_msg(strstr(error, cases[i].error), "%s", error);
            continue;
        }
        ck_assert_int_eq(config.usim.kind, cases[i].kind);
        ck_assert_str_eq(config.usim.argument, cases[i].argument);
    }
    directory_remove();
}
END_TEST

START_TEST(owners_of_the_data_model) {
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"Device.A.=org\n",
         ":14: [Owners] Device.A.=: not a well-known name of a bus (org.example.Radio): \"org\""},
        {"FAP.GPS.=org.example.A\n",
         ":14: [Owners] FAP.GPS.=: not a parameter (Device.A.B) or a partial path (Device.A.): "
         "\"org.example.A\""},
        {"Device.A.=org.henb.Agent1\n",
         ":14: [Owners] Device.A.=: not another daemon's name: \"org.henb.Agent1\""},
        {"Device.A.=org.example.A\nDevice.B.=org.example.A\nDevice.A.=org.example.B\n",
         ":16: [Owners] Device.A.=: set twice in this file, first in line 14"},
    };
    char text[1024];

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        snprintf(text, sizeof text, GOOD "[Owners]\n%s", cases[i].text);
        ck_assert_int_eq(load(text), -EINVAL);
        check_error(cases[i].error);
    }
    ck_assert_int_eq(load(GOOD), 0);
    ck_assert_uint_eq(config.owners.n, 0);
    dropin_write("10-a.conf", "[Owners]\nDevice.A.=org.example.Other\nDevice.C.=\n");
    dropin_write("20-b.conf", "[Owners]\nDevice.B.D=\nDevice.A.C=org.example.C\n");
    ck_assert_msg(load(GOOD "[Owners]\nDevice.A.=org.example.A\nDevice.B.D = org.example.B ; a comment\n") ==
                      0,
                  "%s", error);
    ck_assert_uint_eq(config.owners.n, 2);
    ck_assert_str_eq(owner_table_find(&config.owners, "Device.A.B")->name, "org.example.Other");
    ck_assert_str_eq(owner_table_find(&config.owners, "Device.A.C")->name, "org.example.C");
    ck_assert_ptr_null(owner_table_find(&config.owners, "Device.B.D"));
    directory_remove();
}
END_TEST

/* The example that is installed must be one: the defaults it shows in comments are those of the program. */
START_TEST(example_is_right) {
    _cleanup_free_ char *text = file_read(getenv("EXAMPLE_CONF"), NULL);
    _cleanup_free_ char *commented = strdup(text);
    char *to = commented;
    ck_assert_int_eq(load(text), -ENOENT);
    ck_assert_ptr_nonnull(strstr(error, "[Trust] CA=: cannot read \"/etc/henb-agent/ca.pem\""));
    const Config plain = config;
    /* "#Key=" without a blank is a default; take the comment signs away and nothing may change. */
    for (const char *from = text; *from; from++)
        if (!(*from == '#' && from[1] != ' ' && from[1] != '\n'))
            *to++ = *from;
    *to = 0;
    ck_assert_int_eq(load(commented), -ENOENT);
    ck_assert_ptr_nonnull(strstr(error, "[Trust] CA=: cannot read \"/etc/henb-agent/ca.pem\""));
    ck_assert_mem_eq(&plain, &config, offsetof(Config, origins));
    directory_remove();
}
END_TEST

/* The text of the next block of agent.conf in a Markdown file, with files of Trust that can be read here; *at
 * goes behind it. */
static char *block_take(char **at) {
    static const char begin[] = "```ini\n", trust[] = "=/etc/henb-agent/", there[] = "=/proc/self/status ;";
    char *block = strstr(*at, begin), *end = block ? strstr(block + strlen(begin), "```") : NULL,
         *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    ck_assert_msg(end != NULL, "the block is missing");
    *end = 0;
    *at = end + 1;
    for (char *rest = block + strlen(begin), *found; rest; rest = found ? found + strlen(trust) : NULL) {
        found = strstr(rest, trust);
        fprintf(out, "%.*s%s", (int)(found ? (size_t)(found - rest) : strlen(rest)), rest,
                found ? there : "");
    }
    fclose(out);
    return text;
}

/* What all boxes have, and then one block for each way in. */
START_TEST(readme_shows_each_way) {
    static const struct {
        const char *clause;
        const char *serving_segw, *serving_hems, *initial_segw, *initial_hems;
    } ways[] = {
        {"5.1.2.2", "segw.operator.example", "http://hems.operator.example:7547/", "", ""},
        {"5.1.2.3", "", "", "segw0.operator.example", "http://hems0.operator.example:7547/"},
        {"5.1.2.4", "", "", "", "https://hems0.operator.example/"},
    };
    _cleanup_free_ char *readme = file_read(getenv("README"), NULL);
    char *at = strstr(readme, "## Factory data"), text[2048];
    _cleanup_free_ char *common = block_take(&at);
    for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
        const char *clause = strstr(at, ways[i].clause);
        _cleanup_free_ char *way = block_take(&at);
        ck_assert_msg(clause && clause < at, "%s has no block of its own", ways[i].clause);
        snprintf(text, sizeof text, "%s%s", common, way);
        ck_assert_msg(load(text) == 0, "%s: %s", ways[i].clause, error);
        ck_assert_str_eq(config.serving.segw, ways[i].serving_segw);
        ck_assert_str_eq(config.serving.hems, ways[i].serving_hems);
        ck_assert_str_eq(config.initial.segw, ways[i].initial_segw);
        ck_assert_str_eq(config.initial.hems, ways[i].initial_hems);
        ck_assert_int_ne(load(common), 0);
    }
    directory_remove();
}
END_TEST

START_TEST(utf8) {
    static const char *const good[] = {"", "a", "Ö", "€", "\xf0\x9f\x93\xb6", "\xf4\x8f\xbf\xbf"};
    static const char *const bad[] = {"\x80",
                                      "\xc3",
                                      "\xc0\x80",
                                      "\xed\xa0\x80",
                                      "\xe2\x82",
                                      "a\xff",
                                      "\xf4\x90\x80\x80",
                                      "\xe0\x80\x80",
                                      "\xf0\x80\x80\x80",
                                      "\xc3\x28"};
    for (size_t i = 0; i < ARRAY_SIZE(good); i++)
        ck_assert_msg(utf8_is_valid(good[i]), "%zu", i);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        ck_assert_msg(!utf8_is_valid(bad[i]), "%zu", i);
}
END_TEST

START_TEST(every_state_has_its_word) {
    ck_assert_str_eq(agent_state_to_string(AGENT_IDLE), "idle");
    ck_assert_str_eq(agent_state_to_string(AGENT_REGISTERED_WITHOUT_MME), "registered-without-mme");
    ck_assert_str_eq(agent_state_to_string(AGENT_FAILED_CONFIG), "failed-config");
}
END_TEST

SUITE("config", serving_pair_is_read, other_keys_are_read, initial_pair_is_read, ipsec_is_read,
      groups_without_pfs, inform_parameters_add_up, crl_that_is_not_looked_at, hems_becomes_a_url,
      comments_blanks_and_indentation, mistakes_are_told, long_line_is_an_error, nul_byte_is_an_error,
      files_that_cannot_be_read, files_of_the_agents_user, dropins_in_order_of_their_names,
      mistakes_in_dropins_name_them, origins_of_keys_are_kept, hosting_party, owners_of_the_data_model,
      example_is_right, readme_shows_each_way, utf8, every_state_has_its_word)
