/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See box-io.h. */
#include "box-io.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "box.h"
#include "clock.h"

#define INTERFACES   "Device.IP.Interface."
#define PROCESSES    "Device.DeviceInfo.ProcessStatus.Process."
#define IPSEC_STATS  "Device.IPsec.Stats."
#define IKE_SA_STATS "Device.IPsec.IKEv2SA.1.Stats." /* there is one tunnel */
#define SYNCHRONIZED "/run/systemd/timesync/synchronized"
#define CPU_INTERVAL (5 * USEC_PER_SEC) /* over which CPUUsage is measured, at least */
#define TEXT_MAX     8192

typedef struct Interface {
    char name[IF_NAMESIZE]; /* "": free */
    RowSet *addresses[2];   /* IPv4, IPv6 */
} Interface;

struct Box {
    BoxConfig config;
    RowSet *interfaces, *processes;
    Interface items[BOX_INTERFACES_MAX];
    BoxCpu cpu; /* when CPUUsage was measured last */
    usec_t cpu_time;
    unsigned cpu_usage;
};

/* Reads what fits of a file. 0 or negative errno. */
static int text_read(const char *path, char *ret, size_t size) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    ssize_t n = read(fd, ret, size - 1);
    int r = n < 0 ? -errno : 0;
    close(fd);
    if (n >= 0)
        ret[n] = 0;
    return r;
}

static int number_write(char *buf, size_t size, uint64_t number) {
    snprintf(buf, size, "%" PRIu64, number);
    return 0;
}

static int text_write(char *buf, size_t size, const char *text) {
    snprintf(buf, size, "%s", text);
    return 0;
}

/* Single values --------------------------------------------------------------------------------------- */

static int live_uptime(Box *box, char *buf, size_t size) {
    return number_write(buf, size, clock_read(CLOCK_BOOTTIME) / USEC_PER_SEC);
}

static int meminfo(const char *key, char *buf, size_t size) {
    char text[TEXT_MAX];
    uint64_t kib;
    int r = text_read("/proc/meminfo", text, sizeof text);

    if (r < 0)
        return r;
    return box_field(text, key, &kib) ? number_write(buf, size, kib) : -ENODATA;
}

static int live_memory(Box *box, char *buf, size_t size) {
    return meminfo("MemTotal:", buf, size);
}

static int live_memory_free(Box *box, char *buf, size_t size) {
    return meminfo("MemFree:", buf, size);
}

static int live_disk(Box *box, char *buf, size_t size) {
    struct statvfs s;
    if (statvfs(box->config.state_directory, &s) < 0)
        return -errno;
    return number_write(buf, size, (uint64_t)s.f_blocks * s.f_frsize / 1024);
}

static int live_disk_free(Box *box, char *buf, size_t size) {
    struct statvfs s;
    if (statvfs(box->config.state_directory, &s) < 0)
        return -errno;
    return number_write(buf, size, (uint64_t)s.f_bavail * s.f_frsize / 1024);
}

/* Since it was asked last, or since the start of the box. */
static int live_cpu(Box *box, char *buf, size_t size) {
    usec_t now = clock_read(CLOCK_BOOTTIME);
    char text[TEXT_MAX];
    BoxCpu cpu;

    if (box->cpu_time == 0 || now >= box->cpu_time + CPU_INTERVAL) {
        int r = text_read("/proc/stat", text, sizeof text);
        if (r < 0)
            return r;
        if (!box_cpu(text, &cpu))
            return -ENODATA;
        box->cpu_usage = box_cpu_usage(&box->cpu, &cpu);
        box->cpu = cpu;
        box->cpu_time = now;
    }
    return number_write(buf, size, box->cpu_usage);
}

static int live_time_status(Box *box, char *buf, size_t size) {
    return text_write(buf, size, access(SYNCHRONIZED, F_OK) == 0 ? "Synchronized" : "Unsynchronized");
}

/* With the zone of the box, "2026-11-23T08:08:09+01:00". */
static int live_local_time(Box *box, char *buf, size_t size) {
    time_t now = (time_t)(clock_read(CLOCK_REALTIME) / USEC_PER_SEC);
    char text[40];
    struct tm tm;

    if (!localtime_r(&now, &tm) || strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm) == 0)
        return -EOVERFLOW;
    const long minutes = tm.tm_gmtoff / 60, off = labs(minutes);
    snprintf(buf, size, "%s%c%02ld:%02ld", text, minutes < 0 ? '-' : '+', off / 60, off % 60);
    return 0;
}

