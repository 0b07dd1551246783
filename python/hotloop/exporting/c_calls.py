"""Steps that are no loop over elements, as C statements."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .c_loops import index
from .c_text import number
from .c_weights import dense_call
from .steps import Step

if TYPE_CHECKING:
    from .c import Source

CALLED = (
    "dense", "matmul", "softmax", "log_softmax", "layer_norm layer", "reduce sum", "reduce mean", "reduce max",
    "reduce min", "argmax", "argsort", "cumsum", "take_along_axis", "embedding", "one_hot", "codes", "reshape",
    "concatenate", "rearrange", "place",
)  # fmt: skip

Call = Callable[[Any, Step, str], list[str]]
CALLS: dict[str, Call] = {}


def _calls(*ops: str) -> Callable[[Call], Call]:
    def note(function: Call) -> Call:
        CALLS.update((op, function) for op in ops)
        return function

    return note


@_calls("dense", "matmul")
def _dense(source: Source, step: Step, y: str) -> list[str]:
    x, kernel, *bias = step.inputs
    K, N = source.listing.arrays[kernel].shape
    rows = math.prod(source.listing.sample(x)) // K
    helper, arrays, arguments = dense_call(source.listing.arrays[kernel], source.int8)
    names = {word: source.array(f"w{kernel}_{word}", values) for word, values in arrays.items()}
    given = arguments.format(x=source.operand(x), **names) + (source.operand(bias[0]) if bias else "NULL")
    room = f", (int8_t *)({source.scratch(-(-K // 4))})" if source.int8 else ""
    return [f"{helper}({rows}, {K}, {N}, {given}{room}, {y});"]


@_calls("softmax", "log_softmax")
def _softmax(source: Source, step: Step, y: str) -> list[str]:
    rows, columns, _ = source.sizes(step.output, -1)
    return [f"{step.op}({rows}, {columns}, {source.operand(step.inputs[0])}, {y});"]


@_calls("layer_norm")
def _layer_norm(source: Source, step: Step, y: str) -> list[str]:
    x, *weights = step.inputs
    sample, axes = source.listing.sample(x), step.attrs.get("axes", 1)
    names = iter(source.operand(w) for w in weights)
    gamma, beta = (next(names) if step.attrs.get(word, True) else "NULL" for word in ("scale", "center"))
    groups, epsilon = math.prod(sample[: len(sample) - axes]), number(step.attrs.get("epsilon", 1e-3))
    columns = math.prod(sample[len(sample) - axes :])
    return [f"layer_norm({groups}, {columns}, {epsilon}, {source.operand(x)}, {gamma}, {beta}, {y});"]


@_calls("reduce", "argmax", "argsort", "cumsum")
def _along(source: Source, step: Step, y: str) -> list[str]:
    [x] = step.inputs
    sizes, kind = source.sizes(x, step.attrs.get("axis", -1)), step.attrs.get("kind")
    helper = step.op if kind is None else "reduce_sum" if kind in ("sum", "mean") else "reduce_max"
    down = kind == "min" or step.attrs.get("smallest") or step.attrs.get("descending")
    factor = {"mean": 1 / sizes[1], "sum": 1.0}.get(str(kind), -1.0 if down else 1.0)
    middle = "" if step.op == "cumsum" else f"{number(factor)}, "
    return [f"{helper}({', '.join(map(str, sizes))}, {middle}{source.operand(x)}, {y});"]


@_calls("take_along_axis")
def _take(source: Source, step: Step, y: str) -> list[str]:
    x, index = step.inputs
    axis = step.attrs.get("axis", -1)
    outer, size, inner = source.sizes(x, axis)
    picked = source.sizes(step.output, axis)[1]
    return [f"take({outer}, {size}, {inner}, {picked}, {source.operand(x)}, {source.operand(index)}, {y});"]


@_calls("embedding")
def _embedding(source: Source, step: Step, y: str) -> list[str]:
    codes, table = step.inputs
    rows, width = source.listing.arrays[table].shape
    count = math.prod(source.listing.sample(codes))
    return [f"embedding({count}, {rows}, {width}, {source.operand(codes)}, {source.operand(table)}, {y});"]


@_calls("one_hot")
def _one_hot(source: Source, step: Step, y: str) -> list[str]:
    [x] = step.inputs
    tokens = step.attrs["num_tokens"]
    groups = math.prod(source.listing.sample(step.output)) // tokens
    codes, count = math.prod(source.listing.sample(x)) // groups, int(step.attrs.get("mode") == "count")
    return [f"one_hot({groups}, {codes}, {tokens}, {count}, {source.operand(x)}, {y});"]


@_calls("codes")
def _codes(source: Source, step: Step, y: str) -> list[str]:
    size = math.prod(source.listing.sample(step.output))
    return [f"for (size_t i = 0; i < {size}; ++i) {y}[i] = truncf({source.operand(step.inputs[0])}[i]);"]


@_calls("concatenate")
def _concatenate(source: Source, step: Step, y: str) -> list[str]:
    axis, before, lines = step.attrs.get("axis", -1), 0, []
    outer, size, inner = source.sizes(step.output, axis)
    for value in step.inputs:
        width = source.sizes(value, axis)[1] * inner
        to, of = f"{y} + i * {size * inner} + {before}", f"{source.operand(value)} + i * {width}"
        lines.append(f"for (size_t i = 0; i < {outer}; ++i) memcpy({to}, {of}, {width} * sizeof *{y});")
        before += width
    return lines


@_calls("rearrange", "place")
def _rearrange(source: Source, step: Step, y: str) -> list[str]:
    x, picks = source.operand(step.inputs[0]), step.op == "rearrange"
    walked = source.listing.sample(step.output if picks else step.inputs[0])
    dense = index([math.prod(walked[i + 1 :]) for i in range(len(walked))])
    place = str(step.attrs.get("offset", 0))
    for i, stride in enumerate(step.attrs["strides"]):
        place += f" {'-' if stride < 0 else '+'} {abs(stride)} * i{i}" if stride else ""
    size = math.prod(source.listing.sample(step.output))
    lines = [] if picks else [f"memset({y}, 0, {size} * sizeof *{y});"]
    lines += [f"{'    ' * i}for (size_t i{i} = 0; i{i} < {n}; ++i{i})" for i, n in enumerate(walked)]
    put = f"{y}[{dense}] = {x}[{place}];" if picks else f"{y}[{place}] = {x}[{dense}];"
    return [*lines, f"{'    ' * len(walked)}{put}"]
