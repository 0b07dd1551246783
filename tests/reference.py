"""The float64 oracle: what every op, optimizer, loss and metric must compute, in plain NumPy.

An op's forward is `op(*inputs_and_variables, **attrs)` and its gradient `op_gradient(upstream, *same, **attrs)`,
a list with one entry per input and variable (None where no gradient flows). Formulas are Keras 3's; they are
written here from the definitions, not from the engine. `precision` is the dtype of the engine's arithmetic where
that changes the definition itself (a clip at 1 - 1e-7 is another number in float32).
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from reference_elementwise import *  # noqa: F403  # the harness finds every op's oracle here

SELU_ALPHA = 1.6732632423543772848170429916717
SELU_SCALE = 1.0507009873554804934193349852946
EPSILON = 1e-7


# --- dense, matmul ------------------------------------------------------------------------------------------------
def matmul(x, w):
    return x @ w


def matmul_gradient(dy, x, w):
    rows, dz = x.reshape(-1, x.shape[-1]), dy.reshape(-1, dy.shape[-1])
    return [dy @ w.T, rows.T @ dz]


def dense(x, w, b=None, activation="identity", alpha=0.0):
    z = x @ w if b is None else x @ w + b
    return _activate(activation, z, alpha)


def dense_gradient(dy, x, w, b=None, activation="identity", alpha=0.0):
    z = x @ w if b is None else x @ w + b
    dz = dy * _slope(activation, z, alpha)
    gradients = matmul_gradient(dz, x, w)
    return gradients if b is None else [*gradients, dz.reshape(-1, dz.shape[-1]).sum(0)]


# --- activation ---------------------------------------------------------------------------------------------------
def _sigmoid(x):
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + e), e / (1 + e))


def _softplus(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def _elu(x, alpha):
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def _elu_slope(x, alpha):
    return np.where(x > 0, 1.0, alpha * np.exp(np.minimum(x, 0)))


ACTIVATIONS = {  # name: (function, derivative), both of (x, alpha)
    "identity": (lambda x, a: x, lambda x, a: np.ones_like(x)),
    "relu": (lambda x, a: np.where(x < 0, 0.0, x), lambda x, a: (x > 0).astype(float)),
    "leaky_relu": (lambda x, a: np.where(x >= 0, x, a * x), lambda x, a: np.where(x >= 0, 1.0, a)),
    "elu": (_elu, _elu_slope),
    "selu": (
        lambda x, a: SELU_SCALE * _elu(x, SELU_ALPHA),
        lambda x, a: SELU_SCALE * _elu_slope(x, SELU_ALPHA),
    ),
    "sigmoid": (lambda x, a: _sigmoid(x), lambda x, a: _sigmoid(x) * _sigmoid(-x)),
    "tanh": (lambda x, a: np.tanh(x), lambda x, a: 1 / np.cosh(np.clip(x, -350, 350)) ** 2),
    "softplus": (lambda x, a: _softplus(x), lambda x, a: _sigmoid(x)),
}


def _activate(kind, x, alpha):
    return ACTIVATIONS[kind][0](x, alpha)


def _slope(kind, x, alpha):
    return ACTIVATIONS[kind][1](x, alpha)


def activation(x, kind, alpha=0.0):
    return _activate(kind, x, alpha)


def activation_gradient(dy, x, kind, alpha=0.0):
    return [dy * _slope(kind, x, alpha)]


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def softmax_gradient(dy, x):
    y = softmax(x)
    return [y * (dy - (dy * y).sum(-1, keepdims=True))]


# --- batch_norm ---------------------------------------------------------------------------------------------------
def _norm_parts(args, center, scale, axis, ndim):
    """x-shaped views of gamma and beta (None where absent), the moving statistics, and the axes reduced over."""
    args = list(args)
    view = [1] * ndim
    view[axis] = -1
    gamma = args.pop(0).reshape(view) if scale else 1.0
    beta = args.pop(0).reshape(view) if center else 0.0
    mean, var = args
    over = tuple(i for i in range(ndim) if i != axis % ndim)
    return gamma, beta, mean.reshape(view), var.reshape(view), over


def _statistics(x, mean, var, over, training):
    if not training:
        return mean, var
    mean = x.mean(over, keepdims=True)
    return mean, ((x - mean) ** 2).mean(over, keepdims=True)


def batch_norm(x, *args, activation="identity", alpha=0.0, **attrs):
    return _activate(activation, _normalised(x, *args, **attrs), alpha)


def _normalised(x, *args, axis=-1, momentum=0.99, epsilon=1e-3, center=True, scale=True, training=False):
    gamma, beta, mean, var, over = _norm_parts(args, center, scale, axis, x.ndim)
    mean, var = _statistics(x, mean, var, over, training)
    return (x - mean) / np.sqrt(var + epsilon) * gamma + beta


def batch_norm_moving(x, *args, axis=-1, momentum=0.99, epsilon=1e-3, center=True, scale=True, training=False):
    """Moving mean and variance after the batch; the variance averaged in is the biased one."""
    _, _, mean, var, over = _norm_parts(args, center, scale, axis, x.ndim)
    batch_mean, batch_var = _statistics(x, mean, var, over, training)
    pairs = ((mean, batch_mean), (var, batch_var))
    return [(old * momentum + new * (1 - momentum)).ravel() for old, new in pairs]


def batch_norm_gradient(dy, x, *args, activation="identity", alpha=0.0, **attrs):
    return _normalised_gradient(dy * _slope(activation, _normalised(x, *args, **attrs), alpha), x, *args, **attrs)


def _normalised_gradient(dy, x, *args, axis=-1, momentum=0.99, epsilon=1e-3, center=True, scale=True, training=False):
    gamma, _, mean, var, over = _norm_parts(args, center, scale, axis, x.ndim)
    mean, var = _statistics(x, mean, var, over, training)
    inverse = 1 / np.sqrt(var + epsilon)
    normal = (x - mean) * inverse
    dx = dy * gamma * inverse
    if training:
        centred = dy - dy.mean(over, keepdims=True) - normal * (dy * normal).mean(over, keepdims=True)
        dx = gamma * inverse * centred
    dgamma = [(dy * normal).sum(over)] if scale else []
    dbeta = [dy.sum(over)] if center else []
    return [dx, *dgamma, *dbeta, None, None]


# --- map, merge, reduce, reshape, gather --------------------------------------------------------------------------
def affine(x, scale=1.0, offset=0.0):
    return x * scale + offset


def affine_gradient(dy, x, scale=1.0, offset=0.0):
    return [dy * scale]


def standardize(x, mean, var, epsilon=EPSILON, invert=False):
    deviation = np.maximum(np.sqrt(var), epsilon)
    return x * deviation + mean if invert else (x - mean) / deviation


def standardize_gradient(dy, x, mean, var, epsilon=EPSILON, invert=False):
    deviation = np.maximum(np.sqrt(var), epsilon)
    return [dy * deviation if invert else dy / deviation, None, None]


def add(*xs):
    return sum(xs[1:], xs[0])


def add_gradient(dy, *xs):
    return [dy for _ in xs]


def concatenate(*xs, axis=-1):
    return np.concatenate(xs, axis)


def concatenate_gradient(dy, *xs, axis=-1):
    return np.split(dy, np.cumsum([x.shape[axis] for x in xs])[:-1], axis)


def reshape(x, shape):
    return x.reshape(len(x), *shape)


def reshape_gradient(dy, x, shape):
    return [dy.reshape(x.shape)]


_REDUCTIONS = {"sum": np.sum, "mean": np.mean, "max": np.max, "min": np.min}


def reduce(x, kind, axis, keepdims=False):
    return _REDUCTIONS[kind](x, axis, keepdims=keepdims)


def reduce_gradient(dy, x, kind, axis, keepdims=False):
    dy = dy if keepdims else np.expand_dims(dy, axis)
    if kind in ("sum", "mean"):
        return [np.broadcast_to(dy, x.shape) / (x.shape[axis] if kind == "mean" else 1)]
    winner = x == reduce(x, kind, axis, True)  # ties share the gradient, as in JAX
    return [dy * winner / winner.sum(axis, keepdims=True)]


def one_hot(x, num_tokens, mode="multi_hot"):
    """Codes outside 0 .. num_tokens - 1 set nothing."""
    table = np.vstack([np.eye(num_tokens), np.zeros(num_tokens)])
    x = np.where((x >= 0) & (x < num_tokens), x, num_tokens)
    if mode == "one_hot":
        return table[x[..., 0] if x.ndim > 1 and x.shape[-1] == 1 else x]
    counts = table[x if x.ndim > 1 else x[:, None]].sum(-2)
    return counts if mode == "count" else np.minimum(counts, 1)


# --- losses and metrics -------------------------------------------------------------------------------------------
def _clip_bounds(precision):
    return float(np.dtype(precision).type(EPSILON)), float(np.dtype(precision).type(1 - EPSILON))


def _clip(p, precision):
    low, high = _clip_bounds(precision)
    return np.clip(p, low, high), (p > low) & (p < high)


def _hot(y, classes):
    return np.eye(classes)[np.asarray(y).astype(int).reshape(-1)]


def _categorical(p, y, from_logits, precision):
    """Per-row -sum y log q and its gradient; q is softmax(p), or p normalised and clipped."""
    if from_logits:
        shifted = p - p.max(-1, keepdims=True)
        log_q = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
        return -(y * log_q).sum(-1), np.exp(log_q) * y.sum(-1, keepdims=True) - y
    total = p.sum(-1, keepdims=True)
    q, inside = _clip(p / total, precision)
    dq = -y / q * inside
    return -(y * np.log(q)).sum(-1), (dq - (dq * p / total).sum(-1, keepdims=True)) / total


def _binary(p, y, from_logits, precision):
    if from_logits:
        return np.maximum(p, 0) - p * y + np.log1p(np.exp(-np.abs(p))), _sigmoid(p) - y
    q, inside = _clip(p, precision)
    return -y * np.log(q) - (1 - y) * np.log(1 - q), (-y / q + (1 - y) / (1 - q)) * inside


def _smooth(y, label_smoothing, classes):
    return y * (1 - label_smoothing) + label_smoothing / classes


def sample_losses(kind, p, y, from_logits=False, label_smoothing=0.0, precision="float64"):
    """A value for each vector on the last axis, shape p.shape[:-1], and its gradient with respect to p."""
    classes = p.shape[-1]
    if kind == "sparse_categorical_crossentropy":
        return _categorical(p, _hot(y, classes).reshape(p.shape), from_logits, precision)
    if kind == "categorical_crossentropy":
        return _categorical(p, _smooth(y, label_smoothing, classes), from_logits, precision)
    if kind == "linear":
        return (p * y).sum(-1), y
    if kind == "value":
        return p.mean(-1), np.ones_like(p) / classes
    if kind == "binary_crossentropy":
        value, gradient = _binary(p, _smooth(y, label_smoothing, 2), from_logits, precision)
    elif kind == "mean_squared_error":
        value, gradient = (p - y) ** 2, 2 * (p - y)
    else:
        value, gradient = np.abs(p - y), np.sign(p - y)
    return value.mean(-1), gradient / classes


def _row_weights(sample_weight, array):
    """Weights of rows, in a shape that broadcasts over `array`."""
    w = np.ones(len(array)) if sample_weight is None else np.asarray(sample_weight, float)
    return w.reshape(-1, *[1] * (array.ndim - 1))


def loss(p, y, sample_weight=None, kind="", weight=1.0, reduction="sum_over_batch_size", **options):
    """Value of the batch (without `weight`, which scales only the gradient): the mean counts values, not weights."""
    values, _ = sample_losses(kind, p, y, **options)
    total = (_row_weights(sample_weight, values) * values).sum()
    return total / (1 if reduction == "sum" else values.size)


def loss_gradient(p, y, sample_weight=None, kind="", weight=1.0, reduction="sum_over_batch_size", **options):
    values, gradient = sample_losses(kind, p, y, **options)
    gradient = weight * _row_weights(sample_weight, p) * gradient
    return gradient / (1 if reduction == "sum" else values.size)


def metric(p, y, sample_weight=None, kind="", threshold=0.5, **options):
    """(total, count): weighted sum of the rows' values, and the sum of their weights."""
    if kind == "binary_accuracy":
        values = ((p > threshold) == y).mean(-1)
    elif kind == "categorical_accuracy":
        values = (p.argmax(-1) == y.argmax(-1)).astype(float)
    elif kind == "sparse_categorical_accuracy":
        values = (p.argmax(-1) == np.asarray(y).reshape(p.shape[:-1])).astype(float)
    else:
        values, _ = sample_losses(kind, p, y, **options)
    values = values.reshape(len(p), -1).mean(1)
    w = _row_weights(sample_weight, values)
    return (w * values).sum(), w.sum()


