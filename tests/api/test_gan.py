"""Generative adversarial networks: two models that train in turn."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import hotloop as keras
from hotloop.pretraining import GAN

L = keras.layers
RNG = np.random.default_rng(4)
RING = np.array([3.0, -1.0]) + 0.5 * RNG.normal(size=(2000, 2))


def networks(latent=2, features=2):
    generator = keras.Sequential([keras.Input((latent,)), L.Dense(24, "relu"), L.Dense(features)])
    discriminator = keras.Sequential(
        [keras.Input((features,)), L.Dense(24, "leaky_relu"), L.Dense(12, "leaky_relu"), L.Dense(1)]
    )
    return generator, discriminator


def test_samples_become_like_the_data():
    keras.utils.set_random_seed(1)
    gan = GAN(*networks(), keras.optimizers.Adam(1e-3, beta_1=0.5), keras.optimizers.Adam(1e-3, beta_1=0.5))
    before = np.abs(gan.sample(500).mean(0) - RING.mean(0)).max()
    history = gan.fit(RING, epochs=25, batch_size=64)
    assert {name: len(values) for name, values in history.items()} == {"discriminator_loss": 25, "generator_loss": 25}
    assert np.abs(gan.sample(500).mean(0) - RING.mean(0)).max() < min(0.7, 0.4 * before)


def test_each_network_learns_in_its_turn_alone():
    keras.utils.set_random_seed(1)
    gan = GAN(*networks())
    gan.discriminator.layers[0].trainable = False
    frozen = gan.discriminator.layers[0].kernel.numpy()
    changes = []
    for model in (gan.discriminator, gan.adversary):
        train = model.train_on_batch

        def spy(*args, train=train):
            weights = [*gan.generator.weights, *gan.discriminator.weights]
            before = [w.numpy() for w in weights]
            result = train(*args)
            changes.append([bool((w.numpy() != b).any()) for w, b in zip(weights, before, strict=True)])
            return result

        model.train_on_batch = spy
    gan.train_on_batch(RING[:32])
    assert changes == [[False] * 4 + [False] * 2 + [True] * 4, [True] * 4 + [False] * 6]
    np.testing.assert_array_equal(gan.discriminator.layers[0].kernel.numpy(), frozen)
    assert [layer.trainable for layer in gan.discriminator.layers] == [False, True, True]


def test_the_losses_are_those_of_the_paper():
    keras.utils.set_random_seed(1)
    gan = GAN(*networks(), "sgd", keras.optimizers.SGD(0.0))
    logits = []
    train = gan.discriminator.train_on_batch

    def spy(x, y):
        logits.append((gan.discriminator.predict(x, verbose=0), y))
        return train(x, y)

    gan.discriminator.train_on_batch = spy
    first, second = gan.train_on_batch(RING[:400])
    (z, y), *_ = logits
    np.testing.assert_allclose(first, (np.logaddexp(0, z) - y * z).mean(), rtol=1e-4)
    np.testing.assert_allclose(second, np.logaddexp(0, -z[400:]).mean(), rtol=0.1)  # of other samples


def test_a_classifier_goes_on_with_the_lower_layers():
    gan = GAN(*networks())
    gan.fit(RING, epochs=1)
    model = gan.classifier(3)
    assert model.layers[:2] == gan.discriminator.layers[:2]
    model.compile("sgd", "sparse_categorical_crossentropy")
    before = gan.discriminator.layers[0].kernel.numpy()
    model.fit(RING, (RING[:, 0] > 3).astype(int), verbose=0)
    assert (gan.discriminator.layers[0].kernel.numpy() != before).any()


def test_a_seed_repeats_a_run():
    found = []
    for _ in range(2):
        keras.utils.set_random_seed(7)
        gan = GAN(*networks())
        gan.fit(RING[:200], epochs=2)
        found.append([*gan.generator.get_weights(), *gan.discriminator.get_weights(), gan.sample(3)])
    for one, two in zip(*found, strict=True):
        np.testing.assert_array_equal(one, two)


def test_networks_that_do_not_fit_are_refused():
    generator, discriminator = networks()
    with pytest.raises(ValueError, match="expected a generator of rows"):
        GAN(networks(features=3)[0], discriminator)
    with pytest.raises(ValueError, match="expected one logit"):
        GAN(generator, generator)
    with pytest.raises(ValueError, match="expected a generator that begins with Input"):
        GAN(keras.Sequential([L.Dense(2)]), discriminator)
    gan = GAN(generator, discriminator)
    for x in (RING[:9], RING[:40, :1], RING[0], [["a", "b"]] * 40):
        with pytest.raises(ValueError, match=r"\[GAN\] expected numbers of shape \(32 or more, 2\)"):
            gan.fit(x)
    with pytest.raises(ValueError, match=r"\[GAN\] expected numbers of shape \(1 or more, 2\)"):
        gan.train_on_batch(RING[:9, :1])
    with pytest.raises(ValueError, match="expected a logit of the discriminator, received a sigmoid"):
        GAN(generator, keras.Sequential([keras.Input((2,)), L.Dense(1, "sigmoid")]))


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda gan: pickle.loads(pickle.dumps(gan))])
def test_copies_go_on_as_the_original(copied):
    keras.utils.set_random_seed(7)
    gan = GAN(*networks())
    gan.fit(RING[:200], epochs=2)
    results = []
    for one in (gan, copied(gan)):
        keras.utils.set_random_seed(8)
        one.fit(RING[:200], epochs=2)
        assert one.adversary.layers == [*one.generator.layers, *one.discriminator.layers]
        results.append([*one.generator.get_weights(), *one.discriminator.get_weights(), one.sample(3)])
    for a, b in zip(*results, strict=True):
        np.testing.assert_array_equal(a, b)


def test_what_is_frozen_inside_the_discriminator_stays_frozen():
    inner = keras.Sequential([keras.Input((2,)), L.Dense(4, "relu"), L.Dense(4, "relu")])
    inner.layers[0].trainable = False
    gan = GAN(networks()[0], keras.Sequential([keras.Input((2,)), inner, L.Dense(1)]))
    gan.fit(RING[:64])
    assert [inner.trainable, *(layer.trainable for layer in inner.layers)] == [True, False, True]
    gan.discriminator.trainable = False
    gan.fit(RING[:64])
    assert not gan.discriminator.trainable
