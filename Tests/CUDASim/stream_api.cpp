// Streams, host functions and events.
#include "call.h"
#include "capture.h"
#include "event.h"
#include <cmath>

using namespace cudasim;

namespace {

class HostFunction final : public Work {
  public:
    HostFunction(CUhostFn function, void *argument) : function(function), argument(argument) {}

    const char *kind() const override { return "host"; }
    std::string describe() const override { return "host function"; }
    std::shared_ptr<Work> fresh() const override { return std::make_shared<HostFunction>(*this); }

    void run(Execution &execution) override {
        // It runs in order, so it sees what was downloaded before it, and may write what is uploaded after it.
        Simulator &sim = simulator();
        for (const std::string &finding : sim.host.deliver(execution.clock)) sim.trace.find(finding);
        ++sim.host.host_functions;
        execution.unlocked([&] {
            in_host_function() = true;
            function(argument);
            in_host_function() = false;
        });
    }

  private:
    CUhostFn function;
    void *argument;
};

class Recording final : public Work {
  public:
    explicit Recording(std::shared_ptr<Record> record) : record(std::move(record)) {}

    const char *kind() const override { return "event"; }
    std::string describe() const override { return "event"; }
    std::shared_ptr<Work> fresh() const override { return std::make_shared<Recording>(*this); }
    void submitted(const Clock &clock, uint32_t, uint64_t) override { record->clock = clock; }
    void run(Execution &) override { record->time = std::chrono::steady_clock::now(); }

  private:
    std::shared_ptr<Record> record;
};

class Waiting final : public Work {
  public:
    const char *kind() const override { return "wait"; }
    std::string describe() const override { return "wait for an event"; }
    std::shared_ptr<Work> fresh() const override { return std::make_shared<Waiting>(); }
    void run(Execution &) override {}
};

CUresult create(const char *name, CUstream *stream, unsigned flags, int priority) {
    return driver_call(name, [&](Call &call) {
        need(stream, "stream");
        Device &device = call.here();
        if (flags & ~(unsigned)CU_STREAM_NON_BLOCKING) fail(CUDA_ERROR_INVALID_VALUE, "flags 0x%x", flags);
        auto made = std::make_shared<Stream>();
        made->id = ++call.sim.next_stream;
        made->device = &device;
        made->flags = flags;
        made->priority = priority > 0 ? 0 : priority < -5 ? -5 : priority;
        call.sim.scheduler.add(made);
        *stream = made->handle = call.sim.streams.add(made);
    });
}

std::shared_ptr<Event> event_of(Call &call, CUevent handle) {
    std::shared_ptr<Event> event = call.sim.events.get(handle);
    call.on(*event->device);
    return event;
}

void refuse_captured(const Event &event) {
    if (!event.capture) return;
    event.capture->invalid = true;
    fail(CUDA_ERROR_CAPTURED_EVENT, "the event was recorded in a capture: there is no time at which it happens");
}

void refuse_capturing(const Stream &stream) {
    if (stream.capture) {
        invalidate(*stream.capture, CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, "the stream is capturing, so nothing runs");
    }
}

void wait_captured(const std::shared_ptr<Stream> &stream, const Event &event) {
    if (event.capture) {
        if (event.capture->invalid) fail(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, "the event's capture is spoiled");
        capture_wait(*stream, event.capture, event.frontier);
        return;
    }
    invalidate(
        *stream->capture, CUDA_ERROR_STREAM_CAPTURE_ISOLATION, "a capturing stream waits for an event outside its capture");
}

} // namespace

CUresult cuStreamCreate(CUstream *stream, unsigned flags) { return create("cuStreamCreate", stream, flags, 0); }

CUresult cuStreamCreateWithPriority(CUstream *stream, unsigned flags, int priority) {
    return create("cuStreamCreateWithPriority", stream, flags, priority);
}

CUresult cuStreamDestroy_v2(CUstream stream) {
    return driver_call("cuStreamDestroy_v2", [&](Call &call) {
        std::shared_ptr<Stream> found = call.sim.streams.get(stream);
        call.about(*found->device);
        if (found->capture) found->capture->invalid = true;
        // What it was given still runs.
        found->closing = true;
        call.sim.streams.remove(stream);
        call.sim.scheduler.wake_closing();
    });
}

CUresult cuStreamSynchronize(CUstream stream) {
    return driver_call("cuStreamSynchronize", [&](Call &call) {
        std::shared_ptr<Stream> found = call.in(stream);
        refuse_capturing(*found);
        wait_for(found, call.lock);
    });
}

CUresult cuStreamQuery(CUstream stream) {
    return driver_call("cuStreamQuery", [&](Call &call) {
        std::shared_ptr<Stream> found = call.in(stream);
        refuse_capturing(*found);
        call.sim.scheduler.poll(call.lock);
        found->device->check();
        if (!found->idle()) fail(CUDA_ERROR_NOT_READY, "the stream has work");
        host_learns(found->clock);
    });
}

