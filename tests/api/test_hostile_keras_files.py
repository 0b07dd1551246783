"""Keras's files from anywhere: what is wrong with one is said in words, and nothing is run, followed or filled."""

from __future__ import annotations

import io
import json
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hotloop as keras
import saving_cases
from hotloop.saving import FormatError
from saving_cases import L, compiled, fit

h5py = pytest.importorskip("h5py", reason="h5py is not installed")
MEMBERS = ("metadata.json", "config.json", "model.weights.h5")


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """The members of a good file, by name."""
    path = tmp_path_factory.mktemp("good") / "m.keras"
    model = compiled(saving_cases.normalised)
    fit(model)
    model.save(path)
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(path, members, **kwargs):
    with zipfile.ZipFile(path, "w", **kwargs) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def refused(path, match=None):
    """Loading says what is wrong, and takes no more memory than a good file would."""
    tracemalloc.start()
    before = sorted(p.name for p in path.parent.iterdir())
    with pytest.raises(FormatError, match=match) as caught:
        keras.models.load_model(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 40 << 20, "more memory than the file has bytes"
    assert sorted(p.name for p in path.parent.iterdir()) == before
    assert "expected" in str(caught.value)
    assert "received" in str(caught.value)


def test_the_good_file_is_good(good, tmp_path):
    keras.models.load_model(packed(tmp_path / "m.keras", good))


# -- the archive -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", ["config.json", "model.weights.h5"])
def test_a_missing_member_is_named(good, tmp_path, missing):
    refused(packed(tmp_path / "m.keras", {k: v for k, v in good.items() if k != missing}), missing)


@pytest.mark.parametrize(
    "name", ["../evil", "/etc/evil", "assets/words.txt", "config.json/", "..\\evil", "C:/evil", "model.weights.npz"]
)
def test_other_members_are_refused_and_never_unpacked(good, tmp_path, name):
    refused(packed(tmp_path / "m.keras", {**good, name: b"evil"}), "members")
    assert not (tmp_path.parent / "evil").exists()


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_that_is_there_twice_is_refused(good, tmp_path):
    path = tmp_path / "m.keras"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("config.json", "model.weights.h5", "config.json"):
            archive.writestr(name, good[name])
    refused(path, "each once")


def test_a_compressed_bomb_is_refused_before_it_is_unpacked(good, tmp_path):
    bomb = {**good, "model.weights.h5": bytes(1 << 28)}
    path = packed(tmp_path / "m.keras", bomb, compression=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 1 << 20
    del bomb
    refused(path, "stored as it is")


def test_a_file_that_ends_early_is_refused_wherever_it_ends(good, tmp_path):
    whole = packed(tmp_path / "m.keras", good).read_bytes()
    for end in [*range(0, len(whole), max(1, len(whole) // 40)), len(whole) - 1]:
        (tmp_path / "cut.keras").write_bytes(whole[:end])
        refused(tmp_path / "cut.keras", "zip archive")


def test_what_is_no_archive_at_all_is_refused(tmp_path):
    for content in (b"", b"PK", b"\x89HDF\r\n\x1a\n" + bytes(4000), b"{}"):
        (tmp_path / "m.keras").write_bytes(content)
        refused(tmp_path / "m.keras", "zip archive")
        (tmp_path / "m.h5").write_bytes(content)
        refused(tmp_path / "m.h5", "HDF5")
    with pytest.raises(FileNotFoundError):
        keras.models.load_model(tmp_path / "absent.keras")
    with pytest.raises(FileNotFoundError):
        keras.models.load_model(tmp_path / "absent.h5")


# -- the description -------------------------------------------------------------------------------------------------


def with_config(path, good, change):
    config = json.loads(good["config.json"])
    change(config)
    return packed(path, {**good, "config.json": json.dumps(config)})


def at(config, *path):
    for key in path:
        config = config[key]
    return config


DENSE = ("config", "layers", 1)
EVIL = {"module": "builtins", "class_name": "function", "config": "eval", "registered_name": "function"}
DAMAGES = [
    ((), "class_name", "os.system"),
    ((), "class_name", None),
    ((), "class_name", "Dense"),
    ((), "class_name", "Functional"),
    ((), "module", "os"),
    ((), "config", None),
    ((), "config", []),
    ((), "config", 3),
    (("config",), "layers", None),
    (("config",), "layers", [None]),
    (("config",), "layers", []),
    (("config",), "name", "../../etc/passwd"),
    (("config", "layers", 0, "config"), "batch_shape", [None, 2**62]),
    (("config", "layers", 0, "config"), "batch_shape", [None] + [1] * 1000),
    (("config", "layers", 0, "config"), "batch_shape", 7),
    (DENSE, "class_name", "Conv2D"),
    (DENSE, "class_name", "LSTM"),
    (DENSE, "class_name", "TFSMLayer"),
    (DENSE, "class_name", "__lambda__"),
    (DENSE, "class_name", ["Dense"]),
    (DENSE, "module", "os"),
    (DENSE, "module", "keras.src.ops.numpy"),
    (DENSE, "config", None),
    ((*DENSE, "config"), "units", 10**12),
    ((*DENSE, "config"), "units", 2**62),
    ((*DENSE, "config"), "units", 17),
    ((*DENSE, "config"), "units", "16"),
    ((*DENSE, "config"), "use_bias", True),
    ((*DENSE, "config"), "dtype", "mixed_float16"),
    ((*DENSE, "config"), "dtype", {"class_name": "DTypePolicy", "config": {"name": "bfloat16"}}),
    ((*DENSE, "config"), "dtype", {"class_name": "DTypePolicy", "config": None}),
    ((*DENSE, "config"), "path", "/etc/passwd"),
    ((*DENSE, "config"), "activation", EVIL),
    ((*DENSE, "config"), "activation", {**EVIL, "class_name": "__lambda__", "config": {"value": "4wEAAA=="}}),
    ((*DENSE, "config"), "activation", {"module": "os", "class_name": "system", "config": {}}),
    ((*DENSE, "config"), "kernel_initializer", {"module": "builtins", "class_name": "exec", "config": {"code": "1"}}),
    ((*DENSE, "config"), "kernel_constraint", EVIL),
    (("config", "layers", 2, "config"), "axis", 7),
    (("config", "layers", 4, "config"), "noise_shape", [10**12]),
    (("compile_config",), "optimizer", "exec"),
    (("compile_config",), "optimizer", {"class_name": "LossScaleOptimizer", "config": {}}),
    (("compile_config",), "optimizer", {"class_name": "Adam", "config": {"learning_rate": "fast"}}),
    (("compile_config",), "optimizer", {"class_name": "Adam", "config": 3}),
    (("compile_config",), "loss", EVIL),
    (("compile_config",), "loss", "os.system"),
    (("compile_config",), "metrics", {"class_name": "os", "config": {}}),
    (("compile_config",), "metrics", 3),
    ((), "compile_config", 3),
]


@pytest.mark.parametrize(("path", "key", "value"), DAMAGES)
def test_a_damaged_description_is_refused(good, tmp_path, path, key, value):
    def change(config):
        at(config, *path)[key] = value

    refused(with_config(tmp_path / "m.keras", good, change))


@pytest.mark.parametrize("text", [
    b"", b"{", b"[]", b"3", b"null", b"\xff\xfe", b'{"a": 1, "a": 2}', b'{"config": NaN}', b'{"config": 1e999}',
    b'{"config": ' + b"9" * 400 + b"}", b"[" * 100_000, b'{"class_name": "Sequential"}', b"{}",
])  # fmt: skip
def test_a_description_that_is_no_json_of_a_model_is_refused(good, tmp_path, text):
    refused(packed(tmp_path / "m.keras", {**good, "config.json": text}))


def test_a_layer_that_is_not_there_is_named_and_says_how_to_give_one(good, tmp_path):
    def change(config):
        at(config, *DENSE)["class_name"] = "Conv2D"

    refused(with_config(tmp_path / "m.keras", good, change), r"Conv2D, which hotloop has not.*custom_objects")


def graph(tmp_path, change):
    x = keras.Input((4,), name="x")
    a = L.Dense(4, name="a")
    model = keras.Model(x, L.Add(name="sum")([a(x), L.Dense(4, name="b")(x)]))
    model.save(tmp_path / "m.keras")
    with zipfile.ZipFile(tmp_path / "m.keras") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    layers = {layer["name"]: layer for layer in config["config"]["layers"]}
    change(config["config"], layers)
    return packed(tmp_path / "m.keras", {**members, "config.json": json.dumps(config)})


def history(layer, value):
    layer["inbound_nodes"][0]["args"][0]["config"]["keras_history"] = value


CONNECTIONS = {
    "a circle": lambda config, layers: history(layers["a"], ["sum", 0, 0]),
    "itself": lambda config, layers: history(layers["a"], ["a", 0, 0]),
    "nobody": lambda config, layers: history(layers["a"], ["nobody", 0, 0]),
    "a call that is not there": lambda config, layers: history(layers["a"], ["x", 7, 0]),
    "an output that is not there": lambda config, layers: history(layers["a"], ["x", 0, 9]),
    "a negative call": lambda config, layers: history(layers["a"], ["x", -1, 0]),
    "no history": lambda config, layers: history(layers["a"], None),
    "no calls": lambda config, layers: layers["a"].update(inbound_nodes=None),
    "a call of another kind": lambda config, layers: layers["a"].update(inbound_nodes=[3]),
    "two of one name": lambda config, layers: layers["a"].update(name="b"),
    "no outputs": lambda config, layers: config.update(output_layers=[]),
    "outputs of nobody": lambda config, layers: config.update(output_layers=["nobody", 0, 0]),
    "outputs that are numbers": lambda config, layers: config.update(output_layers=3),
    "no layers": lambda config, layers: config.update(layers=None),
    "layers that are numbers": lambda config, layers: config.update(layers=[3]),
}


@pytest.mark.parametrize("case", CONNECTIONS)
def test_a_graph_that_is_none_is_refused(tmp_path, case):
    refused(graph(tmp_path, CONNECTIONS[case]))


# -- the arrays ------------------------------------------------------------------------------------------------------


def with_weights(path, good, change):
    content = io.BytesIO(good["model.weights.h5"])
    with h5py.File(content, "r+") as file:
        change(file)
    return packed(path, {**good, "model.weights.h5": content.getvalue()})


KERNEL = "layers/dense/vars/0"  # (4, 16)


def replaced(make):
    def change(file):
        del file[KERNEL]
        make(file)

    return change


def external_storage(file):
    file.create_dataset(KERNEL, (4, 16), "f4", external=[("/etc/passwd", 0, 256)])


def virtual(file):
    layout = h5py.VirtualLayout((4, 16), "f4")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", (4, 16))
    file.create_virtual_dataset(KERNEL, layout)


def reference(file):
    file.create_dataset(KERNEL, (4, 16), h5py.ref_dtype)


def cycle(file):
    file["layers/loop"] = file["layers"]


def thousandfold(file):
    file["layers/large"] = np.zeros(1 << 18)
    for i in range(2000):
        file[f"layers/copy{i}"] = file["layers/large"]


WEIGHTS = {
    "nothing": replaced(lambda file: None),
    "another number": lambda file: file.create_dataset("layers/dense/vars/1", data=np.zeros(16, "f4")),
    "a soft link": replaced(lambda file: file.__setitem__(KERNEL, h5py.SoftLink("/optimizer/vars/2"))),
    "an external link": replaced(lambda file: file.__setitem__(KERNEL, h5py.ExternalLink("/etc/passwd", "/x"))),
    "external storage": replaced(external_storage),
    "virtual storage": replaced(virtual),
    "references": replaced(reference),
    "a cycle": cycle,
    "one array under many names": thousandfold,
    "compressed zeros": replaced(lambda f: f.create_dataset(KERNEL, (1 << 15, 1 << 15), "f4", compression="gzip")),
    "chunks": replaced(lambda file: file.create_dataset(KERNEL, (4, 16), "f4", chunks=(2, 16))),
    "space that was never written": replaced(lambda file: file.create_dataset(KERNEL, (1 << 20, 1 << 20), "f4")),
    "another shape": replaced(lambda file: file.create_dataset(KERNEL, data=np.zeros((16, 4), "f4"))),
    "another dtype": replaced(lambda file: file.create_dataset(KERNEL, data=np.zeros((4, 16), "f8"))),
    "integers": replaced(lambda file: file.create_dataset(KERNEL, data=np.zeros((4, 16), "i4"))),
    "complex numbers": replaced(lambda file: file.create_dataset(KERNEL, data=np.zeros((4, 16), "c8"))),
    "texts": replaced(lambda file: file.create_dataset(KERNEL, data=[b"x"] * 64)),
    "records": replaced(lambda file: file.create_dataset(KERNEL, data=np.zeros(4, "f4,f4"))),
    "no extent": replaced(lambda file: file.create_dataset(KERNEL, data=h5py.Empty("f4"))),
    "a group": replaced(lambda file: file.create_group(KERNEL)),
    "a type": replaced(lambda file: file.__setitem__(KERNEL, np.dtype("f4"))),
    "half precision": lambda file: file[KERNEL].attrs.__setitem__("dtype", "bfloat16"),
}


@pytest.mark.parametrize("case", WEIGHTS)
def test_arrays_that_are_not_plain_numbers_in_the_file_are_refused(good, tmp_path, case):
    refused(with_weights(tmp_path / "m.keras", good, WEIGHTS[case]))


@pytest.mark.parametrize("case", WEIGHTS)
def test_they_change_no_weight_of_a_model_that_is_there(good, tmp_path, case):
    path = with_weights(tmp_path / "m.keras", good, WEIGHTS[case])
    with zipfile.ZipFile(path) as archive:
        (tmp_path / "m.weights.h5").write_bytes(archive.read("model.weights.h5"))
    model = compiled(saving_cases.normalised)
    before = model.get_weights()
    if case not in ("another dtype", "integers"):  # numbers of this shape are converted
        with pytest.raises(ValueError, match="expected"):
            model.load_weights(tmp_path / "m.weights.h5")
        assert all(a.tobytes() == b.tobytes() for a, b in zip(before, model.get_weights(), strict=True))


def test_another_state_of_the_optimizer_is_left_out_with_a_warning(good, tmp_path):
    path = with_weights(tmp_path / "m.keras", good, lambda file: file.__delitem__("optimizer/vars/3"))
    with pytest.warns(UserWarning, match="left out the optimizer's state"):
        model = keras.models.load_model(path)
    assert model.optimizer.iterations == 0


@pytest.mark.parametrize("value", [-1, 1.5, np.nan])
def test_a_number_of_updates_that_is_none_is_refused(good, tmp_path, value):
    def change(file):
        del file["optimizer/vars/0"]
        file["optimizer/vars/0"] = np.asarray(value)

    refused(with_weights(tmp_path / "m.keras", good, change), "number of updates")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_damaged_byte_does_more_than_change_a_number(good, tmp_path, data):
    """Damage in the structure is refused; what loads is a model of the same shapes."""
    content = bytearray(good["model.weights.h5"])
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = packed(tmp_path / "m.keras", {**good, "model.weights.h5": bytes(content)})
    try:
        model = keras.models.load_model(path)
    except FormatError:
        return
    except UserWarning:
        return  # another state of the optimizer
    assert [v.shape for v in model.weights] == [v.shape for v in saving_cases.normalised().weights]


def test_hdf5_that_ends_early_is_refused_wherever_it_ends(good, tmp_path):
    whole = good["model.weights.h5"]
    for end in range(0, len(whole), max(1, len(whole) // 60)):
        refused(packed(tmp_path / "m.keras", {**good, "model.weights.h5": whole[:end]}))


# -- the old files ---------------------------------------------------------------------------------------------------


def old(tmp_path, change):
    compiled(saving_cases.plain).save(tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5", "r+") as file:
        change(file)
    return tmp_path / "m.h5"


def names(group, value):
    def change(file):
        file[group].attrs["layer_names" if group == "model_weights" else "weight_names"] = value

    return change


FIRST = "model_weights/dense"
OLD = {
    "no description": lambda file: file.attrs.__delitem__("model_config"),
    "a number": lambda file: file.attrs.__setitem__("model_config", 3),
    "a reference": lambda file: file.attrs.__setitem__("model_config", file.ref),
    "many texts": lambda file: file.attrs.__setitem__("model_config", ["a", "b"]),
    "no JSON": lambda file: file.attrs.__setitem__("model_config", "{"),
    "no UTF-8": lambda file: file.attrs.__setitem__("model_config", np.bytes_(b"\xff\xff")),
    "a list": lambda file: file.attrs.__setitem__("model_config", "[]"),
    "training that is no JSON": lambda file: file.attrs.__setitem__("training_config", "{"),
    "no names": lambda file: file["model_weights"].attrs.__delitem__("layer_names"),
    "numbers as names": names("model_weights", [1, 2]),
    "references as names": lambda file: file["model_weights"].attrs.create("layer_names", [file.ref] * 2),
    "one name too few": names("model_weights", ["dense"]),
    "names that are not there": names("model_weights", ["x", "y"]),
    "names of other files": names("model_weights", ["../../x", "/etc/passwd"]),
    "a soft link": lambda file: file.__setitem__("model_weights/z", h5py.SoftLink("/model_weights")),
    "an external link": lambda file: file.__setitem__("model_weights/z", h5py.ExternalLink("/etc/passwd", "/")),
}


@pytest.mark.parametrize("case", OLD)
@pytest.mark.filterwarnings("ignore")
def test_old_files_are_read_as_strictly(tmp_path, case):
    saving_cases.keras.utils.clear_session()
    refused(old(tmp_path, OLD[case]))


def test_a_long_text_under_many_names_is_refused_before_it_is_read(tmp_path):
    """Strings of an attribute may all be one in the file, and are as many in memory."""
    text = "x" * (1 << 20)

    def change(file):
        del file["model_weights"].attrs["layer_names"]
        kind = h5py.h5t.py_create(h5py.string_dtype(), logical=True)
        space = h5py.h5s.create_simple((1000,))
        attribute = h5py.h5a.create(file["model_weights"].id, b"layer_names", kind, space)
        attribute.write(np.array([text] + [""] * 999, object))

    path = old(tmp_path, change)
    refused(path, "more than the file has")


def test_a_damaged_heap_of_texts_is_refused_where_hdf5_would_loop_for_ever(tmp_path):
    compiled(saving_cases.plain).save(tmp_path / "m.h5")
    content = bytearray((tmp_path / "m.h5").read_bytes())
    heap = content.index(b"GCOL")
    content[heap + 16 : heap + 32] = bytes(16)  # a free piece of no length
    (tmp_path / "m.h5").write_bytes(content)
    refused(tmp_path / "m.h5", "texts inside their heap")
    content[heap + 8 : heap + 16] = (1 << 40).to_bytes(8, "little")
    (tmp_path / "m.h5").write_bytes(content)
    refused(tmp_path / "m.h5", "past its end")
