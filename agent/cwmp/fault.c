/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See fault.h. */
#include "cwmp/fault.h"

#include "base/macro.h"

static const struct {
    int code;
    SoapFaultCode whose;
    const char *text;
} faults[] = {
#define X(name, number, whose, string) {number, SOAP_##whose, string},
    CWMP_FAULTS(X)
#undef X
};

const char *cwmp_fault_text(int code) {
    for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
        if (faults[i].code == code)
            return faults[i].text;
    return "Fault";
}

SoapFaultCode cwmp_fault_whose(int code) {
    for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
        if (faults[i].code == code)
            return faults[i].whose;
    return SOAP_SERVER;
}
