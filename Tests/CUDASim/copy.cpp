#include "copy.h"
#include "access.h"
#include "guard.h"
#include "simulator.h"
#include <chrono>
#include <cstring>
#include <thread>

namespace [[gnu::visibility("hidden")]] cudasim {

namespace {

// Moves bytes without the lock. Memory can be freed by another thread meanwhile: that is a use after free too.
void move_bytes(Execution &execution, void *to, const void *from, size_t bytes) {
    if (bytes == 0) return;
    uintptr_t address = 0;
    bool fine = true;
    execution.unlocked([&] { fine = run_guarded([=] { memcpy(to, from, bytes); }, &address); });
    if (!fine) {
        fail(CUDA_ERROR_ILLEGAL_ADDRESS, "memory went away: %s", simulator().memory.describe(address).c_str());
    }
}

class UploadWork final : public Work {
  public:
    UploadWork(uint64_t to, const void *from, size_t bytes) : to(to), from((uint64_t)from), bytes(bytes) {}

    const char *kind() const override { return "copy"; }
    std::string describe() const override {
        std::string where = pinned_bytes ? text(" from pinned memory of %zu", pinned_bytes) : "";
        return text("upload of %zu bytes", bytes) + where;
    }
    std::shared_ptr<Work> fresh() const override { return std::make_shared<UploadWork>(to, (const void *)from, bytes); }

    void submitted(const Clock &, uint32_t stream, uint64_t number) override {
        Simulator &sim = simulator();
        pinned = sim.host.is_pinned(from, bytes);
        if (pinned && bytes > 0) pinned_bytes = sim.host.overlapping(from, bytes)->bytes;
        if (!pinned && !sim.late_pageable_uploads) {
            // As documented: pageable memory has been read when the call returns.
            taken.assign((const unsigned char *)from, (const unsigned char *)from + bytes);
            return;
        }
        // What host functions and downloads write is written in order; a change by anybody else is a race.
        is_watched = !sim.host.overlapping_download(from, bytes);
        host_functions = sim.host.host_functions;
        if (is_watched) before = fingerprint((const void *)from, bytes);
        earlier_downloads = sim.host.begin_upload(from, bytes, stream, number);
    }

    void run(Execution &execution) override {
        Simulator &sim = simulator();
        check_access(execution.device, to, bytes, "the target");
        if (taken.empty()) read_source(execution);
        sim.host.end_upload(from, execution.stream, execution.number);
        move_bytes(execution, (void *)to, taken.data(), bytes);
        check_access(execution.device, to, bytes, "the target");
    }

    void abandoned(uint32_t stream, uint64_t number) override { simulator().host.end_upload(from, stream, number); }

  private:
    uint64_t to, from;
    size_t bytes, pinned_bytes = 0; // of the allocation that the source is a part of
    bool pinned = false, is_watched = false;
    unsigned long host_functions = 0;
    uint64_t before = 0, earlier_downloads = 0;
    std::vector<unsigned char> taken;

    void read_source(Execution &execution) {
        Simulator &sim = simulator();
        taken.resize(bytes);
        if (pinned) {
            move_bytes(execution, taken.data(), (const void *)from, bytes);
        } else if (!read_if_mapped(taken.data(), from, bytes)) {
            sim.trace.find(text("the pageable source of an upload of %zu bytes was given back in flight", bytes));
            return;
        }
        bool changed = is_watched && host_functions == sim.host.host_functions && fingerprint(taken.data(), bytes) != before;
        if (changed) {
            const char *memory = pinned ? "pinned" : "pageable";
            sim.trace.find(text("the %s source of an upload of %zu bytes changed in flight", memory, bytes));
        }
        std::string unordered = sim.host.overlay(from, taken.data(), bytes, execution.clock, earlier_downloads);
        if (!unordered.empty()) sim.trace.find(unordered);
    }
};

class DownloadWork final : public Work {
  public:
    DownloadWork(void *to, uint64_t from, size_t bytes) : to((uint64_t)to), from(from), bytes(bytes) {}

    const char *kind() const override { return "copy"; }
    std::string describe() const override { return text("download of %zu bytes", bytes); }
    std::shared_ptr<Work> fresh() const override { return std::make_shared<DownloadWork>((void *)to, from, bytes); }

    void submitted(const Clock &clock, uint32_t stream, uint64_t number) override {
        std::string unordered = simulator().host.unordered_upload(to, bytes, clock);
        if (!unordered.empty()) simulator().trace.find(unordered);
        simulator().host.begin_download(to, bytes, stream, number);
    }

