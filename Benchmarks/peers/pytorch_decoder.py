#!/usr/bin/env python3
"""The reduced decoder in transformers: prefill and decoding, one JSON object per line.

    python3 pytorch_decoder.py [--threads N] [--repeats N]
"""

import argparse
import time

import torch
import transformers

import figures


def make_model() -> transformers.GlmForCausalLM:
    sizes = figures.decoder_sizes()
    configuration = transformers.GlmConfig(
        hidden_size=sizes["hidden_size"], num_hidden_layers=sizes["num_layers"],
        num_attention_heads=sizes["num_attention_heads"], num_key_value_heads=sizes["multi_query_group_num"],
        head_dim=sizes["kv_channels"], intermediate_size=sizes["ffn_hidden_size"],
        vocab_size=sizes["padded_vocab_size"], rms_norm_eps=sizes["layernorm_epsilon"], pad_token_id=0,
        eos_token_id=1, attention_bias=True, max_position_embeddings=sizes["seq_length"], partial_rotary_factor=0.5)
    torch.set_default_dtype(torch.bfloat16)
    model = transformers.GlmForCausalLM(configuration).eval()
    torch.set_default_dtype(torch.float32)
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description="the reduced decoder in transformers")
    parser.add_argument("--threads", type=int, default=figures.default_threads())
    parser.add_argument("--repeats", type=int, default=3, help="of each prefill")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.set_grad_enabled(False)
    torch.manual_seed(0)
    model = make_model()
    name, version = "transformers", f"{transformers.__version__}, torch {torch.__version__}"
    vocabulary = model.config.vocab_size

    def forward(ids: torch.Tensor, cache: transformers.DynamicCache) -> torch.Tensor:
        output = model(ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
        return output.logits[:, -1:].argmax(-1)

    def new_cache() -> transformers.DynamicCache:
        return transformers.DynamicCache(config=model.config)

    for tokens in figures.PREFILLS:
        ids = torch.randint(5, vocabulary, (1, tokens))
        times = figures.seconds_of(lambda: forward(ids, new_cache()), arguments.repeats)
        figures.emit_prefill(name, version, "bfloat16", arguments.threads, tokens, times)
    for batch in figures.BATCHES:
        cache = new_cache()
        ids = [forward(torch.randint(5, vocabulary, (batch, figures.DECODE_PROMPT)), cache)]

        def step(_: int) -> float:
            start = time.perf_counter()
            ids[0] = forward(ids[0], cache)
            return time.perf_counter() - start

        times = figures.decoding_seconds(step)
        figures.emit_decoding(name, version, "bfloat16", arguments.threads, batch, times)


if __name__ == "__main__":
    main()
