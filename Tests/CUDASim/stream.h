// Streams: queues of operations that begin in order, and the order between them.
#pragma once
#include "clock.h"
#include "device.h"
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace [[gnu::visibility("hidden")]] cudasim {

struct Capture;
struct GraphNode;
struct Stream;

// A place in a stream's work: reached when that many of its operations are complete.
struct Point {
    std::shared_ptr<Stream> stream;
    uint64_t number = 0;
    bool reached() const;
};

// What an operation finds when it runs. The simulator's lock is held; `unlocked` gives it up for the work itself.
struct Execution {
    Device &device;
    uint32_t stream;
    uint64_t number;
    const Clock &clock; // what happened before
    unsigned schedule;  // order of a kernel's threads
    std::unique_lock<std::mutex> &lock;

    template <class Body> void unlocked(Body body) {
        lock.unlock();
        body();
        lock.lock();
    }
};

// What a stream does once, or a graph each time it is launched.
class Work {
  public:
    virtual ~Work() = default;
    virtual const char *kind() const = 0; // copy, memset, kernel, host, event, wait, graph
    virtual std::string describe() const = 0;
    virtual std::string fault_name() const { return std::string("run:") + kind(); }
    // A copy with nothing left over from an earlier run.
    virtual std::shared_ptr<Work> fresh() const = 0;
    // As it enters a stream; the lock is held. `clock` is what the operation will know.
    virtual void submitted(const Clock &, uint32_t /*stream*/, uint64_t /*number*/) {}
    // Throws Failure: the device breaks.
    virtual void run(Execution &) = 0;
    // It does not run, or did not end: its device is broken.
    virtual void abandoned(uint32_t /*stream*/, uint64_t /*number*/) {}
    // Whether a later graph may take this one's place without being instantiated again.
    virtual bool replaces(const Work &other) const { return std::string(kind()) == other.kind(); }
    virtual Device *device_of(Device *stream_device) const { return stream_device; }
};

struct Task {
    uint64_t number = 0;
    std::shared_ptr<Work> work;
    Clock clock;
    std::vector<Point> after;
    bool drawn = false; // whether faults were asked
    Meeting meeting;
    uint64_t not_before = 0; // a pick of the scheduler: a delayed operation lets others pass
};

struct Stream : std::enable_shared_from_this<Stream> {
    uint32_t id = 0;
    Device *device = nullptr;
    unsigned flags = 0;
    int priority = 0;
    bool is_null = false; // the legacy default stream
    CUstream handle = nullptr;

    std::deque<Task> queue;
    uint64_t submitted = 0, completed = 0;
    bool running = false, closing = false, has_worker = false;
    Clock clock; // of the last operation submitted

    // While it captures: the graph in progress, and the nodes that the next one follows.
    std::shared_ptr<Capture> capture;
    std::vector<size_t> frontier;

    bool idle() const { return completed == submitted; }
    bool is_blocking() const { return !is_null && !(flags & CU_STREAM_NON_BLOCKING); }
    Point here() { return {shared_from_this(), submitted}; }
};

// The stream of a handle: null and 1 are the current context's default stream. Throws Failure.
std::shared_ptr<Stream> stream_of(CUstream handle);

// Puts work into a stream, or into the graph that it captures. The lock is held.
void submit(
    const std::shared_ptr<Stream> &stream, std::shared_ptr<Work> work, std::unique_lock<std::mutex> &lock,
    const Point &after = Point());

// What the faults hold for an operation; asked once each time it runs.
Meeting meet(const Work &work, const Device &device);

// Runs one operation, unless its device is broken or breaks now.
void perform(Work &work, const Meeting &meeting, Execution &execution);

// Waits until everything that the stream has been given is complete, and learns it. Throws the sticky error.
void wait_for(const std::shared_ptr<Stream> &stream, std::unique_lock<std::mutex> &lock);

// The host has learned that everything of this clock has happened.
void host_learns(const Clock &clock);

} // namespace cudasim
