#include "host_memory.h"
#include "failure.h"
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <sys/uio.h>
#include <unistd.h>

namespace [[gnu::visibility("hidden")]] cudasim {

namespace {

const size_t margin = 4096; // canaries on both sides of what is allocated here
const unsigned char margin_byte = 0xA5;
const unsigned char poison = 0xFB; // a large negative number as bf16, fp16, float and integer

bool overlap(uint64_t a, size_t a_bytes, uint64_t b, size_t b_bytes) { return a < b + b_bytes && b < a + a_bytes; }

bool holds_only(const unsigned char *bytes, size_t count, unsigned char value) {
    return std::all_of(bytes, bytes + count, [=](unsigned char byte) { return byte == value; });
}

} // namespace

void *HostMemory::allocate(size_t bytes) {
    size_t whole = (bytes + 4095) / 4096 * 4096 + 2 * margin;
    unsigned char *base = (unsigned char *)aligned_alloc(4096, whole);
    if (!base) return nullptr;
    unsigned char *address = base + margin;
    memset(base, margin_byte, whole);
    memset(address, 0xFF, bytes);
    pinned[(uint64_t)address] = {(uint64_t)address, bytes, false, base};
    return address;
}

void HostMemory::add_registered(uint64_t address, size_t bytes) { pinned[address] = {address, bytes, true, nullptr}; }

const Pinned *HostMemory::starting_at(uint64_t address) const {
    auto found = pinned.find(address);
    return found == pinned.end() ? nullptr : &found->second;
}

const Pinned *HostMemory::overlapping(uint64_t address, size_t bytes) const {
    for (const auto &entry : pinned) {
        if (overlap(entry.second.address, entry.second.bytes, address, bytes)) return &entry.second;
    }
    return nullptr;
}

bool HostMemory::is_pinned(uint64_t address, size_t bytes) const {
    auto next = pinned.upper_bound(address);
    if (next == pinned.begin()) return false;
    const Pinned &range = std::prev(next)->second;
    return address + bytes <= range.address + range.bytes;
}

std::string HostMemory::damage(const Pinned &range) const {
    if (range.is_registered) return "";
    size_t behind = (range.bytes + 4095) / 4096 * 4096 - range.bytes + margin;
    if (!holds_only(range.base, margin, margin_byte)) return "a write before its start";
    if (!holds_only((unsigned char *)range.address + range.bytes, behind, margin_byte)) return "a write past its end";
    return "";
}

void HostMemory::remove(uint64_t address) {
    auto found = pinned.find(address);
    if (found == pinned.end()) return;
    drop(found->second.address, found->second.bytes);
    ::free(found->second.base);
    pinned.erase(found);
}

void HostMemory::clear() {
    downloads.clear();
    uploads.clear();
    for (const auto &entry : pinned) ::free(entry.second.base);
    pinned.clear();
}

size_t HostMemory::registered_count() const {
    size_t count = 0;
    for (const auto &entry : pinned) count += entry.second.is_registered;
    return count;
}

void HostMemory::begin_download(uint64_t target, size_t bytes, uint32_t stream, uint64_t number) {
    Download download = {target, bytes, stream, number, download_count++, false, false, {}};
    // An earlier upload still has to read its source, and an earlier download to deliver; then the poison comes later.
    if (!in_flight(target, bytes)) {
        memset((void *)target, poison, bytes);
        download.poisoned = true;
    }
    downloads.push_back(std::move(download));
}

void HostMemory::arrive(
    uint64_t target, size_t bytes, uint32_t stream, uint64_t number, std::vector<unsigned char> data) {
    for (Download &download : downloads) {
        bool same = download.target == target && download.bytes == bytes && download.stream == stream &&
                    download.number == number && !download.arrived;
        if (!same) continue;
        download.data = std::move(data);
        download.arrived = true;
        // Late poison: nothing else reads or writes the target any more.
        bool alone = !in_flight_besides(download);
        if (alone && !download.poisoned) {
            memset((void *)target, poison, bytes);
            download.poisoned = true;
        }
        return;
    }
    // Its memory was given back meanwhile.
}

std::string HostMemory::unordered_upload(uint64_t target, size_t bytes, const Clock &clock) const {
    for (const Upload &upload : uploads) {
        if (!overlap(upload.source, upload.bytes, target, bytes)) continue;
        if (clock.covers(upload.stream, upload.number)) continue;
        return text(
            "a download writes %zu bytes of host memory at 0x%llx that an upload reads (stream %u, operation %llu), and no "
            "event or wait orders one after the other",
            bytes, (unsigned long long)target, upload.stream, (unsigned long long)upload.number);
    }
    return "";
}

bool HostMemory::in_flight_besides(const Download &mine) const {
    for (const Upload &upload : uploads) {
        if (overlap(upload.source, upload.bytes, mine.target, mine.bytes)) return true;
    }
    for (const Download &other : downloads) {
        if (&other != &mine && overlap(other.target, other.bytes, mine.target, mine.bytes)) return true;
    }
    return false;
}

uint64_t HostMemory::begin_upload(uint64_t source, size_t bytes, uint32_t stream, uint64_t number) {
    uploads.push_back({source, bytes, stream, number});
    return download_count;
}

void HostMemory::end_upload(uint64_t source, uint32_t stream, uint64_t number) {
    auto found = std::find_if(uploads.begin(), uploads.end(), [=](const Upload &upload) {
        return upload.source == source && upload.stream == stream && upload.number == number;
    });
    if (found != uploads.end()) uploads.erase(found);
}

void HostMemory::end_download(uint64_t target, uint32_t stream, uint64_t number) {
    auto found = std::find_if(downloads.begin(), downloads.end(), [=](const Download &download) {
        return download.target == target && download.stream == stream && download.number == number && !download.arrived;
    });
    if (found != downloads.end()) downloads.erase(found);
}

bool HostMemory::has_unfinished(uint64_t address, size_t bytes) const {
    for (const Upload &upload : uploads) {
        if (overlap(upload.source, upload.bytes, address, bytes)) return true;
    }
    for (const Download &download : downloads) {
        if (!download.arrived && overlap(download.target, download.bytes, address, bytes)) return true;
    }
    return false;
}

const Download *HostMemory::overlapping_download(uint64_t address, size_t bytes, const Download *after) const {
    size_t first = after ? (size_t)(after - downloads.data()) + 1 : 0;
    for (size_t i = first; i < downloads.size(); ++i) {
        if (overlap(downloads[i].target, downloads[i].bytes, address, bytes)) return &downloads[i];
    }
    return nullptr;
}

bool HostMemory::in_flight(uint64_t address, size_t bytes) const {
    for (const Upload &upload : uploads) {
        if (overlap(upload.source, upload.bytes, address, bytes)) return true;
    }
    return overlapping_download(address, bytes) != nullptr;
}

std::string HostMemory::overlay(
    uint64_t address, unsigned char *copy, size_t bytes, const Clock &clock, uint64_t earlier) const {
    std::string unordered;
    for (const Download &download : downloads) {
        if (download.sequence >= earlier || !overlap(download.target, download.bytes, address, bytes)) continue;
        if (!clock.covers(download.stream, download.number)) {
            unordered = text(
                "an upload reads %zu bytes of host memory at 0x%llx that a download writes (stream %u, operation %llu), and "
                "no event or wait orders one after the other",
                bytes, (unsigned long long)address, download.stream, (unsigned long long)download.number);
            continue;
        }
        if (!download.arrived) continue;
        uint64_t from = std::max(address, download.target);
        uint64_t to = std::min(address + bytes, download.target + download.bytes);
        memcpy(copy + (from - address), download.data.data() + (from - download.target), to - from);
    }
    return unordered;
}

std::vector<std::string> HostMemory::deliver(const Clock &clock) {
    std::vector<std::string> findings;
    std::vector<Download> kept;
    for (Download &download : downloads) {
        if (!download.arrived || !clock.covers(download.stream, download.number)) {
            kept.push_back(std::move(download));
            continue;
        }
        if (download.poisoned && !holds_only((unsigned char *)download.target, download.bytes, poison)) {
            findings.push_back(text(
                "host memory at 0x%llx was written while a download of %zu bytes into it was in flight",
                (unsigned long long)download.target, download.bytes));
        }
        memcpy((void *)download.target, download.data.data(), download.bytes);
        for (Download &later : downloads) {
            // What follows into the same memory finds these bytes there, not its poison.
            if (&later > &download && overlap(later.target, later.bytes, download.target, download.bytes)) {
                later.poisoned = false;
            }
        }
    }
    downloads = std::move(kept);
    return findings;
}

void HostMemory::drop(uint64_t address, size_t bytes) {
    downloads.erase(
        std::remove_if(
            downloads.begin(), downloads.end(),
            [=](const Download &download) { return overlap(download.target, download.bytes, address, bytes); }),
        downloads.end());
}

uint64_t fingerprint(const void *bytes, size_t count) {
    const unsigned char *at = (const unsigned char *)bytes;
    uint64_t value = 0x9E3779B97F4A7C15u + count;
    for (; count >= 8; count -= 8, at += 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        value = (value ^ word) * 0xD6E8FEB86659FD93u;
        value ^= value >> 32;
    }
    for (; count > 0; --count) value = (value ^ *at++) * 0x100000001B3u;
    return value;
}

bool read_if_mapped(void *to, uint64_t from, size_t bytes) {
    iovec local = {to, bytes}, remote = {(void *)from, bytes};
    return process_vm_readv(getpid(), &local, 1, &remote, 1, 0) == (ssize_t)bytes;
}

} // namespace cudasim
