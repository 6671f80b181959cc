#define _POSIX_C_SOURCE 200809L // clock_gettime

// Streams, events, graphs.
#include "fake.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BEGIN(name)                                                                                                    \
    int code;                                                                                                          \
    if (fake_fails(#name, &code)) return lose((CUresult)code);                                                         \
    if (fake_current() && fake_current()->lost) return fake_current()->lost

static bool is_lazy;
static CUstream streams[64];

static CUresult lose(CUresult result) {
    CUcontext context = fake_current();
    if (context && (result == CUDA_ERROR_ILLEGAL_ADDRESS || result == CUDA_ERROR_LAUNCH_FAILED)) context->lost = result;
    return result;
}

FAKE_EXPORT void fake_run_lazily(int lazy) { is_lazy = lazy; }

static void append(fake_list *list, const fake_operation *operation) {
    if (list->count == list->capacity) {
        list->capacity = list->capacity ? 2 * list->capacity : 16;
        list->items = realloc(list->items, list->capacity * sizeof *list->items);
    }
    list->items[list->count++] = *operation;
}

static void copy_list(fake_list *to, const fake_list *from) {
    free(to->items);
    to->items = calloc(from->count + 1, sizeof *to->items);
    to->count = from->count;
    to->capacity = from->count + 1;
    if (from->count) memcpy(to->items, from->items, from->count * sizeof *from->items);
}

static CUresult drain_until(CUstream stream, size_t position);

static CUresult run(const fake_operation *operation) {
    char *target = operation->target;
    switch (operation->kind) {
    case FAKE_COPY: memmove(target, operation->source, operation->count); break;
    case FAKE_PEER:
        memmove(target, operation->source, operation->count);
        if (operation->way == FAKE_LINK_CORRUPTS && operation->count) target[operation->count / 2] ^= 0x40;
        break;
    case FAKE_FILL:
        for (size_t i = 0; i < operation->count; i++)
            memcpy(target + i * (size_t)operation->width, &operation->value, (size_t)operation->width);
        break;
    case FAKE_HOST: operation->function(operation->context); break;
    case FAKE_LAUNCH: operation->kernel->run(&operation->shape, operation->parameters); break;
    case FAKE_RECORD: {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        operation->event->time = (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
        operation->event->passed = operation->record;
        break;
    }
    case FAKE_WAIT:
        if (operation->event->passed < operation->record)
            return drain_until(operation->event->stream, operation->event->position);
        break;
    }
    return CUDA_SUCCESS;
}

static CUresult drain_until(CUstream stream, size_t position) {
    while (stream->done < stream->pending.count && stream->done <= position) {
        fake_operation operation = stream->pending.items[stream->done++];
        CUresult result = run(&operation);
        if (result) return result;
    }
    return CUDA_SUCCESS;
}

CUresult fake_drain(CUstream stream) { return drain_until(stream, (size_t)-1); }

CUresult fake_submit(CUstream stream, const fake_operation *operation) {
    if (!stream) return CUDA_ERROR_INVALID_HANDLE;
    if (stream->capture) {
        append(&stream->capture->list, operation);
        return CUDA_SUCCESS;
    }
    append(&stream->pending, operation);
    return is_lazy ? CUDA_SUCCESS : fake_drain(stream);
}

FAKE_EXPORT CUresult cuStreamCreateWithPriority(CUstream *stream, unsigned int flags, int priority) {
    BEGIN(cuStreamCreateWithPriority);
    if (flags > 1 || priority > 0) return CUDA_ERROR_INVALID_VALUE;
    *stream = calloc(1, sizeof **stream);
    (*stream)->context = fake_current();
    for (int i = 0; i < 64; i++) {
        if (!streams[i]) {
            streams[i] = *stream;
            break;
        }
    }
    fake_alive_count++;
    return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuStreamDestroy_v2(CUstream stream) {
    fake_drain(stream);
    for (int i = 0; i < 64; i++)
        if (streams[i] == stream) streams[i] = NULL;
    // The object itself stays: events may still name it.
    fake_alive_count--;
    return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuStreamSynchronize(CUstream stream) {
    BEGIN(cuStreamSynchronize);
    if (stream->capture) return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    return fake_drain(stream);
}

FAKE_EXPORT CUresult cuStreamQuery(CUstream stream) {
    BEGIN(cuStreamQuery);
    return stream->done < stream->pending.count ? CUDA_ERROR_NOT_READY : CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuCtxSynchronize(void) {
    BEGIN(cuCtxSynchronize);
    for (int i = 0; i < 64; i++)
        if (streams[i] && streams[i]->context == fake_current()) fake_drain(streams[i]);
    return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuStreamWaitEvent(CUstream stream, CUevent event, unsigned int flags) {
    BEGIN(cuStreamWaitEvent);
    if (flags) return CUDA_ERROR_INVALID_VALUE;
    fake_operation operation = {.kind = FAKE_WAIT, .event = event, .record = event->recorded};
    return fake_submit(stream, &operation);
}

FAKE_EXPORT CUresult cuLaunchHostFunc(CUstream stream, CUhostFn function, void *context) {
    BEGIN(cuLaunchHostFunc);
    fake_operation operation = {.kind = FAKE_HOST, .function = function, .context = context};
    return fake_submit(stream, &operation);
}

FAKE_EXPORT CUresult cuEventCreate(CUevent *event, unsigned int flags) {
    BEGIN(cuEventCreate);
    *event = calloc(1, sizeof **event);
    (*event)->context = fake_current();
    (*event)->keeps_time = flags != CU_EVENT_DISABLE_TIMING;
    fake_alive_count++;
    return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuEventDestroy_v2(CUevent event) {
    // The object itself stays: a wait for it may be enqueued.
    (void)event;
    fake_alive_count--;
    return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuEventRecord(CUevent event, CUstream stream) {
    BEGIN(cuEventRecord);
    if (event->context != stream->context) return CUDA_ERROR_INVALID_HANDLE;
    event->stream = stream;
    event->position = stream->pending.count;
    fake_operation operation = {.kind = FAKE_RECORD, .event = event, .record = ++event->recorded};
    return fake_submit(stream, &operation);
}

FAKE_EXPORT CUresult cuEventQuery(CUevent event) {
    BEGIN(cuEventQuery);
    return event->passed < event->recorded ? CUDA_ERROR_NOT_READY : CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuEventSynchronize(CUevent event) {
    BEGIN(cuEventSynchronize);
    return event->passed < event->recorded ? drain_until(event->stream, event->position) : CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuEventElapsedTime(float *milliseconds, CUevent start, CUevent end) {
    BEGIN(cuEventElapsedTime);
    if (!start->keeps_time || !end->keeps_time) return CUDA_ERROR_INVALID_HANDLE;
    if (start->passed < start->recorded || end->passed < end->recorded) return CUDA_ERROR_NOT_READY;
    *milliseconds = (float)(end->time - start->time);
    return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuStreamBeginCapture_v2(CUstream stream, CUstreamCaptureMode mode) {
    BEGIN(cuStreamBeginCapture_v2);
    (void)mode;
    if (stream->capture) return CUDA_ERROR_ILLEGAL_STATE;
    stream->capture = calloc(1, sizeof *stream->capture);
    fake_alive_count++;
    return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuStreamEndCapture(CUstream stream, CUgraph *graph) {
    BEGIN(cuStreamEndCapture);
    if (!stream->capture) return CUDA_ERROR_ILLEGAL_STATE;
    *graph = stream->capture;
    stream->capture = NULL;
    return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuStreamIsCapturing(CUstream stream, CUstreamCaptureStatus *status) {
    BEGIN(cuStreamIsCapturing);
    *status = stream->capture ? CU_STREAM_CAPTURE_STATUS_ACTIVE : CU_STREAM_CAPTURE_STATUS_NONE;
    return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuGraphInstantiateWithFlags(CUgraphExec *executable, CUgraph graph, unsigned long long flags) {
    BEGIN(cuGraphInstantiateWithFlags);
    (void)flags;
    *executable = calloc(1, sizeof **executable);
    copy_list(&(*executable)->list, &graph->list);
    fake_alive_count++;
    return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuGraphExecUpdate_v2(CUgraphExec executable, CUgraph graph, CUgraphExecUpdateResultInfo *result) {
    BEGIN(cuGraphExecUpdate_v2);
    bool same = executable->list.count == graph->list.count;
    for (size_t i = 0; same && i < graph->list.count; i++)
        same = executable->list.items[i].kind == graph->list.items[i].kind;
    *result = (CUgraphExecUpdateResultInfo){.result = CU_GRAPH_EXEC_UPDATE_SUCCESS};
    if (!same) {
        result->result = CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED;
        return CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE;
    }
    copy_list(&executable->list, &graph->list);
    return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuGraphUpload(CUgraphExec executable, CUstream stream) {
    BEGIN(cuGraphUpload);
    return executable && stream ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

FAKE_EXPORT CUresult cuGraphLaunch(CUgraphExec executable, CUstream stream) {
    BEGIN(cuGraphLaunch);
    for (size_t i = 0; i < executable->list.count; i++) {
        CUresult result = fake_submit(stream, &executable->list.items[i]);
        if (result) return result;
    }
    return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuGraphGetNodes(CUgraph graph, CUgraphNode *nodes, size_t *count) {
    BEGIN(cuGraphGetNodes);
    if (!nodes) *count = graph->list.count;
    return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuGraphExecDestroy(CUgraphExec executable) {
    free(executable->list.items);
    free(executable);
    fake_alive_count--;
    return CUDA_SUCCESS;
}

FAKE_EXPORT CUresult cuGraphDestroy(CUgraph graph) {
    free(graph->list.items);
    free(graph);
    fake_alive_count--;
    return CUDA_SUCCESS;
}
