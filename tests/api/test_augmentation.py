"""Layers that augment images: where they act, what they draw, what they refuse, and that they survive."""

from __future__ import annotations

import copy
import json
import os
import pickle
import warnings

import numpy as np
import pytest

import hotloop as keras

L = keras.layers
RNG = np.random.default_rng(5)
X = RNG.uniform(0, 1, (40, 6, 7, 3)).astype(np.float32)
Y = RNG.standard_normal((40, 1)).astype(np.float32)
UNIT = {"value_range": (0, 1)}
RANDOM = {
    "RandomFlip": lambda **k: L.RandomFlip(**k),
    "RandomTranslation": lambda **k: L.RandomTranslation(0.2, (-0.1, 0.3), **k),
    "RandomRotation": lambda **k: L.RandomRotation(0.2, "constant", "nearest", fill_value=0.5, **k),
    "RandomZoom": lambda **k: L.RandomZoom((-0.3, 0.2), fill_mode="wrap", **k),
    "RandomZoomBoth": lambda **k: L.RandomZoom(0.5, (-0.3, 0.2), fill_mode="nearest", **k),
    "RandomCrop": lambda **k: L.RandomCrop(5, 4, **k),
    "RandomContrast": lambda **k: L.RandomContrast(0.4, **UNIT, **k),
    "RandomBrightness": lambda **k: L.RandomBrightness((-0.1, 0.4), **UNIT, **k),
    "RandomSaturation": lambda **k: L.RandomSaturation((0.2, 0.9), **UNIT, **k),
    "RandomHue": lambda **k: L.RandomHue(0.7, **UNIT, **k),
    "RandomErasing": lambda **k: L.RandomErasing((0.5, 1.0), (0.1, 0.5), **UNIT, **k),
    "RandomErasingByColour": lambda **k: L.RandomErasing((0.5, 1.0), 0.5, [0.1, 0.2, 0.3], (0.0, 1.0), **k),
}
PLAIN = {
    "Resizing": lambda **k: L.Resizing(4, 9, "bicubic", antialias=True, **k),
    "ResizingCropped": lambda **k: L.Resizing(4, 9, crop_to_aspect_ratio=True, **k),
    "ResizingPadded": lambda **k: L.Resizing(9, 4, pad_to_aspect_ratio=True, fill_value=0.5, **k),
    "CenterCrop": lambda **k: L.CenterCrop(3, 4, **k),
    "CenterCropOfSmall": lambda **k: L.CenterCrop(9, 4, **k),
}
ALL = {**RANDOM, **PLAIN}


def net(*layers):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((6, 7, 3)), *layers, L.Flatten(), L.Dense(1)])
    model.compile(keras.optimizers.Adam(0.01), "mse")
    return model


@pytest.mark.parametrize("name", RANDOM)
def test_images_change_in_training_and_where_nobody_says_and_in_nothing_else(name):
    model = net(RANDOM[name]())
    plain = model.predict(X, verbose=0)
    np.testing.assert_array_equal(model(X, training=False), plain)
    np.testing.assert_array_equal(model.predict_on_batch(X), plain)
    for changed in (model(X), model(X, training=True)):
        assert not np.array_equal(changed, plain)
    np.testing.assert_array_equal(model.predict(X, verbose=0), plain)
    assert not np.array_equal(model(X), model(X))
    assert model.evaluate(X, plain, verbose=0) == 0
    assert model.fit(X, plain, verbose=0).history["loss"][0] > 1e-6
    layer = RANDOM[name]()
    still = layer(X, training=False)
    assert not np.array_equal(layer(X), still)
    if name != "RandomCrop":
        np.testing.assert_array_equal(still, X)


def test_dropout_is_off_where_nobody_says_though_images_change():
    model = net(L.RandomFlip("horizontal"), L.Dropout(0.9))
    symmetric = np.ones_like(X)
    np.testing.assert_array_equal(model(symmetric), model.predict(symmetric, verbose=0))


