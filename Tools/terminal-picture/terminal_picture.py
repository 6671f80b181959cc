#!/usr/bin/env python3
"""Turns captured terminal output into an SVG picture, for the documents.

    script -qec 'facet run --image picture.png "How many red circles are there?"' run.typescript
    terminal_picture.py --command 'facet run --image picture.png "How many …"' run.typescript > run.svg

What a terminal would show at the end is drawn: carriage returns, erased lines, cursor movement, colors. Lines longer
than `--columns` wrap as they do there. `--picture FILE` puts a PNG or JPEG beside the text, to show what was asked
about. Nothing is retouched: the text comes from the capture alone, except the line that `--command` puts above it.

Needs Python 3.9 and nothing else. `terminal_picture.py --self-test` checks it.
"""

import argparse
import base64
import html
import re
import struct
import sys
import unicodedata
from typing import NamedTuple

CELL_WIDTH, LINE_HEIGHT, FONT_SIZE, MARGIN, BAR = 8.4, 20, 14, 18, 34
FOREGROUND, BACKGROUND = "#d8dee9", "#1e222a"
# The 16 colors, normal then bright, of a muted dark theme.
PALETTE = [
    "#4c566a", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#d8dee9",
    "#7b8494", "#ef8a92", "#b1d196", "#f0d399", "#86c5f5", "#d79ae8", "#7fcdd6", "#ffffff",
]  # fmt: skip
SEQUENCE = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[()][A-Z0-9]|\x1b.")


class Style(NamedTuple):
    color: str = FOREGROUND
    bold: bool = False
    dim: bool = False
    underline: bool = False


def width(character: str) -> int:
    """Cells that a character takes: 0 for combining marks, 2 for wide East Asian ones and emoji."""
    if unicodedata.combining(character) or character in "\u200d\ufe0f":
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


