/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See rpc.h. */
#include "cwmp/rpc.h"

#include <stdio.h>

#include "base/macro.h"
#include "cwmp/fault.h"

/* 0, -ENOMEM, or a CwmpFault, whose details the handler may have put into the answer already. */
typedef int (*RpcHandler)(Model *model, const SoapMessage *request, SoapMessage *answer, RpcEffect *effect);

/* "Invalid parameter name: Device.Foo" */
static int name_fault(SoapMessage *answer, int fault, const char *name) {
    char text[256];
    int n = snprintf(text, sizeof text, "%s: %.180s", cwmp_fault_text(fault), name);
    answer->fault_text = soap_string(answer, text, (size_t)n);
    return answer->fault_text ? fault : -ENOMEM;
}

static int add_info(void *userdata, const char *name, const ModelParameter *parameter, const char *value) {
    SoapInfo info = {name, parameter && parameter->flags & MODEL_WRITE};
    return soap_add_info(userdata, &info);
}

static int add_parameter(void *userdata, const char *name, const ModelParameter *parameter,
                         const char *value) {
    SoapMessage *answer = userdata;
    SoapParameter p = {name, model_type_wire(parameter->type), value};
    return answer->n_parameters >= RPC_ANSWER_MAX ? FAULT_RESOURCES_EXCEEDED : soap_add_parameter(answer, &p);
}

/* A.3.2.3 */
static int get_parameter_names(Model *model, const SoapMessage *request, SoapMessage *answer,
                               RpcEffect *effect) {
    int r = model_list(model, request->path, request->next_level, add_info, answer);
    return r > 0 ? name_fault(answer, r, request->path) : r;
}

/* A.3.2.2: one name that does not exist fails the whole call. */
static int get_parameter_values(Model *model, const SoapMessage *request, SoapMessage *answer,
                                RpcEffect *effect) {
    for (size_t i = 0; i < request->n_names; i++) {
        int r = model_read(model, request->names[i], add_parameter, answer);
        if (r != 0)
            return r > 0 ? name_fault(answer, r, request->names[i]) : r;
    }
    return 0;
}

static int add_parameter_faults(SoapMessage *answer, const ModelFault *faults, size_t n) {
    for (size_t i = 0; i < n; i++) {
        SoapParameterFault f = {faults[i].name, faults[i].code, faults[i].text};
        if (soap_add_parameter_fault(answer, &f) < 0)
            return -ENOMEM;
    }
    return 0;
}

/* A.3.2.1. Status is always 0: what changes is applied by whoever hears of it, and nothing needs a reboot. */
static int set_parameter_values(Model *model, const SoapMessage *request, SoapMessage *answer,
                                RpcEffect *effect) {
    _cleanup_free_ ModelSet *sets = calloc(request->n_parameters + 1, sizeof *sets);
    _cleanup_free_ ModelFault *faults = NULL;
    size_t n_faults;

    if (!sets)
        return -ENOMEM;
    for (size_t i = 0; i < request->n_parameters; i++) {
        const SoapParameter *p = &request->parameters[i];
        sets[i] = (ModelSet){.name = p->name, .value = p->value, .type = p->type};
    }
    int r = model_set(model, sets, request->n_parameters, request->parameter_key, &effect->outcome, &faults,
                      &n_faults);
    effect->values_set = r == 0;
    return add_parameter_faults(answer, faults, n_faults) < 0 ? -ENOMEM : r;
}

/* A.4.1.3. Here it is only answered: TS 32.593 5.1.4 lets the session end first. */
static int factory_reset(Model *model, const SoapMessage *request, SoapMessage *answer, RpcEffect *effect) {
    effect->factory_reset = true;
    return 0;
}

static int get_rpc_methods(Model *model, const SoapMessage *request, SoapMessage *answer, RpcEffect *effect);

/* What is answered is in this table, and GetRPCMethods says what is in this table. */
static const struct {
    const char *name;
    SoapKind request, answer;
    RpcHandler handler;
} rpc_methods[] = {
    {"GetRPCMethods", SOAP_GET_RPC_METHODS, SOAP_GET_RPC_METHODS_RESPONSE, get_rpc_methods},
    {"SetParameterValues", SOAP_SET_PARAMETER_VALUES, SOAP_SET_PARAMETER_VALUES_RESPONSE,
     set_parameter_values},
    {"GetParameterValues", SOAP_GET_PARAMETER_VALUES, SOAP_GET_PARAMETER_VALUES_RESPONSE,
     get_parameter_values},
    {"GetParameterNames", SOAP_GET_PARAMETER_NAMES, SOAP_GET_PARAMETER_NAMES_RESPONSE, get_parameter_names},
    {"FactoryReset", SOAP_FACTORY_RESET, SOAP_FACTORY_RESET_RESPONSE, factory_reset},
};

/* A.3.1.1 */
static int get_rpc_methods(Model *model, const SoapMessage *request, SoapMessage *answer, RpcEffect *effect) {
    for (size_t i = 0; i < ARRAY_SIZE(rpc_methods); i++)
        if (soap_add_name(answer, rpc_methods[i].name) < 0)
            return -ENOMEM;
    return 0;
}

/* Runs the method; fills *answer* but for a fault's code. */
static int rpc_run(Model *model, const SoapMessage *request, SoapMessage *answer, RpcEffect *effect) {
    size_t i = 0;
    while (i < ARRAY_SIZE(rpc_methods) && rpc_methods[i].request != request->kind)
        i++;
    if (i == ARRAY_SIZE(rpc_methods))
        return name_fault(answer, FAULT_METHOD_NOT_SUPPORTED, request->name);
    if (request->bad_arguments) {
        answer->fault_text = request->bad_arguments;
        return FAULT_INVALID_ARGUMENTS;
    }
    answer->kind = rpc_methods[i].answer;
    return rpc_methods[i].handler(model, request, answer, effect);
}

int rpc_answer(Model *model, const SoapMessage *request, SoapMessage *ret, RpcEffect *ret_effect) {
    /* Every message of ours has an ID: there are HeMSs that cannot do without, even if they sent none. */
    SoapMessage answer = {.version = request->version, .id = request->id ? request->id : "0"};
    RpcEffect effect = {0};
    char text[160];

    if (request->not_understood) {
        answer.kind = SOAP_FAULT;
        answer.fault_code = SOAP_MUST_UNDERSTAND;
        int n = snprintf(text, sizeof text, "Header %.100s is not understood", request->not_understood);
        answer.fault_text = soap_string(&answer, text, (size_t)n);
        *ret = answer;
        *ret_effect = effect;
        return answer.fault_text ? 0 : -ENOMEM;
    }
    int r = rpc_run(model, request, &answer, &effect);
    if (r < 0) {
        soap_message_clear(&answer);
        return r;
    }
    if (r > 0) {
        answer.kind = SOAP_FAULT;
        answer.fault = r;
        answer.fault_code = cwmp_fault_whose(r);
        if (!answer.fault_text)
            answer.fault_text = cwmp_fault_text(r);
    }
    *ret = answer;
    *ret_effect = effect;
    return 0;
}
