#include "condition.h"
#include <cctype>
#include <cstdlib>

namespace [[gnu::visibility("hidden")]] cudasim {

namespace {

using Definitions = std::map<std::string, std::string>;

class Reader {
  public:
    Reader(const std::string &text, const Definitions &definitions, int depth)
        : text(text), definitions(definitions), depth(depth) {}

    long value() {
        long result = any();
        skip_space();
        if (at < text.size()) throw "#if " + text + ": '" + text.substr(at) + "' is not understood";
        return result;
    }

  private:
    const std::string &text;
    const Definitions &definitions;
    int depth; // of definitions by definitions
    size_t at = 0;

    void skip_space() {
        while (at < text.size() && std::isspace((unsigned char)text[at])) ++at;
    }

    bool takes(const char *sign) {
        skip_space();
        size_t length = std::char_traits<char>::length(sign);
        if (text.compare(at, length, sign) != 0) return false;
        at += length;
        return true;
    }

    long any() {
        long result = all();
        while (takes("||")) result = (all() != 0) | (result != 0);
        return result;
    }

    long all() {
        long result = compared();
        while (takes("&&")) result = (compared() != 0) & (result != 0);
        return result;
    }

    long compared() {
        long left = sum();
        for (;;) {
            if (takes("==")) left = left == sum();
            else if (takes("!=")) left = left != sum();
            else if (takes(">=")) left = left >= sum();
            else if (takes("<=")) left = left <= sum();
            else if (takes(">")) left = left > sum();
            else if (takes("<")) left = left < sum();
            else return left;
        }
    }

    long sum() {
        long result = product();
        for (;;) {
            if (takes("+")) result += product();
            else if (takes("-")) result -= product();
            else return result;
        }
    }

    long product() {
        long result = unary();
        for (;;) {
            if (takes("*")) {
                result *= unary();
                continue;
            }
            bool divides = takes("/");
            if (!divides && !takes("%")) return result;
            long divisor = unary();
            if (divisor == 0) throw "#if " + text + ": division by zero";
            result = divides ? result / divisor : result % divisor;
        }
    }

    long unary() {
        skip_space();
        if (text.compare(at, 2, "!=") != 0 && takes("!")) return unary() == 0;
        if (takes("-")) return -unary();
        if (takes("+")) return unary();
        if (takes("(")) {
            long result = any();
            if (!takes(")")) throw "#if " + text + ": a parenthesis is not closed";
            return result;
        }
        if (at < text.size() && std::isdigit((unsigned char)text[at])) return number();
        std::string name = word();
        if (name == "defined") return is_defined();
        auto found = definitions.find(name);
        if (found == definitions.end() || found->second.empty() || depth > 16) return 0;
        return Reader(found->second, definitions, depth + 1).value();
    }

    long number() {
        char *end;
        long result = std::strtol(text.c_str() + at, &end, 0);
        at = (size_t)(end - text.c_str());
        while (at < text.size() && std::isalpha((unsigned char)text[at])) ++at; // 100L, 5u
        return result;
    }

    std::string word() {
        skip_space();
        size_t start = at;
        while (at < text.size() && (std::isalnum((unsigned char)text[at]) || text[at] == '_')) ++at;
        if (at == start) throw "#if " + text + ": a value is missing";
        return text.substr(start, at - start);
    }

    long is_defined() {
        bool closes = takes("(");
        bool result = definitions.count(word()) > 0;
        if (closes && !takes(")")) throw "#if " + text + ": a parenthesis is not closed";
        return result;
    }
};

} // namespace

bool holds(const std::string &expression, const Definitions &definitions) {
    return Reader(expression, definitions, 0).value() != 0;
}

} // namespace cudasim