# --- optimizers: one step in place, on float64 arrays -------------------------------------------------------------
class Optimizer:
    """`spec` is what Trainer.set_optimizer takes; slots appear at the first step."""

    def __init__(self, kind, momentum=0.9, beta_1=0.9, beta_2=0.999, rho=0.9, epsilon=EPSILON):
        self.kind, self.momentum, self.rho = kind, momentum, rho
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon
        self.m = self.v = self.a = 0.0
        self.iterations = 0

    def step(self, w, g, rate):
        self.iterations += 1
        if self.kind == "sgd":
            return w - rate * g
        if self.kind == "adam":
            return self._adam(w, g, rate)
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

    def _rmsprop(self, w, g, rate):
        self.v = self.rho * self.v + (1 - self.rho) * g * g
        self.a = self.rho * self.a + (1 - self.rho) * g
        variance = self.v - self.a**2 if "centered" in self.kind else self.v
        update = rate * g / np.sqrt(variance + self.epsilon)
        self.m = self.momentum * self.m + update
        return w - (self.m if "momentum" in self.kind else update)


# --- random numbers -----------------------------------------------------------------------------------------------
DROPOUT, INITIAL_VALUES, SHUFFLE, NOISE = range(4)  # purposes
_MASK = 0xFFFFFFFF


