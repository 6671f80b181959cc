#!/usr/bin/env python3
"""Runs facet and its peers alternately and prints one table.

    make build
    python3 compare.py [--rounds 3] [--only GROUP,…] [--output FILE.json]

A round runs, for each kind of work, ours and then each peer, each in a process of its own: ours, PyTorch, ours,
PyTorch … The machine's limits are measured by ours right before and right after each such pair, and beside each run of an
operation and each token. Figures are medians over the rounds, with the range of all runs; a ratio is the median of the
rounds' ratios. What is not installed, or fails, is named as missing.
"""

import argparse
import datetime
import importlib.metadata
import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time

import figures

HERE = pathlib.Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
GROUPS = ("products", "float32", "rows", "decoder", "int8", "int4", "vision")
STEP_LIMIT = 300
# What ours is asked for. Every matrix has the bits that the peer's have: `--dtype int8` alone would leave the output
# layer in bfloat16.
PRECISIONS = {"decoder": "bfloat16", "int8": "decoder=int8,output=int8", "int4": "decoder=int4,output=int4"}
PEERS = {
    "pytorch": ("torch",), "transformers": ("torch", "transformers"), "llama.cpp": ("llama-cpp-python", "gguf", "numpy"),
}
# Label of each peer's column: the first is the program that a figure names.
COLUMNS = {"pytorch": "PyTorch", "transformers": "PyTorch", "onednn": "oneDNN", "llama.cpp": "llama.cpp"}


class Step:
    """One program's command for a kind of work."""

    def __init__(self, program: str, commands: list[list[str]]):
        self.program = program
        self.commands = commands


