"""Model files: everything comes back, training goes on as if it had never stopped, and hostile files are refused."""

import copy
import os
import pickle
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import hotloop as keras
from hotloop.saving import FormatError, inspect
from saving_cases import (
    MODELS,
    OPTIMIZERS,
    L,
    X,
    Y,
    compiled,
    fit,
    frozen,
    nested,
    normalised,
    plain,
    same_weights,
    through_file,
    wide_and_deep,
)


@pytest.mark.parametrize("make", MODELS)
def test_a_model_comes_back_with_its_predictions(tmp_path, make):
    model = compiled(make)
    fit(model)
    again = through_file(model, tmp_path)
    assert type(again) is type(model)
    assert again.name == model.name
    assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers]
    assert [v.path for v in again.weights] == [v.path for v in model.weights]
    assert [v.trainable for v in again.weights] == [v.trainable for v in model.weights]
    assert same_weights(model, again)
    np.testing.assert_array_equal(again.predict(X, verbose=0), model.predict(X, verbose=0))
    assert again.evaluate(X, Y, verbose=0) == model.evaluate(X, Y, verbose=0)


@pytest.mark.parametrize("make", [normalised, wide_and_deep, nested, frozen])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_training_goes_on_bit_for_bit_as_if_it_had_not_stopped(tmp_path, make, optimizer):
    whole = compiled(make, optimizer)
    first = fit(whole, 2)
    again = through_file(whole, tmp_path)
    assert again.optimizer.batches == whole.optimizer.batches == 6
    assert fit(again, 3) == fit(whole, 3)
    assert same_weights(whole, again)

    uninterrupted = compiled(make, optimizer)
    history = fit(uninterrupted, 5)
    assert history["loss"][:2] == first["loss"]
    assert same_weights(uninterrupted, again) != whole.optimizer.use_ema  # with averages, every fit ends with them


def test_training_goes_on_in_another_process_and_with_other_threads(tmp_path):
    model = compiled(normalised)
    fit(model)
    model.save(tmp_path / "m.safetensors")
    np.savez(tmp_path / "data.npz", x=X, y=Y)
    fit(model, 3)
    script = f"""
        import numpy as np
        import hotloop as keras
        data = np.load({str(tmp_path / "data.npz")!r})
        model = keras.models.load_model({str(tmp_path / "m.safetensors")!r})
        model.fit(data["x"], data["y"], batch_size=16, epochs=3, verbose=0)
        model.save_weights({str(tmp_path / "w.safetensors")!r})
    """
    environment = {**os.environ, "HOTLOOP_NUM_THREADS": "3"}
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=True, env=environment)
    other = compiled(normalised)
    other.load_weights(tmp_path / "w.safetensors")
    assert same_weights(model, other)


@pytest.mark.parametrize("way", ["pickle", "deepcopy", "file"])
def test_all_ways_to_copy_a_model_go_on_alike(tmp_path, way):
    model = compiled(normalised)
    fit(model)
    ways = {"pickle": lambda m: pickle.loads(pickle.dumps(m)), "deepcopy": copy.deepcopy}
    again = ways.get(way, lambda m: through_file(m, tmp_path))(model)
    assert fit(again) == fit(model)
    assert same_weights(model, again)


def test_monte_carlo_dropout_goes_on_with_fresh_masks(tmp_path):
    model = compiled(normalised)
    fit(model)
    model(X, training=True)
    again = through_file(model, tmp_path)
    np.testing.assert_array_equal(again(X, training=True), model(X, training=True))


def test_a_model_that_was_never_compiled_or_trained_comes_back(tmp_path):
    model = plain()
    assert not through_file(model, tmp_path).compiled
    model.compile("adam", "mse")
    again = through_file(model, tmp_path)
    assert again.optimizer.iterations == 0
    fit(again)


def test_compile_false_leaves_the_model_uncompiled(tmp_path):
    model = compiled(plain)
    fit(model)
    model.save(tmp_path / "m.safetensors")
    again = keras.models.load_model(tmp_path / "m.safetensors", compile=False)
    assert not again.compiled
    assert same_weights(model, again)


