"""Restricted Boltzmann machines: what they learn, what they draw, and what they refuse."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import hotloop as keras
from hotloop import ops
from hotloop.pretraining import RBM

RNG = np.random.default_rng(5)
STRIPES = np.repeat([[0.0, 0.0, 1.0, 1.0], [1.0, 1.0, 0.0, 0.0]], 64, 0)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def softplus(z):
    return np.logaddexp(0, z)


def free_energy(v, w, c, b, visible="binary"):
    hidden = softplus(v @ w + c).sum(1)
    return (-v @ b if visible == "binary" else 0.5 * ((v - b) ** 2).sum(1)) - hidden


def built(features, hidden, **options):
    rbm = RBM(hidden, dtype="float64", **options)
    rbm.build((None, features))
    weights = [0.5 * RNG.standard_normal(v.shape) for v in rbm.trainable_weights]
    rbm.set_weights([*weights, *(v.numpy() for v in rbm.non_trainable_weights)])
    return rbm, weights


def all_states(n):
    return np.array([[i >> j & 1 for j in range(n)] for i in range(2**n)], float)


class Fixed(RBM):
    """Draws nothing: its phases are means."""

    def sample_hidden(self, mean):
        return mean

    def sample_visible(self, mean):
        return ops.stop_gradient(mean)


@pytest.mark.parametrize("visible", ["binary", "gaussian"])
@pytest.mark.parametrize("k", [1, 3])
def test_the_gradient_is_the_difference_of_the_two_phases(visible, k):
    rbm, (w, c, b) = built(6, 4, visible=visible, k=k)
    rbm.__class__ = Fixed
    v = RNG.uniform(size=(7, 6))
    rbm(v)
    gradients = rbm.gradients(v)
    h, vk = sigmoid(v @ w + c), v
    for _ in range(k):
        mean = sigmoid(vk @ w + c) @ w.T + b
        vk = sigmoid(mean) if visible == "binary" else mean
    hk, n = sigmoid(vk @ w + c), len(v)
    for got, want in zip(gradients, [(vk.T @ hk - v.T @ h) / n, (hk - h).mean(0), (vk - v).mean(0)], strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("visible", ["binary", "gaussian"])
def test_sampled_gradients_have_the_mean_of_one_step_of_the_chain(visible):
    rbm, (w, c, b) = built(3, 2, visible=visible)
    v = np.tile([[1.0, 0.0, 1.0]], (40_000, 1))
    rbm(v[:1])
    _, dc, db = rbm.gradients(v)
    hidden = all_states(2)
    p_h = np.prod(np.where(hidden, sigmoid(v[0] @ w + c), 1 - sigmoid(v[0] @ w + c)), 1)
    means = hidden @ w.T + b
    vk = p_h @ (sigmoid(means) if visible == "binary" else means)
    np.testing.assert_allclose(db, vk - v[0], atol=0.04)
    if visible == "binary":
        states = all_states(3)
        p_v = p_h @ np.prod(np.where(states, sigmoid(means)[:, None], 1 - sigmoid(means)[:, None]), 2)
        np.testing.assert_allclose(dc, p_v @ sigmoid(states @ w + c) - sigmoid(v[0] @ w + c), atol=0.02)


def test_the_free_energy_is_that_of_the_sum_over_hidden_states():
    rbm, (w, c, b) = built(5, 3)
    v, h = all_states(5), all_states(3)
    want = -np.log(np.exp(v @ b[:, None] + (h @ c)[None] + v @ w @ h.T).sum(1))
    np.testing.assert_allclose(rbm.free_energy(v), want, rtol=1e-9)


def test_samples_are_drawn_from_the_model():
    rbm, (w, c, b) = built(3, 2)
    states = all_states(3)
    want = np.exp(-free_energy(states, w, c, b))
    v = rbm.sample(40_000, steps=25)
    got = [(v == state).all(1).mean() for state in states]
    np.testing.assert_allclose(got, want / want.sum(), atol=0.02)
    means = rbm.sample(4, steps=12, start=states[:4], mean=True)
    assert ((means > 0) & (means < 1)).all()


def test_gaussian_samples_have_the_moments_of_the_model():
    rbm, _ = built(2, 1, visible="gaussian")
    rbm.set_weights([np.zeros((2, 1)), np.zeros(1), np.array([1.0, -2.0])])
    v = rbm.sample(20_000, steps=3)
    np.testing.assert_allclose(v.mean(0), [1, -2], atol=0.04)
    np.testing.assert_allclose(v.std(0), 1, atol=0.03)


@pytest.mark.parametrize(
    "options", [{}, {"k": 5}, {"persistent": True, "chains": 32}, {"visible": "gaussian"}], ids=str
)
def test_it_learns_what_goes_together(options):
    keras.utils.set_random_seed(1)
    x = STRIPES * 4 - 2 if options.get("visible") else STRIPES
    rbm = RBM(4, log_free_energy=True, **options)
    history = rbm.fit(x, epochs=150, verbose=0).history
    assert set(history) == {"loss", "reconstruction_error", "free_energy"}
    assert history["reconstruction_error"][-1] < 0.3 * history["reconstruction_error"][0]
    assert (abs(rbm.reconstruct(x) - x) < 0.5).mean() > 0.95
    strange = x.copy()
    strange[:, 0] = x[0, 0] + x[-1, 0] - x[:, 0]
    assert rbm.free_energy(x).mean() < rbm.free_energy(strange).mean() - 1


def test_chains_go_on_where_the_last_batch_left_them():
    keras.utils.set_random_seed(1)
    rbm = RBM(3, persistent=True, chains=8)
    rbm.compile(keras.optimizers.SGD(0.0))
    x = STRIPES[::16]
    rbm.fit(x, epochs=1, batch_size=8, verbose=0)
    first = rbm.chains.numpy()
    assert set(np.unique(first)) == {0, 1}
    rbm.fit(x[:5], epochs=1, batch_size=5, verbose=0)
    np.testing.assert_array_equal(rbm.chains.numpy()[5:], first[5:])
    assert (rbm.chains.numpy()[:5] != first[:5]).any()
    kept = rbm.chains.numpy()
    rbm.evaluate(x, verbose=0)
    rbm.gradients(x)
    np.testing.assert_array_equal(rbm.chains.numpy(), kept)


def test_persistent_chains_follow_the_model_and_not_the_data():
    rbm, (w, c, b) = built(3, 2, persistent=True, chains=20_000)
    rbm.compile(keras.optimizers.SGD(0.0))
    rbm.fit(np.ones((20_000, 3)), epochs=20, batch_size=20_000, verbose=0)
    h, states = all_states(2), all_states(3)
    p = np.exp(states @ b[:, None] + (h @ c)[None] + states @ w @ h.T).sum(0)
    got = [(rbm.chains.numpy() == state).all(1).mean() for state in h]
    np.testing.assert_allclose(got, p / p.sum(), atol=0.02)


def test_logs_are_what_they_are_called():
    rbm, (w, c, b) = built(6, 4, log_free_energy=True)
    rbm.__class__ = Fixed
    v = RNG.uniform(size=(7, 6))
    rbm(v)
    logs = rbm.evaluate(v, verbose=0, return_dict=True)
    vk = sigmoid(sigmoid(v @ w + c) @ w.T + b)
    np.testing.assert_allclose(logs["reconstruction_error"], ((v - vk) ** 2).mean())
    np.testing.assert_allclose(logs["free_energy"], free_energy(v, w, c, b).mean())

    def energy(v):
        return (-sigmoid(v @ w + c) * (v @ w + c)).sum(1) - v @ b

    np.testing.assert_allclose(logs["loss"], (energy(v) - energy(vk)).mean())


def test_the_pseudo_likelihood_has_the_expected_value():
    rbm, (w, c, b) = built(4, 3)
    v = np.array([1.0, 0.0, 0.0, 1.0])
    turned = np.abs(v - np.eye(4))
    change = free_energy(turned, w, c, b) - free_energy(v[None], w, c, b)
    want = 4 * np.log(sigmoid(change)).mean()
    got = rbm.pseudo_likelihood(np.tile(v, (20_000, 1)))
    assert got.shape == (20_000,)
    assert abs(got.mean() - want) < 5 * got.std() / np.sqrt(len(got))


def test_a_sparsity_target_and_weight_decay_are_kept():
    def trained(**options):
        keras.utils.set_random_seed(2)
        rbm = RBM(6, **options)
        rbm.fit(STRIPES, epochs=60, verbose=0)
        return rbm

    plain, sparse = trained(), trained(sparsity_target=0.1, sparsity_cost=3.0)
    assert abs(sparse.transform(STRIPES).mean(0) - 0.1).max() < 0.05 < abs(plain.transform(STRIPES).mean(0) - 0.1).max()
    assert np.square(trained(weight_decay=0.1).kernel.numpy()).sum() < 0.5 * np.square(plain.kernel.numpy()).sum()


@pytest.mark.parametrize("options", [{}, {"persistent": True}, {"visible": "gaussian", "k": 2}], ids=str)
def test_training_has_the_same_bits_for_any_number_of_threads(options):
    found = []
    x = RNG.uniform(size=(200, 40))
    before = keras.config.num_threads()
    for threads in (1, 2):
        keras.config.set_num_threads(threads)
        keras.utils.set_random_seed(3)
        rbm = RBM(70, **options)
        rbm.fit(x, epochs=3, verbose=0)
        found.append([*rbm.get_weights(), rbm.sample(5, 11), rbm.transform(x)])
    keras.config.set_num_threads(before)
    for one, two in zip(*found, strict=True):
        np.testing.assert_array_equal(one, two)


def test_momentum_and_callbacks_are_those_of_any_model():
    keras.utils.set_random_seed(3)
    rbm = RBM(4)
    rbm.compile(keras.optimizers.SGD(0.05, momentum=0.9))
    stop = keras.callbacks.EarlyStopping("reconstruction_error", patience=2, min_delta=1.0)
    history = rbm.fit(STRIPES, epochs=50, callbacks=[stop], verbose=0)
    assert len(history.epoch) == 3


@pytest.mark.parametrize(
    "options", [{"k": 2}, {"persistent": True, "sparsity_target": 0.2, "sparsity_cost": 0.1}], ids=str
)
def test_files_and_copies_go_on_as_the_original(options, tmp_path):
    keras.utils.set_random_seed(4)
    rbm = RBM(5, weight_decay=1e-3, **options)
    rbm.compile(keras.optimizers.SGD(0.05, momentum=0.5))
    rbm.fit(STRIPES, epochs=2, verbose=0)
    rbm.save(tmp_path / "rbm.safetensors")
    copies = [
        keras.models.load_model(tmp_path / "rbm.safetensors"),
        copy.deepcopy(rbm),
        pickle.loads(pickle.dumps(rbm)),
    ]
    rbm.fit(STRIPES, epochs=2, verbose=0)
    for other in copies:
        assert other.get_config() == rbm.get_config()
        other.fit(STRIPES, epochs=2, verbose=0)
        for one, two in zip(rbm.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_array_equal(one, two)
    assert RBM.from_config(rbm.get_config()).get_config() == rbm.get_config()


def test_it_is_a_layer_of_other_models():
    rbm = RBM(3)
    rbm.fit(STRIPES, epochs=1, verbose=0)
    model = keras.Sequential([keras.Input((4,)), rbm, keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    before = rbm.kernel.numpy()
    model.fit(STRIPES, STRIPES[:, :1], verbose=0)
    assert (rbm.kernel.numpy() != before).any()
    np.testing.assert_allclose(keras.models.clone_model(model)(STRIPES).shape, (128, 1))


def test_components_have_the_names_and_shapes_of_scikit_learn():
    rbm, (w, c, b) = built(5, 3)
    np.testing.assert_array_equal(rbm.components_, w.T)
    np.testing.assert_array_equal(rbm.intercept_hidden_, c)
    np.testing.assert_array_equal(rbm.intercept_visible_, b)
    h = rbm.transform(all_states(5))
    np.testing.assert_allclose(rbm.inverse_transform(h), rbm.reconstruct(all_states(5)))
    np.testing.assert_allclose(rbm.inverse_transform(h), sigmoid(h @ w.T + b))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden": 0}, "expected hidden to be an integer"),
        ({"hidden": 2, "k": 0}, "expected k to be an integer"),
        ({"hidden": 2, "chains": -1}, "expected chains to be an integer"),
        ({"hidden": 2, "visible": "softmax"}, "expected visible units 'binary' or 'gaussian', received 'softmax'"),
        ({"hidden": 2, "sparsity_cost": 1.0}, "expected a sparsity_target"),
        ({"hidden": 2, "sparsity_target": 1.0}, "expected sparsity_target between 0 and 1"),
        ({"hidden": 2, "weight_decay": -1.0}, "expected weight_decay to be a finite number of at least 0"),
    ],
)
def test_machines_that_make_no_sense_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        RBM(**options)


def test_calls_that_make_no_sense_are_refused():
    rbm = RBM(2)
    with pytest.raises(ValueError, match=r"\[sample\] expected an RBM that knows its features"):
        rbm.sample(3)
    with pytest.raises(ValueError, match="expected no loss for the RBM"):
        rbm.compile("sgd", loss="mse")
    with pytest.raises(ValueError, match="expected data of shape"):
        rbm.fit(np.ones((4, 2, 2)), verbose=0)
    rbm = RBM(2, visible="gaussian")
    rbm.fit(STRIPES, verbose=0)
    with pytest.raises(ValueError, match="expected binary visible units"):
        rbm.pseudo_likelihood(STRIPES)
    with pytest.raises(ValueError, match=r"expected x of shape \(rows, features\)"):
        built(4, 2)[0].pseudo_likelihood(STRIPES[0])
    with pytest.raises(ValueError, match="expected start of shape"):
        rbm.sample(3, start=np.zeros((2, 4)))
    with pytest.raises(ValueError, match="expected data alone for the RBM"):
        rbm.fit(STRIPES, STRIPES[:, :2], verbose=0)


@pytest.mark.parametrize("x", [255 * STRIPES, STRIPES - 0.1, (255 * STRIPES).astype(np.uint8)])
def test_data_that_was_not_scaled_is_refused_by_binary_units(x):
    for call in (lambda rbm: rbm.fit(x, verbose=0), lambda rbm: rbm.train_on_batch(x), lambda rbm: rbm.evaluate(x)):
        with pytest.raises(ValueError, match=r"expected data from 0 to 1 for binary visible units, received"):
            call(RBM(2))
    RBM(2, visible="gaussian").fit(x, verbose=0)
    RBM(2).fit(STRIPES * np.float32(1 + 2e-7), verbose=0)


@pytest.mark.parametrize("given", [STRIPES, (STRIPES,), (STRIPES, None)])
def test_held_out_data_without_targets_is_validation_data(given):
    keras.utils.set_random_seed(0)
    rbm = RBM(2, log_free_energy=True)
    history = rbm.fit(STRIPES, validation_data=given, verbose=0).history
    assert history["val_free_energy"] == pytest.approx([rbm.free_energy(STRIPES).mean()], rel=1e-5)


def test_it_models_digits_at_least_as_well_as_scikit_learn():
    network = pytest.importorskip("sklearn.neural_network")
    keras.utils.set_random_seed(0)
    (x, _), (test, _) = keras.datasets.digits.load_data()
    x, test = (a.reshape(len(a), -1) / 16.0 for a in (x, test))
    theirs = network.BernoulliRBM(100, batch_size=32, n_iter=10, random_state=0).fit(x)
    mine = RBM(100)
    mine.fit(x, epochs=10, verbose=0)
    rounds = [[np.mean(score(test)) for _ in range(20)] for score in (mine.pseudo_likelihood, theirs.score_samples)]
    assert np.mean(rounds[0]) > np.mean(rounds[1]) - 0.2
