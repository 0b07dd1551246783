"""An RBM beside scikit-learn's BernoulliRBM on the 8x8 digits: 100 units, batches of 32, 10 epochs, in turns.

A run makes the machine and trains it. scikit-learn trains with persistent chains; ours both ways. Medians of ratios,
with quartiles, and the mean pseudo-likelihood of the training data.

    python -m benchmarks.rbm [--rounds 15]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import hotloop as keras
from hotloop.pretraining import RBM


def ours(x: np.ndarray, **options: Any) -> RBM:
    rbm = RBM(100, **options)
    rbm.fit(x, batch_size=32, epochs=10, verbose=0)
    return rbm


def theirs(x: np.ndarray) -> Any:
    from sklearn.neural_network import BernoulliRBM

    return BernoulliRBM(100, batch_size=32, n_iter=10, learning_rate=0.1).fit(x)


def timed(train: Callable[[], Any], score: Callable[[Any], np.ndarray]) -> tuple[float, float]:
    start = time.perf_counter()
    machine = train()
    seconds = time.perf_counter() - start
    return seconds, float(np.mean([score(machine).mean() for _ in range(10)]))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rbm", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    (train, _), (test, _) = keras.datasets.digits.load_data()
    x = np.concatenate([train, test]).reshape(-1, 64) / 16
    single = x.astype(np.float32)
    runs: dict[str, tuple[Callable[[], Any], Callable[[Any], np.ndarray]]] = {
        "CD-1": (lambda: ours(single), lambda rbm: rbm.pseudo_likelihood(x)),
        "persistent": (lambda: ours(single, persistent=True), lambda rbm: rbm.pseudo_likelihood(x)),
        "scikit-learn float64": (lambda: theirs(x), lambda rbm: rbm.score_samples(x)),
        "scikit-learn float32": (lambda: theirs(single), lambda rbm: rbm.score_samples(single)),
    }
    found = {name: np.array([timed(*run)]) for name, run in runs.items()}  # not counted: warming up
    for i in range(rounds):
        for name, run in runs.items():
            result = np.array([timed(*run)])
            found[name] = result if i == 0 else np.concatenate([found[name], result])
    for name, values in found.items():
        print(f"{name:22} {1e3 * np.median(values[:, 0]):8.2f} ms   pseudo-likelihood {values[:, 1].mean():.2f}")
    for name in ("CD-1", "persistent"):
        for peer in ("scikit-learn float64", "scikit-learn float32"):
            ratio = np.quantile(found[peer][:, 0] / found[name][:, 0], [0.25, 0.5, 0.75])
            print(f"{name} against {peer}: {ratio[1]:.1f}x ({ratio[0]:.1f} to {ratio[2]:.1f})")


if __name__ == "__main__":
    main()
