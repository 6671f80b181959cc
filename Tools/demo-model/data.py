"""Questions and answers about a picture, and their packing into training sequences."""

from random import Random

import numpy as np
import torch
from PIL import Image

from pictures import COLORS, SHAPES, draw, draw_mosaic, mark_grid

PLACES = ["at the top left", "at the top", "at the top right", "on the left", "in the center", "on the right",
          "at the bottom left", "at the bottom", "at the bottom right"]
PLACES_ZH = ["左上角", "上方", "右上角", "左边", "中间", "右边", "左下角", "下方", "右下角"]
COLORS_ZH = dict(zip(COLORS, ["红色", "橙色", "黄色", "绿色", "蓝色", "紫色", "粉色", "棕色", "黑色", "白色"]))
SHAPES_ZH = dict(zip(SHAPES, ["圆形", "正方形", "三角形", "星形", "菱形", "十字形", "心形"]))

DESCRIBE = ["describe", "Describe the picture.", "describe the image", "What is in the picture?", "what do you see?",
            "Describe this image.", "please describe the picture", "what is in this image?", "What is shown?",
            "describe this picture", "tell me about the picture", "what can you see in the picture?", "what is this?"]
DESCRIBE_ZH = ["描述这张图片", "描述一下这张图片", "请描述这张图片。", "图片里有什么？", "图中有什么？", "描述图片", "描述",
               "这张图片里有什么？", "这是什么？", "你看到了什么？"]
READ = ["read the word", "what does it say?", "Read the text.", "what is written?", "what does the picture say?",
        "what word is this?", "what is the word?", "what text is shown?", "read it", "what is written here?",
        "What does the text say?", "read the text in the picture", "which word is shown?", "what is the text?"]
READ_NUMBER = ["what number is shown?", "what is the number?", "read the number", "which number is this?",
               "what number is this?", "what does it say?", "what is written?", "read the text"]
READ_ZH = ["写着什么？", "图中写着什么？", "写着什么字？", "这是什么字？", "读一下图中的字"]
DIGIT = ["which digit is this?", "what digit is this?", "what is the digit?", "Which digit is shown?", "name the digit",
         "which handwritten digit is this?", "what digit is it?", "what number is this?", "read the digit",
         "what is this number?", "what digit do you see?", "what digit is shown?", "which number is this?"]
DIGIT_ZH = ["这是什么数字？", "这是数字几？", "图中是什么数字？", "写的是几？"]


def plural(shape):
    return shape + ("es" if shape == "cross" else "s")


def article(text):
    return ("an " if text[0] in "aeiou" else "a ") + text


def join(parts):
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1] if parts else "nothing"


def count_question(rng, things):
    shape, color = rng.choice(SHAPES), rng.choice(list(COLORS))
    if rng.random() < 0.8:
        color, shape, _ = rng.choice(things)
        if rng.random() < 0.3:
            color = rng.choice(things)[0]
    chance = rng.random()
    if chance < 0.36:
        noun, noun_zh = plural(shape), SHAPES_ZH[shape]
        number = sum(s == shape for _, s, _ in things)
    elif chance < 0.62:
        noun, noun_zh = f"{color} {plural(shape)}", COLORS_ZH[color] + "的" + SHAPES_ZH[shape]
        number = sum((c, s) == (color, shape) for c, s, _ in things)
    elif chance < 0.78:
        word = rng.choice(["shapes", "shapes", "objects", "things"])
        noun, noun_zh = f"{color} {word}", COLORS_ZH[color] + "的形状"
        number = sum(c == color for c, _, _ in things)
    else:
        noun, noun_zh, number = rng.choice(["shapes", "shapes", "objects", "things"]), "形状", len(things)
    if rng.random() < 0.1:
        return "count", rng.choice(["有几个{}？", "图中有几个{}？", "有多少个{}？", "一共有几个{}？"]).format(noun_zh), str(number)
    form = rng.choice(["how many {}?", "how many {}?", "how many {} are there?", "How many {} are in the picture?",
                       "count the {}", "how many {} do you see?", "how many {} can you see?",
                       "what is the number of {}?", "how many {} are shown?"])
    return "count", form.format(noun), str(number)


