/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See rpc.h. */
#include "cwmp/rpc.h"

#include <stddef.h>
#include <stdio.h>

#include "base/macro.h"
#include "cwmp/fault.h"
#include "cwmp/soap-table.h"

/* 0, -ENOMEM, or a CwmpFault, whose details the handler may have put into the answer already. */
typedef struct Rpc {
    Model *model;
    const RpcServices *services;
    const SoapMessage *request;
    SoapMessage *answer;
    RpcEffect *effect;
} Rpc;

typedef int (*RpcHandler)(Rpc *rpc);

/* "Invalid parameter name: Device.Foo" */
static int name_fault(SoapMessage *answer, int fault, const char *name) {
    char text[256];
    int n = snprintf(text, sizeof text, "%s: %.180s", cwmp_fault_text(fault), name);
    answer->fault_text = soap_string(answer, text, (size_t)n);
    return answer->fault_text ? fault : -ENOMEM;
}

static int add_info(void *userdata, const char *name, const ModelParameter *parameter, const char *value) {
    const Rpc *rpc = userdata;
    SoapInfo info = {name, parameter ? parameter->flags & MODEL_WRITE : model_is_creatable(rpc->model, name)};
    return soap_add_info(rpc->answer, &info);
}

static int add_parameter(void *userdata, const char *name, const ModelParameter *parameter,
                         const char *value) {
    SoapMessage *answer = userdata;
    SoapParameter p = {name, model_type_wire(parameter->type), value};
    return answer->n_parameters >= RPC_ANSWER_MAX ? FAULT_RESOURCES_EXCEEDED : soap_add_parameter(answer, &p);
}

static int add_attributes(void *userdata, const ModelAttributes *attributes) {
    SoapMessage *answer = userdata;
    SoapAttributes a = {
        .name = attributes->name, .notification = attributes->notification, .access = attributes->access};
    return answer->n_attributes >= RPC_ANSWER_MAX ? FAULT_RESOURCES_EXCEEDED
                                                  : soap_add_attributes(answer, &a);
}

/* A.3.2.3 */
static int get_parameter_names(Rpc *rpc) {
    const SoapMessage *q = rpc->request;
    int r = model_list(rpc->model, q->path, q->next_level, add_info, rpc);
    /* 9003 is for the next level of a parameter; "Device" without its dot is none. */
    if (r == FAULT_INVALID_ARGUMENTS && !model_parameter(rpc->model, q->path))
        r = FAULT_INVALID_NAME;
    return r > 0 ? name_fault(rpc->answer, r, q->path) : r;
}

