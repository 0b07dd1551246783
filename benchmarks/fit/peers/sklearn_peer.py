"""scikit-learn: `MLPClassifier.fit`, `MLPRegressor.fit`."""

from __future__ import annotations

import time
import warnings

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor
from threadpoolctl import threadpool_limits

from benchmarks import machine
from benchmarks.fit.workloads import Workload

warnings.simplefilter("ignore", ConvergenceWarning)


class Peer:
    """See :mod:`benchmarks.fit.peers`."""

    def __init__(self, workload: Workload, x: np.ndarray, y: np.ndarray) -> None:
        if workload.batch_norm or workload.dropout or workload.activation != "relu":
            raise NotImplementedError("scikit-learn has no batch normalisation, no dropout and no ELU")
        kind = MLPRegressor if workload.loss == "mse" else MLPClassifier
        self.model = kind(
            hidden_layer_sizes=workload.widths[1:-1],
            batch_size=workload.batch,
            solver="adam" if workload.optimizer == "adam" else "sgd",
            momentum=0.9 if workload.optimizer == "momentum" else 0.0,
            nesterovs_momentum=False,
            learning_rate_init=workload.rate,
            alpha=0.0,
            tol=0.0,
            warm_start=True,
            n_iter_no_change=10**9,
        )
        self.x, self.y = x, y.ravel()
        self.choose_threads(8 * workload.batch + 100)

    def choose_threads(self, rows: int) -> None:
        """Keep the number of BLAS threads that trains some steps fastest."""
        timings = {}
        for threads in {1, machine.cores()}:
            with threadpool_limits(threads):
                start = time.perf_counter()
                clone(self.model).set_params(max_iter=3).fit(self.x[:rows], self.y[:rows])
                timings[threads] = time.perf_counter() - start
        threadpool_limits(min(timings, key=timings.__getitem__))

    def epochs(self, n: int) -> None:
        """Train."""
        self.model.set_params(max_iter=n)
        self.model.fit(self.x, self.y)

    def loss(self) -> float:
        """Training loss."""
        if isinstance(self.model, MLPRegressor):
            return float(np.mean((self.model.predict(self.x) - self.y) ** 2))
        p = self.model.predict_proba(self.x)
        columns = np.searchsorted(self.model.classes_, self.y)
        return float(-np.mean(np.log(np.maximum(p[np.arange(len(p)), columns], 1e-30))))
