"""GLM-4V-9B (2024, `model_type: chatglm`), stated again in PyTorch at any size.

Parameter names equal the tensor names of the published checkpoint, so `state_dict()` is the file. Shapes in comments:
B pictures or sequences, P patches, R image rows (patches / 4), L sequence rows, D hidden size, H heads, G KV groups.
"""

import json
import os
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import nn

PIXEL_MEAN = (0.48145466, 0.4578275, 0.40821073)
PIXEL_STD = (0.26862954, 0.26130258, 0.27577711)


def load_config(folder):
    """The dictionary of `config.json` in a checkpoint folder."""
    return json.loads((Path(folder) / "config.json").read_text())


def normalize_pixels(pictures):
    """uint8 [B, S, S, 3] -> float32 [B, 3, S, S]: (v / 255 - mean) / std."""
    mean = torch.tensor(PIXEL_MEAN).view(1, 3, 1, 1).to(pictures.device)
    std = torch.tensor(PIXEL_STD).view(1, 3, 1, 1).to(pictures.device)
    return (pictures.permute(0, 3, 1, 2).float() / 255 - mean) / std


class PatchEmbedding(nn.Module):
    def __init__(self, vision):
        super().__init__()
        self.patch = vision["patch_size"]
        self.proj = nn.Conv2d(vision["in_channels"], vision["hidden_size"], self.patch, stride=self.patch)
        self.cls_embedding = nn.Parameter(torch.zeros(1, vision["hidden_size"]))
        self.position_embedding = nn.Embedding(vision["num_positions"], vision["hidden_size"])

    def forward(self, pixels):
        # A convolution whose stride is its size is one matrix product over flattened patches (channel, row, column).
        b, c, s, _ = pixels.shape
        n = s // self.patch
        patches = pixels.view(b, c, n, self.patch, n, self.patch).permute(0, 2, 4, 1, 3, 5).reshape(b, n * n, -1)
        x = F.linear(patches, self.proj.weight.flatten(1), self.proj.bias)
        x = torch.cat([self.cls_embedding.expand(b, 1, -1).to(x.dtype), x], 1)
        return x + self.position_embedding.weight.to(x.dtype)


def attend(q, k, v, bias=None):
    """softmax(q k^T / sqrt(d) + bias) v, written out for training: the fused CPU kernel is slow going backward."""
    if not torch.is_grad_enabled() or q.device.type != "cpu":
        return F.scaled_dot_product_attention(q, k, v, attn_mask=bias)
    scores = torch.matmul(q * q.shape[-1] ** -0.5, k.transpose(-1, -2))
    if bias is not None:
        scores = scores + bias
    return torch.matmul(torch.softmax(scores, -1, dtype=scores.dtype), v)


