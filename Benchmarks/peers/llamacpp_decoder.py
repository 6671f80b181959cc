#!/usr/bin/env python3
"""The reduced decoder in llama.cpp: prefill and decoding, one JSON object per line.

    python3 llamacpp_decoder.py [--threads N] [--repeats N] [--types BF16,Q8_0,Q4_0] [--cache DIR]

The model is a GGUF file of random bfloat16 weights (architecture chatglm), quantized by llama.cpp itself. Both are kept
in the cache folder, 3 GB, so that the next run is quick.
"""

import argparse
import ctypes
import json
import os
import pathlib
import sys
import time

import gguf
import llama_cpp
import numpy

import figures

PRECISIONS = {"BF16": "bfloat16", "Q8_0": "int8", "Q4_0": "int4", "Q4_K_M": "int4"}


def write_model(path: pathlib.Path) -> None:
    sizes = figures.sizes_of()
    hidden, ffn, vocabulary = sizes["hidden_size"], sizes["ffn_hidden_size"], sizes["padded_vocab_size"]
    heads, groups, width = sizes["num_attention_heads"], sizes["multi_query_group_num"], sizes["kv_channels"]
    projection = (heads + 2 * groups) * width
    random = numpy.random.default_rng(0)
    partial = path.with_suffix(".partial")
    writer = gguf.GGUFWriter(partial, "chatglm")
    writer.add_block_count(sizes["num_layers"])
    writer.add_context_length(sizes["seq_length"])
    writer.add_embedding_length(hidden)
    writer.add_feed_forward_length(ffn)
    writer.add_head_count(heads)
    writer.add_head_count_kv(groups)
    writer.add_layer_norm_rms_eps(sizes["layernorm_epsilon"])
    writer.add_rope_dimension_count(width // 2)
    writer.add_vocab_size(vocabulary)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_BF16)
    writer.add_string("tokenizer.ggml.model", "none")

    def matrix(name: str, rows: int, columns: int) -> None:
        # Uniform numbers keep the variance near 1; bfloat16 is the upper half of float32.
        scale = numpy.float32((3 / columns) ** 0.5)
        values = (random.random((rows, columns), dtype=numpy.float32) * 2 - 1) * scale
        upper = (values.view(numpy.uint32) >> 16).astype(numpy.uint16)
        writer.add_tensor(
            name, upper.view(numpy.uint8), raw_shape=(rows, 2 * columns), raw_dtype=gguf.GGMLQuantizationType.BF16)

    def vector(name: str, count: int, value: float) -> None:
        writer.add_tensor(name, numpy.full(count, value, numpy.float32))

    matrix("token_embd.weight", vocabulary, hidden)
    matrix("output.weight", vocabulary, hidden)
    vector("output_norm.weight", hidden, 1)
    for index in range(sizes["num_layers"]):
        block = f"blk.{index}."
        vector(block + "attn_norm.weight", hidden, 1)
        matrix(block + "attn_qkv.weight", projection, hidden)
        vector(block + "attn_qkv.bias", projection, 0)
        matrix(block + "attn_output.weight", hidden, heads * width)
        vector(block + "ffn_norm.weight", hidden, 1)
        matrix(block + "ffn_up.weight", 2 * ffn, hidden)
        matrix(block + "ffn_down.weight", hidden, ffn)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    partial.rename(path)


def model_file(folder: pathlib.Path, kind: str, threads: int) -> pathlib.Path:
    """The model in a format; made when it is not there."""
    stem = "".join(letter if letter.isalnum() else "-" for letter in figures.decoder_model(figures.sizes_of()))
    path = folder / f"{stem}-{kind}.gguf"
    if path.exists():
        return path
    if kind == "BF16":
        write_model(path)
        return path
    source = model_file(folder, "BF16", threads)
    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.nthread = threads
    parameters.ftype = getattr(llama_cpp, f"LLAMA_FTYPE_MOSTLY_{kind}")
    # All matrices in this format: else the output layer of a 4-bit model gets 6 bits.
    parameters.pure = kind == "Q4_0"
    partial = path.with_suffix(".partial")
    if llama_cpp.llama_model_quantize(bytes(source), bytes(partial), ctypes.byref(parameters)) != 0:
        sys.exit(f"llama.cpp cannot quantize {source} to {kind}")
    partial.rename(path)
    return path


def bytes_of_token(path: pathlib.Path) -> int:
    """Bytes of the weights that one token reads: all but the table of the ids."""
    return sum(int(tensor.n_bytes) for tensor in gguf.GGUFReader(path).tensors if tensor.name != "token_embd.weight")


