"""Model files from anywhere: whatever is wrong with one is said in words, and nothing else happens."""

import json
import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hotloop as keras
from hotloop.saving import FormatError
from hotloop.saving import format as container
from saving_cases import L, X, compiled, fit, normalised


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


def columns_and_tables():
    x = keras.Input((4,))
    table = L.Embedding(4, 3, embeddings_regularizer="l2")(L.Discretization([-1.0, 0.0, 1.0])(x))
    table = L.Softmax(axis=[1, 2])(L.LayerNormalization(axis=1)(L.Permute((2, 1))(table)))
    hashed = L.Hashing(5, mask_value=0, salt=[3, 4], output_mode="count")(x)
    first = L.SpectralNormalization(L.Dense(3, activation="relu"))(x)
    return keras.Model(x, L.Dense(1)(L.Concatenate()([L.Flatten()(table), hashed, first])))


@pytest.fixture(scope="module")
def good_columns(tmp_path_factory):
    return parts(columns_and_tables, tmp_path_factory.mktemp("good_columns"))


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
def test_any_part_of_a_description_replaced_by_junk_is_refused_or_loads(tmp_path, good, good_graph, good_columns, data):
    _, description, tensors = data.draw(st.sampled_from([good, good_graph, good_columns]))
    path = data.draw(st.sampled_from([p for p in leaves(description) if p]))
    file = tmp_path / "junk.safetensors"
    container.write_file(file, tensors, changed(description, path, data.draw(JUNK)))
    try:
        model = keras.models.load_model(file)
    except FormatError:
        return
    model.predict(X, verbose=0)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_vocabulary_replaced_by_junk_is_refused_or_loads(tmp_path, data):
    options = {"output_mode": "tf_idf", "idf_weights": [0.5, 2.0], "num_oov_indices": 2, "max_tokens": 9}
    words, numbers = ({**options, "vocabulary": v, "pad_to_max_tokens": True} for v in (["a", "b"], [3, 4]))
    lookup = data.draw(st.sampled_from([L.StringLookup(**words, salt=3), L.IntegerLookup(**numbers)]))
    column = [["a"], ["c"]] if isinstance(lookup, L.StringLookup) else [[3], [9]]
    dtype = "string" if isinstance(lookup, L.StringLookup) else "int32"
    keras.Sequential([keras.Input((1,), dtype=dtype), lookup, L.Dense(1)]).save(tmp_path / "m.safetensors")
    with container.open_file(tmp_path / "m.safetensors") as (stream, header):
        tensors = {name: container.read_tensor(stream, "m", header, name) for name in header.tensors}
        description = container.parse_description(header, "m")
    path = data.draw(st.sampled_from([p for p in leaves(description) if p[:3] == ("config", "layers", 0)]))
    container.write_file(tmp_path / "junk.safetensors", tensors, changed(description, path, data.draw(JUNK)))
    message = "["
    try:
        keras.models.load_model(tmp_path / "junk.safetensors").predict(np.array(column), verbose=0)
    except ValueError as error:
        message = str(error)
    assert message.startswith("[")
