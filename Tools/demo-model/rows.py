"""Stores what a checkpoint's tower says about many pictures, so that the decoder can be trained without the tower.

    python rows.py --model DIR --out POOL --count 48000 [--seed 11] [--processes 2]

Each part of the pool holds the image rows of its pictures (bf16 [N, rows + 2, hidden], as they enter the decoder) and
what is true about them; the questions are drawn anew each time a picture is used.
"""

import argparse
from pathlib import Path
from random import Random

import numpy as np
import torch
from PIL import Image

from model import GLM4V, normalize_pixels
from pictures import Picture, draw

KINDS, SHARES = ["scene", "text", "digit"], [0.62, 0.29, 0.09]


def told(picture):
    """The picture without its pixels."""
    return Picture(None, picture.kind, picture.things, picture.text)


@torch.no_grad()
def make_part(part, options):
    torch.set_num_threads(1)
    model = GLM4V.load(options.model)
    size = model.config["vision_config"]["image_size"]
    rows, pictures = [], []
    for first in range(part, options.count, 64 * options.processes):
        pixels = []
        for index in range(first, min(first + 64 * options.processes, options.count), options.processes):
            rng = Random(f"pool {options.seed} {index}")
            picture = draw(rng, rng.choices(KINDS, SHARES)[0])
            pixels.append(np.asarray(picture.image.resize((size, size), Image.BICUBIC)))
            pictures.append(told(picture))
        with torch.autocast("cpu", torch.bfloat16):
            said, _ = model.transformer.vision(normalize_pixels(torch.from_numpy(np.stack(pixels))))
        rows.append(said.bfloat16())
        if first // 64 % 20 == 0:
            print(part, len(pictures), flush=True)
    options.out.mkdir(parents=True, exist_ok=True)
    torch.save({"rows": torch.cat(rows), "pictures": pictures}, options.out / f"part-{options.seed}-{part}.pt")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=48000)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    torch.multiprocessing.spawn(make_part, (options,), options.processes)


if __name__ == "__main__":
    main()
