"""Scores a checkpoint folder on pictures it has not seen, or writes such pictures for another engine to be scored on.

    python evaluate.py --model DIR [--count 900] [--seed 7001] [--set DIR] [--fp8 weights|rows]
    python evaluate.py --export DIR --count 180 --seed 9001 [--compact]

Pictures come from another seed than the training pictures; digits are the samples of scikit-learn that training
leaves out. Rules of `index.json`: strip the answer; `match: exact` compares the text, `match: set` compares the sets
of phrases between the separators ", " and "，". An answer counts when it is right as a whole.
"""

import argparse
import json
from pathlib import Path
from random import Random

import numpy as np
import torch
from PIL import Image

from data import ask
from float8 import quantize
from model import GLM4V, normalize_pixels
from pictures import digit_samples, draw, draw_digit, wear
from tokenizer import Tokenizer

PLAN = [
    ("describe-en", "scene"), ("count", "scene"), ("read", "text"), ("digit", "digit"), ("relation", "scene"),
    ("color", "scene"), ("shape", "scene"), ("read", "text"), ("position", "scene"), ("describe-zh", "scene"),
    ("count", "scene"), ("digit", "digit"), ("describe-en", "text"), ("describe-en", "digit"),
]
RULE = {
    "strip": True,
    "exact": "the answer equals the expected text",
    "set": "split both at \", \" and \"，\", compare as sets",
}


def phrases(text):
    """The phrases of a description, whatever their order."""
    return set(text.strip().replace("，", ", ").split(", "))


def right(case, answer):
    """Whether an answer is right as a whole, by the case's rule."""
    if case["match"] == "set":
        return phrases(answer) == phrases(case["answer"])
    return answer.strip() == case["answer"]


def make_case(index, seed, compact=False):
    """Case `index` of a seed: (picture, task, question, answer, match); digits walk through the held-out samples."""
    task, kind = PLAN[index % len(PLAN)]
    rng = Random(f"evaluation {seed} {index}")
    sizes = [128, 144, 160] if compact and kind == "digit" else [160, 200, 240] if compact else None
    while True:
        if kind == "digit":
            samples = digit_samples(True)
            order = Random(f"digits {seed}").sample(range(len(samples)), len(samples))
            picture = draw_digit(rng, True, samples[order[(index // len(PLAN) * 3 + index % 3) % len(order)]], sizes)
            picture.image = picture.image if compact else wear(rng, picture.image)
        else:
            picture = draw(rng, kind, True, sizes, worn=not compact)
        asked = ask(rng, picture, task)
        if asked:
            match = "set" if task.startswith("describe") and kind == "scene" else "exact"
            return picture, task, asked[1], asked[2], match


def make_cases(seed, count, compact=False):
    for index in range(count):
        picture, task, question, answer, match = make_case(index, seed, compact)
        yield picture.image, {"question": question, "answer": answer, "task": task, "match": match}


def read_cases(folder):
    for case in json.loads((folder / "index.json").read_text())["cases"]:
        yield Image.open(folder / case["image"]).convert("RGB"), case


def export(folder, seed, count, compact):
    folder.mkdir(parents=True, exist_ok=True)
    entries = []
    for index, (image, case) in enumerate(make_cases(seed, count, compact)):
        name = f"{index:04d}-{case['task']}.png"
        image.save(folder / name, optimize=True)
        entries.append({"image": name, **case})
    document = {"rule": RULE, "seed": seed, "cases": entries}
    (folder / "index.json").write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n")


@torch.no_grad()
def score(model, tokenizer, cases, batch=48, show=0, dtype=torch.float32):
    """Right and all per task, and the wrong answers; greedy."""
    size = model.config["vision_config"]["image_size"]
    device = next(model.parameters()).device
    tally, wrong, group = {}, [], []

    def flush():
        pixels = np.stack([np.asarray(image.resize((size, size), Image.BICUBIC)) for image, _ in group])
        rows, _ = model.transformer.vision(normalize_pixels(torch.from_numpy(pixels).to(device)).to(dtype))
        prompts = [tokenizer.prompt(case["question"]) for _, case in group]
        answers = model.generate(prompts, list(rows), 72, tokenizer.stops)
        for (_, case), ids in zip(group, answers):
            answer = tokenizer.decode(ids)
            good = right(case, answer)
            done = tally.setdefault(case["task"], [0, 0])
            done[0], done[1] = done[0] + good, done[1] + 1
            if not good:
                wrong.append((case["task"], case["question"], case["answer"], answer.strip()))
        group.clear()

    for entry in cases:
        group.append(entry)
        if len(group) == batch:
            flush()
    if group:
        flush()
    return tally, wrong


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", type=Path)
    parser.add_argument("--set", type=Path, help="score an exported folder instead of generated pictures")
    parser.add_argument("--export", type=Path)
    parser.add_argument("--count", type=int, default=900)
    parser.add_argument("--seed", type=int, default=7001)
    parser.add_argument("--compact", action="store_true", help="small clean pictures, for a repository")
    parser.add_argument("--show", type=int, default=20, help="wrong answers to print")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--fp8", choices=["weights", "rows"], help="round weights, or many rows of activations too")
    options = parser.parse_args()
    if options.export:
        export(options.export, options.seed, options.count, options.compact)
        return
    model, tokenizer = GLM4V.load(options.model), Tokenizer()
    if options.fp8:
        quantize(model, rounds_rows=options.fp8 == "rows")
    if torch.cuda.is_available():
        model.cuda()
    cases = read_cases(options.set) if options.set else make_cases(options.seed, options.count, options.compact)
    tally, wrong = score(model, tokenizer, cases)
    for task, (good, all_) in sorted(tally.items()):
        print(f"{task:12} {good:4} / {all_:4}  {100 * good / all_:.1f} %")
    for entry in wrong[:options.show]:
        print(*entry, sep=" | ")
    if options.json:
        options.json.write_text(json.dumps({"tally": tally, "wrong": wrong}, ensure_ascii=False, indent=1))


if __name__ == "__main__":
    main()
