"""The catalogue of models on this machine: folders as the hub has them, written whole or not at all."""

import inspect
import json
import shutil
import subprocess
import sys
import threading
import types

import numpy as np
import pytest

import hotloop as keras
from hotloop import catalog
from hotloop.saving import FormatError

RNG = np.random.default_rng(2)
X = RNG.uniform(0, 1, (30, 4)).astype(np.float32)
Y = np.arange(30) % 3


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOTLOOP_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def net(units=3):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(units, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def test_a_model_comes_back_by_its_name_with_its_training_state():
    model = net()
    model.fit(X, Y, verbose=0)
    entry = catalog.save(model, "iris", "Three **kinds**.", data=(X, Y), metrics={"accuracy": np.float32(0.5)})
    assert (entry.name, entry.revision, entry.description, entry.metrics) == (
        "iris", 1, "Three **kinds**.", {"accuracy": 0.5},
    )  # fmt: skip
    loaded = catalog.load("iris", data=(X, Y))
    np.testing.assert_array_equal(loaded.predict(X, verbose=0), model.predict(X, verbose=0))
    for each in (model, loaded):
        each.fit(X, Y, verbose=0)
    for a, b in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert catalog.load("iris", compile=False).optimizer is None


def test_revisions_are_kept_until_they_are_deleted(home):
    models = [net() for _ in range(3)]
    for i, model in enumerate(models):
        assert catalog.save(model, "a.b-c", f"number {i}").revision == i + 1
    catalog.save(net(), "other")
    assert [(e.name, e.revision, e.description) for e in catalog.list()] == [("a.b-c", 3, "number 2"), ("other", 1, "")]
    for revision, model in ((1, models[0]), (None, models[2])):
        np.testing.assert_array_equal(catalog.load("a.b-c", revision).get_weights()[0], model.get_weights()[0])
    catalog.delete("a.b-c", 3)
    assert catalog.get("a.b-c").revision == 2
    with pytest.raises(KeyError, match="the revisions 1, 2, received 3"):
        catalog.load("a.b-c", 3)
    catalog.delete("a.b-c")
    assert [e.name for e in catalog.list()] == ["other"]
    assert [path.name for path in (home / "catalog").iterdir()] == ["other"]
    for act in (catalog.load, catalog.delete):
        with pytest.raises(KeyError, match=r"expected one of other, received 'otter'.*Did you mean 'other'"):
            act("otter")


def test_the_folder_is_what_the_hub_has(home):
    entry = catalog.save(
        net(), "iris", 'A "card".', data=(X, Y), metrics={"accuracy": 0.75, "loss": float("nan")},
        class_names=["se|tosa", "versi\ncolor", "\x85\U0001f33a"], dataset="Iris: all", tags=["flowers: yes", "# no"],
        license="apache-2.0",
    )  # fmt: skip
    assert entry.path == home / "catalog" / "iris" / "1"
    assert sorted(path.name for path in entry.path.iterdir()) == ["README.md", "config.json", "model.safetensors"]
    config = json.loads((entry.path / "config.json").read_text(encoding="utf-8"))
    assert config["library_name"] == "hotloop"
    assert config["id2label"]["0"] == "se|tosa"
    card = (entry.path / "README.md").read_text(encoding="utf-8")
    assert card.startswith("---\nlibrary_name: hotloop\npipeline_tag: tabular-classification\n")
    assert "| data | (4,) | float32 |" in card
    assert "0. se\\|tosa\n1. versi color\n" in card
    assert "| loss | nan |" in card
    yaml = pytest.importorskip("yaml")
    front = yaml.safe_load(card.split("---\n")[1])
    assert front["tags"] == ["hotloop", "flowers: yes", "# no"]
    assert (front["license"], front["metrics"]) == ("apache-2.0", ["accuracy"])
    (result,) = front["model-index"][0]["results"]
    assert result["dataset"] == {"name": "Iris: all", "type": "Iris: all"}
    assert result["metrics"] == [{"type": "accuracy", "value": 0.75}]


def test_the_hubs_own_reader_understands_the_card():
    hub = pytest.importorskip("huggingface_hub")
    entry = catalog.save(net(), "iris", data=(X, Y), metrics={"accuracy": 0.75}, license="mit")
    data = hub.ModelCard.load(entry.path / "README.md").data
    assert (data.library_name, data.license, data.model_name) == ("hotloop", "mit", "iris")
    (result,) = data.eval_results
    for call in (
        (hub.create_repo, {"repo_id": "a/b", "private": None, "exist_ok": True}),
        (hub.upload_folder, {"repo_id": "a/b", "folder_path": "f", "allow_patterns": ["*"], "commit_message": "m"}),
        (hub.snapshot_download, {"repo_id": "a/b", "revision": None, "local_dir": "f", "allow_patterns": ["*"]}),
    ):
        inspect.signature(call[0]).bind(**call[1])  # as the catalogue calls them
    assert (result.task_type, result.metric_type, result.metric_value) == ("tabular-classification", "accuracy", 0.75)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (X[:, :3], r"'data' with samples of shape \(4,\), as the model was saved for, received \(3,\)"),
        (X.astype(str), "'data' of dtype float32, received <U"),
        ((X, Y + 1), "'data' of the classes 0, 1, 2, received 3 too"),
        ({"x": X}, "inputs data, received x"),
    ],
)
def test_data_unlike_what_a_model_was_saved_for_is_refused(data, message):
    catalog.save(net(), "iris", data=(X, Y))
    with pytest.raises(ValueError, match=r"\[catalog.load 'iris'\] expected " + message):
        catalog.load("iris", data=data)


