# Reads `swift package dump-package` (JSON, one key or bracket a line, two spaces a level) and prints for each
# target of the package: name, type, path, the names it depends on. Tabs between the four, spaces between names.

/^  "targets" : \[/ { inside = 1; next }
!inside { next }
/^  \]/ { inside = 0; next }

/^    \{/ { name = kind = path = dependencies = ""; section = ""; next }
/^      "[A-Za-z]+" : / {
    section = quoted($0, 1)
    if (section == "name") name = quoted($0, 2)
    if (section == "type") kind = quoted($0, 2)
    if (section == "path") path = quoted($0, 2)
    next
}
# A dependency is an array whose first element is the name of a target or of another package's product.
section == "dependencies" && /"(byName|target|product)" : \[/ { expected = 1; next }
section == "dependencies" && expected {
    dependencies = dependencies (dependencies == "" ? "" : " ") quoted($0, 1)
    expected = 0
    next
}
/^    \}/ {
    if (path == "") path = (kind == "test" ? "Tests/" : "Sources/") name
    printf "%s\t%s\t%s\t%s\n", name, kind, path, dependencies
}

# The n-th "quoted" piece of a line.
function quoted(line, n,    parts) {
    split(line, parts, "\"")
    return parts[2 * n]
}
