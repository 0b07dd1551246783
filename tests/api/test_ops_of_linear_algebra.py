"""Functions of `hotloop.ops` that make, join, contract and summarise arrays mean what NumPy's and Keras's do."""

from __future__ import annotations

import numpy as np
import pytest

import hotloop as keras
from hotloop import ops
from traced_functions import check_gradient, in_model

RNG = np.random.default_rng(21)
A = RNG.permutation(np.linspace(-2.0, 2.0, 24)).astype(np.float32).reshape(2, 3, 4)
S = RNG.standard_normal((2, 3, 3)).astype(np.float32)
W = RNG.standard_normal((4, 5)).astype(np.float32)
V = RNG.standard_normal(4).astype(np.float32)

SAME = [
    ("dot a matrix", lambda o, x: o.dot(x, W)),
    ("dot a vector", lambda o, x: o.dot(x, V)),
    ("dot a block", lambda o, x: o.dot(x, S[:1].repeat(2, 0).repeat(2, 1)[:, :4])),
    ("dot a number", lambda o, x: o.dot(x, 3.0)),
    ("dot from the left", lambda o, x: o.dot(np.ones(3, np.float32), x)),
    ("tensordot one axis", lambda o, x: o.tensordot(x, W, 1)),
    ("tensordot two axes", lambda o, x: o.tensordot(x, A[0][..., None] * V, 2)),
    ("tensordot named axes", lambda o, x: o.tensordot(x, S[0], [[1], [0]])),
    ("tensordot swapped axes", lambda o, x: o.tensordot(x, A[0].T, ([1, 2], [1, 0]))),
    ("outer", lambda o, x: o.outer(o.sum(x, axis=(1, 2)), W)),
    ("hstack", lambda o, x: o.hstack([x, 2 * x, x[:, :1]])),
    ("broadcast_to", lambda o, x: o.broadcast_to(x[:, :1], (x.shape[0], 5, 4))),
    ("broadcast_to two axes", lambda o, x: o.broadcast_to(x[:, :1, None, :1], (x.shape[0], 5, 1, 2))),
    ("cumprod", lambda o, x: o.cumprod(x, axis=2)),
    ("cumprod of three", lambda o, x: o.cumprod(x, axis=1)),
    ("quantile", lambda o, x: o.quantile(x, 0.3, axis=1)),
    ("quantile of two axes", lambda o, x: o.quantile(x, 0.71, axis=(1, 2), keepdims=True)),
    ("lower quantile", lambda o, x: o.quantile(x, 0.4, axis=-1, method="lower")),
    ("higher quantile", lambda o, x: o.quantile(x, 0.4, axis=-1, method="higher", keepdims=True)),
    ("nearest quantile", lambda o, x: o.quantile(x, 0.3, axis=-1, method="nearest")),
    ("middle quantile", lambda o, x: o.quantile(x, 0.3, axis=-1, method="midpoint")),
    ("least quantile", lambda o, x: o.quantile(x, 0, axis=2)),
    ("median of two axes", lambda o, x: o.median(x, axis=(1, 2))),
    ("amax", lambda o, x: o.amax(x, axis=1)),
    ("amin", lambda o, x: o.amin(x, axis=(1, 2), keepdims=True)),
    ("ptp", lambda o, x: o.ptp(x, axis=2)),
    ("percentile", lambda o, x: o.percentile(x, 30, axis=1)),
    ("deg2rad", lambda o, x: o.deg2rad(x)),
    ("rad2deg", lambda o, x: o.rad2deg(x)),
    ("diagonal", lambda o, x: o.diagonal(x, axis1=1, axis2=2)),
    ("diagonal above", lambda o, x: o.diagonal(x, 2, 1, 2)),
    ("diagonal across", lambda o, x: o.diagonal(x, -1, 2, 1)),
    ("no diagonal", lambda o, x: o.concatenate([x[:, 0], o.diagonal(x, 7, 1, 2)], 1)),
    ("trace", lambda o, x: o.trace(x, 1, 1, 2)),
    ("tril", lambda o, x: o.tril(x)),
    ("tril above", lambda o, x: o.tril(x, 1)),
    ("triu below", lambda o, x: o.triu(x, -1)),
]


@pytest.mark.parametrize(("name", "function"), SAME, ids=[name for name, _ in SAME])
def test_a_function_means_another_thing_than_numpys(name, function):
    want = function(np, A)
    got = function(ops, A)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(in_model(lambda x: function(ops, x), A), want, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("name", "function"), SAME, ids=[name for name, _ in SAME])
