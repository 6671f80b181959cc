#!/usr/bin/env python3
"""Compiles the CUDA kernels to cubins, without a GPU, and checks what came out.

    Tools/cuda/kernelc.py [--nvrtc 12.9 13.0] [--arch sm_80 ...] [--source norm ...] [--report FILE] [--out DIR]
    Tools/cuda/kernelc.py --key

NVRTC and the disassembler come from PyPI, into a virtual environment that this program makes beside the results
(.build/cuda). A kernel fails that keeps registers in memory (see SPILL_LIMIT), or whose code lacks an instruction that
it was written for (see EXPECTED). Results: DIR/nvrtc-VERSION/kernels-KEY/ARCH/SOURCE.cubin, where KEY names the sources,
which is what a program looks for in its own folder (Sources/FacetCUDA/Kernels/KernelStore.swift); --key prints it. What
did not change since the last time is taken from DIR/compiled.
"""

import argparse
import ctypes
import hashlib
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARGET = ROOT / "Sources/CCUDAKernels"
SOURCES = TARGET / "cuda"
ARCHITECTURES = ["sm_75", "sm_80", "sm_86", "sm_89", "sm_90a", "sm_100", "sm_120"]
OPTIONS = ["--std=c++17"]  # as EngineKernels passes them: they are part of the key
PACKAGES = {
    "12.9": ("nvidia-cuda-nvrtc-cu12==12.9.86", "nvidia/cuda_nvrtc/lib", "libnvrtc.so.12"),
    "13.0": ("nvidia-cuda-nvrtc==13.0.88", "nvidia/cu13/lib", "libnvrtc.so.13"),
}
# Code of 12.9 loads with drivers for CUDA 12 and 13; of 13.0 one architecture shows whether its compiler takes them.
MATRIX = {"12.9": ARCHITECTURES, "13.0": ["sm_90a"]}
TOOLS = ["nvidia-cuda-cuobjdump==13.5.37", "nvidia-cuda-nvdisasm==13.5.37"]

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
    (r"quantize_rows_.*", 89, 999, ["F2FP.SATFINITE.E4M3"]),
    (r"product_codes_.*", 89, 999, ["QMMA.16832.F32.E4M3.E4M3", "LDSM", "LDGSTS"]),
]

# Sources that have kernels from an architecture on; the others have some for each.
FIRST_ARCHITECTURE = {"product_fp8.cu": 89}


# The compiler may keep a few values in memory that live across a loop, to fit one more block: so many bytes, and never
# in an innermost loop.
SPILL_LIMIT = 16

# Kernels whose registers the report lists.
IMPORTANT = (
    r"(bidirectional_attention_bf16_d112|(paged|decode)_attention(_int8)?_bf16_d128|gemv_bf16_(bf16|int4)_r1"
    r"|(attention_input|feed_forward_input)_bf16_(bf16|int4)_r1|product_bf16_(bf16|int4)_m128|product_codes_bf16_m128)"
)


class Failure(Exception):
    pass


def environment(directory, versions):
    """The virtual environment with what these versions need; made when it is not there."""
    venv = directory / "venv"
    if not (venv / "bin/pip").exists():
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    for package in TOOLS + [PACKAGES[version][0] for version in versions]:
        marker = venv / f"has-{package}"
        if not marker.exists():
            subprocess.run([venv / "bin/pip", "install", "-q", package], check=True)
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
        names = (ctypes.c_char_p * len(headers))(*[header.encode() for header in headers])
        texts = (ctypes.c_char_p * len(headers))(*headers.values())
        self.call("nvrtcCreateProgram", ctypes.byref(program), text, name.encode(), len(headers), texts, names)
        options = [f"--gpu-architecture={architecture}", *OPTIONS]
        encoded = (ctypes.c_char_p * len(options))(*[option.encode() for option in options])
        status = self.library.nvrtcCompileProgram(program, len(options), encoded)
        log = self.output(program, "ProgramLog").rstrip(b"\0").decode()
        if status != 0:
            raise Failure(f"{name} for {architecture} does not compile:\n{log}")
        cubin = self.output(program, "CUBIN")
        self.call("nvrtcDestroyProgram", ctypes.byref(program))
        return cubin, log