def test_numbers_beyond_what_was_seen_bring_a_warning():
    catalog.save(net(), "iris", data={"x": X, "name": np.array(["a"] * 30)})
    with pytest.warns(UserWarning, match="Is it scaled in the same way"):
        catalog.load("iris", data={"x": X * 255, "name": np.array(["b"] * 30, object)})
    catalog.load("iris", data={"x": X[:3].astype(np.float64), "name": np.array(["b"] * 3)})
    catalog.save(net(), "nan", data=np.full((3, 4), np.nan))
    catalog.load("nan", data=X)


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "a/b", "../a", "a\\b", "/etc", "a..b", "a--b", ".hidden", "-x", "x-", "a\n", "a" * 97, "ä", "con",
     "NUL.txt", "a:b", "a\0b"],
)  # fmt: skip
def test_names_that_are_no_names_are_refused(name, home):
    for act in (lambda: catalog.save(net(), name), lambda: catalog.load(name), lambda: catalog.delete(name)):
        with pytest.raises(ValueError, match=r"\[catalog\] expected a name"):
            act()
    assert not home.exists()
    with pytest.raises(TypeError, match="as a string, received 3"):
        catalog.load(3)


def test_a_save_that_fails_leaves_nothing_behind(home, monkeypatch):
    with pytest.raises(ValueError, match="built"):
        catalog.save(keras.Sequential([keras.layers.Dense(1)]), "a")
    assert catalog.list() == []
    assert list((home / "catalog").iterdir()) == []
    catalog.save(net(), "a")

    def fail(*args):
        raise OSError("the disk is full")

    monkeypatch.setattr(catalog, "_card", fail)
    with pytest.raises(OSError, match="the disk is full"):
        catalog.save(net(), "a")
    assert [path.name for path in (home / "catalog" / "a").iterdir()] == ["1"]


def test_saves_at_the_same_time_get_numbers_of_their_own():
    model = net()
    errors = []

    def work():
        try:
            for _ in range(5):
                catalog.save(model, "busy")
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert catalog.get("busy").revision == 20


