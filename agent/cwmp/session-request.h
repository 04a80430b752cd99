/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The requests that a CPE makes in a session (TR-069 A.3.3.2, A.3.3.3, A.4.2) as messages. Pure. */
#pragma once

#include "cwmp/rpc-services.h"
#include "cwmp/soap.h"

/* The method and its answer. */
SoapKind session_request_kind(SessionRequestKind kind);
SoapKind session_request_answer(SessionRequestKind kind);

/* A copy whose strings *owner* has and whose args are malloc'ed. 0 or -ENOMEM. */
int session_request_copy(SoapMessage *owner, const SessionRequest *request, SessionRequest *ret);

/* As soap_encode(). */
int session_request_encode(const SessionRequest *request, CwmpVersion version, const char *id, char **ret,
                           size_t *ret_size);
