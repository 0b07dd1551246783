"""Write ``python/hotloop/_core.pyi``, the types of the compiled module, from the signatures in its docstrings.

    python tools/make_stubs.py

Run it with pybind11 3 after a change of ``csrc/bindings``. ``tests/repo/test_stubs.py`` tells when the file is old.
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from types import ModuleType

TARGET = Path(__file__).resolve().parent.parent / "python" / "hotloop" / "_core.pyi"
HEAD = '''"""The compiled engine. Made by tools/make_stubs.py, do not edit."""

from collections.abc import Sequence
from typing import Any

import numpy
import numpy.typing

'''
NUMBER = r"(?:typing\.)?Supports(Int|Float) \| (?:typing\.)?SupportsIndex"
# How pybind11 spells a type -> how the stub does.
SPELLINGS = [
    (re.compile(NUMBER), lambda m: m[1].lower()),
    (re.compile(r'(?:typing\.)?Annotated\[(.*?), "[^"]*"\]'), lambda m: m[1]),
    (re.compile(r"(?:typing\.)?Annotated\[numpy\.typing\.ArrayLike, (\S+)\]"), r"numpy.typing.NDArray[\1]"),
    (re.compile(r"numpy\.ndarray"), "numpy.typing.NDArray[Any]"),
    (re.compile(r"collections\.abc\.Sequence"), "Sequence"),
    (re.compile(r"hotloop\._core\."), ""),
    (re.compile(r"(: \w+) = None"), r"\1 | None = None"),
    (re.compile(r"\bdict\b(?!\[)"), "dict[str, Any]"),
    (re.compile(r"\blist\b(?!\[)"), "list[dict[str, Any]]"),
    (re.compile(r"\btuple\b(?!\[)"), "tuple[Any, ...]"),
]


def signature(doc: str) -> tuple[str, str]:
    """The first line of a pybind11 docstring as (parameters, result) in the stub's words."""
    line = doc.strip().splitlines()[0]
    for pattern, replacement in SPELLINGS:
        line = pattern.sub(replacement, line)
    parameters, result = line[line.index("(") + 1 :].rsplit(") -> ", 1)
    return re.sub(r"^(self|arg0): \w+", "self", parameters), result


def description(doc: str) -> list[str]:
    """The docstring without its signature."""
    return [line for line in doc.strip().splitlines()[1:] if line]


def function(name: str, doc: str, indent: str = "") -> list[str]:
    """A function or method."""
    parameters, result = signature(doc)
    text = description(doc)
    lines = [f"{indent}def {name}({parameters}) -> {result}:" + ("" if text else " ...")]
    if text:
        lines.append(f'{indent}    """{" ".join(text)}"""')
    return lines


def public(names: dict[str, object]) -> list[tuple[str, object]]:
    """Members worth a line, in their order."""
    return [(k, v) for k, v in names.items() if not k.startswith("_") or k in ("__init__", "__len__")]


def of_class(name: str, cls: type) -> list[str]:
    """A class with its methods and properties, or an exception."""
    if issubclass(cls, BaseException):
        return [f"class {name}({cls.__base__.__name__}): ..."]
    lines = [f"class {name}:", f'    """{(cls.__doc__ or "").strip()}"""']
    for key, member in public(dict(vars(cls))):
        if isinstance(member, property):
            getter = function(key, (member.fget.__doc__ or "") + "\n" + (member.__doc__ or ""), "    ")
            lines += ["    @property", *getter]
        elif "->" in (member.__doc__ or ""):
            lines += function(key, member.__doc__, "    ")
    return lines


def stub(module: ModuleType) -> str:
    """The text of the stub file."""
    members = sorted(public(dict(vars(module))))
    blocks = [of_class(k, v) if inspect.isclass(v) else function(k, v.__doc__) for k, v in members]
    return HEAD + "\n".join(line for block in blocks for line in [*block, ""]).rstrip() + "\n"


def main() -> None:
    """Run as a command."""
    from hotloop import _core

    TARGET.write_text(stub(_core))
    print(f"wrote {TARGET.name}")


if __name__ == "__main__":
    main()
