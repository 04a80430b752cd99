/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See config.h. The factory data of TS 32.593 clauses 5.1.2.2 to 5.1.2.4. libinih splits lines; everything a
 * person needs to find a mistake (file, line, key) is kept here, because libinih in Debian does not hand out
 * line numbers and cuts long lines without a word. */
#include "config.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <ini.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/macro.h"
#include "base/url.h"
#include "base/utf8.h"

#define NUMBER_MAX        9999999
#define COUNT_MAX         UINT64_C(999999999999999999) /* bytes or packets */
#define LIFETIME_MIN      10                           /* seconds: for labs; a successor is made before */
#define REPLAY_WINDOW_MAX 4096                         /* packets: what the kernel takes */
#define INTERFACE_ID_MAX  32765                        /* see parse_interface_id() */
#define BYTE_ORDER_MARK   "\xef\xbb\xbf"
#define HTTP_URL          "http://"
#define HTTPS_URL         "https://"

typedef struct ConfigKey ConfigKey;

/* Writes the value to its field and returns NULL, or returns what is wrong with the value. */
typedef const char *(*ConfigParser)(Config *config, const ConfigKey *key, const char *value);

struct ConfigKey {
    const char *section, *key;
    ConfigParser parse;
    size_t offset, size;
    bool required;
    const char *fallback; /* what a key that is absent or empty means; NULL: an empty field */
    uint64_t min, max;    /* of parse_number(); max 0: NUMBER_MAX */
    const char *why;      /* no less and no more; NULL: goes without saying */
    bool adds; /* may be there several times: each value adds to those before, an empty one resets */
};

static void *key_field(Config *config, const ConfigKey *key) {
    return (char *)config + key->offset;
}

static const char *text_store(Config *config, const ConfigKey *key, const char *value) {
    if (strlen(value) >= key->size)
        return "too long";
    strcpy(key_field(config, key), value);
    return NULL;
}

/* Identity strings travel in every Inform: XML has no control characters and no stray bytes. */
static const char *parse_text(Config *config, const ConfigKey *key, const char *value) {
    for (const char *p = value; *p; p++)
        if (iscntrl((unsigned char)*p))
            return "holds a control character";
    if (!utf8_is_valid(value))
        return "not UTF-8";
    return text_store(config, key, value);
}

/* TR-069 DeviceIdStruct: "six hexadecimal-digits, all uppercase, with leading zeros". */
static const char *parse_oui(Config *config, const ConfigKey *key, const char *value) {
    if (strlen(value) != 6 || strspn(value, "0123456789ABCDEF") != 6)
        return "not six hexadecimal digits in upper case";
    return text_store(config, key, value);
}

static const char *parse_host(Config *config, const ConfigKey *key, const char *value) {
    if (!host_is_valid(value))
        return "not a host name or address";
    return text_store(config, key, value);
}

static bool is_url(const char *value) {
    return strstr(value, "://");
}

/* *ret* gets the scheme in lower case and at least "/" as path. */
static const char *url_normalize(const char *value, char ret[static URL_MAX_BYTES]) {
    const char *wrong;
    Url url;

    if (url_parse(value, &url, &wrong) < 0)
        return wrong;
    if (*url.path == '?')
        return "the URL has no path before \"?\"";
    int n = snprintf(ret, URL_MAX_BYTES, "%s%.*s%s", url.tls ? HTTPS_URL : HTTP_URL,
                     (int)(url.path - url.authority), url.authority, *url.path ? url.path : "/");
    return n < URL_MAX_BYTES ? NULL : "too long";
}

/* A name or address is left as it is: pair_complete() makes a URL of it when it is known whether there is a
 * tunnel. */
static const char *parse_hems(Config *config, const ConfigKey *key, const char *value) {
    if (is_url(value))
        return url_normalize(value, key_field(config, key));
    if (!host_is_valid(value))
        return "not a URL, host name or address";
    return text_store(config, key, value);
}

static const char *parse_path(Config *config, const ConfigKey *key, const char *value) {
    if (value[0] != '/')
        return "not an absolute path";
    return text_store(config, key, value);
}

