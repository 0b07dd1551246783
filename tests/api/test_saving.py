"""Model files: everything comes back, training goes on as if it had never stopped, and hostile files are refused."""

import copy
import json
import os
import pickle
import subprocess
import sys
import textwrap
import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hotloop as keras
from hotloop.saving import FormatError, inspect
from hotloop.saving import format as container

L = keras.layers
RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 4)).astype(np.float32)
Y = RNG.normal(size=(40, 1)).astype(np.float32)


def plain():
    return keras.Sequential([keras.Input((4,)), L.Dense(8, activation="elu"), L.Dense(1)])


def normalised():
    return keras.Sequential(
        [
            keras.Input((4,)),
            L.Dense(16, use_bias=False, kernel_initializer="he_normal"),
            L.BatchNormalization(momentum=0.9),
            L.Activation("selu"),
            L.Dropout(0.3),
            L.Dense(1),
        ]
    )


def wide_and_deep():
    x = keras.Input((4,))
    deep = L.Dense(8, activation="relu")(x)
    deep = L.Add()([deep, L.Dense(8, activation="tanh")(deep)])
    return keras.Model(x, L.Dense(1)(L.Concatenate()([x, deep])), name="wide_and_deep")


def sharing():
    x = keras.Input((4,))
    shared = L.Dense(4, activation="tanh", name="shared")
    return keras.Model(x, L.Dense(1)(shared(shared(x))))


def nested():
    inner = keras.Sequential([keras.Input((4,)), L.Dense(6, activation="relu"), L.BatchNormalization()], name="inner")
    x = keras.Input((4,))
    return keras.Model(x, L.Dense(1)(inner(x)))


def adapted():
    layer = L.Normalization()
    layer.adapt(X)
    return keras.Sequential([keras.Input((4,)), layer, L.Rescaling(0.5, offset=1.0), L.Dense(1)])


def frozen():
    model = plain()
    model.layers[0].trainable = False
    return model


def double():
    layers = [keras.Input((4,), dtype="float64"), L.Dense(5, dtype="float64"), L.Dense(1, dtype="float64")]
    return keras.Sequential(layers)


def built_by_data():
    model = keras.Sequential([L.Dense(3, activation="relu"), L.Dense(1)])
    model(X)
    return model


def with_bare_operations():
    x = keras.Input((4,))
    return keras.Model(x, L.Dense(1)(keras.ops.relu(x * 2.0 + 1.0)))


def with_names_like_the_optimizers():
    x = keras.Input((4,))
    return keras.Model(x, L.Dense(1, name="opt.velocity.dense")(L.Dense(4, name="dense")(x)))


MODELS = [
    plain, normalised, wide_and_deep, sharing, nested, adapted, frozen, double, built_by_data, with_bare_operations,
    with_names_like_the_optimizers,
]  # fmt: skip
OPTIMIZERS = {
    "sgd": lambda: keras.optimizers.SGD(0.01),
    "momentum": lambda: keras.optimizers.SGD(0.01, momentum=0.9),
    "nesterov": lambda: keras.optimizers.SGD(0.01, momentum=0.9, nesterov=True),
    "adam": lambda: keras.optimizers.Adam(keras.optimizers.schedules.ExponentialDecay(0.01, 10, 0.9)),
}


def compiled(make, optimizer="adam"):
    keras.utils.set_random_seed(7)
    model = make()
    model.compile(OPTIMIZERS[optimizer](), loss="mse", metrics=["mae"])
    return model


def fit(model, epochs=2, **kwargs):
    return model.fit(X, Y, batch_size=16, epochs=epochs, verbose=0, **kwargs).history


def same_weights(a, b):
    pairs = list(zip(a.get_weights(), b.get_weights(), strict=True))
    return all(p.dtype == q.dtype and p.tobytes() == q.tobytes() for p, q in pairs)


def through_file(model, tmp_path):
    model.save(tmp_path / "m.safetensors")
    return keras.models.load_model(tmp_path / "m.safetensors")


# -- round trips -----------------------------------------------------------------------------------------------------


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
    assert again.optimizer.iterations == whole.optimizer.iterations == 6
    assert fit(again, 3) == fit(whole, 3)
    assert same_weights(whole, again)

    uninterrupted = compiled(make, optimizer)
    history = fit(uninterrupted, 5)
    assert history["loss"][:2] == first["loss"]
    assert same_weights(uninterrupted, again)


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
    with pytest.raises(FormatError, match=r"Doubling.*custom_objects"):
        keras.models.load_model(tmp_path / "m.safetensors")


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


@pytest.mark.parametrize("name", ["m", "m.keras", "m.h5", "m.weights.h5", "m.pkl"])
def test_another_ending_is_refused_with_the_right_name(tmp_path, name):
    for save in (plain().save, plain().save_weights):
        with pytest.raises(ValueError, match=r"\.safetensors"):
            save(tmp_path / name)
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


# -- hostile files ---------------------------------------------------------------------------------------------------


