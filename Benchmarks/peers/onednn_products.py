#!/usr/bin/env python3
"""Products of GLM-4V-9B's shapes in oneDNN, with weights in the layout it prefers: one JSON object per line.

    python3 onednn_products.py [--dtype float32] [--threads N] [--seconds S] [--only TEXT]

Needs a C++ compiler and oneDNN's header and library (Debian and Ubuntu: libdnnl-dev).
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

import figures

SOURCE = pathlib.Path(__file__).with_name("onednn_products.cpp")


def build(program: pathlib.Path) -> None:
    compiler = os.environ.get("CXX", "c++")
    try:
        subprocess.run(
            [compiler, "-std=c++17", "-O2", str(SOURCE), "-ldnnl", "-o", str(program)], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        sys.exit(f"oneDNN: {compiler} cannot build with it: install libdnnl-dev and a C++ compiler")


def main() -> None:
    parser = argparse.ArgumentParser(description="products in oneDNN")
    parser.add_argument("--dtype", choices=tuple(figures.ELEMENT_BYTES), default="bfloat16")
    parser.add_argument("--threads", type=int, default=figures.default_threads())
    parser.add_argument("--seconds", type=float, default=0.5, help="for each shape")
    parser.add_argument("--only", default="", help="only shapes whose name contains this text")
    arguments = parser.parse_args()
    shapes = [shape for shape in figures.PRODUCTS + figures.ROWS if arguments.only in shape[0]]
    words = [str(size) for shape in shapes for size in shape[1:]]
    environment = os.environ | {"OMP_NUM_THREADS": str(arguments.threads), "OMP_WAIT_POLICY": "passive"}
    with tempfile.TemporaryDirectory() as folder:
        program = pathlib.Path(folder) / "onednn_products"
        build(program)
        command = [str(program), arguments.dtype, str(arguments.seconds), *words]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
            version = process.stdout.readline().split()[-1]
            for shape, line in zip(shapes, process.stdout):
                implementation, *times = line.split()
                figures.emit_product(
                    "onednn", version, shape, arguments.dtype, arguments.threads, [float(time) for time in times],
                    implementation=implementation)
        sys.exit(process.returncode)


if __name__ == "__main__":
    main()