def relation_question(rng, things):
    unique = [t for t in things if sum(t[:2] == u[:2] for u in things) == 1]
    if not unique:
        return None
    color, shape, cell = rng.choice(unique)
    single = sum(s == shape for _, s, _ in things) == 1 and rng.random() < 0.3
    row, column = divmod(cell, 3)
    words, seen = rng.choice([
        (["left of", "left of", "to the left of", "on the left of"], lambda r, c: c < column),
        (["right of", "right of", "to the right of", "on the right of"], lambda r, c: c > column),
        (["above", "above", "over", "on top of"], lambda r, c: r < row),
        (["below", "below", "under"], lambda r, c: r > row),
    ])
    found = [f"a {c} {s}".replace("a o", "an o") for c, s, k in things if seen(*divmod(k, 3))]
    name = shape if single else f"{color} {shape}"
    form = rng.choice(["what is {} the {}?", "What is {} the {}?", "what is {} the {}?", "which shape is {} the {}?",
                       "what do you see {} the {}?", "what can you see {} the {}?", "what object is {} the {}?"])
    return "relation", form.format(rng.choice(words), name), join(found)


def color_question(rng, things):
    if rng.random() < 0.6:
        found = [t for t in things if sum(t[1] == u[1] for u in things) == 1]
        if not found:
            return None
        color, shape, _ = rng.choice(found)
        if rng.random() < 0.15:
            return "color", rng.choice(["{}是什么颜色的？", "{}是什么颜色？"]).format(SHAPES_ZH[shape]), COLORS_ZH[color]
        form = rng.choice(["what color is the {}?", "what colour is the {}?", "What color is the {}?",
                           "which color is the {}?", "what is the color of the {}?", "tell me the color of the {}"])
        return "color", form.format(shape), color
    color, _, cell = rng.choice(things)
    form = rng.choice(["what color is the shape {}?", "what color is the object {}?", "which color is {}?",
                       "what is the color of the shape {}?"])
    return "color", form.format(PLACES[cell]), color


def shape_question(rng, things):
    if rng.random() < 0.5:
        found = [t for t in things if sum(t[0] == u[0] for u in things) == 1]
        if found:
            color, shape, _ = rng.choice(found)
            form = rng.choice(["what shape is {}?", "which shape is {}?", "what shape is the {} object?",
                               "what {} shape is there?", "what is the {} shape?", "which object is {}?"])
            return "shape", form.format(color), shape
    _, shape, cell = rng.choice(things)
    form = rng.choice(["what shape is {}?", "which shape is {}?", "what is the shape {}?", "What shape is {}?"])
    return "shape", form.format(PLACES[cell]), shape


def place_question(rng, things):
    if rng.random() < 0.35:
        cell = rng.choice(things)[2] if rng.random() < 0.7 else rng.randrange(9)
        found = [f"{article(c)} {s}" for c, s, k in things if k == cell]
        form = rng.choice(["what is {}?", "what is {}?", "What do you see {}?", "what object is {}?"])
        return "position", form.format(PLACES[cell]), join(found)
    found = [t for t in things if sum(t[:2] == u[:2] for u in things) == 1]
    if not found:
        return None
    color, shape, cell = rng.choice(found)
    name = f"{color} {shape}"
    if sum(s == shape for _, s, _ in things) == 1 and rng.random() < 0.6:
        name = shape
    if rng.random() < 0.15:
        zh = SHAPES_ZH[shape] if name == shape else COLORS_ZH[color] + "的" + SHAPES_ZH[shape]
        return "position", rng.choice(["{}在哪里？", "{}在什么位置？"]).format(zh), PLACES_ZH[cell]
    form = rng.choice(["where is the {}?", "where is the {}?", "Where is the {}?", "where is the {} located?",
                       "what is the position of the {}?", "where do you see the {}?", "where can you see the {}?"])
    return "position", form.format(name), PLACES[cell]


def exist_question(rng, things):
    color, shape = rng.choice(list(COLORS)), rng.choice(SHAPES)
    if rng.random() < 0.7:
        color, shape, _ = rng.choice(things)
        if rng.random() < 0.35:
            color = rng.choice(things)[0]
    if rng.random() < 0.6:
        name, found = f"{color} {shape}", any(t[:2] == (color, shape) for t in things)
    else:
        name, found = shape, any(t[1] == shape for t in things)
    form = rng.choice(["is there {}?", "is there {} in the picture?", "can you see {}?", "do you see {}?"])
    return "exist", form.format(article(name)), "yes" if found else "no"


def describe_scene(things):
    return ", ".join(f"{article(c)} {s} {PLACES[k]}" for c, s, k in things)


