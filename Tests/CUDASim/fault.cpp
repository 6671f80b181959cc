#include "fault.h"
#include "json.h"
#include <cstring>
#include <sstream>

namespace [[gnu::visibility("hidden")]] cudasim {

namespace {

struct Named {
    const char *name;
    unsigned code;
    const char *text;
};

#define NAMED(name, number, text) {#name, number, text},
const Named results[] = {CUDASIM_RESULTS(NAMED)};

const Named *named(unsigned code) {
    for (const Named &result : results) {
        if (result.code == code) return &result;
    }
    return nullptr;
}

Fault parse_fields(const std::string &text) {
    // The call may hold colons itself (run:kernel:NAME), so the fields are taken from both ends.
    std::vector<std::string> fields;
    std::stringstream stream(text);
    for (std::string field; std::getline(stream, field, ':');) fields.push_back(field);
    auto is_number = [](const std::string &s) { return !s.empty() && s.find_first_not_of("0123456789") == s.npos; };
    bool counted = fields.size() > 4 && is_number(fields.back()) && is_number(fields[fields.size() - 3]);
    size_t tail = counted ? 3 : 2;
    if (fields.size() < tail + 2 || !is_number(fields[fields.size() - tail])) {
        throw "fault '" + text + "': expected device:call:nth:code[:count]";
    }
    Fault fault;
    if (fields[0] != "*" && !is_number(fields[0])) throw "fault '" + text + "': the device is a number or *";
    fault.device = fields[0] == "*" ? -1 : std::stoi(fields[0]);
    for (size_t i = 1; i < fields.size() - tail; ++i) fault.call += (i > 1 ? ":" : "") + fields[i];
    fault.nth = (unsigned)std::stoul(fields[fields.size() - tail]);
    fault.code = result_code(fields[fields.size() - tail + 1]);
    if (counted) fault.count = std::stoul(fields.back());
    return fault;
}

Fault parse_object(const Json &item, const std::string &where) {
    JsonObject object(item, where);
    Fault fault;
    fault.device = (int)object.number("device", -1);
    fault.call = object.text("call", "");
    fault.nth = (unsigned)object.number("nth", 1);
    fault.count = (unsigned long)object.number("count", 1);
    fault.delay_ms = (unsigned)object.number("delay_ms", 0);
    fault.lost = object.flag("lost", false);
    const Json *code = object.find("code");
    if (code) fault.code = code->is(Json::Kind::string) ? result_code(code->string) : (unsigned)code->number;
    if (fault.lost && !code) fault.code = CUDA_ERROR_UNKNOWN;
    object.finish();
    if (fault.call.empty()) throw where + ": 'call' is missing";
    if (fault.nth == 0) throw where + ".nth: counts from 1";
    return fault;
}

bool matches(const Fault &fault, const std::string &call, int device) {
    if (fault.device >= 0 && fault.device != device) return false;
    if (fault.call == call) return true;
    if (fault.call == "run:*") return call.compare(0, 4, "run:") == 0;
    // run:kernel stands for every kernel.
    return fault.call == "run:kernel" && call.compare(0, 11, "run:kernel:") == 0;
}

} // namespace

std::vector<Fault> FaultScript::parse(const std::string &text) {
    size_t first = text.find_first_not_of(" \t\n");
    if (first != text.npos && text[first] == '[') return parse(Json::parse(text).items, "faults");
    std::vector<Fault> faults;
    std::stringstream stream(text);
    for (std::string one; std::getline(stream, one, ';');) {
        if (!one.empty()) faults.push_back(parse_fields(one));
    }
    return faults;
}

std::vector<Fault> FaultScript::parse(const std::vector<Json> &items, const std::string &where) {
    std::vector<Fault> faults;
    for (const Json &item : items) {
        faults.push_back(parse_object(item, where + "[" + std::to_string(faults.size()) + "]"));
    }
    return faults;
}

Meeting FaultScript::meet(const std::string &call, int device) {
    Meeting meeting;
    for (Fault &fault : faults) {
        if (!matches(fault, call, device)) continue;
        unsigned long number = ++fault.seen;
        if (number < fault.nth || number >= fault.nth + fault.count) continue;
        meeting.delay_ms += fault.delay_ms;
        if (fault.code && !meeting.code) meeting.code = fault.code;
        meeting.lost |= fault.lost;
    }
    return meeting;
}

bool is_sticky(CUresult code) {
    switch (code) {
    case CUDA_ERROR_ECC_UNCORRECTABLE:
    case CUDA_ERROR_NVLINK_UNCORRECTABLE:
    case CUDA_ERROR_ILLEGAL_ADDRESS:
    case CUDA_ERROR_LAUNCH_TIMEOUT:
    case CUDA_ERROR_ASSERT:
    case CUDA_ERROR_HARDWARE_STACK_ERROR:
    case CUDA_ERROR_ILLEGAL_INSTRUCTION:
    case CUDA_ERROR_MISALIGNED_ADDRESS:
    case CUDA_ERROR_INVALID_ADDRESS_SPACE:
    case CUDA_ERROR_INVALID_PC:
    case CUDA_ERROR_LAUNCH_FAILED:
    case CUDA_ERROR_UNKNOWN: return true;
    default: return false;
    }
}

unsigned result_code(const std::string &text) {
    for (const Named &result : results) {
        if (text == result.name) return result.code;
    }
    if (text.empty() || text.find_first_not_of("0123456789") != text.npos) {
        throw "'" + text + "' is neither a number nor the name of a CUresult";
    }
    return (unsigned)std::stoul(text);
}

const char *result_name(CUresult code) {
    const Named *result = named(code);
    return result ? result->name : nullptr;
}

const char *result_text(CUresult code) {
    const Named *result = named(code);
    return result ? result->text : nullptr;
}

} // namespace cudasim