class Kernels:
    """The files of Sources/CCUDAKernels, in the order in which the program carries them."""

    def __init__(self):
        listed = re.findall(r'\{"([a-z0-9_]+\.cuh?)", \w+, sizeof', (TARGET / "sources.c").read_text())
        self.texts = {name: (SOURCES / name).read_bytes() for name in listed}
        self.sources = [name for name in listed if name.endswith(".cu")]
        self.headers = {name: self.texts[name] for name in listed if name.endswith(".cuh")}

    def key(self):
        """The name of all sources together, as KernelSources.key makes it: sources, headers, options."""
        named = [part for name in [*self.sources, *self.headers] for part in (name.encode(), self.texts[name])]
        return digest(named + [option.encode() for option in OPTIONS])[:16]

    def included(self, name, found=None):
        """A file and everything that it includes, in the order in which it is met."""
        found = [] if found is None else found
        if name not in found:
            found.append(name)
            for inner in re.findall(rb'#include "([a-z0-9_]+\.cuh)"', self.texts[name]):
                self.included(inner.decode(), found)
        return found

    def compiled_key(self, name, architecture, version):
        """A name for what a source becomes; headers that it does not include change nothing."""
        parts = [part for file in self.included(name) for part in (file.encode(), self.texts[file])]
        parts += [part.encode() for part in [*OPTIONS, architecture, PACKAGES[version][0]]]
        return digest(parts)[:32]


def digest(parts):
    return hashlib.sha256(b"".join(part + b"\0" for part in parts)).hexdigest()


def resources(tool, cubin):
    """Registers and memory of each kernel."""
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


def expected_of(name, architecture):
    """Instructions that a kernel's code must have."""
    return [
        instruction
        for pattern, lowest, highest, instructions in EXPECTED
        if re.fullmatch(pattern, name) and lowest <= number(architecture) <= highest
        for instruction in instructions
    ]


def innermost_loops(lines):
    """First and last address of each loop that has no loop in it; `lines` are address and instruction."""
    loops = [
        (int(target, 16), at)
        for at, text in lines for target in re.findall(r"\bBRA\b.* (0x[0-9a-f]+)", text) if int(target, 16) < at
    ]
    return [
        outer for outer in loops
        if not any(inner != outer and outer[0] <= inner[0] and inner[1] <= outer[1] for inner in loops)
    ]


def spills(name, usage, code):
    """What is wrong with a kernel's use of local memory, if anything."""
    byte_count = usage["stack"] + usage["local"]
    if byte_count == 0:
        return []
    if byte_count > SPILL_LIMIT:
        return [f"{byte_count} bytes of registers in memory"]
    lines = [(int(at, 16), text) for at, text in re.findall(r"/\*([0-9a-f]{4,})\*/\s+(.*?);", code)]
    touched = [at for at, text in lines if re.search(r"\b(LDL|STL)\b", text)]
    if any(first <= at <= last for at in touched for first, last in innermost_loops(lines)):
        return ["registers in memory in an innermost loop"]
    return []


def faults(cubin, architecture, tool, used):
    """What is wrong with a cubin's kernels, one line each."""
    if not used:
        return [f"{cubin}: no kernel in it"]
    expected = {name: expected_of(name, architecture) for name in used}
    spilling = any(usage["stack"] or usage["local"] for usage in used.values())
    code = instructions(tool, cubin) if spilling or any(expected.values()) else {}
    lines = []
    for name, usage in used.items():
        found = spills(name, usage, code.get(name, ""))
        found += [f"no {instruction} in its code" for instruction in expected[name] if instruction not in code[name]]
        lines += [f"{name} on {architecture}: {fault}" for fault in found]
    return lines


