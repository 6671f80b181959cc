// The simulated machine, as its JSON file describes it; plain values.
#pragma once
#include "fault.h"
#include <string>
#include <vector>

namespace [[gnu::visibility("hidden")]] cudasim {

struct Process {
    unsigned pid;
    size_t bytes;
};

// A slice of a card that the driver shows in the card's place.
struct MIGSlice {
    bool enabled = false;
    std::string profile; // 1g.18gb
    std::string uuid;    // MIG-…
    unsigned gpu_instance = 0, compute_instance = 0;
    unsigned multiprocessors = 0;
    size_t bytes = 0;
};

struct Card {
    std::string name, uuid, pci;
    int major = 0, minor = 0;
    int multiprocessors = 0;
    size_t bytes = 0;         // total memory
    size_t context_bytes = 0; // what a context takes of it
    std::vector<Process> processes;
    std::string compute_mode = "default";
    MIGSlice mig;
    int clock_mhz = 0, memory_clock_mhz = 0, memory_bus_bits = 0, l2_mib = 0, numa_node = 0;
    int pcie_generation = 0, pcie_width = 0, pcie_max_generation = 0, pcie_max_width = 0;
    bool ecc = false, display = false, persistence = false, ecc_supported = false;
    unsigned long long ecc_corrected = 0, ecc_uncorrected = 0, throttle_reasons = 0;
    unsigned temperature = 0, power_watts = 0, power_limit_watts = 0;
    unsigned remapped_rows = 0, retired_pending = 0;

    size_t used_by_others() const;
    // What the driver shows: the card, or its slice.
    size_t visible_bytes() const { return mig.enabled ? mig.bytes : bytes; }
    int visible_multiprocessors() const { return mig.enabled ? (int)mig.multiprocessors : multiprocessors; }
    const std::string &visible_uuid() const { return mig.enabled ? mig.uuid : uuid; }
    std::string visible_name() const;
};

// What lies between two cards.
struct Link {
    std::string peer = "none"; // none; ok; corrupt: copies arrive changed; dead: they fail
    std::string ancestor = "node";
    int p2p_status = 5; // as NVML counts: 0 ok, 1 chipset, 2 GPU, 3 IOH, 4 regkey, 5 unsupported
    int nvlinks = 0, nvlink_version = 0, performance_rank = 0;
    bool atomics = false, nvswitch = false;
    unsigned delay_us = 0; // of each copy
};

struct Machine {
    std::string name;
    int cuda_version = 12080;
    std::string driver_release = "570.00";
    bool deterministic = false;
    unsigned long long seed = 1;
    bool late_pageable_uploads = false;
    std::vector<Card> cards;
    std::vector<Link> links; // [card · cards + card]
    std::vector<Fault> faults;

    const Link &link(size_t a, size_t b) const { return links[a * cards.size() + b]; }

    // The cards by their places on the bus, as NVML counts them.
    std::vector<size_t> bus_order() const;

    // Throws std::string: where, what is wrong.
    static Machine parse(const std::string &json);
};

} // namespace cudasim
