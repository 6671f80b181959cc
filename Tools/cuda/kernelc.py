#!/usr/bin/env python3
"""Compiles the CUDA kernels to cubins, without a GPU, and checks what came out.

    Tools/cuda/kernelc.py [--nvrtc 12.9] [--arch sm_80 ...] [--source norm ...] [--out DIR]

NVRTC and the disassembler come from PyPI, into a virtual environment that this program makes beside the results
(.build/cuda). A kernel fails that spills registers to memory, or whose code lacks an instruction that it was written
for (see EXPECTED). Results: DIR/nvrtc-VERSION/ARCH/SOURCE.cubin, and one line per source and architecture.
"""

import argparse
import ctypes
import os
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "Sources/CCUDAKernels/cuda"
ARCHITECTURES = ["sm_75", "sm_80", "sm_86", "sm_89", "sm_90a", "sm_100", "sm_120"]
PACKAGES = {
    "12.9": ("nvidia-cuda-nvrtc-cu12==12.9.86", "nvidia/cuda_nvrtc/lib", "libnvrtc.so.12"),
    "13.0": ("nvidia-cuda-nvrtc==13.0.88", "nvidia/cu13/lib", "libnvrtc.so.13"),
}
TOOLS = ["nvidia-cuda-cuobjdump", "nvidia-cuda-nvdisasm"]

# Kernel name pattern, lowest and highest architecture, instructions of which each must occur.
ATTENTION = r"(bidirectional|paged|decode)_attention(_int8)?_(f16|bf16)_d\d+"
WEIGHT_STREAM = r"(gemv|attention_input|feed_forward_input)_.*"
EXPECTED = [
    (ATTENTION, 75, 75, ["HMMA.1688", "LDSM"]),
    (ATTENTION, 80, 999, ["HMMA.16816", "LDSM"]),
    (r"(bidirectional|paged|decode)_attention_(f16|bf16)_d\d+", 80, 999, ["LDGSTS"]),
    (r"product_(f16|bf16)_.*", 75, 75, ["HMMA.1688", "LDSM"]),
    (r"product_(f16|bf16)_.*", 80, 999, ["HMMA.16816", "LDSM", "LDGSTS"]),
    (WEIGHT_STREAM, 75, 999, ["LDG.E.NA.128"]),
    (WEIGHT_STREAM, 90, 999, ["ACQBULK", "PREEXIT"]),
    (r"gemv_.*_fp8_.*", 89, 999, ["F2FP.F16.E4M3"]),
]


class Failure(Exception):
    pass


def environment(directory):
    """The virtual environment with all packages; made when it is not there."""
    venv = directory / "venv"
    marker = venv / "complete"
    if not marker.exists():
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        packages = [package for package, _, _ in PACKAGES.values()] + TOOLS
        subprocess.run([venv / "bin/pip", "install", "-q", *packages], check=True)
        marker.touch()
    return next(venv.glob("lib/python*/site-packages"))


class NVRTC:
    def __init__(self, site, version):
        _, folder, name = PACKAGES[version]
        libraries = site / folder
        builtins = sorted(libraries.glob("libnvrtc-builtins.so.*"))
        if not builtins:
            raise Failure(f"{libraries}: no libnvrtc-builtins: remove the virtual environment and run again")
        # NVRTC does not find this library by itself outside the loader's path.
        ctypes.CDLL(str(builtins[0]), mode=ctypes.RTLD_GLOBAL)
        self.library = ctypes.CDLL(str(libraries / name))
        self.library.nvrtcGetErrorString.restype = ctypes.c_char_p

    def call(self, function, *arguments):
        status = getattr(self.library, function)(*arguments)
        if status != 0:
            raise Failure(f"{function}: {self.library.nvrtcGetErrorString(status).decode()}")

    def output(self, program, what):
        size = ctypes.c_size_t()
        self.call(f"nvrtcGet{what}Size", program, ctypes.byref(size))
        text = ctypes.create_string_buffer(size.value)
        self.call(f"nvrtcGet{what}", program, text)
        return text.raw

    def compile(self, name, text, headers, architecture):
        program = ctypes.c_void_p()
        names = (ctypes.c_char_p * len(headers))(*[header.name.encode() for header in headers])
        texts = (ctypes.c_char_p * len(headers))(*[header.read_bytes() for header in headers])
        self.call("nvrtcCreateProgram", ctypes.byref(program), text, name.encode(), len(headers), texts, names)
        options = [f"--gpu-architecture={architecture}", "--std=c++17"]
        encoded = (ctypes.c_char_p * len(options))(*[option.encode() for option in options])
        status = self.library.nvrtcCompileProgram(program, len(options), encoded)
        log = self.output(program, "ProgramLog").rstrip(b"\0").decode()
        if status != 0:
            raise Failure(f"{name} for {architecture} does not compile:\n{log}")
        cubin = self.output(program, "CUBIN")
        self.call("nvrtcDestroyProgram", ctypes.byref(program))
        return cubin, log


