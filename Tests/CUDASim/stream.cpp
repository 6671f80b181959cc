#include "stream.h"
#include "capture.h"
#include "simulator.h"
#include <chrono>
#include <cstring>
#include <thread>

namespace [[gnu::visibility("hidden")]] cudasim {

namespace {

// The legacy default stream waits for every blocking stream of its device, and they for it.
void order_with_default_stream(Stream &stream, Task &task) {
    auto follow = [&](Stream &other) {
        if (!other.idle()) task.after.push_back(other.here());
        stream.clock.join(other.clock);
    };
    if (stream.is_null) {
        for (const std::shared_ptr<Stream> &other : simulator().scheduler.all()) {
            if (other->device == stream.device && other->is_blocking()) follow(*other);
        }
    } else if (stream.is_blocking() && stream.device->null_stream) {
        follow(*stream.device->null_stream);
    }
}

bool draws_faults(const char *kind) {
    // Events and waits do nothing that could fail; a graph's nodes fail, not the graph.
    return strcmp(kind, "event") != 0 && strcmp(kind, "wait") != 0 && strcmp(kind, "graph") != 0;
}

} // namespace

bool Point::reached() const { return !stream || stream->completed >= number; }

std::shared_ptr<Stream> stream_of(CUstream handle) {
    Simulator &sim = simulator();
    if (handle == (CUstream)2) {
        fail(CUDA_ERROR_NOT_SUPPORTED, "the per-thread default stream is not simulated: create a stream");
    }
    if (handle == nullptr || handle == (CUstream)1) {
        Device &device = sim.current();
        return device.null_stream;
    }
    std::shared_ptr<Stream> stream = sim.streams.get(handle);
    if (stream->closing) fail(CUDA_ERROR_CONTEXT_IS_DESTROYED, "the stream's context has been released");
    return stream;
}

void submit(
    const std::shared_ptr<Stream> &stream, std::shared_ptr<Work> work, std::unique_lock<std::mutex> &lock,
    const Point &after) {
    Simulator &sim = simulator();
    if (stream->capture) {
        capture_work(*stream, std::move(work));
        return;
    }
    if (stream->is_null) refuse_implicit_dependency(*stream->device);
    stream->device->check();
    Task task;
    task.number = ++stream->submitted;
    if (after.stream && !after.reached()) task.after.push_back(after);
    order_with_default_stream(*stream, task);
    stream->clock.join(sim.host_clock);
    stream->clock.set(stream->id, task.number);
    task.clock = stream->clock;
    work->submitted(task.clock, stream->id, task.number);
    task.work = std::move(work);
    stream->queue.push_back(std::move(task));
    sim.scheduler.wake(stream, lock);
}

Meeting meet(const Work &work, const Device &device) {
    if (!draws_faults(work.kind()) || device.error != CUDA_SUCCESS) return Meeting();
    return simulator().faults.meet(work.fault_name(), device.ordinal);
}

void perform(Work &work, const Meeting &meeting, Execution &execution) {
    Device &device = execution.device;
    Simulator &sim = simulator();
    if (device.error != CUDA_SUCCESS) {
        work.abandoned(execution.stream, execution.number);
        return;
    }
    if (meeting.delay_ms) {
        execution.unlocked([&] { std::this_thread::sleep_for(std::chrono::milliseconds(meeting.delay_ms)); });
    }
    std::string place = text(
        "device %d stream %u operation %llu: ", device.ordinal, execution.stream,
        (unsigned long long)execution.number);
    sim.trace.add("run: " + place + work.describe());
    if (meeting.code) {
        device.lost |= meeting.lost;
        break_device(device, (CUresult)meeting.code, "a fault of the script, at " + work.describe());
        work.abandoned(execution.stream, execution.number);
        return;
    }
    try {
        work.run(execution);
    } catch (const Failure &failure) {
        break_device(device, failure.code, work.describe() + ": " + failure.why);
        work.abandoned(execution.stream, execution.number);
    }
}

void wait_for(const std::shared_ptr<Stream> &stream, std::unique_lock<std::mutex> &lock) {
    Clock clock = stream->clock;
    Point point = stream->here();
    simulator().scheduler.wait([&] { return point.reached(); }, lock);
    host_learns(clock);
    stream->device->check();
}

void host_learns(const Clock &clock) {
    Simulator &sim = simulator();
    sim.host_clock.join(clock);
    for (const std::string &finding : sim.host.deliver(sim.host_clock)) sim.trace.find(finding);
}

} // namespace cudasim