CUresult cuStreamWaitEvent(CUstream stream, CUevent event, unsigned) {
    return driver_call("cuStreamWaitEvent", [&](Call &call) {
        std::shared_ptr<Stream> found = call.in(stream);
        std::shared_ptr<Event> awaited = call.sim.events.get(event);
        if (found->capture || awaited->capture) {
            wait_captured(found, *awaited);
            return;
        }
        std::shared_ptr<Record> record = awaited->record;
        if (!record) return; // never recorded: nothing to wait for
        found->clock.join(record->clock);
        submit(found, std::make_shared<Waiting>(), call.lock, record->point);
    });
}

CUresult cuStreamGetPriority(CUstream stream, int *priority) {
    return driver_call("cuStreamGetPriority", [&](Call &call) {
        need(priority, "priority");
        *priority = call.in(stream)->priority;
    });
}

CUresult cuStreamGetFlags(CUstream stream, unsigned *flags) {
    return driver_call("cuStreamGetFlags", [&](Call &call) {
        need(flags, "flags");
        *flags = call.in(stream)->flags;
    });
}

CUresult cuStreamGetCtx(CUstream stream, CUcontext *context) {
    return driver_call("cuStreamGetCtx", [&](Call &call) {
        need(context, "context");
        *context = call.in(stream)->device->context();
    });
}

CUresult cuLaunchHostFunc(CUstream stream, CUhostFn function, void *argument) {
    return driver_call("cuLaunchHostFunc", [&](Call &call) {
        std::shared_ptr<Stream> found = call.in(stream);
        if (!function) fail(CUDA_ERROR_INVALID_VALUE, "the function is null");
        submit(found, std::make_shared<HostFunction>(function, argument), call.lock);
    });
}

CUresult cuEventCreate(CUevent *event, unsigned flags) {
    return driver_call("cuEventCreate", [&](Call &call) {
        need(event, "event");
        Device &device = call.here();
        if (flags & CU_EVENT_INTERPROCESS) fail(CUDA_ERROR_NOT_SUPPORTED, "events between processes");
        if (flags & ~7u) fail(CUDA_ERROR_INVALID_VALUE, "flags 0x%x", flags);
        auto made = std::make_shared<Event>();
        made->device = &device;
        made->flags = flags;
        *event = call.sim.events.add(made);
    });
}

CUresult cuEventDestroy_v2(CUevent event) {
    return driver_call("cuEventDestroy_v2", [&](Call &call) {
        std::shared_ptr<Event> found = call.sim.events.get(event);
        call.about(*found->device);
        call.sim.events.remove(event);
    });
}

CUresult cuEventRecord(CUevent event, CUstream stream) {
    return driver_call("cuEventRecord", [&](Call &call) {
        std::shared_ptr<Stream> found = call.in(stream);
        std::shared_ptr<Event> recorded = call.sim.events.get(event);
        if (recorded->device != found->device) {
            fail(
                CUDA_ERROR_INVALID_HANDLE, "an event of device %d is recorded in a stream of device %d",
                recorded->device->ordinal, found->device->ordinal);
        }
        if (found->capture) {
            if (found->capture->invalid) fail(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, "the capture is spoiled");
            recorded->capture = found->capture;
            recorded->frontier = found->frontier;
            recorded->record = nullptr;
            return;
        }
        auto record = std::make_shared<Record>();
        record->point = {found, found->submitted + 1};
        submit(found, std::make_shared<Recording>(record), call.lock);
        recorded->capture = nullptr;
        recorded->record = record;
    });
}

CUresult cuEventQuery(CUevent event) {
    return driver_call("cuEventQuery", [&](Call &call) {
        std::shared_ptr<Event> found = event_of(call, event);
        refuse_captured(*found);
        std::shared_ptr<Record> record = found->record;
        if (!record) return;
        call.sim.scheduler.poll(call.lock);
        found->device->check();
        if (!record->point.reached()) fail(CUDA_ERROR_NOT_READY, "the event has not happened");
        host_learns(record->clock);
    });
}

CUresult cuEventSynchronize(CUevent event) {
    return driver_call("cuEventSynchronize", [&](Call &call) {
        std::shared_ptr<Event> found = event_of(call, event);
        refuse_captured(*found);
        std::shared_ptr<Record> record = found->record;
        if (!record) return;
        call.sim.scheduler.wait([&] { return record->point.reached(); }, call.lock);
        host_learns(record->clock);
        found->device->check();
    });
}

CUresult cuEventElapsedTime(float *milliseconds, CUevent start, CUevent end) {
    return driver_call("cuEventElapsedTime", [&](Call &call) {
        need(milliseconds, "milliseconds");
        std::shared_ptr<Event> first = event_of(call, start), last = call.sim.events.get(end);
        refuse_captured(*first);
        refuse_captured(*last);
        bool timed = first->record && last->record && !(first->flags & CU_EVENT_DISABLE_TIMING) &&
                     !(last->flags & CU_EVENT_DISABLE_TIMING) && first->device == last->device;
        if (!timed) {
            fail(CUDA_ERROR_INVALID_HANDLE, "both events must be of one device, with timing, and recorded");
        }
        if (!first->record->point.reached() || !last->record->point.reached()) {
            fail(CUDA_ERROR_NOT_READY, "an event has not happened");
        }
        *milliseconds = std::chrono::duration<float, std::milli>(last->record->time - first->record->time).count();
    });
}