static const struct {
    const char *name;
    int (*read)(Box *box, char *buf, size_t size);
} singles[] = {
    {"Device.DeviceInfo.UpTime", live_uptime},
    {"Device.DeviceInfo.MemoryStatus.Total", live_memory},
    {"Device.DeviceInfo.MemoryStatus.Free", live_memory_free},
    {"Device.DeviceInfo.MemoryStatus.TotalPersistent", live_disk},
    {"Device.DeviceInfo.MemoryStatus.FreePersistent", live_disk_free},
    {"Device.DeviceInfo.ProcessStatus.CPUUsage", live_cpu},
    {"Device.Time.Status", live_time_status},
    {"Device.Time.CurrentLocalTime", live_local_time},
};

/* Interfaces and their counters ----------------------------------------------------------------------- */

/* A file of /sys/class/net/INTERFACE. */
static int net_read(const char *interface, const char *file, char *buf, size_t size) {
    char path[128], text[64];

    snprintf(path, sizeof path, "/sys/class/net/%s/%s", interface, file);
    int r = text_read(path, text, sizeof text);
    if (r < 0)
        return r;
    text[strcspn(text, "\n")] = 0;
    return text_write(buf, size, text);
}

static const struct {
    const char *parameter, *file;
    bool narrow; /* of 32 bits in the data model: it begins anew */
} net_counters[] = {
    {"BytesSent", "statistics/tx_bytes"},
    {"BytesReceived", "statistics/rx_bytes"},
    {"PacketsSent", "statistics/tx_packets"},
    {"PacketsReceived", "statistics/rx_packets"},
    {"ErrorsSent", "statistics/tx_errors", true},
    {"ErrorsReceived", "statistics/rx_errors", true},
    {"DiscardPacketsSent", "statistics/tx_dropped", true},
    {"DiscardPacketsReceived", "statistics/rx_dropped", true},
    {"MulticastPacketsReceived", "statistics/multicast"},
};

static int net_counter(const char *interface, const char *parameter, char *buf, size_t size) {
    char text[64];

    for (size_t i = 0; i < ARRAY_SIZE(net_counters); i++) {
        if (!streq(parameter, net_counters[i].parameter))
            continue;
        int r = net_read(interface, net_counters[i].file, text, sizeof text);
        if (r < 0)
            return r;
        uint64_t n = strtoull(text, NULL, 10);
        return number_write(buf, size, net_counters[i].narrow ? (uint32_t)n : n);
    }
    return -ENOENT;
}

/* RFC 2863's operational states, in sysfs' words. A tunnel or loopback interface has none. */
static int net_status(const char *interface, char *buf, size_t size) {
    static const struct {
        const char *linux_word, *word;
    } states[] = {
        {"up", "Up"},
        {"down", "Down"},
        {"unknown", "Up"},
        {"dormant", "Dormant"},
        {"notpresent", "NotPresent"},
        {"lowerlayerdown", "LowerLayerDown"},
    };
    char text[64];
    int r = net_read(interface, "operstate", text, sizeof text);

    if (r < 0)
        return r;
    for (size_t i = 0; i < ARRAY_SIZE(states); i++)
        if (streq(text, states[i].linux_word))
            return text_write(buf, size, states[i].word);
    return text_write(buf, size, "Unknown");
}

/* "3.Stats.BytesSent" with *rest* behind the number's dot; 0: no instance number. */
static uint32_t instance_parse(const char *name, const char **rest) {
    char *end;
    unsigned long n = *name >= '1' && *name <= '9' ? strtoul(name, &end, 10) : 0;

    if (n == 0 || n > UINT32_MAX || *end != '.')
        return 0;
    *rest = end + 1;
    return (uint32_t)n;
}

static int live_interface(const Box *box, const char *name, char *buf, size_t size) {
    const char *rest, *interface;
    uint32_t instance = instance_parse(name, &rest);

    interface = instance ? row_set_key(box->interfaces, instance) : NULL;
    if (!interface)
        return -ENOENT;
    if (streq(rest, "Status"))
        return net_status(interface, buf, size);
    if (streq(rest, "MaxMTUSize"))
        return net_read(interface, "mtu", buf, size);
    return strncmp(rest, "Stats.", strlen("Stats.")) == 0
               ? net_counter(interface, rest + strlen("Stats."), buf, size)
               : -ENOENT;
}

