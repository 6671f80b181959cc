#include "kernel_checks.h"
#include "simt_kernels.h"
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <vector>

namespace {

constexpr size_t alignment = 256;
constexpr size_t guard = 256; // before and behind each piece
constexpr unsigned char guard_byte = 0xa5;

struct piece {
    unsigned char *base;
    size_t byte_count;

    std::vector<unsigned char> contents() const { return {base + guard, base + guard + byte_count}; }
    void restore(const std::vector<unsigned char> &bytes) const {
        if (!bytes.empty()) memcpy(base + guard, bytes.data(), byte_count);
    }

    bool is_intact() const {
        for (size_t i = 0; i < guard; ++i) {
            if (base[i] != guard_byte || base[guard + byte_count + i] != guard_byte) return false;
        }
        return true;
    }
};

struct memory_map {
    std::map<const void *, piece> pieces;
    std::map<std::string, unsigned> launches;

    std::vector<std::vector<unsigned char>> snapshot() const {
        std::vector<std::vector<unsigned char>> all;
        for (auto &[address, piece] : pieces) all.push_back(piece.contents());
        return all;
    }

    void restore(const std::vector<std::vector<unsigned char>> &all) const {
        size_t i = 0;
        for (auto &[address, piece] : pieces) piece.restore(all[i++]);
    }
};

memory_map &map_of(void *context) { return *(memory_map *)context; }

int report(char *error, size_t error_size, const std::string &text) {
    snprintf(error, error_size, "%s", text.c_str());
    return 1;
}

int take(void *context, size_t byte_count, void **memory, char *error, size_t error_size) {
    size_t total = (byte_count + 2 * guard + alignment - 1) / alignment * alignment;
    auto *base = (unsigned char *)aligned_alloc(alignment, total);
    if (!base) return report(error, error_size, "no memory for " + std::to_string(byte_count) + " bytes");
    memset(base, guard_byte, total);
    memset(base + guard, 0xff, byte_count);
    *memory = base + guard;
    map_of(context).pieces[*memory] = {base, byte_count};
    return 0;
}

int give_back(void *context, void *memory, char *error, size_t error_size) {
    auto &pieces = map_of(context).pieces;
    auto found = pieces.find(memory);
    if (found == pieces.end()) return report(error, error_size, "memory that was not taken is given back");
    free(found->second.base);
    pieces.erase(found);
    return 0;
}

int upload(void *, void *memory, const void *bytes, size_t byte_count, char *, size_t) {
    if (byte_count > 0) memcpy(memory, bytes, byte_count);
    return 0;
}

int download(void *, const void *memory, void *bytes, size_t byte_count, char *, size_t) {
    if (byte_count > 0) memcpy(bytes, memory, byte_count);
    return 0;
}

int launch(
    void *context, const char *name, const unsigned grid[3], const unsigned block[3], unsigned shared_bytes,
    void **params, char *error, size_t error_size
) {
    const simt_kernel *kernel = simt_kernel_named(name);
    if (!kernel) return report(error, error_size, std::string("no kernel is named ") + name);
    memory_map &map = map_of(context);
    ++map.launches[name];
    auto before = map.snapshot();
    decltype(before) first;
    for (unsigned schedule = 0; schedule < 3; ++schedule) {
        if (schedule > 0) map.restore(before);
        simt_launch launch = {
            {grid[0], grid[1], grid[2]}, {block[0], block[1], block[2]}, shared_bytes, schedule, params};
        if (int status = kernel->run(&launch, error, error_size)) return status;
        for (auto &[address, piece] : map.pieces) {
            if (!piece.is_intact()) {
                return report(
                    error, error_size, std::string(name) + ": a write outside a piece of " +
                                           std::to_string(piece.byte_count) + " bytes");
            }
        }
        auto after = map.snapshot();
        if (schedule == 0) first = std::move(after);
        else if (after != first) {
            return report(
                error, error_size,
                std::string(name) + ": schedule " + std::to_string(schedule) + " gives another result than schedule 0");
        }
    }
    return 0;
}

memory_map &the_map() {
    static memory_map map;
    return map;
}

} // namespace

const kc_machine *kc_simulated_machine(void) {
    static const kc_machine machine = {&the_map(), take, give_back, upload, download, launch};
    return &machine;
}

unsigned kc_launch_count(const char *kernel) {
    auto found = the_map().launches.find(kernel);
    return found == the_map().launches.end() ? 0 : found->second;
}
