"""The ops that are timed: sizes of the networks in ``benchmarks.fit``, and awkward ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Case:
    """One op with its inputs.

    Attributes
    ----------
    inputs : list of tuple
        Shapes, rows first; a shape whose first entry is a str is "labels": integers below its second entry.
    variables : list of tuple
        Shapes.
    attrs : dict
        Of the node.
    """

    op: str
    inputs: list[tuple[Any, ...]]
    variables: list[tuple[int, ...]] = field(default_factory=list)
    attrs: dict[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """What the line is called: shapes and what distinguishes the case."""
        shapes = " ".join("x".join(map(str, s)) for s in [self.inputs[0], *self.variables[:1]])
        words = [v for k, v in self.attrs.items() if k in ("kind", "activation") and v != "identity"]
        return " ".join([shapes, *words])

    def arrays(self, dtype: str) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Inputs and variables: the same numbers in either precision."""
        rng = np.random.default_rng(0)
        rows = self.inputs[0][0]
        inputs = [
            rng.integers(0, s[1], rows).astype(np.int32)
            if s[0] == "labels"
            else rng.uniform(-1, 1, s).astype(np.float32).astype(dtype)
            for s in self.inputs
        ]
        variables = [rng.uniform(0.1, 1, s).astype(np.float32).astype(dtype) for s in self.variables]
        return inputs, variables


def dense(m: int, k: int, n: int, activation: str = "relu") -> Case:
    """A dense layer with bias."""
    return Case("dense", [(m, k)], [(k, n), (n,)], {"activation": activation})


def element_wise(m: int, f: int, kind: str) -> Case:
    """An activation on its own."""
    alpha = {"alpha": 1.0} if kind in ("elu", "leaky_relu") else {}
    return Case("activation", [(m, f)], [], {"kind": kind, **alpha})


def batch_norm(m: int, f: int) -> Case:
    """Batch normalisation in training."""
    attrs = {"training": True, "momentum": 0.99, "epsilon": 1e-3, "axis": -1, "center": True, "scale": True}
    return Case("batch_norm", [(m, f)], [(f,)] * 4, attrs)


CASES = [
    dense(32, 784, 300),
    dense(32, 300, 100),
    dense(32, 100, 10, "identity"),
    dense(1, 784, 300),
    dense(64, 784, 64),
    dense(64, 100, 100, "elu"),
    dense(200, 784, 300),
    dense(1024, 1024, 1024),
    dense(31, 130, 257),
    dense(7, 33, 17),
    *[element_wise(64, 1000, kind) for kind in ("relu", "elu", "selu", "sigmoid", "tanh", "softplus")],
    Case("softmax", [(64, 10)]),
    Case("softmax", [(64, 1000)]),
    batch_norm(64, 100),
    batch_norm(64, 1000),
    Case("dropout", [(64, 1000)], [], {"rate": 0.2, "stream": 0}),
    Case("affine", [(64, 784)], [], {"scale": 0.5, "offset": 0.0}),
    Case("standardize", [(64, 784)], [(784,), (784,)]),
    Case("add", [(64, 1000), (64, 1000)]),
    Case("concatenate", [(64, 300), (64, 100)], [], {"axis": -1}),
    Case("reduce", [(64, 1000)], [], {"kind": "mean", "axis": -1, "keepdims": False}),
    Case("loss", [(32, 10), ("labels", 10)], [], {"kind": "sparse_categorical_crossentropy", "from_logits": True}),
    Case("loss", [(32, 1), (32, 1)], [], {"kind": "mean_squared_error"}),
]
