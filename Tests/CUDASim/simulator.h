// The simulated machine as a whole: its state, and the lock that protects all of it. Operations give the lock up while
// they move bytes or run kernels; everything else is short.
#pragma once
#include "address_space.h"
#include "device.h"
#include "fault.h"
#include "handle.h"
#include "host_memory.h"
#include "machine.h"
#include "scheduler.h"
#include "stream.h"
#include "trace.h"
#include <memory>
#include <mutex>

namespace [[gnu::visibility("hidden")]] cudasim {

struct Event;
struct Graph;
struct GraphExec;
struct Module;
struct Function;
struct Kernel;

struct Simulator {
    std::mutex mutex;
    Machine machine;
    std::string machine_json; // to load it again
    bool loaded = false, initialized = false;
    std::vector<std::unique_ptr<Device>> devices;
    std::string visibility; // what CUDA_VISIBLE_DEVICES did, in words
    // In the place of the environment's two variables, when a test says so; null: not set.
    bool has_own_visibility = false;
    std::unique_ptr<std::string> visible_list, device_order;
    AddressSpace memory;
    HostMemory host;
    Scheduler scheduler;
    FaultScript faults;
    Trace trace;
    Clock host_clock; // what the host has waited for
    bool late_pageable_uploads = false;
    uint32_t next_stream = 0;

    HandleTable<Stream, CUstream> streams{"stream"};
    HandleTable<Event, CUevent> events{"event"};
    HandleTable<Module, CUmodule> modules{"module"};
    HandleTable<Module, CUlibrary> libraries{"library"};
    HandleTable<Function, CUfunction> functions{"function"};
    HandleTable<Kernel, CUkernel> kernels{"kernel"};
    HandleTable<Graph, CUgraph> graphs{"graph"};
    HandleTable<GraphExec, CUgraphExec> graph_execs{"executable graph"};
    HandleTable<size_t, CUgraphNode> graph_nodes{"graph node"};

    // The lock is held for all of these.
    void load(const std::string *json, std::unique_lock<std::mutex> &lock); // throws std::string
    void ensure_loaded(std::unique_lock<std::mutex> &lock);                 // at the first call of a process
    Device &device(CUdevice ordinal);                                       // throws Failure
    Device *device_of_context(CUcontext context);
    Device &current(); // of the calling thread's context; throws Failure
    unsigned leaks(std::string &report) const;

  private:
    void unload(std::unique_lock<std::mutex> &lock);
    void choose_visible();
};

// The one simulator of the process; never destroyed, since threads may still be inside while the process ends.
Simulator &simulator();

// The current context of the calling thread, as a stack.
std::vector<CUcontext> &context_stack();

// Words for the calling thread's last failed call.
std::string &last_problem();

} // namespace cudasim
