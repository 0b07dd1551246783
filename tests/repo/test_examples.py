"""The scripts of examples/ run as they stand, and the guide's tables are those of their kept results; very_deep.py runs
in tests/api/test_residual.py, examples/chapter in tests/chapter."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).resolve().parents[2] / "examples"
SCRIPTS = sorted(path.name for path in FOLDER.glob("*.py") if path.name not in ("very_deep.py", "paired.py"))
SHORTER = {"housing_compare.py": ["--seeds", "1"]}
SHORTER |= {name: ["--quick"] for name in ("pretraining.py", "siamese.py", "transfer.py")}
RESULTS = json.loads((FOLDER / "results.json").read_text())


@pytest.fixture
def paired(monkeypatch):
    """The module that examples which compare share."""
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module("paired")


@pytest.mark.parametrize("name", SCRIPTS)
def test_an_example_runs(name, tmp_path, request):
    text = (FOLDER / name).read_text()
    for package in ("pandas", "sklearn"):
        if re.search(rf"^(?:import|from) {package}", text, re.MULTILINE):
            pytest.importorskip(package)
    for data, fixture in (
        (" keras.datasets.mnist", "mnist_file"),
        ("fashion_mnist", "fashion_mnist_file"),
        ("california_housing", "california_file"),
    ):
        if data in text:
            request.getfixturevalue(fixture)
    command = [sys.executable, str(FOLDER / name), *SHORTER.get(name, [])]
    child = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert child.returncode == 0, child.stderr
    assert child.stdout.strip()


@pytest.mark.parametrize("name", ["pretraining", "siamese", "transfer"])
def test_the_guide_has_the_table_of_the_kept_results(paired, name):
    found = RESULTS[name]["found"]
    assert {len(values) for ways in found.values() for values in ways.values()} == {5}
    table = paired.Comparison(tuple(RESULTS[name]["heads"]), found).table()
    assert table in (FOLDER.parent / "docs/guide.md").read_text()


def test_intervals_are_students_and_differences_are_taken_seed_by_seed(paired):
    base, other = [0.5, 0.6, 0.7, 0.8, 0.9], [0.52, 0.61, 0.73, 0.82, 0.92]
    # mean 0.7, standard deviation 0.158114, t(0.975, 4) = 2.776445
    assert paired.interval(np.array(base)) == "70.00 ± 19.63"
    comparison = paired.Comparison(("task", "way"))
    for seed, (a, b) in enumerate(zip(base, other, strict=True)):
        comparison.add(seed, "t", "none", a)
        comparison.add(seed, "t", "new", b)
    *_, first, second = comparison.table().splitlines()
    assert first == "| t | none | 70.00 ± 19.63 |  |"
    assert second.endswith("| 2.00 ± 0.88 |")
    assert (
        comparison.versus("new", "none")
        == "new against none: better in 5 of 5 runs, worse in 0, difference 2.00 ± 0.88"
    )
