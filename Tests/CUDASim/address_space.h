// The memory of the devices: an address range each, so that the owner of an address is arithmetic.
//
//     | no access | canary | allocation … | slack, canary | no access |
//
// An allocation ends as near to its guard page as its alignment of 256 bytes allows; what is left on both sides within
// the pages is filled with a canary. Fresh memory is 0xFF (NaN in every floating-point format). Freed memory is
// inaccessible, and its addresses come back as late as the range allows.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace [[gnu::visibility("hidden")]] cudasim {

struct Allocation {
    uint64_t address = 0;
    size_t bytes = 0;
    uint64_t first_page = 0; // of the accessible pages
    size_t page_bytes = 0;
    unsigned number = 0; // in the order of allocation
    bool live = true;
    size_t charged = 0; // what the device's budget counts

    uint64_t end() const { return address + bytes; }
};

class AddressSpace {
  public:
    ~AddressSpace() { release(); }

    void reserve(const std::vector<size_t> &capacities);
    void release();

    // The device of an address, or -1.
    int owner(uint64_t address) const;

    // Null when the address range is used up.
    const Allocation *allocate(int device, size_t bytes);
    // The live allocation that starts there is freed; false when there is none.
    bool free(int device, uint64_t address);
    void free_all(int device);

    // The live allocation in which all of these bytes lie, or null.
    const Allocation *containing(uint64_t address, size_t bytes) const;
    // What an address is, in words: "16 bytes past the end of allocation 3 (1024 bytes, device 0)".
    std::string describe(uint64_t address) const;
    // Empty, or which side of the allocation was written over.
    std::string damage(const Allocation &allocation) const;

    std::vector<const Allocation *> live(int device) const;

  private:
    struct Range {
        uint64_t start = 0, end = 0, cursor = 0;
        std::map<uint64_t, Allocation> allocations; // by first page; freed ones too, until their place is taken
    };

    uint64_t find_gap(Range &range, size_t bytes);
    void make_inaccessible(Allocation &allocation);
    const Allocation *nearest(uint64_t address) const;

    std::vector<Range> ranges;
    uint64_t base = 0;
    size_t stride = 0;
    unsigned next_number = 0;
};

} // namespace cudasim
