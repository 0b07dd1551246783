"""Auxiliary tasks: pairs, triplets, corrupted features, and the networks that learn from them."""

import copy

import numpy as np
import pytest

import hotloop as keras
from hotloop import layers, losses, pretraining
from hotloop.pretraining import Corrupted, Pairs, Triplets, corrupt, corruption_task, siamese, triplet_network

RNG = np.random.default_rng(8)
LABELS = RNG.integers(0, 5, 203)
CENTERS = RNG.standard_normal((5, 6)) * 2
X = (CENTERS[LABELS] + RNG.standard_normal((203, 6))).astype(np.float32)
ROWS = np.arange(203.0)[:, None] * np.ones((1, 2))  # a row says its number


def body(seed=1):
    keras.utils.set_random_seed(seed)
    return keras.Sequential([keras.Input((6,)), layers.Dense(16, activation="relu"), layers.Dense(4)])


def drawn(source, number=None):
    """The rows that a pass names, one array for each place in the pair or triplet, and its targets."""
    if number is not None:
        source.on_pass_begin(number)
    items = [source[i] for i in range(len(source))]
    rows = [np.concatenate([x[k][:, 0] for x, _ in items]).astype(int) for k in range(len(items[0][0]))]
    return rows, np.concatenate([y for _, y in items])


def test_pairs_are_what_they_say_and_every_sample_comes_once():
    source = Pairs(ROWS, LABELS, batch_size=32, seed=3)
    assert len(source) == 7
    for number in range(3):
        (left, right), same = drawn(source, number)
        np.testing.assert_array_equal(np.sort(left), np.arange(203))
        np.testing.assert_array_equal(LABELS[left] == LABELS[right], same[:, 0] == 1)
        assert (left != right).all()
        assert 0.35 < same.mean() < 0.65
    assert drawn(Pairs(ROWS, LABELS, same=1.0, seed=1))[1].all()
    assert not drawn(Pairs(ROWS, LABELS, same=0.0, seed=1))[1].any()


def test_partners_are_drawn_evenly():
    labels = np.array([0, 1, 0, 2, 1, 0, 1, 2])
    same, other = np.zeros((8, 8)), np.zeros((8, 8))
    source = Triplets(np.arange(8.0)[:, None], labels, batch_size=8, seed=5)
    for number in range(1500):
        anchor, near, far = drawn(source, number)[0]
        same[anchor, near] += 1
        other[anchor, far] += 1
    alike = labels[:, None] == labels
    for counts, allowed in ((same, alike & ~np.eye(8, dtype=bool)), (other, ~alike)):
        np.testing.assert_array_equal(counts > 0, allowed)
        expected = 1500 / allowed.sum(axis=1, keepdims=True) * allowed
        assert (np.abs(counts - expected)[allowed] < 5 * np.sqrt(expected[allowed])).all()


def test_a_sample_alone_of_its_kind_is_no_anchor_and_gets_a_different_partner():
    labels = ["a", "a", "b", "c", "c"]
    x = np.arange(5.0)[:, None]
    (left, right), same = drawn(Pairs(x, labels, same=1.0, seed=2))
    assert same[left == 2] == 0
    assert right[left == 2] != 2
    anchor, near, far = drawn(Triplets(x, labels, seed=2))[0]
    assert sorted(anchor) == [0, 1, 3, 4]
    kinds = np.array(labels)
    assert (kinds[anchor] == kinds[near]).all()
    assert (kinds[anchor] != kinds[far]).all()


@pytest.mark.parametrize("make", [lambda **k: Pairs(ROWS, LABELS, **k), lambda **k: Triplets(ROWS, LABELS, **k)])
def test_passes_differ_and_repeat_with_their_seed(make):
    first, second = make(seed=4), make(seed=4)
    for number in (0, 3, 0):
        for a, b in zip(drawn(first, number)[0], drawn(second, number)[0], strict=True):
            np.testing.assert_array_equal(a, b)
    assert (drawn(first, 0)[0][1] != drawn(first, 1)[0][1]).any()
    assert (drawn(first, 0)[0][1] != drawn(make(seed=5), 0)[0][1]).any()
    still = make(seed=4, resample=False)
    np.testing.assert_array_equal(drawn(still, 0)[0][1], drawn(still, 7)[0][1])


