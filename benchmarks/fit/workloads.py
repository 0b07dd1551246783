"""The networks that are timed, and the synthetic data they learn."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

FLOAT = 4  # bytes
MNIST_ROWS = 60_000
MAX_ROWS = 20_000


@dataclass(frozen=True)
class Workload:
    """A dense network, its optimizer and its batch.

    Attributes
    ----------
    widths : tuple of int
        Inputs, hidden layers, outputs.
    activation : str
        Of the hidden layers: "relu" or "elu".
    batch_norm : bool
        Dense (no bias) -> batch normalisation -> activation, instead of dense -> activation.
    dropout : float
        Rate after each hidden activation.
    loss : str
        "classes": softmax cross-entropy of integer labels; "mse": mean squared error.
    optimizer : str
        "sgd", "momentum" (0.9) or "adam".
    predict : bool
        Not training: a call predicts `batch` rows, array in, array out.
    images : bool
        x is uint8, and the first layer divides it by 255.
    precision : str
        Of the products: "float32", "tf32" or "bfloat16"; of the last two only GPUs have their own.
    mnist : bool
        The data set itself, from $HOTLOOP_HOME/datasets/mnist.npz, and not random numbers.
    """

    name: str
    widths: tuple[int, ...]
    batch: int
    optimizer: str
    activation: str = "relu"
    batch_norm: bool = False
    dropout: float = 0.0
    loss: str = "classes"
    predict: bool = False
    images: bool = False
    precision: str = "float32"
    mnist: bool = False

    @property
    def layers(self) -> list[tuple[int, int]]:
        """(inputs, outputs) of every dense layer."""
        return list(zip(self.widths[:-1], self.widths[1:], strict=True))

    @property
    def rate(self) -> float:
        """Learning rate."""
        return {"sgd": 0.01, "momentum": 0.01, "adam": 0.001}[self.optimizer]

    @property
    def rows(self) -> int:
        """Rows of the data set: whole batches, enough of them that an epoch's own cost is not the story."""
        if self.predict:
            return self.batch
        if self.mnist:
            return MNIST_ROWS // self.batch * self.batch
        steps = min(2000, max(4, MAX_ROWS // self.batch))
        return steps * self.batch

    @property
    def steps(self) -> int:
        """Steps of an epoch; of predictions, calls that count as one."""
        if self.predict:
            return max(1, 1000 // self.batch)
        return self.rows // self.batch

    @property
    def parameters(self) -> int:
        """Trainable numbers."""
        norm = sum(n for _, n in self.layers[:-1]) if self.batch_norm else 0
        return sum(k * n + n for k, n in self.layers) + norm

    def flops(self) -> float:
        """Of one training step: forward, weight gradients, and input gradients of all layers but the first."""
        products = [2.0 * self.batch * k * n for k, n in self.layers]
        if self.predict:
            return sum(products)
        return 3 * sum(products) - products[0]

    def bytes_updated(self) -> float:
        """Read and written by the optimizer: weights and slots."""
        if self.predict:
            return 0.0
        slots = {"sgd": 0, "momentum": 1, "adam": 2}[self.optimizer]
        return 2.0 * FLOAT * self.parameters * (1 + slots)

    def working_set(self) -> float:
        """Weights, slots, gradients and activations: what a step touches again in the next one."""
        if self.predict:
            return FLOAT * (self.parameters + float(self.batch) * sum(self.widths))
        slots = {"sgd": 0, "momentum": 1, "adam": 2}[self.optimizer]
        return FLOAT * (self.parameters * (2 + slots) + 2.0 * self.batch * sum(self.widths))

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """x (rows, inputs) float32 in [0, 1), and y: labels (rows,) int32 or targets (rows, 1) float32."""
        if self.mnist:
            return mnist("train", self.rows)
        rng = np.random.default_rng(0)
        x = rng.random((self.rows, self.widths[0]), dtype=np.float32)
        teacher = rng.standard_normal((self.widths[0], self.widths[-1])).astype(np.float32)
        signal = (x - 0.5) @ teacher / np.sqrt(self.widths[0] / 12)
        if self.loss == "mse":
            return x, signal + 0.1 * rng.standard_normal(signal.shape, dtype=np.float32)
        if self.images:
            x = (255 * x).astype(np.uint8)
        return x, signal.argmax(axis=1).astype(np.int32)


def mnist(part: str, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Images as float32 in [0, 1], and their labels; `part` is "train" or "test"."""
    path = Path(os.environ.get("HOTLOOP_HOME", "~/.hotloop")).expanduser() / "datasets" / "mnist.npz"
    if not path.is_file():
        raise NotImplementedError(f"needs {path}: set HOTLOOP_HOME to a folder with datasets/mnist.npz")
    with np.load(path) as arrays:
        x, y = arrays[f"x_{part}"][:rows], arrays[f"y_{part}"][:rows]
    return x.reshape(len(x), -1).astype(np.float32) / 255, y.astype(np.int32)


DEEP = (784, *[100] * 10, 10)
WORKLOADS = {
    w.name: w
    for w in [
        Workload("784-300-100-10 b32 momentum", (784, 300, 100, 10), 32, "momentum"),
        Workload("784-300-100-10 b32 adam", (784, 300, 100, 10), 32, "adam"),
        Workload("784-64-64-10 b64 adam", (784, 64, 64, 10), 64, "adam"),
        Workload("784-300-100-10 b200 adam", (784, 300, 100, 10), 200, "adam"),
        Workload("784-10x100-10 bn elu dropout b64 adam", DEEP, 64, "adam", "elu", True, 0.2),
        Workload("784-16-10 b1 sgd", (784, 16, 10), 1, "sgd"),
        Workload("784-16-10 b1 momentum", (784, 16, 10), 1, "momentum"),
        Workload("8-64-64-1 b32 adam mse", (8, 64, 64, 1), 32, "adam", loss="mse"),
        Workload("784-3x1024-10 b1024 adam", (784, 1024, 1024, 1024, 10), 1024, "adam"),
        Workload("predict 1 row 16-64-64-4", (16, 64, 64, 4), 1, "sgd", predict=True),
        Workload("predict 1 row 784-300-100-10", (784, 300, 100, 10), 1, "sgd", predict=True),
        Workload("predict 10000 rows 784-300-100-10", (784, 300, 100, 10), 10_000, "sgd", predict=True),
        Workload("uint8 images 784-300-100-10 b32 adam", (784, 300, 100, 10), 32, "adam", images=True),
    ]
}
WIDE, WIDEST = (784, 1024, 1024, 1024, 10), (784, 4096, 4096, 4096, 4096, 10)
# What is timed on a GPU, beside some of the above.
DEVICE_WORKLOADS = {
    w.name: w
    for w in [
        WORKLOADS["784-300-100-10 b32 adam"],
        Workload("784-300-100-10 b128 adam", (784, 300, 100, 10), 128, "adam"),
        WORKLOADS["784-64-64-10 b64 adam"],
        WORKLOADS["784-10x100-10 bn elu dropout b64 adam"],
        WORKLOADS["784-3x1024-10 b1024 adam"],
        Workload("784-3x1024-10 b1024 adam tf32", WIDE, 1024, "adam", precision="tf32"),
        Workload("784-3x1024-10 b1024 adam bfloat16", WIDE, 1024, "adam", precision="bfloat16"),
        Workload("784-4x4096-10 b8192 adam bfloat16", WIDEST, 8192, "adam", precision="bfloat16"),
    ]
}
TO_ACCURACY = Workload("mnist 784-300-100-10 b128 adam", (784, 300, 100, 10), 128, "adam", mnist=True)
# To try a device run where there is no GPU.
TINY_WORKLOADS = {w.name: w for w in [Workload("tiny 20-16-4 b8 adam", (20, 16, 4), 8, "adam")]}
TINY_TO_ACCURACY = Workload("mnist 784-16-10 b128 adam", (784, 16, 10), 128, "adam", mnist=True)
ALL = {w.name: w for w in (TO_ACCURACY, TINY_TO_ACCURACY)} | WORKLOADS | DEVICE_WORKLOADS | TINY_WORKLOADS
