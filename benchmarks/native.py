"""Small C++ programs of the benchmarks, compiled when they are needed."""

from __future__ import annotations

import atexit
import functools
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@functools.cache
def _folder() -> Path:
    """A temporary folder that lives as long as the process."""
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    return Path(folder.name)


@functools.cache
def program(source: Path, *flags: str) -> Path:
    """The compiled program. The system's compiler makes it, or the one that CXX names."""
    compiler = os.environ.get("CXX") or shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        raise SystemExit(f"{source.name} needs a C++ compiler, found none. Install one or set CXX.")
    target = _folder() / f"{source.stem}-{len(list(_folder().iterdir()))}"
    subprocess.run([compiler, "-std=c++17", *flags, str(source), "-o", str(target)], check=True)
    return target


def row_flags(row: str) -> list[str]:
    """What CMakeLists.txt compiles a row of the kernel table with."""
    build = (ROOT / "CMakeLists.txt").read_text()
    match = re.search(rf"add_row\({row} ([^)]*)\)", build)
    assert match is not None
    common = ["-O3", "-ffp-contract=off", "-fno-exceptions", "-fno-math-errno", "-fno-trapping-math"]
    return [*common, *match[1].split(), f"-I{ROOT / 'csrc'}", f"-I{ROOT}", f"-DHL_ISA_{row.upper()}"]
