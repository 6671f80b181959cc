#!/usr/bin/env python3
"""Reads prompts in bf16 in ours, PyTorch and llama.cpp, a few seconds each, alternately.

    make build
    python3 prompts.py [--rounds 7] [--output FILE.json]

Arithmetic bounds this work, and a shared machine's changes within minutes; compare.py has minutes between ours and a peer.
Here a turn is three prompts, the peers stay loaded between their turns, and what counts is the ratio within a round. Each
program measures arithmetic before and after every prompt, with the same loop: "of peak" is the least arithmetic that a prompt
takes, as a fraction of that. Of the last layer only the last row is needed: ours and, behind its attention, llama.cpp take
that row alone through it, PyTorch takes all.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

import compare
import figures
import reading

PROMPTS = 3  # of a turn
PEERS = ("PyTorch", "llama.cpp")


def pytorch_prefill(threads: int):
    """What reads a prompt of so many tokens and returns the seconds."""
    import pytorch_decoder

    decoder = pytorch_decoder.on_processor(threads)

    def prefill(count: int) -> float:
        ids = decoder.tokens(1, count)
        return figures.seconds(lambda: decoder.next_tokens(decoder.model, ids, decoder.cache(count)))

    return prefill


def llamacpp_prefill(threads: int):
    import llamacpp_decoder

    llamacpp_decoder.start()
    cache = llamacpp_decoder.default_cache()
    cache.mkdir(parents=True, exist_ok=True)
    decoder = llamacpp_decoder.Decoder(llamacpp_decoder.model_file(cache, "BF16", threads), threads)

    def prefill(count: int) -> float:
        decoder.clear()
        return decoder.prefill(count)

    return prefill


def serve_peer(name: str, library: str, threads: int) -> None:
    """In a process of its own: answers each line, a number of tokens, with one of speed and the fraction of the peak."""
    prefill = (pytorch_prefill if name == "PyTorch" else llamacpp_prefill)(threads)
    peak = reading.Arithmetic(library, threads)
    print(json.dumps("loaded"), flush=True)
    for line in sys.stdin:
        count = int(line)
        flop = compare.work_of({"name": "prefill", "size": f"{count} tokens", "precision": "bfloat16"})[1]
        prefill(count)
        speeds, fractions, before = [], [], peak.sample()
        for _ in range(PROMPTS):
            seconds = prefill(count)
            after = peak.sample()
            speeds.append(count / seconds)
            fractions.append(flop / seconds / ((before + after) / 2))
            before = after
        print(json.dumps({"speed": statistics.median(speeds), "peak": statistics.median(fractions)}), flush=True)


class Peer:
    def __init__(self, name: str, library: str, threads: int):
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--threads", str(threads), "--peer", name, library],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        # One after the other: what still loads would take the processors from who is measured.
        self.answer()

    def turn(self, count: int) -> dict:
        print(count, file=self.process.stdin, flush=True)
        return self.answer()

    def answer(self):
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit(f"a peer ended with status {self.process.wait()}")
        return json.loads(answer)

    def stop(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def turn_of_ours(facet: str, count: int, threads: int) -> dict:
    report = json.loads(subprocess.run(
        [facet, "bench", "model", "--config", str(figures.REDUCED), "--no-image", "--dtype", "bfloat16",
         "--prompt-tokens", str(count), "--new-tokens", "1", "--repeats", str(PROMPTS), "--threads", str(threads),
         "--limits", "--json"], check=True, capture_output=True, text=True).stdout)
    figure = next(figure for figure in report["figures"] if figure["name"] == "prefill")
    return {"speed": figure["median"], "peak": figure["fraction"]}


def rounds_of(arguments: argparse.Namespace, peers: dict[str, Peer]) -> dict[int, list[dict]]:
    rounds = {count: [] for count in figures.PREFILLS}
    for _ in range(arguments.rounds):
        for count, turns in rounds.items():
            turn = {"ours": turn_of_ours(arguments.facet, count, arguments.threads)}
            turns.append(turn | {name: peer.turn(count) for name, peer in peers.items()})
    return rounds


def row(count: int, turns: list[dict]) -> str:
    def middle(program: str) -> str:
        speed, peak = (statistics.median(turn[program][name] for turn in turns) for name in ("speed", "peak"))
        return f"{speed:.0f} | {100 * peak:.0f} %"

    cells = [f"{count} tokens", middle("ours")]
    for name in PEERS:
        ratios = sorted(turn["ours"]["speed"] / turn[name]["speed"] for turn in turns)
        cells += [middle(name), f"{statistics.median(ratios):.2f} ({', '.join(f'{ratio:.2f}' for ratio in ratios)})"]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    arguments = compare.parser_of_turns("prompts in bf16, ours and two peers alternately").parse_args()
    if arguments.peer:
        serve_peer(*arguments.peer, arguments.threads)
        return
    with tempfile.TemporaryDirectory() as folder:
        library = str(reading.build(pathlib.Path(folder)))
        peers = {name: Peer(name, library, arguments.threads) for name in PEERS}
        rounds = rounds_of(arguments, peers)
        for peer in peers.values():
            peer.stop()
    print("| prompt | ours, tokens/s | of peak | PyTorch | of peak | ratio, median (all) | llama.cpp | of peak | ratio |")
    print("| --- | ---: | ---: | ---: | ---: | --- | ---: | ---: | --- |")
    for count, turns in rounds.items():
        print(row(count, turns))
    if arguments.output:
        report = {"schema": "facet-prompts/1"} | compare.origin(arguments) | {"rounds": rounds}
        arguments.output.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
