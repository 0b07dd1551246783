"""What the documents print works as printed."""

from __future__ import annotations

import doctest
import importlib
import importlib.util
import inspect
import pkgutil
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import hotloop

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")]
DOCUMENTS += sorted((ROOT / "docs").glob("*.md"))
MODULES = sorted(
    m.name for m in pkgutil.walk_packages(hotloop.__path__, "hotloop.") if not m.name.endswith(("__main__", "_core"))
)


def blocks(path: Path, language: str) -> list[str]:
    """Fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", path.read_text(), re.MULTILINE | re.DOTALL)


def run(*command: str, cwd: Path) -> str:
    """Standard output of a command that must succeed."""
    result = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=600)
    assert result.returncode == 0, result.stderr
    return result.stdout


def can_import(code: str) -> bool:
    """Whether the extras that an example imports are installed."""
    return all(importlib.util.find_spec(name) for name in re.findall(r">>> (?:import|from) (\w+)", code))


@pytest.mark.parametrize("path", [p for p in DOCUMENTS if blocks(p, "python")], ids=lambda p: p.name)
def test_the_blocks_of_a_page_run_in_order_as_printed(path, tmp_path):
    run(sys.executable, "-W", "error", "-c", "\n".join(blocks(path, "python")), cwd=tmp_path)


def test_the_readme_promises_ten_lines_that_learn_the_digits(tmp_path):
    (code,) = blocks(ROOT / "README.md", "python")
    assert len([line for line in code.splitlines() if line.strip()]) <= 10
    loss, accuracy = re.findall(r"[0-9.e-]+", run(sys.executable, "-c", code, cwd=tmp_path).splitlines()[-1])
    assert float(loss) < 0.5
    assert float(accuracy) > 0.93


def test_the_readme_calls_missing_what_is_there():
    text = (ROOT / "README.md").read_text().split("## What Keras has")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `([\w.]+)` \| (.*) \|$", text, re.MULTILINE)
    assert rows
    for module, names in rows:
        place = hotloop if module == "keras" else importlib.import_module(f"hotloop.{module}")
        assert [name for name in re.findall(r"`(\w+)`", names) if hasattr(place, name)] == [], module


def test_the_readme_has_its_two_commands():
    commands = "".join(blocks(ROOT / "README.md", "sh"))
    assert "pip install . && hotloop train\n" in commands
    assert "pip install '.[test]' && pytest\n" in commands


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: p.name)
def test_links_lead_to_files(path):
    for target in re.findall(r"\]\(([^)#]+)\)", path.read_text()):
        if not target.startswith("http"):
            assert (path.parent / target).exists(), target


def test_the_reference_has_a_page_for_every_public_module():
    pages = runpy.run_path(str(ROOT / "docs/conf.py"))["MODULES"]
    modules = {name for name in hotloop.__all__ if inspect.ismodule(getattr(hotloop, name))}
    assert modules == modules & {page.split(".")[0] for page in pages}


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "docs/architecture.md"])
def test_files_that_the_guides_name_exist(name):
    text = (ROOT / name).read_text()
    for path in re.findall(r"`((?:csrc|python|tests|tools|docs|benchmarks)/[\w./]+\.\w+)`", text):
        if "foo" not in path:
            assert (ROOT / path).is_file(), path


def test_benchmarks_that_the_guides_name_start(tmp_path):
    text = "".join(path.read_text() for path in DOCUMENTS)
    for module in sorted(set(re.findall(r"python -m (benchmarks[\w.]*)", text))):
        command = "import runpy, sys; sys.path.insert(0, sys.argv.pop(1)); sys.argv[1:] = ['--help']; "
        command += f"runpy.run_module({module!r}, run_name='__main__', alter_sys=True)"
        assert "usage: python -m" in run(sys.executable, "-c", command, str(ROOT), cwd=tmp_path)


def test_presets_that_the_guide_names_exist():
    named = re.findall(r"--workflow --preset (\S+)`", (ROOT / "CONTRIBUTING.md").read_text())
    presets = (ROOT / "CMakePresets.json").read_text()
    assert named
    assert all(f'"name": "{name}"' in presets for name in named)


@pytest.mark.parametrize("module", MODULES)
def test_examples_in_docstrings_print_what_they_say(module, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if module == "hotloop.catalog":
        monkeypatch.setenv("HOTLOOP_HOME", str(tmp_path))
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    for example in doctest.DocTestFinder(exclude_empty=True).find(importlib.import_module(module)):
        if can_import(example.docstring or ""):
            runner.run(example)
    assert runner.summarize(verbose=False).failed == 0
