// Handles that are never used twice, so that one that was destroyed is known when it comes back.
#pragma once
#include "failure.h"
#include <cstdint>
#include <map>
#include <memory>

namespace [[gnu::visibility("hidden")]] cudasim {

// One count for all kinds, so that no handle is taken for one of another kind. The numbers lie below 64 KiB at first and are
// never mapped addresses: a handle that is read through faults at once.
inline uintptr_t next_handle() {
    static uintptr_t last = 0x7000;
    return last += 0x10;
}

// `Handle` is the interface's pointer type; the value is a number that is no address.
template <class T, class Handle> class HandleTable {
  public:
    explicit HandleTable(const char *noun) : noun(noun) {}

    Handle add(std::shared_ptr<T> object) {
        uintptr_t key = next_handle();
        objects.emplace(key, std::move(object));
        return (Handle)key;
    }

    std::shared_ptr<T> find(Handle handle) const {
        auto found = objects.find((uintptr_t)handle);
        return found == objects.end() ? nullptr : found->second;
    }

    std::shared_ptr<T> get(Handle handle) const {
        std::shared_ptr<T> object = find(handle);
        if (!object) fail(CUDA_ERROR_INVALID_HANDLE, "%p is not a live %s", (void *)handle, noun);
        return object;
    }

    void remove(Handle handle) { objects.erase((uintptr_t)handle); }
    void clear() { objects.clear(); }
    size_t size() const { return objects.size(); }
    const std::map<uintptr_t, std::shared_ptr<T>> &all() const { return objects; }

  private:
    const char *noun;
    std::map<uintptr_t, std::shared_ptr<T>> objects;
};

} // namespace cudasim