def test_a_layer_of_ones_own_acts_unasked_where_its_default_says_so():
    class Shifted(L.Layer):
        def call(self, inputs, training=True):
            return inputs + 1.0 if training else inputs

    x = np.zeros((2, 3), np.float32)
    model = keras.Sequential([keras.Input((3,)), keras.Sequential([Shifted()])])
    model.compile("sgd", "mse")
    for one in (Shifted(), model):
        np.testing.assert_array_equal(one(x), x + 1)
        np.testing.assert_array_equal(one(x, training=False), x)
    np.testing.assert_array_equal(model.predict(x, verbose=0), x)
    assert model.evaluate(x, x, verbose=0) == 0


@pytest.mark.parametrize("name", RANDOM)
def test_every_image_has_a_draw_of_its_own(name):
    same = np.repeat(X[:1], 8, 0)
    assert len(np.unique(RANDOM[name]()(same).reshape(8, -1), axis=0)) > 1


def test_layers_of_one_seed_draw_different_numbers():
    image = np.arange(64.0).reshape(1, 1, 64, 1).repeat(200, 0)
    shift = 32 - L.RandomTranslation(0.0, 0.25, seed=3)(image)[:, 0, 32, 0]
    zoom = L.RandomZoom(0.0, 0.25, seed=3)(image)
    zoom = zoom[:, 0, 40, 0] - zoom[:, 0, 39, 0]
    assert abs(np.corrcoef(shift, zoom)[0, 1]) < 0.3


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("resumed", [False, True])
def test_training_has_the_same_bits_on_any_threads_and_after_a_resume(n_threads, resumed, tmp_path):
    layers = [L.RandomTranslation(0.2, 0.2), L.RandomRotation(0.1), L.RandomContrast(0.3, **UNIT), L.RandomFlip(seed=4)]

    def trained(n_threads, resumed):
        keras.config.set_num_threads(n_threads)
        try:
            model = net(*[type(layer).from_config(layer.get_config()) for layer in layers])
            model.fit(X, Y, batch_size=16, epochs=1 if resumed else 3, verbose=0)
            if resumed:
                model.save(tmp_path / "m.safetensors")
                model = keras.models.load_model(tmp_path / "m.safetensors")
                model.fit(X, Y, batch_size=16, epochs=3, initial_epoch=1, verbose=0)
            return model.get_weights()
        finally:
            keras.config.set_num_threads(None)

    for a, b in zip(trained(1, False), trained(n_threads, resumed), strict=True):
        assert a.tobytes() == b.tobytes()


@pytest.mark.parametrize("name", ALL)
def test_a_layer_made_from_its_configuration_is_the_same(name):
    layer = ALL[name](data_format="channels_first")
    config = json.loads(json.dumps(layer.get_config()))
    assert type(layer).from_config(config).get_config() == layer.get_config()


@pytest.mark.parametrize("name", ALL)
def test_models_with_these_layers_survive_files_copies_and_pickles(name, tmp_path):
    model = net(ALL[name](seed=3) if name in RANDOM else ALL[name]())
    want = model.predict(X, verbose=0)
    model.save(tmp_path / "m.safetensors")
    others = [keras.models.load_model(tmp_path / "m.safetensors"), copy.deepcopy(model)]
    others.append(pickle.loads(pickle.dumps(model)))
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    for other in (*others, clone):
        np.testing.assert_array_equal(other.predict(X, verbose=0), want)
        assert other.layers[0].get_config() == model.layers[0].get_config()


@pytest.mark.parametrize("name", ALL)
def test_channels_may_come_first(name):
    first, last = (
        ALL[name](data_format=f, **({"seed": 3} if name in RANDOM else {})) for f in ("channels_first", None)
    )
    model = keras.Sequential([keras.Input((3, 6, 7)), first])
    other = keras.Sequential([keras.Input((6, 7, 3)), last])
    for one in (model, other):
        one._seed = 12  # of the draws of calls
    np.testing.assert_array_equal(model(X.transpose(0, 3, 1, 2)), other(X).transpose(0, 3, 1, 2))


