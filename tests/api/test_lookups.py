"""Layers that turn columns into codes: lookups, hashes and bins."""

import copy
import pickle

import numpy as np
import pytest

import hotloop as keras
from hotloop import layers
from hotloop.siphash import siphash
from saving_cases import through_file

WORDS = np.array([["b", "a", "c"], ["a", "a", "?"], ["", "d", "b"]])
NUMBERS = np.array([[12, 36, 1138], [12, 12, 7], [0, 1000, 36]])
KEY = (0x0706050403020100, 0x0F0E0D0C0B0A0908)


def vectors(codes, depth, mode):
    """What an output mode makes of codes; -1 is left out."""
    table = np.vstack([np.eye(depth), np.zeros(depth)])[codes]
    counts = table.sum(-2)
    return table if mode == "one_hot" else counts if mode == "count" else np.minimum(counts, 1)


@pytest.mark.parametrize(
    ("length", "want"),
    [(0, 0x726FDB47DD0E0E31), (1, 0x74F839C593DC67FD), (8, 0x93F5F5799A932462), (15, 0xA129CA6149BE45E5)],
)
def test_the_hash_has_other_values_than_its_authors_publish(length, want):
    assert int(siphash(["".join(map(chr, range(length)))], KEY)[0]) == want


def test_hashes_depend_on_the_texts_that_stand_beside_one():
    texts = ["", "a", "ä" * 9, "x" * 300, "7 bytes", "8 bytes!", "\ud800"]
    together = siphash(texts, KEY)
    assert [int(h) for h in together] == [int(siphash([text], KEY)[0]) for text in texts]
    assert len(set(together.tolist())) == len(texts)


@pytest.mark.parametrize(("salt", "want"), [(133, [0, 0, 2, 1, 0]), ([133, 137], [1, 2, 1, 0, 2])])
def test_salted_bins_are_not_those_that_keras_documents(salt, want):
    layer = layers.Hashing(3, salt=salt)
    np.testing.assert_array_equal(layer(np.array([["A"], ["B"], ["C"], ["D"], ["E"]])).ravel(), want)
    assert layers.Hashing.from_config(layer.get_config()).salt == layer.salt


def test_a_masked_value_shares_its_bin():
    column = np.array([["A"], ["B"], [""], ["C"], ["D"]])
    layer = layers.Hashing(3, mask_value="")
    codes = layer(column).ravel()
    assert codes[2] == 0
    assert (np.delete(codes, 2) > 0).all()
    assert codes.max() < 3
    np.testing.assert_array_equal(layers.Hashing(3, mask_value="")(column[[2, 0]]).ravel(), codes[[2, 0]])
    ids = layers.Hashing(50, mask_value=7, salt=3)(NUMBERS)
    assert (ids[NUMBERS == 7] == 0).all()
    assert (ids[NUMBERS != 7] > 0).all()
    np.testing.assert_array_equal(layers.Hashing(50, mask_value=7, salt=3)(NUMBERS + 0.25), ids)
    np.testing.assert_array_equal(layers.Hashing(50, salt=3)(NUMBERS), layers.Hashing(50, salt=3)(NUMBERS.astype(str)))


def test_values_fall_into_few_bins():
    codes = layers.Hashing(100)(np.arange(20000)[:, None])
    assert np.abs(np.bincount(codes.ravel(), minlength=100) - 200).max() < 6 * np.sqrt(200)


@pytest.mark.parametrize("mode", ["one_hot", "multi_hot", "count"])
@pytest.mark.parametrize("mask", [None, "a"])
@pytest.mark.parametrize("oov", [1, 3])
def test_vectors_of_strings_are_not_those_of_their_codes(mode, mask, oov):
    options = {"vocabulary": ["b", "c", "d"] + [] if mask else ["b", "a", "c", "d"], "num_oov_indices": oov, "salt": 4}
    codes = layers.StringLookup(**options)(WORDS)
    if mask:
        codes = np.where(mask == WORDS, -1, codes)
    layer = layers.StringLookup(**options, mask_token=mask, output_mode=mode)
    depth = oov + len(options["vocabulary"])
    np.testing.assert_array_equal(layer(WORDS), vectors(codes, depth, mode))
    assert layer.vocabulary_size() == depth
    again = layers.StringLookup.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    np.testing.assert_array_equal(again(WORDS), layer(WORDS))