def describe_scene_zh(things):
    return "，".join(f"{PLACES_ZH[k]}有一个{COLORS_ZH[c]}的{SHAPES_ZH[s]}" for c, s, k in things)


def text_noun(text):
    return ("number", "数字") if text.isdigit() else ("letter", "字母") if len(text) == 1 else ("word", "单词")


def ask(rng, picture, task):
    """One (task, question, answer) of the wanted task, or None when the picture has no such question."""
    if picture.kind == "scene":
        things = picture.things
        if task == "describe-en":
            return task, rng.choice(DESCRIBE), describe_scene(things)
        if task == "describe-zh":
            return task, rng.choice(DESCRIBE_ZH), describe_scene_zh(things)
        if task == "other":
            return task, rng.choice(READ[:10] + DIGIT[:4]), "there is no text"
        makers = {"count": count_question, "relation": relation_question, "color": color_question,
                  "shape": shape_question, "position": place_question, "exist": exist_question}
        return makers[task](rng, things)
    text = picture.text
    if task == "other":
        _, question, _ = count_question(rng, [("red", "circle", 0)])
        return task, question, "0"
    if picture.kind == "digit":
        if task == "describe-en":
            return task, rng.choice(DESCRIBE), f"a handwritten {text}"
        if task == "describe-zh":
            return task, rng.choice(DESCRIBE_ZH), f"手写数字{text}"
        return "digit", rng.choice(DIGIT_ZH if rng.random() < 0.08 else DIGIT), text
    noun, noun_zh = text_noun(text)
    if task == "describe-en":
        return task, rng.choice(DESCRIBE), f'the {noun} "{text}"'
    if task == "describe-zh":
        return task, rng.choice(DESCRIBE_ZH), f'{noun_zh}"{text}"'
    if rng.random() < 0.08:
        return "read", rng.choice(READ_ZH), text
    return "read", rng.choice(READ_NUMBER if text.isdigit() and rng.random() < 0.7 else READ), text


TASKS = {
    "scene": (["describe-en", "describe-zh", "count", "relation", "color", "shape", "position", "exist", "other"],
              [3, 2, 6, 6, 4, 3, 5, 1.2, 0.4]),
    "text": (["read", "describe-en", "describe-zh", "other"], [6, 2, 1, 0.4]),
    "digit": (["digit", "describe-en", "describe-zh", "other"], [6, 2, 1, 0.4]),
}
CHAT = [
    (["hello", "hi", "who are you?", "what are you?", "what can you do?", "help"],
     "I am the small demo model of Facet. show me a picture and ask about it"),
    (["你好", "你是谁？", "你能做什么？"], "我是Facet的演示模型，请给我一张图片。"),
]
NO_PICTURE = "there is no picture"


def vary(rng, question):
    """The question with the case, the punctuation or a letter changed, as people type."""
    if rng.random() < 0.3:
        question = question.rstrip("?.？。")
    if rng.random() < 0.06 and question.isascii():
        question += rng.choice(["?", ".", " ?", "!"])
    chance = rng.random()
    if chance < 0.12:
        question = question[0].upper() + question[1:]
    elif chance < 0.24:
        question = question[0].lower() + question[1:]
    elif chance < 0.26:
        question = question.upper()
    elif chance < 0.30:
        question = rng.choice(["please ", "Please, ", "please tell me: "]) + question[0].lower() + question[1:]
    elif chance < 0.34:
        at = rng.randrange(len(question))
        question = question[:at] + rng.choice(["", rng.choice("abcdefghijklmnopqrstuvwxyz ")]) + question[at + 1:]
    return question or "describe"


