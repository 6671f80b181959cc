"""The demo model before its training: sizes and starting weights."""

import math

import torch
from torch import nn


def make_config(tokenizer, vision_width=160, vision_layers=6, width=192, layers=3, inner=512, image=96, patch=8,
                vision_inner=480):
    """config.json of the demo model, with the key set of the published one."""
    patches = (image // patch) ** 2
    return {
        "_name_or_path": "facet/demo", "model_type": "chatglm", "architectures": ["ChatGLMModel"],
        "auto_map": {
            "AutoConfig": "configuration_chatglm.ChatGLMConfig",
            "AutoModel": "modeling_chatglm.ChatGLMForConditionalGeneration",
            "AutoModelForCausalLM": "modeling_chatglm.ChatGLMForConditionalGeneration",
            "AutoModelForSeq2SeqLM": "modeling_chatglm.ChatGLMForConditionalGeneration",
            "AutoModelForSequenceClassification": "modeling_chatglm.ChatGLMForSequenceClassification",
        },
        "vision_config": {
            "dropout_prob": 0.0, "hidden_act": "gelu", "in_channels": 3, "num_hidden_layers": vision_layers,
            "hidden_size": vision_width, "patch_size": patch, "num_heads": vision_width // 32,
            "intermediate_size": vision_inner, "layer_norm_eps": 1e-06, "num_positions": patches + 1,
            "image_size": image, "scaling_factor": 8,
        },
        "add_bias_linear": False, "add_qkv_bias": True, "apply_query_key_layer_scaling": True,
        "apply_residual_connection_post_layernorm": False, "attention_dropout": 0.0,
        "attention_softmax_in_fp32": True, "attn_implementation": "sdpa", "bias_dropout_fusion": True,
        "ffn_hidden_size": inner, "fp32_residual_connection": False, "hidden_dropout": 0.0, "hidden_size": width,
        "kv_channels": 32, "layernorm_epsilon": 1.5625e-07, "multi_query_attention": True,
        "multi_query_group_num": 2, "num_attention_heads": width // 32, "num_layers": layers, "original_rope": True,
        "padded_vocab_size": tokenizer.padded_size, "post_layer_norm": True, "rmsnorm": True, "seq_length": 2048,
        "use_cache": True, "torch_dtype": "bfloat16", "transformers_version": "4.44.0", "tie_word_embeddings": False,
        "eos_token_id": tokenizer.stops, "pad_token_id": tokenizer.special["<|endoftext|>"],
        "boi_token_id": tokenizer.special["<|begin_of_image|>"], "eoi_token_id": tokenizer.special["<|end_of_image|>"],
    }


POSITION_WIDTH = 32
OFFSETS = [
    [(-1, 0), (1, 0), (0, -1), (0, 1), (0, 0)],
    [(-1, -1), (1, -1), (-1, 1), (1, 1), (0, 0)],
    [(-1, 0), (1, 0), (0, -1), (0, 1), None],
    [(-2, 0), (2, 0), (0, -1), (0, 1), None],
    [(-1, 0), (1, 0), (0, 0), None, None],
    [(-1, 0), (1, 0), None, None, None],
]


def position_table(grid):
    """Sines and cosines of row and column at eight frequencies: [grid * grid, 32]."""
    speed = torch.linspace(0.15, 2.0, 8)
    y, x = torch.meshgrid(torch.arange(grid).float(), torch.arange(grid).float(), indexing="ij")
    angles = torch.cat([x.reshape(-1, 1) * speed, y.reshape(-1, 1) * speed], 1)
    return torch.stack([angles.cos(), angles.sin()], 2).flatten(1)


def shift_matrix(dx, dy):
    """Turns the position code of a place into the code of the place `dx` columns and `dy` rows further."""
    speed = torch.linspace(0.15, 2.0, 8)
    angles = torch.cat([speed * dx, speed * dy])
    matrix = torch.zeros(POSITION_WIDTH, POSITION_WIDTH)
    for k, angle in enumerate(angles.tolist()):
        c, s = math.cos(angle), math.sin(angle)
        matrix[2 * k:2 * k + 2, 2 * k:2 * k + 2] = torch.tensor([[c, -s], [s, c]])
    return matrix


def initialize_tower(vision):
    """Starts the tower like a convolution network.

    The last 32 columns of the residual stream hold a position code that no branch writes to at first (their norm
    gains are 0), and most heads attend to the neighbor at a fixed offset; both are free to change.
    """
    width, grid = vision.patch_embedding.proj.out_channels, vision.grid
    free = width - POSITION_WIDTH
    with torch.no_grad():
        filters = vision.patch_embedding.proj.weight
        filters -= 0.8 * filters.mean((2, 3), keepdim=True)
        filters[free:] = 0
        table = vision.patch_embedding.position_embedding.weight
        table.zero_()
        table[1:, free:] = position_table(grid)
        vision.patch_embedding.cls_embedding[:, free:] = 0
        for layer, offsets in zip(vision.transformer.layers, OFFSETS):
            weight = layer.attention.query_key_value.weight
            for head, offset in enumerate(offsets):
                if offset is None:
                    continue
                strength = math.sqrt(1.0 if offset == (0, 0) else 3.0)
                rows = slice(32 * head, 32 * head + 32)
                weight[:width][rows] *= 0.2
                weight[width:2 * width][rows] *= 0.2
                weight[:width][rows, free:] = strength * shift_matrix(*offset)
                weight[width:2 * width][rows, free:] = strength * torch.eye(POSITION_WIDTH)
            for norm in (layer.input_layernorm, layer.post_attention_layernorm):
                norm.weight.fill_(0.5)
                norm.weight[free:] = 0


def initialize(model):
    """Starting weights: unit-scale rows everywhere, then the tower's own start."""
    for name, p in model.named_parameters():
        if "norm" in name:
            continue
        elif name.endswith("word_embeddings.weight"):
            nn.init.normal_(p, std=0.1)
        elif name.endswith(("boi", "eoi", "cls_embedding")):
            nn.init.normal_(p, std=0.5)
        elif name.endswith("output_layer.weight"):
            nn.init.normal_(p, std=0.02)
        elif p.dim() > 1:
            fan = p[0].numel()
            scale = 0.4 if "encoder" in name and ("self_attention.dense" in name or "4h_to_h" in name) else 0.9
            nn.init.normal_(p, std=scale / math.sqrt(fan))
        else:
            nn.init.zeros_(p)
    initialize_tower(model.transformer.vision)
    # The last matrix of the adapter undoes the shrinking of its gated product.
    with torch.no_grad():
        model.transformer.vision.linear_proj.dense_4h_to_h.weight *= 3
