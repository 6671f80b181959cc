"""Trains the demo model; stops after `--minutes` and continues from its state folder when started again.

    python train.py --state DIR --minutes 90 [--total-minutes 95] [--mix scene,text,digit,none]

The learning rate follows the time spent over `--total-minutes`, so a restart may change the plan.
"""

import argparse
import json
import math
import os
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from data import Stream
from model import GLM4V, normalize_pixels
from pictures import COLORS, KIND_CLASSES
from tokenizer import Tokenizer

BUDGET = 72


def make_config(tokenizer, vision_width=160, vision_layers=6, width=192, layers=3, inner=512, image=96, patch=8,
                vision_inner=480):
    """config.json of the demo model, with the key set of the published one."""
    patches = (image // patch) ** 2
    return {
        "_name_or_path": "facet/demo", "model_type": "chatglm", "architectures": ["ChatGLMModel"],
        "auto_map": {
            "AutoConfig": "configuration_chatglm.ChatGLMConfig",
            "AutoModel": "modeling_chatglm.ChatGLMForConditionalGeneration",
            "AutoModelForCausalLM": "modeling_chatglm.ChatGLMForConditionalGeneration",
            "AutoModelForSeq2SeqLM": "modeling_chatglm.ChatGLMForConditionalGeneration",
            "AutoModelForSequenceClassification": "modeling_chatglm.ChatGLMForSequenceClassification",
        },
        "vision_config": {
            "dropout_prob": 0.0, "hidden_act": "gelu", "in_channels": 3, "num_hidden_layers": vision_layers,
            "hidden_size": vision_width, "patch_size": patch, "num_heads": vision_width // 32,
            "intermediate_size": vision_inner, "layer_norm_eps": 1e-06, "num_positions": patches + 1,
            "image_size": image, "scaling_factor": 8,
        },
        "add_bias_linear": False, "add_qkv_bias": True, "apply_query_key_layer_scaling": True,
        "apply_residual_connection_post_layernorm": False, "attention_dropout": 0.0,
        "attention_softmax_in_fp32": True, "attn_implementation": "sdpa", "bias_dropout_fusion": True,
        "ffn_hidden_size": inner, "fp32_residual_connection": False, "hidden_dropout": 0.0, "hidden_size": width,
        "kv_channels": 32, "layernorm_epsilon": 1.5625e-07, "multi_query_attention": True,
        "multi_query_group_num": 2, "num_attention_heads": width // 32, "num_layers": layers, "original_rope": True,
        "padded_vocab_size": tokenizer.padded_size, "post_layer_norm": True, "rmsnorm": True, "seq_length": 2048,
        "use_cache": True, "torch_dtype": "bfloat16", "transformers_version": "4.44.0", "tie_word_embeddings": False,
        "eos_token_id": tokenizer.stops, "pad_token_id": tokenizer.special["<|endoftext|>"],
        "boi_token_id": tokenizer.special["<|begin_of_image|>"], "eoi_token_id": tokenizer.special["<|end_of_image|>"],
    }


def save_folder(model, tokenizer, folder):
    """The complete checkpoint folder: configuration, tokenizer and bf16 weights."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(model.config, indent=2) + "\n")
    generation = {
        "eos_token_id": tokenizer.stops, "pad_token_id": tokenizer.special["<|endoftext|>"], "do_sample": False,
        "temperature": 0.8, "max_length": 2048, "top_p": 0.8, "transformers_version": "4.44.0",
    }
    (folder / "generation_config.json").write_text(json.dumps(generation, indent=2) + "\n")
    tokenizer.save(folder, model.config["vision_config"]["image_size"])
    model.save(folder)


POSITION_WIDTH = 32
OFFSETS = [
    [(-1, 0), (1, 0), (0, -1), (0, 1), (0, 0)],
    [(-1, -1), (1, -1), (-1, 1), (1, 1), (0, 0)],
    [(-1, 0), (1, 0), (0, -1), (0, 1), None],
    [(-2, 0), (2, 0), (0, -1), (0, 1), None],
    [(-1, 0), (1, 0), (0, 0), None, None],
    [(-1, 0), (1, 0), None, None, None],
]


def position_table(grid):
    """Sines and cosines of row and column at eight frequencies: [grid * grid, 32]."""
    speed = torch.linspace(0.15, 2.0, 8)
    y, x = torch.meshgrid(torch.arange(grid).float(), torch.arange(grid).float(), indexing="ij")
    angles = torch.cat([x.reshape(-1, 1) * speed, y.reshape(-1, 1) * speed], 1)
    return torch.stack([angles.cos(), angles.sin()], 2).flatten(1)


def shift_matrix(dx, dy):
    """Turns the position code of a place into the code of the place `dx` columns and `dy` rows further."""
    speed = torch.linspace(0.15, 2.0, 8)
    angles = torch.cat([speed * dx, speed * dy])
    matrix = torch.zeros(POSITION_WIDTH, POSITION_WIDTH)
    for k, angle in enumerate(angles.tolist()):
        c, s = math.cos(angle), math.sin(angle)
        matrix[2 * k:2 * k + 2, 2 * k:2 * k + 2] = torch.tensor([[c, -s], [s, c]])
    return matrix


def initialize_tower(vision):
    """Starts the tower like a convolution network.

    The last 32 columns of the residual stream hold a position code that no branch writes to at first (their norm
    gains are 0), and most heads attend to the neighbor at a fixed offset; both are free to change.
    """
    width, grid = vision.patch_embedding.proj.out_channels, vision.grid
    free = width - POSITION_WIDTH
    with torch.no_grad():
        filters = vision.patch_embedding.proj.weight
        filters -= 0.8 * filters.mean((2, 3), keepdim=True)
        filters[free:] = 0
        table = vision.patch_embedding.position_embedding.weight
        table.zero_()
        table[1:, free:] = position_table(grid)
        vision.patch_embedding.cls_embedding[:, free:] = 0
        for layer, offsets in zip(vision.transformer.layers, OFFSETS):
            weight = layer.attention.query_key_value.weight
            for head, offset in enumerate(offsets):
                if offset is None:
                    continue
                strength = math.sqrt(1.0 if offset == (0, 0) else 3.0)
                rows = slice(32 * head, 32 * head + 32)
                weight[:width][rows] *= 0.2
                weight[width:2 * width][rows] *= 0.2
                weight[:width][rows, free:] = strength * shift_matrix(*offset)
                weight[width:2 * width][rows, free:] = strength * torch.eye(POSITION_WIDTH)
            for norm in (layer.input_layernorm, layer.post_attention_layernorm):
                norm.weight.fill_(0.5)
                norm.weight[free:] = 0


def initialize(model):
    """Starting weights: unit-scale rows everywhere, then the tower's own start."""
    for name, p in model.named_parameters():
        if "norm" in name:
            continue
        elif name.endswith("word_embeddings.weight"):
            nn.init.normal_(p, std=0.1)
        elif name.endswith(("boi", "eoi", "cls_embedding")):
            nn.init.normal_(p, std=0.5)
        elif name.endswith("output_layer.weight"):
            nn.init.normal_(p, std=0.02)
        elif p.dim() > 1:
            fan = p[0].numel()
            scale = 0.4 if "encoder" in name and ("self_attention.dense" in name or "4h_to_h" in name) else 0.9
            nn.init.normal_(p, std=scale / math.sqrt(fan))
        else:
            nn.init.zeros_(p)
    initialize_tower(model.transformer.vision)
    # The last matrix of the adapter undoes the shrinking of its gated product.
    with torch.no_grad():
        model.transformer.vision.linear_proj.dense_4h_to_h.weight *= 3


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
        by its symbols. A batch of mosaics has no answers.
        """
        vision = self.model.transformer.vision
        b = grids.shape[0]
        if stage == "symbols":
            said = self.symbols(Symbols.cells(grids))
            noisy = said + torch.randn_like(said) * 0.15 * Symbols.SCALE * torch.rand(b, 1, 1)
            edges = [vision.boi.expand(b, 1, -1) / 8, vision.eoi.expand(b, 1, -1) / 8]
            answer = self.answer(torch.cat([edges[0], noisy, edges[1]], 1), texts, real)
            return torch.stack([answer, *[answer.new_zeros(())] * 4])
        rows, patches = vision(normalize_pixels(pictures))
        losses = self.head_losses(rows, patches, grids)
        if not real.any():
            return torch.stack([losses[0].new_zeros(()), *losses, losses[0].new_zeros(())])
        said = self.symbols(Symbols.cells(grids))
        inner = rows[:, 1:-1]
        seen = real[:, None, None].float()
        apart = ((inner.float() - said.detach()) ** 2 / Symbols.SCALE ** 2 * seen).mean() / seen.mean()
        chosen = torch.rand(b, 1, 1, device=rows.device) < oracle
        mixed = torch.where(chosen, said.to(rows.dtype), inner)
        answer = self.answer(torch.cat([rows[:, :1], mixed, rows[:, -1:]], 1), texts, real)
        return torch.stack([answer, *losses, apart])

    def answer(self, rows, texts, real):
        model = self.model
        ids, targets, positions, segments = texts.long().unbind(1)
        b, image = ids.shape[0], rows.shape[1]
        tokens = torch.cat([self.opening.expand(b, -1), ids], 1)
        words = model.embed(tokens)
        x = torch.cat([words[:, :4], rows.to(words.dtype), words[:, 4:]], 1)
        places = [0, 1, 2, 3, 4] + [5] * (image - 2) + [6]
        head = torch.tensor(places, device=ids.device).expand(b, -1)
        everything = torch.cat([head, positions], 1)
        length = x.shape[1]
        part = F.pad(segments, (4 + image, 0))
        index = torch.arange(length, device=ids.device)
        usable = (index < 4)[None] | (index >= 4 + image)[None] | real[:, None]
        shared = (index < 4 + image)[None, None]
        mask = (index[None, :] <= index[:, None])[None] & (shared | (part[:, None, :] == part[:, :, None]))
        mask = mask & usable[:, None, :] | torch.eye(length, dtype=torch.bool, device=ids.device)
        bias = torch.zeros(mask.shape, dtype=x.dtype, device=ids.device).masked_fill(~mask, -1e4)
        if torch.is_autocast_enabled(x.device.type):
            bias = bias.to(torch.get_autocast_dtype(x.device.type))
        hidden = model.decode(x, everything, bias[:, None])[:, 4 + image:]
        keep = targets >= 0
        return F.cross_entropy(model.logits(hidden[keep]).float(), targets[keep])

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


def groups(trainer, decay):
    plain = [p for p in trainer.parameters() if p.dim() < 2]
    matrices = [p for n, p in trainer.named_parameters() if p.dim() >= 2]
    return [{"params": matrices, "weight_decay": decay}, {"params": plain, "weight_decay": 0.0}]


def save_state(path, **parts):
    torch.save(parts, str(path) + ".part")
    os.replace(str(path) + ".part", path)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=90)
    parser.add_argument("--total-minutes", type=float, default=90)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=1.5e-3)
    parser.add_argument("--mix", default="0.40,0.46,0.11,0.03")
    parser.add_argument("--head-weight", type=float, default=1.0)
    parser.add_argument("--mosaic-every", type=int, default=2, help="one batch in so many trains the tower alone; 0: none")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--size", default="{}", help="JSON with arguments of make_config")
    parser.add_argument("--bench", type=int, default=0, help="time this many steps and stop")
    parser.add_argument("--no-bf16", action="store_true")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--stage", choices=["symbols", "joint"], default="joint")
    parser.add_argument("--decoder", type=Path, help="state whose decoder and symbols are taken over at the first step")
    parser.add_argument("--tower", type=Path, help="state whose tower is taken over at the first step")
    parser.add_argument("--keep", type=float, default=0.998)
    parser.add_argument("--every", type=float, default=4, help="minutes between saves")
    options = parser.parse_args()
    options.state.mkdir(parents=True, exist_ok=True)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(options.seed)
    tokenizer = Tokenizer()
    trainer = Trainer(make_config(tokenizer, **json.loads(options.size)))
    trainer.register_buffer("opening", torch.tensor([tokenizer.opening(False)]), persistent=False)
    trainer.to(device)
    average = {k: v.detach().clone() for k, v in trainer.model.state_dict().items()}
    optimizer = torch.optim.AdamW(groups(trainer, 0.05), lr=options.rate, betas=(0.9, 0.98), fused=True)
    path, step, seen, spent = options.state / "state.pt", 0, 0, 0.0
    if path.exists() and not options.bench:
        state = torch.load(path, map_location=device)
        trainer.load_state_dict(state["trainer"])
        optimizer.load_state_dict(state["optimizer"])
        average, step, seen, spent = state["average"], state["step"], state["seen"], state["spent"]
        print(f"continuing at step {step} after {spent / 60:.1f} minutes", flush=True)
    elif options.decoder or options.tower:
        taken = {}
        if options.tower:
            old = torch.load(options.tower, map_location=device)["trainer"]
            taken.update({k: v for k, v in old.items() if "vision" in k or "heads" in k})
        if options.decoder:
            old = torch.load(options.decoder, map_location=device)["trainer"]
            taken.update({k: v for k, v in old.items()
                          if "vision" not in k and "heads" not in k or k.endswith((".boi", ".eoi"))})
        trainer.load_state_dict(taken, strict=False)
        print("took over", len(taken), "tensors", flush=True)
        average = {k: v.detach().clone() for k, v in trainer.model.state_dict().items()}
    config = trainer.model.config
    vision = config["vision_config"]
    mix = [float(part) for part in options.mix.split(",")]
    stream = Stream(tokenizer, vision["image_size"], vision["patch_size"], options.batch, options.seed, mix, seen,
                    BUDGET, options.mosaic_every)
    loader = torch.utils.data.DataLoader(stream, batch_size=None, num_workers=options.workers, prefetch_factor=4,
                                         pin_memory=device == "cuda")
    run = torch.compile(trainer) if options.compile else trainer
    print(sum(p.numel() for p in trainer.model.parameters()) / 1e6, "M parameters,",
          sum(p.numel() for p in trainer.model.transformer.vision.parameters()) / 1e6, "M in the tower", flush=True)
    begin, last_save, last_log = time.time(), time.time(), time.time()
    start_spent, sums, counted, answered, mosaic = spent, torch.zeros(5), 0, 0, 0.0
    for batch in loader:
        now = time.time()
        spent = start_spent + now - begin
        share = min(spent / 60 / options.total_minutes, 1)
        factor = min((step + 1) / 300, 1) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * share)))
        for group in optimizer.param_groups:
            group["lr"] = options.rate * factor
        with torch.autocast(device, torch.bfloat16, enabled=not options.no_bf16):
            oracle = max(0.0, 0.6 - 1.5 * share)
            losses = run(*[part.to(device, non_blocking=True) for part in batch], options.stage, oracle)
        weight = options.head_weight * (1 - 0.7 * share)
        loss = losses[0] + weight * losses[1:4].sum() + (2.5 - 2 * share) * losses[4]
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(trainer.parameters(), 1.0)
        if torch.isfinite(norm):
            optimizer.step()
        step, seen = step + 1, seen + options.batch
        keep = min(options.keep, (step + 1) / (step + 20))
        with torch.no_grad():
            now_state = trainer.model.state_dict()
            torch._foreach_lerp_(list(average.values()), [now_state[k] for k in average], 1 - keep)
        counted += 1
        if losses[0] > 0:
            sums, answered = sums + losses.detach().cpu(), answered + 1
        else:
            mosaic = losses[1].item()
        if step % 100 == 0 or (options.bench and step % 10 == 0):
            rate = counted * options.batch / (time.time() - last_log)
            text = " ".join(f"{value:.4f}" for value in (sums / max(answered, 1)).tolist())
            print(f"{time.strftime('%H:%M:%S')} step {step} minutes {spent / 60:.1f} answer/kind/order/color/apart {text} "
                  f"mosaic {mosaic:.3f} norm {norm:.2f} lr {options.rate * factor:.1e} pictures/s {rate:.1f}", flush=True)
            sums, counted, answered, last_log = torch.zeros(5), 0, 0, time.time()
        if options.bench:
            if step >= options.bench:
                return
            continue
        over = time.time() - begin > options.minutes * 60
        if over or time.time() - last_save > options.every * 60:
            save_state(path, trainer=trainer.state_dict(), optimizer=optimizer.state_dict(), average=average,
                       step=step, seen=seen, spent=spent)
            shipped = GLM4V(config)
            shipped.load_state_dict(average)
            save_folder(shipped, tokenizer, options.state / "export")
            last_save = time.time()
        if over:
            return


if __name__ == "__main__":
    main()
