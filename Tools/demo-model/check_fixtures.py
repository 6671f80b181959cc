"""Compares model.py with recorded tensors of a tiny checkpoint: `check_fixtures.py CHECKPOINT`; exit status 1 on a miss.

The folder holds the checkpoint and `cases/<name>/` with expected.json, tensors.safetensors and, for picture cases,
pixel_values.safetensors.
"""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file

from model import GLM4V


def tolerance(name):
    """Largest difference allowed; the adapter's rows are the output rows before the division by 8."""
    if name == "vision.linear_proj":
        return 8 * 5e-4
    return 5e-4 if name.startswith("vision.") else 2e-3


def check(model, folder):
    # The tower runs in float64: in float32 its rounding alone comes near the tolerance.
    tower = model.transformer.vision.double()
    expected = json.loads((folder / "expected.json").read_text())
    want, trace, image = load_file(folder / "tensors.safetensors"), {}, None
    pixels = folder / "pixel_values.safetensors"
    with torch.no_grad():
        if pixels.exists():
            image = tower(load_file(pixels)["pixel_values"].double(), trace)[0][0]
        prompt, steps = expected["prompt_token_ids"], expected["greedy_token_ids"]
        got = model.generate([prompt], [image], len(steps), (), trace)[0]
        positions = model.expand(prompt, image)[1].tolist()
    trace["step_logits"] = torch.stack(trace["step_logits"], 1)
    worst, good = {}, got == steps and positions == expected["position_ids"]
    for name, tensor in want.items():
        if name not in trace:
            print(f"{folder.name}: {name} is not computed")
            good = False
            continue
        difference = (trace[name].reshape(tensor.shape) - tensor).abs().max().item()
        part = name.split(".")[0]
        worst[part] = max(worst.get(part, 0), difference)
        good = good and difference <= tolerance(name)
    print(folder.name, "ok" if good else "MISS", {part: f"{value:.1e}" for part, value in worst.items()})
    return good


def main():
    folder = Path(sys.argv[1])
    model = GLM4V.load(folder)
    cases = [path for path in sorted((folder / "cases").iterdir()) if not path.name.startswith("batch")]
    sys.exit(0 if all([check(model, path) for path in cases]) else 1)


if __name__ == "__main__":
    main()
