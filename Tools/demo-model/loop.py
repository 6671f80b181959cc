"""What all training steps share: a run that stops after its minutes and continues when it is started again.

The learning rate and every other schedule follow `Run.share`, the time spent over `--total-minutes`; so a restart may
change the plan. The state folder holds `state.pt` and `export`, a complete checkpoint folder of the averaged weights.
"""

import time
from pathlib import Path

import torch

from folder import save_folder, save_state
from model import GLM4V
from optimizer import Optimizer


def add_options(parser, batch, rate):
    """The options of every training script."""
    parser.add_argument("--state", type=Path, required=True, help="folder of the run; continued when it has a state")
    parser.add_argument("--minutes", type=float, default=90, help="how long to train before stopping")
    parser.add_argument("--total-minutes", type=float, help="length of the whole run, all restarts together; --minutes")
    parser.add_argument("--batch", type=int, default=batch)
    parser.add_argument("--rate", type=float, default=rate)
    parser.add_argument("--budget", type=int, default=144, help="text tokens to a picture")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--keep", type=float, default=0.998, help="share of the average that a step keeps")
    parser.add_argument("--every", type=float, default=5, help="minutes between saves")
    parser.add_argument("--bench", type=int, default=0, help="time this many steps and stop")


class Run:
    """One training run: `module` is what is trained, `model` the GLM4V inside it that is shipped."""

    def __init__(self, options, module, model, tokenizer):
        options.state.mkdir(parents=True, exist_ok=True)
        self.options, self.module, self.model, self.tokenizer = options, module, model, tokenizer
        self.path = options.state / "state.pt"
        self.optimizer = Optimizer(module, model, options.rate)
        self.step, self.spent, self.saved_at = 0, 0.0, time.time()
        self.average = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
        if self.path.exists() and not options.bench:
            self.resume()

    @property
    def device(self):
        return next(self.module.parameters()).device

    @property
    def share(self):
        """How much of the planned time is spent, 0...1."""
        return min(self.spent / 60 / (self.options.total_minutes or self.options.minutes), 1)

    def resume(self):
        state = torch.load(self.path, map_location=self.device, weights_only=False)
        self.module.load_state_dict(state["module"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.average, self.step, self.spent = state["average"], state["step"], state["spent"]
        print(f"continuing at step {self.step} after {self.spent / 60:.1f} minutes", flush=True)

    def batches(self, batches):
        """The batches until the time is over, each moved to the device."""
        begin, before = time.time(), self.spent
        for batch in batches:
            self.spent = before + time.time() - begin
            yield [part.to(self.device, non_blocking=True) for part in batch]
            if self.options.bench:
                if self.step >= self.options.bench:
                    return
                continue
            over = self.spent - before > self.options.minutes * 60
            if over or time.time() - self.saved_at > self.options.every * 60:
                self.save()
            if over:
                return

    def update(self, loss):
        """One step of the optimizers; returns the norm of the gradient."""
        self.optimizer.set_rate(self.options.rate * min((self.step + 1) / 100, 1) * max(1 - self.share, 0.01))
        self.optimizer.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_([p for p in self.module.parameters() if p.requires_grad], 1.0)
        if torch.isfinite(norm):
            self.optimizer.step()
        self.step += 1
        keep = min(self.options.keep, (self.step + 1) / (self.step + 20))
        with torch.no_grad():
            now = self.model.state_dict()
            torch._foreach_lerp_(list(self.average.values()), [now[name] for name in self.average], 1 - keep)
        return norm

    def save(self):
        save_state(self.path, module=self.module.state_dict(), optimizer=self.optimizer.state_dict(),
                   average=self.average, step=self.step, spent=self.spent)
        shipped = GLM4V(self.model.config)
        shipped.load_state_dict(self.average)
        save_folder(shipped, self.tokenizer, self.options.state / "export")
        self.saved_at = time.time()


class Log:
    """Averages figures and prints a line each `every` steps."""

    def __init__(self, run, every=50):
        self.run, self.every, self.sums, self.counts = run, every, {}, {}
        self.steps, self.since = 0, time.time()

    def add(self, **figures):
        self.steps += 1
        for name, value in figures.items():
            self.sums[name] = self.sums.get(name, 0.0) + float(value.detach())
            self.counts[name] = self.counts.get(name, 0) + 1
        if self.run.step % self.every:
            return
        text = " ".join(f"{name} {value / self.counts[name]:.4f}" for name, value in self.sums.items())
        speed = self.steps * self.run.options.batch / (time.time() - self.since)
        print(f"{time.strftime('%H:%M:%S')} step {self.run.step} minutes {self.run.spent / 60:.1f} {text} "
              f"pictures/s {speed:.1f}", flush=True)
        self.sums, self.counts, self.steps, self.since = {}, {}, 0, time.time()
