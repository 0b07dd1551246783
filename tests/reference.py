"""The float64 oracle: what every op, optimizer, loss and metric must compute, in plain NumPy.

An op's forward is `op(*inputs_and_variables, **attrs)` and its gradient `op_gradient(upstream, *same, **attrs)`, a list
with one entry per input and variable (None where no gradient flows). Formulas are Keras 3's definitions. `precision`
is the dtype of the engine's arithmetic where that changes the definition (a clip at 1 - 1e-7 is another in float32).
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from activation_functions import ACTIVATIONS, PARAMETERS, SELU_ALPHA, SELU_SCALE, sigmoid
from reference_augment import *  # noqa: F403  # of images
from reference_chain import *  # noqa: F403
from reference_elementwise import *  # noqa: F403  # the harness finds every op's oracle here
from reference_optimizer import Optimizer as Optimizer
from reference_sparse import *  # noqa: F403

EPSILON = 1e-7


# --- dense, matmul ------------------------------------------------------------------------------------------------
def matmul(x, w, transposed=False):
    return x @ (w.T if transposed else w)


def matmul_gradient(dy, x, w, transposed=False):
    rows, dz = x.reshape(-1, x.shape[-1]), dy.reshape(-1, dy.shape[-1])
    return [dy @ w, dz.T @ rows] if transposed else [dy @ w.T, rows.T @ dz]


def _dropped(w, rate, stream, seed, step):
    """DropConnect: an element's row is that of the kernel."""
    return dropout(w, rate, stream, seed=seed, step=step) if rate else w


def dense(x, w, b=None, activation="identity", alpha=0.0, drop_rate=0.0, stream=0, transposed=False, seed=0, step=0):
    w = _dropped(w, drop_rate, stream, seed, step)
    z = matmul(x, w, transposed) + (0 if b is None else b)
    return _activate(activation, z, alpha)


def dense_gradient(
    dy, x, w, b=None, activation="identity", alpha=0.0, drop_rate=0.0, stream=0, transposed=False, seed=0, step=0
):
    w = _dropped(w, drop_rate, stream, seed, step)
    z = matmul(x, w, transposed) + (0 if b is None else b)
    dz = dy * _slope(activation, z, alpha)
    dx, dw = matmul_gradient(dz, x, w, transposed)
    gradients = [dx, _dropped(dw, drop_rate, stream, seed, step)]
    return gradients if b is None else [*gradients, dz.reshape(-1, dz.shape[-1]).sum(0)]


# --- activation ---------------------------------------------------------------------------------------------------
def _activate(kind, x, *parameters):
    return ACTIVATIONS[kind][0](x, *parameters[: PARAMETERS.get(kind, 1)])


def _slope(kind, x, *parameters):
    return ACTIVATIONS[kind][1](x, *parameters[: PARAMETERS.get(kind, 1)])


def activation(x, kind, alpha=0.0, beta=0.0, gamma=np.inf):
    return _activate(kind, x, alpha, beta, gamma)


def activation_gradient(dy, x, kind, alpha=0.0, beta=0.0, gamma=np.inf):
    return [dy * _slope(kind, x, alpha, beta, gamma)]


def glu(x, kind, alpha=0.0, beta=0.0, gamma=np.inf):
    a, b = np.split(x, 2, -1)
    return a * _activate(kind, b, alpha, beta, gamma)


def glu_gradient(dy, x, kind, alpha=0.0, beta=0.0, gamma=np.inf):
    a, b = np.split(x, 2, -1)
    slope = _slope(kind, b, alpha, beta, gamma)
    return [np.concatenate([dy * _activate(kind, b, alpha, beta, gamma), dy * a * slope], -1)]


def prelu(x, alpha):
    return np.where(x >= 0, x, alpha * x)


def prelu_gradient(dy, x, alpha):
    shared = tuple(i + 1 for i, n in enumerate(alpha.shape) if n == 1)
    dalpha = np.where(x < 0, dy * x, 0.0).sum((0, *shared)).reshape(alpha.shape)
    return [np.where(x >= 0, dy, alpha * dy), dalpha]


def random_slopes(shape, lower, upper, *, seed=0, stream=0, step=0):
    words = random_words(shape[0], int(np.prod(shape[1:])), seed=seed, stream=stream, step=step, purpose=NOISE)
    return (lower + (upper - lower) * words * 2.0**-32).reshape(shape)


