"""The same data in any form train the same model, and are left as they were."""

from __future__ import annotations

import hashlib
import os

import numpy as np
import pytest

import hotloop as keras

RNG = np.random.default_rng(21)
X = RNG.integers(0, 100, (37, 6)).astype(np.float32)  # whole numbers: every dtype holds them
Y = RNG.integers(0, 3, 37).astype(np.float32)


def build(features=6):
    keras.utils.set_random_seed(4)
    model = keras.Sequential(
        [
            keras.Input((features,)),
            keras.layers.Rescaling(1 / 100),
            keras.layers.Dense(8, activation="relu"),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def outcome(x, y, **options):
    """Everything that training, evaluation and prediction give."""
    model = build()
    history = model.fit(x, y, batch_size=10, epochs=2, verbose=0, **options).history
    return history, model.evaluate(x, y, batch_size=10, verbose=0), model.predict(x, verbose=0).tobytes()


@pytest.fixture(scope="module")
def expected():
    return outcome(X, Y)


def unaligned(array):
    store = np.empty(array.nbytes + 1, np.uint8)
    view = store[1:].view(array.dtype).reshape(array.shape)
    view[...] = array
    return view


def locked(array):
    array = array.copy()
    array.flags.writeable = False
    return array


def spaced(array):
    store = np.zeros(tuple(2 * n + 1 for n in array.shape), array.dtype)
    view = store[tuple(slice(0, 2 * n, 2) for n in array.shape)]
    view[...] = array
    return view


class Wrapped:
    """Anything with __array__ is data."""

    def __init__(self, array):
        self.array, self.shape = array, array.shape

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.array, dtype)


class Exported:
    """Anything with __dlpack__ is data."""

    def __init__(self, array):
        self.array = array

    def __dlpack__(self, **options):
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


class Subclass(np.ndarray):
    pass


LAYOUTS = {
    "Fortran": np.asfortranarray,
    "transposed": lambda a: np.ascontiguousarray(a.T).T,
    "reversed": lambda a: np.ascontiguousarray(a[::-1])[::-1],
    "columns reversed": lambda a: np.ascontiguousarray(a[..., ::-1])[..., ::-1],
    "spaced": spaced,
    "unaligned": unaligned,
    "read-only": locked,
    "byte-swapped": lambda a: a.astype(a.dtype.newbyteorder(">")),
    "subclass": lambda a: a.view(Subclass),
    "wrapped": Wrapped,
    "dlpack": Exported,
    "list": lambda a: a.tolist(),
    "column": lambda a: a if a.ndim == 2 else a[:, None],
    "copy": np.copy,
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_layout_of_memory_trains_the_same_model(layout, expected):
    assert outcome(LAYOUTS[layout](X), LAYOUTS[layout](Y)) == expected


@pytest.mark.parametrize(
    "dtype", ["float16", "float64", "int8", "uint8", "int16", "int32", "uint32", "int64", "uint64"]
)
def test_any_dtype_trains_the_same_model(dtype, expected):
    assert outcome(X.astype(dtype), Y.astype(dtype)) == expected


def test_boolean_inputs_are_zeros_and_ones():
    coins = X > 50
    assert outcome(coins, Y > 0) == outcome(coins.astype(np.float32), (Y > 0).astype(np.float32))


def test_long_doubles_train_the_same_model(expected):
    assert outcome(X.astype(np.longdouble), Y.astype(np.longdouble)) == expected


def test_training_leaves_the_users_arrays_alone():
    arrays = [X.copy(), Y.copy(), np.ones(37, np.float32)]
    before = [hashlib.sha256(a.tobytes()).hexdigest() for a in arrays]
    model = build()
    model.fit(arrays[0], arrays[1], sample_weight=arrays[2], epochs=2, validation_split=0.2, verbose=0)
    model.evaluate(arrays[0], arrays[1], verbose=0)
    model.predict(arrays[0], verbose=0)
    model.train_on_batch(arrays[0], arrays[1])
    assert [hashlib.sha256(a.tobytes()).hexdigest() for a in arrays] == before


def test_weights_handed_out_or_in_are_copies():
    model = build()
    handed_out = model.get_weights()
    kept = [w.copy() for w in handed_out]
    for w in handed_out:
        w[...] = 7
    given = [w.copy() for w in kept]
    model.set_weights(given)
    for w in given:
        w[...] = 9
    for a, b in zip(model.get_weights(), kept, strict=True):
        np.testing.assert_array_equal(a, b)


def test_images_of_bytes_train_the_same_model(expected):
    del expected
    images = RNG.integers(0, 256, (30, 4, 5)).astype(np.uint8)
    labels = RNG.integers(0, 3, 30)
    results = []
    for x in (images, images.astype(np.float32)):
        keras.utils.set_random_seed(4)
        model = keras.Sequential(
            [keras.Input((4, 5)), keras.layers.Flatten(), keras.layers.Rescaling(1 / 255), keras.layers.Dense(3)]
        )
        model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        model.fit(x, labels, verbose=0)
        results.append(model.predict(x, verbose=0))
    np.testing.assert_array_equal(*results)


def test_memory_maps_train_the_same_model(tmp_path, expected):
    np.save(tmp_path / "x.npy", X)
    np.save(tmp_path / "y.npy", Y)
    x, y = (np.load(tmp_path / name, mmap_mode="r") for name in ("x.npy", "y.npy"))
    assert outcome(x, y) == expected


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="the system does not say how memory is used")
@pytest.mark.parametrize("stored", ["fortran", "big-endian"])
def test_a_memory_map_in_another_layout_stays_on_disk(stored, tmp_path):
    rows = 200_000
    x = np.ones((rows, 64), np.float32)
    np.save(tmp_path / "x.npy", np.asfortranarray(x) if stored == "fortran" else x.astype(">f4"))
    del x
    model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    used = []

    class Memory(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            with open("/proc/self/status") as status:
                used.append(next(int(line.split()[1]) for line in status if line.startswith("RssAnon")))

    y = np.zeros((rows, 1), np.float32)
    model.fit(y[:1000].repeat(64, 1), y[:1000], batch_size=1000, callbacks=[Memory()], verbose=0)
    model.fit(np.load(tmp_path / "x.npy", mmap_mode="r"), y, batch_size=1000, callbacks=[Memory()], verbose=0)
    assert max(used) - used[0] < 0.7 * rows * 64 * 4 / 1024  # kB; a copy of the file would be all of it


def test_a_bad_value_in_a_memory_map_is_refused(tmp_path):
    x = X.copy()
    x[23, 1] = np.nan
    np.save(tmp_path / "x.npy", x)
    model = build()
    with pytest.raises(ValueError, match="23"):
        model.fit(np.load(tmp_path / "x.npy", mmap_mode="r"), Y, verbose=0)


def test_a_data_frame_trains_the_same_model(expected):
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = pandas.DataFrame(X, columns=list("abcdef"))
    assert outcome(frame, pandas.Series(Y)) == expected
    mixed = frame.astype({"a": "int64", "b": "float64", "c": "uint8"})
    assert outcome(mixed, pandas.DataFrame({"label": Y.astype(int)})) == expected
    with pytest.raises((TypeError, ValueError), match="a"):
        build().fit(frame.assign(a="text"), Y, verbose=0)
    with pytest.raises(ValueError, match="4"):
        build().fit(frame.assign(a=frame["a"].where(frame.index != 4)), Y, verbose=0)


class Batches(keras.utils.PyDataset):
    def __init__(self, size=10, items=2):
        super().__init__()
        self.size, self.items, self.epochs_ended = size, items, 0

    def __len__(self):
        return -(-len(X) // self.size)

    def __getitem__(self, i):
        rows = slice(i * self.size, (i + 1) * self.size)
        return (X[rows], Y[rows], np.full(len(X[rows]), 2.0))[: self.items]

    def on_epoch_end(self):
        self.epochs_ended += 1


def test_a_dataset_of_batches_trains_the_same_model():
    arrays, batches, data = build(), build(), Batches()
    arrays.fit(X, Y, batch_size=10, epochs=3, shuffle=False, verbose=0)
    batches.fit(data, epochs=3, shuffle=False, verbose=0)
    assert data.epochs_ended == 3
    for a, b in zip(arrays.get_weights(), batches.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_allclose(batches.evaluate(Batches(), verbose=0), arrays.evaluate(X, Y, verbose=0), rtol=1e-6)
    np.testing.assert_array_equal(batches.predict(Batches(items=1), verbose=0), arrays.predict(X, verbose=0))


def test_weights_from_a_dataset_count():
    model, plain = build(), build()
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
    plain.compile(keras.optimizers.SGD(0.2), "sparse_categorical_crossentropy")
    model.fit(Batches(items=3), shuffle=False, verbose=0)
    plain.fit(Batches(), shuffle=False, verbose=0)
    for a, b in zip(model.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


def test_a_generator_is_read_as_far_as_needed():
    taken = []

    def endless():
        while True:
            for i in range(4):
                taken.append(i)
                yield X[i * 10 : (i + 1) * 10], Y[i * 10 : (i + 1) * 10]

    model, arrays = build(), build()
    model.fit(endless(), steps_per_epoch=4, epochs=2, verbose=0)
    arrays.fit(X, Y, batch_size=10, epochs=2, shuffle=False, verbose=0)
    assert 8 <= len(taken) <= 9
    for a, b in zip(model.get_weights(), arrays.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_bad_batch_of_a_generator_is_refused():
    def batches(bad):
        for i in range(4):
            yield (bad if i == 2 else X[:10]), Y[:10]

    wrong = [X[:9], X[:10, :5], np.full((10, 6), np.nan), X[:10].astype(object)]
    for bad in wrong:
        model = build()
        with pytest.raises((ValueError, TypeError)):
            model.fit(batches(bad), verbose=0)
        assert all(np.isfinite(w).all() for w in model.get_weights())
        model.fit(X, Y, verbose=0)


@pytest.mark.parametrize("options", [{"y": Y}, {"sample_weight": Y}, {"validation_split": 0.2}])
def test_arguments_that_a_dataset_brings_itself_are_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        build().fit(Batches(), verbose=0, **options)


def test_inputs_are_given_by_position_or_by_name():
    keras.utils.set_random_seed(1)
    a, b = keras.Input((2,), name="a"), keras.Input((4,), name="b")
    model = keras.Model([a, b], keras.layers.Dense(1)(keras.layers.Concatenate()([a, b])))
    want = model.predict([X[:, :2], X[:, 2:]], verbose=0)
    np.testing.assert_array_equal(model.predict({"b": X[:, 2:], "a": X[:, :2]}, verbose=0), want)
    np.testing.assert_array_equal(model.predict((X[:, :2], X[:, 2:]), verbose=0), want)
    np.testing.assert_array_equal(np.asarray(model([X[:, :2], X[:, 2:]])), want)
    for wrong in ([X[:, 2:], X[:, :2]], [X[:, :2]], {"a": X[:, :2]}, X, [X[:, :2], X[:5, 2:]]):
        with pytest.raises(ValueError, match="expected"):
            model.predict(wrong, verbose=0)


def test_a_target_of_shape_n_belongs_to_a_prediction_of_shape_n_1():
    """(n,) against (n, 1) must never become (n, n)."""
    results = []
    for y in (X[:, 0], X[:, :1]):
        keras.utils.set_random_seed(1)
        model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(1)])
        model.compile(keras.optimizers.SGD(1e-5), "mse", metrics=["mae"])
        results.append(model.fit(X, y, epochs=2, verbose=0).history)
    assert results[0] == results[1]


class Passes:
    """An iterable with so many batches in its passes, one after another, and none later."""

    def __init__(self, *counts):
        self.counts = list(counts)

    def __iter__(self):
        count = self.counts.pop(0) if self.counts else 0
        return iter([(np.ones((8, 4)), np.ones((8, 1)))] * count)


def small():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


def test_passes_that_become_empty_end_an_epoch_with_a_warning():
    with pytest.warns(RuntimeWarning, match="ran out of data after 2 of 5 batches"):
        small().fit(Passes(2), steps_per_epoch=5, epochs=1, verbose=0)
    model = small()
    with pytest.warns(RuntimeWarning, match="ran out of data after 1 of 3"):
        model.fit(Passes(2, 2), steps_per_epoch=3, epochs=2, verbose=0)
    assert int(model.optimizer.iterations) == 4


def test_a_batch_that_is_none_is_an_error_and_no_end():
    def batches():
        for i in range(4):
            yield None if i == 2 else (np.ones((8, 4)), np.ones((8, 1)))

    model = small()
    with pytest.raises(ValueError, match=r"expected batches of x, .*, received None"):
        model.fit(batches(), verbose=0)
    assert int(model.optimizer.iterations) == 2
    with pytest.raises(ValueError, match="received None"):
        model.predict(x if x is None else x[0] for x in batches())

    class Forgetful(keras.utils.PyDataset):
        def __len__(self):
            return 3

        def __getitem__(self, i):
            return None if i == 1 else (np.ones((8, 4)), np.ones((8, 1)))

    with pytest.raises(ValueError, match="received None"):
        model.fit(Forgetful(), verbose=0, shuffle=False)
