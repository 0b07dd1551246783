"""The circle loss in training, on arrays and in losses of one's own; against Keras where it is installed."""

from __future__ import annotations

import numpy as np
import pytest

import hotloop
from hotloop import losses, ops

RNG = np.random.default_rng(4)
X, KINDS = RNG.standard_normal((24, 5)).astype(np.float32), RNG.integers(0, 4, 24)
REFS, OF_REFS = RNG.standard_normal((7, 3)).astype(np.float32), np.arange(7) % 4
REFS /= np.linalg.norm(REFS, axis=1, keepdims=True)
EASY = np.array([[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.6, 0.8]], np.float32)
OF_EASY = [0, 0, 0, 1, 1]


@pytest.fixture
def theirs(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    return pytest.importorskip("keras", minversion="3.0", reason="Keras 3 is not installed")


def embedding(keras, loss):
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(3), keras.layers.UnitNormalization()])
    model.compile(keras.optimizers.SGD(0.05), loss)
    return model


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("weights", [None, RNG.random(24).astype(np.float32)])
@pytest.mark.parametrize("options", [{}, {"gamma": 8.0, "margin": 0.2, "remove_diagonal": False}, {"reduction": "sum"}])
def test_training_goes_as_in_keras(theirs, options, weights):
    ours, other = (embedding(keras, keras.losses.Circle(**options)) for keras in (hotloop, theirs))
    ours.set_weights(other.get_weights())
    for _ in range(3):
        got = ours.train_on_batch(X, KINDS, sample_weight=weights)
        want = other.train_on_batch(X, KINDS, sample_weight=weights)
        np.testing.assert_allclose(got, want, rtol=1e-4)
    for a, b in zip(ours.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-4)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("weights", [None, [1.0, 2.0, 0.5, 0.0, 3.0]])
@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "none", "mean_with_sample_weight"])
@pytest.mark.parametrize("diagonal", [True, False])
def test_of_arrays_it_is_keras_number(theirs, reduction, weights, diagonal):
    """Also where some samples have loss 0 (to float32)."""
    for gamma in (4.0, 160.0):
        options = {"gamma": gamma, "reduction": reduction, "remove_diagonal": diagonal}
        weight = None if weights is None else np.array(weights, np.float32)
        got = losses.Circle(**options)(OF_EASY, EASY, sample_weight=weight)
        want = theirs.losses.Circle(**options)(np.array(OF_EASY), EASY, sample_weight=weight)
        np.testing.assert_allclose(got, np.asarray(want), rtol=1e-5, atol=1e-30)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("remove_diagonal", [True, False])
def test_beside_references_it_is_keras_number(theirs, remove_diagonal):
    e = X[:, :3] / np.linalg.norm(X[:, :3], axis=1, keepdims=True)
    arguments = {"remove_diagonal": remove_diagonal, "gamma": 8, "margin": 0.3}
    got = losses.circle(KINDS, e, OF_REFS, REFS, **arguments)
    want = theirs.losses.circle(KINDS, e, OF_REFS, REFS, **arguments)
    np.testing.assert_allclose(got, np.asarray(want), rtol=1e-5)


class Prototypes(hotloop.layers.Layer):
    """Adds the circle loss beside vectors that are learned."""

    def build(self, input_shape):
        self.centres = self.add_weight((4, 3), "glorot_uniform", name="centres")

    def call(self, x):
        embedded, kinds = x[:, :3], x[:, 3]
        each = losses.circle(kinds, embedded, np.arange(4.0), self.centres, remove_diagonal=False, gamma=2.0)
        self.add_loss(ops.mean(each))
        return embedded


def test_learned_references_do_not_learn():
    model = hotloop.Sequential([hotloop.Input((4,)), Prototypes()])
    model.compile(hotloop.optimizers.SGD(0.1), lambda y_true, y_pred: 0.0 * ops.sum(y_pred))
    x = np.concatenate([np.eye(3, dtype=np.float32)[KINDS % 3], (KINDS % 3)[:, None]], 1)
    [before] = model.get_weights()
    first = model.train_on_batch(x, x[:, :1])
    [after] = model.get_weights()

    def value(centres):
        return float(np.mean(losses.circle(x[:, 3], x[:, :3], np.arange(4), centres, False, 2.0)))

    assert first == pytest.approx(value(before), rel=1e-5)
    for at in np.ndindex(4, 3):
        up, down = before.copy(), before.copy()
        up[at] += 1e-2
        down[at] -= 1e-2
        slope = (value(up) - value(down)) / 2e-2
        assert before[at] - after[at] == pytest.approx(0.1 * slope, abs=1e-4)


def test_samples_of_loss_zero_count_in_the_mean():
    e = np.concatenate([EASY, [[0.0, -1.0]]]).astype(np.float32)  # nobody else of its label
    labels = [*OF_EASY, 7]
    each = losses.circle(labels, e, gamma=2.0)
    assert each[-1] == 0
    assert losses.Circle(gamma=2.0)(labels, e) == pytest.approx(each[:-1].mean(), rel=1e-5)
    model = hotloop.Sequential([hotloop.Input((2,)), hotloop.layers.Rescaling(1.0)])
    model.compile("sgd", losses.Circle(gamma=2.0))
    assert model.evaluate(e, np.array(labels), batch_size=6, verbose=0) == pytest.approx(each[:-1].mean(), rel=1e-5)


def test_a_model_forgets_its_pairs_in_a_file(tmp_path):
    model = embedding(hotloop, losses.Circle(gamma=3.0, margin=0.1, remove_diagonal=False))
    model.train_on_batch(X, KINDS)
    model.save(tmp_path / "m.safetensors")
    again = hotloop.models.load_model(tmp_path / "m.safetensors")
    assert again.loss.get_config() == model.loss.get_config()
    assert again.train_on_batch(X, KINDS) == model.train_on_batch(X, KINDS)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: losses.circle([0, 1], np.ones(2)), "embeddings"),
        (lambda: losses.circle([0, 1, 2], np.ones((2, 3))), "label"),
        (lambda: losses.circle([0, 1], np.ones((2, 3)), ref_labels=[1]), "together"),
        (lambda: losses.circle([0, 1], np.ones((2, 3)), [1], np.ones((1, 2))), "width 3"),
        (lambda: losses.circle(hotloop.Input(()), hotloop.Input((3,))), "an Input"),
    ],
)
def test_what_has_no_pairs_is_refused(call, said):
    with pytest.raises((ValueError, hotloop.TraceError), match=said):
        call()
