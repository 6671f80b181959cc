"""Draws the pictures: scenes of shapes, rendered text, handwritten digits, with what is true about each."""

import io
import math
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

COLORS = {
    "red": (220, 30, 35), "orange": (250, 135, 15), "yellow": (245, 220, 30), "green": (35, 155, 55),
    "blue": (35, 75, 215), "purple": (130, 40, 165), "pink": (250, 145, 190), "brown": (120, 70, 30),
    "black": (15, 15, 15), "white": (250, 250, 250),
}
SHAPES = ["circle", "square", "triangle", "star", "diamond", "cross", "heart"]
CHARACTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
FONTS = [
    "dejavu/DejaVuSans", "dejavu/DejaVuSans-Bold", "dejavu/DejaVuSansMono", "dejavu/DejaVuSerif",
    "freefont/FreeSans", "freefont/FreeSansBold", "freefont/FreeSerif", "lato/Lato-Regular", "lato/Lato-Bold",
    "liberation/LiberationSans-Regular", "liberation/LiberationSans-Bold", "liberation/LiberationSerif-Regular",
    "liberation/LiberationSerif-Bold", "open-sans/OpenSans-Regular", "open-sans/OpenSans-Bold",
    "roboto/unhinted/RobotoTTF/Roboto-Regular", "roboto/unhinted/RobotoTTF/Roboto-Bold",
]
FONT_FOLDER = Path("/usr/share/fonts/truetype")
WORDS_FILE = Path("/usr/share/dict/american-english")
# Strings of these letters alone look the same in both cases.
CASELESS = set("cosvwxzuk")


@dataclass
class Mark:
    """One thing in a picture, for the training heads: class, reading order, color class and box in 0...1."""

    kind: int
    order: int
    color: int
    box: tuple


@dataclass
class Picture:
    image: Image.Image
    kind: str  # scene, text or digit
    things: list = field(default_factory=list)  # scene: (color, shape, cell 0...8) in reading order
    text: str = ""
    marks: list = field(default_factory=list)


def kind_class(name):
    """Class of a mark: 0 background, then characters, handwritten digits `#0`...`#9`, shapes."""
    if name in SHAPES:
        return 1 + len(CHARACTERS) + 10 + SHAPES.index(name)
    return 1 + len(CHARACTERS) + int(name[1]) if len(name) == 2 else 1 + CHARACTERS.index(name)


KIND_CLASSES = 1 + len(CHARACTERS) + 10 + len(SHAPES)


def distance(a, b):
    return math.sqrt(sum((x - y) ** 2 for x, y in zip(a, b)))


def jitter(rng, color, amount):
    return tuple(max(0, min(255, c + rng.randint(-amount, amount))) for c in color)


SIZES = [160, 200, 224, 240, 256, 280, 300, 320, 360, 400, 480]


def picture_size(rng, sizes=None):
    longest = rng.choice(sizes or SIZES)
    if rng.random() < 0.35:
        return longest, longest
    shortest = int(longest * rng.uniform(0.6, 1))
    return (longest, shortest) if rng.random() < 0.7 else (shortest, longest)


def background(rng):
    chance = rng.random()
    if chance < 0.5:
        return (255, 255, 255)
    if chance < 0.82:
        return tuple(rng.randint(200, 255) for _ in range(3))
    if chance < 0.92:
        return tuple(rng.randint(0, 60) for _ in range(3))
    return tuple(rng.randint(60, 200) for _ in range(3))


def outline(shape, x, y, r, turn):
    """Corner points of a shape around (x, y) with radius r, turned by `turn` radians."""
    if shape == "square":
        polar = [(45 + 90 * k, 1.1) for k in range(4)]
    elif shape == "diamond":
        points = [(0, -1.2), (0.8, 0), (0, 1.2), (-0.8, 0)]
    elif shape == "triangle":
        polar = [(-90 + 120 * k, 1.15) for k in range(3)]
    elif shape == "star":
        polar = [(-90 + 36 * k, 1.15 if k % 2 == 0 else 0.48) for k in range(10)]
    elif shape == "cross":
        a, b = 1.0, 0.36
        points = [(-b, -a), (b, -a), (b, -b), (a, -b), (a, b), (b, b), (b, a), (-b, a), (-b, b), (-a, b), (-a, -b),
                  (-b, -b)]
    else:
        steps = [k * math.pi / 24 for k in range(48)]
        points = [(math.sin(t) ** 3 * 1.05, -(13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t)
                                              - math.cos(4 * t)) / 16) for t in steps]
    if shape in ("square", "triangle", "star"):
        points = [(math.cos(math.radians(d)) * s, math.sin(math.radians(d)) * s) for d, s in polar]
    c, s = math.cos(turn), math.sin(turn)
    return [(x + r * (px * c - py * s), y + r * (px * s + py * c)) for px, py in points]


