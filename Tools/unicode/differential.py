#!/usr/bin/env python3
"""Compares this tokenizer's ids with tiktoken's on random strings and on every Unicode scalar in context.

    pip install tiktoken
    (cd Benchmarks/tokenizer && swift build -c release)
    python3 Tools/unicode/differential.py TOKENIZER_MODEL [STRINGS] [SEED]

Prints the number of strings compared and every difference; exit status 1 on any. Besides the vocabulary given, two more
are used: its tokens with shuffled ranks, and a toy one with all pairs of bytes, where nearly every wrong split shows.
"""

import base64
import pathlib
import random
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Benchmarks" / "tokenizer"))
from compare import load, our_ids  # noqa: E402

ALPHABETS = [
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "0123456789",
    " \t\n\r\u0085\u00a0\u1680\u2003\u2028\u2029\u202f\u205f\u3000\u200b\u180e\x0b\x0c\x1c\x1f",
    " \n\r",
    "!\"#$%&()*+,-./:;<=>?@[]^_`{|}~",
    "'sStTrReEvVmMlLdD\u017f\u212a",
    "éßñİıǅаяёΩאبकิกกำ々한글",
    "的一是不了人我在有他这为之大来以个中上们，。！？《》",
    "²½Ⅷ٣४৩〇㊿𝟘𑁦",
    "\u0301\u0308\u20dd\u200d\ufe0f😀👩🇩🇪🏽",
    "\x00\x01\x7f\x80\x9f\ufeff\ufffd\u0378\u2fff\U000e0001\U000f0000\U0010ffff",
]


def random_string(rng: random.Random) -> str:
    parts = []
    for _ in range(rng.randint(1, 8)):
        kind = rng.random()
        if kind < 0.1:
            value = rng.randrange(0x110000)
            parts.append(chr(value) if not 0xD800 <= value < 0xE000 else "\ufffd")
        elif kind < 0.12:
            parts.append(rng.choice(rng.choice(ALPHABETS)) * rng.randint(1, 200))
        elif kind < 0.14:
            alphabet = rng.choice(ALPHABETS)
            parts.append("".join(rng.choice(alphabet) for _ in range(rng.randint(20, 150))))
        else:
            alphabet = rng.choice(ALPHABETS)
            parts.append("".join(rng.choice(alphabet) for _ in range(rng.randint(1, 6))))
    return "".join(parts)


def scalars_in_context() -> list[str]:
    """Every scalar between letters, digits, spaces, marks and line ends."""
    return [
        f"a{c}b {c}1{c}2 !{c}! \n{c}\n {c}{c} '{c}e"
        for c in (chr(v) for v in range(0x110000) if not 0xD800 <= v < 0xE000)
    ]


def toy_model(folder: pathlib.Path) -> pathlib.Path:
    tokens = [bytes([b]) for b in range(256)] + [bytes([a, b]) for a in range(256) for b in range(256)]
    path = folder / "toy.model"
    path.write_bytes(b"".join(base64.b64encode(t) + b" %d\n" % rank for rank, t in enumerate(tokens)))
    return path


def shuffled_model(model: pathlib.Path, folder: pathlib.Path, rng: random.Random) -> pathlib.Path:
    """The given tokens with their ranks shuffled, so that a merge may make a pair of lower rank than its own."""
    lines = [line.split()[0] for line in model.read_bytes().splitlines()]
    rng.shuffle(lines)
    path = folder / "shuffled.model"
    path.write_bytes(b"".join(token + b" %d\n" % rank for rank, token in enumerate(lines)))
    return path


def compare(model: pathlib.Path, texts: list[str], what: str) -> int:
    encoding = load(model)
    differences = 0
    for text, got in zip(texts, our_ids(model, texts), strict=True):
        expected = encoding.encode_ordinary(text)
        if got != expected:
            differences += 1
            if differences <= 10:
                print(f"DIFFERENT {ascii(text)}\n  expected {expected}\n  got      {got}")
    print(f"{model.name}: {len(texts):,} {what}: {differences} differences", flush=True)
    return differences


def main() -> None:
    model = pathlib.Path(sys.argv[1])
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 200_000
    rng = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 1)
    texts = [random_string(rng) for _ in range(count)]
    with tempfile.TemporaryDirectory() as folder:
        toy = toy_model(pathlib.Path(folder))
        differences = compare(model, texts, "random strings")
        differences += compare(toy, texts, "random strings")
        shuffled = shuffled_model(model, pathlib.Path(folder), rng)
        differences += compare(shuffled, texts, "random strings")
        differences += compare(toy, scalars_in_context(), "scalars in context")
    sys.exit(differences > 0)


if __name__ == "__main__":
    main()
