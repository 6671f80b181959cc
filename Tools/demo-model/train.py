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
        "eos_token_id": tokenizer.stops, "pad_token_id": tokenizer.special["<|endoftext|>"], "do_sample": True,
        "temperature": 0.8, "max_length": 2048, "top_p": 0.8, "transformers_version": "4.44.0",
    }
    (folder / "generation_config.json").write_text(json.dumps(generation, indent=2) + "\n")
    tokenizer.save(folder, model.config["vision_config"]["image_size"])
    model.save(folder)


def initialize(model):
    """Starting weights: unit-scale rows everywhere, quiet branches in the tower whose norms end each branch."""
    for name, p in model.named_parameters():
        if name.endswith("layernorm.weight") and "vision" in name:
            nn.init.constant_(p, 0.3)
        elif "norm" in name:
            continue
        elif name.endswith("position_embedding.weight"):
            nn.init.normal_(p, std=0.3)
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

    def forward(self, pictures, grids, texts, real):
        """Answer loss, then the losses of the three heads."""
        model = self.model
        rows, patches = model.transformer.vision(normalize_pixels(pictures))
        losses = self.head_losses(patches, grids)
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
        scores = model.logits(hidden)
        answer = F.cross_entropy(scores.float().flatten(0, 1), targets.flatten(), ignore_index=-1)
        return torch.stack([answer, *losses])

    def head_losses(self, patches, grids):
        b, n, _ = patches.shape
        scores = self.heads(patches).view(b, n, 2, -1).float()
        labels = grids.long().view(b, 3, n, 2)
        weight = torch.where(labels[:, 0] > 0, 1.0, 0.15)
        losses = []
        for k, part in enumerate(scores.split(self.sizes, -1)):
            loss = F.cross_entropy(part.flatten(0, 2), labels[:, k].flatten(), reduction="none")
            losses.append((loss * weight.flatten()).sum() / weight.sum())
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
    parser.add_argument("--head-weight", type=float, default=0.5)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--size", default="{}", help="JSON with arguments of make_config")
    parser.add_argument("--bench", type=int, default=0, help="time this many steps and stop")
    parser.add_argument("--no-bf16", action="store_true")
    parser.add_argument("--compile", action="store_true")
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
    config = trainer.model.config
    vision = config["vision_config"]
    mix = [float(part) for part in options.mix.split(",")]
    stream = Stream(tokenizer, vision["image_size"], vision["patch_size"], options.batch, options.seed, mix, seen,
                    BUDGET)
    loader = torch.utils.data.DataLoader(stream, batch_size=None, num_workers=options.workers, prefetch_factor=4,
                                         pin_memory=device == "cuda")
    run = torch.compile(trainer) if options.compile else trainer
    print(sum(p.numel() for p in trainer.model.parameters()) / 1e6, "M parameters,",
          sum(p.numel() for p in trainer.model.transformer.vision.parameters()) / 1e6, "M in the tower", flush=True)
    begin, last_save, last_log = time.time(), time.time(), time.time()
    start_spent, sums, counted = spent, torch.zeros(4), 0
    for batch in loader:
        now = time.time()
        spent = start_spent + now - begin
        share = min(spent / 60 / options.total_minutes, 1)
        factor = min((step + 1) / 300, 1) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * share)))
        for group in optimizer.param_groups:
            group["lr"] = options.rate * factor
        with torch.autocast(device, torch.bfloat16, enabled=not options.no_bf16):
            losses = run(*[part.to(device, non_blocking=True) for part in batch])
        weight = options.head_weight * (1 - 0.8 * share)
        loss = losses[0] + weight * losses[1:].sum()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(trainer.parameters(), 1.0)
        if torch.isfinite(norm):
            optimizer.step()
        step, seen = step + 1, seen + options.batch
        keep = min(0.9985, (step + 1) / (step + 20))
        with torch.no_grad():
            now_state = trainer.model.state_dict()
            torch._foreach_lerp_(list(average.values()), [now_state[k] for k in average], 1 - keep)
        sums, counted = sums + losses.detach().cpu(), counted + 1
        if step % 100 == 0 or (options.bench and step % 10 == 0):
            rate = counted * options.batch / (time.time() - last_log)
            text = " ".join(f"{value:.4f}" for value in (sums / counted).tolist())
            print(f"{time.strftime('%H:%M:%S')} step {step} minutes {spent / 60:.1f} answer/kind/order/color {text} "
                  f"norm {norm:.2f} lr {options.rate * factor:.1e} pictures/s {rate:.1f}", flush=True)
            sums, counted, last_log = torch.zeros(4), 0, time.time()
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