/* A.3.2.2: one name that does not exist fails the whole call. */
static int get_parameter_values(Rpc *rpc) {
    for (size_t i = 0; i < rpc->request->n_names; i++) {
        int r = model_read(rpc->model, rpc->request->names[i], add_parameter, rpc->answer);
        if (r != 0)
            return r > 0 ? name_fault(rpc->answer, r, rpc->request->names[i]) : r;
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
static int set_parameter_values(Rpc *rpc) {
    const SoapMessage *q = rpc->request;
    _cleanup_free_ ModelSet *sets = calloc(q->n_parameters + 1, sizeof *sets);
    _cleanup_free_ ModelFault *faults = NULL;
    size_t n_faults;

    if (!sets)
        return -ENOMEM;
    for (size_t i = 0; i < q->n_parameters; i++) {
        const SoapParameter *p = &q->parameters[i];
        sets[i] = (ModelSet){.name = p->name, .value = p->value, .type = p->type};
    }
    int r = model_prepare_set(rpc->model, sets, q->n_parameters, q->parameter_key, &rpc->effect->transaction,
                              &faults, &n_faults);
    return add_parameter_faults(rpc->answer, faults, n_faults) < 0 ? -ENOMEM : r;
}

/* A.3.2.6 */
static int add_object(Rpc *rpc) {
    const SoapMessage *q = rpc->request;
    int r = model_prepare_add(rpc->model, q->path, q->parameter_key, &rpc->effect->transaction,
                              &rpc->answer->instance);
    return r > 0 ? name_fault(rpc->answer, r, q->path) : r;
}

/* A.3.2.7 */
static int delete_object(Rpc *rpc) {
    const SoapMessage *q = rpc->request;
    int r = model_prepare_delete(rpc->model, q->path, q->parameter_key, &rpc->effect->transaction);
    return r > 0 ? name_fault(rpc->answer, r, q->path) : r;
}

/* A.3.2.5 */
static int get_parameter_attributes(Rpc *rpc) {
    for (size_t i = 0; i < rpc->request->n_names; i++) {
        int r = model_attributes_read(rpc->model, rpc->request->names[i], add_attributes, rpc->answer);
        if (r != 0)
            return r > 0 ? name_fault(rpc->answer, r, rpc->request->names[i]) : r;
    }
    return 0;
}

/* A.3.2.4: all or nothing. */
static int set_parameter_attributes(Rpc *rpc) {
    const SoapMessage *q = rpc->request;
    _cleanup_free_ ModelAttributes *attributes = calloc(q->n_attributes + 1, sizeof *attributes);

    if (!attributes)
        return -ENOMEM;
    for (size_t i = 0; i < q->n_attributes; i++) {
        const SoapAttributes *a = &q->attributes[i];
        attributes[i] = (ModelAttributes){.name = a->name,
                                          .set_notification = a->set_notification,
                                          .notification = a->notification,
                                          .set_access = a->set_access,
                                          .access = a->access};
    }
    return model_attributes_set(rpc->model, attributes, q->n_attributes);
}

/* A.3.2.8. Status 1: whatever comes of it is told with a TransferComplete. */
static int download(Rpc *rpc) {
    const SoapMessage *q = rpc->request;
    const RpcDownload d = {q->command_key, q->file_type,        q->url,   q->username,    q->password,
                           q->file_size,   q->target_file_name, q->delay, q->success_url, q->failure_url};
    rpc->answer->status = 1;
    return rpc->services->download(rpc->services->userdata, &d, &rpc->answer->fault_text);
}

/* A.4.1.5 */
static int upload(Rpc *rpc) {
    const SoapMessage *q = rpc->request;
    const RpcUpload u = {q->command_key, q->file_type, q->url, q->username, q->password, q->delay};
    rpc->answer->status = 1;
    return rpc->services->upload(rpc->services->userdata, &u, &rpc->answer->fault_text);
}

/* A.4.1.8 */
static int schedule_download(Rpc *rpc) {
    const SoapMessage *q = rpc->request;
    RpcScheduleDownload d = {.command_key = q->command_key,
                             .file_type = q->file_type,
                             .url = q->url,
                             .username = q->username,
                             .password = q->password,
                             .file_size = q->file_size,
                             .target_file_name = q->target_file_name,
                             .n_windows = q->n_windows};
    memcpy(d.windows, q->windows, sizeof d.windows);
    return rpc->services->schedule_download(rpc->services->userdata, &d, &rpc->answer->fault_text);
}

/* A.4.1.9 */
static int cancel_transfer(Rpc *rpc) {
    return rpc->services->cancel_transfer(rpc->services->userdata, rpc->request->command_key,
                                          &rpc->answer->fault_text);
}

/* A.4.1.1 knows only what a Download or an Upload has asked for, A.4.1.7 all. */
static int add_transfer(void *userdata, const RpcTransfer *transfer) {
    SoapMessage *answer = userdata;
    if (answer->kind == SOAP_GET_QUEUED_TRANSFERS_RESPONSE &&
        (transfer->is_autonomous || transfer->is_scheduled))
        return 0;
    return answer->n_transfers >= RPC_QUEUED_MAX ? FAULT_RESOURCES_EXCEEDED
                                                 : soap_add_transfer(answer, transfer);
}

static int get_transfers(Rpc *rpc) {
    return rpc->services->visit_transfers(rpc->services->userdata, add_transfer, rpc->answer);
}

/* A.4.1.2: a delay of 0 is refused with 9003. */
static int schedule_inform(Rpc *rpc) {
    const SoapMessage *q = rpc->request;
    if (q->delay == 0) {
        rpc->answer->fault_text = "DelaySeconds has to be greater than 0";
        return FAULT_INVALID_ARGUMENTS;
    }
    return rpc->services->schedule_inform(rpc->services->userdata, q->delay, q->command_key,
                                          &rpc->answer->fault_text);
}

/* A.3.2.9. Here it is only answered: the session ends first. */
static int reboot(Rpc *rpc) {
    int r =
        rpc->services->reboot(rpc->services->userdata, rpc->request->command_key, &rpc->answer->fault_text);
    rpc->effect->reboot = r == 0;
    return r;
}

/* A.4.1.3. Here it is only answered: TS 32.593 5.1.4 lets the session end first. */
static int factory_reset(Rpc *rpc) {
    rpc->effect->factory_reset = true;
    return 0;
}

static int get_rpc_methods(Rpc *rpc);

#define NO_SERVICE SIZE_MAX

/* What is answered is in this table, and GetRPCMethods says what is in this table, if the services have it
 * and the namespace too. */
static const struct {
    SoapKind request, answer;
    RpcHandler handler;
    size_t service; /* in RpcServices */
} rpc_methods[] = {
#define METHOD(kind, handler)                                                                                \
    { SOAP_##kind, SOAP_##kind##_RESPONSE, handler, NO_SERVICE }
#define SERVICE(kind, handler, service)                                                                      \
    { SOAP_##kind, SOAP_##kind##_RESPONSE, handler, offsetof(RpcServices, service) }
    METHOD(GET_RPC_METHODS, get_rpc_methods),
    METHOD(SET_PARAMETER_VALUES, set_parameter_values),
    METHOD(GET_PARAMETER_VALUES, get_parameter_values),
    METHOD(GET_PARAMETER_NAMES, get_parameter_names),
    METHOD(SET_PARAMETER_ATTRIBUTES, set_parameter_attributes),
    METHOD(GET_PARAMETER_ATTRIBUTES, get_parameter_attributes),
    METHOD(ADD_OBJECT, add_object),
    METHOD(DELETE_OBJECT, delete_object),
    METHOD(FACTORY_RESET, factory_reset),
    SERVICE(REBOOT, reboot, reboot),
    SERVICE(DOWNLOAD, download, download),
    SERVICE(UPLOAD, upload, upload),
    SERVICE(SCHEDULE_DOWNLOAD, schedule_download, schedule_download),
    SERVICE(CANCEL_TRANSFER, cancel_transfer, cancel_transfer),
    SERVICE(GET_QUEUED_TRANSFERS, get_transfers, visit_transfers),
    SERVICE(GET_ALL_QUEUED_TRANSFERS, get_transfers, visit_transfers),
    SERVICE(SCHEDULE_INFORM, schedule_inform, schedule_inform),
};

static bool method_is_offered(const Rpc *rpc, size_t i) {
    void (*service)(void) = NULL;

    if (soap_since(rpc_methods[i].request) > rpc->request->version)
        return false;
    if (rpc_methods[i].service == NO_SERVICE)
        return true;
    if (rpc->services)
        memcpy(&service, (const char *)rpc->services + rpc_methods[i].service, sizeof service);
    return service;
}

/* A.3.1.1 */
static int get_rpc_methods(Rpc *rpc) {
    for (size_t i = 0; i < ARRAY_SIZE(rpc_methods); i++)
        if (method_is_offered(rpc, i) &&
            soap_add_name(rpc->answer, soap_elements[rpc_methods[i].request]) < 0)
            return -ENOMEM;
    return 0;
}

/* Runs the method; fills the answer but for a fault's code. */
static int rpc_run(Rpc *rpc) {
    size_t i = 0;
    while (i < ARRAY_SIZE(rpc_methods) && rpc_methods[i].request != rpc->request->kind)
        i++;
    if (i == ARRAY_SIZE(rpc_methods) || !method_is_offered(rpc, i))
        return name_fault(rpc->answer, FAULT_METHOD_NOT_SUPPORTED, rpc->request->name);
    if (rpc->request->bad_arguments) {
        rpc->answer->fault_text = rpc->request->bad_arguments;
        return FAULT_INVALID_ARGUMENTS;
    }
    rpc->answer->kind = rpc_methods[i].answer;
    return rpc_methods[i].handler(rpc);
}

static void answer_fault(SoapMessage *answer, int fault) {
    answer->kind = SOAP_FAULT;
    answer->fault = fault;
    answer->fault_code = cwmp_fault_whose(fault);
    if (!answer->fault_text)
        answer->fault_text = cwmp_fault_text(fault);
}

int rpc_answer(Model *model, const RpcServices *services, const SoapMessage *request, SoapMessage *ret,
               RpcEffect *ret_effect) {
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
    int r = rpc_run(&(Rpc){model, services, request, &answer, &effect});
    if (r < 0) {
        soap_message_clear(&answer);
        return r;
    }
    if (r > 0)
        answer_fault(&answer, r);
    *ret = answer;
    *ret_effect = effect;
    return 0;
}

/* An objection to a row is the fault of the call, that to a value has a SetParameterValuesFault. */
static int conclude_refused(const ModelFault *faults, size_t n, SoapMessage *answer) {
    if (answer->kind == SOAP_SET_PARAMETER_VALUES_RESPONSE)
        return add_parameter_faults(answer, faults, n) < 0 ? -ENOMEM : FAULT_INVALID_ARGUMENTS;
    answer->fault_text = soap_string(answer, faults[0].text, strlen(faults[0].text));
    return answer->fault_text ? faults[0].code : -ENOMEM;
}

int rpc_conclude(Model *model, int fault, const ModelFault *faults, size_t n, SoapMessage *answer,
                 RpcEffect *effect) {
    ModelTransaction *transaction = TAKE_PTR(effect->transaction);
    int r = fault;

    if (fault == 0 && n == 0) {
        r = model_commit(model, transaction, &effect->outcome);
        effect->values_set = r == 0;
    } else {
        model_transaction_free(transaction);
        if (fault == 0)
            r = conclude_refused(faults, n, answer);
    }
    if (r > 0)
        answer_fault(answer, r);
    return MIN(r, 0);
}