def test_several_outputs_and_their_losses_come_back(tmp_path):
    x = keras.Input((4,), name="x")
    hidden = L.Dense(5, activation="relu")(x)
    model = keras.Model(x, {"a": L.Dense(1, name="a")(hidden), "b": L.Dense(3, activation="softmax", name="b")(hidden)})
    losses = {"a": "mae", "b": keras.losses.SparseCategoricalCrossentropy()}
    model.compile("sgd", losses, loss_weights={"a": 1.0, "b": 0.5}, metrics={"b": ["accuracy"]})
    targets = {"a": Y, "b": (X[:, 0] > 0).astype(np.int64)}
    model.fit(X, targets, verbose=0)
    again = through_file(model, tmp_path)
    kwargs = {"verbose": 0, "return_dict": True}
    assert again.evaluate(X, targets, **kwargs) == model.evaluate(X, targets, **kwargs)
    assert again.predict(X, verbose=0).keys() == {"a", "b"}


def test_a_vocabulary_comes_back(tmp_path):
    lookup = L.StringLookup(output_mode="one_hot")
    lookup.adapt(np.array([["bay"], ["inland"], ["bay"], ['größe " \\ \n']]))
    model = keras.Sequential([keras.Input((1,), dtype="string"), lookup, L.Dense(1)])
    words = np.array([["bay"], ["island"], ['größe " \\ \n']])
    np.testing.assert_array_equal(through_file(model, tmp_path)(words), model(words))


def test_a_class_of_ones_own_comes_back_when_it_is_given(tmp_path):
    class Doubling(L.Layer):
        def call(self, inputs):
            return inputs * 2.0

    model = keras.Sequential([keras.Input((4,)), Doubling(), L.Dense(1)])
    model.save(tmp_path / "m.safetensors")
    again = keras.models.load_model(tmp_path / "m.safetensors", custom_objects={"Doubling": Doubling})
    np.testing.assert_array_equal(again(X), model(X))
    with pytest.raises(FormatError, match=r"Doubling.*custom_objects") as caught:
        keras.models.load_model(tmp_path / "m.safetensors")
    assert "Save the model again" not in str(caught.value)  # the file is as it should be


def test_layer_names_of_any_letters_come_back(tmp_path):
    model = keras.Sequential([keras.Input((4,)), L.Dense(2, name="größe ../x"[:8]), L.Dense(1, name="a b")])
    again = through_file(model, tmp_path)
    assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers]
    assert same_weights(model, again)


def test_the_file_says_what_is_in_it_and_other_readers_can_read_it(tmp_path):
    from safetensors.numpy import load_file

    model = compiled(plain)
    fit(model)
    model.save(tmp_path / "m.safetensors")
    tensors = load_file(tmp_path / "m.safetensors")
    assert {"dense.kernel" in name for name in tensors} == {True, False} or "opt" in " ".join(tensors)
    np.testing.assert_array_equal(tensors[f"{model.layers[0].name}.kernel"], model.get_weights()[0])
    found = inspect(tmp_path / "m.safetensors")
    assert found["model"]["format_version"] == 1
    assert found["model"]["hotloop_version"] == keras.__version__
    assert found["tensors"].keys() == tensors.keys()


# -- weights alone ---------------------------------------------------------------------------------------------------


def test_weights_alone_come_back_into_a_model_of_the_same_layers(tmp_path):
    model, other = compiled(normalised), compiled(normalised)
    fit(model)
    model.save_weights(tmp_path / "w.safetensors")
    other.load_weights(tmp_path / "w.safetensors")
    assert same_weights(model, other)


def test_weights_can_be_read_from_a_whole_model(tmp_path):
    model, other = compiled(normalised), compiled(normalised)
    fit(model)
    model.save(tmp_path / "m.safetensors")
    other.load_weights(tmp_path / "m.safetensors")
    assert same_weights(model, other)


def test_weights_that_do_not_fit_are_refused_and_nothing_changes(tmp_path):
    plain().save_weights(tmp_path / "w.safetensors")
    other = wide_and_deep()
    before = other.get_weights()
    with pytest.raises(ValueError, match=r"\[load_weights .*expected weights .*received"):
        other.load_weights(tmp_path / "w.safetensors")
    assert all(np.array_equal(p, q) for p, q in zip(before, other.get_weights(), strict=True))


def test_a_file_of_weights_is_no_model(tmp_path):
    plain().save_weights(tmp_path / "w.safetensors")
    with pytest.raises(FormatError, match="load_weights"):
        keras.models.load_model(tmp_path / "w.safetensors")