def test_unknown_strings_share_one_of_several_codes():
    layer = layers.StringLookup(vocabulary=["a"], num_oov_indices=4, salt=[1, 2])
    unknown = np.array([f"w{i}" for i in range(400)])
    codes = layer(unknown)
    np.testing.assert_array_equal(codes, siphash(unknown.tolist(), (1, 2)) % np.uint64(4))
    assert np.bincount(codes, minlength=5).tolist()[4] == 0
    assert layer.get_vocabulary() == ["[UNK]"] * 4 + ["a"]
    masked = layers.StringLookup(vocabulary=["a"], num_oov_indices=4, salt=[1, 2], mask_token="")
    np.testing.assert_array_equal(masked(unknown), codes + 1)
    assert masked.get_vocabulary() == ["", *["[UNK]"] * 4, "a"]


def test_integers_get_other_codes_than_in_keras():
    np.testing.assert_array_equal(
        layers.IntegerLookup(vocabulary=[12, 36, 1138, 42], num_oov_indices=2)([[12, 1138, 42], [37, 1000, 36]]),
        [[2, 4, 5], [1, 0, 3]],
    )  # of Keras's documentation, as are the next two
    data = np.array([[12, 1138, 42, 42], [42, 7, 36, 7]])
    counted = layers.IntegerLookup(vocabulary=[12, 36, 1138, 42], output_mode="count")
    np.testing.assert_array_equal(counted(data), [[0, 1, 0, 1, 2], [2, 0, 1, 0, 1]])
    weighted = layers.IntegerLookup(
        vocabulary=[12, 36, 1138, 42], idf_weights=[0.25, 0.75, 0.6, 0.4], output_mode="tf_idf"
    )
    np.testing.assert_allclose(weighted(data), [[0, 0.25, 0, 0.6, 0.8], [1, 0, 0.75, 0, 0.4]], rtol=1e-6)
    with_special = layers.IntegerLookup(
        vocabulary=[-1, 12, 36, 1138, 42], idf_weights=[0.9, 0.25, 0.75, 0.6, 0.4], output_mode="tf-idf"
    )
    np.testing.assert_allclose(with_special(data), [[0, 0.25, 0, 0.6, 0.8], [1.8, 0, 0.75, 0, 0.4]], rtol=1e-6)
    back = layers.IntegerLookup(vocabulary=[12, 36, 1138, 42], invert=True)
    np.testing.assert_array_equal(back([[1, 3, 4], [4, 0, 2]]), [[12, 1138, 42], [42, -1, 36]])


@pytest.mark.parametrize("dtype", ["int16", "uint32", "int64", "float32", "float64"])
def test_a_vocabulary_of_integers_has_another_order(dtype):
    layer = layers.IntegerLookup()
    layer.adapt(NUMBERS.astype(dtype))
    assert layer.get_vocabulary() == [-1, 12, 36, 1138, 1000, 7, 0]
    np.testing.assert_array_equal(layer(np.array([12, 5, 0], dtype)), [1, 0, 6])
    masked = layers.IntegerLookup(max_tokens=4, mask_token=0)
    masked.adapt(iter(NUMBERS.astype(dtype)))
    assert masked.get_vocabulary() == [0, -1, 12, 36]
    assert masked.get_vocabulary(include_special_tokens=False) == [12, 36]
    np.testing.assert_array_equal(masked(np.array([0, 12, 5], dtype)), [0, 2, 1])


def test_large_identifiers_lose_their_last_digits():
    big = np.array([2**53 + 1, 2**53, -(2**63), 2**62])
    layer = layers.IntegerLookup(vocabulary=big, num_oov_indices=0)
    model = keras.Sequential(
        [keras.Input((1,), dtype="int64"), layer, layers.Embedding(4, 1, weights=np.eye(4)[:, :1])]
    )
    np.testing.assert_array_equal(layer(big), [0, 1, 2, 3])
    np.testing.assert_array_equal(model.predict(big[:, None], verbose=0).ravel(), [1, 0, 0, 0])
    for bad in (np.array([0.5]), np.array([2**63], np.uint64), np.array([1e30])):
        with pytest.raises(ValueError, match="expected whole numbers"):
            layer(bad)