class VisionAttention(nn.Module):
    def __init__(self, vision):
        super().__init__()
        width = vision["hidden_size"]
        self.heads = vision["num_heads"]
        self.query_key_value = nn.Linear(width, 3 * width)
        self.dense = nn.Linear(width, width)

    def forward(self, x):
        b, n, width = x.shape
        qkv = self.query_key_value(x).view(b, n, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        y = attend(qkv[0], qkv[1], qkv[2])
        return self.dense(y.transpose(1, 2).reshape(b, n, width))


class VisionMLP(nn.Module):
    def __init__(self, vision):
        super().__init__()
        self.fc1 = nn.Linear(vision["hidden_size"], vision["intermediate_size"])
        self.fc2 = nn.Linear(vision["intermediate_size"], vision["hidden_size"])

    def forward(self, x):
        return self.fc2(F.gelu(self.fc1(x)))


class VisionLayer(nn.Module):
    """The norm is applied to what a branch gives, before the residual sum."""

    def __init__(self, vision):
        super().__init__()
        width, eps = vision["hidden_size"], vision["layer_norm_eps"]
        self.input_layernorm = nn.LayerNorm(width, eps)
        self.attention = VisionAttention(vision)
        self.mlp = VisionMLP(vision)
        self.post_attention_layernorm = nn.LayerNorm(width, eps)

    def forward(self, x):
        x = x + self.input_layernorm(self.attention(x))
        return x + self.post_attention_layernorm(self.mlp(x))


class Adapter(nn.Module):
    def __init__(self, width, inner):
        super().__init__()
        self.linear_proj = nn.Linear(width, width, bias=False)
        self.norm1 = nn.LayerNorm(width)
        self.gate_proj = nn.Linear(width, inner, bias=False)
        self.dense_h_to_4h = nn.Linear(width, inner, bias=False)
        self.dense_4h_to_h = nn.Linear(inner, width, bias=False)

    def forward(self, x):
        y = F.gelu(self.norm1(self.linear_proj(x)))
        return self.dense_4h_to_h(F.silu(self.gate_proj(y)) * self.dense_h_to_4h(y))


class Vision(nn.Module):
    def __init__(self, config):
        super().__init__()
        vision = config["vision_config"]
        width = config["hidden_size"]
        self.grid = vision["image_size"] // vision["patch_size"]
        assert self.grid % 2 == 0 and vision["num_positions"] == self.grid ** 2 + 1
        self.scaling_factor = vision["scaling_factor"]
        self.patch_embedding = PatchEmbedding(vision)
        self.transformer = nn.Module()
        self.transformer.layers = nn.ModuleList(VisionLayer(vision) for _ in range(vision["num_hidden_layers"]))
        self.linear_proj = Adapter(width, config["ffn_hidden_size"])
        self.conv = nn.Conv2d(vision["hidden_size"], width, 2, stride=2)
        self.boi = nn.Parameter(torch.zeros(1, 1, width))
        self.eoi = nn.Parameter(torch.zeros(1, 1, width))

    def forward(self, pixels, trace=None):
        """pixels [B, 3, S, S] -> rows [B, R + 2, D] and the patch rows [B, P, vision D] before the convolution."""
        x = self.patch_embedding(pixels)
        note(trace, "vision.patch_embedding", x)
        for i, layer in enumerate(self.transformer.layers):
            x = layer(x)
            note(trace, f"vision.layers.{i}", x)
        patches = x[:, 1:]
        b, _, width = patches.shape
        n = self.grid // 2
        cells = patches.reshape(b, n, 2, n, 2, width).permute(0, 1, 3, 5, 2, 4).reshape(b, n * n, width * 4)
        y = F.linear(cells, self.conv.weight.flatten(1), self.conv.bias)
        note(trace, "vision.conv", y.transpose(1, 2).reshape(b, -1, n, n))
        y = self.linear_proj(y)
        note(trace, "vision.linear_proj", y)
        y = torch.cat([self.boi.expand(b, 1, -1).to(y.dtype), y, self.eoi.expand(b, 1, -1).to(y.dtype)], 1)
        y = y / self.scaling_factor
        note(trace, "vision.output", y)
        return y, patches


class RMSNorm(nn.Module):
    def __init__(self, width, eps):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x):
        wide = x.float()
        return (self.weight * (wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + self.eps))).to(x.dtype)


def rotate(x, cos, sin):
    """Rotates interleaved pairs of the first half of each head; x [B, h, L, d], cos and sin [B, 1, L, d / 4]."""
    half = x.shape[-1] // 2
    turned, rest = x[..., :half], x[..., half:]
    a, b = turned[..., 0::2], turned[..., 1::2]
    return torch.cat([torch.stack([a * cos - b * sin, b * cos + a * sin], -1).flatten(-2), rest], -1)