def rrelu(x, lower, upper, stream=0, *, seed=0, step=0):
    return np.where(x < 0, random_slopes(x.shape, lower, upper, seed=seed, stream=stream, step=step) * x, x)


def rrelu_gradient(dy, x, lower, upper, stream=0, *, seed=0, step=0):
    return [np.where(x < 0, random_slopes(x.shape, lower, upper, seed=seed, stream=stream, step=step) * dy, dy)]


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def softmax_gradient(dy, x):
    y = softmax(x)
    return [y * (dy - (dy * y).sum(-1, keepdims=True))]


def log_softmax(x):
    shifted = x - x.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def log_softmax_gradient(dy, x):
    return [dy - softmax(x) * dy.sum(-1, keepdims=True)]


def sparsemax(x):
    """By sorting, as Martins and Astudillo (ICML 2016) define it."""
    z = -np.sort(-x, -1)
    k = np.arange(1, x.shape[-1] + 1)
    support = (1 + k * z > z.cumsum(-1)).sum(-1, keepdims=True)
    tau = (np.take_along_axis(z.cumsum(-1), support - 1, -1) - 1) / support
    return np.maximum(x - tau, 0)


def sparsemax_gradient(dy, x):
    inside = sparsemax(x) > 0
    return [inside * (dy - (dy * inside).sum(-1, keepdims=True) / inside.sum(-1, keepdims=True))]