class Screen:
    """As much of a terminal as the output of command-line programs needs."""

    def __init__(self, columns: int):
        self.columns = columns
        self.rows: list[dict[int, tuple[str, Style]]] = [{}]
        self.row = self.column = 0
        self.style = Style()

    def feed(self, text: str) -> "Screen":
        position = 0
        for match in SEQUENCE.finditer(text):
            self._write(text[position : match.start()])
            if match.group(2):
                self._control(match.group(1), match.group(2))
            position = match.end()
        self._write(text[position:])
        return self

    def _write(self, text: str) -> None:
        for character in text:
            if character == "\n":
                self._move_to_row(self.row + 1)
                self.column = 0  # a capture without a terminal has no carriage return before it
            elif character == "\r":
                self.column = 0
            elif character == "\b":
                self.column = max(0, self.column - 1)
            elif character == "\t":
                self.column = (self.column // 8 + 1) * 8
            elif character >= " ":
                self._put(character)

    def _put(self, character: str) -> None:
        cells = width(character)
        cell_row = self.rows[self.row]
        if cells == 0:
            before = max((c for c in cell_row if c < self.column), default=None)
            if before is not None:
                cell_row[before] = (cell_row[before][0] + character, cell_row[before][1])
            return
        if self.column + cells > self.columns:
            self._move_to_row(self.row + 1)
            self.column = 0
            cell_row = self.rows[self.row]
        cell_row[self.column] = (character, self.style)
        if cells == 2:
            cell_row.pop(self.column + 1, None)
        self.column += cells

    def _move_to_row(self, row: int) -> None:
        self.row = max(0, row)
        while len(self.rows) <= self.row:
            self.rows.append({})

    def _control(self, parameters: str, letter: str) -> None:
        numbers = [int(n) if n.isdigit() else 0 for n in parameters.split(";")]
        count = numbers[0] or 1
        if letter == "m":
            self._select(numbers)
        elif letter == "K":
            self._erase(numbers[0])
        elif letter == "A":
            self._move_to_row(self.row - count)
        elif letter == "B":
            self._move_to_row(self.row + count)
        elif letter == "C":
            self.column = min(self.columns - 1, self.column + count)
        elif letter == "D":
            self.column = max(0, self.column - count)
        elif letter == "G":
            self.column = count - 1
        elif letter == "J":
            for row in self.rows[self.row + 1 :]:
                row.clear()
            self._erase(0)

    def _erase(self, kind: int) -> None:
        for column in list(self.rows[self.row]):
            if kind == 2 or (kind == 0 and column >= self.column) or (kind == 1 and column <= self.column):
                del self.rows[self.row][column]

    def _select(self, numbers: list[int]) -> None:
        style, index = self.style, 0
        while index < len(numbers):
            number = numbers[index]
            if number == 0:
                style = Style()
            elif number == 1:
                style = style._replace(bold=True)
            elif number == 2:
                style = style._replace(dim=True)
            elif number == 4:
                style = style._replace(underline=True)
            elif number == 22:
                style = style._replace(bold=False, dim=False)
            elif number == 24:
                style = style._replace(underline=False)
            elif 30 <= number <= 37:
                style = style._replace(color=PALETTE[number - 30])
            elif number == 39:
                style = style._replace(color=FOREGROUND)
            elif 90 <= number <= 97:
                style = style._replace(color=PALETTE[number - 82])
            elif number == 38 and numbers[index + 1 : index + 2] == [5]:
                shade = numbers[index + 2] if index + 2 < len(numbers) else 7
                style = style._replace(color=PALETTE[shade] if shade < 16 else FOREGROUND)
                index += 2
            index += 1
        self.style = style

    def lines(self) -> list[list[tuple[int, str, Style]]]:
        """Per row its runs of one style: first column, text, style; empty rows at the end are left out."""
        result = []
        for row in self.rows:
            runs: list[tuple[int, str, Style]] = []
            expected = -1
            for column in sorted(row):
                text, style = row[column]
                wide = width(text[0]) == 2
                # Wide characters get a run of their own: fonts disagree on how wide they are.
                if runs and column == expected and runs[-1][2] == style and not wide:
                    start, before, _ = runs[-1]
                    runs[-1] = (start, before + text, style)
                else:
                    runs.append((column, text, style))
                expected = -1 if wide else column + 1
            result.append(runs)
        while result and not any(text.strip() for _, text, _ in result[-1]):
            result.pop()
        return result


def picture_size(data: bytes) -> tuple[int, int]:
    """Width and height from the header of a PNG or JPEG file."""
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return struct.unpack(">II", data[16:24])
    position = 2
    while data[:2] == b"\xff\xd8" and position + 9 < len(data):
        marker, length = struct.unpack(">xBH", data[position : position + 4])
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, wide = struct.unpack(">HH", data[position + 5 : position + 9])
            return wide, height
        position += 2 + length
    raise SystemExit("terminal_picture: --picture takes a PNG or a JPEG file")


def draw(lines: list[list[tuple[int, str, Style]]], columns: int, title: str, picture: bytes = b"") -> str:
    text_height = max(1, len(lines)) * LINE_HEIGHT
    side = gap = picture_wide = picture_high = 0
    if picture:
        wide, high = picture_size(picture)
        scale = 180 / max(wide, high)
        picture_wide, picture_high, gap = wide * scale, high * scale, MARGIN
        side = picture_wide + gap
    total_wide = columns * CELL_WIDTH + 2 * MARGIN + side
    total_high = max(text_height, picture_high) + 2 * MARGIN + BAR
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{total_wide:.0f}" height="{total_high:.0f}" '
        f'viewBox="0 0 {total_wide:.0f} {total_high:.0f}" role="img" aria-label="{html.escape(title)}">',
        f'<rect width="100%" height="100%" rx="8" fill="{BACKGROUND}"/>',
    ]
    for index, color in enumerate(("#e06c75", "#e5c07b", "#98c379")):
        parts.append(f'<circle cx="{MARGIN + 4 + 20 * index}" cy="{BAR / 2 + 2}" r="6" fill="{color}"/>')
    if picture:
        kind = "png" if picture[:4] == b"\x89PNG" else "jpeg"
        parts.append(
            f'<image x="{MARGIN}" y="{BAR + MARGIN}" width="{picture_wide:.0f}" height="{picture_high:.0f}" '
            f'href="data:image/{kind};base64,{base64.b64encode(picture).decode()}"/>'
        )
    parts.append(
        f'<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, \'DejaVu Sans Mono\', monospace" '
        f'font-size="{FONT_SIZE}" xml:space="preserve">'
    )
    for index, runs in enumerate(lines):
        baseline = BAR + MARGIN + (index + 0.75) * LINE_HEIGHT
        for column, text, style in runs:
            if not text.strip():
                continue
            extra = ' font-weight="bold"' if style.bold else ""
            extra += ' opacity="0.6"' if style.dim else ""
            extra += ' text-decoration="underline"' if style.underline else ""
            cells = sum(width(c) for c in text)
            parts.append(
                f'<text x="{MARGIN + side + column * CELL_WIDTH:.1f}" y="{baseline:.1f}" fill="{style.color}"{extra} '
                f'textLength="{cells * CELL_WIDTH:.1f}">{html.escape(text, quote=False)}</text>'
            )
    parts.append("</g>\n</svg>\n")
    return "\n".join(parts)


