"""Training that was killed goes on to the very bits of a run that was not."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import hotloop as keras
from hotloop.callbacks import EarlyStopping, ModelCheckpoint, ReduceLROnPlateau
from hotloop.saving.format import open_file, read_tensor, write_file

RNG = np.random.default_rng(3)
X = RNG.standard_normal((90, 5)).astype(np.float32)
Y = RNG.integers(0, 3, 90)


def net(optimizer="adam"):
    keras.utils.set_random_seed(7)
    layers = keras.layers
    model = keras.Sequential([
        keras.Input((5,)), layers.Dense(12, activation="relu"), layers.BatchNormalization(), layers.Dropout(0.3),
        layers.Dense(3, activation="softmax"),
    ])  # fmt: skip
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def watchers(path, freq):
    return [
        EarlyStopping("loss", patience=3, restore_best_weights=True),
        ReduceLROnPlateau("val_loss", factor=0.5, patience=1), ModelCheckpoint(path, save_freq=freq),
    ]  # fmt: skip


def same(a, b):
    assert a.history.history == b.history.history
    assert a.history.epoch == b.history.epoch
    for got, want in zip(a.get_weights(), b.get_weights(), strict=True):
        np.testing.assert_array_equal(got, want)


OPTIONS = [
    {}, {"shuffle": False}, {"shuffle": "batch"}, {"steps_per_epoch": 4}, {"validation_split": 0.3},
    {"sample_weight": np.linspace(0.5, 1.5, 90)},
]  # fmt: skip


@pytest.mark.filterwarnings("ignore:ReduceLROnPlateau is to watch")
@pytest.mark.parametrize("options", OPTIONS, ids=lambda o: next(iter(o), "plain"))
@pytest.mark.parametrize("freq", ["epoch", 4])
def test_a_run_from_any_of_its_files_ends_where_the_whole_run_does(tmp_path, freq, options):
    name = "{epoch}.safetensors" if freq == "epoch" else "{epoch}_{batch}.safetensors"

    def train(callbacks, **more):
        model = net(more.pop("optimizer", "adam"))
        model.fit(X, Y, batch_size=16, epochs=5, callbacks=callbacks, verbose=0, **options, **more)
        return model

    whole = train(watchers(tmp_path / name, freq))
    files = sorted(tmp_path.iterdir())
    assert len(files) >= 4
    for file in files:
        same(train(watchers(tmp_path / "again" / name, freq), resume=file), whole)


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 6

    def __getitem__(self, i):
        return X[i * 15 : i * 15 + 15], Y[i * 15 : i * 15 + 15]


class Stream:
    """Starts again, but does not say how long it is."""

    def __iter__(self):
        return (Batches()[i] for i in range(6))


@pytest.mark.parametrize("make", [Batches, Stream])
def test_data_that_makes_its_own_batches_goes_on_at_the_right_one(tmp_path, make):
    def train(path, **more):
        model = net()
        callbacks = [ModelCheckpoint(path / "{epoch}_{batch}.safetensors", save_freq=5)]
        model.fit(make(), epochs=3, callbacks=callbacks, verbose=0, **more)
        return model

    whole = train(tmp_path)
    for file in sorted(tmp_path.iterdir()):
        same(train(tmp_path / "again", resume=file), whole)


class SaveBefore(keras.callbacks.Callback):
    """Saves before every batch and every epoch."""

    def __init__(self, folder):
        super().__init__()
        self.folder, self.saved = folder, 0

    def save(self):
        self.saved += 1
        self.model.save(self.folder / f"{self.saved:03}.safetensors")

    def on_epoch_begin(self, epoch, logs=None):
        self.save()

    def on_train_batch_begin(self, batch, logs=None):
        self.save()


@pytest.mark.parametrize(
    ("make", "options"),
    [(lambda: (X, Y), {}), (lambda: (X, Y), {"steps_per_epoch": 4}), (lambda: (Batches(),), {"steps_per_epoch": 4}),
     (lambda: (Stream(),), {}), (lambda: (Batches(),), {"shuffle": True})],
    ids=["arrays", "short epochs", "short epochs of a data set", "stream", "data set"],
)  # fmt: skip
def test_a_file_written_before_a_batch_goes_on_with_that_batch(tmp_path, make, options):
    def train(callbacks, **more):
        model = net()
        size = {} if len(make()) == 1 else {"batch_size": 16}
        model.fit(*make(), epochs=3, callbacks=callbacks, verbose=0, **size, **options, **more)
        return model

    whole = train([SaveBefore(tmp_path)])
    files = sorted(tmp_path.iterdir())
    assert len(files) >= 15
    for file in files[::3] + files[1::3]:
        same(train([], resume=file), whole)


def test_a_run_with_other_penalties_is_refused_and_changes_nothing(tmp_path):
    saver = SaveBefore(tmp_path)
    net().fit(X, Y, epochs=1, callbacks=[saver], verbose=0)
    other = net()
    other.layers[0].kernel_regularizer = keras.regularizers.L2(0.1)
    other = keras.models.clone_model(other)
    other.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    before = other.get_weights()
    with pytest.raises(ValueError, match="sums of 3 losses, metrics and penalties, received 2"):
        other.fit(X, Y, resume=tmp_path / "003.safetensors", verbose=0)
    for got, want in zip(other.get_weights(), before, strict=True):
        np.testing.assert_array_equal(got, want)


def test_a_generator_that_cannot_start_again_is_resumed(tmp_path):
    model = net()
    model.fit(X, Y, epochs=1, callbacks=[ModelCheckpoint(tmp_path / "m.safetensors")], verbose=0)
    with pytest.raises(ValueError, match="start again for resume"):
        net().fit((b for b in [(X, Y)] * 5), epochs=2, resume=tmp_path / "m.safetensors", verbose=0)


def test_files_of_other_models_optimizers_or_times_are_resumed(tmp_path):
    path = tmp_path / "m.safetensors"
    model = net()
    model.fit(X, Y, epochs=1, callbacks=[ModelCheckpoint(path)], verbose=0)
    with pytest.raises(ValueError, match="expected the state of SGD, received that of Adam"):
        net("sgd").fit(X, Y, resume=path, verbose=0)
    other = keras.Sequential([keras.Input((5,)), keras.layers.Dense(3, activation="softmax")])
    other.compile("adam", "sparse_categorical_crossentropy")
    with pytest.raises(ValueError, match="same layers"):
        other.fit(X, Y, resume=path, verbose=0)
    model.save(path)
    with pytest.raises(keras.saving.FormatError, match="written during fit"):
        model.fit(X, Y, resume=path, verbose=0)
    with pytest.raises(FileNotFoundError):
        model.fit(X, Y, resume=tmp_path / "none.safetensors", verbose=0)


def test_a_file_written_during_fit_is_a_model_like_any_other(tmp_path):
    model = net()
    model.fit(X, Y, epochs=1, callbacks=watchers(tmp_path / "m.safetensors", "epoch")[2:], verbose=0)
    loaded = keras.models.load_model(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(loaded.predict(X, verbose=0), model.predict(X, verbose=0))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda fit: fit.pop("epoch"), lambda fit: fit.update(pass_batch="x"), lambda fit: fit.update(callbacks=3),
        lambda fit: fit.update(totals=[["a"]]), lambda fit: fit.update(more={"tensor": "dense.kernel"}),
        lambda fit: fit["callbacks"]["EarlyStopping.0"].pop("wait"),
    ],
)  # fmt: skip
def test_a_spoilt_state_of_fit_is_gone_on_from(tmp_path, spoil):
    path = tmp_path / "m.safetensors"
    net().fit(X, Y, epochs=1, callbacks=[EarlyStopping("loss"), ModelCheckpoint(path)], verbose=0)
    with open_file(path) as (stream, header):
        tensors = {name: read_tensor(stream, path, header, name) for name in header.tensors}
    description = keras.saving.inspect(path)["model"]
    spoil(description["fit"])
    write_file(path, tensors, description)
    with pytest.raises(keras.saving.FormatError):
        net().fit(X, Y, epochs=2, callbacks=[EarlyStopping("loss")], resume=path, verbose=0)


PROGRAM = """
import sys, hashlib, time, numpy as np, hotloop as keras
from hotloop.callbacks import BackupAndRestore, EarlyStopping, LambdaCallback
folder = sys.argv[1]
rng = np.random.default_rng(0)
x = rng.standard_normal((400, 20)).astype("float32"); y = rng.integers(0, 5, 400)
keras.utils.set_random_seed(1)
L = keras.layers
model = keras.Sequential([keras.Input((20,)), L.Dense(64, activation="relu"), L.BatchNormalization(), L.Dropout(0.2),
                          L.Dense(5, activation="softmax")])
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
callbacks = [EarlyStopping("loss", patience=9, restore_best_weights=True),
             LambdaCallback(on_train_batch_end=lambda batch, logs: time.sleep(0.002))]