def parts(make, folder):
    """The bytes, description and tensors of a good file."""
    model = compiled(make)
    fit(model)
    model.save(folder / "m.safetensors")
    with container.open_file(folder / "m.safetensors") as (stream, header):
        tensors = {name: container.read_tensor(stream, folder, header, name) for name in header.tensors}
        description = container.parse_description(header, folder)
    return (folder / "m.safetensors").read_bytes(), description, tensors


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return parts(normalised, tmp_path_factory.mktemp("good"))


def operations_everywhere():
    x = keras.Input((4,))
    deep = L.Reshape((2, 4))(L.Dense(8)(x))
    deep = L.Flatten()(L.Concatenate(axis=1)([deep, deep * 0.5]))
    return keras.Model(x, L.Dense(1)(L.Add()([keras.ops.sum(deep, axis=-1, keepdims=True), L.Dense(1)(x) - 1.0])))


@pytest.fixture(scope="module")
def good_graph(tmp_path_factory):
    return parts(operations_everywhere, tmp_path_factory.mktemp("good_graph"))


def changed(description, path, value):
    copied = json.loads(json.dumps(description))
    place = copied
    for key in path[:-1]:
        place = place[key]
    if value is KeyError:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return copied


DENSE = ("config", "layers", 0)
DAMAGES = [
    (("format_version",), 2),
    (("format_version",), "1"),
    (("format_version",), KeyError),
    (("kind",), "weights"),
    (("kind",), None),
    (("extra",), 1),
    (("weights",), None),
    (("weights",), []),
    (("weights", 0), "absent"),
    (("weights", 0), 3),
    (("weights", 1), "dense.kernel"),
    (("class_name",), "os.system"),
    (("class_name",), "builtins.eval"),
    (("class_name",), "Dense"),
    (("class_name",), ["Sequential"]),
    (("class_name",), "Functional"),
    (("config",), None),
    (("config",), {}),
    (("config", "layers"), None),
    (("config", "layers"), [None]),
    (("config", "layers"), [{"class_name": "Lambda", "config": {"function": "import os"}}]),
    (("config", "same_as"), [5, 5, 5, 5, 5]),
    (("config", "same_as"), [-1, -2, -3, -4, -5]),
    (("config", "same_as"), "abcde"),
    (("config", "input"), None),
    (("config", "input"), []),
    (("config", "input", "batch_shape"), [None, 2**62]),
    (("config", "input", "batch_shape"), [None, -4]),
    (("config", "input", "batch_shape"), [None] + [1] * 1000),
    (("config", "input", "dtype"), "object"),
    (("config", "name"), 3),
    (("config", "name"), "../../etc/passwd"),
    ((*DENSE, "class_name"), "__import__"),
    ((*DENSE, "class_name"), "Sequential"),
    ((*DENSE, "class_name"), "Op"),
    ((*DENSE, "config"), None),
    ((*DENSE, "config", "units"), 10**12),
    ((*DENSE, "config", "units"), 2**62),
    ((*DENSE, "config", "units"), -1),
    ((*DENSE, "config", "units"), "16"),
    ((*DENSE, "config", "units"), 16.5),
    ((*DENSE, "config", "units"), True),
    ((*DENSE, "config", "units"), 17),
    ((*DENSE, "config", "use_bias"), True),
    ((*DENSE, "config", "activation"), "eval"),
    ((*DENSE, "config", "activation"), {"class_name": "eval", "config": {}}),
    ((*DENSE, "config", "kernel_initializer"), {"class_name": "exec", "config": {"code": "1"}}),
    ((*DENSE, "config", "kernel_initializer"), {"module": "os", "class_name": "system", "config": {}}),
    ((*DENSE, "config", "kernel_initializer"), 5),
    ((*DENSE, "config", "dtype"), "object"),
    ((*DENSE, "config", "path"), "/etc/passwd"),
    (("config", "layers", 1, "config", "axis"), 7),
    (("config", "layers", 1, "config", "momentum"), "high"),
    (("config", "layers", 1, "config", "epsilon"), [0]),
    (("config", "layers", 3, "config", "rate"), 2),
    (("config", "layers", 3, "config", "noise_shape"), [10**12]),
    (("inputs",), {"shape": [2**62], "dtype": "float32", "name": "x"}),
    (("inputs",), 3),
    (("compile",), []),
    (("compile",), {"run_anything": 1}),
    (("compile", "optimizer"), "exec"),
    (("compile", "optimizer", "class_name"), "SGD"),
    (("compile", "optimizer", "config", "learning_rate"), "fast"),
    (("compile", "optimizer", "config", "learning_rate"), {"class_name": "os", "config": {}}),
    (("compile", "loss"), "os.system"),
    (("compile", "loss"), {"class_name": "Unknown", "config": {}}),
    (("compile", "metrics"), "mae"),
    (("compile", "metrics"), [["os.system"]]),
    (("optimizer",), []),
    (("optimizer",), None),
    (("optimizer", "iterations"), -1),
    (("optimizer", "iterations"), 1.5),
    (("optimizer", "slots"), []),
    (("optimizer", "slots"), {}),
    (("optimizer", "slots", "velocity"), KeyError),
    (("optimizer", "slots", "velocity"), []),
    (("optimizer", "slots", "velocity", 0), "dense.kernel"),
    (("optimizer", "slots", "velocity", 0), None),
    (("optimizer", "slots", "other"), [None] * 7),
    (("training",), None),
    (("training", "seed"), -1),
    (("training", "seed"), "random"),
    (("training", "passes"), -1),
    (("training", "passes"), None),
    (("training", "hook"), "os.system"),
    (("table",), KeyError),
]


