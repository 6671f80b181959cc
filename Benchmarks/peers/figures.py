"""What the scripts share: sizes, timing, and one JSON object per line."""

import json
import os
import pathlib
import statistics
import time

REDUCED = pathlib.Path(__file__).parent / "reduced.json"

# Name, rows, inputs, outputs: the names are those of `facet bench ops`.
PRODUCTS = [
    ("product: decoder qkv", 512, 4096, 4608),
    ("product: decoder qkv", 1600, 4096, 4608),
    ("product: decoder gate+up", 512, 4096, 27392),
    ("product: decoder down", 512, 13696, 4096),
    ("product: vision qkv", 6401, 1792, 5376),
    ("product: vision fc1", 6401, 1792, 15360),
]
ROWS = [
    ("row: decoder qkv", 1, 4096, 4608),
    ("row: decoder gate+up", 1, 4096, 27392),
    ("row: decoder down", 1, 13696, 4096),
    ("row: output layer", 1, 4096, 151552),
]

ELEMENT_BYTES = {"bfloat16": 2, "float32": 4}

# Prompt lengths whose reading is timed, and the prompt in front of the tokens whose generation is timed.
PREFILLS = (512, 1650)
DECODE_PROMPT = 64
DECODE_TOKENS = 16
# On a busy machine decoding ends after so many seconds, as soon as there are four tokens.
DECODE_SECONDS = 6
BATCHES = (1, 8)


def sizes_of(config: pathlib.Path = REDUCED) -> dict:
    return json.loads(config.read_text())


def decoder_model(sizes: dict) -> str:
    """The decoder's sizes in the words of `facet bench model`."""
    return (
        f"hidden {sizes['hidden_size']}, layers {sizes['num_layers']}, "
        f"heads {sizes['num_attention_heads']}/{sizes['multi_query_group_num']}, "
        f"ffn {sizes['ffn_hidden_size']}, vocab {sizes['padded_vocab_size']}"
    )


def vision_model(sizes: dict) -> str:
    sizes = sizes["vision_config"]
    return f"hidden {sizes['hidden_size']}, heads {sizes['num_heads']}, mlp {sizes['intermediate_size']}"


def default_threads() -> int:
    return len(os.sched_getaffinity(0))


def finisher(device: str):
    """What waits for a device's work; nothing on the processor, which is done when a call returns."""
    if not device.startswith("cuda"):
        return lambda: None
    import torch
    return torch.cuda.synchronize


def seconds(function) -> float:
    """Wall time of one run."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def seconds_of(function, repeats: int, finish=lambda: None) -> list[float]:
    """Wall times of so many runs after one to warm up, each until `finish` returns."""
    function()
    finish()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        finish()
        times.append(time.perf_counter() - start)
    return times


def repeats_for(function, budget: float, least: int = 3, most: int = 50, finish=lambda: None) -> list[float]:
    """Wall times of as many runs as fit into a number of seconds."""
    function()
    finish()
    start = time.perf_counter()
    function()
    finish()
    once = time.perf_counter() - start
    return seconds_of(function, max(least, min(most, int(budget / max(once, 1e-6)))), finish)


def decoding_seconds(step) -> list[float]:
    """Wall times of `step`, which generates a token for each sequence; the first two warm up."""
    times: list[float] = []
    start = time.perf_counter()
    while len(times) < DECODE_TOKENS + 2 and (len(times) < 6 or time.perf_counter() - start < DECODE_SECONDS):
        times.append(step(len(times)))
    return times[2:]


def emit(program: str, version: str, name: str, size: str, precision: str, threads: int, unit: str,
         amount: float, seconds: list[float], model: str | None = None, **more) -> None:
    """Prints a figure: the speeds are `amount` divided by each time."""
    line = {"program": program, "version": version, "name": name, "size": size}
    if model:
        line["model"] = model
    line |= {
        "precision": precision, "threads": threads, "unit": unit,
        "median": amount / statistics.median(seconds), "fastest": amount / min(seconds),
        "slowest": amount / max(seconds), "runs": len(seconds), **more,
    }
    print(json.dumps(line), flush=True)


def emit_product(program: str, version: str, shape: tuple, precision: str, threads: int, seconds: list[float],
                 **more) -> None:
    """A product of PRODUCTS or ROWS: arithmetic of many rows, bytes of one."""
    name, rows, inputs, outputs = shape
    amount, unit = 2 * rows * inputs * outputs / 1e9, "GFLOP/s"
    if rows == 1:
        amount, unit = ELEMENT_BYTES[precision] * (inputs * outputs + inputs + outputs) / 1e9, "GB/s"
    emit(program, version, name, f"{rows} x {inputs} -> {outputs}", precision, threads, unit, amount, seconds, **more)


def emit_decoding(program: str, version: str, precision: str, threads: int, batch: int, seconds: list[float],
                  sizes: dict | None = None, **more) -> None:
    size = "1 request" if batch == 1 else f"{batch} requests"
    emit(program, version, "decode", size, precision, threads, "tokens/s", batch, seconds,
         decoder_model(sizes or sizes_of()), **more)


def emit_prefill(program: str, version: str, precision: str, threads: int, tokens: int, seconds: list[float],
                 sizes: dict | None = None, **more) -> None:
    emit(program, version, "prefill", f"{tokens} tokens", precision, threads, "tokens/s", tokens, seconds,
         decoder_model(sizes or sizes_of()), **more)