def draw_shape(pen, rng, shape, x, y, r, fill, scale):
    edge = jitter(rng, (20, 20, 20), 15) if rng.random() < 0.12 else None
    width = max(1, int(r * 0.08)) if edge else 1
    if shape == "circle":
        pen.ellipse([x - r, y - r, x + r, y + r], fill=fill, outline=edge, width=width)
        return
    limit = 180 if shape == "star" and rng.random() < 0.3 else 10
    turn = math.radians(rng.uniform(-limit, limit)) if rng.random() < 0.5 else 0
    pen.polygon(outline(shape, x, y, r, turn), fill=fill, outline=edge, width=width)


def place_shapes(rng, count, w, h):
    """Cells, centers and radii of shapes that do not touch, or None when this try fails."""
    cells = sorted(rng.sample(range(9), count))
    short, placed = min(w, h), []
    spread = rng.choice([0.02, 0.08, 0.115])
    high = 0.3 if count == 1 else 0.2 if count == 2 else 0.155
    for cell in cells:
        x = ((cell % 3 + 0.5) / 3 + rng.uniform(-spread, spread)) * w
        y = ((cell // 3 + 0.5) / 3 + rng.uniform(-spread, spread)) * h
        r = short * rng.uniform(0.085, high)
        r = min(r, x / 1.1, y / 1.1, (w - x) / 1.1, (h - y) / 1.1)
        if r < short * 0.07 or any(math.hypot(x - a, y - b) < (r + c) * 1.15 for _, a, b, c in placed):
            return None
        placed.append((cell, x, y, r))
    return placed


def draw_scene(rng, count=None, sizes=None):
    w, h = picture_size(rng, sizes)
    count = count or rng.choice([1, 2, 2, 3, 3, 3, 4, 4])
    back, placed = background(rng), None
    while placed is None:
        placed = place_shapes(rng, count, w, h)
    names = [name for name, rgb in COLORS.items() if distance(rgb, back) > 100]
    scale = 2 if rng.random() < 0.35 and max(w, h) <= 320 else 1
    image = Image.new("RGB", (w * scale, h * scale), back)
    pen, picture = ImageDraw.Draw(image), Picture(image, "scene")
    same = rng.choice([0, 0.35, 0.7])
    shapes, colors = [], []
    for order, (cell, x, y, r) in enumerate(placed):
        shape = rng.choice(shapes) if shapes and rng.random() < same else rng.choice(SHAPES)
        color = rng.choice(colors) if colors and rng.random() < same else rng.choice(names)
        shapes.append(shape)
        colors.append(color)
        draw_shape(pen, rng, shape, x * scale, y * scale, r * scale, jitter(rng, COLORS[color], 18), scale)
        picture.things.append((color, shape, cell))
        box = ((x - r * 0.75) / w, (y - r * 0.75) / h, (x + r * 0.75) / w, (y + r * 0.75) / h)
        picture.marks.append(Mark(kind_class(shape), order + 1, 1 + list(COLORS).index(color), box))
    if scale == 2:
        picture.image = image.resize((w, h), Image.BILINEAR)
    return picture


@lru_cache(maxsize=1)
def dictionary():
    words = [word.strip() for word in WORDS_FILE.read_text().splitlines()]
    return [word for word in words if word.isascii() and word.isalpha() and word.islower() and 2 <= len(word) <= 6]


@lru_cache(maxsize=4096)
def font(name, size):
    return ImageFont.truetype(str(FONT_FOLDER / f"{name}.ttf"), size)


def random_text(rng, longest=6):
    chance = rng.random()
    if chance < 0.27:
        return "".join(rng.choice("0123456789") for _ in range(rng.randint(1, longest)))
    if chance < 0.33:
        # Mixed codes leave out what many fonts draw alike.
        return "".join(rng.choice("ABCDEFGHJKLMNPQRSTUVWXYZ23456789") for _ in range(rng.randint(3, longest)))
    while True:
        if chance < 0.66:
            text = rng.choice(dictionary())
        else:
            text = "".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(rng.randint(1, longest)))
        if len(text) <= longest and not set(text) <= CASELESS:
            break
    style = rng.random()
    return text if style < 0.45 else text.upper() if style < 0.8 else text.capitalize()


def text_colors(rng):
    while True:
        back, ink = background(rng), tuple(rng.randint(0, 255) for _ in range(3))
        if rng.random() < 0.5:
            ink = jitter(rng, (12, 12, 12), 12) if sum(back) > 380 else jitter(rng, (243, 243, 243), 12)
        if abs(sum(a * b for a, b in zip((0.3, 0.6, 0.1), back)) - sum(
                a * b for a, b in zip((0.3, 0.6, 0.1), ink))) > 80:
            return back, ink


def draw_text(rng, text=None, sizes=None):
    text = text or random_text(rng)
    name = rng.choice(FONTS)
    while True:
        w, h = picture_size(rng, sizes)
        if len(text) >= 4 and w < h:
            w, h = h, w
        probe = font(name, 64).getbbox(text)
        wide, high = (probe[2] - probe[0]) / 64, (probe[3] - probe[1]) / 64
        # At 96 pixels the mean character is at least 10 wide (so 0.105 of the picture) and the ink at least 9 high.
        largest = min(0.93 * w / wide, 0.8 * h / high)
        smallest = max(0.105 * len(text) * w / wide * (0.7 if len(text) == 1 else 1), 0.1 * h / high, 0.14 * h)
        if smallest <= largest:
            break
    size = int(rng.uniform(smallest, largest)) if rng.random() < 0.7 else int(0.6 * largest + 0.4 * smallest)
    face = font(name, max(size, 8))
    back, ink = text_colors(rng)
    image = Image.new("RGB", (w, h), back)
    left, top, right, bottom = face.getbbox(text)
    spare_x, spare_y = w - (right - left), h - (bottom - top)
    x, y = rng.uniform(0.03, 0.97) * spare_x, rng.uniform(0.05, 0.95) * spare_y
    if rng.random() < 0.35:
        x, y = spare_x / 2, spare_y / 2
    x, y = int(x - left), int(y - top)
    ImageDraw.Draw(image).text((x, y), text, fill=ink, font=face)
    picture = Picture(image, "text", text=text)
    for i, character in enumerate(text):
        start, end = face.getlength(text[:i]), face.getlength(text[:i + 1])
        box = ((x + start) / w, (y + top) / h, (x + end) / w, (y + bottom) / h)
        picture.marks.append(Mark(kind_class(character), i + 1, 0, box))
    return picture


@lru_cache(maxsize=2)
def digit_samples(held_out):
    """scikit-learn's bundled digits: every fifth sample is held out."""
    from sklearn.datasets import load_digits

    data = load_digits()
    chosen = [i for i in range(len(data.target)) if (i % 5 == 0) == held_out]
    return [(data.images[i], int(data.target[i])) for i in chosen]


def draw_digit(rng, held_out, sample=None, sizes=None):
    pixels, value = sample or rng.choice(digit_samples(held_out))
    w, h = picture_size(rng, sizes)
    glyph = Image.fromarray(np.clip(pixels * (255 / 16), 0, 255).astype(np.uint8))
    method = rng.choice([Image.NEAREST, Image.BILINEAR, Image.BICUBIC, Image.LANCZOS, Image.BICUBIC])
    side = min(w, h) * rng.uniform(0.4, 0.95)
    gw, gh = int(side * rng.uniform(0.85, 1.05)), int(side)
    gw = min(gw, w)
    if not held_out and rng.random() < 0.6:
        big = glyph.resize((64, 64), Image.BICUBIC)
        big = big.rotate(rng.uniform(-12, 12), Image.BILINEAR)
        dx, dy = rng.uniform(-0.15, 0.15), rng.uniform(-5, 5)
        big = big.transform((64, 64), Image.AFFINE, (1, dx, -32 * dx + rng.uniform(-5, 5), 0, 1, dy), Image.BILINEAR)
        glyph = big if method != Image.NEAREST else big.resize((8, 8), Image.BOX)
    glyph = glyph.resize((gw, gh), method)
    back, ink = (255, 255, 255), (0, 0, 0)
    if rng.random() < 0.5:
        back, ink = text_colors(rng)
    elif rng.random() < 0.5:
        back, ink = ink, back
    image = Image.new("RGB", (w, h), back)
    x, y = int(rng.random() * (w - gw)), int(rng.random() * (h - gh))
    image.paste(Image.new("RGB", (gw, gh), ink), (x, y), glyph)
    picture = Picture(image, "digit", text=str(value))
    box = ((x + gw * 0.15) / w, (y + gh * 0.1) / h, (x + gw * 0.85) / w, (y + gh * 0.9) / h)
    picture.marks.append(Mark(kind_class(f"#{value}"), 1, 0, box))
    return picture


def wear(rng, image):
    """Light blur, noise or JPEG traces, on a part of the pictures."""
    chance = rng.random()
    if chance < 0.12:
        return image.filter(ImageFilter.GaussianBlur(rng.uniform(0.4, 1.1) * max(image.size) / 300))
    if chance < 0.24:
        data, strength = np.asarray(image).astype(np.int16), rng.randint(3, 14)
        noise = np.random.default_rng(rng.getrandbits(32)).integers(-strength, strength + 1, data.shape, np.int16)
        return Image.fromarray(np.clip(data + noise, 0, 255).astype(np.uint8))
    if chance < 0.4:
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=rng.randint(50, 95))
        return Image.open(buffer).convert("RGB")
    return image


