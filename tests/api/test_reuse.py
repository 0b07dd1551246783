"""Layers and weights used again: sharing, freezing by name, partial loading, weights of other libraries."""

import numpy as np
import pytest
from safetensors.numpy import save_file

import hotloop as keras
from hotloop.models import set_trainable

RNG = np.random.default_rng(1)
X = RNG.standard_normal((24, 4)).astype(np.float32)
Y = RNG.standard_normal((24, 2)).astype(np.float32)


def net(widths=(5, 3, 2), seed=1):
    keras.utils.set_random_seed(seed)
    names = [f"hidden{i + 1}" for i in range(len(widths) - 1)] + ["output"]
    layers = [keras.layers.Dense(n, name=name) for n, name in zip(widths, names, strict=True)]
    model = keras.Sequential([keras.Input((4,)), *layers])
    model.compile("sgd", "mse")
    return model


def weights_of(model, name):
    return model.get_layer(name).get_weights()[0]


def test_training_a_model_made_of_anothers_layers_trains_both():
    first = net()
    second = keras.Sequential([*first.layers[:-1], keras.layers.Dense(2, name="new")])
    second.compile("sgd", "mse")
    before, top = weights_of(first, "hidden1"), weights_of(first, "output")
    second.fit(X, Y, verbose=0)
    assert not np.array_equal(weights_of(first, "hidden1"), before)
    np.testing.assert_array_equal(weights_of(first, "hidden1"), weights_of(second, "hidden1"))
    np.testing.assert_array_equal(weights_of(first, "output"), top)
    clone = keras.models.clone_model(first)
    kept = weights_of(first, "hidden1")
    clone.fit(X, Y, verbose=0)
    np.testing.assert_array_equal(weights_of(first, "hidden1"), kept)


def test_the_output_of_a_layer_is_a_model_of_its_own():
    model = net()
    features = keras.Model(model.inputs, model.layers[0].output)
    w, b = model.layers[0].get_weights()
    np.testing.assert_allclose(features.predict(X, verbose=0), X @ w + b, rtol=1e-5, atol=1e-6)


def test_a_pattern_freezes_layers_until_another_thaws_them():
    model = net()
    assert [layer.name for layer in set_trainable(model, "hidden[12]", False)] == ["hidden1", "hidden2"]
    before = [weights_of(model, name) for name in ("hidden1", "hidden2", "output")]
    model.fit(X, Y, verbose=0)
    after = [weights_of(model, name) for name in ("hidden1", "hidden2", "output")]
    assert [np.array_equal(a, b) for a, b in zip(before, after, strict=True)] == [True, True, False]
    set_trainable(model, ".*", True)
    model.fit(X, Y, verbose=0)
    assert not np.array_equal(weights_of(model, "hidden1"), before[0])
    with pytest.raises(ValueError, match=r"matches one of hidden1, hidden2, output.*Did you mean 'hidden1'"):
        set_trainable(model, "hiden1", False)


@pytest.mark.parametrize("whole", [True, False])
def test_a_pattern_picks_the_layers_that_are_loaded(tmp_path, whole):
    source, target = net(seed=1), net((5, 3, 7, 2), seed=2)
    path = tmp_path / "w.safetensors"
    source.fit(X, Y, verbose=0)
    source.save(path) if whole else source.save_weights(path)
    old = target.get_weights()
    target.load_weights(path, by_name="hidden[12]")
    for name in ("hidden1", "hidden2"):
        np.testing.assert_array_equal(weights_of(target, name), weights_of(source, name))
    for got, want in zip(target.get_weights()[4:], old[4:], strict=True):
        np.testing.assert_array_equal(got, want)
    with pytest.raises(ValueError, match="expected weights of the model"):
        target.load_weights(path, by_name="nothing")


def test_weights_of_another_shape_are_refused_or_left_with_a_warning(tmp_path):
    source, target = net((5, 3, 2)), net((5, 3, 4), seed=2)
    source.save_weights(tmp_path / "w.safetensors")
    old = target.get_weights()
    with pytest.raises(ValueError, match=r"shape \(3, 4\) for 'output/kernel', received \(3, 2\)"):
        target.load_weights(tmp_path / "w.safetensors", by_name=True)
    assert all(np.array_equal(a, b) for a, b in zip(target.get_weights(), old, strict=True))
    with pytest.warns(UserWarning, match="output/kernel"):
        target.load_weights(tmp_path / "w.safetensors", skip_mismatch=True)
    for i, (got, want) in enumerate(zip(target.get_weights(), source.get_weights()[:4] + old[4:], strict=True)):
        np.testing.assert_array_equal(got, want, err_msg=str(i))


def test_a_mapping_of_arrays_is_taken_in_order_or_by_name():
    source, target = net(), net(seed=2)
    arrays = {str(i) + "!": w for i, w in enumerate(source.get_weights())}
    target.load_weights(arrays)
    for got, want in zip(target.get_weights(), source.get_weights(), strict=True):
        np.testing.assert_array_equal(got, want)
    target.load_weights({"hidden1.bias": np.arange(5), "other": np.ones(1)}, by_name=True)
    np.testing.assert_array_equal(target.get_layer("hidden1").get_weights()[1], np.arange(5))
    with pytest.raises(ValueError, match="expected 6 arrays, received 1"):
        target.load_weights({"a": np.ones(3)})