def philox(counter, key):
    """Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011), on arrays of words."""
    c = [np.asarray(word, np.uint64) for word in counter]
    k0, k1 = (int(word) for word in key)
    for _ in range(10):
        product0, product1 = c[0] * np.uint64(0xD2511F53), c[2] * np.uint64(0xCD9E8D57)
        high0, low0 = product0 >> np.uint64(32), product0 & np.uint64(_MASK)
        high1, low1 = product1 >> np.uint64(32), product1 & np.uint64(_MASK)
        c = [high1 ^ c[1] ^ np.uint64(k0), low1, high0 ^ c[3] ^ np.uint64(k1), low0]
        k0, k1 = (k0 + 0x9E3779B9) & _MASK, (k1 + 0xBB67AE85) & _MASK
    return [word.astype(np.uint32) for word in c]


def random_words(rows, columns, *, seed, stream, step, purpose):
    """The 32-bit word of every element: blocks of 64 columns, counter 16 a block, one output word a quarter."""
    column, row = np.arange(columns, dtype=np.uint64), np.arange(rows, dtype=np.uint64)[:, None]
    element = column % np.uint64(64)
    group = column // np.uint64(64) * np.uint64(16) + element % np.uint64(16)
    shape = (rows, columns)
    counter = [
        np.broadcast_to(group, shape),
        np.broadcast_to(row, shape),
        np.full(shape, step & _MASK, np.uint64),
        np.full(shape, stream * 8 + purpose, np.uint64),
    ]
    words = philox(counter, (seed & _MASK, (seed >> 32) ^ (step >> 32)))
    return np.choose((element // np.uint64(16)).astype(np.intp), words)


_quantile = np.vectorize(NormalDist().inv_cdf, otypes=[float])


def distribute(words, kind, a, b):
    """Random words as numbers: one word each, through the inverse of the distribution."""
    if kind == "uniform":
        return a + (b - a) * (words * 2.0**-32)
    low = NormalDist().cdf(-2) if kind == "truncated_normal" else 0.0
    return a + b * _quantile(low + (1 - 2 * low) * (words + 0.5) * 2.0**-32)


def dropout_mask(shape, rate, *, seed=0, stream=0, step=0):
    """True where an element is kept."""
    rows, columns = shape[0], int(np.prod(shape[1:]))
    words = random_words(rows, columns, seed=seed, stream=stream, step=step, purpose=DROPOUT)
    return (words >= rate * 2.0**32).reshape(shape)


def dropout(x, rate, stream=0, *, seed=0, step=0):
    if rate >= 1:
        return np.zeros_like(x)
    return np.where(dropout_mask(x.shape, rate, seed=seed, stream=stream, step=step), x / (1 - rate), 0.0)


def dropout_gradient(dy, x, rate, stream=0, *, seed=0, step=0):
    return [dropout(dy, rate, stream, seed=seed, step=step)]
