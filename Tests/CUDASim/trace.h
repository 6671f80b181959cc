// What the simulator tells afterwards: the record of calls and operations, and findings.
#pragma once
#include <string>
#include <vector>

namespace [[gnu::visibility("hidden")]] cudasim {

class Trace {
  public:
    bool enabled = false;

    void add(const std::string &line) {
        if (enabled) lines.push_back(line);
    }

    // Misuse that real hardware answers with wrong data or not at all. Also written to stderr; FACET_CUDASIM_ABORT=1 ends
    // the process there.
    void find(const std::string &what);

    void clear();
    std::string text() const;
    const std::vector<std::string> &found() const { return findings; }

  private:
    std::vector<std::string> lines, findings;
};

} // namespace cudasim
