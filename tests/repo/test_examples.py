"""The scripts of examples/ run as they stand; very_deep.py runs in tests/api/test_residual.py, examples/chapter in
tests/chapter."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "examples"
SCRIPTS = sorted(path.name for path in FOLDER.glob("*.py") if path.name != "very_deep.py")
SHORTER = {"housing_compare.py": ["--seeds", "1"], "pretraining.py": ["--quick"]}


@pytest.mark.parametrize("name", SCRIPTS)
def test_an_example_runs(name, tmp_path, request):
    text = (FOLDER / name).read_text()
    for package in ("pandas", "sklearn"):
        if re.search(rf"^(?:import|from) {package}", text, re.MULTILINE):
            pytest.importorskip(package)
    for data, fixture in (("mnist", "mnist_file"), ("california_housing", "california_file")):
        if data in text:
            request.getfixturevalue(fixture)
    command = [sys.executable, str(FOLDER / name), *SHORTER.get(name, [])]
    child = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert child.returncode == 0, child.stderr
    assert child.stdout.strip()