@pytest.mark.parametrize("distance", ["euclidean", "cosine", "difference"])
def test_a_siamese_network_learns_to_tell_kinds_apart(distance):
    stem = body()
    model = siamese(stem, distance)
    left, right = X[:50], X[50:100]
    a, b = (stem.predict(x, verbose=0).astype(float) for x in (left, right))
    got = model.predict([left, right], verbose=0)
    if distance == "euclidean":
        np.testing.assert_allclose(got[:, 0], np.linalg.norm(a - b, axis=1), rtol=1e-4)
    elif distance == "cosine":
        cosine = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
        np.testing.assert_allclose(got[:, 0], 1 - cosine, rtol=1e-3, atol=1e-5)
    else:
        kernel, bias = model.get_layer("same").get_weights()
        np.testing.assert_allclose(got, 1 / (1 + np.exp(-(abs(a - b) @ kernel + bias))), rtol=1e-4)
    loss = "binary_crossentropy" if distance == "difference" else losses.Contrastive(margin=1.0)
    model.compile(keras.optimizers.Adam(0.01), loss)
    pairs, held_out = Pairs(X, LABELS, seed=1), Pairs(X, LABELS, seed=2, resample=False)
    before = model.evaluate(held_out, verbose=0)
    start = stem.get_weights()[0]
    model.fit(pairs, epochs=15, verbose=0)
    assert model.evaluate(held_out, verbose=0) < 0.7 * before
    assert not np.array_equal(stem.get_weights()[0], start)
    np.testing.assert_array_equal(model.predict([left, left], verbose=0) > 0.5, distance == "difference")


@pytest.mark.parametrize("size", [1e-4, 1.0, 1e12])
def test_the_cosine_does_not_depend_on_the_size_of_vectors(size):
    body = keras.Sequential([keras.Input((2,)), layers.Rescaling(size)])
    left, right = np.float32([[1, 2], [1, 0], [3, 4]]), np.float32([[2, 4], [0, 1], [-3, -4]])
    found = siamese(body, "cosine").predict([left, right], verbose=0)
    np.testing.assert_allclose(found, [[0], [1], [2]], atol=1e-3)


def test_equal_samples_give_finite_gradients():
    for distance in ("euclidean", "cosine"):
        model = siamese(keras.Sequential([keras.Input((6,)), layers.Dense(4, kernel_initializer="zeros")]), distance)
        model.compile("sgd", losses.Contrastive())
        model.fit([X, X], np.ones((203, 1)), verbose=0)
        assert all(np.isfinite(w).all() for w in model.get_weights())


@pytest.mark.parametrize("distance", ["euclidean", "cosine"])
def test_triplets_come_nearer_to_their_kind(distance):
    stem = body()
    model = triplet_network(stem, distance)
    model.compile(keras.optimizers.Adam(0.01), losses.Triplet(margin=0.3))
    history = model.fit(Triplets(X, LABELS, seed=1), epochs=15, verbose=0).history["loss"]
    assert history[-1] < 0.5 * history[0]
    near, far = model.predict(Triplets(X, LABELS, seed=2)[0][0], verbose=0).T
    assert (near < far).mean() > 0.9


def test_networks_survive_files_and_copies(tmp_path):
    for model, inputs in ((siamese(body()), 2), (triplet_network(body(), "cosine"), 3), (corruption_task(body()), 1)):
        x = [X] * inputs if inputs > 1 else X
        want = model.predict(x, verbose=0)
        model.save(tmp_path / "m.safetensors")
        for twin in (keras.models.load_model(tmp_path / "m.safetensors"), copy.deepcopy(model)):
            np.testing.assert_array_equal(twin.predict(x, verbose=0), want)


def test_corrupted_features_come_from_their_own_column_or_are_masked():
    x = np.arange(300.0).reshape(100, 3)
    corrupted, mask = corrupt(x, 0.4, seed=1)
    np.testing.assert_array_equal(corrupted % 3, x % 3)
    np.testing.assert_array_equal(corrupted != x, mask == 1)
    assert 0.3 < mask.mean() < 0.5
    corrupted, mask = corrupt(x.astype(int), 0.4, "mask", value=-1, seed=1)
    assert corrupted.dtype == int
    np.testing.assert_array_equal(corrupted, np.where(mask, -1, x))
    np.testing.assert_array_equal(corrupt(x, 0.0)[0], x)
    np.testing.assert_array_equal(corrupt(x, 1.0, seed=2)[1], 1)
    for a, b in zip(corrupt(x, seed=3), corrupt(x, seed=3), strict=True):
        np.testing.assert_array_equal(a, b)


def test_values_that_stay_are_not_called_corrupted_where_they_are_missing():
    corrupted, mask = corrupt(np.full((200, 3), np.nan), rate=0.25, seed=1)
    assert np.isnan(corrupted).all()
    assert 0.15 < mask.mean() < 0.35
    data = Corrupted(np.full((200, 3), np.nan), rate=0.25, batch_size=200, seed=1)
    assert 0.15 < data[0][1].mean() < 0.35


