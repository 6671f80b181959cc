#!/usr/bin/env python3
"""A decoder in transformers: prefill and decoding, one JSON object per line.

    python3 pytorch_decoder.py [--device cuda] [--config FILE] [--prefills 512,1650] [--prompt 64] [--batches 1,8]
                               [--compiled] [--threads N] [--repeats N]

Without --config it is the reduced decoder. With --compiled only decoding is measured, one step compiled by
torch.compile over a cache of fixed size, which is the fastest that transformers has: on a card it replays CUDA graphs.
"""

import argparse
import pathlib
import time

import torch
import transformers

import figures


def make_model(sizes: dict) -> transformers.GlmForCausalLM:
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


class Decoder:
    """The model, and how it is run."""

    def __init__(self, arguments: argparse.Namespace):
        self.arguments = arguments
        self.sizes = figures.sizes_of(arguments.config)
        self.model = make_model(self.sizes)
        self.finish = figures.finisher(arguments.device)
        self.run = self.model
        if arguments.compiled:
            mode = "reduce-overhead" if arguments.device.startswith("cuda") else "default"
            self.run = torch.compile(self.model, mode=mode, fullgraph=True)
        self.name = "transformers compiled" if arguments.compiled else "transformers"
        self.version = f"{transformers.__version__}, torch {torch.__version__}"

    def bytes_of_token(self) -> int:
        """Bytes of the weights that one token reads: all but the table of the ids."""
        parameters = self.model.named_parameters()
        return sum(part.numel() * part.element_size() for name, part in parameters if "embed_tokens" not in name)

    def tokens(self, batch: int, count: int) -> torch.Tensor:
        return torch.randint(5, self.model.config.vocab_size, (batch, count))

    def cache(self, limit: int):
        if self.arguments.compiled:
            return transformers.StaticCache(config=self.model.config, max_cache_len=limit)
        return transformers.DynamicCache(config=self.model.config)

    def next_tokens(self, run, ids: torch.Tensor, cache) -> torch.Tensor:
        output = run(ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
        # A copy: the compiled step writes the next result over this one.
        return output.logits[:, -1:].argmax(-1).clone()

    def measure_prefill(self, count: int) -> None:
        ids = self.tokens(1, count)
        times = figures.seconds_of(
            lambda: self.next_tokens(self.model, ids, self.cache(count)), self.arguments.repeats, self.finish)
        figures.emit_prefill(
            self.name, self.version, "bfloat16", self.arguments.threads, count, times, self.sizes)

    def measure_decoding(self, batch: int) -> None:
        prompt = self.arguments.prompt
        cache = self.cache(prompt + figures.DECODE_TOKENS + 8)
        ids = self.next_tokens(self.model, self.tokens(batch, prompt), cache)

        def step(_: int) -> float:
            nonlocal ids
            start = time.perf_counter()
            ids = self.next_tokens(self.run, ids, cache)
            self.finish()
            return time.perf_counter() - start

        # The first steps compile and record; decoding_seconds leaves out two by itself.
        for _ in range(3 if self.arguments.compiled else 0):
            step(0)
        times = figures.decoding_seconds(step)
        figures.emit_decoding(
            self.name, self.version, "bfloat16", self.arguments.threads, batch, times, self.sizes,
            context=prompt)


def on_processor(threads: int) -> Decoder:
    """The reduced decoder, for other programs."""
    start(threads, "cpu")
    return Decoder(argparse.Namespace(config=figures.REDUCED, device="cpu", compiled=False, threads=threads))


def start(threads: int, device: str) -> None:
    torch.set_num_threads(threads)
    torch.set_grad_enabled(False)
    torch.manual_seed(0)
    torch.set_default_device(device)


def numbers(text: str) -> list[int]:
    return [int(word) for word in text.split(",")]


def main() -> None:
    parser = argparse.ArgumentParser(description="a decoder in transformers")
    parser.add_argument("--device", default="cpu", help="cpu, or cuda for the first card")
    parser.add_argument("--config", type=pathlib.Path, default=figures.REDUCED, help="the model's sizes")
    parser.add_argument("--prefills", type=numbers, default=list(figures.PREFILLS))
    parser.add_argument("--prompt", type=int, default=figures.DECODE_PROMPT, help="tokens in front of those decoded")
    parser.add_argument("--batches", type=numbers, default=list(figures.BATCHES))
    parser.add_argument("--compiled", action="store_true")
    parser.add_argument("--threads", type=int, default=figures.default_threads())
    parser.add_argument("--repeats", type=int, default=3, help="of each prefill")
    arguments = parser.parse_args()
    start(arguments.threads, arguments.device)
    decoder = Decoder(arguments)
    if not arguments.compiled:
        for count in arguments.prefills:
            decoder.measure_prefill(count)
    for batch in arguments.batches:
        decoder.measure_decoding(batch)


if __name__ == "__main__":
    main()
