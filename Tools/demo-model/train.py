"""Trains the demo model; stops after `--minutes` and continues from its state folder when started again.

    python train.py --state DIR --minutes 90 [--total-minutes 95] [--mix scene,text,digit,none]

The learning rate follows the time spent over `--total-minutes`, so a restart may change the plan.
"""

import argparse
import json
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from data import Stream
from initial import initialize, make_config
from loop import Log, Run, add_options
from losses import answer_loss
from model import GLM4V, load_config, normalize_pixels
from pictures import COLORS, KIND_CLASSES
from tokenizer import Tokenizer


class Symbols(nn.Module):
    """What the vision rows should say: the true labels of each cell as one vector.

    A cell is 2 x 2 patches, labelled at 8 places (2 rows, 4 half columns) with kind, reading order and color. The
    decoder first learns to answer from these rows; the tower then learns to give them.
    """

    SCALE = 0.5

    def __init__(self, sizes, cells, width):
        super().__init__()
        self.sizes = sizes
        self.tables = nn.ModuleList(nn.Embedding(8 * size, width) for size in sizes)
        self.places = nn.Parameter(torch.randn(cells, width) * 0.6)
        for table in self.tables:
            nn.init.normal_(table.weight, std=0.35)

    @staticmethod
    def cells(grids):
        """Labels [B, 3, grid, 2 grid] -> [B, 3, cells, 8]."""
        b, _, grid, _ = grids.shape
        n = grid // 2
        return grids.long().view(b, 3, n, 2, n, 4).permute(0, 1, 2, 4, 3, 5).reshape(b, 3, n * n, 8)

    def forward(self, labels):
        x = self.places.expand(labels.shape[0], -1, -1)
        for k, (size, table) in enumerate(zip(self.sizes, self.tables)):
            index = labels[:, k] + size * torch.arange(8, device=labels.device)
            x = x + (table(index) * (labels[:, 0] > 0)[..., None]).sum(2)
        return F.layer_norm(x, x.shape[-1:]) * self.SCALE


