"""The objects of the kernel table: none leaks into another, and the register tiles are compiled as meant."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def build_folder() -> Path:
    """Where CMake left the objects: a build by hand, or one that pip was told to keep."""
    if not shutil.which("nm") or not shutil.which("objdump"):
        pytest.skip("nm and objdump (GNU binutils) are not installed")
    if not (named := os.environ.get("HOTLOOP_BUILD_DIR")):
        pytest.skip("HOTLOOP_BUILD_DIR does not name the build folder")
    if not list(Path(named).rglob("cpu_*.cpp.o")):
        pytest.fail(f"HOTLOOP_BUILD_DIR={named} holds no objects")
    return Path(named)


def check(tool: str, build_folder: Path) -> None:
    result = subprocess.run([sys.executable, str(ROOT / tool), str(build_folder)], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def test_an_old_processor_never_runs_code_of_a_newer_one(build_folder):
    check("tools/check_isa_symbols.py", build_folder)


def test_sums_of_a_product_stay_in_registers(build_folder):
    if os.uname().machine != "x86_64":
        pytest.skip("the tiles are read as x86-64 code")
    check("tools/check_microkernels.py", build_folder)


def test_the_generic_row_needs_the_baseline_alone(build_folder):
    if os.uname().machine != "x86_64":
        pytest.skip("the baseline has vector registers of one width here")
    (generic,) = build_folder.rglob("cpu_generic.cpp.o")
    code = subprocess.run(["objdump", "-d", "--no-show-raw-insn", str(generic)], capture_output=True, text=True).stdout
    assert "%xmm" in code
    assert "%ymm" not in code
    assert "%zmm" not in code
