#!/usr/bin/env python3
"""Products of GLM-4V-9B's shapes in PyTorch: one JSON object per line.

    python3 pytorch_products.py [--dtype float32] [--device cuda] [--threads N] [--seconds S] [--only TEXT]

Every weight is multiplied as a linear layer would, without bias and without what follows. For one row several copies
of a weight take turns, so that no cache holds one.
"""

import argparse
import itertools

import torch
import torch.nn.functional

import figures


def main() -> None:
    parser = argparse.ArgumentParser(description="products in PyTorch")
    parser.add_argument("--dtype", choices=tuple(figures.ELEMENT_BYTES), default="bfloat16")
    parser.add_argument("--device", default="cpu", help="cpu, or cuda for the first card")
    parser.add_argument("--threads", type=int, default=figures.default_threads())
    parser.add_argument("--seconds", type=float, default=0.5, help="for each shape")
    parser.add_argument("--only", default="", help="only shapes whose name contains this text")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.set_grad_enabled(False)
    torch.set_default_device(arguments.device)
    finish = figures.finisher(arguments.device)
    dtype = getattr(torch, arguments.dtype)
    for shape in figures.PRODUCTS + figures.ROWS:
        name, rows, inputs, outputs = shape
        if arguments.only not in name:
            continue
        copies = max(1, (512 << 20) // (dtype.itemsize * inputs * outputs)) if rows == 1 else 1
        weights = [torch.empty(outputs, inputs, dtype=dtype).uniform_(-0.05, 0.05) for _ in range(copies)]
        x = torch.empty(rows, inputs, dtype=dtype).uniform_(-0.05, 0.05)
        turns = itertools.cycle(weights)
        times = figures.repeats_for(
            lambda: torch.nn.functional.linear(x, next(turns)), arguments.seconds, least=5, finish=finish)
        figures.emit_product("pytorch", torch.__version__, shape, arguments.dtype, arguments.threads, times)
        del weights, turns


if __name__ == "__main__":
    main()
