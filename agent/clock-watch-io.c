/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See clock-watch-io.h: a timer for a time that never comes, which the kernel cancels when the clock is set
 * (timerfd_create(2), TFD_TIMER_CANCEL_ON_SET). */
#include "clock-watch-io.h"

#include <limits.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

struct ClockWatch {
    sd_event_source *source;
    void (*set)(void *userdata);
    void *userdata;
};

static int timer_arm(int fd) {
    const struct itimerspec never = {.it_value.tv_sec = INT_MAX};
    return timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL) < 0 ? -errno : 0;
}

static int on_timer(sd_event_source *source, int fd, uint32_t events, void *userdata) {
    const ClockWatch *watch = userdata;
    uint64_t expired;

    if (read(fd, &expired, sizeof expired) < 0 && errno == EAGAIN)
        return 0;
    int r = timer_arm(fd);
    watch->set(watch->userdata);
    return r;
}

int clock_watch_new(ClockWatch **ret, sd_event *event, void (*set)(void *userdata), void *userdata) {
    _cleanup_(clock_watch_freep) ClockWatch *watch = calloc(1, sizeof *watch);
    int fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC), r;

    if (fd < 0 || !watch) {
        r = fd < 0 ? -errno : -ENOMEM;
        if (fd >= 0)
            close(fd);
        return r;
    }
    watch->set = set;
    watch->userdata = userdata;
    r = timer_arm(fd);
    if (r == 0)
        r = sd_event_add_io(event, &watch->source, fd, EPOLLIN, on_timer, watch);
    if (r < 0) {
        close(fd);
        return r;
    }
    sd_event_source_set_io_fd_own(watch->source, true);
    *ret = TAKE_PTR(watch);
    return 0;
}

void clock_watch_free(ClockWatch *watch) {
    if (!watch)
        return;
    sd_event_source_disable_unref(watch->source);
    free(watch);
}