/* Inner traffic is the tunnel interface's; errors are ESP's. */
static int live_ipsec(const Box *box, const char *parameter, char *buf, size_t size) {
    const char *const *names = box_xfrm_names(parameter);
    char text[TEXT_MAX];
    uint64_t sum = 0, one;

    if (!names)
        return net_counter(box->config.tunnel_interface, parameter, buf, size);
    int r = text_read("/proc/net/xfrm_stat", text, sizeof text); /* CONFIG_XFRM_STATISTICS */
    if (r < 0)
        return r;
    for (; *names; names++)
        if (box_field(text, *names, &one))
            sum += one;
    return number_write(buf, size, (uint32_t)sum);
}

/* Processes ------------------------------------------------------------------------------------------- */

static int process_read(const char *pid, BoxProcess *ret) {
    char path[64], text[1024];

    snprintf(path, sizeof path, "/proc/%.20s/stat", pid);
    int r = text_read(path, text, sizeof text);
    if (r < 0)
        return r;
    return box_process(text, (unsigned)sysconf(_SC_CLK_TCK), (unsigned)sysconf(_SC_PAGESIZE), ret) ? 0
                                                                                                   : -ENODATA;
}

/* A row's key is "PID START". */
static int live_process(const Box *box, const char *name, char *buf, size_t size) {
    const char *rest, *key;
    uint32_t instance = instance_parse(name, &rest);
    BoxProcess process;

    key = instance ? row_set_key(box->processes, instance) : NULL;
    if (!key)
        return -ENOENT;
    char pid[16];
    snprintf(pid, sizeof pid, "%.*s", (int)strcspn(key, " "), key);
    int r = process_read(pid, &process);
    if (r < 0)
        return r;
    if (streq(rest, "Size"))
        return number_write(buf, size, process.size_kib);
    if (streq(rest, "Priority"))
        return number_write(buf, size, process.priority);
    if (streq(rest, "CPUTime"))
        return number_write(buf, size, process.cpu_msec);
    if (streq(rest, "State"))
        return text_write(buf, size, process.state);
    return -ENOENT;
}

static void processes_refresh(Box *box) {
    DIR *proc = opendir("/proc");
    const struct dirent *entry;
    BoxProcess process;
    char key[ROW_KEY_MAX];
    bool new;

    if (!proc)
        return;
    row_set_begin(box->processes);
    while ((entry = readdir(proc))) {
        if (strspn(entry->d_name, "0123456789") != strlen(entry->d_name) ||
            process_read(entry->d_name, &process) < 0)
            continue;
        snprintf(key, sizeof key, "%.20s %llu", entry->d_name, process.start);
        uint32_t row = row_set_keep(box->processes, key, &new);
        if (row == 0 || !new)
            continue;
        row_set_report(box->processes, row, "PID", entry->d_name);
        row_set_report(box->processes, row, "Command", process.command);
    }
    closedir(proc);
    row_set_sweep(box->processes, NULL, NULL);
}

/* Interfaces' rows ------------------------------------------------------------------------------------ */

static Interface *interface_find(Box *box, const char *name) {
    for (size_t i = 0; i < BOX_INTERFACES_MAX; i++)
        if (streq(box->items[i].name, name))
            return &box->items[i];
    return NULL;
}

static void interface_free(Interface *item) {
    row_set_free(item->addresses[0]);
    row_set_free(item->addresses[1]);
    *item = (Interface){};
}

static void on_interface_gone(void *userdata, const char *name) {
    Interface *item = interface_find(userdata, name);
    if (item)
        interface_free(item);
}

/* An interface that was not there before. */
static void interface_open(Box *box, uint32_t row, const char *name) {
    static const char *const tables[] = {"IPv4Address.", "IPv6Address."};
    const bool tunnel = streq(name, box->config.tunnel_interface);
    Interface *item = interface_find(box, "");
    char table[ROW_PATH_MAX];

    row_set_report(box->interfaces, row, "Enable", "true");
    row_set_report(box->interfaces, row, "Name", name);
    row_set_report(box->interfaces, row, "Type", tunnel ? "Tunnel" : "Normal");
    if (!item)
        return;
    snprintf(item->name, sizeof item->name, "%s", name);
    for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
        snprintf(table, sizeof table, INTERFACES "%" PRIu32 ".%s", row, tables[i]);
        if (row_set_new(&item->addresses[i], &box->config.rows, table, BOX_ADDRESSES_MAX) < 0)
            item->addresses[i] = NULL;
    }
}

