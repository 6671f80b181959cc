#include "json.h"
#include <cctype>
#include <cstdlib>

namespace [[gnu::visibility("hidden")]] cudasim {

namespace {

class Parser {
  public:
    explicit Parser(const std::string &text) : text(text) {}

    Json whole() {
        Json value = parse_value(0);
        skip_space();
        if (at != text.size()) fail("text after the value");
        return value;
    }

  private:
    const std::string &text;
    size_t at = 0;

    [[noreturn]] void fail(const std::string &what) const {
        size_t line = 1;
        for (size_t i = 0; i < at && i < text.size(); ++i) line += text[i] == '\n';
        throw "line " + std::to_string(line) + ": " + what;
    }

    void skip_space() {
        while (at < text.size() && std::isspace((unsigned char)text[at])) ++at;
    }

    bool take(char c) {
        skip_space();
        if (at >= text.size() || text[at] != c) return false;
        ++at;
        return true;
    }

    void expect(char c) {
        if (!take(c)) fail(std::string("expected '") + c + "'");
    }

    bool take_word(const char *word) {
        size_t length = std::char_traits<char>::length(word);
        if (text.compare(at, length, word) != 0) return false;
        at += length;
        return true;
    }

    Json parse_value(int depth) {
        if (depth > 32) fail("nested too deeply");
        skip_space();
        if (at >= text.size()) fail("the text ends where a value should begin");
        if (text[at] == '{') return parse_object(depth);
        if (text[at] == '[') return parse_array(depth);
        Json value;
        if (text[at] == '"') {
            value.kind = Json::Kind::string;
            value.string = parse_string();
        } else if (take_word("true") || take_word("false")) {
            value.kind = Json::Kind::boolean;
            value.boolean = text[at - 2] == 'u';
        } else if (!take_word("null")) {
            value.kind = Json::Kind::number;
            value.number = parse_number();
        }
        return value;
    }

    Json parse_object(int depth) {
        Json value;
        value.kind = Json::Kind::object;
        expect('{');
        if (take('}')) return value;
        do {
            skip_space();
            if (at >= text.size() || text[at] != '"') fail("expected a member's name");
            std::string name = parse_string();
            expect(':');
            if (!value.members.emplace(name, parse_value(depth + 1)).second) fail("member '" + name + "' stands twice");
        } while (take(','));
        expect('}');
        return value;
    }

    Json parse_array(int depth) {
        Json value;
        value.kind = Json::Kind::array;
        expect('[');
        if (take(']')) return value;
        do {
            value.items.push_back(parse_value(depth + 1));
        } while (take(','));
        expect(']');
        return value;
    }

    std::string parse_string() {
        std::string result;
        for (++at;; ++at) {
            if (at >= text.size() || (unsigned char)text[at] < 0x20) fail("a string without an end");
            if (text[at] == '"') break;
            if (text[at] != '\\') {
                result += text[at];
                continue;
            }
            static const std::string from = "\"\\/bfnrt", to = "\"\\/\b\f\n\r\t";
            size_t index = ++at < text.size() ? from.find(text[at]) : std::string::npos;
            if (index == std::string::npos) fail("an escape that machine files do not use");
            result += to[index];
        }
        ++at;
        return result;
    }

    double parse_number() {
        const char *start = text.c_str() + at;
        if (*start != '-' && !std::isdigit((unsigned char)*start)) fail("not a value");
        char *end = nullptr;
        double number = std::strtod(start, &end);
        at += (size_t)(end - start);
        return number;
    }
};

} // namespace

Json Json::parse(const std::string &text) { return Parser(text).whole(); }

JsonObject::JsonObject(const Json &value, std::string where) : object(value), place(std::move(where)) {
    if (!value.is(Json::Kind::object)) throw place + ": expected an object";
}

const Json *JsonObject::find(const std::string &name) {
    known[name] = true;
    auto found = object.members.find(name);
    return found == object.members.end() ? nullptr : &found->second;
}

const Json *JsonObject::typed(const std::string &name, Json::Kind kind, const char *expected) {
    const Json *value = find(name);
    if (value && !value->is(kind)) throw place + "." + name + ": expected " + expected;
    return value;
}

std::string JsonObject::text(const std::string &name, const std::string &otherwise) {
    const Json *value = typed(name, Json::Kind::string, "a string");
    return value ? value->string : otherwise;
}

double JsonObject::number(const std::string &name, double otherwise) {
    const Json *value = typed(name, Json::Kind::number, "a number");
    return value ? value->number : otherwise;
}

bool JsonObject::flag(const std::string &name, bool otherwise) {
    const Json *value = typed(name, Json::Kind::boolean, "true or false");
    return value ? value->boolean : otherwise;
}

const std::vector<Json> &JsonObject::list(const std::string &name) {
    static const std::vector<Json> none;
    const Json *value = typed(name, Json::Kind::array, "an array");
    return value ? value->items : none;
}

void JsonObject::finish() const {
    for (const auto &member : object.members) {
        if (!known.count(member.first)) throw place + ": member '" + member.first + "' is not known";
    }
}

} // namespace cudasim
