"""C99: the steps of a model as one function without memory of its own."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..saving.atomic import atomic_path
from . import c_text
from .c_calls import CALLED, CALLS
from .c_loops import FORMULAS, formula, index, literal, walk
from .fold import can_fold, folded
from .steps import Listing, Step, listing_of

WHERE = "export_c"
_ON_STACK = 4096  # floats of workspace that a function takes from its stack
_IN_PLACE = ("softmax", "log_softmax", "layer_norm")


def export_c(model: Any, path: str | os.PathLike[str], dtype: str = "float32", name: str | None = None) -> None:
    """What `Model.export_c` does."""
    if dtype not in ("float32", "int8"):
        raise ValueError(f"[{WHERE}] expected dtype 'float32' or 'int8', received {dtype!r}.")
    target = Path(path)
    target = target.with_suffix("") if target.suffix in (".c", ".h") else target
    name = c_text.identifier(target.name) if name is None else name
    if re.search(r'["\\\x00-\x1f]', target.name):
        raise ValueError(f"[{WHERE}] expected a file name that #include takes, received {target.name!r}.")
    listing = listing_of(_folded(model, dtype == "int8"), WHERE, (*FORMULAS, *CALLED))
    source = Source(listing, name, dtype == "int8")
    if not re.fullmatch(r"[A-Za-z_]\w*", str(name), re.ASCII) or source.takes(name):
        raise ValueError(
            f"[{WHERE}] expected a name that C takes for a function, and that neither the file nor C's library uses "
            f"itself, received {name!r}. Give name=..."
        )
    for suffix, text in ((".h", source.header()), (".c", source.text(f"{target.name}.h"))):
        with atomic_path(target.with_name(target.name + suffix)) as scratch:
            scratch.write_text(text, encoding="utf-8")


def _folded(model: Any, rounded: bool) -> Any:
    if not can_fold(model) or model._inputs is None:
        return model
    try:
        return folded(model, rounded)
    except NotImplementedError:  # a layer of one's own that cannot be copied
        return model


class _Memory:
    """Floats of the workspace, taken and given back: the first gap that is large enough."""

    def __init__(self) -> None:
        self.size = 0
        self._used: dict[int, int] = {}  # offset to size

    def take(self, size: int) -> int:
        at = 0
        for offset in sorted(self._used):
            if offset - at >= size:
                break
            at = offset + self._used[offset]
        self._used[at] = max(size, 1)
        self.size = max(self.size, at + max(size, 1))
        return at

    def give(self, offset: int) -> None:
        del self._used[offset]


class Source:
    """The text of a listing.

    Steps that work element by element and follow one another are one loop; every other step is a call of a helper.
    """

    def __init__(self, listing: Listing, name: str, int8: bool) -> None:
        self.listing, self.name, self.int8 = listing, name, int8
        self._arrays: dict[str, np.ndarray] = {}
        self._memory = _Memory()
        self._at: dict[int, int] = {}  # values in the workspace
        self._same = {s.output: s.inputs[0] for s in listing.steps if s.op == "reshape"}
        self._c: dict[int, str] = {}  # what values are called
        self.inputs = _names("x", [column for column, _, _ in listing.columns])
        self.outputs = _names("y", [output for output, _ in listing.outputs])
        self._units = list(self._cut([s for s in listing.steps if s.op != "reshape"]))
        self._last = {self.root(v): i for i, unit in enumerate(self._units) for s in unit for v in s.inputs}
        self._last.update({self.root(value): len(self._units) for _, value in listing.outputs})
        self.lines: list[str] = []
        self._layers = ""  # the last that were named
        self._write()

    def root(self, value: int) -> int:
        """The value whose memory this one is."""
        while value in self._same:
            value = self._same[value]
        return value

    def _cut(self, steps: list[Step]) -> Iterator[list[Step]]:
        """Steps that are one loop, or single ones."""
        unit: list[Step] = []
        for step in steps:
            if unit and not self._continues(unit, step):
                yield unit
                unit = []
            unit.append(step)
        if unit:
            yield unit

    def _continues(self, unit: list[Step], step: Step) -> bool:
        if unit[-1].key not in FORMULAS or step.key not in FORMULAS:
            return False
        shape, made = self.listing.sample(unit[0].output), {s.output for s in unit}
        inside = [v for v in step.inputs if self.root(v) in made]
        return all(self.listing.sample(v) == shape for v in (step.output, *inside))

    # Writing.

    def _write(self) -> None:
        for value, feed in self.listing.feeds.items():
            if value in self._last:
                self._feed(value, feed)
        for i, unit in enumerate(self._units):
            kept = [s for s in unit if self._last.get(s.output, -1) > i]
            dying = {self.root(v) for s in unit for v in s.inputs if self._last[self.root(v)] == i}
            loop = unit[0].key in FORMULAS
            self._name(unit)
            over = {v for v in dying if loop or unit[0].op in _IN_PLACE}
            for step in kept:
                self._place(step, over)
            if loop:
                self._loop(unit, kept)
            elif kept:
                self._call(unit[0])
            for value in dying:
                if value in self._at:
                    self._memory.give(self._at.pop(value))
        for (_, value), y in zip(self.listing.outputs, self.outputs, strict=True):
            root = self.root(value)
            if self._c[root] != y:
                size = math.prod(self.listing.sample(value))
                self.lines.append(f"    memcpy({y}, {self._c[root]}, {size} * sizeof *{y});")

    def _name(self, unit: list[Step]) -> None:
        layers = c_text.comment(", ".join(dict.fromkeys(s.layer for s in unit)))
        if layers != self._layers:
            self.lines.append(f"    /* {layers} */")
        self._layers = layers

    def _feed(self, value: int, feed: Any) -> None:
        x, (_, _, given) = self.inputs[feed.source[1]], self.listing.columns[feed.source[1]]
        if feed.dtype != "int32" and given != "int32":
            self._c[value] = x
            return
        size = math.prod(self.listing.sample(value))
        self._at[value] = self._memory.take(size)
        text = f"(float){x}[i]" if given == "int32" else f"truncf({x}[i])"
        self._c[value] = f"v{value}"
        self.lines.append(f"    float *const v{value} = s + {self._at[value]};")
        self.lines.append(f"    for (size_t i = 0; i < {size}; ++i) v{value}[i] = {text};")

    def _place(self, step: Step, over: set[int]) -> None:
        """Memory for what a step makes: an output of the function, what is not read any more, or a gap."""
        value, size = step.output, math.prod(self.listing.sample(step.output))
        free = [y for (_, v), y in zip(self.listing.outputs, self.outputs, strict=True)
                if self.root(v) == value and y not in self._c.values()]  # fmt: skip
        if free:
            self._c[value] = free[0]
            return
        same = [v for v in over if v in self._at and self.listing.sample(v) == self.listing.sample(value)]
        if same:
            over.discard(same[0])
            self._at[value] = self._at.pop(same[0])
        else:
            self._at[value] = self._memory.take(size)
        self._c[value] = f"v{value}"
        self.lines.append(f"    float *const v{value} = s + {self._at[value]};")

    def operand(self, value: int) -> str:
        """The C name of a value."""
        if value in self.listing.arrays:
            return self.array(f"w{value}", self.listing.arrays[value].astype(np.float32))
        return self._c[self.root(value)]

    def array(self, name: str, values: np.ndarray) -> str:
        """The name of a constant array."""
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise ValueError(f"[{WHERE}] expected finite weights, received NaN or Inf.")
        self._arrays[name] = values
        return name

    # Element by element.

    def _loop(self, unit: list[Step], kept: list[Step]) -> None:
        shape, made = self.listing.sample(unit[0].output), {s.output for s in unit}
        read = list(dict.fromkeys(v for s in unit for v in s.inputs if self.root(v) not in made))
        axes, strides = walk(shape, [self.listing.sample(v) for v in read])
        body, names = [], {}
        for value, steps in zip(read, strides, strict=True):
            values = self.listing.arrays.get(value)
            names[value] = f"a{value}"
            if values is not None and values.size == 1:
                names[value] = literal(values.item())
                continue
            body.append((names[value], f"const float a{value} = {self.operand(value)}[{index(steps)}];"))
        for step in unit:
            operands = [names.get(v, f"t{self.root(v)}") for v in step.inputs]
            body.append((f"t{step.output}", f"const float t{step.output} = {formula(step, operands)};"))
        whole = index([math.prod(axes[i + 1 :]) for i in range(len(axes))])
        ends = [f"{self._c[step.output]}[{whole}] = t{step.output};" for step in kept]
        used = " ".join([text.partition("=")[2] for _, text in body] + ends)
        lines = [text for name, text in body if re.search(rf"\b{name}\b", used)] + ends
        for depth, size in enumerate(axes):
            self.lines.append(f"    for (size_t i{depth} = 0; i{depth} < {size}; ++i{depth})")
        self.lines[-1] += " {"
        self.lines += [f"        {line}" for line in lines] + ["    }"]

    # Other steps.

    def _call(self, step: Step) -> None:
        y = self._c[step.output]
        self.lines += [f"    {line}" for line in CALLS[step.op](self, step, y)]

    def sizes(self, value: int, axis: int) -> tuple[int, int, int]:
        """Elements before an axis (the batch not counted), on it and behind it."""
        shape = self.listing.shapes[value]
        axis %= len(shape)
        return math.prod(shape[1:axis]), int(shape[axis]), math.prod(shape[axis + 1 :])

    def scratch(self, size: int) -> str:
        """Floats for one step."""
        at = self._memory.take(size)
        self._memory.give(at)
        return f"s + {at}"

    # The files.

    def takes(self, name: str) -> bool:
        """Whether a function of this name would be in the way of another one, or hidden by a parameter."""
        hidden = (*self.inputs, *self.outputs, "scratch", "n", "i")
        return name in hidden or c_text.is_taken(name)

    @property
    def on_stack(self) -> bool:
        """Whether the function's own stack holds the workspace."""
        return self._memory.size <= _ON_STACK

    def _signature(self, suffix: str = "", first: str = "") -> str:
        kinds = ["int32_t" if dtype == "int32" else "float" for _, _, dtype in self.listing.columns]
        parameters = [f"const {kind} *{x}" for kind, x in zip(kinds, self.inputs, strict=True)]
        parameters += [f"float *{y}" for y in self.outputs] + ([] if self.on_stack else ["float *scratch"])
        return f"void {self.name}{suffix}({first}{', '.join(parameters)})"

    def header(self) -> str:
        """The .h file."""
        upper = self.name.upper()
        sizes = [(x, shape[1:]) for x, (_, shape, _) in zip(self.inputs, self.listing.columns, strict=True)]
        sizes += [(y, self.listing.sample(v)) for y, (_, v) in zip(self.outputs, self.listing.outputs, strict=True)]
        defines = [f"#define {upper}_{n.upper()}_SIZE {math.prod(shape)} /* {_axes(shape)} */" for n, shape in sizes]
        scratch = "" if self.on_stack else f"#define {upper}_SCRATCH {self._memory.size} /* floats */\n"
        memory = (
            f"Each call takes about {4 * self._memory.size} bytes of the stack."
            if self.on_stack
            else f"`scratch` is {upper}_SCRATCH floats of the caller's, another for each thread."
        )
        return f"""/* {self.name}: a network, written by hotloop.
 *
 * {self.name}() computes one sample, {self.name}_batch() n of them, one behind the other in each array. Arrays do not
 * overlap. Nothing is allocated and nothing kept between calls: threads may call at the same time.
 * {memory} */
#ifndef {upper}_H
#define {upper}_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {{
#endif

{chr(10).join(defines)}
{scratch}
{self._signature()};
{self._signature("_batch", "size_t n, ")};

#ifdef __cplusplus
}}
#endif

#endif
"""

    def text(self, header: str) -> str:
        """The .c file."""
        upper = self.name.upper()
        body = "\n".join(self.lines)
        stack = f"    float s[{self._memory.size}];\n"
        stack = stack if self.on_stack else "    float *const s = scratch;\n"
        stack = stack if re.search(r"\bs \+", body) else "" if self.on_stack else "    (void)scratch;\n"
        stack += "".join(f"    (void){x};\n" for x in self.inputs if not re.search(rf"\b{x}\b", body))
        moved = [f"{p} + i * {upper}_{p.upper()}_SIZE" for p in (*self.inputs, *self.outputs)]
        arguments = ", ".join(moved + ([] if self.on_stack else ["scratch"]))
        arrays = "\n".join(c_text.array(name, values) for name, values in self._arrays.items())
        return f"""#include "{header}"

#include <math.h>
#include <string.h>

{arrays}{c_text.helpers_for(body)}
{self._signature()}
{{
{stack}{body}
}}

{self._signature("_batch", "size_t n, ")}
{{
    for (size_t i = 0; i < n; ++i) {self.name}({arguments});
}}
"""


def _names(letter: str, of: list[str]) -> list[str]:
    if len(of) == 1:
        return [letter]
    names: dict[str, str] = {}  # by what macros make of them
    for name in of:
        base = unused = f"{letter}_{c_text.identifier(name)}"
        number = 0
        while unused.upper() in names:
            number += 1
            unused = f"{base}_{number}"
        names[unused.upper()] = unused
    return list(names.values())


def _axes(shape: Any) -> str:
    return " x ".join(str(n) for n in shape) or "1"
