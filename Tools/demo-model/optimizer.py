"""Muon for the matrices inside the network, AdamW for everything else.

Muon (Jordan et al., 2024) replaces the momentum of a matrix by the nearest orthogonal one, found by five Newton-Schulz
steps in bf16; it learns to look things up in far fewer steps than AdamW alone. Matrices that are stored as one but act
as several (query, key and value; gate and up) are treated apart. The update is scaled to the size of AdamW's (root mean
square 0.2, Liu et al., 2025), so both share one learning rate.
"""

import torch


def orthogonal(matrices, steps=5):
    """The nearly orthogonal factor of each matrix [N, rows, columns]; singular values end in 0.7...1.2."""
    x = matrices.bfloat16()
    tall = x.shape[1] > x.shape[2]
    x = x.transpose(1, 2) if tall else x
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(steps):
        square = x @ x.transpose(1, 2)
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return (x.transpose(1, 2) if tall else x).to(matrices.dtype)


class Muon(torch.optim.Optimizer):
    """`parts` maps a parameter to the row counts of the matrices it holds; without an entry it is one matrix."""

    def __init__(self, parameters, rate, parts, momentum=0.95, decay=0.01):
        super().__init__(parameters, {"lr": rate, "momentum": momentum, "weight_decay": decay})
        self.parts = parts

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            by_shape = {}
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if not state:
                    state["momentum"] = torch.zeros_like(p)
                state["momentum"].lerp_(p.grad, 1 - group["momentum"])
                direction = p.grad.lerp(state["momentum"], group["momentum"]).flatten(1)
                p.mul_(1 - group["lr"] * group["weight_decay"])
                rows = p.view_as(direction)
                for part, target in zip(direction.split(self.parts.get(p, [len(p)])),
                                        rows.split(self.parts.get(p, [len(p)]))):
                    by_shape.setdefault(part.shape, []).append((part, target))
            for shape, pairs in by_shape.items():
                scale = 0.2 * max(shape) ** 0.5
                for update, (_, target) in zip(orthogonal(torch.stack([part for part, _ in pairs])), pairs):
                    target.sub_(update, alpha=group["lr"] * scale)


def inner_matrices(model):
    """The matrices between embeddings and output layer, and the row counts of the joined ones."""
    config, chosen, parts = model.config, {}, {}
    heads, groups, size = config["num_attention_heads"], config["multi_query_group_num"], config["kv_channels"]
    for name, p in model.named_parameters():
        if p.dim() < 2 or "embedding" in name or "output_layer" in name or name.endswith(("boi", "eoi")):
            continue
        chosen[name] = p
        if name.endswith("self_attention.query_key_value.weight"):
            parts[p] = [heads * size, groups * size, groups * size]
        elif name.endswith("attention.query_key_value.weight"):
            parts[p] = [len(p) // 3] * 3
        elif "encoder" in name and name.endswith("dense_h_to_4h.weight"):
            parts[p] = [len(p) // 2] * 2
    return chosen, parts


class Optimizer:
    """Both optimizers over one module that contains `model`; frozen parameters are left out."""

    def __init__(self, module, model, rate, decay=0.02):
        chosen, parts = inner_matrices(model)
        inner = [p for p in chosen.values() if p.requires_grad]
        known = set(inner)
        other = [p for p in module.parameters() if p.requires_grad and p not in known]
        self.both = [Muon(inner, rate, parts, decay=decay),
                     torch.optim.AdamW([{"params": [p for p in other if p.dim() >= 2], "weight_decay": decay},
                                        {"params": [p for p in other if p.dim() < 2], "weight_decay": 0.0}],
                                       lr=rate, betas=(0.9, 0.98), fused=True)]

    def set_rate(self, rate):
        for optimizer in self.both:
            for group in optimizer.param_groups:
                group["lr"] = rate

    def zero_grad(self):
        for optimizer in self.both:
            optimizer.zero_grad(set_to_none=True)

    def step(self):
        for optimizer in self.both:
            optimizer.step()

    def state_dict(self):
        return [optimizer.state_dict() for optimizer in self.both]

    def load_state_dict(self, states):
        for optimizer, state in zip(self.both, states):
            optimizer.load_state_dict(state)
