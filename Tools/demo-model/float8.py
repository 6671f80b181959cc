"""fp8 weights, and fp8 rows as cards from compute capability 8.9 on make them, in PyTorch: what they cost.

Weights are e4m3fn with a scale per output, the largest magnitude 448. Rows likewise, where a call has more than 16 of
them; fewer stay bfloat16, and so do those of the output layer, which reads the last row of each sequence only.
"""

import torch
import torch.nn as nn
import torch.nn.functional as F

FEW_ROWS = 16


def rounded(x):
    """Each row through e4m3fn and back."""
    largest = x.float().abs().amax(-1, keepdim=True).clamp_min(2.0 ** -100)
    codes = (x.float() * (448 / largest)).clamp(-448, 448).to(torch.float8_e4m3fn)
    return codes.float() * (largest / 448)


def bf16(x):
    return None if x is None else x.to(torch.bfloat16).float()


class Float8Linear(nn.Module):
    """A linear layer with fp8 weights between bfloat16 activations; `rounds_rows`: many rows are fp8, too."""

    def __init__(self, linear, rounds_rows):
        super().__init__()
        self.weight = nn.Parameter(rounded(linear.weight.detach()), requires_grad=False)
        self.bias = None if linear.bias is None else nn.Parameter(bf16(linear.bias.detach()), requires_grad=False)
        self.rounds_rows = rounds_rows

    def forward(self, x):
        x = bf16(x)
        if self.rounds_rows and x.dim() == 3 and x.shape[1] > FEW_ROWS:
            x = rounded(x)
        return bf16(F.linear(x, self.weight, self.bias))


def quantize(model, rounds_rows):
    """Replaces every linear layer of a model."""
    for name, layer in list(model.named_children()):
        if isinstance(layer, nn.Linear):
            setattr(model, name, Float8Linear(layer, rounds_rows and name != "output_layer"))
        else:
            quantize(layer, rounds_rows)
