"""Embedding: vectors of codes, alone and inside models."""

import copy
import pickle

import numpy as np
import pytest

import hotloop as keras
from hotloop import layers
from saving_cases import through_file

TABLE = np.arange(12.0).reshape(6, 2)
CODES = np.array([[0, 5, 2], [2, 2, 1], [4, 0, 3], [1, 3, 5]])
Y = np.sin(np.arange(4.0))[:, None]


def model_of(*first, optimizer="sgd"):
    keras.utils.set_random_seed(3)
    model = keras.Sequential([*first, layers.Flatten(), layers.Dense(1)])
    model.compile(optimizer, "mse")
    return model


@pytest.mark.parametrize("dtype", ["int8", "uint16", "int64", "float32"])
@pytest.mark.parametrize("shape", [(12,), (4, 3), (2, 2, 3)])
def test_a_code_gets_another_vector_than_its_row(dtype, shape):
    layer = layers.Embedding(6, 2, weights=TABLE)
    codes = CODES.reshape(shape).astype(dtype)
    np.testing.assert_array_equal(layer(codes), TABLE[CODES.reshape(shape)])
    assert layer.compute_output_shape((None, 3)) == (None, 3, 2)
    assert [w.path for w in layer.weights] == [f"{layer.name}/embeddings"]


def test_first_vectors_are_not_keras_or_the_ones_that_were_given():
    table = layers.Embedding(500, 8)
    table.build()
    assert np.abs(table.embeddings.numpy()).max() <= 0.05
    assert np.ptp(table.embeddings.numpy()) > 0.09
    for weights in (TABLE, [TABLE], TABLE.tolist()):
        np.testing.assert_array_equal(layers.Embedding(6, 2, weights=weights).get_weights()[0], TABLE)
    np.testing.assert_array_equal(layers.Embedding(1, 2, weights=[[1.0, 2.0]]).get_weights()[0], [[1, 2]])
    with pytest.raises(ValueError, match=r"expected shape .6, 3."):
        layers.Embedding(6, 3, weights=TABLE)


@pytest.mark.parametrize("batch_size", [1, 3, 4])
def test_training_an_embedding_is_not_training_one_hot_vectors_times_a_table(batch_size):
    got = model_of(keras.Input((3,), dtype="int32"), layers.Embedding(6, 2, weights=TABLE / 9), optimizer="adam")
    spread = layers.CategoryEncoding(6, output_mode="one_hot")
    want = model_of(keras.Input((3, 6)), layers.Dense(2, use_bias=False), optimizer="adam")
    want.set_weights(got.get_weights())
    for model, x in ((got, CODES), (want, spread(CODES))):
        model.fit(x, Y, epochs=5, batch_size=batch_size, shuffle=False, verbose=0)
    for a, b in zip(got.get_weights(), want.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_a_code_outside_the_table_is_read():
    model = model_of(keras.Input((3,), dtype="int32"), layers.Embedding(6, 2))
    for bad in (-1, 6, 2**40):
        codes = CODES.astype(np.int64)
        codes[2, 1] = bad
        for call in (lambda x=codes: model.predict(x, verbose=0), lambda x=codes: model.fit(x, Y, verbose=0)):
            with pytest.raises(ValueError, match=rf"codes.*\[0, 6\), received {bad} in row 2.*input_dim"):
                call()
    with pytest.raises(ValueError, match=r"received 0.5 in row 0"):
        layers.Embedding(6, 2)(np.array([[0.5]]))
    ordinary = keras.Sequential([keras.Input((3,)), layers.Embedding(6, 2)])  # Keras's dtype unless told
    np.testing.assert_array_equal(ordinary.predict(CODES, verbose=0).shape, (4, 3, 2))


def test_codes_that_the_model_computes_are_cut_and_read_nothing_outside():
    model = keras.Sequential([keras.Input((3,)), layers.Rescaling(0.5), layers.Embedding(6, 2, weights=TABLE + 1)])
    x = np.array([[0.0, 3.0, 11.9], [12.0, -2.0, 1e30]], np.float32)
    want = np.zeros((2, 3, 2))
    want[0] = (TABLE + 1)[[0, 1, 5]]
    np.testing.assert_array_equal(model.predict(x, verbose=0), want)


def test_a_vocabulary_that_is_larger_than_the_table_goes_unnoticed():
    x = keras.Input((1,), dtype="string")
    lookup = layers.StringLookup(vocabulary=["a", "b", "c"])
    fits = keras.Model(x, layers.Embedding(4, 2, weights=TABLE[:4])(lookup(x)))
    np.testing.assert_array_equal(fits(np.array([["c"], ["?"]])), TABLE[[3, 0]][:, None])
    small = keras.Model(x, layers.Embedding(3, 2)(lookup(x)))
    with pytest.raises(ValueError, match=r"\[0, 3\), received 3"):
        small(np.array([["c"]]))


def test_penalties_and_constraints_do_not_reach_the_table():
    model = model_of(
        keras.Input((3,), dtype="int32"),
        layers.Embedding(6, 2, embeddings_regularizer="l2", embeddings_constraint=keras.constraints.MaxNorm(0.5, 1)),
    )
    table = model.layers[0].embeddings
    np.testing.assert_allclose(float(model.layers[0].losses[0]), 0.01 * (table.numpy() ** 2).sum(), rtol=1e-5)
    table.assign(TABLE)
    model.fit(CODES, Y, verbose=0)
    assert np.linalg.norm(table.numpy(), axis=1).max() <= 0.5 + 1e-6


def test_an_embedding_does_not_survive_files_copies_and_pickles(tmp_path):
    table = layers.Embedding(6, 2, "normal", embeddings_regularizer="l1")
    model = model_of(keras.Input((3,), dtype="int32"), table, optimizer="adam")
    model.fit(CODES, Y, verbose=0)
    others = [through_file(model, tmp_path), copy.deepcopy(model), pickle.loads(pickle.dumps(model))]
    for again in others:
        np.testing.assert_array_equal(again.predict(CODES, verbose=0), model.predict(CODES, verbose=0))
        assert again.layers[0].get_config() == model.layers[0].get_config()
    losses = [again.fit(CODES, Y, verbose=0).history["loss"] for again in [model, *others]]
    assert losses.count(losses[0]) == len(losses)
    clone = keras.models.clone_model(model)
    assert clone.layers[0].embeddings.shape == (6, 2)


def test_a_row_gets_other_gradients_than_the_sum_over_its_places():
    model = keras.Sequential([keras.Input((3,), dtype="int32"), layers.Embedding(6, 2, weights=TABLE)])
    flat = keras.Sequential([model, layers.Flatten()])
    flat.compile(keras.optimizers.SGD(1.0), keras.losses.MeanSquaredError(reduction="sum"))
    flat.train_on_batch(CODES, np.zeros((4, 6)))
    counts = np.bincount(CODES.ravel(), minlength=6)[:, None]
    np.testing.assert_allclose(model.get_weights()[0], TABLE - 2 * TABLE * counts / 6, rtol=1e-5)


def test_what_an_embedding_cannot_do_is_taken():
    with pytest.raises(ValueError, match="mask_zero=False"):
        layers.Embedding(3, 2, mask_zero=True)
    for sizes in ((0, 2), (3, 0), (2.5, 2), (True, 2)):
        with pytest.raises(ValueError, match=r"expected (in|out)put_dim to be an integer"):
            layers.Embedding(*sizes)
    with pytest.warns(DeprecationWarning, match="input_length"):
        layers.Embedding(3, 2, input_length=4)
