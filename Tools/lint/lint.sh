#!/usr/bin/env bash
# Checks what the compiler and `swift format` do not: the layers, the doc comments, the text of the sources and
# the two languages of the documents. Needs bash, awk, git and swift; nothing has to be built.
#
#   Tools/lint/lint.sh [DIR]     DIR: the repository to check; default: the one this script is in
#
# Every fault is one line, `file:line: what is wrong`; the exit status is 1 if there was any.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "${1:-$(git -C "$here" rev-parse --show-toplevel)}"

# Tracked files and new ones that git does not ignore, that match the patterns; a deleted file is not listed.
files() {
    git ls-files --cached --others --exclude-standard -- "$@" | sort -u | while IFS= read -r file; do
        if [ -f "$file" ] && [ ! -L "$file" ]; then printf '%s\n' "$file"; fi
    done
}
export -f files

status=0
for check in layering declarations sources documents; do
    if found=$(bash "$here/$check.sh"); then
        [ -z "$found" ] || printf '%s\n' "$found"
    else
        status=1
        printf '%s\n' "$found"
    fi
done
[ "$status" -ne 0 ] || echo "lint: layers, doc comments, sources and documents are clean"
exit "$status"
