# Paths of source files that a Markdown document names between backticks: line number, tab, path. Only paths with a
# folder count; a name with a capital FILE or a pattern (`*`, `…`) is an example.

/^```/ { inCode = !inCode }
inCode { next }
{
    count = split($0, pieces, "`")
    for (i = 2; i <= count; i += 2) {
        path = pieces[i]
        if (path ~ /^[A-Za-z0-9_.+-]+(\/[A-Za-z0-9_.+-]+)+\.(swift|c|h|sh|py|md)$/) print FNR "\t" path
    }
}
