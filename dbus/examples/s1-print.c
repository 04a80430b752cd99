/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Stands where an S1 stack would stand: says when S1 goes up, with whom, and when it goes down and why. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-event.h>

#include "s1-watch.h"

/* Here a stack makes its SCTP association, and sends the S1 SETUP REQUEST. */
void s1_up(const S1Ends *ends) {
    printf("S1 up: on %s from", ends->interface);
    for (size_t i = 0; i < ends->local.n; i++)
        printf(" %s", ends->local.items[i]);
    printf(", to %s of", ends->to_all ? "all" : "one");
    for (size_t i = 0; i < ends->n_mmes; i++) {
        const S1Mme *mme = &ends->mmes[i];
        printf("%s %s (", i > 0 ? "," : "", mme->entry);
        for (size_t j = 0; j < mme->addresses.n; j++)
            printf("%s%s", j > 0 ? " " : "", mme->addresses.items[j]);
        printf(") port %u", mme->port);
    }
    printf("\n");
}

/* Here it ends the association and switches the radio off. */
void s1_down(const char *why) {
    printf("S1 down: %s\n", why);
}

int main(void) {
    S1Watch watch = {0};
    sd_event *event = NULL;
    sd_bus *bus = NULL;
    sigset_t ends;

    setvbuf(stdout, NULL, _IOLBF, 0);
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    int r = sd_event_default(&event);
    if (r >= 0)
        r = sd_event_add_signal(event, NULL, SIGTERM, NULL, NULL);
    if (r >= 0)
        r = sd_event_add_signal(event, NULL, SIGINT, NULL, NULL);
    if (r >= 0)
        r = sd_bus_open_system(&bus);
    if (r >= 0)
        r = sd_bus_attach_event(bus, event, SD_EVENT_PRIORITY_NORMAL);
    if (r >= 0)
        r = sd_bus_set_exit_on_disconnect(bus, true); /* without the bus nothing is known of the agent */
    if (r >= 0)
        r = s1_watch_start(&watch, bus);
    if (r >= 0)
        r = sd_event_loop(event);
    if (r < 0)
        fprintf(stderr, "the bus: %s\n", strerror(-r));
    s1_watch_stop(&watch, "this program ends");
    sd_bus_flush_close_unref(bus);
    sd_event_unref(event);
    return r < 0 ? EXIT_FAILURE : r;
}