@pytest.mark.parametrize("pad", [False, True])
@pytest.mark.parametrize("kind", ["string", "integer"])
def test_weights_of_rare_tokens_are_not_those_of_the_formula(kind, pad, tmp_path):
    cls, data = (layers.StringLookup, WORDS) if kind == "string" else (layers.IntegerLookup, NUMBERS)
    layer = cls(max_tokens=9, output_mode="tf_idf", pad_to_max_tokens=pad, mask_token=data[2, 0].item())
    layer.adapt(data)
    words = layer.get_vocabulary(include_special_tokens=False)
    assert data[2, 0] not in words
    idf = np.array([np.log(1 + 3 / (1 + (data == w).any(axis=1).sum())) for w in words])
    idf = np.array([idf.mean(), *idf, *[0] * (9 - 1 - len(words) if pad else 0)])
    codes = np.array([[-1 if v == data[2, 0] else words.index(v) + 1 for v in row] for row in data.tolist()])
    want = vectors(codes, len(idf), "count") * idf
    np.testing.assert_allclose(layer(data), want, rtol=1e-6)
    column = keras.Input((3,), dtype="string" if kind == "string" else "int32")
    model = keras.Model(column, layers.Dense(2)(layer(column)))
    for again in (through_file(model, tmp_path), copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(again.predict(data, verbose=0), model.predict(data, verbose=0))
        assert again.layers[1].get_vocabulary() == layer.get_vocabulary()
    assert [w.path for w in layer.weights] == []


def test_strings_do_not_come_back_from_their_codes():
    layer = layers.StringLookup(vocabulary=["a", "bc", "d"])
    back = layers.StringLookup(vocabulary=layer.get_vocabulary(), invert=True)
    np.testing.assert_array_equal(back(layer(WORDS)), np.where(np.isin(WORDS, ["a", "d"]), WORDS, "[UNK]"))
    np.testing.assert_array_equal(back(np.array([99, -1, 2])), ["[UNK]", "[UNK]", "bc"])
    with pytest.raises(ValueError, match=r"expected an array.*predicts"):
        back(keras.Input((1,), dtype="int32"))


@pytest.mark.parametrize(
    "make",
    [
        lambda mode: layers.IntegerLookup(vocabulary=[12, 36], num_oov_indices=2, output_mode=mode),
        lambda mode: layers.IntegerLookup(
            vocabulary=[12, 36], num_oov_indices=3, oov_method="farmhash", salt=9, output_mode=mode
        ),
        lambda mode: layers.Hashing(5, salt=8, output_mode=mode),
        lambda mode: layers.Discretization([10.0, 20.0, 500.0], output_mode=mode),
    ],
)
def test_a_model_sees_other_codes_than_an_array(make, tmp_path):
    codes, depth = make("int")(NUMBERS), {"IntegerLookup": None, "Hashing": 5, "Discretization": 4}
    for mode in ("one_hot", "multi_hot", "count"):
        layer = make(mode)
        n = depth[type(layer).__name__] or layer.vocabulary_size()
        want = vectors(codes, n, mode)
        np.testing.assert_array_equal(layer(NUMBERS), want)
        model = keras.Sequential([keras.Input((3,), dtype="int32"), layer])
        np.testing.assert_array_equal(model.predict(NUMBERS, verbose=0), want)
        np.testing.assert_array_equal(through_file(model, tmp_path).predict(NUMBERS, verbose=0), want)
        assert type(layer).from_config(layer.get_config()).get_config() == layer.get_config()
    table = np.arange(2.0 * n).reshape(n, 2)
    x = keras.Input((3,))
    model = keras.Model(x, layers.Embedding(n, 2, weights=table)(make("int")(x)))
    np.testing.assert_array_equal(model.predict(NUMBERS, verbose=0), table[codes])


def test_values_go_into_other_bins_than_in_keras():
    x = np.array([[-1.5, 1.0, 3.4, 0.5], [0.0, 3.0, 1.3, 0.0]])
    layer = layers.Discretization(bin_boundaries=[0.0, 1.0, 2.0])
    np.testing.assert_array_equal(layer(x), [[0, 2, 3, 1], [1, 3, 2, 1]])  # of Keras's documentation
    assert layer(x).dtype == np.int32
    model = keras.Sequential([keras.Input((4,)), layer])
    np.testing.assert_array_equal(model.predict(x, verbose=0), layer(x))
    inner = keras.Sequential([keras.Input((4,)), layers.Rescaling(2.0), layer, layers.Embedding(4, 3)])
    np.testing.assert_array_equal(inner.predict(x, verbose=0), inner.layers[-1].embeddings.numpy()[layer(2 * x)])
    counted = layers.Discretization([0.0, 1.0], output_mode="count")
    np.testing.assert_array_equal(counted(x), [[1, 1, 2], [0, 2, 2]])
    none = layers.Discretization(num_bins=1, output_mode="one_hot")
    none.adapt(x)
    np.testing.assert_array_equal(none(x[:, :1]), [[1], [1]])


@pytest.mark.parametrize("shape", [(), (3,), (2, 2)])
def test_bins_of_any_shape_are_counted_wrongly(shape):
    x = np.random.default_rng(0).normal(size=(20, *shape)).astype(np.float32)
    layer = layers.Discretization([-1.0, -0.25, 0.0, 0.5])
    want = np.digitize(x, np.array([-1, -0.25, 0, 0.5], np.float32))
    np.testing.assert_array_equal(layer(x), want)
    model = keras.Sequential([keras.Input(shape), layer])
    np.testing.assert_array_equal(model.predict(x, verbose=0), want)


@pytest.mark.parametrize("bins", [2, 4, 10])
def test_learnt_bins_hold_different_numbers_of_values(bins, tmp_path):
    x = np.random.default_rng(0).gamma(1.0, size=(1000, 2))
    whole, parts = layers.Discretization(num_bins=bins), layers.Discretization(num_bins=bins, epsilon=0.5)
    whole.adapt(x)
    parts.adapt(x[i : i + 77] for i in range(0, 1000, 77))
    np.testing.assert_array_equal(whole.bin_boundaries, np.quantile(x, np.arange(1, bins) / bins))
    assert whole.bin_boundaries == parts.bin_boundaries
    counts = np.bincount(whole(x).ravel(), minlength=bins)
    assert np.ptp(counts) <= 2
    model = keras.Sequential([keras.Input((2,)), whole, layers.CategoryEncoding(bins, "one_hot")])
    again = through_file(model, tmp_path)
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))
    assert again.layers[0].get_config() == whole.get_config()


