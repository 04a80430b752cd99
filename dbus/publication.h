/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A plain struct as one interface of one object: a table of properties, from which come the vtable, the
 * comparison of two states and the names in PropertiesChanged. */
#pragma once

#include <systemd/sd-bus.h>

#include "base/macro.h"

typedef enum PublicationNews {
    NEWS_TOLD,   /* a change is in PropertiesChanged, with its value */
    NEWS_SILENT, /* counted: changes are told to nobody */
    NEWS_ASKED,  /* silent, and not in the answer to GetAll either: large */
} PublicationNews;

typedef struct PublishedProperty {
    const char *name, *signature;
    size_t offset; /* of the field in the struct */
    /* Appends the field. 0 or more, or negative errno. */
    int (*append)(sd_bus_message *m, const void *field);
    bool (*equal)(const void *a, const void *b); /* NULL unless NEWS_TOLD */
    PublicationNews news;
} PublishedProperty;

#define PUBLISHED_MAX 32 /* properties of one interface */

typedef struct Publication Publication;

typedef struct PublicationConfig {
    const char *path, *interface;
    const PublishedProperty *properties; /* static, as *path* and *interface* are */
    size_t n, size;                      /* of the properties, of the struct in bytes */
    /* Before properties that are not NEWS_TOLD are read, once for all of one answer: brings the struct up to
     * date. May be NULL. */
    void (*refresh)(void *userdata, void *data);
    /* Rows that end with SD_BUS_VTABLE_END, or NULL. Their userdata is the publication:
     * publication_userdata(). */
    const sd_bus_vtable *methods;
    void *userdata;
} PublicationConfig;

/* Adds the interface with *initial* as what readers see; it is copied. 0 or negative errno. */
int publication_new(Publication **ret, sd_bus *bus, const PublicationConfig *config, const void *initial);
void publication_free(Publication *publication);
DEFINE_CLEANUP(Publication, publication_free)
void *publication_userdata(const Publication *publication);
/* Makes *data* what readers see. Emits at most one PropertiesChanged, with exactly the names and new values
 * of the properties that differ. 0 or negative errno. */
int publication_set(Publication *publication, const void *data);

/* Fields of usual kinds. */
int append_text(sd_bus_message *m, const void *field);
int append_bool(sd_bus_message *m, const void *field);
int append_u64(sd_bus_message *m, const void *field);
int append_address(sd_bus_message *m, const void *field);   /* "" for none */
int append_addresses(sd_bus_message *m, const void *field); /* AddressList */
bool text_equal(const void *a, const void *b);
bool bool_equal(const void *a, const void *b);
bool u64_equal(const void *a, const void *b);
bool address_field_equal(const void *a, const void *b);
bool addresses_equal(const void *a, const void *b);
