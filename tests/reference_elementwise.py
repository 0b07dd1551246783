"""The float64 oracle of element-wise ops and of ops that move elements (see reference.py)."""

from __future__ import annotations

import math

import numpy as np

from activation_functions import ACTIVATIONS, PARAMETERS

EXPRESSION_INPUTS = 8  # the value of step i is number EXPRESSION_INPUTS + i


def _flag(x):
    return np.asarray(x, float)


def _zero(*_):
    return 0.0


_erf = np.vectorize(math.erf, otypes=[float])


# kind: y(a, ..), then the slopes dy/da, dy/db, ..
KINDS = {
    "negative": (lambda a: -a, lambda a: -1.0),
    "abs": (np.abs, np.sign),
    "sign": (np.sign, _zero),
    "square": (np.square, lambda a: 2 * a),
    "sqrt": (np.sqrt, lambda a: 0.5 / np.sqrt(a)),
    "rsqrt": (lambda a: a**-0.5, lambda a: -0.5 * a**-1.5),
    "reciprocal": (lambda a: 1 / a, lambda a: -1 / a**2),
    "exp": (np.exp, np.exp),
    "expm1": (np.expm1, np.exp),
    "log": (np.log, lambda a: 1 / a),
    "log1p": (np.log1p, lambda a: 1 / (1 + a)),
    "sin": (np.sin, np.cos),
    "cos": (np.cos, lambda a: -np.sin(a)),
    "tan": (np.tan, lambda a: 1 / np.cos(a) ** 2),
    "arcsin": (np.arcsin, lambda a: (1 - a**2) ** -0.5),
    "arccos": (np.arccos, lambda a: -((1 - a**2) ** -0.5)),
    "arctan": (np.arctan, lambda a: 1 / (1 + a**2)),
    "erf": (_erf, lambda a: 2 / np.sqrt(np.pi) * np.exp(-(a**2))),
    "sinh": (np.sinh, np.cosh),
    "cosh": (np.cosh, np.sinh),
    "tanh": (np.tanh, lambda a: 1 / np.cosh(a) ** 2),
    "arcsinh": (np.arcsinh, lambda a: (1 + a**2) ** -0.5),
    "arccosh": (np.arccosh, lambda a: (a**2 - 1) ** -0.5),
    "arctanh": (np.arctanh, lambda a: 1 / (1 - a**2)),
    "floor": (np.floor, _zero),
    "ceil": (np.ceil, _zero),
    "round": (np.round, _zero),
    "logical_not": (lambda a: _flag(a == 0), _zero),
    "isnan": (lambda a: _flag(np.isnan(a)), _zero),
    "isfinite": (lambda a: _flag(np.isfinite(a)), _zero),
    "add": (np.add, lambda a, b: 1.0, lambda a, b: 1.0),
    "subtract": (np.subtract, lambda a, b: 1.0, lambda a, b: -1.0),
    "multiply": (np.multiply, lambda a, b: b, lambda a, b: a),
    "divide": (np.divide, lambda a, b: 1 / b, lambda a, b: -a / b**2),
    "power": (
        np.power,
        lambda a, b: np.where(b == 0, 0.0, b * a ** np.where(b == 0, 1.0, b - 1)),
        lambda a, b: np.where(a == 0, 0.0, np.log(np.where(a == 0, 1.0, np.abs(a)))) * a**b,
    ),
    "maximum": (np.maximum, lambda a, b: (a > b) + 0.5 * (a == b), lambda a, b: (b > a) + 0.5 * (a == b)),
    "minimum": (np.minimum, lambda a, b: (a < b) + 0.5 * (a == b), lambda a, b: (b < a) + 0.5 * (a == b)),
    "mod": (np.mod, lambda a, b: 1.0, lambda a, b: -np.floor(a / b)),
    "floor_divide": (np.floor_divide, _zero, _zero),
    "arctan2": (np.arctan2, lambda a, b: b / (a**2 + b**2), lambda a, b: -a / (a**2 + b**2)),
    "less": (lambda a, b: _flag(a < b), _zero, _zero),
    "less_equal": (lambda a, b: _flag(a <= b), _zero, _zero),
    "greater": (lambda a, b: _flag(a > b), _zero, _zero),
    "greater_equal": (lambda a, b: _flag(a >= b), _zero, _zero),
    "equal": (lambda a, b: _flag(a == b), _zero, _zero),
    "not_equal": (lambda a, b: _flag(a != b), _zero, _zero),
    "logical_and": (lambda a, b: _flag((a != 0) & (b != 0)), _zero, _zero),
    "logical_or": (lambda a, b: _flag((a != 0) | (b != 0)), _zero, _zero),
    "second": (lambda a, b: b + 0 * a, _zero, lambda a, b: 1.0),
    "where": (lambda a, b, c: np.where(a != 0, b, c), _zero, lambda a, b, c: a != 0, lambda a, b, c: a == 0),
}


def _operands(inputs, numbers):
    """Inputs and numbers in their places."""
    rest = iter(inputs)
    count = len(inputs) + len(numbers)
    return [numbers[letter] if letter in numbers else next(rest) for letter in "abc"[:count]]


