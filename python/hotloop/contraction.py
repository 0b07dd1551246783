"""`einsum` on tensors of a model, made of products, sums and transposed axes. Axis 0, the batch, stays first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np

from .elementwise import is_batch, multiply
from .shaping import transpose
from .tensor import Symbolic
from .trace import Traced, refuse_weights
from .variable import Variable

__all__ = ["einsum"]

_SPARE = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def einsum(subscripts: str, *operands: Any) -> Any:
    """Sums of products by named axes: `einsum("bik,kj->bij", x, w)`.

    Parameters
    ----------
    subscripts : str
        As NumPy's, an ellipsis and a missing "->" too. Every tensor of a model begins with the letter of the batch, and
        so does the result; weights lack it. A letter stands once in an operand: diagonals are not taken.
    *operands : tensors, and weights; or arrays alone

    Notes
    -----
    Operands are joined from the left, tensors before weights. A tensor and a weight of two axes that share the one
    summed over are one product; any other pair is multiplied element by element, in memory for every combination of
    its letters, and then summed.
    """
    if not any(isinstance(x, Symbolic) for x in operands):
        refuse_weights("einsum", operands)
        return np.einsum(subscripts, *[np.asarray(x) for x in operands])
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
        if not isinstance(x, (Symbolic, Variable)):
            _refuse(subscripts, "tensors of the model and weights", type(x).__name__)
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
    matrix = isinstance(x, Traced) and isinstance(y, Variable) and len(ys) == 2
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
