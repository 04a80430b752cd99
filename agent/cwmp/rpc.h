/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The methods a HeMS may call (TR-069 Annex A.3, A.4): one table, request in, answer out. */
#pragma once

#include "cwmp/model.h"
#include "cwmp/rpc-services.h"
#include "cwmp/soap.h"

/* Parameters in one answer; a request may name a partial path many times. */
#define RPC_ANSWER_MAX 100000

/* What answering a request did besides answering. */
typedef struct RpcEffect {
    ModelTransaction *transaction; /* prepared: the answer holds once rpc_conclude() has had it */
    bool values_set;               /* it was committed; *outcome* says what it touched */
    ModelOutcome outcome;          /* of it */
    bool factory_reset; /* a FactoryReset was answered; it is carried out when the session has ended well */
    bool reboot;        /* the same of a Reboot, with this request's CommandKey */
} RpcEffect;

/* Answers *request*, with a Fault where it has to be one, in the request's namespace and with its ID. *ret*
 * is cleared by the caller after success; it borrows from *request* and the model. *services* may be NULL.
 * 0 or -ENOMEM. */
int rpc_answer(Model *model, const RpcServices *services, const SoapMessage *request, SoapMessage *ret,
               RpcEffect *ret_effect);

/* What became of effect->transaction, which is taken: committed if *fault* is 0 and *n* is 0; else given up,
 * and *answer* becomes a Fault: *fault*, or *faults* one by one. 0 or -ENOMEM. */
int rpc_conclude(Model *model, int fault, const ModelFault *faults, size_t n, SoapMessage *answer,
                 RpcEffect *effect);
