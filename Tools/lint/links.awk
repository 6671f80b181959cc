# Relative link targets of a Markdown document, outside code: line number, tab, path without its anchor.

/^```/ { inCode = !inCode }
inCode { next }
{
    text = $0
    gsub(/`[^`]*`/, "", text)
    while (match(text, /\]\([^)]*\)/)) {
        link = substr(text, RSTART + 2, RLENGTH - 3)
        text = substr(text, RSTART + RLENGTH)
        sub(/[ \t].*$/, "", link)
        sub(/#.*$/, "", link)
        if (link != "" && link !~ /^[a-z]+:/) print FNR "\t" link
    }
}
