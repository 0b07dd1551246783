"""Keras's table of a model's layers."""

from __future__ import annotations

import re
import shutil
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from .functional import Functional
from .progress import say
from .sequential import Sequential
from .tensor import Node, OpCall

_MAX_DEPTH = 100
_UNITS = ("B", "KB", "MB", "GB", "TB", "PB")


class _Column(NamedTuple):
    title: str
    width: int  # of the text
    align: Callable[[str, int], str]


def print_summary(
    model: Any,
    line_length: int | None = None,
    positions: Sequence[float] | None = None,
    print_fn: Callable[[str], Any] | None = None,
    expand_nested: bool = False,
    show_trainable: bool = False,
    layer_range: Sequence[str] | None = None,
) -> None:
    """Print the table of a model's layers and the numbers of its weights.

    Parameters
    ----------
    model : Model
    line_length : int, optional
        Of the table; 88, or 108 for graphs that are no chain, but no wider than the terminal.
    positions : sequence of float, optional
        Where the columns end, as shares of the line.
    print_fn : callable, optional
        Is given the whole text at once.
    expand_nested : bool
        Whether layers inside layers get rows of their own.
    show_trainable : bool
        Whether to add a column that says which layers are frozen.
    layer_range : (str, str), optional
        Names (or regular expressions) of the first and the last layer to show.

    Raises
    ------
    ValueError
        If the line is too short for the columns, or no layer matches `layer_range`.
    """
    chain = _is_chain(model)
    columns = _columns(chain, show_trainable, positions, line_length)
    operations = _in_range(_operations(model), layer_range)
    depth = _MAX_DEPTH if expand_nested else 0
    rows = [row for operation in operations for row in _rows(model, operation, 0, depth, chain, show_trainable)]
    text = "\n".join([f'Model: "{model.name}"', *_table(columns, rows), *_totals(model)]) + "\n"
    (print_fn or say)(text)


def _operations(model: Any) -> list[Any]:
    return model._operations if isinstance(model, Functional) else model.layers


def _is_chain(model: Any) -> bool:
    """Whether every layer is called once and passes its only output to the next."""
    if not isinstance(model, Functional):
        return True
    nodes = model._order
    taken = [id(t) for node in nodes for t in node.inputs]
    single = all(len(node.inputs) <= 1 and len(node.outputs) == 1 for node in nodes)
    sources = sum(not node.inputs for node in nodes)
    once = len({id(node.operation) for node in nodes}) == len(nodes)
    return single and once and sources == 1 and len(set(taken)) == len(taken)


# Rows.


def _rows(model: Any, operation: Any, level: int, depth: int, chain: bool, show_trainable: bool) -> Iterator[list[str]]:
    """The row of a layer, and those of the layers inside it down to `depth`."""
    yield _cells(model, operation, level, chain, show_trainable)
    if level < depth:
        for inner in getattr(operation, "layers", ()):
            yield from _rows(operation, inner, level + 1, depth, chain, show_trainable)


def _cells(model: Any, operation: Any, level: int, chain: bool, show_trainable: bool) -> list[str]:
    prefix = "   " * level + "└ " if level else ""
    kind = operation.op.title().replace("_", "") if isinstance(operation, OpCall) else type(operation).__name__
    cells = [f"{prefix}{operation.name} ({kind})", _shape_of(model, operation), _count_of(operation)]
    if not chain:
        cells.append("" if level else _connections(model, operation))
    if show_trainable:
        frozen = "Y" if getattr(operation, "trainable", True) else "N"
        cells.append(frozen if getattr(operation, "weights", ()) else "-")
    return cells


def _nodes_of(model: Any, operation: Any) -> list[Node]:
    if isinstance(model, Functional):
        return [node for node in model._order if node.operation is operation]
    if isinstance(model, Sequential):
        return [tensor.node for tensor in model._tensors[1:] if tensor.node.operation is operation]
    return operation.nodes


def _shape_of(model: Any, operation: Any) -> str:
    nodes = _nodes_of(model, operation)
    if not nodes:
        return "?"
    shapes = [str(tuple(t.shape)) for t in nodes[-1].outputs]
    return shapes[0] if len(shapes) == 1 else f"[{', '.join(shapes)}]"


def _count_of(operation: Any) -> str:
    if isinstance(operation, OpCall):
        return "0"
    return f"{operation.count_params():,}" if operation.built else "0 (unbuilt)"


def _connections(model: Any, operation: Any) -> str:
    sources = [tensor for node in _nodes_of(model, operation) for tensor in node.inputs]
    names = [f"{t.node.operation.name}[{t.node.operation.nodes.index(t.node)}][{t.index}]" for t in sources]
    return ", ".join(names) or "-"


