#!/usr/bin/env bash
# Compares the declarations of Sources/CCUDA with NVIDIA's headers: the type of every function, the size of every
# struct and the offset of every field, the value of every constant. The headers come from NVIDIA's packages on PyPI
# and stay in .build-abi; nothing of them enters the repository. The first run downloads about 450 MB, later ones take
# two seconds. Needs python3 with venv and pip, and clang.
#
#   Tools/cuda/check-abi.sh [13|12]    against CUDA 13.0 (default) or 12.9
#   Tools/cuda/check-abi.sh --selftest plants faults in a copy of the declarations and expects each to be found
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
store=$root/.build-abi
declarations=$root/Sources/CCUDA/include
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

packages_13='nvidia-cuda-runtime==13.0.96 nvidia-cuda-crt==13.0.88 nvidia-cuda-nvrtc==13.0.88 nvidia-cublas==13.0.2.14 nvidia-nvml-dev==13.0.87 nvidia-cuda-cccl==13.0.85'
packages_12='nvidia-cuda-runtime-cu12==12.9.79 nvidia-cuda-nvrtc-cu12==12.9.86 nvidia-cublas-cu12==12.9.1.4 nvidia-nvml-dev-cu12==12.9.79 nvidia-cuda-cccl-cu12==12.9.27 nvidia-cuda-nvcc-cu12==12.9.86'

# Puts the headers of one version into $store/VERSION/include.
fetch_headers() {
    local version=$1 packages=packages_$1
    [ ! -e "$store/$version/complete" ] || return 0
    [ -x "$store/venv/bin/pip" ] || python3 -m venv "$store/venv"
    mkdir -p "$store/$version/include"
    for package in ${!packages}; do
        "$store/venv/bin/pip" download --quiet --no-deps --only-binary :all: --dest "$scratch/wheels" "$package"
        python3 "$here/abi.py" headers "$scratch"/wheels/*.whl "$store/$version/include"
        rm -r "$scratch/wheels"
    done
    touch "$store/$version/complete"
}

# Compiles both checks: functions in C, whose types are compared as the headers name them; values in C++, where our
# declarations can stand in a namespace beside the headers' own.
check() {
    local version=$1 ours=$2
    python3 "$here/abi.py" checks "$ours" "$scratch"
    clang -std=c17 -fsyntax-only -w -I "$store/$version/include" -I "$store/$version/include/cccl" -I "$ours" "$scratch/functions.c" &&
        clang++ -std=c++20 -fsyntax-only -w -ferror-limit=0 -I "$store/$version/include" -I "$store/$version/include/cccl" -I "$ours" "$scratch/values.cpp"
}

# Changes one line of a copy of the declarations; the check must fail and name the fault.
expect_fault() {
    local file=$1 change=$2 named=$3
    rm -rf "$scratch/planted"
    cp -r "$declarations" "$scratch/planted"
    sed -i "$change" "$scratch/planted/$file"
    ! cmp -s "$declarations/$file" "$scratch/planted/$file" || { echo "selftest: '$change' changes nothing"; return 1; }
    if check 13 "$scratch/planted" >"$scratch/said" 2>&1 || ! grep -q "error: .*$named" "$scratch/said"; then
        echo "selftest: '$change' in $file was not found; the check says:"
        grep error "$scratch/said" | head -5
        return 1
    fi
}

if [ "${1:-}" = --selftest ]; then
    fetch_headers 13
    expect_fault ccuda_driver.h 's/(int \*version)/(long *version)/' cuDriverGetVersion
    expect_fault ccuda_driver.h 's/CUDA_ERROR_ILLEGAL_ADDRESS = 700/CUDA_ERROR_ILLEGAL_ADDRESS = 701/' CUDA_ERROR_ILLEGAL_ADDRESS
    expect_fault ccuda_driver.h 's/unsigned int sharedMemBytes;/size_t sharedMemBytes;/' CUlaunchConfig
    expect_fault ccuda_cublaslt.h 's/uint64_t data\[8\]/uint64_t data[7]/' cublasLtMatmulAlgo_t
    expect_fault ccuda_cublaslt.h 's/CUBLASLT_EPILOGUE_BIAS = 4/CUBLASLT_EPILOGUE_BIAS = 5/' CUBLASLT_EPILOGUE_BIAS
    expect_fault ccuda_nvml.h 's/unsigned int gpuInstanceId;//' nvmlProcessInfo_t
    expect_fault ccuda_nvrtc.h 's/(nvrtcProgram program, size_t \*bytes)/(nvrtcProgram program, int *bytes)/' nvrtcGet
    echo "check-abi selftest: 7 planted faults found"
else
    version=${1:-13}
    case $version in 12 | 13) ;; *) echo "check-abi: '$version' is none of 12, 13, --selftest" >&2; exit 64 ;; esac
    fetch_headers "$version"
    check "$version" "$declarations"
    echo "check-abi: $(grep -c '^CHECK_VALUE\|^CHECK_FIELD\|^CHECK_SIZE' "$scratch/values.cpp") values, fields and sizes and $(grep -hcE '^ +(REQUIRED|OPTIONAL|CCUDA_NVML_ASK)\(' "$declarations"/*.h | paste -sd+ | bc) functions agree with CUDA $version"
fi
