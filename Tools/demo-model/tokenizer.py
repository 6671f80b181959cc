"""The demo vocabulary: a tiktoken file of 256 bytes plus merges for the words of the questions and answers.

Every merge chain starts with a space (or with the first byte of a Chinese character) and grows by one byte, so a word
after a space becomes one token while text to be read, which never follows a space, stays one token per character.
"""

import base64
import json
import sys
from pathlib import Path

import tiktoken

PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|"
    r"\s+(?!\S)|\s+"
)
SPECIALS = (
    "<|endoftext|> [MASK] [gMASK] [sMASK] <sop> <eop> <|system|> <|user|> <|assistant|> <|observation|> "
    "<|begin_of_image|> <|end_of_image|> <|begin_of_video|> <|end_of_video|>"
).split()
ENGLISH = (
    "red orange yellow green blue purple pink brown black white circle square triangle star diamond cross heart "
    "circles squares triangles stars diamonds crosses hearts at the top bottom left right in center on a an and of "
    "is are there what where how many shape shapes object objects color colour colors picture image to above below "
    "under over does it say word number text read written letter letters digit handwritten which this shown you see "
    "describe can do no nothing yes not count total things position located with show me please tell about small demo "
    "model facet ask your one".split()
)
CHINESE = (
    "红色的 橙色的 黄色的 绿色的 蓝色的 紫色的 粉色的 棕色的 黑色的 白色的 圆形 正方形 三角形 星形 菱形 十字形 心形 "
    "左上角 上方 右上角 左边 中间 右边 左下角 下方 右下角 有一个 描述 这张图片 图片里有什么 有几个 多少个 请 图中 "
    "一个 写着 手写 数字 单词 字母 这是 上面 什么 字 形状 没有 ， 。 ？ “ ” 一下 是 了 里 看到 你 一共"
).split()


def byte_order():
    """The 256 bytes in GPT-2's order."""
    first = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    return [bytes([b]) for b in first + [b for b in range(256) if b not in first]]


def build_ranks():
    """Ranks 0... of the vocabulary, each longer entry made of two lower ones."""
    ranks = {piece: rank for rank, piece in enumerate(byte_order())}

    def add(piece):
        ranks.setdefault(piece, len(ranks))

    for word in ENGLISH:
        piece = (" " + word).encode()
        for end in range(2, len(piece) + 1):
            add(piece[:end])
    for word in CHINESE:
        for character in word:
            piece = character.encode()
            for end in range(2, len(piece) + 1):
                add(piece[:end])
    for word in CHINESE:
        for end in range(2, len(word) + 1):
            add(word[:end].encode())
    return ranks


class Tokenizer:
    def __init__(self, ranks=None):
        self.ranks = ranks or build_ranks()
        self.base = len(self.ranks)
        self.bpe = tiktoken.Encoding("demo", pat_str=PATTERN, mergeable_ranks=self.ranks, special_tokens={})
        self.special = {name: self.base + i for i, name in enumerate(SPECIALS)}
        self.padded_size = (self.base + len(SPECIALS) + 63) // 64 * 64
        self.newline = self.encode("\n")

    @property
    def stops(self):
        return [self.special[name] for name in ("<|endoftext|>", "<|user|>", "<|observation|>")]

    def encode(self, text):
        return self.bpe.encode_ordinary(text)

    def decode(self, ids):
        return self.bpe.decode_bytes([i for i in ids if i < self.base]).decode("utf-8", "replace")

    def opening(self, image=True):
        """[gMASK] <sop> <|user|> newline, and the three placeholders of a picture."""
        s = self.special
        head = [s["[gMASK]"], s["<sop>"], s["<|user|>"], *self.newline]
        return head + [s["<|begin_of_image|>"], s["<|endoftext|>"], s["<|end_of_image|>"]] * bool(image)

    def prompt(self, question, image=True, history=()):
        """Ids of a conversation whose last turn is `question`; `history` holds earlier (question, answer) pairs."""
        ids, s = self.opening(image), self.special
        for asked, answer in history:
            ids += [*self.encode(asked), s["<|assistant|>"], *self.newline, *self.encode(answer)]
            ids += [s["<|user|>"], *self.newline]
        return ids + self.encode(question) + [s["<|assistant|>"]]

    def save(self, folder, image_size):
        lines = [f"{base64.b64encode(piece).decode()} {rank}\n" for piece, rank in self.ranks.items()]
        (Path(folder) / "tokenizer.model").write_text("".join(lines))
        fields = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True}
        added = {str(i): {"content": name, **fields} for name, i in self.special.items()}
        config = {
            "auto_map": {"AutoTokenizer": ["tokenization_chatglm.ChatGLM4Tokenizer", None]},
            "added_tokens_decoder": added,
            "additional_special_tokens": SPECIALS,
            "clean_up_tokenization_spaces": False,
            "do_lower_case": False,
            "eos_token": "<|endoftext|>",
            "image_size": image_size,
            "model_max_length": 2048,
            "pad_token": "<|endoftext|>",
            "padding_side": "left",
            "remove_space": False,
            "tokenizer_class": "ChatGLM4Tokenizer",
        }
        (Path(folder) / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")


def check():
    tokenizer = Tokenizer()
    for piece, rank in tokenizer.ranks.items():
        # encode_single_piece takes the whole piece at once, so rebuild it from merges alone as well.
        parts = [bytes([b]) for b in piece]
        while len(parts) > 1:
            pairs = [(tokenizer.ranks.get(parts[i] + parts[i + 1], 1 << 30), i) for i in range(len(parts) - 1)]
            best, i = min(pairs)
            assert best <= rank, (piece, parts)
            parts[i:i + 2] = [parts[i] + parts[i + 1]]
    for text in ["a red circle at the top left", 'the word "what"', "左上角有一个红色的圆形", "how many", "circle"]:
        ids = tokenizer.encode(text)
        assert tokenizer.decode(ids) == text
        print(text, [tokenizer.decode([i]) for i in ids])
    print(len(tokenizer.ranks), "ranks,", tokenizer.padded_size, "rows")


if __name__ == "__main__":
    sys.exit(check())