class Comparison:
    def __init__(self, arguments: argparse.Namespace, folder: pathlib.Path):
        self.arguments = arguments
        self.folder = folder
        self.runs: list[dict] = []
        self.limits: list[dict] = []
        self.loads: list[float] = []
        self.start = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
        self.missing: dict[str, str] = {}
        self.commit = commit()
        self.versions = versions(arguments.facet)
        self.missing_peers = {
            program: f"{package} is not installed"
            for program, packages in PEERS.items() for package in reversed(packages) if package not in self.versions
        }
        self.missing |= self.missing_peers

    def report(self, rounds: int) -> dict:
        return {
            "schema": "facet-comparison/1", "date": self.start, "note": self.arguments.note,
            "commit": self.commit,
            "hardware": hardware(self.limits) | {"load_average": self.loads}, "versions": self.versions,
            "rounds": rounds, "threads": self.arguments.threads, "limits": self.limits, "missing": self.missing,
            "rows": summary(self.runs),
        }

    # What is run

    def steps(self, group: str) -> list[Step]:
        threads = ["--threads", str(self.arguments.threads)]
        python = [sys.executable]
        seconds = ["--seconds", str(self.arguments.seconds)]
        if group in ("products", "float32", "rows"):
            only = ["--only", "row:" if group == "rows" else "product:"]
            dtype = ["--dtype", "float32" if group == "float32" else "bfloat16"]
            # Without a format ours would multiply by weights that are not packed.
            ours = [self.arguments.facet, "bench", "ops", "--json", *dtype, "--format", dtype[1], *only, *seconds, *threads]
            peers = {"pytorch": "pytorch_products.py", "onednn": "onednn_products.py"}
            return [Step("facet", [ours])] + [
                Step(name, [[*python, str(HERE / script), *dtype, *only, *seconds, *threads]])
                for name, script in peers.items()
            ]
        if group == "vision":
            peer = [*python, str(HERE / "pytorch_vision.py"), "--repeats", "2", *threads]
            return [Step("facet", [self.vision(560, threads), self.vision(1120, threads)]), Step("transformers", [peer])]
        kind = {"decoder": "BF16", "int8": "Q8_0", "int4": "Q4_0"}[group]
        steps = [Step("facet", self.decoder(PRECISIONS[group], threads))]
        if group == "decoder":
            peer = [*python, str(HERE / "pytorch_decoder.py"), "--repeats", "2", *threads]
            steps.append(Step("transformers", [peer]))
        peer = [*python, str(HERE / "llamacpp_decoder.py"), "--repeats", "2", "--types", kind, *threads]
        if self.arguments.cache:
            peer += ["--cache", self.arguments.cache]
        return [*steps, Step("llama.cpp", [peer])]

    def model(self, threads: list[str], *options: str) -> list[str]:
        return [self.arguments.facet, "bench", "model", "--json", "--repeats", "2", *threads, *options]

    def decoder(self, precision: str, threads: list[str]) -> list[list[str]]:
        common = ["--config", str(figures.REDUCED), "--dtype", precision, "--no-image"]
        commands = [
            self.model(threads, *common, "--prompt-tokens", str(tokens), "--new-tokens", "1")
            for tokens in figures.PREFILLS
        ]
        decoding = [
            "--prompt-tokens", str(figures.DECODE_PROMPT), "--new-tokens", str(figures.DECODE_TOKENS),
            "--requests", str(max(figures.BATCHES)), "--limits",
        ]
        return [*commands, self.model(threads, *common, *decoding)]

    def vision(self, side: int, threads: list[str]) -> list[str]:
        """The reduced model's tower for pictures of another side."""
        recipe = figures.sizes_of()
        tower = recipe["vision_config"]
        tower["image_size"], tower["num_positions"] = side, (side // tower["patch_size"]) ** 2 + 1
        recipe["num_layers"] = 1
        path = self.folder / f"vision-{side}.json"
        path.write_text(json.dumps(recipe))
        return self.model(threads, "--config", str(path), "--prompt-tokens", "1", "--new-tokens", "1")

    # Running

    def run(self, command: list[str]) -> tuple[str, str | None]:
        """Standard output, and the reason when the command failed."""
        try:
            result = subprocess.run(command, capture_output=True, text=True, timeout=STEP_LIMIT)
        except subprocess.TimeoutExpired:
            return "", f"took more than {STEP_LIMIT} s"
        except OSError as error:
            return "", str(error)
        lines = result.stderr.strip().splitlines()
        return result.stdout, None if result.returncode == 0 else (lines or [f"exit status {result.returncode}"])[-1]

    def measure_limits(self) -> dict | None:
        output, failure = self.run(
            [self.arguments.facet, "bench", "limits", "--json", "--threads", str(self.arguments.threads)])
        if failure:
            self.missing["limits"] = failure
            return None
        limits = json.loads(output)
        self.limits.append(limits)
        self.loads.append(os.getloadavg()[0])
        return limits

    def run_step(self, step: Step, group: str, round_number: int, order: int) -> None:
        label = f"{step.program}, {group}"
        if step.program in self.missing_peers or label in self.missing:
            return
        print(f"round {round_number}: {label} …", file=sys.stderr, flush=True)
        for command in step.commands:
            output, failure = self.run(command)
            if failure:
                self.missing[label] = failure
                return
            for figure in parsed(output):
                if figure["precision"] == PRECISIONS.get(group):
                    figure["precision"] = group if group != "decoder" else "bfloat16"
                self.runs.append(figure | {"group": group, "round": round_number, "order": order})

    def run_round(self, group: str, round_number: int) -> None:
        ours, *peers = self.steps(group)
        active = [peer for peer in peers if peer.program not in self.missing_peers] or [None]
        for order, peer in enumerate(active):
            first = len(self.runs)
            limits = [self.measure_limits()]
            self.run_step(ours, group, round_number, order)
            if peer:
                self.run_step(peer, group, round_number, order)
            limits.append(self.measure_limits())
            for figure in self.runs[first:]:
                figure["limits"] = [limit for limit in limits if limit]


def text_of(command: list) -> str:
    result = subprocess.run(command, capture_output=True, text=True)
    return result.stdout.strip() if result.returncode == 0 else "unknown"


def commit() -> str:
    git = ["git", "-C", str(REPOSITORY)]
    changed = text_of([*git, "status", "--porcelain", "--", "Sources", "Package.swift"])
    return text_of([*git, "rev-parse", "HEAD"]) + (" with changes" if changed else "")


def versions(facet: str) -> dict[str, str]:
    """Of ours, Python and what is installed of the peers' packages."""
    found = {"facet": text_of([facet, "--version"]), "python": platform.python_version()}
    for package in dict.fromkeys(package for packages in PEERS.values() for package in packages):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            pass
    return found


def origin(arguments: argparse.Namespace) -> dict:
    """When, of which commit and where figures were measured."""
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    limits = json.loads(text_of([arguments.facet, "bench", "limits", "--json", "--threads", str(arguments.threads)]))
    return {
        "date": now, "commit": commit(), "hardware": hardware([limits]), "versions": versions(arguments.facet),
        "threads": arguments.threads, "limits": limits,
    }


def parser_of_turns(description: str) -> argparse.ArgumentParser:
    """What the scripts understand that take turns with a peer, which they run as processes of their own: `--peer`."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=figures.default_threads())
    parser.add_argument("--facet", default=str(REPOSITORY / ".build" / "release" / "facet"))
    parser.add_argument("--output", type=pathlib.Path)
    parser.add_argument("--peer", nargs=2, metavar=("NAME", "LIBRARY"), help=argparse.SUPPRESS)
    return parser


def parsed(output: str) -> list[dict]:
    """The figures in what ours or a peer printed."""
    try:
        report = json.loads(output)
    except json.JSONDecodeError:
        lines = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
        return [line for line in lines if "name" in line]
    if "operations" in report:
        return [from_operation(operation, report) for operation in report["operations"]]
    # A picture's run and a run for the prompt alone also measure what nobody asked for.
    is_vision = any(figure["name"] == "vision layer" for figure in report["figures"])
    wanted = "vision layer" if is_vision else "decode" if report["requests"] > 1 else "prefill"
    return [figure for figure in report["figures"] if figure["name"] == wanted]


def from_operation(operation: dict, report: dict) -> dict:
    scale = operation["rate"] * operation["milliseconds"]
    return {
        "program": "facet", "name": operation["name"], "size": operation["size"], "precision": report["dtype"],
        "threads": report["threads"], "unit": "GFLOP/s" if operation["bound"] == "arithmetic" else "GB/s",
        "median": operation["rate"], "fastest": scale / operation["fastest_milliseconds"],
        "slowest": scale / operation["slowest_milliseconds"], "runs": operation["runs"], "limit": operation["limit"],
    }


# Limits

def limit_of(figure: dict) -> float | None:
    """The speed that the machine allowed: as ours measured it beside its runs, else from the limits around the figure."""
    if figure.get("limit"):
        return figure["limit"]
    limits = figure.get("limits")
    if not limits:
        return None
    # An arithmetic limit holds for bfloat16; no other is measured yet for weights of fewer bits.
    types = ("float32",) if figure["precision"] == "float32" else ("bfloat16", "float32")
    arithmetic = max(next(limit[name] for name in types if limit.get(name)) for limit in limits) * 1e9
    read = max(limit["read"] for limit in limits) * 1e9
    if figure["unit"] == "GFLOP/s":
        return arithmetic / 1e9
    if figure["unit"] == "GB/s":
        return read / 1e9
    amount, flop, byte_count = work_of(figure)
    return amount / max(flop / arithmetic, byte_count / read)


def work_of(figure: dict) -> tuple[float, float, float]:
    """Tokens or rows, arithmetic and bytes of one repetition; the same counts as `facet bench model --limits`."""
    recipe = figures.sizes_of()
    amount = int(figure["size"].split()[0])
    if figure["name"] == "vision layer":
        sizes = recipe["vision_config"]
        width, mlp = sizes["hidden_size"], sizes["intermediate_size"]
        elements = 4 * width * width + 2 * width * mlp
        return amount, 2 * amount * elements + 4 * amount * amount * width, 2 * elements
    hidden, heads, groups = recipe["hidden_size"], recipe["num_attention_heads"], recipe["multi_query_group_num"]
    queries = heads * recipe["kv_channels"]
    projection = (heads + 2 * groups) * recipe["kv_channels"]
    layer = hidden * projection + queries * hidden + 3 * hidden * recipe["ffn_hidden_size"]
    layers, output = recipe["num_layers"] * layer, hidden * recipe["padded_vocab_size"]
    # 8 bits and a half: the formats store a scale for each 32 weights.
    bytes_each = {"bfloat16": 2, "int8": 34 / 32, "int4": 18 / 32}[figure["precision"]]
    byte_count = (layers + output) * bytes_each
    if figure["name"] == "prefill":
        # In the last layer all rows become keys and values, and only the last row goes on.
        last = hidden * projection * amount + layer - hidden * projection
        products = layer * (recipe["num_layers"] - 1) * amount + last + output
        attention = (2 * amount * (amount + 1) * (recipe["num_layers"] - 1) + 4 * amount) * queries
        return amount, 2 * products + attention, byte_count
    context = figures.DECODE_PROMPT + figures.DECODE_TOKENS / 2
    attention = 4 * context * queries * recipe["num_layers"]
    return amount, amount * (2 * (layers + output) + attention), byte_count


# Summary

def summary(runs: list[dict]) -> list[dict]:
    """A row for each kind of work and precision."""
    rows = []
    for key in dict.fromkeys((run["name"], run["size"], run["precision"]) for run in runs):
        same = [run for run in runs if (run["name"], run["size"], run["precision"]) == key]
        ours = [run for run in same if run["program"] == "facet"]
        row = dict(zip(("name", "size", "precision"), key)) | {"unit": same[0]["unit"], "ours": spread(ours)}
        fractions = [run["median"] / limit for run in ours if (limit := limit_of(run))]
        row["fraction_of_limit"] = statistics.median(fractions) if fractions else None
        row["peers"] = {}
        for program in dict.fromkeys(run["program"] for run in same if run["program"] != "facet"):
            theirs = [run for run in same if run["program"] == program]
            row["peers"][COLUMNS[program]] = spread(theirs) | {"ratio": ratio(ours, theirs)}
        rows.append(row)
    return rows


def spread(runs: list[dict]) -> dict | None:
    if not runs:
        return None
    return {
        "median": statistics.median(run["median"] for run in runs), "fastest": max(run["fastest"] for run in runs),
        "slowest": min(run["slowest"] for run in runs), "rounds": [run["median"] for run in runs],
    }


def ratio(ours: list[dict], theirs: list[dict]) -> float | None:
    """The median over the pairs that ran one after the other."""
    pairs = {(run["round"], run["order"]): run["median"] for run in ours}
    ratios = [
        pairs[place] / run["median"] for run in theirs if (place := (run["round"], run["order"])) in pairs
    ]
    return statistics.median(ratios) if ratios else None


def table(rows: list[dict]) -> str:
    columns = list(dict.fromkeys(COLUMNS.values()))
    head = ["work", "size", "weights", "ours", "of limit"] + [cell for name in columns for cell in (name, "ratio")]
    lines = [head, ["---"] * len(head)]
    for row in rows:
        cells = [row["name"], row["size"], row["precision"], shown(row["ours"]) + f" {row['unit']}"]
        fraction = row["fraction_of_limit"]
        cells.append("–" if fraction is None else f"{100 * fraction:.0f} %")
        for name in columns:
            peer = row["peers"].get(name)
            cells.append(shown(peer))
            cells.append(f"{peer['ratio']:.2f}" if peer and peer["ratio"] else "–")
        lines.append(cells)
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def shown(figure: dict | None) -> str:
    if figure is None:
        return "–"
    return f"{figure['median']:.3g} ({figure['slowest']:.3g}–{figure['fastest']:.3g})".replace("e+03", "e3")


def hardware(limits: list[dict]) -> dict:
    memory = re.search(r"MemTotal:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text())
    return {
        "processor": limits[0]["processor"] if limits else platform.processor(),
        "instruction_set": limits[0]["instruction_set"] if limits else None,
        "processors": figures.default_threads(), "memory_bytes": int(memory[1]) * 1024 if memory else None,
        "system": platform.platform(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="facet and its peers, alternately")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=figures.default_threads())
    parser.add_argument("--seconds", type=float, default=0.3, help="for each product")
    parser.add_argument("--only", default=",".join(GROUPS), help="kinds of work: " + ", ".join(GROUPS))
    parser.add_argument("--facet", default=str(REPOSITORY / ".build" / "release" / "facet"))
    parser.add_argument("--cache", help="folder of the models for llama.cpp")
    parser.add_argument("--minutes", type=float, default=18, help="nothing further begins after so long")
    parser.add_argument("--note", default="", help="about the machine, for the JSON file")
    parser.add_argument("--output", type=pathlib.Path, help="JSON file to write")
    arguments = parser.parse_args()
    groups = arguments.only.split(",")
    if unknown := [group for group in groups if group not in GROUPS]:
        parser.error(f"--only: {unknown[0]} is none of {', '.join(GROUPS)}")
    if not os.access(arguments.facet, os.X_OK):
        sys.exit(f"there is no {arguments.facet}: run 'make build', or say where facet is with --facet")
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        comparison = Comparison(arguments, pathlib.Path(folder))
        rounds = 0
        for number in range(1, arguments.rounds + 1):
            # A round that would not end in time is not begun.
            if rounds and (time.monotonic() - start) * (rounds + 1) / rounds > arguments.minutes * 60:
                print(f"only {rounds} rounds: the next one would not end in time", file=sys.stderr)
                break
            for group in groups:
                if time.monotonic() - start > arguments.minutes * 60:
                    comparison.missing[f"{group}, round {number}"] = f"{arguments.minutes:g} minutes were over"
                    continue
                comparison.run_round(group, number)
                write(arguments.output, comparison.report(number))
            rounds = number
    report = comparison.report(rounds)
    write(arguments.output, report)
    print(table(report["rows"]))
    for name, reason in comparison.missing.items():
        print(f"missing: {name}: {reason}")


def write(path: pathlib.Path | None, report: dict) -> None:
    """Writes what there is, after each group: a run that is ended early leaves its figures."""
    if path:
        path.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
