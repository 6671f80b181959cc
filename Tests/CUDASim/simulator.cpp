#include "simulator.h"
#include "event.h"
#include "graph.h"
#include "module.h"
#include "launch.h"
#include "visibility.h"
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>

namespace [[gnu::visibility("hidden")]] cudasim {

namespace {

std::string read_file(const char *path) {
    std::ifstream file(path);
    if (!file) throw std::string(path) + ": cannot be read";
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

void announce(const Machine &machine, const std::string &visibility) {
    fprintf(
        stderr, "cudasim: simulated machine '%s', %zu devices; nothing here runs on a GPU%s\n", machine.name.c_str(),
        machine.cards.size(), visibility.c_str());
}

void report_at_exit() {
    Simulator &sim = simulator();
    const char *path = getenv("FACET_CUDASIM_REPORT");
    if (!path || !*path) return;
    std::unique_lock<std::mutex> lock(sim.mutex, std::try_to_lock);
    if (!lock) return;
    FILE *file = std::string(path) == "-" ? stderr : fopen(path, "w");
    if (!file) return;
    std::string report;
    unsigned count = sim.leaks(report);
    fprintf(file, "cudasim: %zu findings, %u objects not given back\n", sim.trace.found().size(), count);
    for (const std::string &finding : sim.trace.found()) fprintf(file, "finding: %s\n", finding.c_str());
    fputs(report.c_str(), file);
    fputs(sim.trace.text().c_str(), file);
    if (file != stderr) fclose(file);
}

} // namespace

Simulator &simulator() {
    static Simulator *only = [] {
        atexit(report_at_exit);
        return new Simulator();
    }();
    return *only;
}

std::vector<CUcontext> &context_stack() {
    static thread_local std::vector<CUcontext> stack;
    return stack;
}

std::string &last_problem() {
    static thread_local std::string problem;
    return problem;
}

void Simulator::unload(std::unique_lock<std::mutex> &lock) {
    scheduler.stop(lock);
    streams.clear();
    events.clear();
    modules.clear();
    libraries.clear();
    functions.clear();
    kernels.clear();
    graphs.clear();
    graph_execs.clear();
    graph_nodes.clear();
    devices.clear();
    memory.release();
    host.clear();
    faults.clear();
    trace.clear();
    host_clock = Clock();
    next_stream = 0;
    initialized = false;
}

void Simulator::choose_visible() {
    auto value = [&](const char *name, const std::unique_ptr<std::string> &own) -> const char * {
        return !has_own_visibility ? getenv(name) : own ? own->c_str() : nullptr;
    };
    const char *variable = value("CUDA_VISIBLE_DEVICES", visible_list), *order = value("CUDA_DEVICE_ORDER", device_order);
    std::vector<size_t> chosen = visible_cards(variable, order, machine);
    visibility = variable ? text("; CUDA_VISIBLE_DEVICES shows %zu of them", chosen.size()) : "";
    for (size_t index : chosen) {
        auto device = std::make_unique<Device>();
        device->ordinal = (int)devices.size();
        device->physical = index;
        device->card = &machine.cards[index];
        devices.push_back(std::move(device));
    }
}

void Simulator::load(const std::string *json, std::unique_lock<std::mutex> &lock) {
    unload(lock);
    machine = Machine();
    loaded = true;
    const char *path = getenv("FACET_CUDASIM");
    if (!json && (!path || !*path)) {
        machine_json.clear();
        fprintf(stderr, "cudasim: no devices: FACET_CUDASIM names no machine file (Tests/Fixtures/CUDAMachines)\n");
        return;
    }
    machine_json = json ? *json : read_file(path);
    try {
        machine = Machine::parse(machine_json);
    } catch (const std::string &problem) {
        throw json ? problem : std::string(path) + ": " + problem;
    }
    choose_visible();
    std::vector<size_t> capacities;
    for (const auto &device : devices) capacities.push_back(device->card->visible_bytes());
    memory.reserve(capacities);
    faults.add(machine.faults);
    if (const char *script = getenv("FACET_CUDASIM_FAULTS")) faults.add(FaultScript::parse(script));
    const char *seed = getenv("FACET_CUDASIM_SEED");
    scheduler.set_order(machine.deterministic || seed, seed ? strtoull(seed, nullptr, 10) : machine.seed);
    late_pageable_uploads = machine.late_pageable_uploads;
    trace.enabled = getenv("FACET_CUDASIM_TRACE") != nullptr;
    announce(machine, visibility);
}

void Simulator::ensure_loaded(std::unique_lock<std::mutex> &lock) {
    if (!loaded) load(nullptr, lock);
}

Device &Simulator::device(CUdevice ordinal) {
    if (ordinal < 0 || (size_t)ordinal >= devices.size()) {
        fail(CUDA_ERROR_INVALID_DEVICE, "device %d; there are %zu", ordinal, devices.size());
    }
    return *devices[(size_t)ordinal];
}

Device *Simulator::device_of_context(CUcontext context) {
    for (const auto &device : devices) {
        if (device->context() == context) return device.get();
    }
    return nullptr;
}

Device &Simulator::current() {
    std::vector<CUcontext> &stack = context_stack();
    if (stack.empty() || !stack.back()) fail(CUDA_ERROR_INVALID_CONTEXT, "this thread has no current context");
    Device *device = device_of_context(stack.back());
    if (!device || !device->retained) fail(CUDA_ERROR_CONTEXT_IS_DESTROYED, "the current context has been released");
    return *device;
}

unsigned Simulator::leaks(std::string &report) const {
    unsigned count = 0;
    auto tell = [&](const std::string &line) {
        report += "leak: " + line + "\n";
        ++count;
    };
    for (const auto &device : devices) {
        for (const Allocation *allocation : memory.live(device->ordinal)) {
            tell(text("allocation %u of %zu bytes on device %d", allocation->number, allocation->bytes, device->ordinal));
        }
        if (device->retained) tell(text("the primary context of device %d, retained %u times", device->ordinal, device->retained));
    }
    auto tell_table = [&](const char *noun, size_t size) {
        for (size_t i = 0; i < size; ++i) tell(noun);
    };
    for (size_t i = 0; i < host.pinned_count() - host.registered_count(); ++i) tell("a pinned allocation");
    for (size_t i = 0; i < host.registered_count(); ++i) tell("a registered range of host memory");
    tell_table("a stream", streams.size());
    tell_table("an event", events.size());
    tell_table("a module", modules.size());
    tell_table("a library", libraries.size());
    tell_table("a graph", graphs.size());
    tell_table("an executable graph", graph_execs.size());
    return count;
}

} // namespace cudasim