static const char *parse_addresses(const char *value, Address list[static DNS_SERVERS_MAX], size_t *ret_n) {
    char copy[INI_MAX_LINE], *save = NULL;
    size_t n = 0;

    if (strlen(value) >= sizeof copy)
        return "too long";
    strcpy(copy, value);
    for (char *word = strtok_r(copy, " \t", &save); word; word = strtok_r(NULL, " \t", &save)) {
        if (n == DNS_SERVERS_MAX)
            return "more servers than 8";
        if (address_parse(word, &list[n]) < 0 || !address_is_unicast(&list[n]))
            return "not a list of addresses with spaces between them";
        n++;
    }
    *ret_n = n;
    return NULL;
}

static const char *parse_public_dns(Config *config, const ConfigKey *key, const char *value) {
    return parse_addresses(value, config->public_dns, &config->n_public_dns);
}

static const char *parse_private_dns(Config *config, const ConfigKey *key, const char *value) {
    return parse_addresses(value, config->private_dns, &config->n_private_dns);
}

static bool is_parameter(const char *word) {
    static const char chars[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

    return strncmp(word, "Device.", strlen("Device.")) == 0 && strspn(word, chars) == strlen(word) &&
           !strstr(word, "..");
}

/* Full names and partial paths of TR-069. Whether the box has them is for who knows the data model. */
static const char *parse_parameters(Config *config, const ConfigKey *key, const char *value) {
    char copy[INI_MAX_LINE], *save = NULL, *field = key_field(config, key);

    if (strlen(value) >= sizeof copy || strlen(field) + 1 + strlen(value) >= key->size)
        return "too long together with those before";
    strcpy(copy, value);
    for (char *word = strtok_r(copy, " \t", &save); word; word = strtok_r(NULL, " \t", &save)) {
        if (!is_parameter(word))
            return "not a list of parameters (Device.A.B or Device.A.) with spaces between them";
        if (*field)
            strcat(field, " ");
        strcat(field, word);
    }
    return NULL;
}

/* Whole numbers, of seconds, rounds, bytes. A key with a minimum above 0 and a default of 0 takes 0 as well.
 */
static const char *parse_number(Config *config, const ConfigKey *key, const char *value) {
    static char wrong[160];
    size_t len = strlen(value);
    bool digits = len > 0 && len < 19 && strspn(value, "0123456789") == len;
    uint64_t n = digits ? strtoull(value, NULL, 10) : 0, max = key->max ?: NUMBER_MAX;
    bool zero_too = key->min > 0 && streq(key->fallback, "0");

    if (!digits || n > max || (n < key->min && !(zero_too && n == 0))) {
        snprintf(wrong, sizeof wrong, "not %sa number from %" PRIu64 " to %" PRIu64 "%s%s",
                 zero_too ? "0 or " : "", key->min, max, key->why ? ": " : "", strempty(key->why));
        return wrong;
    }
    if (key->size == sizeof n)
        *(uint64_t *)key_field(config, key) = n;
    else
        *(uint32_t *)key_field(config, key) = (uint32_t)n;
    return NULL;
}

static const char *parse_proposals(ProposalSet *ret, uint8_t protocol, const char *value) {
    static char wrong[ERROR_MAX_BYTES];
    return proposals_parse(ret, protocol, value, wrong) < 0 ? wrong : NULL;
}

static const char *parse_ike_proposals(Config *config, const ConfigKey *key, const char *value) {
    return parse_proposals(&config->ike_proposals, IKE_PROTOCOL_IKE, value);
}

static const char *parse_esp_proposals(Config *config, const ConfigKey *key, const char *value) {
    return parse_proposals(&config->esp_proposals, IKE_PROTOCOL_ESP, value);
}

static const char *parse_pfs(Config *config, const ConfigKey *key, const char *value) {
    if (!streq(value, "prefer") && !streq(value, "yes") && !streq(value, "no"))
        return "not one of prefer, yes, no";
    config->pfs = streq(value, "prefer") ? PFS_PREFER : streq(value, "yes") ? PFS_YES : PFS_NO;
    return NULL;
}

static const char *parse_esn(Config *config, const ConfigKey *key, const char *value) {
    if (!streq(value, "prefer") && !streq(value, "yes") && !streq(value, "no"))
        return "not one of prefer, yes, no";
    config->esn = streq(value, "prefer") ? ESN_PREFER : streq(value, "yes") ? ESN_YES : ESN_NO;
    return NULL;
}

static const char *parse_clock_policy(Config *config, const ConfigKey *key, const char *value) {
    if (!streq(value, "wait") && !streq(value, "lenient"))
        return "not one of wait, lenient";
    config->clock_policy = streq(value, "wait") ? CLOCK_WAIT : CLOCK_LENIENT;
    return NULL;
}

static const char *parse_revocation(Config *config, const ConfigKey *key, const char *value) {
    static const char *const words[] = {
        [REVOCATION_OFF] = "off",
        [REVOCATION_IF_AVAILABLE] = "if-available",
        [REVOCATION_STRICT] = "strict",
    };

    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        if (streq(value, words[i])) {
            config->revocation = (Revocation)i;
            return NULL;
        }
    return "not one of off, if-available, strict";
}

/* What the kernel takes (dev_valid_name()), without the '%' that makes a template of a name. */
static const char *parse_interface(Config *config, const ConfigKey *key, const char *value) {
    if (strlen(value) >= IFNAMSIZ)
        return "longer than an interface name can be (15)";
    if (streq(value, ".") || streq(value, "..") || strpbrk(value, "/:% \t"))
        return "not an interface name";
    return parse_text(config, key, value);
}

/* The number is if_id, reqid, table and rule priority at once. As a priority it must come before 32766, the
 * rule for table main: behind that, packets from the inner address would leave by the uplink's default route
 * in clear. As a table it must not be default, main or local. */
static const char *parse_interface_id(Config *config, const ConfigKey *key, const char *value) {
    size_t len = strlen(value);
    long n = len <= 5 && strspn(value, "0123456789") == len ? strtol(value, NULL, 10) : 0;

    if (n < 1 || n > INTERFACE_ID_MAX || (n >= 253 && n <= 255))
        return "not a number from 1 to 32765 other than 253, 254 and 255";
    *(uint32_t *)key_field(config, key) = (uint32_t)n;
    return NULL;
}

static const char *parse_log_level(Config *config, const ConfigKey *key, const char *value) {
    static const struct {
        const char *word;
        int level;
    } levels[] = {
        {"error", LOG_ERR}, {"warning", LOG_WARNING}, {"notice", LOG_NOTICE},
        {"info", LOG_INFO}, {"debug", LOG_DEBUG},
    };

    for (size_t i = 0; i < ARRAY_SIZE(levels); i++)
        if (streq(value, levels[i].word)) {
            *(int *)key_field(config, key) = levels[i].level;
            return NULL;
        }
    return "not one of error, warning, notice, info, debug";
}

/* milenage:FILE, pcsc, pcsc:READER */
static const char *parse_usim(Config *config, const ConfigKey *key, const char *value) {
    static const char milenage[] = "milenage:", pcsc[] = "pcsc";
    ConfigUsim usim = {};

    if (strncmp(value, milenage, strlen(milenage)) == 0) {
        usim.kind = USIM_MILENAGE;
        value += strlen(milenage);
        if (*value != '/')
            return "not an absolute path behind \"milenage:\"";
    } else if (strncmp(value, pcsc, strlen(pcsc)) == 0 && strchr(":", value[strlen(pcsc)])) {
        usim.kind = USIM_PCSC;
        value += strlen(pcsc);
        value += *value == ':';
    } else {
        return "not one of milenage:FILE, pcsc, pcsc:READER";
    }
    if (strlen(value) >= sizeof usim.argument)
        return "too long";
    strcpy(usim.argument, value);
    config->usim = usim;
    return NULL;
}

static const char *parse_realm(Config *config, const ConfigKey *key, const char *value) {
    if (!host_is_valid(value) || address_is_literal(value))
        return "not a domain name";
    return text_store(config, key, value);
}

#define FIELD(f) offsetof(Config, f), sizeof(((Config *)NULL)->f)

/* Every key there is. Which of [Initial] and [Serving] must be there is not a matter of one key:
 * ways_check(). */
static const ConfigKey keys[] = {
    {"Identity", "Manufacturer", parse_text, FIELD(manufacturer), true, NULL},
    {"Identity", "OUI", parse_oui, FIELD(oui), true, NULL},
    {"Identity", "ProductClass", parse_text, FIELD(product_class), true, NULL},
    {"Identity", "SerialNumber", parse_text, FIELD(serial_number), true, NULL},
    {"Identity", "HardwareVersion", parse_text, FIELD(hardware_version), false, NULL},
    {"Identity", "SoftwareVersion", parse_text, FIELD(software_version), false, VERSION},
    {"Identity", "Operator", parse_text, FIELD(operator_name), false, NULL},
    {"Initial", "SeGW", parse_host, FIELD(initial.segw), false, NULL},
    {"Initial", "HeMS", parse_hems, FIELD(initial.hems), false, NULL},
    {"Initial", "SeGWIdentity", parse_host, FIELD(initial.segw_identity), false, NULL},
    {"Serving", "SeGW", parse_host, FIELD(serving.segw), false, NULL},
    {"Serving", "HeMS", parse_hems, FIELD(serving.hems), false, NULL},
    {"Serving", "SeGWIdentity", parse_host, FIELD(serving.segw_identity), false, NULL},
    {"Trust", "CA", parse_path, FIELD(ca), true, NULL},
    {"Trust", "Certificate", parse_path, FIELD(certificate), true, NULL},
    {"Trust", "Key", parse_path, FIELD(key), true, NULL},
    {"Trust", "CRL", parse_path, FIELD(crl), false, NULL},
    {"Trust", "Revocation", parse_revocation, FIELD(revocation), false, "if-available"},
    {"Trust", "ClockPolicy", parse_clock_policy, FIELD(clock_policy), false, "wait"},
    {"Network", "PublicDNS", parse_public_dns, FIELD(n_public_dns), false, NULL},
    {"Network", "PrivateDNS", parse_private_dns, FIELD(n_private_dns), false, NULL},
    {"Network", "TunnelInterface", parse_interface, FIELD(tunnel_interface), false, "henb0"},
    {"Network", "InterfaceId", parse_interface_id, FIELD(interface_id), false, "32593"},
    {"IPsec", "IKEProposals", parse_ike_proposals, FIELD(ike_proposals), false, IKE_PROPOSALS_DEFAULT},
    {"IPsec", "ESPProposals", parse_esp_proposals, FIELD(esp_proposals), false, ESP_PROPOSALS_DEFAULT},
    {"IPsec", "PFS", parse_pfs, FIELD(pfs), false, "prefer"},
    {"IPsec", "ESN", parse_esn, FIELD(esn), false, "prefer"},
    {"IPsec", "ReplayWindow", parse_number, FIELD(replay_window), false, "128", 128, REPLAY_WINDOW_MAX,
     "a smaller window drops what a line reorders"},
    {"IPsec", "ChildLifetime", parse_number, FIELD(child_lifetime), false, "14400", LIFETIME_MIN},
    {"IPsec", "IKELifetime", parse_number, FIELD(ike_lifetime), false, "86400", LIFETIME_MIN},
    {"IPsec", "ChildBytes", parse_number, FIELD(child_bytes), false, "0", 100000, COUNT_MAX},
    {"IPsec", "ChildPackets", parse_number, FIELD(child_packets), false, "0", 100, COUNT_MAX},
    {"IPsec", "NATKeepalive", parse_number, FIELD(nat_keepalive), false, "20", 0, 3600},
    {"IPsec", "FragmentSize", parse_number, FIELD(fragment_size), false, "1280", 576, 1500},
    {"Registration", "WaitForLocation", parse_number, FIELD(wait_for_location), false, "0"},
    {"Registration", "InformParameters", parse_parameters, FIELD(inform_parameters), false, NULL,
     .adds = true},
    {"Registration", "Username", parse_text, FIELD(username), false, NULL},
    {"Registration", "PasswordFile", parse_path, FIELD(password_file), false, NULL},
    {"Registration", "FallbackRounds", parse_number, FIELD(fallback_rounds), false, "3"},
    {"Registration", "FallbackTime", parse_number, FIELD(fallback_time), false, "3600"},
    {"Log", "Level", parse_log_level, FIELD(log_level), false, "info"},
    {"HostingParty", "USIM", parse_usim, FIELD(usim), false, NULL},
    {"HostingParty", "Realm", parse_realm, FIELD(realm), false, NULL},
};
static_assert(ARRAY_SIZE(keys) <= CONFIG_KEYS_MAX, "origins of all keys");
static_assert(INTERFACE_ID_DEFAULT == 32593, "the default in the table above");
static_assert(DNS_SERVERS_MAX == 8, "the number in parse_public_dns()'s text");

/* Where a key was last set. */
typedef struct Origin {
    const char *file; /* NULL: nowhere, or emptied again */
    unsigned line;
    size_t reading; /* which file, counted from 1; a second time in the same one is a mistake */
} Origin;

typedef struct Loader {
    Config *config;
    const char *path; /* the main file */
    char *error;
    Origin origins[ARRAY_SIZE(keys)];
    struct { /* of [Owners], also what was taken out again */
        char path[OWNER_PATH_MAX];
        Origin origin;
    } owners[2 * OWNERS_MAX];
    size_t n_owners;
    size_t reading;
    bool foreign; /* this is not the agent's user */
    int result;   /* negative once *error* is written */

    /* The file being read. */
    const char *file;
    FILE *stream;
    unsigned line;
    unsigned failed_line;
    char *text; /* getline()'s */
    size_t text_size;
} Loader;

/* Writes "FILE:LINE: [SECTION] KEY=: text"; LINE 0 and a NULL key leave those out. Keeps the first error. */
static int loader_fail(Loader *l, int error, const char *file, unsigned line, const ConfigKey *key,
                       const char *format, ...) _printf_(6, 7);
static int loader_fail(Loader *l, int error, const char *file, unsigned line, const ConfigKey *key,
                       const char *format, ...) {
    char at[16] = "", name[128] = "";
    va_list ap;

    if (l->result < 0)
        return l->result;
    if (line > 0)
        snprintf(at, sizeof at, ":%u", line);
    if (key)
        snprintf(name, sizeof name, "[%s] %s=: ", key->section, key->key);
    int n = snprintf(l->error, ERROR_MAX_BYTES, "%s%s: %s", file, at, name);
    if (n < ERROR_MAX_BYTES) {
        va_start(ap, format);
        vsnprintf(l->error + n, (size_t)(ERROR_MAX_BYTES - n), format, ap);
        va_end(ap);
    }
    for (char *p = l->error; *p; p++)
        if (iscntrl((unsigned char)*p))
            *p = '?';
    l->failed_line = line;
    l->result = error;
    return error;
}

/* libinih's fgets(). Leading blanks go, so that an indented line is a line and not the continuation of the
 * value above it; comments may be as long as they like. */
static char *loader_read_line(char *buf, int size, void *userdata) {
    Loader *l = userdata;

    if (l->result < 0)
        return NULL;
    errno = 0;
    ssize_t n = getline(&l->text, &l->text_size, l->stream);
    if (n < 0) {
        if (!feof(l->stream))
            loader_fail(l, errno > 0 ? -errno : -EIO, l->file, 0, NULL, "%s", strerror(errno));
        return NULL;
    }
    l->line++;
    if (memchr(l->text, 0, (size_t)n)) {
        loader_fail(l, -EINVAL, l->file, l->line, NULL, "the line holds a NUL byte");
        return NULL;
    }
    const char *start = l->text;
    if (l->line == 1 && strncmp(start, BYTE_ORDER_MARK, strlen(BYTE_ORDER_MARK)) == 0)
        start += strlen(BYTE_ORDER_MARK);
    start += strspn(start, " \t\r\n\f\v");
    if (*start == 0 || strchr("#;", *start))
        start = "\n";
    if (strlen(start) >= (size_t)size) {
        loader_fail(l, -EINVAL, l->file, l->line, NULL,
                    "the line is %zu bytes long, more than the %d that can be read", strcspn(start, "\r\n"),
                    size - 2);
        return NULL;
    }
    return strcpy(buf, start);
}

static const ConfigKey *key_find(const char *section, const char *name) {
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        if (streq(keys[i].section, section) && streq(keys[i].key, name))
            return &keys[i];
    return NULL;
}

static bool section_exists(const char *section) {
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        if (streq(keys[i].section, section))
            return true;
    return false;
}

static void key_reset(Config *config, const ConfigKey *key) {
    memset(key_field(config, key), 0, key->size);
    if (key->fallback) {
        const char *wrong = key->parse(config, key, key->fallback);
        assert(!wrong);
    }
}

/* A line of [Owners], whose keys are paths. */
static void loader_set_owner(Loader *l, const char *path, const char *name) {
    const ConfigKey key = {"Owners", path};
    const char *wrong = owner_table_set(&l->config->owners, path, name);
    size_t i = 0;

    if (wrong) {
        loader_fail(l, -EINVAL, l->file, l->line, &key, "%s: \"%s\"", wrong, name);
        return;
    }
    while (i < l->n_owners && !streq(l->owners[i].path, path))
        i++;
    if (i == ARRAY_SIZE(l->owners)) {
        loader_fail(l, -EINVAL, l->file, l->line, &key, "more lines than %zu", i);
        return;
    }
    Origin *origin = &l->owners[i].origin;
    if (i < l->n_owners && origin->reading == l->reading) {
        loader_fail(l, -EINVAL, l->file, l->line, &key, "set twice in this file, first in line %u",
                    origin->line);
        return;
    }
    l->n_owners += i == l->n_owners;
    strcpy(l->owners[i].path, path);
    *origin = (Origin){.file = l->file, .line = l->line, .reading = l->reading};
}

/* libinih's callback. Mistakes are kept in the loader and stop the reader, so libinih itself only ever
 * reports lines that are no INI. */
static int loader_set(void *userdata, const char *section, const char *name, const char *value) {
    Loader *l = userdata;
    const ConfigKey *key = key_find(section, name);

    if (streq(section, "Owners")) {
        loader_set_owner(l, name, value);
        return 1;
    }
    if (!key) {
        if (!*section)
            loader_fail(l, -EINVAL, l->file, l->line, NULL, "%s=: stands before the first [Section]", name);
        else if (!section_exists(section))
            loader_fail(l, -EINVAL, l->file, l->line, NULL, "[%s] %s=: there is no such section", section,
                        name);
        else
            loader_fail(l, -EINVAL, l->file, l->line, NULL, "[%s] %s=: there is no such key", section, name);
        return 1;
    }
    Origin *origin = &l->origins[key - keys];
    if (origin->reading == l->reading && !key->adds) {
        loader_fail(l, -EINVAL, l->file, l->line, key, "set twice in this file, first in line %u",
                    origin->line);
        return 1;
    }
    if (!key->adds || !*value)
        key_reset(l->config, key);
    *origin = (Origin){.file = *value ? l->file : NULL, .line = l->line, .reading = l->reading};
    const char *wrong = *value ? key->parse(l->config, key, value) : NULL;
    if (wrong)
        loader_fail(l, -EINVAL, l->file, l->line, key, "%s: \"%s\"", wrong, value);
    return 1;
}

static int loader_read_file(Loader *l, const char *file) {
    l->file = file;
    l->line = 0;
    l->reading++;
    l->stream = fopen(file, "re");
    if (!l->stream)
        return loader_fail(l, -errno, file, 0, NULL, "%s", strerror(errno));
    int line = ini_parse_stream(loader_read_line, l, loader_set, l);
    fclose(l->stream);
    l->stream = NULL;
    /* libinih goes on after a line it cannot read; the first mistake of the file is the one to show. */
    if (line > 0 && l->result < 0 && (unsigned)line < l->failed_line)
        l->result = 0;
    if (line > 0)
        loader_fail(l, -EINVAL, file, (unsigned)line, NULL, "neither [Section] nor Key=Value");
    return l->result;
}

static int dropin_filter(const struct dirent *entry) {
    size_t len = strlen(entry->d_name);
    return entry->d_name[0] != '.' && len > 5 && streq(entry->d_name + len - 5, ".conf");
}

static int dropin_compare(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name); /* not alphasort(): the locale has no say in it */
}

