"""The script that shows what a GPU does, as far as it runs without one."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

import pytest

import hotloop

ROOT = pathlib.Path(__file__).parent.parent.parent
SCRIPT = ROOT / "tools" / "gpu_check.sh"
STAGES = ("build", "check", "sanitize", "measure")

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a script for Linux")
sys.path.insert(0, str(ROOT))  # benchmarks/ is not installed


def run(*arguments, folder):
    environment = {**os.environ, "PYTHON": sys.executable, "GPU_CHECK_BUILD": str(folder), "OUT": str(folder / "out")}
    return subprocess.run([str(SCRIPT), *arguments], env=environment, capture_output=True, text=True)


def test_a_dry_run_names_every_part_and_runs_none(tmp_path):
    done = run("all", "--dry-run", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    for stage in STAGES:
        assert any(line.startswith(stage) for line in done.stdout.splitlines())
    for word in ("DHOTLOOP_CUDA=ON", "HOTLOOP_BACKEND=cuda", "memcheck", "racecheck", "benchmarks.gpu", "trajectories"):
        assert word in done.stdout
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize("arguments", [(), ("chek",), ("check", "--device", "tpu")])
def test_a_wrong_word_is_refused(arguments, tmp_path):
    done = run(*arguments, folder=tmp_path)
    assert done.returncode == 2
    assert "expected" in done.stdout


def test_a_stage_goes_on_after_a_part_fails_and_says_so_at_the_end(tmp_path):
    (tmp_path / "cuda_emulated").mkdir()
    (tmp_path / "cuda_emulated" / "site").mkdir()  # nothing in it: no hotloop
    done = run("check", "--device", "cuda_emulated", "--seconds", "15", folder=tmp_path)
    assert done.returncode == 1
    assert "check: device (" in done.stdout.split("not passed:")[1]
    parts = json.loads((tmp_path / "out" / "check.json").read_text())["parts"]
    assert len(parts) > 4
    assert {part["name"]: part["status"] for part in parts}["device"] == "failed"
    # "passed": another hotloop may be installed
    assert {part["status"] for part in parts} <= {"failed", "left", "stopped", "passed"}
    assert "=== ops" in (tmp_path / "out" / "check.log").read_text()


@pytest.mark.skipif("cuda_emulated" not in hotloop.devices(), reason="this build has no row cuda_emulated")
def test_a_part_that_has_passed_is_not_run_again(tmp_path):
    (tmp_path / "cuda_emulated").mkdir()
    (tmp_path / "cuda_emulated" / "site").symlink_to(pathlib.Path(hotloop.__file__).parent.parent)
    command = ("check", "--device", "cuda_emulated", "--part", "device")
    first, second = (run(*command, folder=tmp_path) for _ in range(2))
    assert first.returncode == second.returncode == 0
    assert "=== check: device" in first.stdout
    assert "=== check: device" not in second.stdout
    parts = json.loads((tmp_path / "out" / "check.json").read_text())["parts"]
    assert [(part["name"], part["status"]) for part in parts] == [("device", "passed")]


def peer(us, ratio=None):
    spread = {"median": us, "low": us, "high": us}
    return {"us": spread, "loss": 1.0} | ({"ratio": dict.fromkeys(spread, ratio)} if ratio else {})


def test_the_report_says_what_was_reached_what_not_and_what_is_absent():
    from benchmarks.gpu import report

    small, large = "784-64-64-10 b64 adam", "784-3x1024-10 b1024 adam bfloat16"
    results = {
        "a": {"name": small, "absent": {},
              "peers": {"hotloop": peer(8, 1), "jax_scan": peer(32, 4), "torch_graphs": peer(50, 6)}},
        "b": {"name": large, "absent": {"hotloop": "has no kernels for bfloat16"}, "peers": {"torch_eager": peer(300)}},
        "c": {"name": "mnist", "accuracy": 0.98, "absent": {"jax_scan": "died"},
              "peers": {"hotloop": [{"seconds": 0.2, "epochs": 3, "accuracy": 0.981}]}},
    }  # fmt: skip
    stages = {"check": {"parts": [{"name": "ops", "status": "failed", "seconds": 9, "last": "1 failed | 3 passed"}]}}
    lines = report.markdown({"gpu": "H200"}, stages, results).splitlines()
    assert f"| {small} | 8.0 | jax_scan 32.0 | 4.00 [4.00 .. 4.00] | 3x, 10 us | yes |" in lines
    assert f"| {large} | absent: has no kernels for bfloat16 | torch_eager 300.0 | - | 1.5x | no |" in lines
    assert "- hotloop: 0.200 (3 epochs, 0.9810)" in lines
    assert "- jax_scan: absent: died" in lines
    assert "| check | ops | failed | 9 | 1 failed / 3 passed |" in lines
    assert "| build | - | not run | - | - |" in lines


def test_the_measurements_run_from_end_to_end_at_tiny_sizes(tmp_path):
    pytest.importorskip("torch")
    command = [sys.executable, "-m", "benchmarks.gpu", "--device", "cpu", "--tiny", "--out", str(tmp_path)]
    path = os.pathsep.join([str(pathlib.Path(hotloop.__file__).parent.parent), str(ROOT)])
    environment = {**os.environ, "PYTHONPATH": path, "HOTLOOP_HOME": str(tmp_path / "nothing")}
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    results = {r["name"]: r for r in json.loads((tmp_path / "gpu.json").read_text())["results"]}
    assert results["optimizer pass"]["bytes_per_second"] > 0
    assert set(results["float32 product"]["kernels"]) >= {"dense_forward", "dense_backward_params"}
    assert "set HOTLOOP_HOME" in results["mnist"]["absent"]["hotloop"]
    tiny = results["tiny 20-16-4 b8 adam"]
    assert {"hotloop", "torch_eager"} <= set(tiny["peers"])
    assert "torch_graphs" in tiny["absent"]
