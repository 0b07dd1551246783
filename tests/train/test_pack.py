"""Packs: networks trained side by side end up as they would have alone; ensembles of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import hotloop as keras

RNG = np.random.default_rng(5)
X = RNG.standard_normal((300, 6))
Y = (X[:, :1] * X[:, 1:2] > 0).astype(np.int32)


def make(seed=0, units=8, rate=0.01, dropout=0.0, norm=False):
    keras.utils.set_random_seed(seed)
    stack = [keras.layers.Dense(units, "tanh"), keras.layers.Dropout(dropout)]
    if norm:
        stack.insert(1, keras.layers.BatchNormalization())
    model = keras.Sequential([keras.Input((6,)), *stack, keras.layers.Dense(1, "sigmoid")])
    model.compile(keras.optimizers.Adam(rate), "binary_crossentropy", metrics=["accuracy"])
    return model


CONFIGURATIONS = [
    {"seed": s, "units": u, "rate": r, "dropout": d, "norm": n}
    for s, u, r, d, n in [(1, 8, 0.01, 0.0, False), (2, 33, 0.1, 0.3, False), (3, 5, 0.003, 0.0, True)] * 3
]


def test_a_member_ends_up_with_the_bits_that_it_has_alone():
    pack = keras.Pack.build(make, CONFIGURATIONS)
    arguments = {"batch_size": 32, "validation_split": 0.2, "epochs": 3}
    histories = pack.fit(X, Y, verbose=0, **arguments)
    predictions = pack.predict(X)
    for i, configuration in enumerate(CONFIGURATIONS):
        alone = make(**configuration)
        assert alone.fit(X, Y, verbose=0, **arguments).history == histories[i].history
        for mine, its in zip(pack[i].get_weights(), alone.get_weights(), strict=True):
            assert mine.tobytes() == its.tobytes()
        assert predictions[i].tobytes() == alone.predict(X, verbose=0).tobytes()
        assert pack.evaluate(X, Y)[i] == alone.evaluate(X, Y, verbose=0)


def test_members_stop_early_by_themselves():
    pack = keras.Pack.build(make, CONFIGURATIONS[:3])
    stopping = keras.callbacks.EarlyStopping(monitor="val_loss", patience=1, min_delta=0.01)
    lengths = [len(h.epoch) for h in pack.fit(X, Y, epochs=40, callbacks=[stopping], validation_data=(X, Y), verbose=0)]
    expected = []
    for configuration in CONFIGURATIONS[:3]:
        alone = make(**configuration)
        mine = keras.callbacks.EarlyStopping(monitor="val_loss", patience=1, min_delta=0.01)
        history = alone.fit(X, Y, epochs=40, callbacks=[mine], validation_data=(X, Y), verbose=0)
        expected.append(len(history.epoch))
    assert lengths == expected
    assert len(set(lengths)) > 1
    assert stopping.stopped_epoch == 0  # the members had copies


def test_epochs_and_callbacks_may_be_those_of_each_member():
    pack = keras.Pack.build(make, CONFIGURATIONS[:3])
    seen = [[], [], []]

    def callbacks(i):
        return [keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen[i].append(epoch))]

    histories = pack.fit(X, Y, epochs=[1, 3, 2], callbacks=callbacks, verbose=0)
    assert [len(h.epoch) for h in histories] == [1, 3, 2]
    assert seen == [[0], [0, 1, 2], [0, 1]]


def test_a_member_that_fails_is_named_and_the_others_stop():
    pack = keras.Pack.build(make, CONFIGURATIONS)

    class Oops(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 2:
                raise RuntimeError("oops")

    with pytest.raises(RuntimeError, match="oops") as caught:
        pack.fit(X, Y, epochs=100_000, callbacks=lambda i: [Oops()] if i == 1 else [], verbose=0)
    if sys.version_info >= (3, 11):
        assert "member 1 of 9" in caught.value.__notes__[0]
    assert pack.fit(X, Y, epochs=2, verbose=0)[0].epoch == [0, 1]  # all go on afterwards


def test_ctrl_c_stops_all_members():
    code = textwrap.dedent(
        """
        import os, signal, sys, threading, time
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.path.insert(0, sys.argv[1])
        import test_pack as t
        pack = t.keras.Pack.build(t.make, t.CONFIGURATIONS)
        threading.Timer(1.0, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
        try:
            pack.fit(t.X, t.Y, epochs=10**7, verbose=0)
        except KeyboardInterrupt:
            assert len(pack.fit(t.X, t.Y, epochs=2, verbose=0)) == 9
            print("stopped")
        """
    )
    here = os.path.dirname(os.path.abspath(__file__))
    child = subprocess.run([sys.executable, "-c", code, here], capture_output=True, text=True, timeout=120)
    assert child.stdout.strip() == "stopped", child.stderr
    assert signal.getsignal(signal.SIGINT) is not None


def test_bad_packs_are_refused():
    model = make()
    with pytest.raises(ValueError, match="at least one member"):
        keras.Pack([])
    with pytest.raises(ValueError, match="members 0 and 1 share"):
        keras.Pack([model, model])
    with pytest.raises(TypeError, match="expected models, received str as member 0"):
        keras.Pack(["model"])
    rule = keras.optimizers.Adam()
    two = [make(1), make(2)]
    for member in two:
        member.compile(rule, "binary_crossentropy")
    with pytest.raises(ValueError, match="share Adam"):
        keras.Pack(two)
    with pytest.raises(ValueError, match="epochs for 1 members, received 2"):
        keras.Pack([model]).fit(X, Y, epochs=[1, 2])
    with pytest.raises(TypeError, match="callbacks as a list or a function"):
        keras.Pack([model]).fit(X, Y, callbacks=3)
    with pytest.raises(TypeError, match="epoch_s"):
        keras.Pack([model]).fit(X, Y, epoch_s=3)


def test_an_ensemble_is_the_mean_or_the_vote_of_its_members():
    pack = keras.Pack.build(make, CONFIGURATIONS[:3])
    pack.fit(X, Y, epochs=2, verbose=0)
    each = pack.predict(X)
    np.testing.assert_allclose(pack.ensemble().predict(X), each.mean(axis=0), rtol=1e-6)
    weights = np.array([3, 0, 1])
    np.testing.assert_allclose(
        pack.ensemble(weights).predict(X), np.tensordot(weights / 4, each, 1), rtol=1e-6, atol=1e-7
    )
    votes = (each[..., 0] > 0.5).mean(axis=0) > 0.5
    assert (pack.ensemble().vote(X) == votes).all()
    for bad in ([1, 2], [-1, 1, 1], [0, 0, 0], [np.nan, 1, 1]):
        with pytest.raises(ValueError, match="3 weights that are not negative"):
            pack.ensemble(bad)


def test_greedy_selection_is_no_worse_than_the_best_member_and_takes_what_helps():
    rng = np.random.default_rng(0)
    truth = rng.standard_normal(400)
    noise = rng.standard_normal((5, 400))
    noise[1] = -noise[0]  # together they are exact
    predictions = truth + noise * np.array([1, 1, 0.9, 2, 3])[:, None]
    chosen = keras.ensemble.greedy_selection(predictions, lambda p: float(np.mean((p - truth) ** 2)), 6)
    assert sum(chosen) == 6
    mean = np.tensordot(np.array(chosen) / 6, predictions, 1)
    assert np.mean((mean - truth) ** 2) < 0.2 * min(np.mean((p - truth) ** 2) for p in predictions)
    pack = keras.Pack.build(make, CONFIGURATIONS[:3])
    pack.fit(X, Y, epochs=2, verbose=0)
    loss = keras.losses.BinaryCrossentropy()
    best = min(float(loss(Y, p)) for p in pack.predict(X))
    assert float(loss(Y, pack.select(X, Y, size=5).predict(X))) <= best + 1e-6


def test_members_that_cannot_be_averaged_are_refused_by_name():
    one, three = make(1), keras.Sequential([keras.Input((6,)), keras.layers.Dense(3)])
    x = keras.Input((6,))
    double = keras.Model(x, {"a": keras.layers.Dense(1)(x), "b": keras.layers.Dense(1)(x)})
    for members, message in (
        ([one, three], "outputs of one shape, received .300, 1. of member 0 and .300, 3. of member 1"),
        ([one, double], "one output, received one with 2 as member 1"),
        ([double], "one output, received one with 2 as member 0"),
    ):
        for call in (keras.Ensemble(members).predict, keras.Ensemble(members).vote, keras.Pack(members).predict):
            with pytest.raises(ValueError, match=message):
                call(X)
    for kind in (keras.Ensemble, keras.Pack):
        with pytest.raises(TypeError, match="expected a list of models, received Sequential"):
            kind(one)
        with pytest.raises(TypeError, match="expected models, received int as member 1"):
            kind([one, 3])
    with pytest.raises(ValueError, match="1 weights that are not negative, received 'ab'"):
        keras.Ensemble([one], weights="ab")


def test_a_selection_without_a_score_says_so():
    pack = keras.Pack([make(1), make(2)])
    for member in pack:
        member.set_weights([a * np.nan for a in member.get_weights()])
    with pytest.raises(ValueError, match="a member whose score is a number"):
        pack.select(X, Y)
    with pytest.raises(ValueError, match="compiled with a loss, received none"):
        keras.Pack([keras.Sequential([keras.Input((6,)), keras.layers.Dense(1)])]).select(X, Y)


def test_members_do_not_share_a_layer_that_gets_its_weights_in_training():
    shared = keras.layers.Dense(3)
    members = [keras.Sequential([shared, keras.layers.Dense(1)]) for _ in range(2)]
    with pytest.raises(ValueError, match="members 0 and 1 share Dense"):
        keras.Pack(members)


def test_members_do_not_share_out_the_batches_of_one_generator():
    def batches():
        yield from [(X[:100], Y[:100])] * 3

    pack = keras.Pack([make(1), make(2)])
    before = [member.get_weights() for member in pack]
    with pytest.raises(ValueError, match="received a generator, of which each would get a part"):
        pack.fit(batches(), verbose=0)
    with pytest.raises(ValueError, match="received a generator"):
        pack.fit(X, Y, validation_data=batches(), verbose=0)
    with pytest.raises(ValueError, match="received a generator"):
        pack.evaluate(batches())
    assert all(
        np.array_equal(a, b)
        for m, old in zip(pack, before, strict=True)
        for a, b in zip(m.get_weights(), old, strict=True)
    )


@pytest.mark.parametrize(
    "write",
    [
        lambda at: keras.callbacks.ModelCheckpoint(f"{at}.safetensors"),
        keras.callbacks.BackupAndRestore,
        keras.callbacks.CSVLogger,
        keras.callbacks.TensorBoard,
    ],
)
def test_members_do_not_write_over_the_files_of_each_other(write, tmp_path):
    pack = keras.Pack([make(1), make(2)])
    with pytest.raises(ValueError, match=r"files of its own for each of 2 members, received one \w+ for all"):
        pack.fit(X, Y, verbose=0, callbacks=[write(str(tmp_path / "one"))])
    assert not list(tmp_path.iterdir())
    pack.fit(X, Y, verbose=0, callbacks=lambda i: [write(str(tmp_path / str(i)))])
    keras.Pack([make(1)]).fit(X, Y, verbose=0, callbacks=[write(str(tmp_path / "one"))])


def test_members_do_not_go_on_from_one_file(tmp_path):
    path = str(tmp_path / "one.safetensors")
    model = make(1)
    model.fit(X, Y, epochs=2, verbose=0, callbacks=[keras.callbacks.ModelCheckpoint(path)])
    pack = keras.Pack([make(2), make(3)])
    with pytest.raises(ValueError, match="received one to resume all of them from"):
        pack.fit(X, Y, epochs=3, verbose=0, resume=path)
    keras.Pack([make(2)]).fit(X, Y, epochs=3, verbose=0, resume=path)
