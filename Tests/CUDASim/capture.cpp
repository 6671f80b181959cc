#include "capture.h"
#include "simulator.h"
#include <algorithm>

namespace [[gnu::visibility("hidden")]] cudasim {

namespace {

thread_local CUstreamCaptureMode thread_mode = CU_STREAM_CAPTURE_MODE_GLOBAL;

// Calls f with every capture in progress.
template <class F> void each_capture(F f) {
    for (const std::shared_ptr<Stream> &stream : simulator().scheduler.all()) {
        if (stream->capture && stream->capture->origin == stream) f(*stream->capture);
    }
}

std::vector<bool> ancestors(const Capture &capture, const std::vector<size_t> &frontier) {
    std::vector<bool> reached(capture.nodes.size());
    for (size_t index : frontier) reached[index] = true;
    for (size_t i = capture.nodes.size(); i-- > 0;) {
        if (!reached[i]) continue;
        for (size_t before : capture.nodes[i].after) reached[before] = true;
    }
    return reached;
}

} // namespace

void capture_work(Stream &stream, std::shared_ptr<Work> work) {
    Capture &capture = *stream.capture;
    if (capture.invalid) fail(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, "an earlier call has spoiled the capture");
    Device *device = work->device_of(stream.device);
    capture.nodes.push_back({std::move(work), device, stream.frontier});
    stream.frontier = {capture.nodes.size() - 1};
}

void capture_wait(Stream &stream, const std::shared_ptr<Capture> &capture, const std::vector<size_t> &frontier) {
    if (!stream.capture) {
        if (stream.is_null) invalidate(*capture, CUDA_ERROR_STREAM_CAPTURE_IMPLICIT, "the default stream cannot join");
        stream.capture = capture;
        stream.frontier = frontier;
        capture->forked.push_back(stream.shared_from_this());
        return;
    }
    if (stream.capture != capture) {
        invalidate(*stream.capture, CUDA_ERROR_STREAM_CAPTURE_MERGE, "the event belongs to another capture");
    }
    for (size_t index : frontier) {
        bool has = std::find(stream.frontier.begin(), stream.frontier.end(), index) != stream.frontier.end();
        if (!has) stream.frontier.push_back(index);
    }
}

void invalidate(Capture &capture, CUresult code, const char *why) {
    capture.invalid = true;
    fail(code, "%s; the capture is spoiled", why);
}

void refuse_implicit_dependency(Device &device) {
    for (const std::shared_ptr<Stream> &stream : simulator().scheduler.all()) {
        if (stream->device == &device && stream->capture && stream->is_blocking()) {
            invalidate(
                *stream->capture, CUDA_ERROR_STREAM_CAPTURE_IMPLICIT,
                "work in the legacy default stream would depend on a capturing stream");
        }
    }
}

void refuse_unsafe_call(const char *call) {
    if (thread_mode == CU_STREAM_CAPTURE_MODE_RELAXED) return;
    Capture *against = nullptr;
    each_capture([&](Capture &capture) {
        bool mine = capture.thread == std::this_thread::get_id();
        bool global = capture.mode == CU_STREAM_CAPTURE_MODE_GLOBAL && thread_mode == CU_STREAM_CAPTURE_MODE_GLOBAL;
        bool local = capture.mode != CU_STREAM_CAPTURE_MODE_RELAXED && mine;
        if (global || local) against = &capture;
    });
    if (!against) return;
    std::string why = text("%s is not allowed while a stream captures", call);
    invalidate(*against, CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, why.c_str());
}

bool is_capturing(const Device &device) {
    for (const std::shared_ptr<Stream> &stream : simulator().scheduler.all()) {
        if (stream->device == &device && stream->capture) return true;
    }
    return false;
}

CUstreamCaptureMode exchange_thread_mode(CUstreamCaptureMode mode) {
    std::swap(thread_mode, mode);
    return mode;
}

std::shared_ptr<Graph> finish_capture(const std::shared_ptr<Stream> &stream) {
    std::shared_ptr<Capture> capture = stream->capture;
    if (!capture) fail(CUDA_ERROR_ILLEGAL_STATE, "the stream is not capturing");
    if (capture->origin != stream) {
        invalidate(*capture, CUDA_ERROR_STREAM_CAPTURE_UNMATCHED, "the capture began in another stream");
    }
    bool wrong_thread = capture->mode != CU_STREAM_CAPTURE_MODE_RELAXED && capture->thread != std::this_thread::get_id();
    if (wrong_thread) fail(CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD, "the capture was begun by another thread");
    std::vector<bool> joined = ancestors(*capture, stream->frontier);
    for (const std::weak_ptr<Stream> &weak : capture->forked) {
        std::shared_ptr<Stream> forked = weak.lock();
        if (!forked) continue;
        forked->capture = nullptr;
        forked->frontier.clear();
    }
    stream->capture = nullptr;
    stream->frontier.clear();
    if (capture->invalid) fail(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, "an earlier call has spoiled the capture");
    auto missing = std::find(joined.begin(), joined.end(), false);
    if (missing != joined.end()) {
        const GraphNode &node = capture->nodes[(size_t)(missing - joined.begin())];
        fail(
            CUDA_ERROR_STREAM_CAPTURE_UNJOINED, "%s on device %d was captured, but the origin stream does not wait for it",
            node.work->describe().c_str(), node.device->ordinal);
    }
    auto graph = std::make_shared<Graph>();
    graph->nodes = capture->nodes;
    return graph;
}

} // namespace cudasim
