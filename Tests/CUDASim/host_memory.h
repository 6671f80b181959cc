// Host memory that devices copy from and to: what is pinned, and what has been downloaded but not yet waited for.
//
// A download delivers its bytes only when the host has waited for it. Until then its target holds a poison, so that
// reading too early gives wrong values every time instead of once in a thousand runs. An operation that is ordered
// after the download sees the bytes; one that is not is a finding.
#pragma once
#include "clock.h"
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace [[gnu::visibility("hidden")]] cudasim {

struct Pinned {
    uint64_t address = 0;
    size_t bytes = 0;
    bool is_registered = false; // the program's own memory
    unsigned char *base = nullptr; // of what was allocated here, canaries included
};

struct Download {
    uint64_t target = 0;
    size_t bytes = 0;
    uint32_t stream = 0;
    uint64_t number = 0;
    uint64_t sequence = 0; // of its submission
    bool poisoned = false, arrived = false;
    std::vector<unsigned char> data;
};

struct Upload {
    uint64_t source = 0;
    size_t bytes = 0;
    uint32_t stream = 0;
    uint64_t number = 0;
};

class HostMemory {
  public:
    ~HostMemory() { clear(); }

    void *allocate(size_t bytes);
    void add_registered(uint64_t address, size_t bytes);
    const Pinned *starting_at(uint64_t address) const;
    const Pinned *overlapping(uint64_t address, size_t bytes) const; // any pinned range that shares a byte
    bool is_pinned(uint64_t address, size_t bytes) const;            // all of it
    std::string damage(const Pinned &pinned) const;
    void remove(uint64_t address);
    void clear();

    // Downloads and uploads in flight.
    void begin_download(uint64_t target, size_t bytes, uint32_t stream, uint64_t number);
    // The download has run: its bytes wait here until the host waits for them.
    void arrive(uint64_t target, size_t bytes, uint32_t stream, uint64_t number, std::vector<unsigned char> data);
    // A download that an upload still reading its target is not ordered before: in words, or empty.
    std::string unordered_upload(uint64_t target, size_t bytes, const Clock &clock) const;
    // Returns how many downloads were submitted before.
    uint64_t begin_upload(uint64_t source, size_t bytes, uint32_t stream, uint64_t number);
    void end_upload(uint64_t source, uint32_t stream, uint64_t number);
    // A download that will never arrive.
    void end_download(uint64_t target, uint32_t stream, uint64_t number);
    // Copies that have not run yet.
    bool has_unfinished(uint64_t address, size_t bytes) const;
    bool in_flight(uint64_t address, size_t bytes) const;
    const Download *overlapping_download(uint64_t address, size_t bytes, const Download *after = nullptr) const;

    // Puts what an operation with this clock may see over `copy`, the bytes at `address`. Returns what it may not see:
    // among the first `earlier` downloads, since those submitted after the operation were compared with it then.
    std::string overlay(
        uint64_t address, unsigned char *copy, size_t bytes, const Clock &clock, uint64_t earlier) const;
    // The host has waited: delivers. Returns findings.
    std::vector<std::string> deliver(const Clock &clock);
    // The memory goes.
    void drop(uint64_t address, size_t bytes);

    unsigned long host_functions = 0; // that have run: they write host memory in order

    size_t pinned_count() const { return pinned.size(); }
    size_t registered_count() const;

  private:
    bool in_flight_besides(const Download &mine) const;

    std::map<uint64_t, Pinned> pinned;
    std::vector<Download> downloads; // in the order of submission
    std::vector<Upload> uploads;
    uint64_t download_count = 0;
};

// A number that differs when bytes differ, nearly always.
uint64_t fingerprint(const void *bytes, size_t count);

// Copies memory that the program may have given back meanwhile; false when it is gone.
bool read_if_mapped(void *to, uint64_t from, size_t bytes);

} // namespace cudasim
