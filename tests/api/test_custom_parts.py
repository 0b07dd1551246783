"""Classes and functions of one's own inside a model: every copy and file knows them by name."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import hotloop as keras
from hotloop.saving import FormatError
from saving_cases import L, X, Y, same_weights


def clipped(w):
    return np.clip(w, -0.5, 0.5)


def halves(shape, dtype=None):
    return np.full(shape, 0.5, dtype)


class AtMost(keras.constraints.Constraint):
    def __init__(self, most=1.0):
        self.most = most

    def __call__(self, w):
        return np.minimum(w, self.most)

    def get_config(self):
        return {"most": self.most}


class Filled(keras.initializers.Initializer):
    def __init__(self, value=0.25):
        self.value = value

    def __call__(self, shape, dtype=None):
        return np.full(shape, self.value, dtype)

    def get_config(self):
        return {"value": self.value}


class Zeros(Filled):
    """Named like one of the package's."""


class Falling(keras.optimizers.schedules.LearningRateSchedule):
    def __call__(self, step):
        return 0.1 / (1.0 + step)

    def get_config(self):
        return {}


class Dense(L.Layer):
    """Named like one of the package's, and something else."""

    def __init__(self, units=1, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape):
        self.w = self.add_weight((input_shape[-1], self.units), "ones", name="w")

    def call(self, inputs):
        return keras.ops.matmul(inputs, self.w) * 2.0

    def get_config(self):
        return {**super().get_config(), "units": self.units}


PARTS = {"Dense": Dense, "AtMost": AtMost, "Filled": Filled, "Zeros": Zeros, "Falling": Falling,
         "clipped": clipped, "halves": halves}  # fmt: skip


def with_parts():
    layers = [
        L.Dense(3, kernel_constraint=AtMost(0.3), kernel_initializer=Filled(0.1), bias_initializer=Zeros(0.7)),
        Dense(3),
        L.Dense(1, kernel_constraint=clipped, kernel_initializer=halves),
    ]
    model = keras.Sequential([keras.Input((4,)), *layers])
    model.compile(keras.optimizers.SGD(0.05), "mse")
    return model


def through_file(path):
    def through(model):
        model.save(path)
        return keras.models.load_model(path, custom_objects=PARTS)

    return through


WAYS = {
    "clone": lambda tmp_path: keras.models.clone_model,
    "deepcopy": lambda tmp_path: copy.deepcopy,
    "pickle": lambda tmp_path: lambda model: pickle.loads(pickle.dumps(model)),
    "safetensors": lambda tmp_path: through_file(tmp_path / "m.safetensors"),
    "keras": lambda tmp_path: through_file(tmp_path / "m.keras"),
    "h5": lambda tmp_path: through_file(tmp_path / "m.h5"),
}


@pytest.mark.parametrize("way", WAYS)
def test_parts_of_ones_own_survive_every_way_to_copy_a_model(tmp_path, way):
    if way in ("keras", "h5"):
        pytest.importorskip("h5py", reason="h5py is not installed")
    model = with_parts()
    model.fit(X, Y, batch_size=8, shuffle=False, verbose=0)
    again = WAYS[way](tmp_path)(model)
    first, _, last = again.layers
    assert [type(layer) for layer in again.layers] == [L.Dense, Dense, L.Dense]
    assert (type(first.kernel_constraint), first.kernel_constraint.most) == (AtMost, 0.3)
    assert (type(first.kernel_initializer), first.kernel_initializer.value) == (Filled, 0.1)
    assert (type(first.bias_initializer), first.bias_initializer.value) == (Zeros, 0.7)
    assert last.kernel_constraint is clipped
    assert last.kernel_initializer is halves
    if way == "clone":
        np.testing.assert_array_equal(last.kernel.numpy(), np.full((3, 1), 0.5, np.float32))
    else:
        assert same_weights(model, again)
        for one in (model, again):
            one.fit(X, Y, batch_size=8, shuffle=False, verbose=0)
        assert same_weights(model, again)


def test_a_schedule_of_ones_own_survives(tmp_path):
    model = with_parts()
    model.compile(keras.optimizers.SGD(Falling()), "mse")
    for way in ("clone", "deepcopy", "pickle"):
        assert type(WAYS[way](tmp_path)(model).optimizer._learning_rate) is Falling


def test_checkpoints_hold_models_with_parts_of_ones_own(tmp_path):
    model = with_parts()
    saved = keras.callbacks.ModelCheckpoint(tmp_path / "{epoch}.safetensors")
    model.fit(X, Y, epochs=2, verbose=0, callbacks=[saved])
    assert same_weights(model, keras.models.load_model(tmp_path / "2.safetensors", custom_objects=PARTS))


@pytest.mark.parametrize("missing", ["Dense", "AtMost", "Filled", "Zeros", "clipped", "halves"])
@pytest.mark.parametrize("ending", ["safetensors", "keras", "h5"])
def test_a_part_that_is_not_given_is_asked_for_by_name(tmp_path, missing, ending):
    if ending != "safetensors":
        pytest.importorskip("h5py", reason="h5py is not installed")
    with_parts().save(tmp_path / f"m.{ending}")
    given = {name: part for name, part in PARTS.items() if name != missing}
    with pytest.raises(FormatError, match=rf"custom_objects=.*{missing}"):
        keras.models.load_model(tmp_path / f"m.{ending}", custom_objects=given)


def test_what_has_no_name_or_anothers_is_refused_when_it_is_saved(tmp_path):
    def non_neg(w):
        return w

    def model(*layers):
        return keras.Sequential([keras.Input((4,)), *layers])

    def another():
        class Filled(keras.initializers.Initializer):
            def __call__(self, shape, dtype=None):
                return np.zeros(shape, dtype)

        return Filled

    for bad, why in (
        (model(L.Dense(2, kernel_constraint=lambda w: w)), "with a name"),
        (model(L.Dense(2, kernel_constraint=non_neg)), "name of its own"),
        (model(L.Dense(2, kernel_initializer=lambda shape, dtype=None: np.ones(shape))), "with a name"),
        (model(L.Dense(2, kernel_initializer=Filled(), bias_initializer=another()())), "two called 'Filled'"),
    ):
        with pytest.raises(ValueError, match=why):
            bad.save(tmp_path / "m.safetensors")
    assert list(tmp_path.iterdir()) == []