# --- layer_norm ---------------------------------------------------------------------------------------------------
def _layer_norm_parts(x, args, kind, axes, groups, center, scale):
    """x with its groups as rows, gamma and beta that broadcast over it, and the axes of one group."""
    args = list(args)
    if groups is None:
        shape, view, over = x.shape, x.shape[-axes:], tuple(range(x.ndim - axes, x.ndim))
    else:  # (batch, positions, groups, channels of a group)
        shape = (len(x), int(np.prod(x.shape[1:-1])), groups, x.shape[-1] // groups)
        view, over = shape[2:], (1, 3)
    gamma = args.pop(0).reshape(view) if scale else 1.0
    beta = args.pop(0).reshape(view) if center else 0.0
    return x.reshape(shape), gamma, beta, over


def _layer_norm_factor(x, kind, over, epsilon):
    centred = x - x.mean(over, keepdims=True) if kind == "layer" else x
    if kind == "unit":
        with np.errstate(divide="ignore"):
            return centred, np.minimum(1 / np.sqrt((x**2).sum(over, keepdims=True)), 1e12)
    return centred, 1 / np.sqrt((centred**2).mean(over, keepdims=True) + epsilon)


def layer_norm(x, *args, kind="layer", axes=1, groups=None, epsilon=1e-3, center=True, scale=True):
    rows, gamma, beta, over = _layer_norm_parts(x, args, kind, axes, groups, center, scale)
    centred, factor = _layer_norm_factor(rows, kind, over, epsilon)
    return (centred * factor * gamma + beta).reshape(x.shape)


def layer_norm_gradient(dy, x, *args, kind="layer", axes=1, groups=None, epsilon=1e-3, center=True, scale=True):
    rows, gamma, _, over = _layer_norm_parts(x, args, kind, axes, groups, center, scale)
    centred, factor = _layer_norm_factor(rows, kind, over, epsilon)
    normal, dy = centred * factor, dy.reshape(rows.shape)
    d = dy * gamma
    if kind == "unit":
        dx = factor * (d - normal * np.where(factor < 1e12, (d * normal).sum(over, keepdims=True), 0.0))
    else:
        along = (d * normal).mean(over, keepdims=True)
        dx = factor * (d - normal * along - (d.mean(over, keepdims=True) if kind == "layer" else 0.0))
    rest = (0, 1) if groups is not None else tuple(range(x.ndim - axes))
    dgamma = [(dy * normal).sum(rest).reshape(args[0].shape)] if scale else []
    dbeta = [dy.sum(rest).reshape(args[-1].shape)] if center else []
    return [dx.reshape(x.shape), *dgamma, *dbeta]


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


def embedding(x, w):
    """Codes outside the table give zeros."""
    inside = (x >= 0) & (x < len(w))
    return w[np.where(inside, x, 0)] * inside[..., None]


def embedding_gradient(dy, x, w):
    dw = np.zeros_like(w)
    inside = (x >= 0) & (x < len(w))
    np.add.at(dw, x[inside], dy[inside])
    return [None, dw]


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
        return np.maximum(p, 0) - p * y + np.log1p(np.exp(-np.abs(p))), sigmoid(p) - y
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


def metric_sums(p, y, sample_weight=None, kind="", bins=0):
    """The totals of the rows of a metric of several sums: weighted sums of columns, or hits and misses of bins."""
    w = _row_weights(sample_weight, p)
    p, y = p.reshape(len(p), -1), y.reshape(len(p), -1)
    w = w.reshape(len(p), 1)
    if kind == "sums":
        return (w * p).sum(0)
    counts = [[(w * part * (p == b)).sum() for b in range(bins)] for part in (y, 1 - y)]
    return np.concatenate(counts)


def metric(p, y, sample_weight=None, kind="", threshold=0.5, k=1, **options):
    """(total, count): weighted sum of the rows' values, and the sum of their weights."""
    if kind == "binary_accuracy":
        values = ((p > threshold) == y).mean(-1)
    elif kind == "categorical_accuracy":
        values = (p.argmax(-1) == y.argmax(-1)).astype(float)
    elif kind == "sparse_categorical_accuracy":
        values = (p.argmax(-1) == np.asarray(y).reshape(p.shape[:-1])).astype(float)
    elif kind.endswith("top_k_categorical_accuracy"):
        label = np.asarray(y).reshape(p.shape[:-1]) if kind.startswith("sparse") else y.argmax(-1)
        given = np.take_along_axis(p, label[..., None], -1)
        values = ((p > given).sum(-1) < k).astype(float)
    else:
        values, _ = sample_losses(kind, p, y, **options)
    values = values.reshape(len(p), -1).mean(1)
    w = _row_weights(sample_weight, values)
    return (w * values).sum(), w.sum()


# --- circle loss --------------------------------------------------------------------------------------------------
def _circle_parts(e, labels, r, ref_labels, gamma=80.0, margin=0.4, remove_diagonal=True):
    """Values, and d value_i / d s_ij for s = e r'."""
    apart = 1 - e @ r.T
    d = np.maximum(apart, 0)
    same = labels.reshape(-1, 1) == ref_labels.reshape(1, -1)
    positive, negative = same & ~(np.eye(*d.shape, dtype=bool) & remove_diagonal), ~same
    a = gamma * np.maximum(margin + d, 0) * (d - margin)
    b = gamma * np.maximum(1 + margin - d, 0) * (1 - margin - d)
    slope_a = gamma * ((margin + d > 0) * (d - margin) + np.maximum(margin + d, 0))
    slope_b = -gamma * ((1 + margin - d > 0) * (1 - margin - d) + np.maximum(1 + margin - d, 0))
    with np.errstate(divide="ignore"):
        p, n = (np.log((np.exp(z) * on).sum(1)) for z, on in ((a, positive), (b, negative)))
    there = np.isfinite(p) & np.isfinite(n)
    z = np.where(there, p + n, -np.inf)
    share = [np.exp(z - np.where(there, of, 0)[:, None]) * on for z, of, on in ((a, p, positive), (b, n, negative))]
    slope = share[0] * slope_a + share[1] * slope_b
    slope = np.where(there[:, None], slope / (1 + np.exp(-z))[:, None], 0)
    return np.logaddexp(0, z), -slope * ((apart > 0) + 0.5 * (apart == 0))


def circle(e, labels, r, ref_labels, **attrs):
    return _circle_parts(e, labels, r, ref_labels, **attrs)[0]


def circle_gradient(dy, e, labels, r, ref_labels, **attrs):
    g = dy[:, None] * _circle_parts(e, labels, r, ref_labels, **attrs)[1]
    return [g @ r, None, g.T @ e, None]


# --- penalties and constraints ------------------------------------------------------------------------------------
def penalty(x, kind="l1_l2", l1=0.0, l2=0.0, factor=0.0, mode="rows", batch=False):
    """Of a variable; of a batch of activations divided by its rows."""
    if kind == "l1_l2":
        return (l1 * np.abs(x).sum() + l2 * (x**2).sum()) / (len(x) if batch else 1)
    u = _unit_rows(x if mode == "rows" else x.T)
    n = len(u)
    pairs = u @ u.T
    return factor * (np.abs(pairs).sum() - np.abs(np.diag(pairs)).sum()) / (n * (n - 1)) if n > 1 else 0.0


def penalty_gradient(x, kind="l1_l2", l1=0.0, l2=0.0, factor=0.0, mode="rows", batch=False):
    if kind == "l1_l2":
        return (l1 * np.sign(x) + 2 * l2 * x) / (len(x) if batch else 1)
    w = x if mode == "rows" else x.T
    u, n = _unit_rows(w), len(w)
    if n < 2:
        return np.zeros_like(x)
    signs = np.sign(u @ u.T) * (1 - np.eye(n))
    du = 2 * factor / (n * (n - 1)) * (signs @ u)
    dw = (du - u * (du * u).sum(1, keepdims=True)) / np.linalg.norm(w, axis=1, keepdims=True)
    return dw if mode == "rows" else dw.T


def _unit_rows(w):
    return w / np.linalg.norm(w, axis=1, keepdims=True)


def constraint(w, kind, axis=(0,), min_value=0.0, max_value=None, rate=1.0):
    if kind == "non_neg":
        return np.maximum(w, 0)
    n = np.sqrt((w**2).sum(tuple(axis), keepdims=True))
    if kind == "unit_norm":
        return w / (EPSILON + n)
    if kind == "max_norm":
        return w * np.clip(n, 0, 2.0 if max_value is None else max_value) / (EPSILON + n)
    desired = rate * np.clip(n, min_value, 1.0 if max_value is None else max_value) + (1 - rate) * n
    return w * desired / (EPSILON + n)


def spectral_norm(w, u, iterations=1):
    """The new w and u."""
    before = u
    for _ in range(iterations):
        v = u @ w.T
        v = v / (np.linalg.norm(v) or 1.0)
        u = v @ w
        s = np.linalg.norm(u)
        if s == 0:
            return w, before
        u = u / s
    return w / s, u


# --- random numbers -----------------------------------------------------------------------------------------------
DROPOUT, INITIAL_VALUES, SHUFFLE, NOISE, AUGMENT = range(5)  # purposes
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


def bernoulli(x, stream, logits=False, *, seed=0, step=0):
    words = random_words(x.shape[0], int(np.prod(x.shape[1:])), seed=seed, stream=stream, step=step, purpose=NOISE)
    return ((words >> 8).reshape(x.shape) * 2.0**-24 < (_activate("sigmoid", x, 0.0) if logits else x)).astype(float)


def dropout_mask(shape, rate, *, seed=0, stream=0, step=0, noise_shape=None):
    """True where an element is kept."""
    given = noise_shape or [0] * len(shape)
    drawn = [n or size for n, size in zip(given, shape, strict=True)]
    words = random_words(drawn[0], int(np.prod(drawn[1:])), seed=seed, stream=stream, step=step, purpose=DROPOUT)
    return np.broadcast_to((words >= rate * 2.0**32).reshape(drawn), shape)


def _fate(rate, alpha):
    """Scale and shift of what is kept, and what the rest becomes."""
    if not alpha:
        return 1 / (1 - rate) if rate < 1 else 0.0, 0.0, 0.0
    low = -SELU_ALPHA * SELU_SCALE
    a = ((1 - rate) * (1 + rate * low**2)) ** -0.5 if rate < 1 else 0.0
    return a, -a * low * rate, a * low - a * low * rate


def dropout(x, rate, stream=0, *, alpha=False, noise_shape=None, seed=0, step=0):
    scale, shift, dropped = _fate(rate, alpha)
    mask = dropout_mask(x.shape, rate, seed=seed, stream=stream, step=step, noise_shape=noise_shape)
    return np.where(mask, x * scale + shift, dropped)


def dropout_gradient(dy, x, rate, stream=0, *, alpha=False, noise_shape=None, seed=0, step=0):
    mask = dropout_mask(x.shape, rate, seed=seed, stream=stream, step=step, noise_shape=noise_shape)
    return [np.where(mask, dy * _fate(rate, alpha)[0], 0.0)]


def _normal(shape, *, seed, stream, step):
    words = random_words(shape[0], int(np.prod(shape[1:])), seed=seed, stream=stream, step=step, purpose=NOISE)
    return distribute(words, "normal", 0.0, 1.0).reshape(shape)


def noise(x, stddev, kind="add", stream=0, *, seed=0, step=0):
    z = stddev * _normal(x.shape, seed=seed, stream=stream, step=step)
    return x + z if kind == "add" else x * (1 + z)


def noise_gradient(dy, x, stddev, kind="add", stream=0, *, seed=0, step=0):
    return [dy if kind == "add" else dy * (1 + stddev * _normal(x.shape, seed=seed, stream=stream, step=step))]