def _in_range(operations: list[Any], layer_range: Sequence[str] | None) -> list[Any]:
    if layer_range is None:
        return operations
    if len(layer_range) != 2 or not all(isinstance(name, str) for name in layer_range):
        raise ValueError(f"[summary] expected layer_range to be two names, received {layer_range!r}.")
    first, last = (
        [i for i, operation in enumerate(operations) if re.match(name, operation.name)] for name in layer_range
    )
    if not first or not last:
        names = ", ".join(operation.name for operation in operations)
        raise ValueError(f"[summary] expected layer_range among {names}, received {list(layer_range)}.")
    low, high = (min(first), max(last)) if min(first) <= max(last) else (min(last), max(first))
    return operations[low : high + 1]


# The table.


def _columns(
    chain: bool, show_trainable: bool, positions: Sequence[float] | None, line_length: int | None
) -> list[_Column]:
    titles = ["Layer (type)", "Output Shape", "Param #"]
    align: list[Callable[[str, int], str]] = [str.ljust, str.ljust, str.rjust]
    length, ends = (88, [0.45, 0.80, 1.0]) if chain else (108, [0.3, 0.56, 0.74, 1.0])
    if not chain:
        titles.append("Connected to")
        align.append(str.ljust)
    ends = list(positions or ends)
    if show_trainable:
        length += 12
        ends = [0.9 * end for end in ends] + [1.0]
        titles.append("Trainable")
        align.append(str.center)
    if len(ends) != len(titles):
        raise ValueError(f"[summary] expected {len(titles) - show_trainable} positions, received {positions}.")
    length = line_length or min(length, shutil.get_terminal_size().columns - 4)
    edges = [0, *(int(end * length) for end in ends)]
    widths = [right - left for left, right in pairwise(edges)]
    if min(widths) < 4:
        raise ValueError(f"[summary] expected a line long enough for {len(titles)} columns, received {length}.")
    taken = [4 if i == len(widths) - 2 else 3 for i in range(len(widths))]  # by the rules and a blank on either side
    return [_Column(t, w - s, a) for t, w, s, a in zip(titles, widths, taken, align, strict=True)]


def _table(columns: list[_Column], rows: Iterable[list[str]]) -> list[str]:
    def rule(left: str, line: str, cross: str, right: str) -> str:
        return left + cross.join(line * (column.width + 2) for column in columns) + right

    lines = [rule("┏", "━", "┳", "┓"), *_row("┃", columns, [column.title for column in columns])]
    between = rule("┡", "━", "╇", "┩")
    for row in rows:
        lines += [between, *_row("│", columns, row)]
        between = rule("├", "─", "┼", "┤")
    return [*lines, rule("└", "─", "┴", "┘")]


def _row(bar: str, columns: list[_Column], cells: list[str]) -> list[str]:
    wrapped = [_wrapped(cell, column.width) for cell, column in zip(cells, columns, strict=True)]
    return [
        bar
        + bar.join(
            f" {column.align(lines[i] if i < len(lines) else '', column.width)} "
            for lines, column in zip(wrapped, columns, strict=True)
        )
        + bar
        for i in range(max(len(lines) for lines in wrapped))
    ]


def _wrapped(text: str, width: int) -> list[str]:
    indent = " " * (len(text) - len(text.lstrip()))
    lines = textwrap.wrap(text.lstrip(), width, initial_indent=indent, break_long_words=False, break_on_hyphens=False)
    return [line if len(line) <= width else line[: width - 1] + "…" for line in lines] or [""]


# The numbers below it.


def _totals(model: Any) -> list[str]:
    sizes = {kind: _size(getattr(model, f"{kind}_weights")) for kind in ("trainable", "non_trainable")}
    total = tuple(map(sum, zip(*sizes.values(), strict=True)))
    lines = [
        _total("Total", *total), _total("Trainable", *sizes["trainable"]),
        _total("Non-trainable", *sizes["non_trainable"]),
    ]  # fmt: skip
    optimizer = model.optimizer if model.compiled else None
    if optimizer is not None and optimizer.iterations:
        count, size = (len(optimizer.kept_names) * n for n in sizes["trainable"])
        scalars = 1 if optimizer.has_schedule else 2  # the step, and a constant learning rate
        lines.append(_total("Optimizer", count + scalars, size + 4 * scalars))
    return lines


def _size(weights: Iterable[Any]) -> tuple[int, int]:
    """Elements and bytes."""
    counts = [(v.size, v.nbytes) for v in {id(v): v for v in weights}.values()]
    return sum(n for n, _ in counts), sum(size for _, size in counts)


def _total(kind: str, count: int, size: float) -> str:
    unit = 0
    while size >= 1024 and unit < len(_UNITS) - 1:
        size, unit = size / 1024, unit + 1
    return f" {kind} params: {count:,} ({size:.2f} {_UNITS[unit]})"