def test_whole_numbers_become_floats():
    y = L.RandomBrightness((0.25, 0.25))(np.full((1, 2, 2, 1), 100, np.uint8))
    assert y.dtype == np.float32
    np.testing.assert_array_equal(y, np.full((1, 2, 2, 1), 163.75))
    model = keras.Sequential([keras.Input((4, 4, 1)), L.RandomZoom(0.1), L.Flatten(), L.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(RNG.integers(0, 2, (20, 4, 4, 1)).astype(np.uint8), np.zeros((20, 1)), verbose=0)


def test_layers_before_them_learn():
    model = keras.Sequential([keras.Input((8,)), L.Dense(48), L.Reshape((4, 4, 3)), *[make() for make in RANDOM.values()
                              if not isinstance(make(), L.RandomCrop)], L.Flatten(), L.Dense(1)])  # fmt: skip
    model.compile("sgd", "mse")
    before = model.get_weights()[0]
    model.fit(RNG.standard_normal((40, 8)), RNG.standard_normal((40, 1)), verbose=0)
    assert not np.array_equal(model.get_weights()[0], before)


def test_frozen_layers_behind_them_see_other_images_in_every_epoch():
    frozen = L.Dense(4)
    frozen.trainable = False
    model = net(L.RandomFlip(), L.Flatten(), frozen)
    losses = model.fit(X, Y, epochs=3, batch_size=40, shuffle=False, verbose=0).history["loss"]
    assert len(set(losses)) == 3


def test_predictions_are_sampled_as_with_dropout():
    mean, std = net(L.RandomFlip()).predict_mc(X, 20)
    assert (std > 0).any()
    assert np.isfinite(mean).all()


def test_contrast_goes_both_ways():
    y = L.RandomContrast(0.5, seed=1)(np.array([100.0, 140.0]).reshape(1, 1, 2, 1).repeat(400, 0)).reshape(400, 2)
    factors = (y[:, 1] - y[:, 0]) / 40
    assert 0.5 <= factors.min() < 0.55
    assert 1.45 < factors.max() <= 1.5


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: L.RandomFlip("sideways"), "mode. expected one of horizontal_and_vertical"),
        (lambda: L.RandomFlip(data_format="first"), "data_format. expected one of"),
        (lambda: L.RandomFlip(bounding_box_format="xyxy"), "expected bounding_box_format=None"),
        (lambda: L.RandomTranslation(1.5, 0.1), "expected height_factor to be a number from -1 to 1"),
        (lambda: L.RandomTranslation(0.1, (0.1, 0.2, 0.3)), "expected width_factor"),
        (lambda: L.RandomTranslation(0.1, "wide"), "expected width_factor"),
        (lambda: L.RandomTranslation(0.1, 0.1, "mirror"), "fill_mode. expected one of reflect, nearest"),
        (lambda: L.RandomTranslation(0.1, 0.1, fill_value=float("nan")), "expected fill_value"),
        (lambda: L.RandomRotation(True), "expected factor"),
        (lambda: L.RandomRotation(0.1, interpolation="cubic"), "interpolation. expected one of bilinear, nearest"),
        (lambda: L.RandomZoom((-1.0, 0.0)), "expected height_factor above -1"),
        (lambda: L.RandomContrast(-0.5), "expected factor to be a number from 0 to 1"),
        (lambda: L.RandomBrightness(0.5, value_range=(0, 0)), "expected value_range"),
        (lambda: L.RandomHue(0.5, value_range=255), "expected value_range"),
        (lambda: L.RandomCrop(0, 3), "expected height to be an integer of at least 1"),
        (lambda: L.CenterCrop(3, 2.5), "expected width to be an integer of at least 1"),
        (lambda: L.Resizing(3, 3, "area"), "interpolation. expected one of bilinear"),
        (lambda: L.Resizing(3, 3, fill_mode="reflect"), "fill_mode. expected one of constant"),
        (lambda: L.Resizing(3, 3, crop_to_aspect_ratio=True, pad_to_aspect_ratio=True), "received both"),
        (lambda: keras.Sequential([keras.Input((28, 28)), L.RandomFlip()]), r"Reshape\(\(28, 28, 1\)\)"),
        (lambda: L.RandomFlip()(np.ones((28, 28, 1))), r"image\[None\]"),
        (lambda: L.RandomHue(0.2)(np.ones((2, 28, 28, 1))), "expected images of 3 channels"),
    ],
)
def test_what_makes_no_sense_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# -- erasing ---------------------------------------------------------------------------------------------------------


def erased(layer, rows=200, shape=(8, 10, 3)):
    """Where images of -1 change."""
    x = np.full((rows, *shape), -1.0, np.float32)
    return layer(x) != -1, layer


