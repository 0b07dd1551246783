"""The types an editor shows for the compiled module are those it has."""

from __future__ import annotations

import ast
import inspect
import sys
from pathlib import Path

from hotloop import _core

ROOT = Path(__file__).resolve().parents[2]
STUB = ROOT / "python" / "hotloop" / "_core.pyi"
sys.path.insert(0, str(ROOT / "tools"))

import make_stubs  # noqa: E402

Signatures = dict[str, list[str] | None]


def in_stub() -> Signatures:
    """Parameters by dotted name; None for a class."""
    found: Signatures = {}
    for node in ast.parse(STUB.read_text()).body:
        if isinstance(node, ast.FunctionDef):
            found[node.name] = [a.arg for a in node.args.args]
        elif isinstance(node, ast.ClassDef):
            found[node.name] = None
            for member in node.body:
                if isinstance(member, ast.FunctionDef):
                    found[f"{node.name}.{member.name}"] = [a.arg for a in member.args.args]
    return found


def in_module() -> Signatures:
    """The same, from the extension."""
    found: Signatures = {}
    for name, value in make_stubs.public(dict(vars(_core))):
        if not inspect.isclass(value):
            found[name] = parameters(value.__doc__)
            continue
        found[name] = None
        if not issubclass(value, BaseException):
            for key, member in make_stubs.public(dict(vars(value))):
                doc = member.fget.__doc__ if isinstance(member, property) else member.__doc__
                if "->" in (doc or ""):
                    found[f"{name}.{key}"] = parameters(doc)
    return found


def parameters(doc: str) -> list[str]:
    """Names only: how types are spelled depends on the version of pybind11."""
    call, _ = make_stubs.signature(doc)
    return [a.arg for a in ast.parse(f"def f({call}): ...").body[0].args.args]


def test_editors_and_mypy_see_every_function_of_the_extension_with_its_parameters():
    """Run tools/make_stubs.py after a change of csrc/bindings."""
    assert in_stub() == in_module()


def test_type_checkers_know_that_the_package_is_typed():
    assert (STUB.parent / "py.typed").is_file()
