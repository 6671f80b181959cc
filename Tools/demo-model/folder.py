"""Checkpoint folders and training states on disk."""

import json
import os
from pathlib import Path

import torch


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


def save_state(path, **parts):
    torch.save(parts, str(path) + ".part")
    os.replace(str(path) + ".part", path)
