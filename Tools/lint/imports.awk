# Checks the imports and includes of one target's files. Variables: target; allowed, bans: module names;
# headers: HEADER=TARGET for every public header of the package's C targets.

BEGIN {
    count = split(allowed, names, " ")
    for (i = 1; i <= count; i++) isAllowed[names[i]] = 1
    count = split(bans, names, " ")
    for (i = 1; i <= count; i++) isBanned[names[i]] = 1
    count = split(headers, names, " ")
    for (i = 1; i <= count; i++) {
        split(names[i], pair, "=")
        owner[pair[1]] = pair[2]
    }
}

FILENAME ~ /\.swift$/ && /^[ \t]*(@[A-Za-z_]+(\([^)]*\))?[ \t]+)*([a-z]+[ \t]+)?import[ \t]+/ {
    if ($0 ~ /@testable/) fault("@testable import: tests use public and package API, and run in release")
    if ($0 ~ /@_exported/) fault("@_exported import: it would let importers reach past their own dependencies")
    module = $0
    sub(/^.*import[ \t]+((struct|class|enum|protocol|func|var|let|typealias)[ \t]+)?/, "", module)
    sub(/[^A-Za-z0-9_].*$/, "", module)
    if (module in isBanned) {
        fault(target " must not import " module)
    } else if (!(module in isAllowed) && module != target) {
        fault(target " imports " module ", which its dependencies in Package.swift do not name")
    }
}

FILENAME ~ /\.(c|h|cpp)$/ && /^[ \t]*#[ \t]*include[ \t]*["<]/ {
    header = $0
    sub(/^[^"<]*["<]/, "", header)
    sub(/[">].*$/, "", header)
    if (header in owner && owner[header] != target && !(owner[header] in isAllowed)) {
        fault(target " includes " header " of " owner[header] ", which its dependencies in Package.swift do not name")
    }
    if (header ~ /^\.\.\//) fault("include of a parent folder: " header)
}

function fault(text) {
    printf "%s:%d: %s\n", FILENAME, FNR, text
    status = 1
}

END { exit status }