# -- refusals when saving --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "name"),
    [
        ("save", "m"), ("save", "m.pkl"), ("save", "m.weights.h5"),
        ("save_weights", "m"), ("save_weights", "m.pkl"), ("save_weights", "m.keras"), ("save_weights", "m.h5"),
    ],
)  # fmt: skip
def test_another_ending_is_refused_with_the_right_name(tmp_path, method, name):
    with pytest.raises(ValueError, match=r"\.safetensors"):
        getattr(plain(), method)(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_not_overwritten_against_the_users_will(tmp_path):
    path = tmp_path / "m.safetensors"
    plain().save(path)
    before = path.read_bytes()
    with pytest.raises(FileExistsError, match="overwrite"):
        plain().save(path, overwrite=False)
    assert path.read_bytes() == before


def test_a_model_without_weights_is_refused(tmp_path):
    with pytest.raises(ValueError, match="not built"):
        keras.Sequential([L.Dense(1)]).save(tmp_path / "m.safetensors")


def test_a_python_function_as_learning_rate_cannot_be_saved_and_says_so(tmp_path):
    model = plain()
    model.compile(keras.optimizers.SGD(lambda: 0.1), "mse")
    with pytest.raises(ValueError, match="learning rate"):
        model.save(tmp_path / "m.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_an_error_of_the_system(tmp_path):
    with pytest.raises(FileNotFoundError):
        plain().save(tmp_path / "absent" / "m.safetensors")
    with pytest.raises(FileNotFoundError):
        keras.models.load_model(tmp_path / "absent.safetensors")


# -- interrupted saves -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_save_that_fails_leaves_the_old_model(tmp_path, monkeypatch, call):
    path = tmp_path / "m.safetensors"
    old, new = compiled(plain), compiled(plain)
    old.save(path)
    fit(new)

    def fail(*args, **kwargs):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(OSError, match="Input/output"):
        new.save(path)
    monkeypatch.undo()
    assert same_weights(keras.models.load_model(path), old)
    assert list(tmp_path.iterdir()) == [path]


def test_a_model_can_be_saved_while_it_trains(tmp_path):
    class Saving(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.save(tmp_path / f"{epoch}.safetensors")

    model = compiled(normalised)
    fit(model, 3, callbacks=[Saving()])
    resumed = keras.models.load_model(tmp_path / "0.safetensors")
    fit(resumed, 3, initial_epoch=1)
    assert same_weights(model, resumed)


def test_a_file_name_may_be_as_long_as_the_system_allows(tmp_path):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    path = tmp_path / ("n" * (255 - len(".safetensors")) + ".safetensors")
    model.save(path)
    assert os.listdir(tmp_path) == [path.name]
    np.testing.assert_array_equal(keras.models.load_model(path).get_weights()[0], model.get_weights()[0])


def test_what_is_no_path_is_refused():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    for load in (keras.models.load_model, model.load_weights):
        with pytest.raises(TypeError):
            load(3)
    with pytest.raises((FileNotFoundError, ValueError)):
        model.save("")


NOT_IN_WORDS_OF_KERAS = ("activated", "block_sparse", "noisy", "residual", "with_bare_operations")


@pytest.mark.parametrize("make", [make for make in MODELS if make.__name__ not in NOT_IN_WORDS_OF_KERAS])
def test_a_description_in_json_forgets_a_layer_or_what_compile_was_given(make):
    model = compiled(make)
    again = keras.models.model_from_json(model.to_json(indent=2))
    assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers]
    assert again.get_compile_config() == model.get_compile_config()
    again.set_weights(model.get_weights())
    np.testing.assert_array_equal(again.predict(X, verbose=0), model.predict(X, verbose=0))


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"class_name": "Dense", "config": {"units": 3}}', '{"class_name": "os.system"}', "[" * 999],
)
def test_a_text_that_describes_no_model_is_taken_for_one(text):
    with pytest.raises(ValueError, match=r"\[model_from_json\] expected the description of a model, received "):
        keras.models.model_from_json(text)


def test_a_description_for_keras_hides_what_keras_has_not():
    with pytest.raises(ValueError, match="expected what Keras has too, received RReLU"):
        keras.Sequential([keras.Input((4,)), L.RReLU()]).to_json()
    with pytest.raises(TypeError, match=r"\[model_from_json\] expected a string"):
        keras.models.model_from_json({})
