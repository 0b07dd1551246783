"""A message leads to the mistake that was made, not to another one."""

from __future__ import annotations

import numpy as np
import pytest

import hotloop as keras

L = keras.layers
X, Y = np.ones((4, 2), np.float32), np.ones((4, 1), np.float32)


def model(units=1, **arguments):
    made = keras.Sequential([keras.Input((2,)), L.Dense(units)])
    made.compile(loss="mse", **arguments)
    return made


def test_a_generator_that_ends_early_is_blamed_for_too_few_batches():
    with pytest.warns(RuntimeWarning, match=r"expected data for 3 epochs, received a generator that ended after 1"):
        history = model().fit(((X, Y) for _ in range(2)), epochs=3, verbose=0)
    assert len(history.history["loss"]) == 1


def test_a_misspelt_accuracy_is_taken_for_another_metric():
    with pytest.raises(ValueError, match="Did you mean 'accuracy'"):
        model(metrics=["acuracy"])


def test_a_flat_target_of_a_regression_is_sent_to_a_crossentropy():
    with pytest.raises(ValueError, match="give the last layer one unit") as refusal:
        model(units=2).fit(X, Y[:, 0], verbose=0)
    assert "crossentropy" not in str(refusal.value)
    with pytest.raises(ValueError, match="sparse_categorical_crossentropy"):
        model(units=2).fit(X, Y[:, 0].astype(int), verbose=0)


@pytest.mark.parametrize(
    ("base", "use"),
    [
        (L.Layer, lambda thing: thing.weights),
        (L.Dense, lambda thing: thing.units),
        (keras.Model, lambda thing: thing.fit(X, Y)),
        (keras.Sequential, lambda thing: thing.add(L.Dense(1))),
        (keras.losses.MeanSquaredError, lambda thing: model().compile(loss=thing)),
        (keras.metrics.MeanSquaredError, lambda thing: thing.update_state(Y, Y)),
        (keras.optimizers.SGD, lambda thing: model(optimizer=thing).fit(X, Y)),
    ],
)
def test_a_class_without_the_constructor_of_its_base_fails_somewhere_else(base, use):
    class Mine(base):
        def __init__(self):
            pass

    with pytest.raises(AttributeError, match=r"\[Mine\] expected `super\(\).__init__\(\)` first"):
        use(Mine())


def test_an_attribute_that_is_not_there_is_blamed_on_the_constructor():
    with pytest.raises(AttributeError, match="has no defined input_shape"):
        _ = keras.Sequential().input_shape
    with pytest.raises(AttributeError, match="object has no attribute 'nothing'"):
        _ = L.Dense(1).nothing


@pytest.mark.parametrize("save", ["save", "save_weights", "export_c", "export_onnx"])
def test_a_missing_folder_is_called_by_the_name_of_a_hidden_file(save, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"expected the folder '.*nowhere' to exist"):
        getattr(model(), save)(tmp_path / "nowhere" / "m.safetensors")


@pytest.mark.parametrize("save", ["save", "save_weights"])
def test_an_empty_file_name_fails_inside_pathlib(save):
    with pytest.raises(ValueError, match=r"that ends in \.safetensors or .*, received ''\. Use 'model\.safetensors'"):
        getattr(model(), save)("")


@pytest.mark.parametrize("shuffle", [[[1], [1, 2]], np.arange(4), {}, None, 0.5, "rows", object()])
def test_a_shuffle_that_means_nothing_fails_inside_numpy(shuffle):
    with pytest.raises(ValueError, match=r"\[fit\] expected shuffle to be True, False or 'batch', received"):
        model().fit(X, Y, shuffle=shuffle, verbose=0)


@pytest.mark.parametrize("call", ["fit", "evaluate"])
def test_one_line_for_each_epoch_is_missing_where_the_length_is_unknown(call, capsys):
    getattr(model(), call)(((X, Y) for _ in range(3)), verbose=2)
    assert "3/3" in capsys.readouterr().out


def test_a_layer_whose_first_parameter_is_not_called_self_cannot_be_saved(tmp_path):
    class Mine(L.Layer):
        def __init__(this, units, **others):  # noqa: N805
            super().__init__(**others)
            this.units, this.inner = units, L.Dense(units)

        def call(this, inputs):  # noqa: N805
            return this.inner(inputs)

    made = keras.Sequential([keras.Input((2,)), Mine(3, name="mine")])
    made.save(tmp_path / "m.safetensors")
    again = keras.models.load_model(tmp_path / "m.safetensors", custom_objects={"Mine": Mine})
    assert again.layers[0].units == 3
    np.testing.assert_array_equal(again.predict(X, verbose=0), made.predict(X, verbose=0))


@pytest.mark.parametrize(
    ("module", "name", "meant"),
    [
        ("layers", "Desne", "Dense"),
        ("losses", "mean_square_error", "mean_squared_error"),
        ("metrics", "Precison", "Precision"),
        ("optimizers", "Addam", "Adam"),
        ("optimizers.schedules", "CosineDeacy", "CosineDecay"),
        ("callbacks", "EarlyStoping", "EarlyStopping"),
        ("initializers", "HeNormall", "HeNormal"),
        ("activations", "rellu", "relu"),
        ("ops", "matmull", "matmul"),
        ("ops", "sigmod", "sigmoid"),
        ("utils", "to_categorial", "to_categorical"),
        ("models", "Sequental", "Sequential"),
        ("datasets", "minst", "mnist"),
        ("config", "set_flotx", "set_floatx"),
        ("", "Sequental", "Sequential"),
    ],
)
def test_a_misspelt_name_of_a_module_is_not_recognised(module, name, meant):
    place = keras
    for part in module.split(".") if module else []:
        place = getattr(place, part)
    full = "hotloop" + ("." + module if module else "")
    with pytest.raises(AttributeError) as refusal:
        getattr(place, name)
    assert str(refusal.value) == f"module '{full}' has no attribute '{name}'. Did you mean '{meant}'?"
    assert not hasattr(place, "_no_such_name")
    with pytest.raises(AttributeError, match=f"^module '{full}' has no attribute 'zzzzzzzz'.$"):
        place.zzzzzzzz  # noqa: B018 - asking is what fails
    assert hasattr(place, meant)
