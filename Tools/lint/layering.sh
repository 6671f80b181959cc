# Compares every `import` with the dependencies that Package.swift declares for the file's target: SwiftPM itself
# lets a target import what it only reaches through another one. Run by lint.sh, in the repository's root.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# System modules that any target, or any test, may import …
system_modules='Foundation Glibc Musl Synchronization Dispatch'
test_modules='Testing FoundationXML'
# … except these, by target: a tensor, a picture and a plan need none of Foundation.
banned='
FacetTensor Foundation FoundationEssentials
FacetJSON Foundation FoundationEssentials
FacetImage Foundation FoundationEssentials
FacetPlacement Foundation FoundationEssentials
FacetPlanReport Foundation FoundationEssentials
'

# One line per target: name, type, path, dependencies (tabs between).
scratch=$(mktemp -d)  # a scratch path of its own: a build that is running does not hold up the check
trap 'rm -rf "$scratch"' EXIT
targets=$(swift package --scratch-path "$scratch" dump-package | awk -f "$here/targets.awk")
[ -n "$targets" ] || {
    echo "Package.swift:1: no target was read from 'swift package dump-package'; has its output changed?"
    exit 1
}

public_headers() { # of a C target, as they are included
    (cd "$1/include" 2>/dev/null && find . -name '*.h' | sed 's|^\./||' | tr '\n' ' ') || true
}

other_headers=''
while IFS=$'\t' read -r name kind path dependencies; do
    for header in $(public_headers "$path"); do other_headers+="$header=$name "; done
done <<<"$targets"

status=0
while IFS=$'\t' read -r name kind path dependencies; do
    allowed="$dependencies $system_modules"
    [ "$kind" = test ] || [[ $path == Tests/* ]] && allowed+=" $test_modules"
    bans=$(awk -v target="$name" '$1 == target { $1 = ""; print }' <<<"$banned")
    mapfile -t sources < <(files "$path/*.swift" "$path/*.c" "$path/*.h" "$path/*.cpp")
    [ ${#sources[@]} -gt 0 ] || continue
    awk -v target="$name" -v allowed="$allowed" -v bans="$bans" -v headers="$other_headers" \
        -f "$here/imports.awk" "${sources[@]}" || status=1
done <<<"$targets"

# The table of targets in ARCHITECTURE.md says the same: each target has a row, which names its dependencies.
if [ -f ARCHITECTURE.md ]; then
    while IFS=$'\t' read -r name kind path dependencies; do
        [ "$kind" != test ] || continue
        row=$(grep -n "^| \`$name\`" ARCHITECTURE.md || true)
        if [ -z "$row" ]; then
            echo "ARCHITECTURE.md:1: its table of targets lacks $name"
            status=1
        fi
        [[ $row != *'all libraries above'* ]] || continue
        for dependency in $dependencies; do
            [ -n "$row" ] && grep -q "^$dependency"$'\t' <<<"$targets" && [[ $row != *"\`$dependency\`"* ]] || continue
            echo "ARCHITECTURE.md:${row%%:*}: the row of $name does not name $dependency, on which it depends"
            status=1
        done
    done <<<"$targets"
fi
exit "$status"
