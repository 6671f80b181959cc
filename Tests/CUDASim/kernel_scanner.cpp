#include "kernel_scanner.h"
#include "condition.h"
#include <algorithm>
#include <cctype>
#include <sstream>

namespace [[gnu::visibility("hidden")]] cudasim {

namespace {

struct Macro {
    std::vector<std::string> parameters;
    std::string body;
};

bool is_word(char c) { return std::isalnum((unsigned char)c) || c == '_'; }

// Comments become a space; lines that end in a backslash are joined.
std::string without_comments(const std::string &text) {
    std::string result;
    for (size_t i = 0; i < text.size(); ++i) {
        if (text.compare(i, 2, "//") == 0) {
            while (i < text.size() && text[i] != '\n') ++i;
            result += '\n';
        } else if (text.compare(i, 2, "/*") == 0) {
            size_t end = text.find("*/", i + 2);
            i = end == text.npos ? text.size() : end + 1;
            result += ' ';
        } else if (text.compare(i, 2, "\\\n") == 0) {
            ++i;
        } else {
            result += text[i];
        }
    }
    return result;
}

std::string trimmed(const std::string &text) {
    size_t first = text.find_first_not_of(" \t\n"), last = text.find_last_not_of(" \t\n");
    return first == text.npos ? "" : text.substr(first, last - first + 1);
}

// The arguments in parentheses from `at` on, split at their own commas; `at` moves behind.
std::vector<std::string> arguments(const std::string &text, size_t &at) {
    std::vector<std::string> result(1);
    int depth = 0;
    for (; at < text.size(); ++at) {
        char c = text[at];
        if (c == '(' && depth++ == 0) continue;
        if (c == ')' && --depth == 0) break;
        if (c == ',' && depth == 1) {
            result.emplace_back();
        } else {
            result.back() += c;
        }
    }
    ++at;
    for (std::string &argument : result) argument = trimmed(argument);
    return result;
}

// Replaces parameters by arguments, and joins what ## joins.
std::string substituted(const Macro &macro, const std::vector<std::string> &values) {
    std::string result;
    for (size_t i = 0; i < macro.body.size();) {
        if (!is_word(macro.body[i])) {
            result += macro.body[i++];
            continue;
        }
        size_t start = i;
        while (i < macro.body.size() && is_word(macro.body[i])) ++i;
        std::string word = macro.body.substr(start, i - start);
        auto found = std::find(macro.parameters.begin(), macro.parameters.end(), word);
        size_t index = (size_t)(found - macro.parameters.begin());
        result += index < macro.parameters.size() && index < values.size() ? values[index] : word;
    }
    for (size_t at; (at = result.find("##")) != result.npos;) {
        size_t before = at, after = at + 2;
        while (before > 0 && std::isspace((unsigned char)result[before - 1])) --before;
        while (after < result.size() && std::isspace((unsigned char)result[after])) ++after;
        result.erase(before, after - before);
    }
    return result;
}

class Scanner {
  public:
    Scanner(const std::map<std::string, std::string> &headers, const std::map<std::string, std::string> &definitions)
        : headers(headers), definitions(definitions) {}

    ScannedSource scan(const std::string &source) {
        std::string code = collect(source, 0);
        if (!branches.empty()) result.problems.push_back("unterminated conditional directive");
        check_braces(code);
        for (int round = 0; round < 8 && expand(code); ++round) {
        }
        find(code);
        return result;
    }

  private:
    // A conditional that is open: whether its present branch counts, and whether one has.
    struct Branch {
        bool counts, has_counted;
    };

    const std::map<std::string, std::string> &headers;
    std::map<std::string, std::string> definitions; // macros without parameters
    std::vector<Branch> branches;
    std::map<std::string, Macro> macros;
    std::vector<std::string> included;
    ScannedSource result;

    // Takes the directives out, includes' texts in.
    std::string collect(const std::string &text, int depth) {
        std::string code;
        std::stringstream lines(without_comments(text));
        for (std::string line; std::getline(lines, line);) {
            std::string start = trimmed(line);
            bool is_directive = !start.empty() && start[0] == '#';
            if (is_directive && takes_conditional(trimmed(start.substr(1)))) continue;
            if (!branches.empty() && !branches.back().counts) continue;
            code += is_directive ? directive(start, depth) : line + "\n";
        }
        return code;
    }

    // The code that a directive brings.
    std::string directive(const std::string &line, int depth) {
        if (line.compare(0, 7, "#define") == 0) define(trimmed(line.substr(7)));
        if (line.compare(0, 6, "#undef") == 0) definitions.erase(trimmed(line.substr(6)));
        if (line.compare(0, 6, "#error") == 0) result.problems.push_back(line);
        return line.compare(0, 8, "#include") == 0 ? include(line, depth) : "";
    }

    // Whether the directive, without its #, is part of a conditional.
    bool takes_conditional(const std::string &text) {
        size_t end = 0;
        while (end < text.size() && is_word(text[end])) ++end;
        std::string word = text.substr(0, end), rest = trimmed(text.substr(end));
        if (word == "if" || word == "ifdef" || word == "ifndef") {
            bool is_reached = branches.empty() || branches.back().counts;
            bool is_met = is_reached && meets(word, rest);
            // A conditional inside what does not count has had its branch.
            branches.push_back({is_met, is_met || !is_reached});
            return true;
        }
        if (word != "elif" && word != "else" && word != "endif") return false;
        if (branches.empty()) {
            result.problems.push_back("#" + word + " without #if");
        } else if (word == "endif") {
            branches.pop_back();
        } else {
            Branch &branch = branches.back();
            branch.counts = !branch.has_counted && (word == "else" || meets("if", rest));
            branch.has_counted |= branch.counts;
        }
        return true;
    }