# The library keeps a pointer to it, so it lives as long as the program.
QUIET = llama_cpp.llama_log_callback(lambda level, text, data: None)


class Decoder:
    """A model and a context of llama.cpp."""

    def __init__(self, path: pathlib.Path, threads: int):
        parameters = llama_cpp.llama_model_default_params()
        parameters.n_gpu_layers = 0
        self.model = llama_cpp.llama_model_load_from_file(bytes(path), parameters)
        if not self.model:
            sys.exit(f"llama.cpp cannot load {path}; delete it to have it made again")
        options = llama_cpp.llama_context_default_params()
        options.n_ctx, options.n_batch, options.n_ubatch = 4096, 512, 512
        options.n_seq_max = max(figures.BATCHES)
        options.n_threads = options.n_threads_batch = threads
        if hasattr(options, "kv_unified"):
            options.kv_unified = True
        self.context = llama_cpp.llama_init_from_model(self.model, options)
        if not self.context:
            sys.exit("llama.cpp cannot make a context")

    def clear(self) -> None:
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self.context), True)

    def step(self, tokens: list[tuple[int, int, int, bool]]) -> float:
        """Decodes (id, position, sequence, whether logits are wanted) and returns the seconds."""
        batch = llama_cpp.llama_batch_init(len(tokens), 0, 1)
        batch.n_tokens = len(tokens)
        for index, (token, position, sequence, wanted) in enumerate(tokens):
            batch.token[index], batch.pos[index] = token, position
            batch.n_seq_id[index], batch.seq_id[index][0] = 1, sequence
            batch.logits[index] = wanted
        start = time.perf_counter()
        status = llama_cpp.llama_decode(self.context, batch)
        llama_cpp.llama_synchronize(self.context)
        seconds = time.perf_counter() - start
        llama_cpp.llama_batch_free(batch)
        if status != 0:
            sys.exit(f"llama_decode returned {status}")
        return seconds

    def prefill(self, count: int, sequence: int = 0) -> float:
        rows = [(7 + index % 1000, index, sequence, index == count - 1) for index in range(count)]
        return sum(self.step(rows[start : start + 512]) for start in range(0, count, 512))

    def free(self) -> None:
        llama_cpp.llama_free(self.context)
        llama_cpp.llama_model_free(self.model)


def measure(decoder: Decoder, kind: str, threads: int, repeats: int) -> None:
    common = ("llama.cpp", llama_cpp.__version__, PRECISIONS[kind], threads)
    for tokens in figures.PREFILLS:
        times = []
        for _ in range(repeats + 1):
            decoder.clear()
            times.append(decoder.prefill(tokens))
        figures.emit_prefill(*common, tokens, times[1:], format=kind)
    for batch in figures.BATCHES:
        decoder.clear()
        for sequence in range(batch):
            decoder.prefill(figures.DECODE_PROMPT, sequence)
        times = figures.decoding_seconds(
            lambda index: decoder.step(
                [(9, figures.DECODE_PROMPT + index, sequence, True) for sequence in range(batch)]))
        figures.emit_decoding(*common, batch, times, format=kind)


def default_cache() -> pathlib.Path:
    home = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    return home / "facet-peers"


def start() -> None:
    llama_cpp.llama_log_set(QUIET, None)
    llama_cpp.llama_backend_init()


def main() -> None:
    parser = argparse.ArgumentParser(description="the reduced decoder in llama.cpp")
    parser.add_argument("--threads", type=int, default=figures.default_threads())
    parser.add_argument("--repeats", type=int, default=3, help="of each prefill")
    parser.add_argument("--types", default="BF16,Q8_0,Q4_0")
    parser.add_argument("--cache", type=pathlib.Path, default=default_cache())
    parser.add_argument("--prepare", action="store_true", help="only make the files")
    arguments = parser.parse_args()
    kinds = arguments.types.split(",")
    if unknown := [kind for kind in kinds if kind not in PRECISIONS]:
        parser.error(f"--types: {unknown[0]} is none of {', '.join(PRECISIONS)}")
    arguments.cache.mkdir(parents=True, exist_ok=True)
    start()
    files = {kind: model_file(arguments.cache, kind, arguments.threads) for kind in kinds}
    system = llama_cpp.llama_print_system_info().decode()
    print(json.dumps({"program": "llama.cpp", "version": llama_cpp.__version__, "system_info": system}), flush=True)
    if arguments.prepare:
        return
    for kind, path in files.items():
        decoder = Decoder(path, arguments.threads)
        measure(decoder, kind, arguments.threads, arguments.repeats)
        decoder.free()


if __name__ == "__main__":
    main()