class Trainer(nn.Module):
    """The model and the heads that only training uses."""

    def __init__(self, config):
        super().__init__()
        self.model = GLM4V(config)
        initialize(self.model)
        width = config["vision_config"]["hidden_size"]
        self.sizes = [KIND_CLASSES, 7, len(COLORS) + 1]
        # Each patch names what is at its left and right half.
        self.heads = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 2 * sum(self.sizes)))
        # Each image row names the same for its four patches, so that the decoder finds it there.
        self.row_heads = nn.Sequential(nn.LayerNorm(config["hidden_size"]),
                                       nn.Linear(config["hidden_size"], 8 * sum(self.sizes)))
        self.symbols = Symbols(self.sizes, self.model.image_rows, config["hidden_size"])

    def forward(self, pictures, grids, texts, real, stage, oracle):
        """Losses: answer, kind, order, color, distance of the rows from the symbols.

        `stage` "symbols" trains the decoder on symbols alone; in "joint" a share `oracle` of the pictures is replaced
        by its symbols; "finish" knows no symbols, and with `oracle` above 0 its heads learn without moving the tower.
        A batch of mosaics has no answers.
        """
        vision = self.model.transformer.vision
        b = grids.shape[0]
        if stage == "symbols":
            said = self.symbols(Symbols.cells(grids))
            noisy = said + torch.randn_like(said) * 0.15 * Symbols.SCALE * torch.rand(b, 1, 1)
            edges = [vision.boi.expand(b, 1, -1) / 8, vision.eoi.expand(b, 1, -1) / 8]
            answer = answer_loss(self.model, self.opening, torch.cat([edges[0], noisy, edges[1]], 1), texts, real)
            return torch.stack([answer, *[answer.new_zeros(())] * 4])
        rows, patches = vision(normalize_pixels(pictures))
        if stage == "finish":
            apart = oracle > 0
            losses = self.head_losses(rows.detach() if apart else rows, patches.detach() if apart else patches, grids)
            answer = answer_loss(self.model, self.opening, rows, texts, real) if real.any() else rows.new_zeros(())
            return torch.stack([answer, *losses, losses[0].new_zeros(())])
        losses = self.head_losses(rows, patches, grids)
        if not real.any():
            return torch.stack([losses[0].new_zeros(()), *losses, losses[0].new_zeros(())])
        said = self.symbols(Symbols.cells(grids))
        inner = rows[:, 1:-1]
        seen = real[:, None, None].float()
        apart = ((inner.float() - said.detach()) ** 2 / Symbols.SCALE ** 2 * seen).mean() / seen.mean()
        chosen = torch.rand(b, 1, 1, device=rows.device) < oracle
        mixed = torch.where(chosen, said.to(rows.dtype), inner)
        answer = answer_loss(self.model, self.opening, torch.cat([rows[:, :1], mixed, rows[:, -1:]], 1), texts, real)
        return torch.stack([answer, *losses, apart])

    def head_losses(self, rows, patches, grids):
        """Losses of class, order and color, each the sum of both places where the heads look."""
        b, n, _ = patches.shape
        grid, size = self.model.transformer.vision.grid, sum(self.sizes)
        near = self.heads(patches).view(b, n, 2, size).float()
        far = self.row_heads(rows[:, 1:-1]).view(b, grid // 2, grid // 2, 2, 2, 2, size).float()
        far = far.permute(0, 1, 3, 2, 4, 5, 6).reshape(b, n, 2, size)
        labels = grids.long().view(b, 3, n, 2)
        weight = torch.where(labels[:, 0] > 0, 1.0, 0.15).flatten()
        losses = []
        for k in range(3):
            wanted = labels[:, k].flatten()
            counted = torch.where(wanted == 255, 0.0, weight)
            wanted = torch.where(wanted == 255, 0, wanted)
            loss = sum(F.cross_entropy(scores.split(self.sizes, -1)[k].flatten(0, 2), wanted, reduction="none")
                       for scores in (near, far))
            losses.append(0.5 * (loss * counted).sum() / counted.sum())
        return losses


def take_over(trainer, options):
    """Starting weights from another run or from a checkpoint folder."""
    taken = {}
    if options.tower:
        old = torch.load(options.tower, weights_only=False)["module"]
        taken.update({k: v for k, v in old.items() if "vision" in k or "heads" in k})
    if options.decoder:
        old = torch.load(options.decoder, weights_only=False)["module"]
        taken.update({k: v for k, v in old.items()
                      if "vision" not in k and "heads" not in k or k.endswith((".boi", ".eoi"))})
    trainer.load_state_dict(taken, strict=False)
    if options.model:
        trainer.model.load_state_dict(GLM4V.load(options.model).state_dict())


def main():
    parser = argparse.ArgumentParser()
    add_options(parser, batch=32, rate=1.5e-3)
    parser.add_argument("--stage", choices=["symbols", "joint", "finish"], default="joint")
    parser.add_argument("--mix", default="0.40,0.46,0.11,0.03", help="shares of scenes, texts, digits, no picture")
    parser.add_argument("--mosaic-every", type=int, default=2, help="one batch in so many trains the tower alone; 0: none")
    parser.add_argument("--head-weight", type=float, default=1.0)
    parser.add_argument("--size", default="{}", help="JSON with arguments of make_config")
    parser.add_argument("--decoder", type=Path, help="state whose decoder and symbols are taken over at the first step")
    parser.add_argument("--tower", type=Path, help="state whose tower is taken over at the first step")
    parser.add_argument("--model", type=Path, help="checkpoint folder that is taken over at the first step")
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    tokenizer = Tokenizer()
    config = load_config(options.model) if options.model else make_config(tokenizer, **json.loads(options.size))
    trainer = Trainer(config)
    trainer.register_buffer("opening", torch.tensor([tokenizer.opening(False)]), persistent=False)
    take_over(trainer, options)
    trainer.to("cuda" if torch.cuda.is_available() else "cpu")
    run = Run(options, trainer, trainer.model, tokenizer)
    vision = config["vision_config"]
    mix = [float(part) for part in options.mix.split(",")]
    stream = Stream(tokenizer, vision["image_size"], vision["patch_size"], options.batch, options.seed, mix,
                    run.step * options.batch, options.budget, options.mosaic_every)
    loader = torch.utils.data.DataLoader(stream, batch_size=None, num_workers=options.workers, prefetch_factor=4,
                                         pin_memory=run.device.type == "cuda")
    log = Log(run)
    for batch in run.batches(loader):
        oracle = max(0.0, 0.6 - (12 if options.stage == "finish" else 1.5) * run.share)
        with torch.autocast(run.device.type, torch.bfloat16):
            losses = trainer(*batch, options.stage, oracle)
        heads = options.head_weight * (1 - 0.7 * run.share)
        run.update(losses[0] + heads * losses[1:4].sum() + (2.5 - 2 * run.share) * losses[4])
        if losses[0] > 0:
            log.add(**dict(zip(["answer", "kind", "order", "color", "apart"], losses)))
        else:
            log.add(mosaic=losses[1])


if __name__ == "__main__":
    main()