def resources(tool, cubin):
    """Registers and local memory of each kernel."""
    text = subprocess.run([tool, "--dump-resource-usage", cubin], check=True, capture_output=True, text=True).stdout
    found = re.findall(r"Function (\S+):\s*\n\s*REG:(\d+) STACK:(\d+) SHARED:(\d+) LOCAL:(\d+)", text)
    return {name: dict(registers=int(r), stack=int(s), shared=int(h), local=int(l)) for name, r, s, h, l in found}


def instructions(tool, cubin):
    """The disassembly of each kernel."""
    text = subprocess.run([tool, "--dump-sass", cubin], check=True, capture_output=True, text=True).stdout
    parts = re.split(r"Function : (\S+)", text)
    return dict(zip(parts[1::2], parts[2::2]))


def number(architecture):
    return int(re.search(r"\d+", architecture).group())


def faults(cubin, architecture, tool):
    """What is wrong with a cubin's kernels, one line each, and the largest number of registers."""
    used = resources(tool, cubin)
    code = instructions(tool, cubin)
    if not used:
        return [f"{cubin}: no kernel in it"], 0
    lines = []
    for name, usage in used.items():
        if usage["stack"] or usage["local"]:
            lines.append(f"{name} on {architecture}: {usage['stack'] + usage['local']} bytes of spilled registers")
        for pattern, lowest, highest, expected in EXPECTED:
            if re.fullmatch(pattern, name) and lowest <= number(architecture) <= highest:
                lines += [
                    f"{name} on {architecture}: no {instruction} in its code"
                    for instruction in expected if instruction not in code[name]
                ]
    return lines, max(usage["registers"] for usage in used.values())


def build(arguments):
    directory = Path(arguments.out)
    directory.mkdir(parents=True, exist_ok=True)
    site = environment(directory)
    tools = site / "nvidia/cu13/bin"
    os.environ["PATH"] = f"{tools}:{os.environ['PATH']}"  # cuobjdump calls nvdisasm
    headers = sorted(SOURCES.glob("*.cuh"))
    sources = [path for path in sorted(SOURCES.glob("*.cu")) if not arguments.source or path.stem in arguments.source]
    bad = []
    for version in arguments.nvrtc:
        nvrtc = NVRTC(site, version)
        for architecture in arguments.arch:
            folder = directory / f"nvrtc-{version}" / architecture
            folder.mkdir(parents=True, exist_ok=True)
            for source in sources:
                begin = time.process_time()
                cubin, log = nvrtc.compile(source.name, source.read_bytes(), headers, architecture)
                path = folder / f"{source.stem}.cubin"
                path.write_bytes(cubin)
                seconds = time.process_time() - begin
                found, registers = faults(path, architecture, tools / "cuobjdump")
                if log:
                    found.append(f"{source.name} for {architecture}: the compiler says: {log.splitlines()[0]}")
                print(f"{version} {architecture:7} {source.name:24} {len(cubin):8} bytes  "
                      f"{registers:3} registers  {seconds:5.2f} s", flush=True)
                bad += found
    for line in bad:
        print(f"error: {line}", file=sys.stderr)
    return 1 if bad else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nvrtc", nargs="+", choices=PACKAGES, default=list(PACKAGES))
    parser.add_argument("--arch", nargs="+", default=ARCHITECTURES, metavar="sm_N")
    parser.add_argument("--source", nargs="+", metavar="NAME")
    parser.add_argument("--out", default=ROOT / ".build/cuda", metavar="DIR")
    try:
        sys.exit(build(parser.parse_args()))
    except (Failure, subprocess.CalledProcessError) as failure:
        sys.exit(f"error: {failure}")


if __name__ == "__main__":
    main()
