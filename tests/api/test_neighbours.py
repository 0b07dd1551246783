"""Other libraries with threads of their own in the process, imported in any order: everything trains, the same bits."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

SECONDS = 300  # a hang, not a slow machine
NEIGHBOURS = ("torch", "sklearn", "lightgbm")
JOBS = """
import hashlib, sys
import numpy as np

x = np.random.default_rng(0).standard_normal((640, 300), dtype=np.float32)
y = (x[:, 0] > 0).astype(np.int32)

def use_hotloop():
    import hotloop as keras
    keras.utils.set_random_seed(5)
    model = keras.Sequential([keras.Input((300,)), keras.layers.Dense(257, activation="relu"), keras.layers.Dense(2)])
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(x, y, epochs=3, verbose=0)
    arrays = [*model.get_weights(), model.predict(x, verbose=0)]
    print("hotloop", hashlib.sha256(b"".join(a.tobytes() for a in arrays)).hexdigest())

def use_torch():
    import torch
    model = torch.nn.Linear(300, 2)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    data, labels = torch.from_numpy(x), torch.from_numpy(y).long()
    first = torch.nn.functional.cross_entropy(model(data), labels)
    for _ in range(20):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(data), labels)
        loss.backward()
        optimizer.step()
    assert loss.item() < first.item()

def use_sklearn():
    from sklearn.ensemble import HistGradientBoostingClassifier
    assert HistGradientBoostingClassifier(max_iter=3).fit(x, y).score(x, y) > 0.9

def use_lightgbm():
    import lightgbm
    model = lightgbm.train({"objective": "binary", "verbose": -1}, lightgbm.Dataset(x, y), 5)
    assert np.mean((model.predict(x) > 0.5) == y) > 0.9

for name in sys.argv[1:]:
    __import__(name)
for name in [*sys.argv[1:], *reversed(sys.argv[1:])]:
    globals()["use_" + name]()
print("done")
"""


def trained(*order):
    """Hotloop's hash, where all these libraries are imported and then train in this order, and in its reverse."""
    command = [sys.executable, "-c", JOBS, *order]
    child = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
    assert child.returncode == 0, child.stderr
    *hashes, end = child.stdout.splitlines()
    assert end == "done"
    assert len(hashes) == 2
    (only,) = set(hashes)
    return only


@pytest.fixture(scope="module")
def alone():
    return trained("hotloop")


@pytest.mark.parametrize("neighbour", NEIGHBOURS)
@pytest.mark.parametrize("first", [True, False])
def test_training_beside_another_library_changes_bits_or_hangs(neighbour, first, alone):
    if importlib.util.find_spec(neighbour) is None:
        pytest.skip(f"{neighbour} is not installed")
    order = ("hotloop", neighbour) if first else (neighbour, "hotloop")
    assert trained(*order) == alone


# hotloop in every place between the others, and those in both directions.
ORDERS = [(*o[:i], "hotloop", *o[i:]) for o in (NEIGHBOURS, NEIGHBOURS[::-1]) for i in range(len(NEIGHBOURS) + 1)]


@pytest.mark.parametrize("order", ORDERS, ids="-".join)
def test_training_beside_all_of_them_in_any_order_changes_bits_or_hangs(order, alone):
    if missing := [name for name in NEIGHBOURS if importlib.util.find_spec(name) is None]:
        pytest.skip(f"not installed: {', '.join(missing)}")
    assert trained(*order) == alone
