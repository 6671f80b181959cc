#include "address_space.h"
#include "failure.h"
#include <cstring>
#include <sys/mman.h>
#include <unistd.h>

namespace [[gnu::visibility("hidden")]] cudasim {

namespace {

const size_t page = 4096;
const size_t alignment = 256; // what cuMemAlloc promises
const unsigned char canary = 0xA5;
const size_t filled_at_once = 16u << 20; // larger ones share pages of 0xFF until they are written
const size_t pattern_bytes = 64u << 20;

size_t rounded(size_t bytes, size_t unit) { return (bytes + unit - 1) / unit * unit; }

// A file of 0xFF bytes in memory, mapped privately by large allocations: 141 GB of NaN cost nothing until written.
int pattern_file() {
    static int file = [] {
        int made = memfd_create("cudasim-fresh", MFD_CLOEXEC);
        if (made < 0 || ftruncate(made, (off_t)pattern_bytes) != 0) return -1;
        void *bytes = mmap(nullptr, pattern_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, made, 0);
        if (bytes == MAP_FAILED) return -1;
        memset(bytes, 0xFF, pattern_bytes);
        munmap(bytes, pattern_bytes);
        return made;
    }();
    return file;
}

bool map_fresh(uint64_t start, size_t bytes) {
    if (bytes <= filled_at_once || pattern_file() < 0) {
        int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE;
        if (mmap((void *)start, bytes, PROT_READ | PROT_WRITE, flags, -1, 0) == MAP_FAILED) return false;
        memset((void *)start, 0xFF, bytes);
        return true;
    }
    for (size_t done = 0; done < bytes; done += pattern_bytes) {
        size_t part = bytes - done < pattern_bytes ? bytes - done : pattern_bytes;
        int flags = MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE;
        void *at = (void *)(start + done);
        if (mmap(at, part, PROT_READ | PROT_WRITE, flags, pattern_file(), 0) == MAP_FAILED) return false;
    }
    return true;
}

bool all_canary(uint64_t from, uint64_t to) {
    for (uint64_t at = from; at < to; ++at) {
        if (*(const unsigned char *)at != canary) return false;
    }
    return true;
}

} // namespace

void AddressSpace::reserve(const std::vector<size_t> &capacities) {
    release();
    size_t largest = page;
    for (size_t bytes : capacities) largest = bytes > largest ? bytes : largest;
    // Room to hand out every byte several times before an address comes back.
    for (stride = 1u << 30; stride < largest * 4;) stride *= 2;
    if (capacities.empty()) return;
    size_t whole = stride * capacities.size();
    void *at = mmap(nullptr, whole, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) throw text("no address range of %zu bytes for the devices' memory", whole);
    base = (uint64_t)at;
    for (size_t i = 0; i < capacities.size(); ++i) {
        Range range;
        range.start = range.cursor = base + i * stride;
        range.end = range.start + stride;
        ranges.push_back(std::move(range));
    }
}

void AddressSpace::release() {
    if (base) munmap((void *)base, stride * ranges.size());
    ranges.clear();
    base = 0;
    next_number = 0;
}

int AddressSpace::owner(uint64_t address) const {
    if (!base || address < base || address >= base + stride * ranges.size()) return -1;
    return (int)((address - base) / stride);
}

uint64_t AddressSpace::find_gap(Range &range, size_t bytes) {
    // Behind the last allocation, round and round: the address that was freed longest ago is the next to come back.
    for (int round = 0; round < 2; ++round) {
        uint64_t at = range.cursor;
        while (at + bytes <= range.end) {
            auto next = range.allocations.lower_bound(at);
            while (next != range.allocations.end() && !next->second.live) ++next;
            if (next == range.allocations.end() || at + bytes <= next->first - page) return at;
            at = next->first + next->second.page_bytes;
        }
        range.cursor = range.start;
    }
    return 0;
}

const Allocation *AddressSpace::allocate(int device, size_t bytes) {
    Range &range = ranges[(size_t)device];
    size_t pages = rounded(rounded(bytes, alignment), page);
    uint64_t gap = find_gap(range, pages + 2 * page);
    if (!gap) return nullptr;
    Allocation allocation;
    allocation.first_page = gap + page;
    allocation.page_bytes = pages;
    allocation.bytes = bytes;
    allocation.address = allocation.first_page + pages - rounded(bytes, alignment);
    allocation.number = ++next_number;
    if (!map_fresh(allocation.first_page, pages)) return nullptr;
    memset((void *)allocation.first_page, canary, allocation.address - allocation.first_page);
    memset((void *)allocation.end(), canary, allocation.first_page + pages - allocation.end());
    range.cursor = gap + pages + page;
    auto first = range.allocations.lower_bound(gap);
    auto last = range.allocations.lower_bound(range.cursor);
    range.allocations.erase(first, last); // freed ones whose place this takes
    return &(range.allocations[allocation.first_page] = allocation);
}

void AddressSpace::make_inaccessible(Allocation &allocation) {
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE;
    mmap((void *)allocation.first_page, allocation.page_bytes, PROT_NONE, flags, -1, 0);
    allocation.live = false;
}

bool AddressSpace::free(int device, uint64_t address) {
    const Allocation *found = containing(address, 0);
    if (!found || found->address != address) return false;
    make_inaccessible(ranges[(size_t)device].allocations[found->first_page]);
    return true;
}

void AddressSpace::free_all(int device) {
    for (auto &entry : ranges[(size_t)device].allocations) {
        if (entry.second.live) make_inaccessible(entry.second);
    }
}

const Allocation *AddressSpace::nearest(uint64_t address) const {
    int device = owner(address);
    if (device < 0) return nullptr;
    const auto &allocations = ranges[(size_t)device].allocations;
    auto next = allocations.upper_bound(address);
    if (next == allocations.begin()) return next == allocations.end() ? nullptr : &next->second;
    auto before = std::prev(next);
    // The guard page before an allocation belongs to it.
    if (next != allocations.end() && address >= next->first - page) return &next->second;
    return &before->second;
}

const Allocation *AddressSpace::containing(uint64_t address, size_t bytes) const {
    const Allocation *found = nearest(address);
    // The address behind the last byte is a fair one for no bytes.
    if (!found || !found->live || address < found->address || address > found->end()) return nullptr;
    return bytes <= found->end() - address ? found : nullptr;
}

std::string AddressSpace::describe(uint64_t address) const {
    int device = owner(address);
    if (device < 0) return text("0x%llx, an address of no device", (unsigned long long)address);
    const Allocation *found = nearest(address);
    if (!found) return text("0x%llx, nothing allocated on device %d", (unsigned long long)address, device);
    std::string place;
    if (address >= found->end()) {
        place = text("%llu bytes past the end of", (unsigned long long)(address - found->end()));
    } else if (address < found->address) {
        place = text("%llu bytes before", (unsigned long long)(found->address - address));
    } else {
        place = text("byte %llu of", (unsigned long long)(address - found->address));
    }
    return text(
        "0x%llx, %s %sallocation %u (%zu bytes, device %d)", (unsigned long long)address, place.c_str(),
        found->live ? "" : "the freed ", found->number, found->bytes, device);
}

std::string AddressSpace::damage(const Allocation &allocation) const {
    if (!allocation.live) return "";
    uint64_t last = allocation.first_page + allocation.page_bytes;
    if (!all_canary(allocation.first_page, allocation.address)) return "a write before its start";
    if (!all_canary(allocation.end(), last)) return "a write past its end";
    return "";
}

std::vector<const Allocation *> AddressSpace::live(int device) const {
    std::vector<const Allocation *> result;
    for (const auto &entry : ranges[(size_t)device].allocations) {
        if (entry.second.live) result.push_back(&entry.second);
    }
    return result;
}

} // namespace cudasim