/* The names of the drop-ins as paths, in *ret*, whose strings and array the caller frees. Returns how many.
 */
static int dropins_list(Loader *l, char ***ret) {
    _cleanup_free_ char *dir = NULL;
    struct dirent **entries = NULL;
    int r = 0;

    if (asprintf(&dir, "%s.d", l->path) < 0)
        return loader_fail(l, -ENOMEM, l->path, 0, NULL, "%s", strerror(ENOMEM));
    int n = scandir(dir, &entries, dropin_filter, dropin_compare);
    if (n < 0)
        return errno == ENOENT ? 0 : loader_fail(l, -errno, dir, 0, NULL, "%s", strerror(errno));
    char **paths = calloc((size_t)n + 1, sizeof *paths);
    if (!paths)
        r = -ENOMEM;
    for (int i = 0; i < n; i++) {
        if (r == 0 && asprintf(&paths[i], "%s/%s", dir, entries[i]->d_name) < 0) {
            paths[i] = NULL;
            r = -ENOMEM;
        }
        free(entries[i]);
    }
    free(entries);
    *ret = paths;
    return r < 0 ? loader_fail(l, r, dir, 0, NULL, "%s", strerror(-r)) : n;
}

/* "[Section] Key=" of each required key that is empty, and of the pairs' halves that are missing. */
static int missing_check(Loader *l) {
    const Config *c = l->config;
    const bool nothing = !*c->serving.segw && !*c->serving.hems && !*c->initial.segw && !*c->initial.hems;
    const struct {
        const char *section, *key;
        bool missing;
    } pairs[] = {
        {"Serving", "SeGW", nothing || (*c->serving.hems && !*c->serving.segw)},
        {"Serving", "HeMS", nothing || (*c->serving.segw && !*c->serving.hems)},
        {"Initial", "HeMS", *c->initial.segw && !*c->initial.hems},
    };
    char names[ERROR_MAX_BYTES] = "";
    size_t len = 0;

    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        if (keys[i].required && !*(char *)key_field(l->config, &keys[i]))
            len += (size_t)snprintf(names + len, sizeof names - len, "%s[%s] %s=", len ? ", " : "",
                                    keys[i].section, keys[i].key);
    for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
        if (pairs[i].missing)
            len += (size_t)snprintf(names + len, sizeof names - len, "%s[%s] %s=", len ? ", " : "",
                                    pairs[i].section, pairs[i].key);
    return len ? loader_fail(l, -EINVAL, l->path, 0, NULL, "missing: %s%s", names,
                             nothing ? " (or [Initial] HeMS=)" : "")
               : 0;
}

