"""Callbacks that write logs elsewhere, and LambdaCallback and TerminateOnNaN."""

import http.server
import json
import struct
import threading

import numpy as np
import pytest

import hotloop as keras
from hotloop.callbacks import Callback, CSVLogger, LambdaCallback, RemoteMonitor, TensorBoard, TerminateOnNaN
from hotloop.callbacks.event_file import crc32c

X = np.arange(20.0).reshape(10, 2) / 20


def fit(*callbacks, epochs=2, rate=0.01, **options):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, name="d")])
    model.compile(keras.optimizers.SGD(rate), "mse", metrics=["mae"])
    model.fit(X, X[:, :1], batch_size=5, epochs=epochs, verbose=0, callbacks=list(callbacks), **options)
    return model


def test_a_line_for_every_epoch_and_na_for_what_is_missing(tmp_path):
    path = tmp_path / "log.csv"
    model = fit(CSVLogger(path, separator=";"), validation_data=(X, X[:, :1]), validation_freq=2)
    lines = [line.split(";") for line in path.read_text().splitlines()]
    assert lines[0] == ["epoch", "loss", "mae", "val_loss", "val_mae"]
    assert lines[1][0] == "0"
    assert lines[1][3:] == ["NA", "NA"]
    assert [float(v) for v in lines[2][3:]] == [model.history.history[k][0] for k in ("val_loss", "val_mae")]


def test_appending_writes_the_header_once_and_vectors_are_quoted(tmp_path):
    class Adds(Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["v"] = np.array([1, 2])

    path = tmp_path / "log.csv"
    for _ in range(2):
        fit(Adds(), CSVLogger(path, append=True), epochs=1)
    text = path.read_text()
    assert text.count("epoch") == 1
    assert text.count('"[1, 2]"') == 2
    fit(CSVLogger(path), epochs=1)
    assert path.read_text().count("\n") == 2


def test_training_ends_at_the_batch_whose_loss_is_no_number(capsys):
    with pytest.warns(RuntimeWarning, match="NaN or Inf"):
        model = fit(TerminateOnNaN(), rate=1e30, epochs=50)
    assert model.optimizer.iterations < 10
    assert "Invalid loss, terminating training" in capsys.readouterr().out
    with pytest.raises(RuntimeError, match="expected a finite loss"):
        fit(TerminateOnNaN(raise_error=True), rate=1e30, epochs=50)


def test_functions_are_hooks_whatever_they_call_their_arguments():
    calls = []
    fit(
        LambdaCallback(
            on_epoch_end=lambda e, l: calls.append(("epoch", e, sorted(l))),  # noqa: E741
            on_train_batch_end=lambda b, l: calls.append(("batch", b)),  # noqa: E741
            on_train_end=lambda logs: calls.append(("end",)),
        ),
        epochs=1,
    )
    assert calls == [("batch", 0), ("batch", 1), ("epoch", 0, ["loss", "mae"]), ("end",)]
    with pytest.raises(TypeError, match="Did you mean 'on_epoch_end'"):
        LambdaCallback(on_epoch_ends=print)
    with pytest.raises(TypeError, match="to be a function"):
        LambdaCallback(on_epoch_end=3)


def test_only_hooks_of_batches_make_an_epoch_several_calls():
    from hotloop.callbacks import CallbackList, EarlyStopping, ModelCheckpoint

    slow = [LambdaCallback(on_train_batch_end=print), ModelCheckpoint("m.safetensors", save_freq=3), TerminateOnNaN()]
    fast = [LambdaCallback(on_epoch_end=print), ModelCheckpoint("m.safetensors"), TensorBoard(), EarlyStopping()]
    assert [CallbackList(c).overrides_batch_hooks for c in slow] == [True] * 3
    assert [CallbackList(c).overrides_batch_hooks for c in fast] == [False] * 4


def test_logs_are_posted_and_a_dead_server_does_not_end_training():
    received = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            received.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        root = f"http://127.0.0.1:{server.server_address[1]}"
        model = fit(RemoteMonitor(root, send_as_json=True))
        server.shutdown()
        thread.join()
    losses = model.history.history["loss"]
    assert [(path, sent["epoch"], sent["loss"]) for path, sent in received] == [
        ("/publish/epoch/end/", 0, losses[0]), ("/publish/epoch/end/", 1, losses[1])
    ]  # fmt: skip
    with pytest.warns(UserWarning, match="cannot reach"):
        fit(RemoteMonitor(root), epochs=1)


def records(path):
    """The data of every record, with both checksums looked at."""
    data, at = path.read_bytes(), 0
    while at < len(data):
        (length,) = struct.unpack_from("<Q", data, at)
        for start, end in ((at, at + 8), (at + 12, at + 12 + length)):
            crc = crc32c(data[start:end])
            masked = (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF
            assert struct.unpack_from("<I", data, end) == (masked,)
        yield data[at + 12 : at + 12 + length]
        at += 16 + length


def test_event_files_are_records_with_the_tags_of_keras(tmp_path):
    fit(TensorBoard(tmp_path, histogram_freq=1, update_freq=2), validation_data=(X, X[:, :1]))
    train = b"".join(records(next((tmp_path / "train").iterdir())))
    validation = b"".join(records(next((tmp_path / "validation").iterdir())))
    for tag in (b"epoch_loss", b"epoch_mae", b"epoch_learning_rate", b"batch_loss", b"d/kernel/histogram"):
        assert tag in train
    for tag in (b"epoch_loss", b"evaluation_loss_vs_iterations"):
        assert tag in validation
    assert b"val_" not in validation
    assert b"batch_" not in validation


def test_tensorboard_reads_the_numbers_that_were_logged(tmp_path):
    accumulators = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    model = fit(TensorBoard(tmp_path, histogram_freq=1))
    events = accumulators.EventAccumulator(str(tmp_path / "train"))
    events.Reload()
    scalars = events.Tensors("epoch_loss") if "epoch_loss" in events.Tags()["tensors"] else events.Scalars("epoch_loss")
    assert [event.step for event in scalars] == [0, 1]
    values = [getattr(event, "value", None) or event.tensor_proto.float_val[0] for event in scalars]
    np.testing.assert_allclose(values, model.history.history["loss"], rtol=1e-6)


def test_what_tensorboard_does_not_do_yet_is_ignored():
    TensorBoard(write_images=False, profile_batch=0)
    with pytest.raises(ValueError, match="expected write_images=False"):
        TensorBoard(write_images=True)
    with pytest.raises(ValueError, match="update_freq"):
        TensorBoard(update_freq="step")