def torch_like():
    """A state dict of Linear(4, 5), BatchNorm1d(5), ReLU, Linear(5, 2), and what it computes."""
    state = {
        "0.weight": RNG.standard_normal((5, 4)), "0.bias": RNG.standard_normal(5), "1.weight": RNG.random(5) + 0.5,
        "1.bias": RNG.standard_normal(5), "1.running_mean": RNG.standard_normal(5),
        "1.running_var": RNG.random(5) + 0.5,
        "3.weight": RNG.standard_normal((2, 5)), "3.bias": RNG.standard_normal(2),
    }  # fmt: skip
    h = X @ state["0.weight"].T + state["0.bias"]
    h = (h - state["1.running_mean"]) / np.sqrt(state["1.running_var"] + 1e-5) * state["1.weight"] + state["1.bias"]
    outputs = np.maximum(h, 0) @ state["3.weight"].T + state["3.bias"]
    arrays = {name: np.ascontiguousarray(a, np.float32) for name, a in state.items()}
    return {**arrays, "1.num_batches_tracked": np.array([3])}, outputs


@pytest.mark.parametrize("from_file", [False, True])
def test_a_state_dict_of_pytorch_gives_the_outputs_it_gives_there(tmp_path, from_file):
    state, outputs = torch_like()
    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((4,)), layers.Dense(5), layers.BatchNormalization(epsilon=1e-5), layers.ReLU(), layers.Dense(2)]
    )
    if from_file:
        save_file(state, tmp_path / "torch.safetensors")
    model.load_weights(tmp_path / "torch.safetensors" if from_file else state)
    np.testing.assert_allclose(model.predict(X, verbose=0), outputs, rtol=1e-4, atol=1e-5)
    del state["3.bias"]
    with pytest.raises(ValueError, match="expected weight, bias for layer"):
        model.load_weights(state)


def test_files_that_are_none_are_refused(tmp_path):
    (tmp_path / "bad.safetensors").write_bytes(b"\x08" + bytes(30))
    with pytest.raises(keras.saving.FormatError):
        net().load_weights(tmp_path / "bad.safetensors")
    with pytest.raises(keras.saving.FormatError):
        net().load_weights(tmp_path / "bad.safetensors", by_name=True)


def test_a_target_network_follows_or_jumps():
    source, target = net(seed=1), net(seed=2)
    old = target.get_weights()
    target.copy_weights_from(source, tau=0.25)
    for got, new, before in zip(target.get_weights(), source.get_weights(), old, strict=True):
        np.testing.assert_allclose(got, 0.25 * new + 0.75 * before, rtol=1e-6, atol=1e-7)
    target.copy_weights_from(source)
    for got, new in zip(target.get_weights(), source.get_weights(), strict=True):
        np.testing.assert_array_equal(got, new)
    with pytest.raises(ValueError, match="tau from 0 to 1"):
        target.copy_weights_from(source, tau=2)
    with pytest.raises(ValueError, match="same layers"):
        target.copy_weights_from(net((5, 2)))


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_sweep_finds_a_rate_and_leaves_no_trace(optimizer):
    def made():
        model = net()
        model.compile(optimizer, "mse")
        model.fit(x[:32], y[:32], verbose=0)
        return model

    x = np.tile(X, (20, 1))
    y = x[:, :2] - x[:, 2:]
    swept, plain = made(), made()
    found = swept.find_learning_rate(x, y, batch_size=8, min_rate=1e-4, max_rate=1e3, epochs=3)
    assert len(found.rates) == len(found.losses) < 180  # it ended where the loss exploded
    np.testing.assert_allclose(found.rates[1:] / found.rates[:-1], found.rates[1] / found.rates[0])
    assert found.rates[0] == 1e-4
    assert 1e-3 < found.suggestion < found.rates[-1] / 5
    for model in (swept, plain):
        model.fit(x, y, verbose=0)
    for got, want in zip(swept.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_array_equal(got, want)
    assert swept.optimizer.iterations == plain.optimizer.iterations


def test_a_sweep_draws_its_curve():
    pytest.importorskip("matplotlib").use("Agg")
    axes = net().find_learning_rate(X, Y, batch_size=4).plot()
    assert axes.get_xscale() == "log"
    assert len(axes.lines) == 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [({"min_rate": 1.0, "max_rate": 0.1}, "min_rate < max_rate"), ({"batch_size": 24}, "at least 2 batches")],
)
def test_sweeps_that_cannot_be_are_started(arguments, words):
    with pytest.raises(ValueError, match=words):
        net().find_learning_rate(X, Y, **arguments)


def test_a_file_of_another_library_without_an_order_is_not_guessed(tmp_path):
    save_file({f"w{i}": w for i, w in enumerate(net().get_weights())}, tmp_path / "w.safetensors")
    with pytest.raises(ValueError, match="by_name=True"):
        net().load_weights(tmp_path / "w.safetensors")
