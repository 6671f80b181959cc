#!/usr/bin/env python3
"""Compares quantized folders with those of the compressed-tensors package, in both directions.

    pip install torch safetensors compressed-tensors
    interoperate.py write MODEL FOLDER --type int4|int8|fp8   # what the package makes of a checkpoint's linear layers
    interoperate.py read MODEL FOLDER                         # the package's reading of a folder that facet wrote

`write` makes a folder that every command of facet should read. `read` decompresses each weight with the package and
prints how far it lies from the checkpoint's own.
"""

import argparse
import json
import pathlib
import re
import shutil

import torch
from compressed_tensors.compressors.base import BaseCompressor
from compressed_tensors.quantization import QuantizationArgs, QuantizationConfig, QuantizationScheme
from safetensors import safe_open
from safetensors.torch import save_file

SCHEMES = {
    "int4": ("pack-quantized", QuantizationArgs(num_bits=4, type="int", strategy="group", group_size=64)),
    "int8": ("int-quantized", QuantizationArgs(num_bits=8, type="int", strategy="channel")),
    "fp8": ("float-quantized", QuantizationArgs(num_bits=8, type="float", strategy="channel")),
}


def tensors(folder: pathlib.Path) -> dict[str, torch.Tensor]:
    found = {}
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            found |= {name: file.get_tensor(name) for name in file.keys()}
    return found


def is_linear(name: str, tensor: torch.Tensor) -> bool:
    return name.endswith(".weight") and tensor.dim() == 2 and ".layers." in name and "norm" not in name


def scales(weight: torch.Tensor, arguments: QuantizationArgs) -> torch.Tensor:
    largest = 448.0 if arguments.type == "float" else 2.0 ** (arguments.num_bits - 1) - 1
    group = arguments.group_size or weight.shape[1]
    grouped = weight.float().reshape(weight.shape[0], -1, group)
    return (grouped.abs().amax(dim=-1) / largest).clamp(min=1e-8)


def write(model: pathlib.Path, folder: pathlib.Path, kind: str) -> None:
    form, arguments = SCHEMES[kind]
    scheme = QuantizationScheme(targets=["Linear"], weights=arguments, format=form)
    compressor = BaseCompressor.get_value_from_registry(form)
    result, names = {}, []
    for name, tensor in tensors(model).items():
        if not is_linear(name, tensor) or tensor.shape[1] % (arguments.group_size or 1):
            result[name] = tensor
            continue
        module = name.removesuffix(".weight")
        names.append(module)
        state = {"weight": tensor.float(), "weight_scale": scales(tensor, arguments)}
        for key, value in compressor.compress(state, scheme).items():
            result[f"{module}.{key}"] = value.contiguous()
    folder.mkdir(parents=True)
    for path in model.iterdir():
        if path.suffix != ".safetensors" and not path.name.endswith(".index.json") and path.is_file():
            shutil.copyfile(path, folder / path.name)
    scheme.targets = names
    recipe = json.loads((model / "config.json").read_text())
    config = QuantizationConfig(config_groups={"group_0": scheme}, format=form, quantization_status="compressed")
    recipe["quantization_config"] = json.loads(config.model_dump_json())
    (folder / "config.json").write_text(json.dumps(recipe, indent=1))
    save_file(result, folder / "model.safetensors", metadata={"format": "pt"})
    print(f"{len(names)} modules as {kind}")


def read(model: pathlib.Path, folder: pathlib.Path) -> None:
    config = json.loads((folder / "config.json").read_text())["quantization_config"]
    parsed = QuantizationConfig.model_validate(config)
    original, stored = tensors(model), tensors(folder)
    for label, scheme in parsed.config_groups.items():
        compressor = BaseCompressor.get_value_from_registry(scheme.format or parsed.format)
        worst, count, uneven = 0.0, 0, 0
        for name in [name for name in stored if name.endswith(".weight_scale")]:
            module = name.removesuffix(".weight_scale")
            if not matches(module, scheme.targets):
                continue
            state = {key.removeprefix(module + "."): value for key, value in stored.items() if key.startswith(module + ".")}
            state.pop("bias", None)
            if original[f"{module}.weight"].shape[1] % (scheme.weights.group_size or 1):
                uneven += 1  # the package wants groups to divide a row
                continue
            restored = compressor.decompress(state, scheme)["weight"].float()
            weight = original[f"{module}.weight"].float()
            worst = max(worst, ((restored - weight).norm() / weight.norm()).item())
            count += 1
        print(
            f"{label}: {count} modules, {scheme.weights.type} of {scheme.weights.num_bits} bits, "
            f"relative error at most {worst:.4f}; {uneven} with a short last group not read")


def matches(module: str, targets: list[str]) -> bool:
    return any(re.match(target[3:], module) if target.startswith("re:") else target == module for target in targets)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("direction", choices=("write", "read"))
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--type", choices=tuple(SCHEMES), default="int4")
    arguments = parser.parse_args()
    if arguments.direction == "write":
        write(arguments.model, arguments.folder, arguments.type)
    else:
        read(arguments.model, arguments.folder)


if __name__ == "__main__":
    main()
