"""Loops of C over the elements of a sample: what steps compute there, and where operands that are repeated stand."""

from __future__ import annotations

from . import c_text
from .c_text import number
from .steps import Step

FORMULAS = {
    **{f"activation {kind}": text for kind, text in c_text.ACTIVATIONS.items()},
    **{f"elementwise {kind}": text for kind, text in c_text.ELEMENTWISE.items()},
    "prelu": "{0} < 0.0f ? {1} * {0} : {0}", "affine": "{0} * {scale} + {offset}", "add": "",
}  # fmt: skip


def literal(value: float) -> str:
    """A number as an operand."""
    return f"({number(value)})" if value < 0 else number(value)


def formula(step: Step, operands: list[str]) -> str:
    """What a step computes of operands of these names."""
    if step.op == "add":
        return " + ".join(operands)
    given = {name: literal(v) for name, v in step.attrs.items() if isinstance(v, (int, float))}
    if step.op == "affine":
        given = {"scale": number(1.0), "offset": number(0.0), **given}
    if step.key == "activation rectify":
        given.setdefault("gamma", "INFINITY")
    if step.op == "elementwise":  # numbers stand in the places of operands
        rest = iter(operands)
        count = len(operands) + sum(letter in given for letter in "abc")
        operands = [given[letter] if letter in given else next(rest) for letter in "abc"[:count]]
    return FORMULAS[step.key].format(*operands, **given)


def index(strides: list[int]) -> str:
    """What stands in brackets, for loops over i0, i1, .."""
    terms = [f"i{k}" if step == 1 else f"{step} * i{k}" for k, step in enumerate(strides) if step]
    return " + ".join(terms) or "0"


def walk(shape: tuple[int, ...], operands: list[tuple[int, ...]]) -> tuple[list[int], list[list[int]]]:
    """Axes of a loop nest, those that all operands repeat alike taken as one, and the strides of each operand."""
    padded = [(1,) * (len(shape) - len(o)) + o[len(o) - len(shape) if len(o) > len(shape) else 0 :] for o in operands]
    axes: list[int] = []
    repeats: list[tuple[bool, ...]] = []
    for i, size in enumerate(shape):
        if size == 1:
            continue
        now = tuple(o[i] != size for o in padded)
        if repeats and repeats[-1] == now:
            axes[-1] *= size
        else:
            axes.append(size)
            repeats.append(now)
    axes, repeats = (axes, repeats) if axes else ([1], [(False,) * len(operands)])
    strides = []
    for k in range(len(operands)):
        step, steps = 1, []
        for size, repeated in zip(reversed(axes), reversed(repeats), strict=True):
            steps.append(0 if repeated[k] else step)
            step *= 1 if repeated[k] else size
        strides.append(steps[::-1])
    return axes, strides
