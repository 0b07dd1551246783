"""Sums of products in `hotloop.ops`, made of products, sums and transposed axes. Axis 0, the batch, stays first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np

from .elementwise import is_batch, is_number, is_symbolic, multiply
from .own_name import own_name
from .shaping import expand_dims, transpose
from .tensor import Symbolic
from .trace import Traced, refuse_weights
from .variable import Variable

__all__ = ["dot", "einsum", "outer", "tensordot"]

_SPARE = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@own_name
def einsum(subscripts: str, *operands: Any) -> Any:
    """Sums of products by named axes: `einsum("bik,kj->bij", x, w)`.

    Parameters
    ----------
    subscripts : str
        As NumPy's, an ellipsis and a missing "->" too. Every tensor of a model begins with the letter of the batch, and
        so does the result; weights lack it. A letter stands once in an operand: diagonals are not taken.
    *operands : tensors, weights and arrays

    Notes
    -----
    Operands are joined from the left, tensors before weights. A tensor and a weight of two axes that share the one
    summed over are one product; any other pair is multiplied element by element, in memory for every combination of
    its letters, and then summed.
    """
    if not any(isinstance(x, Symbolic) for x in operands):
        refuse_weights("einsum", operands)
        return np.einsum(subscripts, *[np.asarray(x) for x in operands])
    operands = tuple(np.asarray(x) if isinstance(x, (list, tuple)) else x for x in operands)
    labels, output = _letters(subscripts, operands)
    order = sorted(range(len(operands)), key=lambda i: not is_batch(operands[i]))
    x, letters = operands[order[0]], labels[order[0]]
    for place, i in enumerate(order[1:], 2):
        later = "".join(labels[j] for j in order[place:])
        x, letters = _pair(x, letters, operands[i], labels[i], output + later)
    x, letters = _summed(x, letters, output)
    return transpose(x, [letters.index(a) for a in output])


def _refuse(subscripts: str, expected: str, received: str) -> NoReturn:
    raise ValueError(f"[einsum '{subscripts}'] expected {expected}, received {received}.")


def _letters(subscripts: str, operands: Sequence[Any]) -> tuple[list[str], str]:
    """The letters of each operand and of the result, spare ones for an ellipsis."""
    left, arrow, output = subscripts.replace(" ", "").replace("...", ".").partition("->")
    terms = left.split(",")
    if len(terms) != len(operands):
        _refuse(subscripts, f"{len(terms)} operands", str(len(operands)))
    for x in operands:
        if not isinstance(x, (Symbolic, Variable, np.ndarray)):
            _refuse(subscripts, "tensors of the model, weights and arrays", type(x).__name__)
    spare = [a for a in _SPARE if a not in subscripts]
    dots, named = "", []
    for term, x in zip(terms, operands, strict=True):
        rank = len(x.shape)
        extra = rank - len(term) + 1 if "." in term else 0
        if extra < 0 or ("." not in term and len(term) != rank):
            _refuse(subscripts, f"as many letters in '{term.replace('.', '...')}' as axes", f"shape {x.shape}")
        run = "".join(spare[:extra])[::-1]  # from the right, as shapes are aligned
        dots = max(dots, run, key=len)
        named.append(term.replace(".", run))
    every = "".join(named)
    if arrow:
        output = output.replace(".", dots)
    else:
        output = dots + "".join(sorted(a for a in set(every) if every.count(a) == 1 and a not in dots))
    for text in (*named, output):
        if (text and not text.isalpha()) or len(set(text)) != len(text):
            _refuse(subscripts, "letters, each once in an operand and once in the result", f"'{text}'")
    if not set(output) <= set(every):
        _refuse(subscripts, "a result of the operands' letters", f"'{output}'")
    _check(subscripts, operands, named, output)
    return named, output


def _check(subscripts: str, operands: Sequence[Any], named: Sequence[str], output: str) -> None:
    """The batch is first everywhere, and a letter has one size."""
    batch = next(term[0] for term, x in zip(named, operands, strict=True) if is_batch(x))
    for term, x in zip([*named, output], [*operands, None], strict=True):
        if (x is None or is_batch(x)) and term[:1] != batch:
            what = "the result" if x is None else f"a tensor of shape {x.shape}"
            _refuse(subscripts, f"'{batch}', the batch, as first letter of {what}", f"'{term}'")
        if x is not None and not is_batch(x) and batch in term:
            _refuse(subscripts, f"a weight without the batch's letter '{batch}'", f"'{term}'")
    sizes: dict[str, Any] = {}
    for term, x in zip(named, operands, strict=True):
        for a, size in zip(term, x.shape, strict=True):
            if sizes.setdefault(a, size) != size:
                _refuse(subscripts, f"one size for '{a}'", f"{sizes[a]} and {size}")


def _pair(x: Any, xs: str, y: Any, ys: str, kept: str) -> tuple[Any, str]:
    """The product of a tensor and another operand, summed over the letters that nobody needs any more."""
    from .ops import matmul

    x, xs = _summed(x, xs, kept + ys)
    matrix = len(ys) == 2 and (isinstance(y, np.ndarray) or (isinstance(x, Traced) and not is_batch(y)))
    if matrix and ys[1] in xs and ys[1] not in kept and ys[0] not in xs:
        y, ys = transpose(y), ys[::-1]
    if matrix and ys[0] in xs and ys[0] not in kept and ys[1] not in xs:
        rest = xs.replace(ys[0], "")
        return matmul(transpose(x, [xs.index(a) for a in rest + ys[0]]), y), rest + ys[1]
    union = xs[0] + "".join(a for a in xs[1:] if a not in ys) + ys.replace(xs[0], "")
    product = multiply(_aligned(x, xs, union), _aligned(y, ys, union) if is_batch(y) else y)
    return _summed(product, union, kept)


def _aligned(x: Any, letters: str, union: str) -> Any:
    """x with the axes of `union`, of size 1 where it has none."""
    from .ops import reshape

    x = transpose(x, [letters.index(a) for a in union if a in letters])
    sizes = iter(x.shape)
    return reshape(x, [next(sizes) if a in letters else 1 for a in union])


def _summed(x: Any, letters: str, kept: str) -> tuple[Any, str]:
    from .ops import sum

    gone = [i for i, a in enumerate(letters) if a not in kept]
    return (sum(x, axis=gone) if gone else x), "".join(a for a in letters if a in kept)


@own_name
def tensordot(x1: Any, x2: Any, axes: int | Sequence[Any] = 2) -> Any:
    """Products of x1 and x2, summed over pairs of axes; the axes that are left stand in their order.

    Parameters
    ----------
    x1, x2 : tensor and weight or array, or arrays
        Two tensors of a model would make pairs of samples: `ops.einsum` multiplies sample by sample.
    axes : int, or two lists of int
        So many last axes of x1 with the first ones of x2, or those of x1 and those of x2.
    """
    if not is_symbolic([x1, x2]):
        return np.tensordot(*_arrays("tensordot", x1, x2), axes)  # type: ignore[call-overload]
    if isinstance(axes, (int, np.integer)):
        first = list(range(len(x1.shape) - int(axes), len(x1.shape)))
        second = list(range(int(axes)))
    else:
        first, second = ([int(a) for a in np.atleast_1d(one)] for one in axes)
    return _contracted("tensordot", x1, x2, first, second)


@own_name
def dot(x1: Any, x2: Any) -> Any:
    """x1 times x2, summed over the last axis of x1 and the last but one of x2, or its only one; a number scales.

    Of tensors one may belong to a model; the other is a weight or an array.
    """
    if is_number(x1) or is_number(x2):
        return multiply(x1, x2)
    if not is_symbolic([x1, x2]):
        return np.dot(*_arrays("dot", x1, x2))
    rank = len(x2.shape if isinstance(x2, (Symbolic, Variable)) else np.shape(x2))
    return _contracted("dot", x1, x2, [-1], [-1 if rank == 1 else -2])


@own_name
def outer(x1: Any, x2: Any) -> Any:
    """Every element of x1 times every element of x2, both as vectors: (n, m). A tensor of a model is (batch,)."""
    if not is_symbolic([x1, x2]):
        return np.outer(*_arrays("outer", x1, x2))
    x2 = x2 if isinstance(x2, (Symbolic, Variable)) else np.ravel(x2)
    if not is_batch(x1) or len(x1.shape) != 1 or is_batch(x2) or len(x2.shape) != 1:
        raise ValueError(
            f"[outer] expected a tensor (None,) and a vector without a batch, received {tuple(x1.shape)} and "
            f"{tuple(x2.shape)}. "
            'Sample by sample: ops.einsum("bi,bj->bij", x1, x2).'
        )
    return multiply(expand_dims(x1, 1), x2)


def _contracted(name: str, x1: Any, x2: Any, first: list[int], second: list[int]) -> Any:
    """x1 x2 summed over these pairs of axes, where the batch is the first axis of the result."""
    x1, x2 = (x if isinstance(x, (Symbolic, Variable)) else np.asarray(x) for x in (x1, x2))
    ranks, shapes = [len(x.shape) for x in (x1, x2)], f"{tuple(x1.shape)} and {tuple(x2.shape)}"
    refused = ValueError(
        f"[{name}] expected one tensor of the model, whose batch is the first axis of the result, received {shapes}. "
        "Sample by sample there are ops.matmul and ops.einsum."
    )
    if is_batch(x1) == is_batch(x2):
        raise refused
    pairs = [
        [a % rank if -rank <= a < rank else -1 for a in axes] for axes, rank in zip((first, second), ranks, strict=True)
    ]
    sizes = [[x.shape[a] for a in axes if a >= 0] for x, axes in zip((x1, x2), pairs, strict=True)]
    if sizes[0] != sizes[1] or any(-1 in axes or len(set(axes)) != len(axes) for axes in pairs):
        raise ValueError(
            f"[{name}] expected pairs of axes of one size in {shapes}, received axes {first} and {second}."
        )
    letters = [list(_SPARE[: ranks[0]]), list(_SPARE[ranks[0] : sum(ranks)])]
    for a, b in zip(*pairs, strict=True):
        letters[1][b] = letters[0][a]
    kept = [a for a in letters[0] + letters[1] if (letters[0] + letters[1]).count(a) == 1]
    if letters[0 if is_batch(x1) else 1][0] != kept[0]:
        raise refused
    return einsum(f"{''.join(letters[0])},{''.join(letters[1])}->{''.join(kept)}", x1, x2)


def _arrays(name: str, *operands: Any) -> list[np.ndarray]:
    from .config import floatx

    refuse_weights(name, operands)
    arrays = [np.asarray(x) for x in operands]
    return [x.astype(floatx(), copy=False) if x.dtype.kind == "f" else x for x in arrays]