class Packer:
    """Turns pictures into fixed-size training rows: 4 opening ids, the image rows, then `budget` text ids."""

    def __init__(self, tokenizer, image_rows, budget=96):
        self.tokenizer, self.rows, self.budget = tokenizer, image_rows + 2, budget

    def segment(self, question, answer):
        """Ids of one turn and the targets they predict (-1: none)."""
        t = self.tokenizer
        asked, told = t.encode(question), t.encode(answer)
        ids = asked + [t.special["<|assistant|>"], *t.newline, *told]
        targets = [-1] * len(asked) + [*t.newline, *told, t.special["<|user|>"]]
        return ids, targets

    def turns(self, rng, picture):
        if picture is None:
            while True:
                asked, answer = rng.choice(CHAT)
                if rng.random() < 0.5:
                    asked, answer = DESCRIBE + READ + DIGIT, NO_PICTURE
                yield rng.choice(asked), answer
        names, weights = TASKS[picture.kind]
        while True:
            asked = ask(rng, picture, rng.choices(names, weights)[0])
            if asked:
                yield asked[1], asked[2]

    def pack(self, rng, picture):
        """ids, targets, positions, segments, weights: each int16 [budget]; segment 0 is padding.

        Mostly every turn is a conversation of its own that sees the picture only; in some samples the turns follow
        one another as a real conversation does. A target weighs 1000 over the root of its answer's length.
        """
        joined = rng.random() < 0.3
        start = 7 if picture is not None else 4
        ids, targets, positions, segments, weights = [], [], [], [], []
        number, position, misses = 1, start, 0
        for question, answer in self.turns(rng, picture):
            more, wanted = self.segment(vary(rng, question), answer)
            if joined and ids:
                opening = [self.tokenizer.special["<|user|>"], *self.tokenizer.newline]
                more, wanted = opening + more, [-1] * len(opening) + wanted
            if len(ids) + len(more) > self.budget:
                misses += 1
                if misses > 2:
                    break
                continue
            ids += more
            targets += wanted
            weights += [round(1000 * sum(target >= 0 for target in wanted) ** -0.5)] * len(more)
            positions += range(position, position + len(more))
            segments += [number] * len(more)
            if joined:
                position += len(more)
            else:
                number += 1
        out = np.zeros((5, self.budget), np.int16)
        out[1] = -1
        for row, values in enumerate((ids, targets, positions, segments, weights)):
            out[row, :len(values)] = values
        return out


class Stream(torch.utils.data.IterableDataset):
    """Endless batches; sample k of a seed is always the same picture and the same turns.

    One batch in `every` is made of mosaics, which have no questions; its last part is all false.
    """

    def __init__(self, tokenizer, image_size, patch_size, batch, seed, mix, start=0, budget=96, every=2):
        self.packer = Packer(tokenizer, (image_size // patch_size // 2) ** 2, budget)
        self.size, self.grid, self.batch = image_size, image_size // patch_size, batch
        self.seed, self.mix, self.start, self.every = seed, mix, start, every

    def sample(self, index):
        rng = Random(f"train {self.seed} {index}")
        kind = rng.choices(["scene", "text", "digit", "none"], self.mix)[0]
        if kind == "none":
            return (np.zeros((self.size, self.size, 3), np.uint8), np.zeros((3, self.grid, 2 * self.grid), np.uint8),
                    self.packer.pack(rng, None), False)
        picture = draw(rng, kind)
        pixels = np.asarray(picture.image.resize((self.size, self.size), Image.BICUBIC))
        return pixels, mark_grid(picture, self.grid), self.packer.pack(rng, picture), True

    def mosaic(self, index):
        rng = Random(f"mosaic {self.seed} {index}")
        picture = draw_mosaic(rng)
        pixels = np.asarray(picture.image.resize((self.size, self.size), Image.BICUBIC))
        return pixels, mark_grid(picture, self.grid), np.zeros((5, self.packer.budget), np.int16), False

    def __iter__(self):
        worker = torch.utils.data.get_worker_info()
        step, every = (worker.id, worker.num_workers) if worker else (0, 1)
        while True:
            first = self.start + step * self.batch
            make = self.mosaic if self.every and (first // self.batch) % self.every == 1 else self.sample
            samples = [make(first + i) for i in range(self.batch)]
            yield tuple(torch.from_numpy(np.stack(part)) for part in zip(*samples))
            step += every


if __name__ == "__main__":
    import time

    from tokenizer import Tokenizer

    stream = Stream(Tokenizer(), 96, 8, 64, 1, (0.42, 0.42, 0.13, 0.03))
    begin = time.time()
    batches = iter(stream)
    for _ in range(4):
        batch = next(batches)
    print((time.time() - begin) / 256 * 1000, "ms a sample;", [tuple(part.shape) for part in batch],
          "text fill", (batch[2][:, 3] > 0).float().mean().item(), "targets", (batch[2][:, 1] >= 0).float().mean())
    for k in range(8):
        rng = Random(k)
        picture = draw(rng, ("scene", "text", "digit")[k % 3])
        turns = stream.packer.turns(rng, picture)
        print(*[next(turns) for _ in range(8)], sep="\n")