def test_a_body_learns_from_corrupted_tables():
    z = RNG.standard_normal((400, 1))
    x = np.concatenate([z, -z, 2 * z, z + 1, -2 * z, z**2], axis=1).astype(np.float32)
    keras.utils.set_random_seed(1)
    stem = keras.Sequential([keras.Input((6,)), *(layers.Dense(64, activation="relu") for _ in range(2))])
    model = corruption_task(stem, reconstruct=True)
    model.compile(keras.optimizers.Adam(0.01), {"mask": "binary_crossentropy", "values": "mse"})
    source = Corrupted(x, 0.2, seed=1, reconstruct=True)
    history = model.fit(source, epochs=25, verbose=0).history["loss"]
    assert history[-1] < 0.6 * history[0]
    corrupted, y = Corrupted(x, 0.2, seed=2, batch_size=400, reconstruct=True)[0]
    said, changed = model.predict(corrupted, verbose=0)["mask"], y["mask"] == 1
    assert said[changed].mean() > said[~changed].mean() + 0.3
    assert ((said > 0.5) == changed).mean() > (~changed).mean() + 0.03
    np.testing.assert_array_equal(np.where(y["mask"], y["values"], corrupted), y["values"])
    plain = Corrupted(x, 0.2, seed=2, batch_size=400)[0]
    np.testing.assert_array_equal(plain[1], y["mask"])


class Stop(Exception):  # noqa: N818
    pass


@pytest.mark.parametrize(
    ("make", "network", "loss"),
    [
        (lambda: Pairs(X, LABELS, seed=1), siamese, "contrastive"),
        (lambda: Triplets(X, LABELS, seed=1), triplet_network, "triplet"),
        (lambda: Corrupted(X, seed=1), corruption_task, "binary_crossentropy"),
    ],
)
def test_training_that_is_resumed_draws_what_it_would_have_drawn(tmp_path, make, network, loss):
    class Break(keras.callbacks.Callback):
        epoch = 0

        def on_epoch_begin(self, epoch, logs=None):
            self.epoch = epoch

        def on_train_batch_end(self, batch, logs=None):
            if (self.epoch, batch) == (2, 4):
                raise Stop

    def train(*more):
        model = network(body())
        model.compile("adam", loss)
        backup = keras.callbacks.BackupAndRestore(tmp_path / "b", save_freq=2)
        model.fit(make(), epochs=4, verbose=0, callbacks=[backup, *more])
        return model

    whole = train()
    with pytest.raises(Stop):
        train(Break())
    for got, want in zip(train().get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: Pairs(X, LABELS[:5]), r"\[Pairs\] expected a label for each of the 203 samples"),
        (lambda: Pairs(X, np.zeros(203)), r"\[Pairs\] expected labels of at least two kinds"),
        (lambda: Triplets(X[:3], [1, 2, 3]), r"\[Triplets\] expected labels of at least two kinds, one of them twice"),
        (lambda: Pairs(X, LABELS, same=1.5), "same as a share"),
        (lambda: Pairs(X, LABELS, batch_size=0), "batch_size"),
        (lambda: Pairs(np.zeros(3), [1, 1, 2]), r"x of shape \(samples, features\)"),
        (lambda: siamese(body(), "manhattan"), "expected one of euclidean, cosine, difference|'manhattan'"),
        (lambda: triplet_network(body(), "difference"), "'difference'"),
        (lambda: siamese(keras.Sequential([layers.Dense(2)])), "a model that is built"),
        (lambda: siamese(layers.Dense(2)), "a model that is built"),
        (lambda: siamese(keras.Sequential([keras.Input((2, 3)), layers.Dense(2)])), "vectors as output"),
        (lambda: corruption_task(keras.Sequential([keras.Input((2, 3)), layers.Flatten()])), "one input of shape"),
        (lambda: corrupt(X, 1.5), r"\[corrupt\] expected rate from 0 to 1, received 1.5"),
        (lambda: corrupt(X, 0.5, "swop"), "Did you mean 'swap'"),
        (lambda: corrupt(X[:1]), "two samples at least"),
        (lambda: Corrupted(X[0]), "expected x of shape"),
    ],
)
def test_what_makes_no_task_is_refused(act, message):
    with pytest.raises(ValueError, match=message):
        act()
    with pytest.raises(IndexError, match="expected a batch below 7"):
        Pairs(X, LABELS)[7]


@pytest.mark.parametrize(
    ("x", "value"), [(np.ones((4, 2), int), 0.5), (np.ones((4, 2), np.uint8), -1), (np.ones((4, 2)), "a")]
)
def test_a_value_that_a_column_cannot_hold_is_refused(x, value):
    for make in (corrupt, Corrupted):
        with pytest.raises(ValueError, match=r"expected a value that \w+ can hold, received"):
            make(x, mode="mask", value=value)


def test_the_module_says_what_it_has():
    assert all(hasattr(pretraining, name) for name in pretraining.__all__)
