// Events: places in streams that others wait for.
#pragma once
#include "stream.h"
#include <chrono>

namespace [[gnu::visibility("hidden")]] cudasim {

// One recording; an event that is recorded again gets another, and whoever waited for this one keeps it.
struct Record {
    Point point;
    Clock clock;
    std::chrono::steady_clock::time_point time;
};

struct Event {
    Device *device = nullptr;
    unsigned flags = 0;
    std::shared_ptr<Record> record; // null: never recorded, and complete
    // Recorded in a capture: a place in the graph.
    std::shared_ptr<Capture> capture;
    std::vector<size_t> frontier;
};

} // namespace cudasim
