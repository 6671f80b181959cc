"""Trains the decoder alone on the stored rows of `rows.py`, many short questions to a picture.

    python answers.py --model DIR --pool POOL --state STATE --minutes 50 [--layers 4]

Looking one thing up by another is learned from short answers; in the joint training they drown in long descriptions.
Here every answer weighs one over the root of its length, and no time goes into the tower. Restartable like `train.py`;
`--layers` above the checkpoint's adds layers that at first change nothing.
"""

import argparse
from pathlib import Path
from random import Random

import numpy as np
import torch

from data import Packer
from initial import initialize
from loop import Log, Run, add_options
from losses import answer_loss
from model import GLM4V
from tokenizer import Tokenizer


class Pool(torch.utils.data.IterableDataset):
    """Endless batches (rows, texts): pictures of the pool in shuffled order, each time with new questions."""

    def __init__(self, folder, tokenizer, batch, budget, seed, start):
        parts = [torch.load(path, weights_only=False) for path in sorted(folder.glob("part-*.pt"))]
        self.rows = torch.cat([part["rows"] for part in parts])
        self.pictures = [picture for part in parts for picture in part["pictures"]]
        self.packer = Packer(tokenizer, self.rows.shape[1] - 2, budget)
        self.batch, self.seed, self.start = batch, seed, start

    def __iter__(self):
        worker = torch.utils.data.get_worker_info()
        step, every = (worker.id, worker.num_workers) if worker else (0, 1)
        count = len(self.pictures)
        orders = {}
        while True:
            first = self.start + step * self.batch
            chosen, texts = [], []
            for place in range(first, first + self.batch):
                turn = place // count
                if turn not in orders:
                    orders = {turn: np.random.default_rng([self.seed, turn]).permutation(count)}
                index = int(orders[turn][place % count])
                chosen.append(index)
                texts.append(self.packer.pack(Random(f"answers {self.seed} {place}"), self.pictures[index]))
            yield self.rows[chosen], torch.from_numpy(np.stack(texts))
            step += every


def grow(model, layers):
    """The same function with more decoder layers; the added ones have zeros where they write."""
    config = dict(model.config, num_layers=layers)
    bigger = GLM4V(config)
    initialize(bigger)
    bigger.load_state_dict(model.state_dict(), strict=False)
    with torch.no_grad():
        for layer in bigger.transformer.encoder.layers[model.config["num_layers"]:]:
            layer.self_attention.dense.weight.zero_()
            layer.mlp.dense_4h_to_h.weight.zero_()
    return bigger


def main():
    parser = argparse.ArgumentParser()
    add_options(parser, batch=32, rate=3e-3)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--pool", type=Path, required=True)
    parser.add_argument("--layers", type=int, help="decoder layers, if more than the checkpoint has")
    options = parser.parse_args()
    tokenizer, model = Tokenizer(), GLM4V.load(options.model)
    if options.layers and options.layers > model.config["num_layers"]:
        model = grow(model, options.layers)
    model.to("cuda" if torch.cuda.is_available() else "cpu").train()
    for p in model.transformer.vision.parameters():
        p.requires_grad_(False)
    run = Run(options, model, model, tokenizer)
    opening = torch.tensor([tokenizer.opening(False)], device=run.device)
    pool = Pool(options.pool, tokenizer, options.batch, options.budget, options.seed, run.step * options.batch)
    loader = torch.utils.data.DataLoader(pool, batch_size=None, num_workers=options.workers, prefetch_factor=8)
    log = Log(run)
    for rows, texts in run.batches(loader):
        real = torch.ones(len(rows), dtype=torch.bool, device=run.device)
        with torch.autocast(run.device.type, torch.bfloat16):
            loss = answer_loss(model, opening, rows.float(), texts, real)
        norm = run.update(loss)
        log.add(loss=loss, norm=norm)


if __name__ == "__main__":
    main()
