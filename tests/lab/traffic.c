// SPDX-License-Identifier: GPL-3.0-or-later
/* One end of a stream of numbered UDP packets in both directions, for the lab: what a rekeying loses is lost
 * here.
 *
 *     traffic ADDRESS PORT PEER PORT RATE SIZE
 *
 * Binds to ADDRESS and PORT, sends RATE packets of SIZE bytes a second to PEER and PORT, and notes what the
 * other end sends. SIGTERM ends the sending; two seconds later, when what is under way has come, it prints
 * one line of JSON and exits:
 *
 *     {"sent": N, "refused": N, "got": N, "highest": N, "twice": N, "swapped": N, "latest": SECONDS,
 * "silence": SECONDS}
 *
 * sent counts what was handed to the kernel, refused what the kernel did not take (tried again at the next
 * tick: a number is given up by nobody but the network), got the different numbers that came, twice those
 * that came again, swapped those that came after a higher one, latest is the longest way of a packet (both
 * ends have one clock), silence the longest time between two packets. A packet the kernel takes and a missing
 * policy or SA discards counts as sent, and is lost.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define NUMBERS        (1u << 22) /* an hour at 1,000 a second */
#define LINGER_NSEC    UINT64_C(2000000000)
#define SIZE_MAX_BYTES 1400

struct packet {
    uint64_t number, sent_nsec;
};

static uint8_t seen[NUMBERS / 8];

static uint64_t now_nsec(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int open_socket(const char *address, const char *port, const char *peer, const char *peer_port) {
    struct addrinfo hints = {.ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV}, *own,
                    *other;
    if (getaddrinfo(address, port, &hints, &own) != 0 || getaddrinfo(peer, peer_port, &hints, &other) != 0)
        return -1;
    int fd = socket(own->ai_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), room = 4 << 20;
    if (fd >= 0) { /* a delayed packet counts against its sender until it leaves */
        setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
        setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
    }
    if (fd < 0 || bind(fd, own->ai_addr, own->ai_addrlen) < 0 ||
        connect(fd, other->ai_addr, other->ai_addrlen) < 0)
        return -1;
    freeaddrinfo(own);
    freeaddrinfo(other);
    return fd;
}

int main(int argc, char **argv) {
    long rate = argc == 7 ? atol(argv[5]) : 0, size = argc == 7 ? atol(argv[6]) : 0;
    if (rate < 1 || rate > 100000 || size < (long)sizeof(struct packet) || size > SIZE_MAX_BYTES) {
        fputs("usage: traffic ADDRESS PORT PEER PORT RATE SIZE\n", stderr);
        return 2;
    }
    int fd = open_socket(argv[1], argv[2], argv[3], argv[4]);
    if (fd < 0) {
        perror("traffic");
        return 1;
    }
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGUSR1); /* both ends listen: begin to send */
    sigprocmask(SIG_BLOCK, &ends, NULL);
    int signals = signalfd(-1, &ends, SFD_CLOEXEC),
        timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    /* Ten milliseconds between ticks at most a hundred times a second: an emulated processor wakes up slowly.
     */
    struct itimerspec tick = {.it_interval.tv_nsec = 10000000, .it_value.tv_nsec = 10000000};
    if (rate < 100)
        tick.it_interval.tv_nsec = tick.it_value.tv_nsec = 1000000000 / rate - 1;
    puts("ready");
    fflush(stdout);

    uint64_t begin = now_nsec(), end = 0, sent = 0, refused = 0, got = 0, twice = 0, swapped = 0, highest = 0,
             latest = 0, silence = 0, last = 0;
    char data[SIZE_MAX_BYTES] = {0};
    while (end == 0 || now_nsec() < end + LINGER_NSEC) {
        struct pollfd polled[] = {
            {.fd = fd, .events = POLLIN}, {.fd = timer, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
        poll(polled, 3, 100);
        if (polled[2].revents & POLLIN) {
            struct signalfd_siginfo info;
            if (read(signals, &info, sizeof(info)) <= 0)
                continue;
            if (info.ssi_signo == SIGUSR1) {
                begin = now_nsec();
                timerfd_settime(timer, 0, &tick, NULL);
            } else if (end == 0)
                end = now_nsec();
        }
        if (polled[1].revents & POLLIN) {
            uint64_t expirations;
            if (read(timer, &expirations, sizeof(expirations)) < 0)
                continue;
            uint64_t due = (now_nsec() - begin) / 1000 * (uint64_t)rate / 1000000;
            while (end == 0 && sent < due && sent + 1 < NUMBERS) {
                struct packet packet = {sent + 1, now_nsec()};
                memcpy(data, &packet, sizeof(packet));
                if (send(fd, data, (size_t)size, 0) < 0) {
                    refused++;
                    break;
                }
                sent++;
            }
        }
        for (;;) {
            struct packet packet;
            ssize_t length = recv(fd, data, sizeof(data), 0);
            if (length < 0)
                break;
            if ((size_t)length < sizeof(packet))
                continue;
            memcpy(&packet, data, sizeof(packet));
            if (packet.number == 0 || packet.number >= NUMBERS)
                continue;
            uint64_t now = now_nsec();
            uint8_t bit = (uint8_t)(1u << (packet.number % 8));
            if (seen[packet.number / 8] & bit)
                twice++;
            else
                got++;
            seen[packet.number / 8] |= bit;
            if (packet.number < highest)
                swapped++;
            else
                highest = packet.number;
            if (now - packet.sent_nsec > latest)
                latest = now - packet.sent_nsec;
            if (last != 0 && end == 0 && now - last > silence)
                silence = now - last;
            last = now;
        }
    }
    printf(
        "{\"sent\": %ju, \"refused\": %ju, \"got\": %ju, \"highest\": %ju, \"twice\": %ju, \"swapped\": %ju, "
        "\"latest\": %.3f, \"silence\": %.3f}\n",
        (uintmax_t)sent, (uintmax_t)refused, (uintmax_t)got, (uintmax_t)highest, (uintmax_t)twice,
        (uintmax_t)swapped, (double)latest / 1e9, (double)silence / 1e9);
    return 0;
}
