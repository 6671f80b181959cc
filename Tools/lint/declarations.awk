# Finds public, package and open declarations, and requirements of such protocols, with no `///` above them.
# What satisfies a documented requirement, of a protocol of this package or of the standard library, is let off: the
# promise stands where the requirement is. It reads lines, not syntax: attributes, `#if` lines and plain comments may
# stand between comment and declaration. The files are given twice, after pass=1 and after pass=2.

FNR == 1 { documented = inText = openParentheses = depth = protocolDepth = 0 }

{
    quotes = gsub(/"""/, "\"\"\"")
    if (inText) {
        if (quotes % 2) inText = 0
        next
    }
    if (quotes % 2) inText = 1

    code = $0
    sub(/^[ \t]+/, "", code)
    if (code ~ /^\/\/\//) { documented = 1; next }
    if (code ~ /^\/\// || code ~ /^#(if|else|elseif|endif)/) next
    if (code == "") { documented = 0; next }
    gsub(/\\"/, "", code)
    gsub(/"[^"]*"/, "\"\"", code)
    sub(/\/\/.*$/, "", code)

    # An attribute with parentheses may run over several lines.
    if (openParentheses > 0) {
        openParentheses += balance(code, "(", ")")
        next
    }
    while (match(code, /^@[A-Za-z_][A-Za-z0-9_.]*/)) {
        code = substr(code, RLENGTH + 1)
        if (code ~ /^\(/) code = afterParentheses(code)
        sub(/^[ \t]+/, "", code)
    }
    if (code == "") next
    if (code ~ /^([a-z]+[ \t]+)?import[ \t]/) {
        documented = 0
        next
    }

    declares = match(code, /(^|[ \t])(func|var|let|struct|class|enum|protocol|actor|extension|init|subscript|typealias|associatedtype|case|macro)([^A-Za-z0-9_:.,]|$)/)
    modifiers = declares ? substr(code, 1, RSTART - 1) : ""
    # What stands before the keyword must be modifiers only: `public static`, `package private(set)`.
    if (declares && modifiers ~ /^([a-z]+(\([a-z]+\))?[ \t]*)*$/) {
        split(substr(code, RSTART), words, /[^A-Za-z0-9_]+/)
        keyword = words[1] != "" ? words[1] : words[2]
        name = words[1] != "" ? words[2] : words[3]
        isVisible = (" " modifiers " ") ~ /[ \t](public|package|open)[ \t]/
        isRequired = protocolDepth && depth == protocolDepth
        if (keyword ~ /^(struct|class|enum|actor|extension)$/) {
            typeAt[depth + 1] = name
            if (pass == 1) noteConformances(name, code)
        }
        if (pass == 1 && isRequired) requires[protocolName, name] = 1
        if (pass == 2 && (isVisible || isRequired) && keyword != "extension" && !documented && !isWitness(code)) {
            fault(code)
        }
        if (isVisible && keyword == "protocol") {
            protocolDepth = depth + 1
            protocolName = name
        }
    }
    documented = 0
    depth += balance(code, "{", "}")
    if (depth < protocolDepth) protocolDepth = 0
}

# Remembers the protocols after the colon of `struct Name<…>: A, B {`.
function noteConformances(type, code,    list) {
    list = code
    if (!sub(/^[^:]*:/, "", list)) return
    sub(/(where[ \t].*)?\{.*$/, "", list)
    gsub(/[^A-Za-z0-9_]+/, " ", list)
    conformances[type] = conformances[type] " " list
}

function isWitness(code,    type, protocols, count, i) {
    if (code ~ /var (description|debugDescription|hashValue|id|unownedExecutor): /) return 1
    if (code ~ /func (==|<|hash\(into|encode\(to|asUnownedSerialExecutor\(|enqueue\()/) return 1
    if (code ~ /init\(from decoder/) return 1
    type = typeAt[depth]
    count = split(conformances[type], protocols, " ")
    for (i = 1; i <= count; i++) if ((protocols[i], name) in requires) return 1
    return 0
}

function balance(text, opening, closing,    i, character, sum) {
    for (i = 1; i <= length(text); i++) {
        character = substr(text, i, 1)
        if (character == opening) sum++
        if (character == closing) sum--
    }
    return sum + 0
}

# What follows the closing parenthesis; nothing, with openParentheses set, when it is on a later line.
function afterParentheses(text,    i, character, nesting) {
    for (i = 1; i <= length(text); i++) {
        character = substr(text, i, 1)
        if (character == "(") nesting++
        if (character == ")" && --nesting == 0) return substr(text, i + 1)
    }
    openParentheses = nesting
    return ""
}

function fault(code) {
    sub(/[ \t]*\{.*$/, "", code)
    printf "%s:%d: no doc comment: %s\n", FILENAME, FNR, code
    status = 1
}

END { exit status }