def draw(rng, kind, held_out=False, sizes=None, worn=True):
    """A picture of a kind; held-out pictures use the digit samples that training leaves out, as they are."""
    if kind == "scene":
        picture = draw_scene(rng, sizes=sizes)
    elif kind == "text":
        picture = draw_text(rng, sizes=sizes)
    else:
        picture = draw_digit(rng, held_out, sizes=sizes)
    if worn:
        picture.image = wear(rng, picture.image)
    return picture


def mark_grid(picture, grid):
    """Class, order and color per half patch, each uint8 [grid, 2 grid]."""
    labels = np.zeros((3, grid, 2 * grid), np.uint8)
    for mark in picture.marks:
        x0, y0, x1, y1 = mark.box
        top, bottom = math.ceil(y0 * grid - 0.5), math.ceil(y1 * grid - 0.5)
        left, right = math.ceil(x0 * 2 * grid - 0.5), math.ceil(x1 * 2 * grid - 0.5)
        if bottom <= top:
            top = int((y0 + y1) / 2 * grid)
            bottom = top + 1
        if right <= left:
            left = int((x0 + x1) * grid)
            right = left + 1
        values = np.array([mark.kind, mark.order, mark.color], np.uint8)
        labels[:, max(top, 0):bottom, max(left, 0):right] = values[:, None, None]
    return labels


