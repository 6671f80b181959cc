#!/usr/bin/env python3
"""Decodes one request in ours and in llama.cpp, a few seconds each, alternately.

    make build
    python3 one_request.py [--rounds 7] [--output FILE.json]

Memory bounds this work, and how fast it is read can change from minute to minute on a shared machine, and with the pages
that a process happens to get. So, unlike compare.py, a pair takes ten seconds, every process is a new one, and what counts
is the ratio within a pair. 100 tokens after a prompt of 16; a program's figure is the median over its tokens.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys

import compare
import figures

HERE = pathlib.Path(__file__).resolve().parent
PROMPT, TOKENS = 16, 100
KINDS = dict(zip(("BF16", "Q8_0", "Q4_0"), (compare.PRECISIONS[group] for group in ("decoder", "int8", "int4"))))


def measure_peer(kind: str, threads: int) -> None:
    """In a process of its own: prints tokens per second of llama.cpp."""
    import llamacpp_decoder

    llamacpp_decoder.start()
    cache = llamacpp_decoder.default_cache()
    cache.mkdir(parents=True, exist_ok=True)
    decoder = llamacpp_decoder.Decoder(llamacpp_decoder.model_file(cache, kind, threads), threads)
    decoder.prefill(PROMPT)
    times = [decoder.step([(9, PROMPT + index, 0, True)]) for index in range(TOKENS)]
    print(1 / statistics.median(times[2:]))


def output_of(command: list[str]) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def decoding_of_ours(facet: str, kind: str, threads: int) -> float:
    report = json.loads(output_of([
        facet, "bench", "model", "--config", str(figures.REDUCED), "--no-image", "--prompt-tokens", str(PROMPT),
        "--new-tokens", str(TOKENS), "--dtype", KINDS[kind], "--threads", str(threads), "--repeats", "1", "--json"]))
    return next(figure["median"] for figure in report["figures"] if figure["name"] == "decode")


def reading(facet: str, threads: int) -> float:
    return json.loads(output_of([facet, "bench", "limits", "--json", "--threads", str(threads)]))["read"]


def main() -> None:
    parser = argparse.ArgumentParser(description="one request, ours and llama.cpp alternately")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=figures.default_threads())
    parser.add_argument("--facet", default=str(HERE.parent.parent / ".build" / "release" / "facet"))
    parser.add_argument("--output", type=pathlib.Path)
    parser.add_argument("--peer", choices=KINDS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peer:
        measure_peer(arguments.peer, arguments.threads)
        return
    runs = {kind: {"ours": [], "llama.cpp": [], "read": []} for kind in KINDS}
    peer = [sys.executable, __file__, "--threads", str(arguments.threads), "--peer"]
    for _ in range(arguments.rounds):
        for kind, run in runs.items():
            run["ours"].append(decoding_of_ours(arguments.facet, kind, arguments.threads))
            run["llama.cpp"].append(float(output_of([*peer, kind])))
            run["read"].append(reading(arguments.facet, arguments.threads))
    print("| weights | ours, tokens/s | llama.cpp | ratio, median (all) | reading, GB/s |")
    print("| --- | ---: | ---: | --- | ---: |")
    for kind, run in runs.items():
        run["ratios"] = sorted(a / b for a, b in zip(run["ours"], run["llama.cpp"]))
        median = {name: statistics.median(run[name]) for name in run}
        print(f"| {KINDS[kind]}, {kind} | {median['ours']:.1f} | {median['llama.cpp']:.1f} | {median['ratios']:.2f} "
              f"({', '.join(f'{ratio:.2f}' for ratio in run['ratios'])}) | {median['read']:.0f} |")
    if arguments.output:
        arguments.output.write_text(json.dumps({"schema": "facet-one-request/1", "runs": runs}, indent=2) + "\n")


if __name__ == "__main__":
    main()
