/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See resolv-conf-io.h. Folders are watched, not the file: who writes it well replaces it. */
#include "discovery/resolv-conf-io.h"

#include <limits.h>
#include <sys/inotify.h>

#include "base/log.h"

/* The file's folder, and that of what it is a symbolic link to. */
#define FOLDERS 2

typedef struct Folder {
    ResolvConfWatch *watch;
    char name[NAME_MAX + 1]; /* of the file in it */
    sd_event_source *source;
} Folder;

struct ResolvConfWatch {
    sd_event *event;
    Folder folders[FOLDERS];
    void (*changed)(void *userdata);
    void *userdata;
};

static int on_inotify(sd_event_source *source, const struct inotify_event *e, void *userdata) {
    Folder *folder = userdata;
    if ((e->mask & IN_Q_OVERFLOW) || (e->len > 0 && streq(e->name, folder->name)))
        folder->watch->changed(folder->watch->userdata);
    return 0;
}

static int folder_watch(ResolvConfWatch *watch, Folder *folder, const char *path) {
    char copy[PATH_MAX];
    const char *slash = strrchr(path, '/');

    if (!slash || slash == path || strlen(path) >= sizeof copy || strlen(slash + 1) >= sizeof folder->name)
        return -EINVAL;
    memcpy(copy, path, (size_t)(slash - path));
    copy[slash - path] = 0;
    strcpy(folder->name, slash + 1);
    folder->watch = watch;
    int r = sd_event_add_inotify(watch->event, &folder->source, copy,
                                 IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_ONLYDIR, on_inotify, folder);
    if (r < 0 && r != -ENOMEM)
        log_warning("%s: changes are not noticed: %s", path, strerror(-r));
    return r;
}

int resolv_conf_watch_new(ResolvConfWatch **ret, sd_event *event, const char *path,
                          void (*changed)(void *userdata), void *userdata) {
    _cleanup_(resolv_conf_watch_freep) ResolvConfWatch *watch = calloc(1, sizeof *watch);
    char target[PATH_MAX];

    if (!watch)
        return -ENOMEM;
    watch->event = sd_event_ref(event);
    watch->changed = changed;
    watch->userdata = userdata;
    if (folder_watch(watch, &watch->folders[0], path) == -ENOMEM)
        return -ENOMEM;
    if (realpath(path, target) && !streq(target, path) &&
        folder_watch(watch, &watch->folders[1], target) == -ENOMEM)
        return -ENOMEM;
    *ret = TAKE_PTR(watch);
    return 0;
}

void resolv_conf_watch_free(ResolvConfWatch *watch) {
    if (!watch)
        return;
    for (size_t i = 0; i < FOLDERS; i++)
        sd_event_source_disable_unref(watch->folders[i].source);
    sd_event_unref(watch->event);
    free(watch);
}
