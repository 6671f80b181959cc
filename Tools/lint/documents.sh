# The English and the Chinese documents stay equal in structure (headings, code blocks, table rows), and no link,
# picture or named source file is missing. Run by lint.sh, in the repository's root.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
status=0

fault() {
    echo "$1"
    status=1
}

while IFS= read -r english; do
    chinese=${english%.md}.zh-CN.md
    if [ ! -f "$chinese" ]; then
        fault "$english:1: has no Chinese edition: $chinese"
        continue
    fi
    first=$(awk -f "$here/structure.awk" "$english")
    second=$(awk -f "$here/structure.awk" "$chinese")
    [ "$first" = "$second" ] && continue
    # The first line on which the two skeletons part; the line numbers before the tabs may differ.
    pair=$(paste -d $'\001' <(printf '%s\n' "$first") <(printf '%s\n' "$second") | awk -F '\001' '
        function words(line) { return substr(line, index(line, "\t") + 1) }
        words($1) != words($2) {
            printf "%d\001%d\001%s\001%s\n", $1, $2, words($1), words($2)
            exit
        }')
    [ -z "$pair" ] && continue
    IFS=$'\001' read -r line other expected got <<<"$pair"
    fault "$chinese:$((other > 0 ? other : 1)): differs in structure from $english:$((line > 0 ? line : 1)): '${got:-nothing}' against '${expected:-nothing}'"
done < <(files 'README.md' 'docs/*.md' | grep -v '\.zh-CN\.md$' || true)

while IFS= read -r document; do
    folder=$(dirname "$document")
    while IFS=$'\t' read -r line link; do
        [ -e "$folder/$link" ] || fault "$document:$line: links to $link, which is not there"
    done < <(awk -f "$here/links.awk" "$document")
    # A source file that the text names must be there, so that a walk through the files stays true.
    while IFS=$'\t' read -r line path; do
        [ -e "$path" ] || [ -e "Sources/$path" ] || fault "$document:$line: names $path, which is not there"
    done < <(awk -f "$here/paths.awk" "$document")
done < <(files '*.md' ':!Tests/Fixtures/')
exit "$status"
