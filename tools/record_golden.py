"""Record what Keras 3 computes for tests/golden_cases.py and tests/golden_values.py.

Run it where Keras and JAX are installed (the recorded files name the versions); the tests then need neither:

    pip install keras jax
    KERAS_BACKEND=jax python tools/record_golden.py
"""

from __future__ import annotations

import json
import os
import pathlib
import sys

import numpy as np

os.environ.setdefault("KERAS_BACKEND", "jax")
TESTS = pathlib.Path(__file__).resolve().parent.parent / "tests"
sys.path.insert(0, str(TESTS))

import keras  # noqa: E402

import golden_cases  # noqa: E402
import golden_values  # noqa: E402


def main() -> None:
    runs = {
        f"{name}/{key}": value
        for name, case in golden_cases.CASES.items()
        for key, value in golden_cases.run(case, keras).items()
    }
    folder = TESTS / "golden"
    folder.mkdir(exist_ok=True)
    np.savez_compressed(folder / "trajectories.npz", **runs)
    values = {name: np.asarray(call(keras), np.float64).tolist() for name, call in golden_values.VALUES.items()}
    about = {"keras": keras.__version__, "backend": keras.backend.backend(), "numpy": np.__version__}
    lines = ",\n".join(f" {json.dumps(name)}: {json.dumps(value)}" for name, value in values.items())
    (folder / "values.json").write_text(f'{{"recorded_with": {json.dumps(about)},\n{lines}}}\n')
    print(f"{len(golden_cases.CASES)} runs, {len(values)} values, Keras {keras.__version__}")


if __name__ == "__main__":
    main()
