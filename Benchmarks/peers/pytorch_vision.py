#!/usr/bin/env python3
"""One layer of the vision tower in transformers, bfloat16: one JSON object per line.

    python3 pytorch_vision.py [--device cuda] [--config FILE] [--threads N] [--repeats N] [--rows 1601,6401]

transformers has no GLM-4V-9B tower. Its ViT layer has the same products, attention, GELU and norms at the same sizes,
with the norms in front of the blocks instead of behind them.
"""

import argparse
import pathlib

import torch
import transformers
from transformers.models.vit.modeling_vit import ViTConfig, ViTLayer

import figures


def main() -> None:
    parser = argparse.ArgumentParser(description="one layer of the vision tower in transformers")
    parser.add_argument("--device", default="cpu", help="cpu, or cuda for the first card")
    parser.add_argument("--config", type=pathlib.Path, default=figures.REDUCED, help="the model's sizes")
    parser.add_argument("--threads", type=int, default=figures.default_threads())
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--rows", default="1601,6401")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.set_grad_enabled(False)
    torch.manual_seed(0)
    torch.set_default_device(arguments.device)
    finish = figures.finisher(arguments.device)
    sizes = figures.sizes_of(arguments.config)["vision_config"]
    configuration = ViTConfig(
        hidden_size=sizes["hidden_size"], num_attention_heads=sizes["num_heads"],
        intermediate_size=sizes["intermediate_size"], hidden_act="gelu", attn_implementation="sdpa")
    # Two layers take turns, so that the next one's weights are not in a cache.
    layers = [ViTLayer(configuration).to(torch.bfloat16).eval() for _ in range(2)]
    for rows in map(int, arguments.rows.split(",")):
        x = torch.randn(1, rows, sizes["hidden_size"], dtype=torch.bfloat16)
        turn = 0

        def run() -> None:
            nonlocal turn
            turn += 1
            layers[turn % 2](x)

        times = figures.seconds_of(run, arguments.repeats, finish)
        figures.emit(
            "transformers", f"{transformers.__version__}, torch {torch.__version__}", "vision layer", f"{rows} rows",
            "bfloat16", arguments.threads, "rows/s", rows, times, figures.vision_model({"vision_config": sizes}))


if __name__ == "__main__":
    main()
