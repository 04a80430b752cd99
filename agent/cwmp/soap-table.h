/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Between soap.c, soap-read.c and soap-write.c: which fields a message has, in the order of the schemas. */
#pragma once

#include "cwmp/soap.h"

typedef enum SoapFieldType {
    FIELD_END,
    FIELD_TEXT,    /* const char *, exactly as it is */
    FIELD_TOKEN,   /* const char *, without white space around it */
    FIELD_TIME,    /* const char * */
    FIELD_NUMBER,  /* uint32_t */
    FIELD_COUNT,   /* uint32_t; what is none reads as 0: there are HeMSs that send anything */
    FIELD_INTEGER, /* int */
    FIELD_BOOLEAN, /* bool */
    /* What has an element of its own for each item; where it is in the message follows from the type. */
    FIELD_DEVICE,
    FIELD_EVENTS,
    FIELD_PARAMETERS,
    FIELD_NAMES,
    FIELD_METHODS,
    FIELD_INFOS,
    FIELD_ATTRIBUTES,
    FIELD_WINDOWS,
    FIELD_TRANSFERS,
    FIELD_ARGS,
    FIELD_FAULT,
    FIELD_TYPES_,
} SoapFieldType;

typedef struct SoapField {
    SoapFieldType type;
    const char *element;
    size_t offset; /* in SoapMessage */
    size_t max;    /* characters, 0: no limit */
    bool required;
} SoapField;

/* Up to FIELD_END; NULL: no fields. */
extern const SoapField *const soap_fields[SOAP_KINDS_];
extern const char *const soap_elements[SOAP_KINDS_];

/* *size* bytes and one for the NUL, which is there; NULL without memory. */
char *soap_reserve(SoapMessage *message, size_t size);
