"""ONNX Runtime: the network exported from PyTorch. It predicts only."""

from __future__ import annotations

import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import torch

from benchmarks import machine
from benchmarks.fit.peers.torch_common import network
from benchmarks.fit.workloads import Workload


def predictor(workload: Workload, x: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """`InferenceSession.run`, with the number of threads it is fastest with."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = str(Path(folder) / "network.onnx")
        torch.onnx.export(network(workload).eval(), (torch.from_numpy(x),), path, input_names=["x"], dynamo=False)
        timings = []
        for threads in sorted({1, machine.cores()}):
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = threads
            session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
            calls = 5 if workload.batch > 1 else 500
            for _ in range(2):
                start = time.perf_counter()
                for _ in range(calls):
                    session.run(None, {"x": x})
            timings.append((time.perf_counter() - start, threads, session))
    best = min(timings, key=lambda timing: timing[0])[2]
    return lambda x: best.run(None, {"x": x})[0]
