"""Draws the pictures of `Examples/pictures`: `python examples.py DIR`.

They do not come from the random stream that training uses: size, places, text and colors are chosen here, and the
digit is one of the samples that training leaves out.
"""

import sys
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image, ImageDraw

from pictures import COLORS, digit_samples, draw_shape, font

SHAPES = [("red", "circle", 0.19, 0.22, 0.135), ("blue", "square", 0.80, 0.50, 0.13), ("green", "star", 0.20, 0.80, 0.15)]


def shapes(width=480, height=360, scale=3):
    image = Image.new("RGB", (width * scale, height * scale), (255, 255, 255))
    pen = ImageDraw.Draw(image)
    # This seed turns no shape and gives none an outline.
    for color, shape, x, y, r in SHAPES:
        rng = Random("plain 9")
        draw_shape(pen, rng, shape, x * width * scale, y * height * scale, r * height * scale, COLORS[color], scale)
    return image.resize((width, height), Image.LANCZOS)


def text(words, name, width, height, size, back, ink):
    image = Image.new("RGB", (width, height), back)
    face = font(name, size)
    left, top, right, bottom = face.getbbox(words)
    place = ((width - right - left) / 2, (height - bottom - top) / 2)
    ImageDraw.Draw(image).text(place, words, fill=ink, font=face)
    return image


def digit(value=7, skip=3):
    chosen = [pixels for pixels, label in digit_samples(True) if label == value][skip]
    glyph = Image.fromarray(np.clip(255 - chosen * (255 / 16), 0, 255).astype(np.uint8)).resize((220, 220), Image.BICUBIC)
    image = Image.new("RGB", (300, 300), (255, 255, 255))
    image.paste(glyph.convert("RGB"), (40, 40))
    return image


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    pictures = {
        "shapes": shapes(),
        "word": text("swift", "dejavu/DejaVuSans-Bold", 480, 240, 120, (255, 255, 255), (25, 25, 25)),
        "number": text("2048", "liberation/LiberationSerif-Bold", 480, 320, 150, (235, 242, 250), (20, 40, 90)),
        "digit": digit(),
    }
    for name, image in pictures.items():
        image.save(folder / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
