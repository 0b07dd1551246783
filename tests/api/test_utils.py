"""Utilities: seeds, one-hot vectors, norms, batch-wise data, and `keras.backend`."""

import random

import numpy as np
import pytest

import hotloop as keras
from hotloop import backend, config, utils


def draws():
    return random.random(), np.random.rand(), config.next_seed()  # noqa: NPY002 - users draw from it


def test_set_random_seed_seeds_python_numpy_and_the_package():
    utils.set_random_seed(3)
    first = draws()
    assert all(a != b for a, b in zip(first, draws(), strict=True))
    utils.set_random_seed(3)
    assert draws() == first
    utils.set_random_seed(4)
    assert all(a != b for a, b in zip(first, draws(), strict=True))


def test_the_same_seed_trains_the_same_network_bit_for_bit():
    def run(seed):
        utils.set_random_seed(seed)
        model = keras.Sequential(
            [keras.Input((3,)), keras.layers.Dense(8, "relu"), keras.layers.Dropout(0.5), keras.layers.Dense(1)]
        )
        model.compile("adam", "mse")
        x = np.linspace(-1, 1, 60).reshape(20, 3)
        history = model.fit(x, x[:, 0], epochs=3, batch_size=4, verbose=0)
        return history.history["loss"], [w.tobytes() for w in model.get_weights()]

    first = run(1)
    assert run(1) == first
    assert run(2) != first


@pytest.mark.parametrize("bad", [-1, 2**32, 1.0, "1", None, True])
def test_a_seed_must_be_a_32_bit_integer(bad):
    with pytest.raises(ValueError, match="set_random_seed"):
        utils.set_random_seed(bad)


def test_seeds_without_set_random_seed_differ_from_process_to_process():
    import subprocess
    import sys

    code = "from hotloop import config; print(config.next_seed())"
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout for _ in range(2)]
    assert runs[0] != runs[1]


@pytest.mark.parametrize("x", [[0, 2, 1], np.array([[0], [2], [1]]), np.array([0.0, 2.0, 1.0])])
def test_to_categorical_makes_one_hot_rows(x):
    one_hot = utils.to_categorical(x)
    np.testing.assert_array_equal(one_hot, [[1, 0, 0], [0, 0, 1], [0, 1, 0]])
    assert one_hot.dtype == np.float64


def test_to_categorical_keeps_axes_and_takes_the_number_of_classes():
    one_hot = utils.to_categorical([[0, 1], [1, 0]], num_classes=3)
    assert one_hot.shape == (2, 2, 3)
    np.testing.assert_array_equal(one_hot.argmax(-1), [[0, 1], [1, 0]])


@pytest.mark.parametrize(
    ("x", "classes"), [([-1, 0], None), ([0, 3], 3), ([0.5], None), ([], None), (["a"], None), ([np.nan], None)]
)
def test_to_categorical_refuses_what_is_no_class_number(x, classes):
    with pytest.raises(ValueError, match="expected"):
        utils.to_categorical(x, classes)


def test_normalize_divides_by_the_norm_and_leaves_zeros():
    x = np.array([[3.0, 4.0], [0.0, 0.0]])
    np.testing.assert_allclose(utils.normalize(x), [[0.6, 0.8], [0, 0]])
    np.testing.assert_allclose(utils.normalize(x, axis=0, order=1), [[1, 1], [0, 0]])


def test_a_pydataset_subclass_feeds_training_and_hears_about_epochs():
    class Batches(utils.PyDataset):
        def __init__(self):
            super().__init__(workers=1)
            self.ends = 0

        def __len__(self):
            return 3

        def __getitem__(self, i):
            return np.full((2, 1), i, np.float32), np.full((2, 1), 2 * i, np.float32)

        def on_epoch_end(self):
            self.ends += 1

    data = Batches()
    assert data.num_batches == 3
    assert utils.Sequence is utils.PyDataset
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(data, epochs=2, verbose=0)
    assert model.optimizer.iterations == 6
    assert data.ends == 2


def test_a_pydataset_without_its_methods_says_which_one_is_missing():
    with pytest.raises(NotImplementedError, match="__getitem__"):
        utils.PyDataset()[0]
    with pytest.raises(NotImplementedError, match="__len__"):
        len(utils.PyDataset())


def test_clear_session_starts_names_again():
    utils.clear_session()
    names = [keras.layers.Dense(1).name for _ in range(2)]
    backend.clear_session()
    assert names == ["dense", "dense_1"]
    assert keras.layers.Dense(1).name == "dense"