class Build:
    """One run: where things are, and what was found."""

    def __init__(self, arguments):
        self.kernels = Kernels()
        self.sources = [
            name for name in self.kernels.sources if not arguments.source or Path(name).stem in arguments.source
        ]
        self.versions = arguments.nvrtc
        self.architectures = arguments.arch
        self.directory = Path(arguments.out).resolve()
        self.compiled = self.directory / "compiled"
        self.compiled.mkdir(parents=True, exist_ok=True)
        site = environment(self.directory, self.versions)
        self.site = site
        self.tool = site / "nvidia/cu13/bin/cuobjdump"
        os.environ["PATH"] = f"{self.tool.parent}:{os.environ['PATH']}"  # cuobjdump calls nvdisasm
        self.compilers = {}
        self.fresh = True
        self.records = []
        self.bad = []

    def run(self):
        for version in self.versions:
            folder = self.directory / f"nvrtc-{version}"
            self.remove_others(folder)
            for architecture in self.architectures or MATRIX[version]:
                for name in self.sources:
                    if number(architecture) < FIRST_ARCHITECTURE.get(name, 0):
                        continue
                    cubin = self.compiled_cubin(name, architecture, version)
                    self.check(cubin)
                    place = folder / f"kernels-{self.kernels.key()}" / architecture
                    place.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(cubin, place / f"{Path(name).stem}.cubin")

    def remove_others(self, folder):
        """Code of sources that are no more."""
        for old in folder.glob("kernels-*"):
            if old.name != f"kernels-{self.kernels.key()}":
                shutil.rmtree(old)

    def compiled_cubin(self, name, architecture, version):
        """The code of a source, compiled unless it is there; a note lies beside it."""
        key = self.kernels.compiled_key(name, architecture, version)
        cubin, note = self.compiled / f"{key}.cubin", self.compiled / f"{key}.json"
        if note.exists():
            self.fresh = False
            return cubin
        if version not in self.compilers:
            self.compilers[version] = NVRTC(self.site, version)
        begin = time.process_time()
        code, log = self.compilers[version].compile(
            name, self.kernels.texts[name], self.kernels.headers, architecture)
        seconds = round(time.process_time() - begin, 2)
        cubin.write_bytes(code)
        # Written last: it says that the file beside it is whole.
        note.write_text(json.dumps(dict(
            source=name, architecture=architecture, nvrtc=version, bytes=len(code), seconds=seconds, log=log)))
        self.fresh = True
        return cubin

    def check(self, cubin):
        """Examines code, unless the same checks have examined it before, and prints a line about it."""
        checks = digest([text.encode() for text in [*TOOLS, repr(EXPECTED), str(SPILL_LIMIT)]])[:8]
        record = json.loads(cubin.with_suffix(".json").read_text())
        findings = cubin.with_suffix(f".{checks}.json")
        if not findings.exists():
            used = resources(self.tool, cubin)
            found = faults(cubin, record["architecture"], self.tool, used)
            if record["log"]:
                said = record["log"].splitlines()[0]
                found.append(f"{record['source']} for {record['architecture']}: the compiler says: {said}")
            findings.write_text(json.dumps(dict(kernels=used, faults=found)))
        record |= json.loads(findings.read_text())
        registers = max((used["registers"] for used in record["kernels"].values()), default=0)
        print(f"{record['nvrtc']} {record['architecture']:7} {record['source']:24} {record['bytes']:8} bytes  "
              f"{registers:3} registers  {record['seconds']:5.2f} s{'' if self.fresh else ' before'}", flush=True)
        self.records.append(record)
        self.bad += record["faults"]

    def summary(self):
        """What is worth keeping: code sizes and times, and the registers of the kernels that decide the speed."""
        by_architecture = {}
        for record in self.records:
            entry = by_architecture.setdefault(
                f"{record['nvrtc']} {record['architecture']}",
                dict(bytes=0, compile_seconds=0.0, kernels=0, most_registers=0, local_bytes=0, registers={}))
            entry["bytes"] += record["bytes"]
            entry["compile_seconds"] = round(entry["compile_seconds"] + record["seconds"], 2)
            for name, used in sorted(record["kernels"].items()):
                entry["kernels"] += 1
                entry["most_registers"] = max(entry["most_registers"], used["registers"])
                entry["local_bytes"] += used["stack"] + used["local"]
                if re.fullmatch(IMPORTANT, name):
                    entry["registers"][name] = used["registers"]
        packages = [PACKAGES[version][0] for version in self.versions] + TOOLS
        return dict(key=self.kernels.key(), packages=packages, options=OPTIONS, architectures=by_architecture)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nvrtc", nargs="+", choices=PACKAGES, default=["12.9"])
    parser.add_argument("--arch", nargs="+", metavar="sm_N", help="default: all, and sm_90a for 13.0")
    parser.add_argument("--source", nargs="+", metavar="NAME")
    parser.add_argument("--report", metavar="FILE", help="write a summary as JSON")
    parser.add_argument("--out", default=ROOT / ".build/cuda", metavar="DIR")
    parser.add_argument("--key", action="store_true", help="print the key of the sources, and nothing else")
    arguments = parser.parse_args()
    if arguments.key:
        print(Kernels().key())
        return
    try:
        build = Build(arguments)
        build.run()
    except (Failure, OSError, subprocess.CalledProcessError) as failure:
        sys.exit(f"error: {failure}")
    if arguments.report:
        command = " ".join(["Tools/cuda/kernelc.py", *sys.argv[1:]])
        Path(arguments.report).write_text(json.dumps(dict(command=command, **build.summary()), indent=1) + "\n")
    for line in build.bad:
        print(f"error: {line}", file=sys.stderr)
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    print(f"{len(build.records)} cubins in {build.directory}, {len(build.bad)} faults, "
          f"{sum(u.ru_utime + u.ru_stime for u in used):.0f} s of processor time")
    sys.exit(1 if build.bad else 0)


if __name__ == "__main__":
    main()