def self_test() -> None:
    def shown(text: str, columns: int = 80) -> list[str]:
        return ["".join(run[1] for run in line) for line in Screen(columns).feed(text).lines()]

    assert shown("loading 10%\rloading 90%\r\x1b[Kdone\n") == ["done"], "a progress line is overwritten"
    assert shown("abcdef", 4) == ["abcd", "ef"], "long lines wrap"
    assert shown("图片ab", 4) == ["图片", "ab"], "wide characters take two cells"
    assert shown("one\ntwo\x1b[1A\rONE\n") == ["ONE", "two"], "the cursor moves up"
    assert shown("a\x1b]0;title\x07b") == ["ab"], "window titles are not text"
    red = Screen(80).feed("x\x1b[1;31my\x1b[0mz").lines()[0]
    assert [(c, t, s.color, s.bold) for c, t, s in red] == [
        (0, "x", FOREGROUND, False), (1, "y", PALETTE[1], True), (2, "z", FOREGROUND, False)
    ], "colors make runs"  # fmt: skip
    assert "&lt;b&gt; &amp;" in draw(Screen(80).feed("<b> &").lines(), 80, "t"), "text is escaped"
    print("terminal_picture: 7 passed, 0 failed")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("capture", nargs="?", help="the captured output; standard input when left out")
    parser.add_argument("--columns", type=int, default=84, help="width of the terminal in cells (default: 84)")
    parser.add_argument("--command", help="a line with this command, after a prompt, above the output")
    parser.add_argument("--picture", help="a PNG or JPEG file to show beside the text")
    parser.add_argument("--self-test", action="store_true")
    options = parser.parse_args()
    if options.self_test:
        self_test()
        return
    data = open(options.capture, "rb").read() if options.capture else sys.stdin.buffer.read()
    text = data.decode("utf-8", errors="replace")
    # `script` frames what it records with lines of its own.
    text = re.sub(r"\AScript started on [^\n]*\n", "", text)
    text = re.sub(r"\n?Script done on [^\n]*\n?\Z", "\n", text)
    if options.command:
        text = f"\x1b[32m$\x1b[0m \x1b[1m{options.command}\x1b[0m\n" + text
    picture = open(options.picture, "rb").read() if options.picture else b""
    title = options.command or "terminal output"
    sys.stdout.write(draw(Screen(options.columns).feed(text).lines(), options.columns, title, picture))


if __name__ == "__main__":
    main()