static int key_fail(Loader *l, int error, const char *section, const char *name, const char *text) {
    const ConfigKey *key = key_find(section, name);
    const Origin *origin = &l->origins[key - keys];

    assert(origin->file);
    return loader_fail(l, error, origin->file, origin->line, key, "%s", text);
}

/* Makes a URL of a bare HeMS name or address, and the SeGW's name its identity. */
static int pair_complete(Loader *l, const char *section, ConfigPair *pair) {
    const bool tunnel = *pair->segw;
    char bare[HOST_MAX_BYTES];
    Url url;

    if (*pair->segw_identity && !tunnel)
        return key_fail(l, -EINVAL, section, "SeGWIdentity", "there is no SeGW= it would be of");
    if (!*pair->segw_identity)
        strcpy(pair->segw_identity, pair->segw);
    if (!*pair->hems)
        return 0;
    if (!is_url(pair->hems)) {
        const bool v6 = strchr(pair->hems, ':');
        strcpy(bare, pair->hems); /* parse_hems() let through names and addresses only */
        if (tunnel)
            snprintf(pair->hems, sizeof pair->hems, v6 ? HTTP_URL "[%s]:%d/" : HTTP_URL "%s:%d/", bare,
                     HEMS_PORT_INSIDE);
        else
            snprintf(pair->hems, sizeof pair->hems, v6 ? HTTPS_URL "[%s]/" : HTTPS_URL "%s/", bare);
    }
    int r = url_parse(pair->hems, &url, NULL);
    assert(r == 0);
    if (!tunnel && !url.tls)
        return key_fail(l, -EINVAL, section, "HeMS", "http: without a SeGW in front of it; https: is needed");
    return 0;
}

