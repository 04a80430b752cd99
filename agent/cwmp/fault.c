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

int cwmp_fault_in(CwmpVersion version, int code) {
    return version == CWMP_1_0 && code >= FAULT_MULTICAST && code <= FAULT_CANCEL_NOT_PERMITTED
               ? FAULT_TRANSFER_FAILED
               : code;
}

int cwmp_transfer_fault_in(CwmpVersion version, int code) {
    switch (code) {
    case 0:
    case FAULT_REQUEST_DENIED:
    case FAULT_INTERNAL_ERROR:
    case FAULT_TRANSFER_FAILED ... FAULT_SERVER_AUTHENTICATION:
    case FAULT_MULTICAST ... FAULT_WINDOWS_MISSED:
        return cwmp_fault_in(version, code);
    case FAULT_PROTOCOL_NOT_SUPPORTED:
        return FAULT_TRANSFER_FAILED;
    default:
        return FAULT_INTERNAL_ERROR;
    }
}