def draw_page(rng):
    """Lines of text that fill a square picture: many characters to learn from at once."""
    side = 288
    back, ink = text_colors(rng)
    image = Image.new("RGB", (side, side), back)
    pen, picture = ImageDraw.Draw(image), Picture(image, "page")
    y = rng.randint(0, 12)
    while True:
        name, text = rng.choice(FONTS), random_text(rng)
        tall = rng.randint(30, 76)
        face = font(name, tall)
        left, top, right, bottom = face.getbbox(text)
        if right - left < 25 * len(text) * 0.95:
            tall = int(tall * 25 * len(text) / max(right - left, 1)) + 1
            face = font(name, tall)
        while True:
            more = text + random_text(rng)
            if face.getlength(more) > side - 6:
                break
            text = more
        left, top, right, bottom = face.getbbox(text)
        if right - left > side - 4:
            text = text[:max(1, int(len(text) * (side - 4) / (right - left)))]
            left, top, right, bottom = face.getbbox(text)
        if y + bottom - top > side:
            break
        x, drop = rng.randint(0, max(side - (right - left) - 1, 0)) - left, y - top
        pen.text((x, drop), text, fill=ink, font=face)
        for i, character in enumerate(text):
            start, end = face.getlength(text[:i]), face.getlength(text[:i + 1])
            box = ((x + start) / side, y / side, (x + end) / side, (y + bottom - top) / side)
            picture.marks.append(Mark(kind_class(character), 255, 0, box))
        y += bottom - top + rng.randint(4, 30)
    return picture


def draw_mosaic(rng):
    """A page of text, a full grid of shapes, or several handwritten digits, for the heads of the tower alone."""
    chance = rng.random()
    if chance < 0.68:
        picture = draw_page(rng)
    elif chance < 0.8:
        picture = draw_scene(rng, count=rng.randint(5, 8))
        for mark in picture.marks:
            mark.order = 255
    else:
        n, side = rng.choice([2, 2, 3]), 288
        picture = Picture(Image.new("RGB", (side, side)), "page")
        for k in range(n * n):
            part = draw_digit(rng, False)
            x, y, size = k % n, k // n, side // n
            picture.image.paste(part.image.resize((size, size), Image.BILINEAR), (x * size, y * size))
            box = part.marks[0].box
            box = ((x + box[0]) / n, (y + box[1]) / n, (x + box[2]) / n, (y + box[3]) / n)
            picture.marks.append(Mark(part.marks[0].kind, 255, 0, box))
    picture.image = wear(rng, picture.image)
    return picture


if __name__ == "__main__":
    import time

    for name in ("scene", "text", "digit"):
        begin = time.time()
        for seed in range(200):
            shown = draw(Random(f"look {name} {seed}"), name)
            shown.image.resize((96, 96), Image.BICUBIC)
        print(name, f"{(time.time() - begin) * 5:.1f} ms each")
    sheet = Image.new("RGB", (8 * 100, 6 * 100), (128, 128, 128))
    for k in range(48):
        shown = draw_mosaic(Random(f"look {k}"))
        sheet.paste(shown.image.resize((96, 96), Image.BICUBIC), (k % 8 * 100, k // 8 * 100))
    sheet.resize((1600, 1200), Image.NEAREST).save("pictures.png")