/* Who the operator is must be known to stay away from it after a de-registration (5.1.4). The HeMS's name
 * says it by what follows its first label, if that is more than a top-level domain, which is nobody's. An
 * address does not say it, nor an Initial HeMS, which may send the box anywhere. */
static int operator_check(Loader *l) {
    const Config *c = l->config;
    Url url;

    if (*c->operator_name)
        return 0;
    if (*c->initial.hems)
        return key_fail(l, -EINVAL, "Initial", "HeMS", "[Identity] Operator= is needed with it");
    if (address_is_literal(c->serving.segw))
        return key_fail(l, -EINVAL, "Serving", "SeGW", "[Identity] Operator= is needed with an address");
    int r = url_parse(c->serving.hems, &url, NULL);
    assert(r == 0);
    if (address_is_literal(url.host))
        return key_fail(l, -EINVAL, "Serving", "HeMS", "[Identity] Operator= is needed with an address");
    const char *rest = strchr(url.host, '.');
    if (!rest || !strchr(rest + 1, '.'))
        return key_fail(l, -EINVAL, "Serving", "HeMS",
                        "[Identity] Operator= is needed with a name of less than three labels");
    return 0;
}

/* The pairs of the clauses 5.1.2.2, 5.1.2.3 and 5.1.2.4. */
static int ways_check(Loader *l) {
    Config *c = l->config;
    int r = pair_complete(l, "Serving", &c->serving);

    if (r == 0)
        r = pair_complete(l, "Initial", &c->initial);
    if (r == 0 && *c->realm && c->usim.kind == USIM_NONE)
        r = key_fail(l, -EINVAL, "HostingParty", "Realm", "there is no USIM= it would be of");
    return r < 0 ? r : operator_check(l);
}

