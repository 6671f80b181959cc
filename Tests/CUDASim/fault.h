// Faults by script: which call, or which operation of a stream, fails how, and when.
#pragma once
#include "include/cuda_abi.h"
#include <map>
#include <string>
#include <vector>

namespace [[gnu::visibility("hidden")]] cudasim {

class Json;

// One fault. `call` is an exported function (`cuMemAlloc_v2`), a kind of operation as it runs (`run:kernel`,
// `run:copy`, `run:memset`, `run:host`, `run:graph`, `run:*`), or a kernel (`run:kernel:NAME`).
struct Fault {
    int device = -1; // -1: any
    std::string call;
    unsigned nth = 1;         // the first that fails, counted from 1 for this fault
    unsigned long count = 1;  // how many in a row
    unsigned code = 0;        // 0: none, the call is only delayed
    unsigned delay_ms = 0;
    bool lost = false; // the device falls off the bus: NVML says so too
    unsigned long seen = 0;
};

// What a call or operation meets.
struct Meeting {
    unsigned code = 0;
    unsigned delay_ms = 0;
    bool lost = false;
};

class FaultScript {
  public:
    // `device:call:nth:code[:count]`, separated by `;`, or a JSON array. Throws std::string.
    static std::vector<Fault> parse(const std::string &text);
    static std::vector<Fault> parse(const std::vector<Json> &items, const std::string &where);

    void clear() { faults.clear(); }
    void add(const std::vector<Fault> &more) { faults.insert(faults.end(), more.begin(), more.end()); }
    Meeting meet(const std::string &call, int device);

  private:
    std::vector<Fault> faults;
};

// Errors after which a context is unusable until it is reset.
bool is_sticky(CUresult code);

// The code of a name or a number; throws std::string.
unsigned result_code(const std::string &text);

const char *result_name(CUresult code); // null when unknown
const char *result_text(CUresult code);

} // namespace cudasim
