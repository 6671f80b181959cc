# Every public and package declaration carries a doc comment. `swift format` asks it of public ones only, and
# never of what a protocol requires. Run by lint.sh, in the repository's root.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mapfile -t sources < <(files 'Sources/*.swift' 'Tests/*.swift' 'Benchmarks/*.swift')
[ ${#sources[@]} -eq 0 ] || awk -f "$here/declarations.awk" pass=1 "${sources[@]}" pass=2 "${sources[@]}"