def test_backend_tells_dtypes_and_tensors_apart():
    assert backend.standardize_dtype(np.float64) == "float64"
    assert backend.is_float_dtype("float16")
    assert not backend.is_float_dtype("int32")
    assert backend.is_int_dtype(np.uint8)
    assert backend.is_keras_tensor(keras.Input((2,)))
    assert not backend.is_keras_tensor(np.zeros(2))
    assert backend.backend() == "hotloop"


SEQUENCES = [[1], [2, 3], [], [4, 5, 6, 7]]


@pytest.mark.parametrize("padding", ["pre", "post"])
@pytest.mark.parametrize("truncating", ["pre", "post"])
@pytest.mark.parametrize("maxlen", [None, 1, 2, 6])
@pytest.mark.filterwarnings("ignore")
def test_sequences_are_padded_otherwise_than_in_keras(padding, truncating, maxlen, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    theirs = pytest.importorskip("keras", minversion="3.0", reason="Keras 3 is not installed")
    vectors = [np.arange(2.0 * len(s)).reshape(-1, 2) for s in SEQUENCES]
    for sequences, more in ((SEQUENCES, {}), (SEQUENCES, {"value": -1}), (vectors, {"dtype": "float64"})):
        options = {"maxlen": maxlen, "padding": padding, "truncating": truncating, **more}
        got = keras.utils.pad_sequences(sequences, **options)
        want = theirs.utils.pad_sequences(sequences, **options)
        assert got.dtype == want.dtype
        np.testing.assert_array_equal(got, want)


def test_words_are_padded_with_words():
    got = keras.utils.pad_sequences([["a"], ["b", "c"]], dtype=object, value="-", padding="post")
    assert got.tolist() == [["a", "-"], ["b", "c"]]
    assert keras.utils.pad_sequences([[1, 2]], maxlen=0).shape == (1, 0)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (([1, 2],), "without a length"),
        (([[1], [[2, 3]]],), "expected elements of shape"),
        (([[1]], None, "int32", "left"), "padding to be 'pre' or 'post'"),
        (([[1]], None, "int32", "pre", "middle"), "truncating to be"),
        (([["a"]], None, "int32", "pre", "pre", "x"), "dtype=object"),
    ],
)
def test_what_is_no_sequence_is_refused(arguments, said):
    with pytest.raises(ValueError, match=rf"\[pad_sequences\] .*{said}"):
        keras.utils.pad_sequences(*arguments)


@pytest.mark.parametrize(
    ("sizes", "left", "right"),
    [
        ({"left_size": 0.75}, 6, 2),
        ({"left_size": 3}, 3, 5),
        ({"right_size": 0.3}, 6, 2),
        ({"left_size": 0.5, "right_size": 1}, 4, 1),
    ],
)
def test_a_data_set_is_split_elsewhere_or_its_arrays_apart(sizes, left, right):
    x, y = np.arange(16).reshape(8, 2), np.arange(8)
    (x1, y1), (x2, y2) = keras.utils.split_dataset((x, y), **sizes)
    np.testing.assert_array_equal(x1, x[:left])
    np.testing.assert_array_equal(x2, x[8 - right :])
    np.testing.assert_array_equal(np.concatenate([y1, y2]), [*range(left), *range(8 - right, 8)])
    assert np.shares_memory(x1, x)
    mixed = keras.utils.split_dataset({"x": x, "y": y}, shuffle=True, seed=1, **sizes)
    for part in mixed:
        np.testing.assert_array_equal(part["x"][:, 0] // 2, part["y"])
    assert not set(mixed[0]["y"]) & set(mixed[1]["y"])
    again = keras.utils.split_dataset({"x": x, "y": y}, shuffle=True, seed=1, **sizes)
    np.testing.assert_array_equal(mixed[0]["y"], again[0]["y"])
    assert mixed[0]["y"].tolist() != y1.tolist()
    assert keras.utils.split_dataset(y, **sizes)[0].tolist() == y1.tolist()


@pytest.mark.parametrize(
    ("data", "sizes", "error"),
    [
        (np.zeros(4), {}, ValueError),
        (np.zeros(4), {"left_size": 4}, ValueError),
        (np.zeros(4), {"left_size": 1.0}, ValueError),
        (np.zeros(4), {"left_size": 0.1}, ValueError),
        (np.zeros(4), {"left_size": 3, "right_size": 2}, ValueError),
        (np.zeros(4), {"left_size": "half"}, TypeError),
        ((np.zeros(4), np.zeros(3)), {"left_size": 0.5}, TypeError),
        (iter([1]), {"left_size": 0.5}, TypeError),
    ],
)
def test_a_split_without_two_parts_is_refused(data, sizes, error):
    with pytest.raises(error, match=r"\[split_dataset\]"):
        keras.utils.split_dataset(data, **sizes)
