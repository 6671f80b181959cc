#!/usr/bin/env bash
# Checks and measures one NVIDIA card in ten minutes, on a machine that has a driver, Python with PyTorch, transformers
# and NVIDIA's wheels, and the folder that Tools/static/bundle.sh makes: this script runs from there as from a clone.
#
#   Benchmarks/gpu.sh [--output DIR] [--minutes 10] [--only STEP,…]
#   Benchmarks/gpu.sh --rehearse [--simulator FILE]…   the same on the simulated driver of Tests/CUDASim, with a tiny
#                                                      model and PyTorch on the processor: it shows that the script runs
#
# Each step has a result file and a time limit of its own, and a step that fails stops nothing. Nothing begins that the
# minutes have no room for. At the end, or when it is interrupted, everything is in DIR/gpu.json, and a table is printed.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$here")

fail() {
    echo "gpu: $*" >&2
    exit 64
}

# ── The command lines: NAME, seconds, command ────────────────────────────────────────────────────────────────────────
# The order is that of importance; a step that the minutes have no room for is left out.
run_steps() {
    local kernels=$programs/kernels
    compgen -G "$programs/kernels-*" >/dev/null && kernels=$(echo "$programs"/kernels-*)

    # The driver's own word; the simulated one brings no nvidia-smi.
    local asked=name,uuid,driver_version,memory.total,power.limit,clocks.max.sm
    [ "$rehearsing" = yes ] || step driver 10 nvidia-smi "--query-gpu=$asked" --format=csv
    step doctor 60 "$facet" doctor --json

    # Every instruction wrapper of dev.cuh, then every kernel, against float64 arithmetic.
    step conformance 30 "$programs/check-on-card" "$kernels" conform
    step kernels 90 "$programs/check-on-card" "$kernels"

    # The reference cases: on the card, and on logical devices of one card.
    step verify-1 60 "$facet" verify --json --devices cuda "$cases"
    local part=cuda:0=$share
    step verify-2 30 "$facet" verify --json --devices "$part,$part" "$cases"
    step verify-4 30 "$facet" verify --json --devices "$part,$part,$part,$part" "$cases"

    # The model at its sizes, with random weights made on the device.
    local bench=("$facet" bench model --json "${model[@]}" --devices cuda --prompt-tokens "$prompt" --new-tokens "$new")
    step model-bfloat16 90 "${bench[@]}" --dtype bfloat16 --repeats 2
    step model-fp8 60 "${bench[@]}" --dtype fp8 --no-image --repeats 2
    step model-int4 60 "${bench[@]}" --dtype int4 --no-image --repeats 2
    step model-batch 60 "${bench[@]}" --dtype bfloat16 --no-image --requests "$requests" --repeats 1

    # PyTorch and transformers at the same sizes.
    local peers=$here/peers decoder
    decoder=(python3 "$peers/pytorch_decoder.py" --device "$torch" --config "$sizes" --prompt "$prompt" --batches "1,$requests")
    step torch-products 45 python3 "$peers/pytorch_products.py" --device "$torch" --seconds 0.3 "${shapes[@]}"
    step torch-vision 45 python3 "$peers/pytorch_vision.py" --device "$torch" --config "$sizes" --rows "$rows"
    step torch-decoder 90 "${decoder[@]}" --prefills "$prompt"
    step torch-compiled 150 "${decoder[@]}" --compiled
}

# What a card is given.
model=(--preset glm-4v-9b) sizes=$here/peers/glm-4v-9b.json
prompt=2048 new=128 requests=32 share=2GiB torch=cuda rows=1601,6401 shapes=() patience=1

# What a rehearsal is given.
rehearse() {
    local simulator=$1
    [ -e "$simulator" ] ||
        fail "there is no $simulator: swift build -c release --product CUDASim, or name it with --simulator"
    export FACET_CUDA_DRIVER=$simulator FACET_NVRTC=$simulator FACET_CUBLASLT=$simulator FACET_NVML=$simulator
    export FACET_CUDASIM=${FACET_CUDASIM:-$here/gpu/machine.json}
    sizes=$here/gpu/tiny.json
    model=(--config "$sizes")
    prompt=24 new=4 requests=2 share=200MiB torch=cpu rows=50 shapes=(--only none)
    patience=20  # kernels of a simulated card take their time
}

# ── Steps ────────────────────────────────────────────────────────────────────────────────────────────────────────────
# step NAME SECONDS COMMAND…: runs it, unless --only leaves it out. Files: NAME.out, NAME.err, NAME.step.
step() {
    local name=$1 limit=$(($2 * patience)) status=0 begin=$SECONDS outcome
    shift 2
    [ -z "$only" ] || [[ ,$only, == *,$name,* ]] || return 0
    local left=$((minutes * 60 * patience - SECONDS)) command
    command=$(printf '%q ' "$@")
    if [ "$left" -lt 10 ]; then
        outcome="not begun: the $minutes minutes are over"
    else
        [ "$left" -ge "$limit" ] || limit=$left
        timeout -k 5 "$limit" "$@" >"$output/$name.out" 2>"$output/$name.err" </dev/null || status=$?
        case $status in
            0) outcome=finished ;;
            1 | 2) [ "$name" = doctor ] && outcome=finished || outcome="failed with status $status" ;;
            124 | 137) outcome="stopped after $limit s" ;;
            126 | 127) outcome="not installed" ;;
            *) outcome="failed with status $status" ;;
        esac
    fi
    printf '%s\n' "$outcome" "$((SECONDS - begin))" "${command% }" >"$output/$name.step"
    echo "$name" >>"$output/steps"
    printf 'gpu: %-16s %4d s  %s\n' "$name" $((SECONDS - begin)) "$outcome"
    [ "$outcome" = finished ] || tail -qn 1 "$output/$name.err" "$output/$name.out" 2>/dev/null | sed 's/^/gpu:     /'
}

output='' minutes=10 only='' rehearsing=no simulator=$root/.build/release/libCUDASim.so
while [ $# -gt 0 ]; do
    case $1 in
        --output) output=${2:?} && shift 2 ;;
        --minutes) minutes=${2:?} && shift 2 ;;
        --only) only=${2:?} && shift 2 ;;
        --rehearse) rehearsing=yes && shift ;;
        --simulator) simulator=${2:?} && shift 2 ;;
        -h | --help) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}" && exit 0 ;;
        *) fail "unknown argument $1; see --help" ;;
    esac
done

# In a bundle the programs lie beside this folder, in a clone where `make static` puts them.
programs=$root
[ -e "$programs/facet" ] || programs=$root/.build-static/bundle
facet=$programs/facet cases=$root/Tests/Fixtures/glm4v-tiny
[ -x "$facet" ] || fail "there is no $facet: run Tools/static/bundle.sh"
output=${output:-$root/gpu-results}
mkdir -p "$output" || fail "$output cannot be made"
rm -f "$output"/*.out "$output"/*.err "$output"/*.step "$output/steps" "$output/gpu.json"
[ "$rehearsing" = no ] || rehearse "$simulator"
[ -e "$programs/commit" ] || git -C "$root" rev-parse --short HEAD >"$output/commit" 2>/dev/null || true
[ ! -e "$programs/commit" ] || cp "$programs/commit" "$output/commit"

trap 'exit 130' INT TERM
trap 'python3 "$here/gpu/join.py" "$output" "$rehearsing"' EXIT
run_steps
