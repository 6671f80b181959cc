// JSON of machine files: strict, small, no numbers beyond double.
#pragma once
#include <map>
#include <string>
#include <vector>

namespace [[gnu::visibility("hidden")]] cudasim {

class Json {
  public:
    enum class Kind { null, boolean, number, string, array, object };

    // Throws std::string, with the line, when the text is not one JSON value.
    static Json parse(const std::string &text);

    Kind kind = Kind::null;
    bool boolean = false;
    double number = 0;
    std::string string;
    std::vector<Json> items;
    std::map<std::string, Json> members;

    bool is(Kind other) const { return kind == other; }
};

// Reads the members of an object by name and type, and refuses those that nobody asked for: a misspelt member of a
// machine file would otherwise be silently ignored.
class JsonObject {
  public:
    JsonObject(const Json &value, std::string where);

    const Json *find(const std::string &name);
    std::string text(const std::string &name, const std::string &otherwise);
    double number(const std::string &name, double otherwise);
    bool flag(const std::string &name, bool otherwise);
    const std::vector<Json> &list(const std::string &name);
    void finish() const; // throws std::string for a member that was not read
    const std::string &where() const { return place; }

  private:
    const Json *typed(const std::string &name, Json::Kind kind, const char *expected);

    const Json &object;
    std::string place;
    std::map<std::string, bool> known;
};

} // namespace cudasim
