#!/usr/bin/env python3
"""Compares this tokenizer with tiktoken: identical ids, then speed, in interleaved rounds.

    pip install tiktoken
    swift build -c release
    python3 compare.py FOLDER [ROUNDS]      # FOLDER as make_texts.py wrote it

Every round runs both, one after the other on one thread. Times are processor time of that thread, so that other work
on the machine counts as little as it can; figures are medians over the rounds, with the range.
"""

import base64
import json
import pathlib
import statistics
import struct
import subprocess
import sys
import time

import tiktoken

PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
BENCH = pathlib.Path(__file__).parent / ".build" / "release" / "tokenizer-bench"


def load(model: pathlib.Path) -> tiktoken.Encoding:
    ranks = {}
    for line in model.read_bytes().splitlines():
        token, rank = line.split()
        ranks[base64.b64decode(token)] = int(rank)
    return tiktoken.Encoding("bench", pat_str=PATTERN, mergeable_ranks=ranks, special_tokens={})


def our_ids(model: pathlib.Path, texts: list[str]) -> list[list[int]]:
    data = b"".join(struct.pack("<I", len(raw)) + raw for raw in (text.encode() for text in texts))
    out = subprocess.run([BENCH, "ids", model], input=data, capture_output=True, check=True).stdout
    numbers = struct.unpack(f"<{len(out) // 4}i", out)
    result, position = [], 0
    while position < len(numbers):
        count = numbers[position]
        result.append(list(numbers[position + 1 : position + 1 + count]))
        position += 1 + count
    return result


def milliseconds(function) -> float:
    start = time.thread_time()
    function()
    return (time.thread_time() - start) * 1e3


def spread(times: list[float]) -> str:
    return f"{statistics.median(times):.1f} ms ({min(times):.1f}-{max(times):.1f})"


def main() -> None:
    folder = pathlib.Path(sys.argv[1])
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 7
    model = folder / "tokenizer.model"
    encoding = load(model)
    loads: dict[str, list[float]] = {"ours": [], "tiktoken": []}
    print("| text | bytes | tokens | ours | tiktoken | ratio |\n|---|---|---|---|---|---|")
    for path in sorted(folder.glob("*.txt")):
        text = path.read_bytes().decode()
        expected = encoding.encode_ordinary(text)
        assert our_ids(model, [text]) == [expected], f"{path.name}: the ids differ"
        ours, theirs = [], []
        for _ in range(rounds):
            figures = json.loads(subprocess.run([BENCH, "time", model, path, "3"], capture_output=True, check=True).stdout)
            ours.append(statistics.median(figures["encode_ms"]))
            loads["ours"] += figures["load_ms"]
            theirs.append(statistics.median(milliseconds(lambda: encoding.encode_ordinary(text)) for _ in range(3)))
            loads["tiktoken"].append(milliseconds(lambda: load(model)))
        size = path.stat().st_size
        rate = [size / 1e3 / statistics.median(times) for times in (ours, theirs)]
        print(
            f"| {path.stem} | {size:,} | {len(expected):,} | {rate[0]:.1f} MB/s, {spread(ours)} "
            f"| {rate[1]:.1f} MB/s, {spread(theirs)} | {rate[0] / rate[1]:.2f} |"
        )
    for name, times in loads.items():
        print(f"load, {name}: {spread(times)}")


if __name__ == "__main__":
    main()