static int file_check(const char *path) {
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), r = 0;

    if (fd < 0 || fstat(fd, &st) < 0)
        r = -errno;
    else if (!S_ISREG(st.st_mode))
        r = S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
    if (fd >= 0)
        close(fd);
    return r;
}

/* The file that a key names, or "". */
static const char *key_path(Config *config, const ConfigKey *key) {
    if (key->parse == parse_usim)
        return config->usim.kind == USIM_MILENAGE ? config->usim.argument : "";
    return key->parse == parse_path ? key_field(config, key) : "";
}

static int files_check(Loader *l) {
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        const char *path = key_path(l->config, &keys[i]);
        const Origin *origin = &l->origins[i];
        int r;
        if (!*path)
            continue;
        r = file_check(path);
        if (r < 0 && !(r == -EACCES && l->foreign))
            return loader_fail(l, r, origin->file, origin->line, &keys[i], "cannot read \"%s\": %s", path,
                               strerror(-r));
    }
    return 0;
}

/* What can be used, but is hardly meant. */
static void config_warn(const Config *c) {
    uint16_t groups[PROPOSAL_GROUPS_MAX];

    if (*c->crl && c->revocation == REVOCATION_OFF)
        log_warning("%s%s: not looked at, because of Revocation=off", config_origin(c, "Trust", "CRL"),
                    c->crl);
    if (c->pfs == PFS_NO && proposals_groups_of(&c->esp_proposals, groups) > 0)
        log_warning("%s: the groups are of no use, because of PFS=no",
                    config_origin(c, "IPsec", "ESPProposals"));
}

