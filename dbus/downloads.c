/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See downloads.h. Who may call is the bus policy's matter; what a request may hold,
 * agent/download-request.h's.
 */
#include "dbus/downloads.h"

#include "base/log.h"

#define INTERFACE "org.henb.Agent1.Downloads"

/* -E2BIG: more than fit. */
static int arguments_read(sd_bus_message *m, BusArgument *ret, size_t max, size_t *ret_n) {
    int r = sd_bus_message_enter_container(m, SD_BUS_TYPE_ARRAY, "(ss)");

    for (*ret_n = 0; r >= 0; ++*ret_n) {
        const char *name, *value;
        r = sd_bus_message_read(m, "(ss)", &name, &value);
        if (r <= 0)
            break;
        if (*ret_n == max)
            return -E2BIG;
        ret[*ret_n] = (BusArgument){name, value};
    }
    return r;
}

static int on_request(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    const BusHandlers *handlers = userdata;
    BusArgument arguments[BUS_ARGUMENTS_MAX];
    const char *file_type;
    size_t n;

    if (!handlers->request_download)
        return sd_bus_error_set(error, SD_BUS_ERROR_NOT_SUPPORTED, "there is no HeMS");
    int r = sd_bus_message_read(m, "s", &file_type);
    if (r >= 0)
        r = arguments_read(m, arguments, BUS_ARGUMENTS_MAX, &n);
    if (r < 0 && r != -E2BIG)
        return r;
    const char *wrong = r == -E2BIG ? "there are too many arguments"
                                    : handlers->request_download(handlers->others, file_type, arguments, n);
    if (!wrong)
        return sd_bus_reply_method_return(m, NULL);
    log_info("D-Bus: Request by %s is refused: %s", sd_bus_message_get_sender(m), wrong);
    return sd_bus_error_set(error, BUS_ERROR_REFUSED, wrong);
}

static const sd_bus_vtable vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD_WITH_ARGS("Request", SD_BUS_ARGS("s", file_type, "a(ss)", arguments), SD_BUS_NO_RESULT,
                            on_request, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_VTABLE_END,
};

int bus_downloads_add(sd_bus *bus, const char *path, const BusHandlers *handlers) {
    int r = sd_bus_add_object_vtable(bus, NULL, path, INTERFACE, vtable, (void *)handlers);
    return r < 0 ? r : 0;
}
