"""The oracle of the update rules, in plain NumPy (`reference.py` says how)."""

from __future__ import annotations

import math

import numpy as np

EPSILON = 1e-7


def clipped(g, others, clipvalue, clipnorm, global_clipnorm):
    if clipvalue:
        return np.clip(g, -clipvalue, clipvalue)
    norm, limit = np.sqrt(np.sum(g * g)), clipnorm
    if global_clipnorm:
        norm, limit = np.sqrt(sum(np.sum(each * each) for each in (g, *others))), global_clipnorm
    return g * (limit / norm) if limit and norm > limit else g


class Optimizer:
    """`spec` is what Trainer.set_optimizer takes; slots appear at the first step."""

    def __init__(
        self, kind, momentum=0.9, beta_1=0.9, beta_2=0.999, rho=0.9, epsilon=EPSILON, weight_decay=0.0,
        initial_accumulator_value=0.1, clipvalue=0.0, clipnorm=0.0, global_clipnorm=0.0,
        ema_momentum=None, ema_overwrite_frequency=0, gradient_accumulation_steps=1,
        keep_zeros=False, **ftrl,
    ):  # fmt: skip
        self.kind, self.momentum, self.rho = kind, momentum, rho
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon
        self.weight_decay, self.ftrl = weight_decay, ftrl
        self.clips = clipvalue, clipnorm, global_clipnorm
        self.average, self.ema, self.overwrite = None, ema_momentum, ema_overwrite_frequency
        self.accumulation, self.pending = gradient_accumulation_steps, []
        self.keep_zeros = keep_zeros
        self.m = self.v = self.a = self.most = 0.0
        self.sum = initial_accumulator_value
        self.product = 1.0
        self.iterations = 0

    def step(self, w, g, rate, others=()):
        """`others`: the gradients of all other variables."""
        self.pending.append((g, *others))
        if len(self.pending) < self.accumulation:
            return w
        g, *others = (np.mean(each, axis=0) for each in zip(*self.pending, strict=True))
        self.pending = []
        self.iterations += 1
        kept = ~(self.keep_zeros & (w == 0))
        with np.errstate(invalid="ignore" if self.keep_zeros else "warn"):  # 0 / 0 where epsilon is 0
            w = np.where(kept, self._updated(w, clipped(kept * g, others, *self.clips), rate), 0)
        if self.ema is not None:
            first = self.iterations == 1
            self.average = w if first else kept * (self.ema * self.average + (1 - self.ema) * w)
            if self.overwrite and self.iterations % self.overwrite == 0:
                w = self.average
        return w

    def _updated(self, w, g, rate):
        if self.kind.startswith("muon"):
            return self._muon(w, g, rate)
        w = w - rate * self.weight_decay * w
        if rule := getattr(self, f"_{self.kind}", None):
            return rule(w, g, rate)
        if self.kind == "sgd":
            return w - rate * g
        if self.kind.startswith("rmsprop"):
            return self._rmsprop(w, g, rate)
        self.m = self.momentum * self.m - rate * g
        return w + (self.m if self.kind == "momentum" else self.momentum * self.m - rate * g)

    def _adam(self, w, g, rate):
        self.m = self.m + (1 - self.beta_1) * (g - self.m)
        self.v = self.v + (1 - self.beta_2) * (g * g - self.v)
        t = self.iterations
        alpha = rate * math.sqrt(1 - self.beta_2**t) / (1 - self.beta_1**t)
        return w - alpha * self.m / (np.sqrt(self.v) + self.epsilon)

    def _moments(self, g):
        self.m = self.beta_1 * self.m + (1 - self.beta_1) * g
        self.v = self.beta_2 * self.v + (1 - self.beta_2) * g * g

    def _amsgrad(self, w, g, rate):
        self._moments(g)
        self.most = np.maximum(self.most, self.v)
        t = self.iterations
        alpha = rate * math.sqrt(1 - self.beta_2**t) / (1 - self.beta_1**t)
        return w - alpha * self.m / (np.sqrt(self.most) + self.epsilon)

    def _adamax(self, w, g, rate):
        self.m = self.beta_1 * self.m + (1 - self.beta_1) * g
        self.most = np.maximum(self.beta_2 * self.most, np.abs(g))
        return w - rate / (1 - self.beta_1**self.iterations) * self.m / (self.most + self.epsilon)

    def _nadam(self, w, g, rate):
        self._moments(g)
        t = self.iterations
        now, coming = (self.beta_1 * (1 - 0.5 * 0.96**k) for k in (t, t + 1))
        self.product *= now
        m = coming * self.m / (1 - self.product * coming) + (1 - now) * g / (1 - self.product)
        return w - rate * m / (np.sqrt(self.v / (1 - self.beta_2**t)) + self.epsilon)

    def _adagrad(self, w, g, rate):
        self.sum = self.sum + g * g
        return w - rate * g / np.sqrt(self.sum + self.epsilon)

    def _adadelta(self, w, g, rate):
        self.v = self.rho * self.v + (1 - self.rho) * g * g
        step = np.sqrt(self.a + self.epsilon) / np.sqrt(self.v + self.epsilon) * g
        self.a = self.rho * self.a + (1 - self.rho) * step**2
        return w - rate * step

    def _schedule_free_adamw(self, w, g, rate):
        t, warmup = self.iterations, self.ftrl.get("warmup_steps", 0)
        rate = rate * min(t / warmup, 1.0) if warmup else rate
        self.z = w if t == 1 else self.z
        x = (w - (1 - self.beta_1) * self.z) / self.beta_1
        self.v = self.beta_2 * self.v + (1 - self.beta_2) * g * g
        self.z = self.z - rate * g / (np.sqrt(self.v / (1 - self.beta_2**t)) + self.epsilon)
        x = (1 - 1 / t) * x + self.z / t
        return (1 - self.beta_1) * self.z + self.beta_1 * x

    def _lion(self, w, g, rate):
        step = np.sign(self.beta_1 * self.m + (1 - self.beta_1) * g)
        self.m = self.beta_2 * self.m + (1 - self.beta_2) * g
        return w - rate * step

    def _lamb(self, w, g, rate):
        self._moments(g)
        t = self.iterations
        u = self.m / (1 - self.beta_1**t) / (np.sqrt(self.v / (1 - self.beta_2**t)) + self.epsilon)
        norms = np.sqrt(np.sum(w * w)), np.sqrt(np.sum(u * u))
        return w - rate * (norms[0] / norms[1] if min(norms) > 0 else 1.0) * u

    def _muon(self, w, g, rate):
        """A matrix; anything else is adam's."""
        get = self.ftrl.get
        if np.ndim(w) != 2:
            return self._adam(w * (1 - rate * get("adam_weight_decay", 0.004)), g, rate * get("adam_lr_ratio", 1.0))
        w = w - rate * self.weight_decay * w
        self.m = self.momentum * self.m + g
        x = g + self.momentum * self.m if "nesterov" in self.kind else self.m
        across = len(x) > len(x.T)
        x = (x.T if across else x) / (np.sqrt(np.sum(x * x)) + 1e-7)
        a, b, c = get("muon_a", 3.4445), get("muon_b", -4.775), get("muon_c", 2.0315)
        for _ in range(get("ns_steps", 0)):
            products = x @ x.T
            x = a * x + (b * products + c * products @ products) @ x
        length = get("rms_rate", 0.2)
        return w - rate * (x.T if across else x) * (length * math.sqrt(max(w.shape)) if length else 1.0)

    def _ftrl(self, w, g, rate):
        power, l1, l2, shrinkage, beta = (
            self.ftrl.get(name, default)
            for name, default in (("learning_rate_power", -0.5), ("l1", 0), ("l2", 0), ("l2_shrinkage", 0), ("beta", 0))
        )
        before = self.sum**-power
        self.sum = self.sum + g * g
        now = self.sum**-power
        self.m = self.m + g + 2 * shrinkage * w - (now - before) / rate * w
        return (np.clip(self.m, -l1, l1) - self.m) / (now / rate + 2 * (l2 + beta / (2 * rate)))

    def _rmsprop(self, w, g, rate):
        self.v = self.rho * self.v + (1 - self.rho) * g * g
        self.a = self.rho * self.a + (1 - self.rho) * g
        variance = self.v - self.a**2 if "centered" in self.kind else self.v
        update = rate * g / np.sqrt(variance + self.epsilon)
        self.m = self.momentum * self.m + update
        return w - (self.m if "momentum" in self.kind else update)
