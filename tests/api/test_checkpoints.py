"""ModelCheckpoint and BackupAndRestore: which files are there when, and what training goes on from."""

import numpy as np
import pytest

import hotloop as keras
from hotloop.callbacks import BackupAndRestore, Callback, ModelCheckpoint

X = np.arange(20.0).reshape(10, 2) / 20


def small():
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.1), "mse")
    return model


def fit(callbacks, model=None, epochs=3, **options):
    model = model or small()
    model.fit(X, X[:, :1], batch_size=2, epochs=epochs, verbose=0, callbacks=callbacks, **options)
    return model


class Says(Callback):
    """Logs these values as val_loss."""

    def __init__(self, values):
        self.values = values

    def on_epoch_end(self, epoch, logs=None):
        logs["val_loss"] = self.values[epoch]


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def test_every_epoch_gets_a_file_named_after_its_number_and_logs(tmp_path):
    fit([ModelCheckpoint(tmp_path / "new" / "m_{epoch:02d}_{val_loss:.3f}.safetensors"), Says([1, 0.5, 0.25])])
    assert names(tmp_path / "new") == [
        "m_01_1.000.safetensors", "m_02_0.500.safetensors", "m_03_0.250.safetensors"
    ]  # fmt: skip


def test_the_file_is_the_model_after_its_epoch(tmp_path):
    kept = []

    class Keep(Callback):
        def on_epoch_end(self, epoch, logs=None):
            kept.append(self.model.get_weights())

    fit([ModelCheckpoint(tmp_path / "{epoch}.safetensors"), Keep()])
    for epoch, weights in enumerate(kept):
        loaded = keras.models.load_model(tmp_path / f"{epoch + 1}.safetensors")
        assert all(np.array_equal(a, b) for a, b in zip(loaded.get_weights(), weights, strict=True))


@pytest.mark.parametrize(
    ("values", "options", "epochs"),
    [
        ([1, 2, 0.5, 0.5], {}, [1, 3]), ([1, 2, 3, 2], {"mode": "max"}, [1, 2, 3]),
        ([1, 0.5, 2, 0.2], {"initial_value_threshold": 0.4}, [4]), ([float("nan"), 1, 2, 0.5], {}, [2, 4]),
    ],
)  # fmt: skip
def test_save_best_only_keeps_worse_epochs(tmp_path, values, options, epochs):
    path = tmp_path / "{epoch}.safetensors"
    fit([Says(values), ModelCheckpoint(path, save_best_only=True, **options)], epochs=4)
    assert names(tmp_path) == [f"{n}.safetensors" for n in epochs]


def test_the_best_value_is_forgotten_between_calls_of_fit(tmp_path):
    best = ModelCheckpoint(tmp_path / "{epoch}.safetensors", save_best_only=True)
    model = fit([Says([1]), best], epochs=1)
    fit([Says([2, 2, 0.5]), best], model)
    assert names(tmp_path) == ["1.safetensors", "3.safetensors"]


def test_batches_are_counted_over_epochs(tmp_path):
    fit([ModelCheckpoint(tmp_path / "{epoch}_{batch}.safetensors", save_freq=4)])
    assert names(tmp_path) == ["1_4.safetensors", "2_3.safetensors", "3_2.safetensors"]


def test_weights_alone_are_saved_as_such(tmp_path):
    model = fit([ModelCheckpoint(tmp_path / "w.safetensors", save_weights_only=True)])
    other = small()
    other.load_weights(tmp_path / "w.safetensors")
    np.testing.assert_array_equal(other.get_weights()[0], model.get_weights()[0])
    with pytest.raises(keras.saving.FormatError, match="weights alone"):
        keras.models.load_model(tmp_path / "w.safetensors")


def test_a_missing_number_saves_and_warns(tmp_path):
    with pytest.warns(UserWarning, match="ModelCheckpoint is to watch 'val_loss'"):
        fit([ModelCheckpoint(tmp_path / "m.safetensors", save_best_only=True)], epochs=1)
    assert names(tmp_path) == ["m.safetensors"]


def test_it_says_what_it_saves(tmp_path, capsys):
    path = tmp_path / "m.safetensors"
    fit([Says([0.77667, 0.9]), ModelCheckpoint(path, verbose=1, save_best_only=True)], epochs=2)
    assert capsys.readouterr().out == (
        f"\nEpoch 1: val_loss improved from None to 0.77667, saving model to {path}\n"
        f"\nEpoch 1: finished saving model to {path}\n"
        "\nEpoch 2: val_loss did not improve from 0.77667\n"
    )


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: ModelCheckpoint("model.pkl"), ValueError, "ends in .safetensors"),
        (lambda: ModelCheckpoint("m.safetensors", save_freq="batch"), ValueError, "save_freq"),
        (lambda: ModelCheckpoint("m.safetensors", save_freq=0), ValueError, "save_freq"),
        (lambda: ModelCheckpoint("m.safetensors", mode="mni"), ValueError, "Did you mean 'min'"),
        (lambda: ModelCheckpoint("m.safetensors", monitr="loss"), TypeError, "Did you mean 'monitor'"),
        (lambda: BackupAndRestore(""), ValueError, "backup_dir"),
        (lambda: BackupAndRestore("b", save_freq=0), ValueError, "save_freq"),
    ],
)
def test_what_makes_no_checkpoint_is_taken(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_a_name_with_an_unknown_number_says_which_there_are(tmp_path):
    with pytest.raises(KeyError, match="among epoch, loss, received 'acc'"):
        fit([ModelCheckpoint(tmp_path / "{acc}.safetensors")])


class Breaks(Callback):
    """Fails after so many batches of the whole training."""

    def __init__(self, after):
        self.left = after

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left == 0:
            raise ConnectionError


@pytest.mark.parametrize(("freq", "double"), [("epoch", False), (3, False), (2, True)])
@pytest.mark.parametrize("after", [1, 6, 9])
def test_an_interrupted_fit_started_again_ends_elsewhere(tmp_path, freq, double, after):
    whole = fit([])
    backup = tmp_path / "backup"

    def callbacks():
        return [BackupAndRestore(backup, freq, double_checkpoint=double)]

    with pytest.raises(ConnectionError):
        fit([Breaks(after), *callbacks()])
    resumed = fit(callbacks())
    assert resumed.optimizer.iterations == whole.optimizer.iterations
    assert resumed.history.history == whole.history.history
    for got, want in zip(resumed.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(got, want)
    assert not backup.exists()


def test_backups_are_kept_where_asked(tmp_path):
    fit([BackupAndRestore(tmp_path, double_checkpoint=True, delete_checkpoint=False)])
    assert names(tmp_path) == ["latest.bkp.safetensors", "latest.safetensors"]
    assert fit([BackupAndRestore(tmp_path)]).history.epoch == [0, 1, 2]  # nothing is left to do