def elementwise(*inputs, kind, **numbers):
    return np.asarray(KINDS[kind][0](*_operands(inputs, numbers)), float)


def _summed(gradient, shape):
    """Over the axes in which something of this shape was broadcast."""
    extra = gradient.ndim - len(shape)
    gradient = gradient.sum(tuple(range(extra)))
    return gradient.sum(tuple(i for i, n in enumerate(shape) if n == 1 and gradient.shape[i] != 1), keepdims=True)


def elementwise_gradient(dy, *inputs, kind, **numbers):
    operands = _operands(inputs, numbers)
    slopes = [slope(*operands) for slope in KINDS[kind][1:]]
    whole = [np.broadcast_to(dy * slope, dy.shape) for slope in slopes]
    letters = [letter for letter in "abc"[: len(operands)] if letter not in numbers]
    return [_summed(whole["abc".index(letter)], x.shape) for letter, x in zip(letters, inputs, strict=True)]


def stop_gradient(x):
    return x


def stop_gradient_gradient(dy, x):
    return [None]


def _places(shape, strides, offset):
    grid = np.indices(shape).reshape(len(shape), int(np.prod(shape)))
    return offset + np.asarray(strides, int) @ grid


def rearrange(x, shape, strides, offset=0):
    return x.reshape(len(x), -1)[:, _places(shape, strides, offset)].reshape(len(x), *shape)


def rearrange_gradient(dy, x, shape, strides, offset=0):
    dx = np.zeros((len(x), x[0].size))
    dx[:, _places(shape, strides, offset)] = dy.reshape(len(x), -1)
    return [dx.reshape(x.shape)]


def place(x, shape, strides, offset=0):
    y = np.zeros((len(x), int(np.prod(shape))))
    y[:, _places(x.shape[1:], strides, offset)] = x.reshape(len(x), -1)
    return y.reshape(len(x), *shape)


def place_gradient(dy, x, shape, strides, offset=0):
    return [rearrange(dy, x.shape[1:], strides, offset)]


def _picks(x, index, axis):
    """Whole indices from 0 on, and which are inside."""
    size = x.shape[axis]
    inside = (index >= -size) & (index < size)
    return np.trunc(np.where(inside, index, 0)).astype(int) % size, inside


def take_along_axis(x, index, axis=-1):
    picks, inside = _picks(x, index, axis)
    return np.where(inside, np.take_along_axis(x, picks, axis), np.nan)


def take_along_axis_gradient(dy, x, index, axis=-1):
    picks, inside = _picks(x, index, axis)
    dx, places = np.zeros(x.shape), list(np.indices(picks.shape))
    places[axis] = picks
    np.add.at(dx, tuple(places), dy * inside)
    return [dx, None]


def argsort(x, axis=-1, descending=False):
    return np.argsort(-x if descending else x, axis, kind="stable").astype(float)


def cumsum(x, axis=-1):
    return np.cumsum(x, axis)


def cumsum_gradient(dy, x, axis=-1):
    return [np.flip(np.cumsum(np.flip(dy, axis), axis), axis)]


def argmax(x, axis=-1, smallest=False):
    return (np.argmin if smallest else np.argmax)(x, axis).astype(float)


def _step_of(name, numbers):
    """A function of the step's operands, their number, and its slopes."""
    if name == "affine":
        return lambda x: x * numbers[0] + numbers[1], 1, [lambda x: numbers[0]]
    if name[0] == "@":
        function, slope = ACTIVATIONS[name[1:]]
        parameters = numbers[: PARAMETERS.get(name[1:], 1)]
        return lambda x: function(x, *parameters), 1, [lambda x: slope(x, *parameters)]
    function, *slopes = KINDS[name]
    return function, len(slopes), slopes


def _run_steps(inputs, steps, operands, numbers):
    """Of each step its slopes, places and arguments; and all values that there are in the end."""
    values, found = dict(enumerate(inputs)), []
    for i, name in enumerate(steps.split()):
        constants = numbers[3 * i : 3 * i + 3]
        function, count, slopes = _step_of(name, constants)
        places = operands[3 * i : 3 * i + count]
        arguments = [constants[k] if place < 0 else values[place] for k, place in enumerate(places)]
        values[EXPRESSION_INPUTS + i] = np.asarray(function(*np.broadcast_arrays(*arguments)), float)
        found.append((slopes, places, arguments))
    return found, values


def expression(*inputs, steps, operands, numbers):
    found, values = _run_steps(inputs, steps, operands, numbers)
    return values[EXPRESSION_INPUTS + len(found) - 1]


def expression_gradient(dy, *inputs, steps, operands, numbers):
    found, _ = _run_steps(inputs, steps, operands, numbers)
    gradients = {EXPRESSION_INPUTS + len(found) - 1: dy}
    for i, (slopes, places, arguments) in reversed(list(enumerate(found))):
        for place, slope in zip(places, slopes, strict=True):
            if place >= 0 and EXPRESSION_INPUTS + i in gradients:
                gradients[place] = gradients.get(place, 0) + gradients[EXPRESSION_INPUTS + i] * slope(*arguments)
    return [gradients.get(i, np.zeros_like(dy)) for i in range(len(inputs))]