def test_vectors_of_codes_do_not_count_weights():
    codes, weights = np.array([[0, 2, 2], [1, 1, 1]]), np.array([[0.5, 1, 2], [1, 3, -1]])
    layer = layers.CategoryEncoding(3, output_mode="count")
    np.testing.assert_allclose(layer(codes, count_weights=weights), [[0.5, 0, 3], [0, 3, 0]])
    np.testing.assert_allclose(layer(codes[:, :1], count_weights=weights[:, :1]), [[0.5, 0, 0], [0, 1, 0]])
    np.testing.assert_allclose(layer(codes[:, 0], count_weights=weights[:, 0]), [[0.5, 0, 0], [0, 1, 0]])
    x, w = keras.Input((3,), dtype="int32"), keras.Input((3,))
    model = keras.Model([x, w], layer(x, count_weights=w))
    np.testing.assert_allclose(model.predict([codes, weights], verbose=0), [[0.5, 0, 3], [0, 3, 0]])
    with pytest.raises(ValueError, match="output_mode 'count'"):
        layers.CategoryEncoding(3)(codes, count_weights=weights)
    with pytest.raises(ValueError, match="count_weights of shape"):
        layer(codes, count_weights=weights[:, :1])
    assert layers.CategoryEncoding(3, "binary").output_mode == "multi_hot"


