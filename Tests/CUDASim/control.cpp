// The control functions of tests.
#include "include/cudasim.h"
#include "call.h"
#include <cstdio>
#include <cstring>

using namespace cudasim;

namespace {

template <class Body> int control(Body body) {
    Simulator &sim = simulator();
    std::unique_lock<std::mutex> lock(sim.mutex);
    try {
        body(sim, lock);
        last_problem().clear();
        return 0;
    } catch (const std::string &problem) {
        last_problem() = problem;
        return 1;
    }
}

size_t put(char *to, size_t size, const std::string &text) {
    if (to && size) snprintf(to, size, "%s", text.c_str());
    return text.size() + 1;
}

} // namespace

int cudasim_load_machine(const char *json) {
    context_stack().clear();
    return control([&](Simulator &sim, std::unique_lock<std::mutex> &lock) {
        std::string text = json ? json : "";
        sim.load(json ? &text : nullptr, lock);
    });
}

void cudasim_set_visible_devices(const char *list, const char *order) {
    control([&](Simulator &sim, std::unique_lock<std::mutex> &) {
        sim.has_own_visibility = true;
        sim.visible_list = list ? std::make_unique<std::string>(list) : nullptr;
        sim.device_order = order ? std::make_unique<std::string>(order) : nullptr;
    });
}

void cudasim_reset(void) {
    context_stack().clear();
    control([](Simulator &sim, std::unique_lock<std::mutex> &lock) {
        std::string text = sim.machine_json;
        sim.load(text.empty() ? nullptr : &text, lock);
    });
}

int cudasim_inject_faults(const char *script) {
    return control([&](Simulator &sim, std::unique_lock<std::mutex> &) {
        sim.faults.add(FaultScript::parse(script ? script : ""));
    });
}

unsigned cudasim_finding_count(void) {
    unsigned count = 0;
    control([&](Simulator &sim, std::unique_lock<std::mutex> &) { count = (unsigned)sim.trace.found().size(); });
    return count;
}

const char *cudasim_finding(unsigned index) {
    static thread_local std::string text;
    const char *result = nullptr;
    control([&](Simulator &sim, std::unique_lock<std::mutex> &) {
        if (index >= sim.trace.found().size()) return;
        text = sim.trace.found()[index];
        result = text.c_str();
    });
    return result;
}

unsigned cudasim_report_leaks(char *to, size_t size) {
    unsigned count = 0;
    control([&](Simulator &sim, std::unique_lock<std::mutex> &) {
        std::string report;
        count = sim.leaks(report);
        put(to, size, report);
    });
    return count;
}

void cudasim_trace(int enabled) {
    control([&](Simulator &sim, std::unique_lock<std::mutex> &) { sim.trace.enabled = enabled != 0; });
}

size_t cudasim_read_trace(char *to, size_t size) {
    size_t bytes = 0;
    control([&](Simulator &sim, std::unique_lock<std::mutex> &) { bytes = put(to, size, sim.trace.text()); });
    return bytes;
}

const char *cudasim_last_problem(void) { return last_problem().c_str(); }

void cudasim_set_order(int deterministic, unsigned long long seed) {
    control([&](Simulator &sim, std::unique_lock<std::mutex> &lock) {
        sim.scheduler.stop(lock, false);
        sim.scheduler.set_order(deterministic != 0, seed);
    });
}

void cudasim_set_late_pageable_uploads(int late) {
    control([&](Simulator &sim, std::unique_lock<std::mutex> &) { sim.late_pageable_uploads = late != 0; });
}
