"""California housing: `hotloop train`'s recipe beside scikit-learn's, on the same split.

Every contender gets the same 80 % of the rows. scikit-learn's get medians for missing values and indicator columns
for the category; the perceptron also standardised inputs and target, and otherwise each keeps its defaults.

    python examples/housing_compare.py [--seeds 42 0 1]

Needs pandas and scikit-learn.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from hotloop.datasets import california_housing
from hotloop.table import TableModel, split_rows

TARGET = "median_house_value"


def numbers(frame: pd.DataFrame, medians: pd.Series) -> np.ndarray:
    """Medians for missing values, an indicator column for each category."""
    inputs = frame.drop(columns=TARGET).fillna(medians)
    return pd.get_dummies(inputs, dtype=float).to_numpy()


def run_hotloop(frame: pd.DataFrame, learn: np.ndarray, test: np.ndarray, seed: int) -> np.ndarray:
    model = TableModel.train(frame.iloc[learn], TARGET, seed=seed, verbose=0)
    return model.predict(frame.iloc[test])


def run_sklearn(make: Callable[[int], object]) -> Callable[..., np.ndarray]:
    def run(frame: pd.DataFrame, learn: np.ndarray, test: np.ndarray, seed: int) -> np.ndarray:
        x = numbers(frame, frame.iloc[learn].median(numeric_only=True))
        y = frame[TARGET].to_numpy()
        return make(seed).fit(x[learn], y[learn]).predict(x[test])

    return run


def perceptron(seed: int) -> object:
    inner = make_pipeline(StandardScaler(), MLPRegressor(random_state=seed))
    return TransformedTargetRegressor(inner, transformer=StandardScaler())


CONTENDERS = {
    "hotloop train": run_hotloop,
    "MLPRegressor": run_sklearn(perceptron),
    "HistGradientBoostingRegressor": run_sklearn(lambda seed: HistGradientBoostingRegressor(random_state=seed)),
}


def main(seeds: list[int]) -> None:
    frame = pd.read_csv(california_housing.table_path())
    truth = frame[TARGET].to_numpy()
    errors: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    print(f"{'split':>5}  {'contender':<30} {'test RMSE':>10} {'seconds':>8}")
    for seed in seeds:
        learn, test = split_rows(len(frame), 0.2, seed)
        for name, run in CONTENDERS.items():
            start = time.perf_counter()
            predicted = run(frame, learn, test, seed)
            errors[name].append(float(np.sqrt(np.mean((predicted - truth[test]) ** 2))))
            print(f"{seed:>5}  {name:<30} {errors[name][-1]:>10,.0f} {time.perf_counter() - start:>8.1f}", flush=True)
    for name, values in errors.items():
        print(f"{'median':>6} {name:<30} {statistics.median(values):>10,.0f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[42, 0, 1])
    main(parser.parse_args().seeds)
