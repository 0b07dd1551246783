"""Fixtures that every test may use."""

from __future__ import annotations

import collections
import os
import pathlib

import numpy as np
import pytest

import hotloop
from hotloop import _core

# What runs under sanitizers in CI: all that hands the engine shapes, layouts, addresses and threads.
SANITIZED = ("ops/", "train/", "api/test_bad_input.py")
# What measures the memory of the process: sanitizers hold freed memory back.
MEASURES_MEMORY = ("test_memory_does_not_grow", "test_a_memory_map_in_another_layout_stays_on_disk")
HERE = pathlib.Path(__file__).parent


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "sanitize: the part of the suite that runs under sanitizers")
    config.addinivalue_line("markers", "races: the part of it in which several threads work, for ThreadSanitizer")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--count", type=int, default=2, help="how many runs tests/train/test_resume.py kills")
    parser.addoption("--networks", type=int, default=20, help="how many trainings are compared with Keras's")
    parser.addoption(
        "--every", type=int, default=1, metavar="N", help="of each test and dtype the first case and every N-th"
    )


def _sample(items: list[pytest.Item], every: int) -> list[pytest.Item]:
    seen: collections.Counter[tuple[str, str]] = collections.Counter()
    kept = []
    for item in items:
        name, _, case = item.nodeid.partition("[")
        key = (name, " ".join(dtype for dtype in ("float32", "float64") if dtype in case))
        if seen[key] % every == 0:
            kept.append(item)
        seen[key] += 1
    return kept


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    kept = _sample(items, config.getoption("every"))
    if len(kept) < len(items):
        config.hook.pytest_deselected(items=[item for item in items if item not in kept])
        items[:] = kept
    for item in items:
        inside = item.path.is_relative_to(HERE) and item.path.relative_to(HERE).as_posix().startswith(SANITIZED)
        if inside and not item.name.startswith(MEASURES_MEMORY):
            item.add_marker("sanitize")
            if item.path.parent.name == "train" or "any_team" in item.name:
                item.add_marker("races")


@pytest.fixture(scope="session", autouse=True)
def backend() -> str:
    """The row in use, which is the row asked for: a suite that silently ran on another one has shown nothing."""
    asked = os.environ.get("HOTLOOP_BACKEND")
    for dtype in ("float32", "float64"):
        row = _core.row(dtype)
        if asked and row != asked:
            pytest.fail(f"HOTLOOP_BACKEND={asked}, but {dtype} runs on row {row}")
        assert row in _core.rows()
    return _core.row("float32")


@pytest.fixture(autouse=True)
def _seeds() -> None:
    """Every test starts from the same random state, in whatever order tests run."""
    hotloop.utils.set_random_seed(20_240_229)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture
def float64():
    hotloop.config.set_floatx("float64")
    yield
    hotloop.config.set_floatx("float32")


@pytest.fixture(params=["float32", "float64"])
def dtype(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=["cuda", "cuda_emulated"])
def device(request: pytest.FixtureRequest) -> str:
    """A device that is not the processor."""
    if request.param not in hotloop.devices():
        pytest.skip(f"this machine or build has no device '{request.param}' (HOTLOOP_CUDA, HOTLOOP_EMULATED)")
    return request.param


@pytest.fixture(scope="session")
def data_folder() -> pathlib.Path:
    """The real data sets; hotloop itself looks in the same place."""
    home = pathlib.Path(os.environ.get("HOTLOOP_HOME", "~/.hotloop")).expanduser()
    return home / "datasets"


def _need(folder: pathlib.Path, name: str) -> pathlib.Path:
    if not (folder / name).is_file():
        pytest.skip(f"{name} is not in {folder}: set HOTLOOP_HOME to a folder with datasets/{name}")
    return folder / name


@pytest.fixture(scope="session")
def mnist_file(data_folder: pathlib.Path) -> pathlib.Path:
    return _need(data_folder, "mnist.npz")


@pytest.fixture(scope="session")
def fashion_mnist_file(data_folder: pathlib.Path) -> pathlib.Path:
    return _need(data_folder, "fashion_mnist.npz")


@pytest.fixture(scope="session")
def california_file(data_folder: pathlib.Path) -> pathlib.Path:
    return _need(data_folder, "california_housing.csv")
