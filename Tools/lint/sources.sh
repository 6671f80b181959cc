# What must not stand in the repository's text: notes to self without an issue, paths of one machine, crashes
# where an error belongs, printing from libraries, files that have grown past one noun.
# Run by lint.sh, in the repository's root.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mapfile -t texts < <(files '*.swift' '*.c' '*.h' '*.cpp' '*.sh' '*.awk' '*.py' '*.md' '*.yml' Makefile .ci/run ':!Tools/lint/' \
    ':!Tests/Fixtures/')
[ ${#texts[@]} -eq 0 ] || awk -f "$here/sources.awk" "${texts[@]}"
