/* SPDX-License-Identifier: GPL-3.0-or-later */
/* henbctl's texts about the agent, its tunnels and its sessions, made from tree_of_objects(). Pure. */
#pragma once

#include "dbus/ctl/style.h"
#include "dbus/ctl/tree.h"

/* One screen: what the box is, where it stands, with whom, and what went wrong last. */
void status_print(FILE *out, const Style *style, Moment now, const json_object *tree);
/* Nobody has the agent's name. */
void status_print_absent(FILE *out, const Style *style);
void tunnels_print(FILE *out, const Style *style, Moment now, const json_object *tree);
void session_print(FILE *out, const Style *style, Moment now, const json_object *tree);
/* Parameters, from tree_of_parameters(): names, types and values, or *names* alone. */
void parameters_print(FILE *out, const Style *style, const json_object *tree, bool names);