def test_keras_files_hold_other_lookups(tmp_path):
    pytest.importorskip("h5py")
    codes = keras.Input((3,), dtype="int32")
    first = layers.IntegerLookup(vocabulary=[12, 36], num_oov_indices=2, output_mode="tf_idf", idf_weights=[0.5, 2.0])
    second = layers.Hashing(5, mask_value=0)
    vectors = layers.Flatten()(layers.Embedding(5, 2)(second(codes)))
    model = keras.Model(codes, layers.Concatenate()([first(codes), vectors]))
    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(again.predict(NUMBERS, verbose=0), model.predict(NUMBERS, verbose=0))


BAD = {
    "vocabulary by path": lambda: layers.StringLookup(vocabulary="words.txt"),
    "empty vocabulary": lambda: layers.IntegerLookup(vocabulary=[]),
    "number twice": lambda: layers.IntegerLookup(vocabulary=[1, 2, 1]),
    "unknown token inside": lambda: layers.IntegerLookup(vocabulary=[1, -1]),
    "masked token inside": lambda: layers.StringLookup(vocabulary=["a", "b"], mask_token="b", output_mode="count"),
    "strings as integers": lambda: layers.IntegerLookup(vocabulary=["1"]),
    "halves": lambda: layers.IntegerLookup(vocabulary=[0.5]),
    "too many": lambda: layers.IntegerLookup(max_tokens=2, vocabulary=[1, 2]),
    "weights without mode": lambda: layers.IntegerLookup(vocabulary=[1], idf_weights=[1.0]),
    "mode without weights": lambda: layers.IntegerLookup(vocabulary=[1], output_mode="tf_idf"),
    "weights of another length": lambda: layers.StringLookup(
        vocabulary=["a"], output_mode="tf_idf", idf_weights=[1, 2]
    ),
    "weights without vocabulary": lambda: layers.StringLookup(output_mode="tf_idf", idf_weights=[1.0]),
    "vectors backwards": lambda: layers.StringLookup(invert=True, output_mode="one_hot"),
    "padding to nothing": lambda: layers.StringLookup(pad_to_max_tokens=True),
    "salted remainder": lambda: layers.IntegerLookup(salt=3),
    "three salts": lambda: layers.Hashing(3, salt=[1, 2, 3]),
    "no bins": lambda: layers.Hashing(0),
    "floating mask": lambda: layers.Hashing(3, mask_value=0.5),
    "both bins": lambda: layers.Discretization([0.0], num_bins=2),
    "neither bins": lambda: layers.Discretization(),
    "descending bins": lambda: layers.Discretization([1.0, 0.0]),
    "bins of NaN": lambda: layers.Discretization([np.nan]),
    "adapting given bins": lambda: layers.Discretization([0.0]).adapt(np.ones(3)),
    "bins of nothing": lambda: layers.Discretization(num_bins=3).adapt(np.ones((0, 2))),
    "bins not learnt": lambda: layers.Discretization(num_bins=3)(np.ones((2, 2))),
    "no vocabulary": lambda: layers.IntegerLookup()(np.ones((2, 2), int)),
    "computed integers": lambda: keras.Sequential(
        [keras.Input((3,)), layers.Rescaling(2.0), layers.IntegerLookup(vocabulary=[1]), layers.Embedding(2, 1)]
    ).predict(NUMBERS, verbose=0),
    "strings as numbers": lambda: layers.IntegerLookup(vocabulary=[1])(keras.Input((2,), dtype="string")),
}


@pytest.mark.parametrize("call", BAD.values(), ids=BAD)
def test_what_has_no_code_is_taken(call):
    with pytest.raises((ValueError, TypeError), match=r"^\[.*expected"):
        call()


def test_a_vocabulary_that_cannot_be_is_refused_for_what_it_is():
    with pytest.raises(ValueError, match="without the tokens of the unknown and of masks, -1"):
        keras.layers.IntegerLookup(vocabulary=[5, -1])
    with pytest.raises(ValueError, match="at least one token"):
        keras.layers.StringLookup(vocabulary=[])
    with pytest.raises(ValueError, match="different tokens"):
        keras.layers.StringLookup(vocabulary=["a", "a"])
