"""Sphinx: the guides as they lie here, and a page of reference for every public module, from its docstrings.

sphinx-build -W docs OUT
"""

import importlib
import inspect
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import hotloop

project = "hotloop"
author = "the hotloop authors"
version = release = hotloop.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "numpydoc"]
default_role = "literal"
html_theme = "alabaster"
html_theme_options = {"description": "Dense neural networks at the speed of the machine", "page_width": "68em"}
html_show_sphinx = html_show_copyright = False
add_module_names = False
autodoc_member_order = "bysource"
autodoc_typehints = "none"
numpydoc_show_class_members = False
myst_heading_anchors = 3
suppress_warnings = ["myst.xref_missing"]  # links to files of the repository: tests/repo checks that they are there

MODULES = (
    "models", "layers", "activations", "initializers", "regularizers", "constraints", "losses", "metrics",
    "optimizers", "optimizers.schedules", "callbacks", "ops", "random", "datasets.digits", "datasets.mnist",
    "datasets.fashion_mnist", "datasets.california_housing", "utils", "config", "backend", "inference", "pretraining",
    "pruning", "saving", "search", "catalog", "table", "testing",
)  # fmt: skip
PAGES = Path(__file__).parent / "reference"


def public(module: ModuleType) -> list[str]:
    """What the module says is public, else what has its home there and no underscore."""
    if hasattr(module, "__all__"):
        return list(module.__all__)
    ours = [n for n, v in vars(module).items() if getattr(v, "__module__", "").startswith(module.__name__)]
    return [name for name in ours if not name.startswith("_")]


def entries(where: str, names: list[str]) -> list[str]:
    """The directives for names of a module; objects that are called like functions are listed by what they say."""
    module, directives, objects = importlib.import_module(where), [], {}
    for name in names:
        value = getattr(module, name)
        if inspect.isclass(value):
            inherited = "   :inherited-members: Layer\n" if name == "Model" else ""  # fit and its kin
            directives.append(f".. autoclass:: {where}.{name}\n   :members:\n{inherited}")
        elif inspect.isfunction(value):
            directives.append(f".. autofunction:: {where}.{name}\n")
        elif not inspect.ismodule(value):  # a module has its own page
            objects.setdefault(inspect.getdoc(value).splitlines()[0].rstrip("."), []).append(f"``{name}(x)``")
    return [*directives, *(f"{said}: {', '.join(found)}.\n" for said, found in objects.items())]


def signature(app: Any, what: str, name: str, value: Any, options: Any, found: str | None, returned: Any) -> Any:
    """A class is called as its `__init__` is, whatever `__new__` passes on."""
    if what != "class" or not inspect.isfunction(value.__init__):
        return None
    _, *others = inspect.signature(value.__init__).parameters.values()
    plain = [p.replace(annotation=inspect.Parameter.empty) for p in others]
    return str(inspect.Signature(plain)), None


def write_page(where: str, names: list[str]) -> None:
    """The page of one module."""
    lines = [where, "=" * len(where), "", f".. automodule:: {where}", "   :no-members:", ""]
    lines += [f".. currentmodule:: {where}", "", *entries(where, names)]
    (PAGES / f"{where}.rst").write_text("\n".join(lines))


def write_pages(_: Any) -> None:
    """A page a module, one of what the package itself has besides, and their list."""
    shutil.rmtree(PAGES, ignore_errors=True)
    PAGES.mkdir()
    found = {f"hotloop.{name}": public(importlib.import_module(f"hotloop.{name}")) for name in MODULES}
    there = {name for names in found.values() for name in names}
    found = {"hotloop": [name for name in hotloop.__all__ if name not in there], **found}
    for where, names in found.items():
        write_page(where, names)
    listed = "\n".join(f"   {where}" for where in found)
    (PAGES / "index.rst").write_text(f"Reference\n=========\n\n.. toctree::\n   :maxdepth: 1\n\n{listed}\n")


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.connect("builder-inited", write_pages)
    app.connect("autodoc-process-signature", signature)