@pytest.mark.parametrize(
    "config",
    ["{", "[]", '{"metrics": {"a": "b"}}', '{"description": 3}', '{"signature": {"inputs": []}}', "[" * 99999,
     '{"signature": {"inputs": {"x": {"shape": [4], "dtype": "O8;rm"}}, "targets": {}}}',
     '{"signature": {"inputs": {"x": {"shape": "4", "dtype": "float32"}}, "targets": {}}}', " " * (5 << 20)],
    ids=range(9),
)  # fmt: skip
def test_a_damaged_folder_is_refused_and_does_not_hide_the_others(config):
    catalog.save(net(), "good")
    entry = catalog.save(net(), "bad")
    (entry.path / "config.json").write_text(config)
    with pytest.raises(FormatError, match=r"as catalog.save writes it"):
        catalog.load("bad")
    with pytest.warns(UserWarning, match="left out of the list"):
        assert [e.name for e in catalog.list()] == ["good"]
    catalog.delete("bad")
    entry = catalog.save(net(), "bad")
    (entry.path / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(FormatError):
        catalog.load("bad")


def test_a_revision_without_its_weights_is_refused_and_does_not_hide_the_others():
    catalog.save(net(), "good")
    (catalog.save(net(), "bad").path / "model.safetensors").unlink()
    for act in (catalog.get, catalog.load):
        with pytest.raises(FormatError, match=r"received none. Remove what is left of it: catalog.delete\('bad', 1\)"):
            act("bad")
    with pytest.warns(UserWarning, match="left out of the list"):
        assert [e.name for e in catalog.list()] == ["good"]
    catalog.delete("bad", 1)


KILLED = """
import os
os.getpid = lambda: 1  # as of every process in a container
import hotloop as keras
from hotloop import catalog
catalog._card = lambda *args: os._exit(3)
catalog.save(keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)]), "a")
"""


def test_what_a_killed_save_has_left_is_in_nobodys_way():
    assert [subprocess.run([sys.executable, "-c", KILLED], check=False).returncode for _ in range(2)] == [3, 3]
    assert catalog.list() == []
    assert catalog.save(net(), "a").revision == 1


def test_a_metric_that_is_no_number_is_still_json():
    def strict(word):
        raise AssertionError(f"{word} is no JSON")

    entry = catalog.save(net(), "diverged", metrics={"loss": np.nan, "mae": np.inf, "accuracy": 0.5})
    json.loads((entry.path / "config.json").read_text(), parse_constant=strict)
    assert np.isnan([entry.metrics["loss"], entry.metrics["mae"]]).all()
    assert entry.metrics["accuracy"] == 0.5
    with pytest.raises(TypeError, match="Call evaluate with return_dict=True"):
        catalog.save(net(), "listed", metrics=[0.1, 0.9])


def test_true_is_no_revision():
    catalog.save(net(), "a")
    for act in (catalog.get, catalog.delete):
        with pytest.raises(KeyError, match="received True"):
            act("a", True)
    assert catalog.get("a").revision == 1


@pytest.mark.parametrize("names", ["abc", {0: "a", 1: "b", 2: "c"}])
def test_class_names_that_would_be_misread_are_refused(names):
    with pytest.raises(TypeError, match="expected class_names as a list of strings"):
        catalog.save(net(), "iris", class_names=names)
    assert catalog.list() == []


def test_class_names_must_cover_the_classes():
    with pytest.raises(ValueError, match="received 2 names and the class 2"):
        catalog.save(net(), "a", data=(X, Y), class_names=["one", "two"])
    with pytest.raises(TypeError, match="expected metric 'accuracy' to be a number, received 'high'"):
        catalog.save(net(), "a", metrics={"accuracy": "high"})


# The hub, as a module that copies folders.


@pytest.fixture
def hub(tmp_path, monkeypatch):
    module = types.ModuleType("huggingface_hub")
    module.calls = []

    def create_repo(repo_id, private=None, exist_ok=False):
        module.calls.append(("create", repo_id, private, exist_ok))
        (tmp_path / "hub" / repo_id).mkdir(parents=True, exist_ok=True)

    def upload_folder(repo_id, folder_path, allow_patterns, commit_message):
        module.calls.append(("upload", repo_id, commit_message, sorted(allow_patterns)))
        shutil.copytree(folder_path, tmp_path / "hub" / repo_id, dirs_exist_ok=True)
        return "commit"

    def snapshot_download(repo_id, revision, local_dir, allow_patterns):
        module.calls.append(("download", repo_id, revision))
        shutil.copytree(tmp_path / "hub" / repo_id, local_dir, symlinks=True)
        (tmp_path / "hub" / "seen").write_text(local_dir)
        return local_dir

    module.create_repo, module.upload_folder, module.snapshot_download = create_repo, upload_folder, snapshot_download
    monkeypatch.setitem(sys.modules, "huggingface_hub", module)
    module.folder = tmp_path / "hub"
    return module


def test_a_model_goes_to_the_hub_and_comes_back(hub):
    model = net()
    catalog.save(net(), "iris")
    catalog.save(model, "iris", "second", data=(X, Y))
    assert catalog.push("iris", "me/flowers", private=True) == "commit"
    assert hub.calls == [
        ("create", "me/flowers", True, True),
        ("upload", "me/flowers", "iris, revision 2", ["README.md", "config.json", "model.safetensors"]),
    ]
    (hub.folder / "me" / "flowers" / "run.py").write_text("raise SystemExit")
    entry = catalog.pull("me/flowers", revision="main")
    assert (entry.name, entry.revision, entry.description) == ("flowers", 1, "second")
    assert sorted(path.name for path in entry.path.iterdir()) == ["README.md", "config.json", "model.safetensors"]
    np.testing.assert_array_equal(catalog.load("flowers", data=X).get_weights()[0], model.get_weights()[0])
    assert catalog.pull("me/flowers", "iris").revision == 3


def test_what_is_no_model_does_not_enter_the_catalogue(hub, home):
    folder = hub.folder / "me" / "other"
    folder.mkdir(parents=True)
    (folder / "README.md").write_text("nothing")
    with pytest.raises(FormatError, match=r"expected model.safetensors in 'me/other', received none"):
        catalog.pull("me/other")
    (folder / "model.safetensors").symlink_to("/etc/hostname")
    with pytest.raises(FormatError):
        catalog.pull("me/other")
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").write_bytes(b"\0" * 100)
    with pytest.raises(FormatError):
        catalog.pull("me/other")
    with pytest.raises(ValueError, match="expected a name"):
        catalog.pull("me/..")
    assert catalog.list() == []
    assert list((home / "catalog").iterdir()) == []


def test_without_the_extra_the_hub_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    catalog.save(net(), "a")
    for act in (lambda: catalog.push("a", "me/a"), lambda: catalog.pull("me/a")):
        with pytest.raises(ImportError, match=r"pip install 'hotloop\[hub\]'"):
            act()