static void address_refresh(Box *box, const Interface *item, const struct ifaddrs *a) {
    const bool v6 = a->ifa_addr->sa_family == AF_INET6;
    RowSet *set = item->addresses[v6];
    char address[INET6_ADDRSTRLEN], mask[INET6_ADDRSTRLEN] = "", key[ROW_KEY_MAX];
    bool new;

    if (!set)
        return;
    if (v6)
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)a->ifa_addr)->sin6_addr, address, sizeof address);
    else
        inet_ntop(AF_INET, &((const struct sockaddr_in *)a->ifa_addr)->sin_addr, address, sizeof address);
    if (!v6 && a->ifa_netmask)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)a->ifa_netmask)->sin_addr, mask, sizeof mask);
    snprintf(key, sizeof key, "%.45s %.15s", address, mask);
    uint32_t row = row_set_keep(set, key, &new);
    if (row == 0 || !new)
        return;
    row_set_report(set, row, "Enable", "true");
    row_set_report(set, row, "Status", "Enabled");
    row_set_report(set, row, "IPAddress", address);
    if (!v6)
        row_set_report(set, row, "SubnetMask", mask);
    if (streq(item->name, box->config.tunnel_interface))
        row_set_report(set, row, v6 ? "Origin" : "AddressingType", "IKEv2");
}

static void interfaces_refresh(Box *box) {
    struct ifaddrs *list;
    bool new;

    if (getifaddrs(&list) < 0)
        return;
    row_set_begin(box->interfaces);
    for (const struct ifaddrs *a = list; a; a = a->ifa_next) {
        uint32_t row = a->ifa_flags & IFF_LOOPBACK ? 0 : row_set_keep(box->interfaces, a->ifa_name, &new);
        if (row != 0 && new)
            interface_open(box, row, a->ifa_name);
    }
    row_set_sweep(box->interfaces, on_interface_gone, box);
    for (size_t i = 0; i < BOX_INTERFACES_MAX; i++)
        for (size_t j = 0; j < 2; j++)
            if (box->items[i].addresses[j])
                row_set_begin(box->items[i].addresses[j]);
    for (const struct ifaddrs *a = list; a; a = a->ifa_next) {
        const Interface *item =
            a->ifa_addr && (a->ifa_addr->sa_family == AF_INET || a->ifa_addr->sa_family == AF_INET6)
                ? interface_find(box, a->ifa_name)
                : NULL;
        if (item)
            address_refresh(box, item, a);
    }
    for (size_t i = 0; i < BOX_INTERFACES_MAX; i++)
        for (size_t j = 0; j < 2; j++)
            if (box->items[i].addresses[j])
                row_set_sweep(box->items[i].addresses[j], NULL, NULL);
    freeifaddrs(list);
}

/* ----------------------------------------------------------------------------------------------------- */

int box_new(Box **ret, const BoxConfig *config) {
    _cleanup_(box_freep) Box *box = calloc(1, sizeof *box);

    if (!box)
        return -ENOMEM;
    box->config = *config;
    if (row_set_new(&box->interfaces, &box->config.rows, INTERFACES, BOX_INTERFACES_MAX) < 0 ||
        row_set_new(&box->processes, &box->config.rows, PROCESSES, BOX_PROCESSES_MAX) < 0)
        return -ENOMEM;
    *ret = TAKE_PTR(box);
    return 0;
}

void box_free(Box *box) {
    if (!box)
        return;
    for (size_t i = 0; i < BOX_INTERFACES_MAX; i++)
        interface_free(&box->items[i]);
    row_set_free(box->interfaces);
    row_set_free(box->processes);
    free(box);
}

void box_refresh(Box *box) {
    interfaces_refresh(box);
    processes_refresh(box);
}

int box_live(void *userdata, const char *name, const ModelParameter *parameter, char *buf, size_t size) {
    Box *box = userdata;

    for (size_t i = 0; i < ARRAY_SIZE(singles); i++)
        if (streq(name, singles[i].name))
            return singles[i].read(box, buf, size);
    if (strncmp(name, INTERFACES, strlen(INTERFACES)) == 0)
        return live_interface(box, name + strlen(INTERFACES), buf, size);
    if (strncmp(name, PROCESSES, strlen(PROCESSES)) == 0)
        return live_process(box, name + strlen(PROCESSES), buf, size);
    if (strncmp(name, IPSEC_STATS, strlen(IPSEC_STATS)) == 0)
        return live_ipsec(box, name + strlen(IPSEC_STATS), buf, size);
    if (strncmp(name, IKE_SA_STATS, strlen(IKE_SA_STATS)) == 0)
        return live_ipsec(box, name + strlen(IKE_SA_STATS), buf, size);
    return -ENOENT;
}