def real_names(description, path):
    """Layer names carry numbers that depend on what ran before; the list above means the first of each kind."""
    found = {name.split(".")[0].rstrip("_0123456789"): name.split(".")[0] for name in reversed(description["weights"])}
    return {"dense.kernel": f"{found['dense']}.kernel"}.get(path, path) if isinstance(path, str) else path


@pytest.mark.parametrize("number", range(len(DAMAGES)))
def test_a_hostile_description_is_refused_in_words_and_little_memory(tmp_path, good, number):
    _, description, tensors = good
    path, value = DAMAGES[number]
    file = tmp_path / "hostile.safetensors"
    container.write_file(file, tensors, changed(description, path, real_names(description, value)))
    tracemalloc.start()
    try:
        with pytest.raises(FormatError, match=r"(?s)\[load .*expected .*received"):
            keras.models.load_model(file)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 16 << 20


def test_a_tensor_that_nothing_uses_is_refused(tmp_path, good):
    _, description, tensors = good
    file = tmp_path / "hostile.safetensors"
    container.write_file(file, {**tensors, "stowaway": np.ones(3, np.float32)}, description)
    with pytest.raises(FormatError, match="uses every tensor once"):
        keras.models.load_model(file)


@pytest.mark.parametrize("change", [lambda a: a.reshape(-1), lambda a: a.astype(np.float64), lambda a: a[:-1]])
def test_a_weight_of_another_shape_or_dtype_is_refused(tmp_path, good, change):
    _, description, tensors = good
    name = description["weights"][0]
    file = tmp_path / "hostile.safetensors"
    container.write_file(file, {**tensors, name: np.ascontiguousarray(change(tensors[name]))}, description)
    with pytest.raises(FormatError):
        keras.models.load_model(file)


def test_layers_that_want_weights_beyond_the_file_are_refused_before_memory_is_asked_for(tmp_path):
    config = {"name": "m", "trainable": True, "input": {"batch_shape": [None, 2**20], "dtype": "float32", "name": "x"}}
    layers = [{"class_name": "Dense", "config": {"units": 2**20, "name": f"d{i}"}} for i in range(50)]
    description = {
        "format_version": 1,
        "hotloop_version": "0",
        "kind": "model",
        "weights": [],
        "class_name": "Sequential",
        "config": {**config, "layers": layers},
        "inputs": None,
        "compile": None,
        "optimizer": None,
        "training": {"seed": None, "passes": 0, "calls": 0},
        "table": None,
    }
    file = tmp_path / "bomb.safetensors"
    container.write_file(file, {}, description)
    with pytest.raises(FormatError, match="not in the file"):
        keras.models.load_model(file)
    constants = [{"class_name": "Normalization", "config": {"name": "n", "mean": 0.0, "variance": 1.0}}]
    description["config"] = {**config, "layers": constants}
    description["config"]["input"] = {"batch_shape": [None, 2**40], "dtype": "float32", "name": "x"}
    container.write_file(file, {}, description)
    with pytest.raises(FormatError, match="constants"):
        keras.models.load_model(file)


def test_every_truncation_of_a_model_is_refused(tmp_path, good):
    whole = good[0]
    file = tmp_path / "cut.safetensors"
    for n in {*range(0, 64), *range(0, len(whole), 97), len(whole) - 1}:
        file.write_bytes(whole[:n])
        with pytest.raises(FormatError):
            keras.models.load_model(file)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_file_with_flipped_bytes_is_refused_or_loads_whole(tmp_path, good, data):
    whole = bytearray(good[0])
    header = int.from_bytes(whole[:8], "little")
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(0, 8 + header))] = data.draw(st.integers(0, 255))
    file = tmp_path / "flipped.safetensors"
    file.write_bytes(whole)
    try:
        model = keras.models.load_model(file)
    except FormatError:
        return
    assert len(model.get_weights()) == len(good[1]["weights"])


def leaves(value, path=()):
    yield path
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, (*path, key))
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from leaves(item, (*path, i))


JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8), st.lists(st.integers(-3, 2**40), max_size=3), st.just({}),
    st.fixed_dictionaries({"class_name": st.sampled_from(["Dense", "Adam", "os"]), "config": st.just({})}),
)  # fmt: skip


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_part_of_a_description_replaced_by_junk_is_refused_or_loads(tmp_path, good, good_graph, data):
    _, description, tensors = good if data.draw(st.booleans()) else good_graph
    path = data.draw(st.sampled_from([p for p in leaves(description) if p]))
    file = tmp_path / "junk.safetensors"
    container.write_file(file, tensors, changed(description, path, data.draw(JUNK)))
    try:
        model = keras.models.load_model(file)
    except FormatError:
        return
    model.predict(X, verbose=0)


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
