// Stream capture: what is submitted becomes a graph instead of running.
#pragma once
#include "graph.h"
#include "stream.h"
#include <thread>

namespace [[gnu::visibility("hidden")]] cudasim {

struct Capture {
    std::shared_ptr<Stream> origin;
    CUstreamCaptureMode mode = CU_STREAM_CAPTURE_MODE_GLOBAL;
    std::thread::id thread;
    std::vector<GraphNode> nodes;
    std::vector<std::weak_ptr<Stream>> forked; // streams that joined by an event
    bool invalid = false;
};

// Adds a node that follows the stream's last one. Throws Failure.
void capture_work(Stream &stream, std::shared_ptr<Work> work);

// The capturing stream goes on after the event's place; a stream that does not capture yet joins the capture.
void capture_wait(Stream &stream, const std::shared_ptr<Capture> &capture, const std::vector<size_t> &frontier);

// A call that must not happen now spoils the capture. Throws Failure.
[[noreturn]] void invalidate(Capture &capture, CUresult code, const char *why);

// Work in the legacy default stream would wait for blocking streams, which cannot be while one captures.
void refuse_implicit_dependency(Device &device);

// Calls such as cuMemAlloc, while a capture forbids them to this thread.
void refuse_unsafe_call(const char *call);

// Ends a capture in the stream where it began. Throws Failure.
std::shared_ptr<Graph> finish_capture(const std::shared_ptr<Stream> &stream);

// The calling thread's own stance to calls that captures forbid; returns the one before.
CUstreamCaptureMode exchange_thread_mode(CUstreamCaptureMode mode);

// Any stream of this device is capturing.
bool is_capturing(const Device &device);

} // namespace cudasim