def test_a_rectangle_has_another_size_or_place_than_was_asked_for():
    gone, _ = erased(L.RandomErasing((1, 1), (0.25, 0.25), 0.5, **UNIT))
    assert (gone.all(-1) == gone.any(-1)).all()
    places = []
    for image in gone.any(-1):
        rows, columns = image.any(1), image.any(0)
        assert (image == rows[:, None] & columns).all()
        for line, length in ((rows, 4), (columns, 5)):
            at = np.flatnonzero(line)
            assert len(at) == length == at[-1] - at[0] + 1
            places.append(at[0])
    assert set(places[::2]) == set(range(5))
    assert set(places[1::2]) == set(range(6))


def test_sizes_are_not_between_the_bounds_or_sides_not_apart():
    gone, _ = erased(L.RandomErasing((1, 1), (0.04, 0.64), 0.5, **UNIT), 400, (40, 50, 1))
    heights, widths = gone.any((2, 3)).sum(1), gone.any((1, 3)).sum(1)
    assert 8 <= heights.min() <= 11
    assert 29 <= heights.max() <= 32
    assert 10 <= widths.min() <= 14
    assert 36 <= widths.max() <= 40
    assert abs(np.corrcoef(heights, widths)[0, 1]) < 0.2
    assert np.mean((heights / 40) ** 2) == pytest.approx(0.34, abs=0.03)


@pytest.mark.parametrize(("factor", "share"), [((0.3, 0.3), 0.3), (1.0, 0.5), ((0.2, 0.6), 0.4), (0.0, 0.0)])
def test_images_lose_a_rectangle_more_or_less_often(factor, share):
    gone, _ = erased(L.RandomErasing(factor, (0.5, 0.5), 0.5, **UNIT), 2000, (3, 3, 1))
    assert gone.any((1, 2, 3)).mean() == pytest.approx(share, abs=0.04)


def test_what_stands_in_a_rectangle_is_not_what_was_asked_for():
    whole = {"factor": (1, 1), "scale": (1, 1)}
    noise = L.RandomErasing(**whole, value_range=(0, 4), seed=3)(np.zeros((50, 6, 7, 3)))
    assert noise.min() == 0
    assert noise.max() == 4
    inner = noise[(noise > 0) & (noise < 4)]
    assert np.mean(noise == 0) == pytest.approx(0.5, abs=0.02)
    assert np.mean(noise < 2) == pytest.approx(0.6915, abs=0.02)
    assert len(np.unique(inner)) > 0.99 * len(inner)
    colour = L.RandomErasing(**whole, fill_value=[0.25, 7.0, 0.5], **UNIT)(X)
    np.testing.assert_array_equal(colour, np.broadcast_to(np.float32([0.25, 1.0, 0.5]), X.shape))
    first = L.RandomErasing((1, 1), (0.2, 0.2), [0.1, 0.2, 0.3], data_format="channels_first", seed=5, **UNIT)
    last = L.RandomErasing((1, 1), (0.2, 0.2), [0.1, 0.2, 0.3], seed=5, **UNIT)
    keras.utils.set_random_seed(2)
    got = first(X.transpose(0, 3, 1, 2))
    keras.utils.set_random_seed(2)
    np.testing.assert_array_equal(got.transpose(0, 2, 3, 1), last(X))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: L.RandomErasing(1.5), "factor"),
        (lambda: L.RandomErasing(scale=(-0.1, 0.5)), "scale"),
        (lambda: L.RandomErasing(fill_value="noise"), "fill_value"),
        (lambda: L.RandomErasing(value_range=(1, 0)), "value_range"),
        (lambda: L.RandomErasing(fill_value=[1.0, 2.0])(X), "3 numbers, one for each channel"),
    ],
)
def test_a_rectangle_of_nothing_is_refused(make, said):
    with pytest.raises(ValueError, match=rf"\[RandomErasing '\w+'\] expected .*{said}"):
        make()


# -- next to Keras ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def theirs():
    os.environ.setdefault("KERAS_BACKEND", "jax")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("keras", minversion="3.0", reason="Keras 3 is not installed")