def test_the_gradient_of_a_function_is_not_its_slope(name, function):
    check_gradient(lambda x: function(ops, x), A)


def test_a_running_product_with_zeros_has_another_gradient_than_its_slope():
    x = A.copy()
    x[0, 0, 1] = x[1, 1, 2] = x[1, 1, 3] = 0
    check_gradient(lambda x: ops.cumprod(x, axis=2), x)


def not_finite(x):
    """Infinities for numbers beyond 9, NaN for 9."""
    return ops.where(ops.equal(x, 9.0), np.nan, ops.where(ops.abs(x) > 9.0, ops.sign(x) / ops.zeros_like(x), x))


def test_a_triangle_of_infinities_is_nan():
    x = np.where(np.tril(np.ones((3, 3))), 1.0, 10.0)[None].astype(np.float32)
    got = in_model(lambda x: ops.tril(ops.where(x > 9.0, np.inf, x)), x)
    np.testing.assert_array_equal(got, np.tril(np.ones((1, 3, 3))))


def test_numbers_that_are_not_there_are_counted():
    x = np.array([[1, 9, 2], [10, 9, 1], [9, 9, 9]], np.float32)
    for name, want in (("nansum", [3, np.inf, 0]), ("nanmean", [1.5, np.inf, np.nan])):
        got = in_model(lambda x, name=name: getattr(ops, name)(not_finite(x), axis=1), x)
        np.testing.assert_array_equal(got, want)
    values = np.where(x == 9, np.nan, x)
    np.testing.assert_array_equal(ops.nansum(values), np.nansum(values))
    np.testing.assert_array_equal(ops.nanmean(values, axis=0), [5.5, np.nan, 1.5])


@pytest.mark.parametrize("equal_nan", [False, True])
def test_numbers_are_near_otherwise_than_numpys(equal_nan):
    a = np.array([[1.0, 1.0, 9.0, 10.0, 10.0, -10.0, 10.0, 0.0]], np.float32)
    b = np.array([[1.001, 1.1, 9.0, 10.0, -10.0, -10.0, 1.0, 0.0]], np.float32)
    options = {"rtol": 1e-2, "equal_nan": equal_nan}
    there = [np.select([v == 9, v > 9, v < -9], [np.nan, np.inf, -np.inf], v) for v in (a, b)]
    want = np.isclose(*there, **options)
    got = in_model(lambda a, b: ops.isclose(not_finite(a), not_finite(b), **options), a, b)
    np.testing.assert_array_equal(got, want)
    np.testing.assert_array_equal(ops.isclose(*there, **options), want)


def test_a_target_is_among_the_first_otherwise_than_by_counting():
    p, y = RNG.standard_normal((50, 6)).astype(np.float32), RNG.integers(0, 6, (50,))
    for k in (1, 3):
        want = [(row > row[i]).sum() < k for row, i in zip(p, y, strict=True)]
        np.testing.assert_array_equal(ops.in_top_k(y, p, k), want)
        got = in_model(lambda y, p, k=k: ops.in_top_k(y, p, k), y.astype(np.int32), p)
        np.testing.assert_array_equal(got, want)


def test_sizes_of_a_tensor_are_numbers():
    assert (ops.ndim(X), ops.size(X), ops.ndim(W), ops.size(W)) == (3, None, 2, 20)


@pytest.mark.parametrize(("q", "want"), [(0.5, [np.nan, np.inf, 1]), (0.0, [np.nan, np.inf, -np.inf])])
def test_a_quantile_of_nan_or_infinities_is_a_number_or_nan(q, want):
    x = np.array([[1, 9, 2], [10, 10, 10], [-10, 1, 10]], np.float32)
    np.testing.assert_array_equal(in_model(lambda x: ops.quantile(not_finite(x), q, axis=1), x), want)


