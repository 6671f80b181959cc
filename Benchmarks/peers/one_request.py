#!/usr/bin/env python3
"""Decodes one request in ours and in llama.cpp, or PyTorch, a few seconds each, alternately.

    make build
    python3 one_request.py [--rounds 7] [--output FILE.json]

Memory bounds this work, and how fast it is read changes within seconds on a shared machine. So, unlike compare.py, a
pair takes ten seconds, every process is a new one, and what counts is the ratio within a pair. 100 tokens after a prompt
of 16; a program's figure is the median over its tokens. Both read memory between tokens, with the same reader: "of
reading" is the bytes of the weights times tokens per second, as a fraction of that. A program that reads at that speed
would be "at most" so many times as fast as the peer: the ratio divided by our fraction.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import compare
import figures
import reading

PROMPT, TOKENS, BETWEEN_READINGS = 16, 100, 5
# What ours is asked for, and what is beside it: a format of llama.cpp, or PyTorch. int4 comes in groups of 64, nearly as many
# bits as Q4_0, and of 128.
KINDS = [
    (compare.PRECISIONS["decoder"], "BF16"), (compare.PRECISIONS["decoder"], "PyTorch"),
    (compare.PRECISIONS["int8"], "Q8_0"), (compare.PRECISIONS["int4"], "Q4_0"),
    ("decoder=int4-128,output=int4-128", "Q4_0"),
]


def llamacpp_request(kind: str, threads: int):
    """Reads a prompt; what decodes the token of an index and returns the seconds, and the bytes that it reads."""
    import llamacpp_decoder

    llamacpp_decoder.start()
    cache = llamacpp_decoder.default_cache()
    cache.mkdir(parents=True, exist_ok=True)
    path = llamacpp_decoder.model_file(cache, kind, threads)
    decoder = llamacpp_decoder.Decoder(path, threads)
    decoder.prefill(PROMPT)
    return lambda index: decoder.step([(9, PROMPT + index, 0, True)]), llamacpp_decoder.bytes_of_token(path)


def pytorch_request(threads: int):
    """The same in PyTorch."""
    import pytorch_decoder

    decoder = pytorch_decoder.on_processor(threads)
    cache = decoder.cache(PROMPT + TOKENS)
    ids = decoder.next_tokens(decoder.model, decoder.tokens(1, PROMPT), cache)

    def step(_: int) -> float:
        nonlocal ids
        start = time.perf_counter()
        ids = decoder.next_tokens(decoder.model, ids, cache)
        return time.perf_counter() - start

    return step, decoder.bytes_of_token()


def measure_peer(kind: str, library: str, threads: int) -> None:
    """In a process of its own: prints the tokens per second of a peer, and the fraction of reading."""
    step, size = pytorch_request(threads) if kind == "PyTorch" else llamacpp_request(kind, threads)
    reader = reading.Reader(library, threads)
    seconds, rates, before = [], [], reader.sample()
    for start in range(0, TOKENS, BETWEEN_READINGS):
        times = [step(start + index) for index in range(BETWEEN_READINGS)]
        after = reader.sample()
        # The first token wakes the threads up.
        seconds += times[1:]
        rates += [(before + after) / 2] * len(times[1:])
        before = after
    speed = 1 / statistics.median(seconds)
    print(json.dumps({"speed": speed, "read": size * speed / statistics.median(rates)}))


def output_of(command: list[str]) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def decoding_of_ours(facet: str, dtype: str, threads: int) -> dict:
    report = json.loads(output_of([
        facet, "bench", "model", "--config", str(figures.REDUCED), "--no-image", "--prompt-tokens", str(PROMPT),
        "--new-tokens", str(TOKENS), "--dtype", dtype, "--threads", str(threads), "--repeats", "1", "--limits",
        "--json"]))
    figure = next(figure for figure in report["figures"] if figure["name"] == "decode")
    return {"speed": figure["median"], "read": figure["fraction"]}


def pairs_of(arguments: argparse.Namespace, library: str) -> dict[str, list[dict]]:
    """Both programs' speeds, by what ours is asked for and what is beside it."""
    kinds = [kind for kind in KINDS if arguments.only in ", ".join(kind)]
    runs = {", ".join(kind): [] for kind in kinds}
    peer = [sys.executable, __file__, "--threads", str(arguments.threads), "--peer"]
    for _ in range(arguments.rounds):
        for dtype, kind in kinds:
            ours = decoding_of_ours(arguments.facet, dtype, arguments.threads)
            theirs = json.loads(output_of([*peer, kind, library]))
            ratio = ours["speed"] / theirs["speed"]
            runs[f"{dtype}, {kind}"].append(
                {"ours": ours, "peer": theirs, "ratio": ratio, "at_most": ratio / ours["read"]})
    return runs


def middle(items: list[dict], name: str) -> float:
    return statistics.median(item[name] for item in items)


def main() -> None:
    parser = compare.parser_of_turns("one request, ours and a peer alternately")
    parser.add_argument("--only", default="", help="what is asked of ours, or the peer, has to contain this")
    arguments = parser.parse_args()
    if arguments.peer:
        measure_peer(*arguments.peer, arguments.threads)
        return
    with tempfile.TemporaryDirectory() as folder:
        runs = pairs_of(arguments, str(reading.build(pathlib.Path(folder))))
    print("| weights | ours, tokens/s | of reading | the peer | of reading | ratio, median (all) | at most |")
    print("| --- | ---: | ---: | ---: | ---: | --- | ---: |")
    for kind, pairs in runs.items():
        ours, theirs = ([pair[name] for pair in pairs] for name in ("ours", "peer"))
        ratios = sorted(pair["ratio"] for pair in pairs)
        print(f"| {kind} | {middle(ours, 'speed'):.1f} | {100 * middle(ours, 'read'):.0f} % | "
              f"{middle(theirs, 'speed'):.1f} | {100 * middle(theirs, 'read'):.0f} % | {statistics.median(ratios):.2f} "
              f"({', '.join(f'{ratio:.2f}' for ratio in ratios)}) | {middle(pairs, 'at_most'):.2f} |")
    if arguments.output:
        report = {"schema": "facet-one-request/3"} | compare.origin(arguments) | {"runs": runs}
        arguments.output.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
