"""The loss of the answers, shared by all training steps."""

import torch
import torch.nn.functional as F


def answer_loss(model, opening, rows, texts, real):
    """Weighted cross-entropy of packed turns (see `Packer`).

    rows [B, R + 2, D]; texts [B, 5, budget]; real [B] tells which samples have a picture; opening [1, 4].
    """
    ids, targets, positions, segments, weights = texts.long().unbind(1)
    b, image = ids.shape[0], rows.shape[1]
    words = model.embed(torch.cat([opening.expand(b, -1), ids], 1))
    x = torch.cat([words[:, :4], rows.to(words.dtype), words[:, 4:]], 1)
    places = [0, 1, 2, 3, 4] + [5] * (image - 2) + [6]
    head = torch.tensor(places, device=ids.device).expand(b, -1)
    everything = torch.cat([head, positions], 1)
    length = x.shape[1]
    part = F.pad(segments, (4 + image, 0))
    index = torch.arange(length, device=ids.device)
    usable = (index < 4)[None] | (index >= 4 + image)[None] | real[:, None]
    shared = (index < 4 + image)[None, None]
    mask = (index[None, :] <= index[:, None])[None] & (shared | (part[:, None, :] == part[:, :, None]))
    mask = mask & usable[:, None, :] | torch.eye(length, dtype=torch.bool, device=ids.device)
    bias = torch.zeros(mask.shape, dtype=x.dtype, device=ids.device).masked_fill(~mask, -1e4)
    if torch.is_autocast_enabled(x.device.type):
        bias = bias.to(torch.get_autocast_dtype(x.device.type))
    hidden = model.decode(x, everything, bias[:, None])[:, 4 + image:]
    keep = targets >= 0
    losses = F.cross_entropy(model.logits(hidden[keep]).float(), targets[keep], reduction="none")
    share = weights[keep].float()
    return (losses * share).sum() / share.sum()
