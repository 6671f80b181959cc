#!/usr/bin/env python3
"""Writes byte strings and their text as Python's bytes.decode("utf-8", errors="replace") gives it, as JSON.

    python3 Tools/unicode/generate_replacement_cases.py > Tests/Fixtures/utf8-replacement/cases.json
"""

import json
import random

INTERESTING = bytes.fromhex("00 41 7f 80 8f 90 9f a0 bf c0 c1 c2 df e0 e1 ec ed ee ef f0 f1 f3 f4 f5 ff")
WHOLE = ["é", "你", "\ud7ff", "\ue000", "\ufffd", "\U00010000", "😀", "\U0010ffff"]


def main() -> None:
    rng = random.Random(20240604)
    strings = [bytes([a, b]) for a in INTERESTING for b in (0x41, 0x80, 0x9F, 0xA0, 0xC2, 0xF0)]
    for _ in range(400):
        parts = []
        for _ in range(rng.randint(1, 6)):
            if rng.random() < 0.3:
                character = rng.choice(WHOLE).encode()
                parts.append(character[: rng.randint(1, len(character))])
            else:
                parts.append(bytes(rng.choice(INTERESTING) for _ in range(rng.randint(1, 4))))
        strings.append(b"".join(parts))
    cases = [{"bytes": raw.hex(), "text": raw.decode("utf-8", errors="replace")} for raw in strings]
    print("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]")


if __name__ == "__main__":
    main()
