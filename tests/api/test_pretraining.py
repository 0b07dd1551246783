"""Autoencoders, and networks whose lower layers learnt without labels."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import hotloop as keras
from hotloop.pretraining import RBM, Autoencoder, pretrain

L = keras.layers
(DIGITS, LABELS), _ = keras.datasets.digits.load_data()
X = (DIGITS.reshape(-1, 64) / 16.0)[:400]


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def mse(a, b):
    return float(np.square(a - b).mean())


@pytest.mark.parametrize("tied", [False, True])
def test_it_computes_what_its_weights_say(tied):
    autoencoder = Autoencoder([5, 3], output_activation="sigmoid", tied=tied, dtype="float64")
    autoencoder.build((None, 64))
    for weight in autoencoder.weights:
        weight.assign(np.random.default_rng(1).normal(size=weight.shape))
    (w1, b1), (w2, b2) = ((d.kernel.numpy(), d.bias.numpy()) for d in autoencoder.encoder)
    codes = sigmoid(sigmoid(X @ w1 + b1) @ w2 + b2)
    np.testing.assert_allclose(autoencoder.encode(X), codes, rtol=1e-6)
    back1, back2 = (w1.T, w2.T) if tied else [d.kernel.numpy() for d in autoencoder.decoder]
    c1, c2 = (d.bias.numpy() for d in autoencoder.decoder)
    want = sigmoid(sigmoid(codes @ back2 + c2) @ back1 + c1)
    np.testing.assert_allclose(autoencoder.reconstruct(X), want, rtol=1e-6)
    np.testing.assert_allclose(autoencoder.decode(codes), want, rtol=1e-6)
    assert len(autoencoder.weights) == (6 if tied else 8)


def test_tied_weights_get_the_gradients_of_both_ways():
    autoencoder = Autoencoder(3, tied=True, dtype="float64")
    autoencoder(X[:1])
    gradients = autoencoder.gradients(X[:9], X[:9], by_path=True)
    kernel = autoencoder.encoder[0].kernel
    start, direction = kernel.numpy(), np.random.default_rng(2).normal(size=kernel.shape)

    def loss(step):
        kernel.assign(start + step * direction)
        return mse(autoencoder.predict(X[:9], verbose=0), X[:9])

    slope = (loss(1e-6) - loss(-1e-6)) / 2e-6
    np.testing.assert_allclose((gradients[kernel.path] * direction).sum(), slope, rtol=1e-6)


@pytest.mark.parametrize("options", [{}, {"tied": True}, {"masking": 0.3}, {"noise": 0.2, "tied": True}], ids=str)
def test_layers_learn_one_after_the_other_and_then_together(options):
    keras.utils.set_random_seed(1)
    autoencoder = Autoencoder([30, 12], activation="tanh", **options)
    autoencoder.compile(keras.optimizers.Adam(3e-3), "mse")
    autoencoder(X[:1])
    start = mse(autoencoder.reconstruct(X), X)
    histories = autoencoder.fit_layers(X, epochs=20)
    assert [len(h.epoch) for h in histories] == [20, 20]
    assert all(h.history["loss"][-1] < h.history["loss"][0] for h in histories)
    layerwise = mse(autoencoder.reconstruct(X), X)
    autoencoder.fit(X, X, epochs=30, verbose=0)
    assert mse(autoencoder.reconstruct(X), X) < layerwise < start
    assert mse(autoencoder.reconstruct(X), X) < np.var(X, axis=0).mean()


@pytest.mark.parametrize("given", [lambda x: x, lambda x: (x, x)])
def test_held_out_rows_go_up_with_the_layers(given):
    autoencoder = Autoencoder([30, 12], activation="tanh")
    histories = autoencoder.fit_layers(X[:200], epochs=1, validation_data=given(X[200:260]))
    codes = keras.Model(x := keras.Input((X.shape[1],)), autoencoder.encoder[0](x)).predict(X[200:260], verbose=0)
    found = autoencoder.decoder[1](autoencoder.encoder[1](codes))
    assert histories[1].history["val_loss"] == pytest.approx([mse(np.asarray(found), codes)], rel=1e-4)


def test_a_layer_that_learns_leaves_those_below_as_they_are():
    autoencoder = Autoencoder([10, 5])
    autoencoder(X[:1])
    seen = []

    class Look(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append([d.kernel.numpy() for d in autoencoder.encoder])

    autoencoder.fit_layers(X, epochs=2, callbacks=[Look()])
    lower, upper = zip(*seen, strict=True)
    assert (lower[0] != lower[1]).any()
    np.testing.assert_array_equal(lower[1], lower[3])
    np.testing.assert_array_equal(upper[0], upper[1])
    assert (upper[2] != upper[3]).any()


def test_only_training_corrupts_and_never_scales():
    autoencoder = Autoencoder(64, activation=None, masking=0.4, dtype="float64")
    autoencoder(X[:1])
    identity = [np.eye(64), np.zeros(64)] * 2
    autoencoder.set_weights(identity)
    np.testing.assert_allclose(autoencoder(X), X)
    y = autoencoder(X, training=True)
    assert (np.isclose(y, X) | (y == 0)).all()
    assert abs((y[X > 0] == 0).mean() - 0.4) < 0.02
    noisy = Autoencoder(64, activation=None, noise=0.5, dtype="float64")
    noisy(X[:1])
    noisy.set_weights(identity)
    assert abs((noisy(X, training=True) - X).std() - 0.5) < 0.01


def test_walks_stay_near_the_data():
    keras.utils.set_random_seed(3)
    autoencoder = Autoencoder(40, output_activation="sigmoid", noise=0.3)
    autoencoder.fit(X, X, epochs=60, verbose=0)
    walked = autoencoder.sample(X[:50], steps=5)
    assert walked.shape == (50, 64)
    assert (walked != autoencoder.sample(X[:50], steps=5)).any()
    distance = np.square(walked[:, None] - X[None]).mean(2).min(1)
    scattered = np.square(np.random.default_rng(0).uniform(size=(50, 1, 64)) - X[None]).mean(2).min(1)
    assert distance.mean() < 0.5 * scattered.mean()


@pytest.mark.parametrize("tied", [False, True])
def test_files_and_copies_go_on_as_the_original(tied, tmp_path):
    autoencoder = Autoencoder([20, 8], "elu", tied=tied, masking=0.1, noise=0.1)
    autoencoder.fit(X, X, epochs=1, verbose=0)
    autoencoder.save(tmp_path / "a.safetensors")
    others = [keras.models.load_model(tmp_path / "a.safetensors"), copy.deepcopy(autoencoder)]
    others.append(pickle.loads(pickle.dumps(autoencoder)))
    autoencoder.fit(X, X, epochs=1, verbose=0)
    for other in others:
        assert other.get_config() == autoencoder.get_config()
        other.fit(X, X, epochs=1, verbose=0)
        np.testing.assert_array_equal(other.reconstruct(X), autoencoder.reconstruct(X))


def test_training_has_the_same_bits_for_any_number_of_threads():
    found, before = [], keras.config.num_threads()
    for threads in (1, 2):
        keras.config.set_num_threads(threads)
        keras.utils.set_random_seed(3)
        autoencoder = Autoencoder([40, 20], tied=True, masking=0.2)
        autoencoder.fit_layers(X, epochs=2)
        autoencoder.fit(X, X, epochs=2, verbose=0)
        found.append(autoencoder.get_weights())
    keras.config.set_num_threads(before)
    for one, two in zip(*found, strict=True):
        np.testing.assert_array_equal(one, two)


def network(activation="sigmoid"):
    return keras.Sequential(
        [
            keras.Input((8, 8)),
            L.Flatten(),
            L.Dense(30, activation),
            L.BatchNormalization(),
            L.Dense(20, activation),
            L.Dense(10, "softmax"),
        ]
    )


@pytest.mark.parametrize("method", ["rbm", "autoencoder"])
def test_only_the_lower_layers_learn_from_data_without_labels(method):
    keras.utils.set_random_seed(1)
    model = network()
    before = model.get_weights()
    images = DIGITS[:400] / 16.0
    assert pretrain(model, images, method, epochs=2) is model
    changed = [bool((a != b).any()) for a, b in zip(before, model.get_weights(), strict=True)]
    names = [weight.path.rpartition("/")[2] for weight in model.weights]
    moving = {"kernel": True, "bias": True}
    assert changed == [moving.get(n, False) and i < len(names) - 2 for i, n in enumerate(names)]
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(images, LABELS[:400], epochs=30, verbose=0)
    assert model.evaluate(images, LABELS[:400], verbose=0)[1] > 0.85


def test_a_pretrained_layer_is_the_one_that_was_trained():
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((64,)), L.Dense(16, "sigmoid"), L.Dense(10)])
    pretrain(model, X, "rbm", epochs=5, batch_size=50, optimizer=keras.optimizers.SGD(0.2))
    rbm = RBM(16)
    rbm(X[:1])
    kernel, bias = (w.numpy() for w in model.layers[0].weights)
    rbm.kernel.assign(kernel)
    rbm.bias.assign(bias)
    trained = mse(rbm.reconstruct(X), X)
    rbm.kernel.assign(0.01 * np.random.default_rng(0).normal(size=kernel.shape))
    assert trained < 0.8 * mse(rbm.reconstruct(X), X)


def test_frozen_layers_and_functional_models_are_understood():
    x = keras.Input((64,))
    first, second = L.Dense(12, "relu", name="first"), L.Dense(9, "relu", name="second")
    model = keras.Model(x, L.Dense(3)(second(first(x))))
    first.trainable = False
    before = [first.kernel.numpy(), second.kernel.numpy()]
    pretrain(model, X, epochs=1, masking=0.1, noise=0.1, optimizer="sgd")
    np.testing.assert_array_equal(first.kernel.numpy(), before[0])
    assert (second.kernel.numpy() != before[1]).any()
    before = second.kernel.numpy()
    first.trainable = True
    first.quantize("bfloat16")
    pretrain(model, X, layers=1, epochs=1)
    assert first.storage == "bfloat16"
    first, second = L.Dense(12, "relu", name="first"), L.Dense(9, "relu", name="second")
    model = keras.Model(x, L.Dense(3)(second(first(x))))
    before = second.kernel.numpy()
    pretrain(model, X, layers=1, epochs=1)
    np.testing.assert_array_equal(second.kernel.numpy(), before)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"units": []}, "expected units of at least one layer"),
        ({"units": [3, 0]}, "expected units to be an integer"),
        ({"units": 3, "masking": 1.0}, "expected masking below 1"),
        ({"units": 3, "noise": -0.1}, "expected noise to be a finite number of at least 0"),
    ],
)
def test_autoencoders_that_make_no_sense_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Autoencoder(**options)


def test_calls_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="expected data of shape"):
        Autoencoder(3).fit(DIGITS[:9], DIGITS[:9], verbose=0)
    with pytest.raises(ValueError, match=r"\[decode\] expected an autoencoder that was fitted"):
        Autoencoder(3).decode(X[:, :3])
    with pytest.raises(ValueError, match="expected noise or masking above 0"):
        Autoencoder(3).sample(X)
    with pytest.raises(ValueError, match="expected method 'rbm' or 'autoencoder', received 'svm'"):
        pretrain(network(), DIGITS, "svm")
    with pytest.raises(ValueError, match="expected layers with the activation sigmoid"):
        pretrain(network("relu"), DIGITS / 16.0, "rbm")
    unscaled = keras.Sequential([keras.Input((64,)), L.Dense(3, "sigmoid", name="below"), L.Dense(2)])
    with pytest.raises(ValueError, match=r"\[RBM 'below'\] expected data from 0 to 1 .* take visible='gaussian'"):
        pretrain(unscaled, DIGITS.reshape(-1, 64), "rbm")
    with pytest.raises(ValueError, match="Dense layers below its output"):
        pretrain(keras.Sequential([keras.Input((64,)), L.Dense(3)]), X)
    with pytest.raises(ValueError, match="Dense layers below its output"):
        pretrain(network(), DIGITS, layers=7)
    with pytest.raises(ValueError, match="expected a model that knows its inputs"):
        pretrain(keras.Sequential([L.Dense(3), L.Dense(2)]), X)
