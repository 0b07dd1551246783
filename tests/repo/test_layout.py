"""The rules of docs/architecture.md that a reader relies on: who includes what, and where things are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CSRC = ROOT / "csrc"
ORDER = ["core", "ops", "backend", "graph", "train", "bindings"]
SOURCES = sorted(p for p in CSRC.rglob("*") if p.suffix in (".h", ".cpp", ".inc", ".def", ".cu", ".cuh"))
GENERATED = {"ops/stems.h", "ops/stems_cpu.inc", "ops/stems_cuda.inc"}


def includes(path: Path) -> list[str]:
    """Quoted includes."""
    return re.findall(r'^\s*#\s*include\s+"([^"]+)"', path.read_text(), re.MULTILINE)


def files_with(pattern: str) -> set[str]:
    """Files of csrc whose code, comments left out, matches."""
    code = {p: re.sub(r"//.*", "", p.read_text()) for p in SOURCES}
    return {p.relative_to(CSRC).as_posix() for p, text in code.items() if re.search(pattern, text, re.MULTILINE)}


def stems() -> list[str]:
    """Of ops.def, in order."""
    return list(dict.fromkeys(re.findall(r"^HL_OP\((\w+),", (CSRC / "ops/ops.def").read_text(), re.MULTILINE)))


@pytest.mark.parametrize("folder", ORDER)
def test_no_folder_of_the_engine_includes_one_that_is_built_on_it(folder):
    allowed = ORDER[: ORDER.index(folder) + 1]
    for path in SOURCES:
        if path.parent.name == folder:
            reached = [i for i in includes(path) if i.split("/")[0] not in allowed]
            assert not reached, f"{path.relative_to(ROOT)} includes {reached}"


def test_rules_never_see_a_kernel_and_kernels_never_see_a_rule():
    for stem in stems():
        rule = includes(CSRC / f"ops/{stem}_rule.cpp")
        assert not [i for i in rule if i.endswith("_cpu.h") or "simd" in i], f"{stem}_rule.cpp includes {rule}"
        assert includes(CSRC / f"ops/{stem}_cpu.h") == [], f"{stem}_cpu.h must include nothing"
        for name in includes(CSRC / f"ops/{stem}.h"):
            assert name not in ("ops/op.h", "ops/rules.h", "ops/kernels.h"), f"{stem}.h includes {name}"


def test_every_include_names_a_file():
    for path in SOURCES:
        for name in set(includes(path)) - GENERATED:
            assert (CSRC / name).is_file(), f"{path.relative_to(ROOT)} includes {name}"


@pytest.mark.parametrize(
    ("what", "pattern", "where"),
    [
        ("pybind11", r"#\s*include\s*[<\"](pybind11|Python\.h)", r"bindings/"),
        ("OpenMP", r"#\s*pragma\s+omp|#\s*include\s*<omp\.h>", r"core/team\.cpp"),
        ("the environment", r"\bgetenv\b", r"core/config\.cpp"),
        ("intrinsics", r"\b_mm(256|512)?_\w+\(|\bv(ld|st)1q?_f", r"core/(simd\w*|philox_simd)\.h|ops/gemm_cpu\.h"),
        ("CUDA", r"#\s*include\s*<cuda|\bcuda[A-Z]\w+\(|__global__", r"core/cuda\.cuh?|backend/cuda_row\.inc"),
        ("intrinsic headers", r"#\s*include\s*<(immintrin|arm_neon)\.h>", r"backend/cpu_row\.inc"),
    ],
)
def test_one_place_knows(what, pattern, where):
    outside = [f for f in files_with(pattern) if not re.match(where, f)]
    assert not outside, f"{what} appears in {outside}"


def test_a_gpu_can_run_the_text_of_every_kernel():
    for path in (CSRC / "ops").glob("*_c*.h"):
        bare = re.findall(r"^void (\w+)\(const \w+& \w+, const RunState&", path.read_text(), re.M)
        assert not bare, f"{path.name}: write HL_KERNEL_TEXT before {', '.join(bare)}"


def test_no_compiler_flag_changes_what_arithmetic_means():
    build = (ROOT / "CMakeLists.txt").read_text()
    assert "-ffp-contract=off" in build
    assert "fast-math" not in build


def test_an_op_is_found_by_its_stem():
    for stem in stems():
        for suffix in (".h", "_rule.cpp", "_cpu.h"):
            assert (CSRC / f"ops/{stem}{suffix}").is_file(), f"{stem}{suffix} is missing"


def test_every_kernel_of_the_list_has_its_text_and_no_other_file_lists_kernels():
    text = "\n".join((CSRC / f"ops/{stem}_cpu.h").read_text() for stem in stems())
    kernels = re.findall(r"^HL_KERNEL\((\w+),", (CSRC / "ops/kernels.def").read_text(), re.MULTILINE)
    missing = [k for k in kernels if not re.search(rf"\bvoid {k}\(", text)]
    assert not missing


def test_the_build_names_every_source():
    build = (ROOT / "CMakeLists.txt").read_text()
    derived = re.compile(r"ops/\w+_rule\.cpp|backend/cpu_\w+\.cpp")
    files = [p.relative_to(ROOT).as_posix() for p in SOURCES if p.suffix == ".cpp"]
    unbuilt = [f for f in files if not derived.search(f) and f not in build]
    assert not unbuilt


@pytest.mark.parametrize("path", ["csrc", "python", "tests", "benchmarks", "tools", "examples"])
def test_files_stay_short_enough_to_read(path):
    long = {
        p.relative_to(ROOT).as_posix(): n
        for p in (ROOT / path).rglob("*")
        if p.suffix in (".h", ".cpp", ".inc", ".py") and (n := len(p.read_text().splitlines())) > 600
    }
    assert not long