if folder:
    callbacks.append(BackupAndRestore(folder, save_freq=5))
print("ready", flush=True)
history = model.fit(x, y, batch_size=16, epochs=6, callbacks=callbacks, verbose=0).history
digest = hashlib.sha256(b"".join(w.tobytes() for w in model.get_weights()) + repr(history).encode())
print(digest.hexdigest(), flush=True)
"""


def start(folder, threads):
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(keras.__file__).parents[1]),
        "HOTLOOP_NUM_THREADS": str(threads),
    }
    command = [sys.executable, "-c", PROGRAM, str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
def test_a_run_killed_at_random_moments_ends_with_other_bits(tmp_path, request):
    whole = start("", 2).communicate()[0]
    assert len(whole) == 65
    moments = random.Random(5)
    for run in range(request.config.getoption("--count")):
        folder, kills, ended = tmp_path / str(run), 0, ""
        for attempt in range(60):
            process = start(folder, 1 + attempt % 2)
            if kills < 3:
                time.sleep(moments.uniform(0.02, 0.3))
                process.kill()
                kills += 1
            ended = process.communicate()[0]
            if ended:
                break
        assert ended == whole
        assert kills


@pytest.mark.parametrize("resume", [True, 3, ["a.safetensors"]])
def test_a_resume_that_names_no_file_is_refused(resume):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(TypeError, match=r"resume to be the name of a file .* initial_epoch"):
        model.fit(np.ones((4, 2)), np.ones(4), verbose=0, resume=resume)