    void run(Execution &execution) override {
        check_access(execution.device, from, bytes, "the source");
        std::vector<unsigned char> data(bytes);
        move_bytes(execution, data.data(), (const void *)from, bytes);
        check_access(execution.device, from, bytes, "the source");
        simulator().host.arrive(to, bytes, execution.stream, execution.number, std::move(data));
    }

    void abandoned(uint32_t stream, uint64_t number) override { simulator().host.end_download(to, stream, number); }

  private:
    uint64_t to, from;
    size_t bytes;
};

class DeviceCopy final : public Work {
  public:
    DeviceCopy(uint64_t to, uint64_t from, size_t bytes, bool staged)
        : to(to), from(from), bytes(bytes), may_be_staged(staged) {}

    const char *kind() const override { return "copy"; }
    std::string describe() const override {
        const AddressSpace &memory = simulator().memory;
        return text("copy of %zu bytes from device %d to %d", bytes, memory.owner(from), memory.owner(to));
    }
    std::shared_ptr<Work> fresh() const override {
        return std::make_shared<DeviceCopy>(to, from, bytes, may_be_staged);
    }

    void run(Execution &execution) override {
        check(execution.device);
        const Link *link = link_between();
        if (link) travel(execution, *link);
        move_bytes(execution, (void *)to, (const void *)from, bytes);
        check(execution.device);
        // A link that changes what it carries: the reason to verify links before using them.
        if (link && is_direct() && link->peer == "corrupt" && bytes > 0) *(unsigned char *)to ^= 0x40;
    }

  private:
    uint64_t to, from;
    size_t bytes;
    bool may_be_staged;

    void check(const Device &device) const {
        if (may_be_staged) {
            check_alive(from, bytes, "the source");
            check_alive(to, bytes, "the target");
        } else {
            check_access(device, from, bytes, "the source");
            check_access(device, to, bytes, "the target");
        }
    }

    const Link *link_between() const {
        Simulator &sim = simulator();
        int source = sim.memory.owner(from), target = sim.memory.owner(to);
        if (source == target || source < 0 || target < 0) return nullptr;
        return &sim.machine.link(sim.devices[(size_t)source]->physical, sim.devices[(size_t)target]->physical);
    }

    bool is_direct() const {
        Simulator &sim = simulator();
        int source = sim.memory.owner(from), target = sim.memory.owner(to);
        return sim.devices[(size_t)source]->peers.count(target) || sim.devices[(size_t)target]->peers.count(source);
    }

    void travel(Execution &execution, const Link &link) const {
        if (link.peer == "dead" && is_direct()) {
            fail(CUDA_ERROR_NVLINK_UNCORRECTABLE, "the link between the devices is dead");
        }
        if (link.delay_us && !simulator().scheduler.deterministic) {
            execution.unlocked([&] { std::this_thread::sleep_for(std::chrono::microseconds(link.delay_us)); });
        }
    }
};

class Fill final : public Work {
  public:
    Fill(uint64_t address, unsigned value, unsigned width, size_t count)
        : address(address), value(value), width(width), count(count) {}

    const char *kind() const override { return "memset"; }
    std::string describe() const override { return text("memset of %zu bytes", count * width); }
    std::shared_ptr<Work> fresh() const override { return std::make_shared<Fill>(*this); }

    void run(Execution &execution) override {
        check_access(execution.device, address, count * width, "the target");
        std::vector<unsigned char> pattern(count * width);
        for (size_t i = 0; i < count; ++i) memcpy(pattern.data() + i * width, &value, width);
        move_bytes(execution, (void *)address, pattern.data(), pattern.size());
        check_access(execution.device, address, count * width, "the target");
    }

  private:
    uint64_t address;
    unsigned value, width;
    size_t count;
};

} // namespace

std::shared_ptr<Work> upload(uint64_t to, const void *from, size_t bytes) {
    return std::make_shared<UploadWork>(to, from, bytes);
}

std::shared_ptr<Work> download(void *to, uint64_t from, size_t bytes) {
    return std::make_shared<DownloadWork>(to, from, bytes);
}

std::shared_ptr<Work> device_copy(uint64_t to, uint64_t from, size_t bytes) {
    return std::make_shared<DeviceCopy>(to, from, bytes, false);
}

std::shared_ptr<Work> peer_copy(uint64_t to, uint64_t from, size_t bytes) {
    return std::make_shared<DeviceCopy>(to, from, bytes, true);
}

std::shared_ptr<Work> fill(uint64_t address, unsigned value, unsigned width, size_t count) {
    return std::make_shared<Fill>(address, value, width, count);
}

} // namespace cudasim
