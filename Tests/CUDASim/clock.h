// What is known to have happened: per stream, the number of its last operation that did. The order of the simulated
// machine is a partial one; two operations of which neither clock covers the other may run in either order.
#pragma once
#include <cstdint>
#include <map>

namespace [[gnu::visibility("hidden")]] cudasim {

class Clock {
  public:
    void set(uint32_t stream, uint64_t number) {
        uint64_t &entry = numbers[stream];
        if (entry < number) entry = number;
    }

    void join(const Clock &other) {
        for (const auto &entry : other.numbers) set(entry.first, entry.second);
    }

    bool covers(uint32_t stream, uint64_t number) const {
        auto found = numbers.find(stream);
        return found != numbers.end() && found->second >= number;
    }

  private:
    std::map<uint32_t, uint64_t> numbers;
};

} // namespace cudasim
