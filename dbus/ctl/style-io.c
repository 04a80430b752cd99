/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See style-io.h. */
#include "dbus/ctl/style-io.h"

#include <langinfo.h>
#include <locale.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/macro.h"

/* As systemd(1) has it: SYSTEMD_COLORS says so, or else NO_COLOR and the terminal. */
static bool colours_wanted(bool terminal) {
    static const char *const no[] = {"0", "no", "n", "false", "f", "off"};
    const char *wanted = getenv("SYSTEMD_COLORS"), *term = getenv("TERM");

    for (size_t i = 0; wanted && i < ARRAY_SIZE(no); i++)
        if (streq(wanted, no[i]))
            return false;
    if (wanted && *wanted && strncmp(wanted, "auto-", strlen("auto-")) != 0)
        return true;
    if (!wanted && getenv("NO_COLOR"))
        return false;
    return terminal && term && !streq(term, "dumb");
}

static unsigned width_of(bool terminal) {
    const char *columns = getenv("COLUMNS");
    struct winsize size = {};

    if (columns && atoi(columns) > 0)
        return (unsigned)atoi(columns);
    return terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

void style_detect(Style *ret) {
    bool terminal = isatty(STDOUT_FILENO);

    setlocale(LC_CTYPE, "");
    *ret = (Style){
        .colours = colours_wanted(terminal),
        .utf8 = streq(nl_langinfo(CODESET), "UTF-8"),
        .width = width_of(terminal),
    };
}