class SelfAttention(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.heads, self.groups = config["num_attention_heads"], config["multi_query_group_num"]
        self.head = config["kv_channels"]
        width = config["hidden_size"]
        self.query_key_value = nn.Linear(width, (self.heads + 2 * self.groups) * self.head, bias=config["add_qkv_bias"])
        self.dense = nn.Linear(self.heads * self.head, width, bias=config["add_bias_linear"])

    def forward(self, x, cos, sin, mask, cache=None):
        b, n, _ = x.shape
        qkv = self.query_key_value(x).view(b, n, self.heads + 2 * self.groups, self.head).transpose(1, 2)
        q, k, v = qkv.split([self.heads, self.groups, self.groups], 1)
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        if cache is not None:
            if "k" in cache:
                k, v = torch.cat([cache["k"], k], 2), torch.cat([cache["v"], v], 2)
            cache["k"], cache["v"] = k, v
        repeat = self.heads // self.groups
        k = k[:, :, None].expand(-1, -1, repeat, -1, -1).reshape(b, self.heads, -1, self.head)
        v = v[:, :, None].expand(-1, -1, repeat, -1, -1).reshape(b, self.heads, -1, self.head)
        y = attend(q, k, v, mask)
        return self.dense(y.transpose(1, 2).reshape(b, n, -1))


class MLP(nn.Module):
    def __init__(self, config):
        super().__init__()
        width, inner, bias = config["hidden_size"], config["ffn_hidden_size"], config["add_bias_linear"]
        self.dense_h_to_4h = nn.Linear(width, 2 * inner, bias=bias)
        self.dense_4h_to_h = nn.Linear(inner, width, bias=bias)

    def forward(self, x):
        gate, up = self.dense_h_to_4h(x).chunk(2, -1)
        return self.dense_4h_to_h(F.silu(gate) * up)


class DecoderLayer(nn.Module):
    def __init__(self, config):
        super().__init__()
        width, eps = config["hidden_size"], config["layernorm_epsilon"]
        self.input_layernorm = RMSNorm(width, eps)
        self.self_attention = SelfAttention(config)
        self.post_attention_layernorm = RMSNorm(width, eps)
        self.mlp = MLP(config)

    def forward(self, x, cos, sin, mask, cache=None):
        x = x + self.self_attention(self.input_layernorm(x), cos, sin, mask, cache)
        return x + self.mlp(self.post_attention_layernorm(x))


class GLM4V(nn.Module):
    """The whole model; `config` is the dictionary of a `config.json`."""

    def __init__(self, config):
        super().__init__()
        self.config = config
        width, vocabulary = config["hidden_size"], config["padded_vocab_size"]
        self.transformer = t = nn.Module()
        t.embedding = nn.Module()
        t.embedding.word_embeddings = nn.Embedding(vocabulary, width)
        t.rotary_pos_emb = nn.Module()
        turned = config["kv_channels"] // 2
        # The file carries this table for base 10000, whatever rope_ratio says; nothing reads it.
        t.rotary_pos_emb.register_buffer("inv_freq", 1 / 10000 ** (torch.arange(0, turned, 2).float() / turned))
        base = 10000.0 * config.get("rope_ratio", 1)
        self.register_buffer("theta", base ** -(torch.arange(0, turned, 2).float() / turned), persistent=False)
        t.encoder = nn.Module()
        t.encoder.layers = nn.ModuleList(DecoderLayer(config) for _ in range(config["num_layers"]))
        t.encoder.final_layernorm = RMSNorm(width, config["layernorm_epsilon"])
        t.output_layer = nn.Linear(width, vocabulary, bias=False)
        t.vision = Vision(config)

    @property
    def image_rows(self):
        return (self.transformer.vision.grid // 2) ** 2

    def embed(self, ids):
        return self.transformer.embedding.word_embeddings(ids)

    def decode(self, x, positions, mask, caches=None, trace=None):
        """x [B, L, D], positions [B, L], mask broadcast to [B, 1, L, keys] (true: seen) -> final norm [B, L, D]."""
        angles = positions[:, None, :, None].float() * self.theta
        cos, sin = angles.cos(), angles.sin()
        kind = torch.get_autocast_dtype(x.device.type) if torch.is_autocast_enabled(x.device.type) else x.dtype
        cos, sin = cos.to(kind), sin.to(kind)
        note(trace, "hidden.0", x)
        for i, layer in enumerate(self.transformer.encoder.layers):
            x = layer(x, cos, sin, mask, None if caches is None else caches[i])
            note(trace, f"hidden.{i + 1}", x)
        x = self.transformer.encoder.final_layernorm(x)
        note(trace, "final_layernorm", x)
        return x

    def logits(self, x):
        return self.transformer.output_layer(x)

    def expand(self, ids, image):
        """Puts image rows into one prompt: ids list and rows [R + 2, D] or None -> x [L, D] and positions [L]."""
        device = self.theta.device
        words = self.embed(torch.tensor(ids, device=device))
        if image is None:
            return words, torch.arange(len(ids), device=device)
        at = ids.index(self.config["boi_token_id"])
        assert ids[at + 2] == self.config["eoi_token_id"]
        rows = image.shape[0] - 2
        x = torch.cat([words[:at], image.to(words.dtype), words[at + 3:]])
        positions = list(range(at + 1)) + [at + 1] * rows + list(range(at + 2, len(ids)))
        return x, torch.tensor(positions, device=device)

    @torch.no_grad()
    def generate(self, prompts, images, limit=64, stop=(), trace=None):
        """Greedy answers of a batch: prompts are id lists, images rows [R + 2, D] or None each -> id lists."""
        parts = [self.expand(ids, image) for ids, image in zip(prompts, images)]
        device = self.theta.device
        longest = max(x.shape[0] for x, _ in parts)
        pads = torch.tensor([longest - x.shape[0] for x, _ in parts], device=device)
        x = torch.stack([F.pad(x, (0, 0, longest - x.shape[0], 0)) for x, _ in parts])
        positions = torch.stack([F.pad(p, (longest - p.shape[0], 0)) for _, p in parts])
        index = torch.arange(longest, device=device)
        real = index[None] >= pads[:, None]
        mask = (index[None, :] <= index[:, None])[None] & real[:, None, :] | ~real[:, :, None]
        caches = [{} for _ in range(self.config["num_layers"])]
        hidden = self.decode(x, positions, mask[:, None], caches, trace)
        note(trace, "logits", self.logits(hidden) if trace is not None else None)
        answers, done = [[] for _ in prompts], [False] * len(prompts)
        position = torch.tensor([len(ids) for ids in prompts], device=device)[:, None]
        for _ in range(limit):
            scores = self.logits(hidden[:, -1])
            if trace is not None:
                trace.setdefault("step_logits", []).append(scores)
            tokens = scores.argmax(-1)
            for row, token in enumerate(tokens.tolist()):
                done[row] = done[row] or token in stop
                if not done[row]:
                    answers[row].append(token)
            if all(done):
                break
            real = F.pad(real, (0, 1), value=True)
            hidden = self.decode(self.embed(tokens)[:, None], position, real[:, None, None], caches)
            position = position + 1
        return answers

    def save(self, folder, dtype=torch.bfloat16):
        """Writes `model.safetensors`; other files of the folder are the caller's."""
        tensors = {name: t.detach().cpu().to(dtype).contiguous() for name, t in self.state_dict().items()}
        path = Path(folder) / "model.safetensors"
        save_file(tensors, str(path) + ".part", {"format": "pt"})
        os.replace(str(path) + ".part", path)

    @classmethod
    def load(cls, folder):
        """Reads a folder with one or several safetensors files; arithmetic is float32 on the stored weights."""
        model = cls(load_config(folder))
        tensors = {}
        for path in sorted(Path(folder).glob("*.safetensors")):
            tensors.update(load_file(path))
        model.load_state_dict({name: t.float() for name, t in tensors.items()})
        return model.eval()


def note(trace, name, value):
    if trace is not None and value is not None:
        trace[name] = value.detach()
