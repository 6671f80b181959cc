#include "visibility.h"
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <strings.h>

namespace [[gnu::visibility("hidden")]] cudasim {

namespace {

const size_t none = SIZE_MAX;

std::vector<std::string> entries_of(const std::string &list) {
    std::vector<std::string> entries(1);
    for (char c : list) {
        if (c == ',') {
            entries.emplace_back();
        } else {
            entries.back() += c;
        }
    }
    return entries;
}

// Digits in front, as strtoul reads them; what follows them is ignored.
size_t by_index(const std::string &entry, const std::vector<size_t> &numbered) {
    char *end;
    long index = std::strtol(entry.c_str(), &end, 10);
    bool names_one = end != entry.c_str() && index >= 0 && (size_t)index < numbered.size();
    return names_one ? numbered[(size_t)index] : none;
}

// The beginning of a name that only one card, or slice, has; case does not matter.
size_t by_name(const std::string &entry, const Machine &machine, bool of_slices) {
    size_t found = none;
    for (size_t i = 0; i < machine.cards.size(); ++i) {
        const Card &card = machine.cards[i];
        if (of_slices && !card.mig.enabled) continue;
        const std::string &name = of_slices ? card.mig.uuid : card.uuid;
        if (entry.size() <= 4 || strncasecmp(entry.c_str(), name.c_str(), entry.size()) != 0) continue;
        if (found != none) return none;
        found = i;
    }
    return found;
}

// The older form, MIG-GPU-<uuid>/<gpu instance>/<compute instance>.
size_t by_instance(const std::string &entry, const Machine &machine) {
    size_t slash = entry.find('/');
    if (slash == entry.npos) return by_name(entry, machine, true);
    size_t card = by_name(entry.substr(4, slash - 4), machine, false);
    if (card == none || !machine.cards[card].mig.enabled) return none;
    const MIGSlice &slice = machine.cards[card].mig;
    std::string numbers = std::to_string(slice.gpu_instance) + "/" + std::to_string(slice.compute_instance);
    return entry.substr(slash + 1) == numbers ? card : none;
}

// A process works with one slice, and with nothing beside it.
std::vector<size_t> with_one_slice(std::vector<size_t> chosen, const Machine &machine) {
    for (size_t card : chosen) {
        if (machine.cards[card].mig.enabled) return {card};
    }
    return chosen;
}

std::vector<size_t> all_cards(const std::vector<size_t> &numbered, const Machine &machine) {
    std::vector<size_t> whole;
    for (size_t card : numbered) {
        if (!machine.cards[card].mig.enabled) whole.push_back(card);
    }
    return whole.empty() ? with_one_slice(numbered, machine) : whole;
}

} // namespace

std::vector<size_t> visible_cards(const char *list, const char *order, const Machine &machine) {
    std::vector<size_t> numbered;
    for (size_t i = 0; i < machine.cards.size(); ++i) numbered.push_back(i);
    if (order && strcmp(order, "PCI_BUS_ID") == 0) numbered = machine.bus_order();
    if (!list) return all_cards(numbered, machine);
    bool are_cards = strncmp(list, "GPU-", 4) == 0, are_slices = strncmp(list, "MIG-", 4) == 0;
    std::vector<size_t> chosen;
    for (const std::string &entry : entries_of(list)) {
        size_t card = are_cards    ? by_name(entry, machine, false)
                      : are_slices ? by_instance(entry, machine)
                                   : by_index(entry, numbered);
        if (card == none) break; // this entry and all that follow are hidden
        if (std::find(chosen.begin(), chosen.end(), card) != chosen.end()) return {};
        chosen.push_back(card);
    }
    return with_one_slice(chosen, machine);
}

} // namespace cudasim
