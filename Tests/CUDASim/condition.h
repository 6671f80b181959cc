// What a preprocessor's `#if` asks.
#pragma once
#include <map>
#include <string>

namespace [[gnu::visibility("hidden")]] cudasim {

// Whether the expression is not 0: integers, `defined`, names by their definitions (others are 0), and C's operators but
// for shifts, bits and `?:`. Throws std::string for what it cannot read.
bool holds(const std::string &expression, const std::map<std::string, std::string> &definitions);

} // namespace cudasim
