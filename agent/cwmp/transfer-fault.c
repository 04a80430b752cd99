/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See transfer-fault.h. */
#include "cwmp/transfer-fault.h"

#include "base/macro.h"
#include "cwmp/fault.h"

static const struct {
    unsigned least, most;
    int fault;
} faults[] = {
    {300, 399, FAULT_FILE_INACCESSIBLE},  {401, 401, FAULT_SERVER_AUTHENTICATION},
    {403, 404, FAULT_FILE_INACCESSIBLE},  {407, 407, FAULT_SERVER_AUTHENTICATION},
    {408, 408, FAULT_SERVER_UNREACHABLE}, {410, 410, FAULT_FILE_INACCESSIBLE},
    {429, 429, FAULT_SERVER_UNREACHABLE}, {500, 599, FAULT_SERVER_UNREACHABLE},
};

int transfer_fault_general(bool download) {
    return download ? FAULT_TRANSFER_FAILED : FAULT_UPLOAD_FAILED;
}

int transfer_fault_of_status(unsigned status, bool download) {
    for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
        if (status >= faults[i].least && status <= faults[i].most)
            return faults[i].fault;
    return transfer_fault_general(download);
}
