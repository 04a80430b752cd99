/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The methods a HeMS may call (TR-069 Annex A.3): one table, request in, answer out. */
#pragma once

#include "cwmp/model.h"
#include "cwmp/soap.h"

/* Parameters in one answer; a request may name a partial path many times. */
#define RPC_ANSWER_MAX 100000

/* What answering a request did besides answering. */
typedef struct RpcEffect {
    bool values_set;      /* a SetParameterValues was committed; *outcome* says what it touched */
    ModelOutcome outcome; /* of it */
    bool factory_reset;   /* a FactoryReset was answered; it is carried out when the session has ended well */
} RpcEffect;

/* Answers *request*, with a Fault where it has to be one, in the request's namespace and with its ID. *ret*
 * is cleared by the caller after success; it borrows from *request* and the model. 0 or -ENOMEM. */
int rpc_answer(Model *model, const SoapMessage *request, SoapMessage *ret, RpcEffect *ret_effect);