KNOWN = [
    lambda o: o.arange(3),
    lambda o: o.arange(3.0),
    lambda o: o.arange(1, 4, 0.5),
    lambda o: o.arange(5, 0, -2),
    lambda o: o.arange(0, 3, dtype="float32"),
    lambda o: o.eye(3),
    lambda o: o.full((2, 3), 7),
    lambda o: o.full(2, 1.5, "float32"),
    lambda o: o.diagonal(W, 1),
    lambda o: o.trace(W),
    lambda o: o.percentile(W, 25.0, axis=0),
    lambda o: o.eye(2, 3, 1, dtype="int32"),
    lambda o: o.ones(3),
    lambda o: o.ones((2, 3), "int32"),
    lambda o: o.zeros(()),
    lambda o: o.zeros([2, 0]),
    lambda o: o.linspace(0, 1, 5),
    lambda o: o.linspace(0, 10, 3, dtype="int32"),
    lambda o: o.linspace(0, 1, 5, endpoint=False),
    lambda o: o.linspace(0, 1, 5, retstep=True)[1],
    lambda o: o.linspace(np.array([0.0, 1.0]), np.array([1.0, 3.0]), 3, axis=-1),
    lambda o: o.diag(np.arange(3.0), 1),
    lambda o: o.diag(np.arange(9.0).reshape(3, 3), -1),
    lambda o: o.tril(np.arange(9.0).reshape(3, 3), -1),
    lambda o: o.triu(np.arange(9).reshape(3, 3).astype(np.int32)),
    lambda o: o.vstack([V, W.T]),
    lambda o: o.hstack([V, V[:2]]),
    lambda o: o.outer(W, V),
    lambda o: o.broadcast_to(V, (2, 4)),
    lambda o: o.cumprod(W),
    lambda o: o.quantile(W, 0.3),
    lambda o: o.quantile(W, [0.1, 0.6], axis=0),
    lambda o: o.quantile(np.arange(6, dtype=np.int32), 0.3),
    lambda o: o.dot(W, W.T),
    lambda o: o.tensordot(W, W),
    lambda o: o.segment_sum(W, np.array([2, 0, 2, 7]), 3),
    lambda o: o.segment_sum(V, np.array([-1, 1, 1, 0]), 4),
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("function", KNOWN)
def test_of_arrays_a_function_gives_another_array_than_the_installed_keras(function, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    theirs = pytest.importorskip("keras", minversion="3.0", reason="Keras 3 is not installed")
    got, want = function(ops), np.asarray(function(theirs.ops))
    assert got.dtype == want.dtype
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


def test_segments_without_a_number_are_counted():
    np.testing.assert_array_equal(ops.segment_sum(np.array([1.0, 2, 4]), np.array([1, 3, 1])), [0, 5, 0, 2])


def of_segments(y_true, y_pred):
    """The squared sums of the groups that y_true names."""
    return ops.sum(ops.square(ops.segment_sum(y_pred, ops.squeeze(y_true, -1), 3)))


def test_segments_of_a_batch_are_summed_or_trained_otherwise():
    groups = np.array([[0], [2], [0], [2], [5], [1]], np.float32)
    x = RNG.standard_normal((6, 4)).astype(np.float32)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, use_bias=False)])
    w = RNG.standard_normal((4, 2)).astype(np.float32)
    model.set_weights([w])
    model.compile(keras.optimizers.SGD(0.1), of_segments)
    sums = np.stack([x[groups[:, 0] == k].sum(0) for k in range(3)])
    loss = model.train_on_batch(x, groups)
    np.testing.assert_allclose(loss, np.sum((sums @ w) ** 2), rtol=1e-5)
    np.testing.assert_allclose(model.get_weights()[0], w - 0.1 * 2 * sums.T @ sums @ w, rtol=1e-4, atol=1e-5)


class Contracted(keras.layers.Layer):
    def build(self, input_shape):
        self.matrix = self.add_weight((4, 5), "normal", name="matrix")
        self.vector = self.add_weight((3,), "normal", name="vector")

    def call(self, x):
        y = ops.tensordot(ops.dot(x, self.matrix), self.vector, [[1], [0]])
        return ops.concatenate([y, ops.outer(ops.sum(x, axis=(1, 2)), self.vector)], -1) + ops.eye(8)[1]


def test_weights_are_contracted_or_trained_otherwise():
    model = keras.Sequential([keras.Input((3, 4)), Contracted()])
    matrix, vector = model.get_weights()
    y, backward = model.vjp(A)
    want = np.concatenate([np.einsum("bij,jk,i->bk", A, matrix, vector), np.outer(A.sum((1, 2)), vector)], -1)
    want[:, 1] += 1
    np.testing.assert_allclose(y, want, rtol=1e-4, atol=1e-5)
    up = RNG.standard_normal(y.shape).astype(np.float32)
    of_matrix, of_vector = backward(up)
    np.testing.assert_allclose(of_matrix, np.einsum("bij,bk,i->jk", A, up[:, :5], vector), rtol=1e-4, atol=1e-5)
    right = np.einsum("bij,bk,jk->i", A, up[:, :5], matrix) + np.einsum("bij,bk->k", A, up[:, 5:])
    np.testing.assert_allclose(of_vector, right, rtol=1e-4, atol=1e-5)