/* The files' names are gone after the loader. A name as long as that is cut, the rest never. */
static void origins_keep(Loader *l) {
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        const Origin *origin = &l->origins[i];
        char rest[80], line[16] = "";

        if (origin->file)
            snprintf(line, sizeof line, ":%u", origin->line);
        int n = snprintf(rest, sizeof rest, "%s: [%s] %s=", line, keys[i].section, keys[i].key);
        snprintf(l->config->origins[i], ORIGIN_MAX_BYTES, "%.*s%s", ORIGIN_MAX_BYTES - 1 - n,
                 origin->file ?: l->path, rest);
    }
}

const char *config_origin(const Config *config, const char *section, const char *key) {
    const ConfigKey *found = key_find(section, key);

    assert(found);
    return config->origins[found - keys];
}

static int load(Config *ret, const char *path, char *error, bool foreign) {
    Loader l = {.config = ret, .path = path, .error = error, .foreign = foreign};
    char **dropins = NULL;

    memset(ret, 0, sizeof *ret);
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        key_reset(ret, &keys[i]);
    int r = loader_read_file(&l, path), n = 0;
    if (r == 0)
        r = n = dropins_list(&l, &dropins);
    for (int i = 0; i < n && r >= 0; i++)
        r = loader_read_file(&l, dropins[i]);
    proposals_complete(&ret->esp_proposals, ret->esn);
    if (r >= 0)
        r = missing_check(&l);
    if (r == 0)
        r = ways_check(&l);
    if (r == 0)
        r = files_check(&l);
    if (r == 0) {
        origins_keep(&l);
        config_warn(ret);
    }
    for (char **p = dropins; p && *p; p++)
        free(*p);
    free(dropins);
    free(l.text);
    return r;
}

int config_load(Config *ret, const char *path, char *error) {
    return load(ret, path, error, false);
}

int config_check(Config *ret, const char *path, char *error) {
    return load(ret, path, error, true);
}

int config_refuse(const Config *config, const char *section, const char *key, const char *value,
                  const char *why, char *error) {
    return error_line(error, "%s%s: %s", config_origin(config, section, key), value, why);
}
