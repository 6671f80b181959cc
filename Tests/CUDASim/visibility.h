// What CUDA_VISIBLE_DEVICES and CUDA_DEVICE_ORDER make of a machine's cards.
#pragma once
#include "machine.h"
#include <vector>

namespace [[gnu::visibility("hidden")]] cudasim {

// The cards that a program sees, in its order; null for a variable that is not set. As the driver does it: the first
// characters of the list say what its entries are, the first entry that names nothing ends it, a card that occurs twice
// hides all, and one MIG slice hides every other device. The fastest card is the file's first.
std::vector<size_t> visible_cards(const char *list, const char *order, const Machine &machine);

} // namespace cudasim