def test_a_model_of_these_functions_is_another_after_a_file(tmp_path):
    x = keras.Input((3, 4))
    y = ops.tril(ops.cumprod(ops.dot(x, W), axis=1)) + ops.eye(3, 5) * ops.arange(5)
    y = ops.hstack([y, ops.broadcast_to(ops.quantile(x, 0.2, axis=2, keepdims=True), (None, 3, 5))])
    model = keras.Model(x, ops.tensordot(y, ops.linspace(0, 1, 30).reshape(6, 5), 2))
    model.save(tmp_path / "m.safetensors")
    again = keras.models.load_model(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(model.predict(A, verbose=0), again.predict(A, verbose=0))


X, Y = keras.Input((3, 4)), keras.Input((4,))


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: ops.any(X), r"\[any\] .*Write ops.any\(x, axis=-1\)"),
        (lambda: ops.all(X, axis=0), r"\[all\]"),
        (lambda: ops.logsumexp(X), r"\[logsumexp\] .*ops.logsumexp\("),
        (lambda: ops.std(X), r"\[std\]"),
        (lambda: ops.normalize(X, axis=0), r"\[normalize\]"),
        (lambda: ops.sort(X, axis=0), r"\[sort\]"),
        (lambda: ops.median(X), r"\[median\]"),
        (lambda: ops.stack([X, X]), r"\[stack\]"),
        (lambda: ops.stack([X, Y], 1), r"\[stack 'model'\]"),
        (lambda: ops.less(X, Y), r"\[less 'model'\]"),
        (lambda: ops.cumprod(X), r"\[cumprod\]"),
        (lambda: ops.quantile(X, 0.5), r"\[quantile\]"),
        (lambda: ops.quantile(X, [0.5], axis=1), r"\[quantile\] expected q to be a number"),
        (lambda: ops.quantile(X, 1.5, axis=1), r"\[quantile\] expected q to be a number from 0 to 1"),
        (lambda: ops.quantile(X, 0.5, 1, "cubic"), r"\[quantile\] expected method"),
        (lambda: ops.dot(X, X), r"\[dot\] expected one tensor of the model"),
        (lambda: ops.dot(np.ones((2, 3)), X), r"\[dot\] expected one tensor of the model"),
        (lambda: ops.dot(X, np.ones((5, 4))), r"\[dot\] expected pairs of axes of one size"),
        (lambda: ops.tensordot(X, np.ones((2, 4)), [[0], [0]]), r"\[tensordot\] expected pairs of axes"),
        (lambda: ops.outer(X, V), r"\[outer\] expected a tensor \(None,\)"),
        (lambda: ops.hstack([keras.Input(())] * 2), r"\[hstack\]"),
        (lambda: ops.vstack([X, X]), r"\[vstack\]"),
        (lambda: ops.broadcast_to(X, (None, 2, 4)), r"\[broadcast_to\]"),
        (lambda: ops.broadcast_to(X, (2, 3, 4)), r"\[broadcast_to\] expected a shape that begins with None"),
        (lambda: ops.zeros((None, 3)), r"\[zeros\] .*ops.zeros_like"),
        (lambda: ops.diag(X), r"\[diag\] expected an array"),
        (lambda: ops.triu(Y), r"\[triu\] expected a tensor \(batch, .., n, m\)"),
        (lambda: ops.segment_sum(X, keras.Input(()), 3), r"\[segment_sum\] expected num_segments, and tensors"),
        (lambda: ops.segment_sum(W, np.zeros((4, 1), int)), r"\[segment_sum\] expected segment_ids of shape"),
    ],
)
def test_an_error_names_another_function_than_the_one_called(call, said):
    with pytest.raises((ValueError, keras.TraceError), match=said):
        call()


def test_the_listing_of_ops_shows_more_than_what_is_public():
    assert dir(ops) == sorted(set(ops.__all__))
    assert {"relu", "dot", "zeros"} <= set(dir(ops))
    assert not {"np", "Any", "builtins", "annotations", "composed"} & set(dir(ops))
