#include "scheduler.h"
#include "simulator.h"
#include <algorithm>
#include <chrono>
#include <cstring>
#include <thread>

namespace [[gnu::visibility("hidden")]] cudasim {

namespace {

// How long nothing must happen before the deterministic order goes on by itself.
const std::chrono::milliseconds quiet(50);

bool is_host_function(const Task &task) { return strcmp(task.work->kind(), "host") == 0; }

} // namespace

void Scheduler::set_order(bool is_deterministic, uint64_t seed) {
    deterministic = is_deterministic;
    generator.seed(seed);
}

void Scheduler::add(const std::shared_ptr<Stream> &stream) {
    forget_closed();
    streams.push_back(stream);
}

void Scheduler::forget_closed() {
    streams.erase(
        std::remove_if(
            streams.begin(), streams.end(),
            [](const std::shared_ptr<Stream> &stream) {
                return stream->closing && stream->idle() && !stream->has_worker;
            }),
        streams.end());
}

bool Scheduler::is_ready(const Stream &stream) const {
    if (stream.running || stream.queue.empty()) return false;
    for (const Point &point : stream.queue.front().after) {
        if (!point.reached()) return false;
    }
    return true;
}

void Scheduler::wake(const std::shared_ptr<Stream> &stream, std::unique_lock<std::mutex> &lock) {
    ++submissions;
    if (deterministic) {
        if (!serving_all) {
            serving_all = true;
            ++threads;
            std::thread(&Scheduler::serve_all, this).detach();
        }
        grant(random(3), lock);
        return;
    }
    if (!stream->has_worker) {
        stream->has_worker = true;
        ++threads;
        std::thread(&Scheduler::serve, this, stream).detach();
    }
    changed.notify_all();
}

void Scheduler::wait(const std::function<bool()> &reached, std::unique_lock<std::mutex> &lock) {
    waiting.push_back(&reached);
    auto mine = std::prev(waiting.end());
    changed.notify_all();
    changed.wait(lock, [&] { return stopping || reached(); });
    waiting.erase(mine);
}

void Scheduler::poll(std::unique_lock<std::mutex> &lock) {
    if (deterministic && serving_all) grant(1, lock);
}

// Lets some operations run before the caller goes on. A host function may need what the caller holds, so nobody waits
// for one here.
void Scheduler::grant(unsigned count, std::unique_lock<std::mutex> &lock) {
    if (count == 0) return;
    granted += count;
    changed.notify_all();
    changed.wait(lock, [&] { return stopping || granted == 0 || in_host_function; });
}

std::shared_ptr<Stream> Scheduler::pick() {
    std::vector<std::shared_ptr<Stream>> ready, delayed;
    for (const std::shared_ptr<Stream> &stream : streams) {
        if (!is_ready(*stream)) continue;
        (stream->queue.front().not_before > picks ? delayed : ready).push_back(stream);
    }
    ++picks;
    std::vector<std::shared_ptr<Stream>> &from = ready.empty() ? delayed : ready;
    return from.empty() ? nullptr : from[random((unsigned)from.size())];
}

void Scheduler::run_head(const std::shared_ptr<Stream> &stream, std::unique_lock<std::mutex> &lock) {
    Task &head = stream->queue.front();
    if (!head.drawn) {
        head.drawn = true;
        head.meeting = meet(*head.work, *stream->device);
        if (deterministic && head.meeting.delay_ms) {
            head.not_before = picks + head.meeting.delay_ms;
            head.meeting.delay_ms = 0; // as a place in the order, not as time
            return;
        }
    }
    Task task = std::move(head);
    stream->queue.pop_front();
    stream->running = true;
    in_host_function = is_host_function(task);
    if (in_host_function) changed.notify_all();
    unsigned schedule = deterministic ? random(3) : 0;
    Execution execution = {*stream->device, stream->id, task.number, task.clock, schedule, lock};
    perform(*task.work, task.meeting, execution);
    in_host_function = false;
    stream->running = false;
    stream->completed = task.number;
    changed.notify_all();
}

void Scheduler::serve(std::shared_ptr<Stream> stream) {
    std::unique_lock<std::mutex> lock(simulator().mutex);
    for (;;) {
        changed.wait(lock, [&] { return stopping || is_ready(*stream) || (stream->closing && stream->idle()); });
        if (stopping || !is_ready(*stream)) break;
        run_head(stream, lock);
    }
    stream->has_worker = false;
    --threads;
    changed.notify_all();
}

bool Scheduler::is_wanted() const {
    if (granted > 0) return true;
    return std::any_of(waiting.begin(), waiting.end(), [](const std::function<bool()> *reached) { return !(*reached)(); });
}

void Scheduler::serve_all() {
    std::unique_lock<std::mutex> lock(simulator().mutex);
    while (!stopping) {
        if (!is_wanted()) {
            uint64_t before = submissions;
            bool woken = changed.wait_for(lock, quiet, [&] { return stopping || is_wanted() || before != submissions; });
            if (woken) continue;
        }
        std::shared_ptr<Stream> stream = pick();
        if (granted > 0) --granted;
        if (stream) {
            run_head(stream, lock);
        } else {
            granted = 0;
            changed.notify_all();
            changed.wait_for(lock, quiet, [&] { return stopping || granted > 0; });
        }
        changed.notify_all();
    }
    serving_all = false;
    --threads;
    changed.notify_all();
}

void Scheduler::stop(std::unique_lock<std::mutex> &lock, bool forgets) {
    if (!forgets) {
        wait([&] { return std::all_of(streams.begin(), streams.end(), [](const auto &s) { return s->idle(); }); }, lock);
    }
    stopping = true;
    for (const std::shared_ptr<Stream> &stream : streams) stream->queue.clear();
    changed.notify_all();
    changed.wait(lock, [&] { return threads == 0; });
    if (forgets) streams.clear();
    granted = 0;
    stopping = false;
}

} // namespace cudasim