    bool meets(const std::string &word, const std::string &condition) {
        if (word == "ifdef") return definitions.count(condition) > 0;
        if (word == "ifndef") return definitions.count(condition) == 0;
        try {
            return holds(condition, definitions);
        } catch (const std::string &problem) {
            result.problems.push_back(problem);
            return false;
        }
    }

    std::string include(const std::string &line, int depth) {
        size_t first = line.find_first_of("\"<"), last = line.find_last_of("\">");
        if (first == line.npos || last <= first) return "";
        std::string name = line.substr(first + 1, last - first - 1);
        auto found = headers.find(name);
        if (found == headers.end()) {
            result.problems.push_back("cannot open source file \"" + name + "\"");
            return "";
        }
        bool again = std::find(included.begin(), included.end(), name) != included.end();
        if (again || depth > 16) return "";
        included.push_back(name);
        return collect(found->second, depth + 1);
    }

    void define(const std::string &text) {
        size_t end = 0;
        while (end < text.size() && is_word(text[end])) ++end;
        Macro macro;
        std::string name = text.substr(0, end);
        if (end >= text.size() || text[end] != '(') {
            // No kernel hides in a plain name, but a conditional may ask for it.
            definitions[name] = trimmed(text.substr(end));
            return;
        }
        macro.parameters = arguments(text, end);
        macro.body = text.substr(std::min(end, text.size()));
        macros[name] = macro;
    }

    // Only macros that lead to a kernel matter.
    bool leads_to_kernel(const Macro &macro, int depth = 0) const {
        if (macro.body.find("__global__") != macro.body.npos) return true;
        if (depth > 4) return false;
        for (const auto &other : macros) {
            if (macro.body.find(other.first + "(") == macro.body.npos) continue;
            if (leads_to_kernel(other.second, depth + 1)) return true;
        }
        return false;
    }

    bool expand(std::string &code) const {
        bool any = false;
        std::string expanded;
        for (size_t i = 0; i < code.size();) {
            if (!is_word(code[i])) {
                expanded += code[i++];
                continue;
            }
            size_t start = i;
            while (i < code.size() && is_word(code[i])) ++i;
            std::string word = code.substr(start, i - start);
            auto found = macros.find(word);
            if (found == macros.end() || i >= code.size() || code[i] != '(' || !leads_to_kernel(found->second)) {
                expanded += word;
                continue;
            }
            any = true;
            expanded += substituted(found->second, arguments(code, i));
        }
        code = expanded;
        return any;
    }

    void check_braces(const std::string &code) {
        long depth = 0;
        for (char c : code) depth += c == '{' ? 1 : c == '}' ? -1 : 0;
        if (depth != 0) result.problems.push_back("expected a \"}\": braces do not match");
    }

    // The name before the parameter list that follows `__global__`.
    void find(const std::string &code) {
        for (size_t at = 0; (at = code.find("__global__", at)) != code.npos;) {
            bool is_c = is_extern_c(code, at);
            at += 10;
            size_t body = code.find_first_of("{;", at);
            std::string name = kernel_name(code.substr(at, body == code.npos ? body : body - at));
            bool is_definition = body != code.npos && code[body] == '{';
            if (name.empty() || !is_definition) continue;
            if (!is_c) {
                result.problems.push_back("kernel '" + name + "' is not extern \"C\": its name would be mangled");
            } else if (std::find(result.kernels.begin(), result.kernels.end(), name) == result.kernels.end()) {
                result.kernels.push_back(name);
            }
        }
    }

    static std::string kernel_name(const std::string &declaration) {
        // void __launch_bounds__(256) name(parameters): the last word before a parenthesis at depth 0.
        std::string name, word;
        int depth = 0;
        for (char c : declaration) {
            if (depth == 0 && is_word(c)) {
                word += c;
            } else if (depth == 0 && c == '(') {
                if (!word.empty()) name = word;
            }
            if (depth == 0 && std::isspace((unsigned char)c) && !word.empty()) name = word;
            if (!is_word(c)) word.clear();
            depth += c == '(' ? 1 : c == ')' ? -1 : 0;
        }
        return name;
    }

    // Right before it, or in a block that is still open.
    static bool is_extern_c(const std::string &code, size_t at) {
        size_t last = code.rfind("extern \"C\"", at);
        if (last == code.npos) return false;
        std::string between = code.substr(last + 10, at - last - 10);
        if (between.find('{') == between.npos) return between.find(';') == between.npos;
        if (trimmed(between)[0] != '{') return false;
        long depth = 0;
        for (char c : between) depth += c == '{' ? 1 : c == '}' ? -1 : 0;
        return depth > 0;
    }
};

} // namespace

ScannedSource scan_kernels(
    const std::string &source, const std::map<std::string, std::string> &headers,
    const std::map<std::string, std::string> &definitions) {
    return Scanner(headers, definitions).scan(source);
}

} // namespace cudasim
