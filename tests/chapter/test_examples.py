"""The scripts of examples/chapter run, and the tables in docs/chapter.md are those of the kept results."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "examples/chapter"
SCRIPTS = sorted(p.stem for p in FOLDER.glob("*.py") if not p.stem.startswith("_") and p.stem != "common")
RESULTS = json.loads((FOLDER / "results.json").read_text())


@pytest.fixture
def chapter(monkeypatch):
    """The package of the scripts."""
    monkeypatch.syspath_prepend(ROOT)
    return importlib.import_module("examples.chapter")


def test_a_run_of_the_chapter_leaves_no_script_out(chapter):
    assert sorted(chapter.SECTIONS) == SCRIPTS


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_measures_the_figures_of_its_table(chapter, name):
    section = importlib.import_module(f"examples.chapter.{name}").SECTION
    values = section.measure(seeds=1, short=True)
    assert list(values) == list(RESULTS[name])
    assert set(section.documents) <= set(values)
    assert all(len(row) == 4 for row in section.rows(values))


def test_the_tables_are_those_of_the_kept_results(chapter):
    page = (ROOT / "docs/chapter.md").read_text()
    assert importlib.import_module("examples.chapter.__main__").page(page, RESULTS) == page


def test_a_script_is_a_command(chapter, monkeypatch, capsys):
    module = importlib.import_module("examples.chapter.max_norm")
    monkeypatch.setattr("sys.argv", ["max_norm", "--seeds", "2", "--short"])
    module.SECTION.main()
    printed = capsys.readouterr().out
    assert "range over 2 seeds" in printed
    assert "0.9832" in printed
