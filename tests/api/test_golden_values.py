"""Single numbers that Keras 3 gave for the same calls (tools/record_golden.py)."""

from __future__ import annotations

import json
import pathlib

import numpy as np
import pytest

import golden_values
import hotloop as keras

RECORDED = json.loads((pathlib.Path(__file__).parent.parent / "golden" / "values.json").read_text())


@pytest.mark.parametrize("name", list(golden_values.VALUES))
def test_a_call_gives_keras_number(name):
    got = np.asarray(golden_values.VALUES[name](keras), np.float64)
    want = np.asarray(RECORDED[name], np.float64)
    assert got.shape == want.shape
    np.testing.assert_allclose(got, want, rtol=3e-6, atol=1e-7 * np.abs(want).max())


def test_every_recorded_number_is_compared():
    assert set(RECORDED) - {"recorded_with"} == set(golden_values.VALUES)