@pytest.mark.parametrize("fill_mode", ["reflect", "nearest", "wrap", "constant"])
@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
def test_maps_are_those_of_keras(fill_mode, interpolation, theirs):
    common = {"fill_mode": fill_mode, "interpolation": interpolation, "fill_value": 0.3}
    for name, args in {
        "RandomTranslation": [(0.31, 0.31), (-0.83, -0.83)],
        "RandomRotation": [(0.171, 0.171)],
        "RandomZoom": [(0.63, 0.63), (-0.41, -0.41)],
    }.items():
        want = np.asarray(getattr(theirs.layers, name)(*args, **common)(X))
        got = getattr(L, name)(*args, **common)(X)
        np.testing.assert_allclose(got, want, atol=2e-5, err_msg=name)


@pytest.mark.parametrize("interpolation", ["bilinear", "nearest", "bicubic", "lanczos3", "lanczos5"])
@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("ratio", [{}, {"crop_to_aspect_ratio": True}, {"pad_to_aspect_ratio": True}], ids=str)
def test_sizes_are_those_of_keras(interpolation, antialias, ratio, theirs):
    for size in ((3, 4), (13, 9), (2, 12), (6, 7), (1, 1)):
        args = {"interpolation": interpolation, "antialias": antialias, "fill_value": 0.2, **ratio}
        want = np.asarray(theirs.layers.Resizing(*size, **args)(X))
        np.testing.assert_allclose(L.Resizing(*size, **args)(X), want, atol=2e-5, err_msg=str(size))
        np.testing.assert_allclose(L.CenterCrop(*size)(X), np.asarray(theirs.layers.CenterCrop(*size)(X)), atol=2e-5)


def test_colours_are_those_of_keras(theirs):
    import jax

    def drawn(layer, **transformation):
        return np.asarray(layer.transform_images(jax.numpy.asarray(X), transformation, training=True))

    layers = theirs.layers
    want = drawn(layers.RandomBrightness(0.2, **UNIT), rgb_delta=np.float32(0.3))
    np.testing.assert_allclose(L.RandomBrightness((0.3, 0.3), **UNIT)(X), want, atol=1e-6)
    ours = L.RandomContrast((0.4, 0.4), **UNIT)(X)
    inside = np.abs(X - X.mean((1, 2), keepdims=True)) > 0.05
    factors = ((ours - X.mean((1, 2), keepdims=True)) / (X - X.mean((1, 2), keepdims=True)))[
        inside & (ours > 0) & (ours < 1)
    ]
    assert 0.6 - 1e-4 < factors.min() < factors.max() < 1.4 + 1e-4
    for factor in (0.1, 0.5, 0.8):
        want = drawn(layers.RandomSaturation(0.2, **UNIT), factor=np.full(40, factor / (1 - factor + 1e-7), np.float32))
        np.testing.assert_allclose(L.RandomSaturation((factor, factor), **UNIT)(X), want, atol=1e-5)
        ours = L.RandomHue((factor, factor), **UNIT)(X)
        turned = [drawn(layers.RandomHue(0.2, **UNIT), factor=np.full(40, s * factor / 2, np.float32)) for s in (1, -1)]
        error = np.minimum(*(np.abs(ours - t).max((1, 2, 3)) for t in turned))
        assert error.max() < 1e-5


@pytest.mark.parametrize("name", ALL)
def test_keras_takes_these_configurations(name, theirs):
    layer = ALL[name](**({"seed": 3} if name in RANDOM else {}))
    config = layer.get_config()
    theirs_config = getattr(theirs.layers, type(layer).__name__)(**config).get_config()
    for key, value in config.items():
        if key != "dtype":
            assert json.dumps(theirs_config[key]) == json.dumps(value), key


@pytest.mark.filterwarnings("ignore")  # Keras's own
@pytest.mark.parametrize("name", ALL)
def test_files_go_to_keras_and_back(name, theirs, tmp_path):
    pytest.importorskip("h5py")
    model = net(ALL[name]())
    want = model.predict(X, verbose=0)
    model.save(tmp_path / "ours.keras")
    there = theirs.models.load_model(tmp_path / "ours.keras")
    if name != "RandomCrop":  # Keras does not crop in inference
        np.testing.assert_allclose(there.predict(X, verbose=0), want, atol=1e-4)
    there.save(tmp_path / "theirs.keras")
    back = keras.models.load_model(tmp_path / "theirs.keras")
    np.testing.assert_array_equal(back.predict(X, verbose=0), want)
