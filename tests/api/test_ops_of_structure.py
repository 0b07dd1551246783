"""Functions of `hotloop.ops` that pick, order, copy, pad and contract mean what Keras's do, gradients included."""

from __future__ import annotations

import numpy as np
import pytest

import hotloop as keras
from hotloop import ops
from traced_functions import check_gradient, in_model

RNG = np.random.default_rng(11)
A = RNG.permutation(np.linspace(-2.0, 2.0, 24)).astype(np.float32).reshape(2, 3, 4)
C = RNG.standard_normal((2, 4, 5)).astype(np.float32)
W = RNG.standard_normal((4, 6)).astype(np.float32)


SAME = [
    ("prod of one axis", lambda o, x: o.prod(x, axis=1)),
    ("prod of all", lambda o, x: o.prod(x, axis=(1, 2), keepdims=True)),
    ("cumsum", lambda o, x: o.cumsum(x, axis=1)),
    ("cumsum of the last", lambda o, x: o.cumsum(x, axis=-1)),
    ("tile", lambda o, x: o.tile(x, (1, 2, 3))),
    ("tile of the last", lambda o, x: o.tile(x, 2)),
    ("repeat", lambda o, x: o.repeat(x, 3, axis=1)),
    ("repeat each", lambda o, x: o.repeat(x, [2, 0, 1], axis=1)),
    ("repeat of the last", lambda o, x: o.repeat(x, 2, -1)),
    ("pad", lambda o, x: o.pad(x, ((0, 0), (1, 2), (0, 3)))),
    ("pad with a number", lambda o, x: o.pad(x, ((0, 0), (0, 0), (2, 1)), constant_values=1.5)),
    ("pad edge", lambda o, x: o.pad(x, ((0, 0), (1, 0), (2, 5)), mode="edge")),
    ("pad reflect", lambda o, x: o.pad(x, ((0, 0), (1, 2), (3, 0)), mode="reflect")),
    ("pad symmetric", lambda o, x: o.pad(x, ((0, 0), (3, 2), (0, 4)), mode="symmetric")),
    ("sort", lambda o, x: o.sort(x)),
    ("sort another axis", lambda o, x: o.sort(x, axis=1)),
    ("argsort", lambda o, x: o.argsort(x, axis=1)),
    ("take a table", lambda o, x: o.take(x, np.array([[0, 3], [-1, 0]]), axis=2)),
    ("take nothing", lambda o, x: o.take(x, np.array([], int), axis=2)),
    ("einsum transposes", lambda o, x: o.einsum("bij->bji", x)),
    ("einsum sums", lambda o, x: o.einsum("bij->bj", x)),
    ("einsum implicit", lambda o, x: o.einsum("...j->...", x)),
    ("einsum twice", lambda o, x: o.einsum("bij,bij->b", x, x)),
]


@pytest.mark.parametrize(("name", "function"), SAME, ids=[name for name, _ in SAME])
def test_a_function_means_another_thing_than_numpys(name, function):
    want = function(np, A)
    np.testing.assert_allclose(function(ops, A), want, rtol=1e-6)
    np.testing.assert_allclose(in_model(lambda x: function(ops, x), A), want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("name", "function"), [f for f in SAME if f[0] not in ("argsort", "take nothing")])
def test_the_gradient_of_a_function_is_not_its_slope(name, function):
    check_gradient(lambda x: function(ops, x), A)


def test_a_product_with_zeros_has_another_gradient_than_its_slope():
    x = A.copy()
    x[0, 0, 1] = x[1, 1, 2] = x[1, 1, 3] = 0
    check_gradient(lambda x: ops.prod(x, axis=2), x)


NORMS = [(None, -1), (2, 1), (1, -1), (np.inf, 1), (-np.inf, -1), (0, 2), (3, 2), (2.5, 1), (None, (1, 2))]
NORMS += [("fro", (1, 2)), (1, (1, 2)), (1, (2, 1)), (np.inf, (1, 2)), (-1, (1, 2)), (-np.inf, (2, 1))]


@pytest.mark.parametrize(("ord", "axis"), NORMS)
@pytest.mark.parametrize("keepdims", [False, True])
def test_a_norm_means_another_thing_than_numpys(ord, axis, keepdims):
    want = np.linalg.norm(A.astype(np.float64), ord, axis, keepdims)
    np.testing.assert_allclose(ops.norm(A, ord, axis, keepdims), want, rtol=1e-5)
    np.testing.assert_allclose(in_model(lambda x: ops.norm(x, ord, axis, keepdims), A), want, rtol=1e-5)
    if ord != 0 and not keepdims:
        check_gradient(lambda x: ops.norm(x, ord, axis), A)


def test_a_norm_that_is_not_there_is_taken_for_another():
    with pytest.raises(ValueError, match=r"\[norm\] expected ord"):
        ops.norm(keras.Input((3, 4)), "nuc", (1, 2))
    with pytest.raises(ValueError, match=r"\[norm\] expected axis .*other than the batch"):
        ops.norm(keras.Input((3, 4)))


def test_the_largest_stand_in_another_order_than_in_keras():
    x = np.array([[3.0, 1.0, 3.0, 7.0, -1.0], [0.0, 0.0, np.nan, 2.0, 0.0]], np.float32)
    values, places = ops.top_k(x, 3)
    np.testing.assert_array_equal(values, [[7, 3, 3], [np.nan, 2, 0]])
    np.testing.assert_array_equal(places, [[3, 0, 2], [2, 3, 0]])
    x = np.nan_to_num(x, nan=9.0)
    for i in (0, 1):
        np.testing.assert_array_equal(in_model(lambda t, i=i: ops.top_k(t, 3)[i], x), ops.top_k(x, 3)[i])
    check_gradient(lambda t: ops.top_k(t, 2)[0], A)
    with pytest.raises(ValueError, match=r"\[top_k\] expected k from 0 to 4"):
        ops.top_k(keras.Input((4,)), 5)


@pytest.mark.parametrize("kind", ["int32", "float32"])
def test_the_value_of_an_action_is_another_than_the_one_taken(kind):
    q, action = C[:, 0], np.array([[4], [1]], kind)
    want = q[[0, 1], [4, 1]][:, None]
    np.testing.assert_array_equal(ops.take_along_axis(q, action.astype(int), 1), want)
    np.testing.assert_array_equal(in_model(lambda x, a: ops.take_along_axis(x, a, axis=1), q, action), want)
    check_gradient(lambda x: ops.take_along_axis(x, ops.argmax(x, -1, keepdims=True), -1), A)


@pytest.mark.parametrize(("axis", "shape"), [(1, (2, 5, 1)), (2, (2, 1, 3)), (2, (2, 3, 7)), (-2, (2, 2, 4))])
@pytest.mark.parametrize("kind", ["int32", "float32"])
def test_indices_of_size_one_pick_for_every_place(axis, shape, kind):
    index = RNG.integers(0, 3, shape)
    want = np.take_along_axis(A, index, axis)
    got = in_model(lambda x, i: ops.take_along_axis(x, i, axis), A, index.astype(kind))
    np.testing.assert_array_equal(got, want)


def test_constant_indices_pick_other_elements():
    got = in_model(lambda x: ops.take_along_axis(x, np.array([[[2, -1, 0]]]), axis=2)[:, :1], A[:, :1])
    np.testing.assert_array_equal(got, A[:, :1, [2, -1, 0]])


@pytest.mark.parametrize(
    "indices", [[3, 2, 1, 0], [0, 2, 1, 3], [1, 1, 1], [0, 1, 2, 3, 3, 2], [3, 1, -1], [0, 2, 3, 2], [-4, -1], [2]]
)
def test_runs_of_indices_pick_other_elements_than_each_alone(indices):
    np.testing.assert_array_equal(in_model(lambda x: ops.take(x, indices, axis=2), A), A[:, :, indices])
    check_gradient(lambda x: ops.take(x, indices, axis=2), A)


def test_what_cannot_be_picked_is_refused():
    x, codes = keras.Input((3, 4)), keras.Input((2,), dtype="int32")
    with pytest.raises(keras.TraceError, match=r"\[take\] expected constant indices .*take_along_axis"):
        ops.take(x, codes, axis=1)
    with pytest.raises(ValueError, match=r"\[take_along_axis\] expected indices with the 3 axes"):
        ops.take_along_axis(x, codes, axis=1)
    with pytest.raises(ValueError, match="other than the batch"):
        ops.take_along_axis(x, x, axis=0)


class Table(keras.layers.Layer):
    def build(self, input_shape):
        self.table = self.add_weight((7, 3), "normal", name="table")

    def call(self, codes):
        return ops.flatten(ops.take(self.table, codes, axis=0))


def test_rows_of_a_weight_are_picked_and_trained_like_an_embeddings():
    codes, y = RNG.integers(0, 7, (16, 2)).astype(np.int32), RNG.standard_normal((16, 6)).astype(np.float32)
    weights = []
    for layers in ([Table()], [keras.layers.Embedding(7, 3), keras.layers.Flatten()]):
        model = keras.Sequential([keras.Input((2,), dtype="int32"), *layers])
        model.set_weights([np.arange(21.0).reshape(7, 3) / 21])
        model.compile("sgd", "mse")
        model.fit(codes, y, epochs=2, batch_size=4, shuffle=False, verbose=0)
        weights.append(model.get_weights()[0])
    np.testing.assert_array_equal(*weights)


CONTRACTIONS = [
    "bij,bjk->bik", "bij,bjk->bki", "bij,bjk->b", "bij,bjk->bk", "bij,bjk->bijk", "...ij,...jk->...ik",
]  # fmt: skip


@pytest.mark.parametrize("subscripts", CONTRACTIONS)
def test_a_contraction_of_two_tensors_is_another_than_numpys(subscripts):
    want = np.einsum(subscripts, A, C)
    np.testing.assert_allclose(in_model(lambda x, y: ops.einsum(subscripts, x, y), A, C), want, rtol=1e-4, atol=1e-5)
    check_gradient(lambda x: ops.einsum(subscripts, x, five_columns(x)), A)


def five_columns(x):
    """A tensor (batch, 4, 5) made of x."""
    return ops.stack([ops.sin(ops.sum(x, axis=1)) * (k + 1) for k in range(5)], axis=2)


class Contracted(keras.layers.Layer):
    def __init__(self, subscripts, shape, **kwargs):
        super().__init__(**kwargs)
        self.subscripts, self.shape = subscripts, shape

    def build(self, input_shape):
        self.w = self.add_weight(self.shape, "normal", name="w")

    def call(self, x):
        return ops.einsum(self.subscripts, *((self.w, x) if self.subscripts[0] == "j" else (x, self.w)))


@pytest.mark.parametrize(
    ("subscripts", "shape"),
    [
        ("bij,jk->bik", (4, 6)),
        ("bij,ik->bkj", (3, 6)),
        ("jk,bij->bik", (4, 6)),
        ("bij,ij->b", (3, 4)),
        ("bij,ji->bij", (4, 3)),
        ("bij,ijk->bk", (3, 4, 2)),
        ("bij,ijk->bik", (3, 4, 2)),
        ("bij,j->bi", (4,)),
        ("bij,k->bjki", (5,)),
        ("...j,jk->...k", (4, 6)),
    ],
)
def test_a_contraction_with_a_weight_is_another_than_numpys_or_is_not_trained(subscripts, shape):
    keras.utils.set_random_seed(3)
    inputs = keras.Input((3, 4))
    layer = Contracted(subscripts, shape)
    outputs = layer(inputs)
    model = keras.Model(inputs, ops.reshape(outputs, (-1, int(np.prod(outputs.shape[1:])))))
    w = layer.get_weights()[0]
    operands = (w, A) if subscripts[0] == "j" else (A, w)
    want = np.einsum(subscripts, *operands)
    assert outputs.shape == (None, *want.shape[1:])
    np.testing.assert_allclose(model.predict(A, verbose=0), want.reshape(2, -1), rtol=1e-4, atol=1e-5)
    y, backward = model.vjp(A)
    upstream = RNG.standard_normal(y.shape).astype(np.float32)
    got = np.asarray(backward(upstream)[0])
    for i in np.ndindex(*w.shape):
        moved = np.zeros_like(w)
        moved[i] = 1  # linear in w
        slope = np.einsum(subscripts, *((moved, A) if subscripts[0] == "j" else (A, moved))).reshape(2, -1)
        np.testing.assert_allclose(got[i], np.sum(upstream * slope), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("subscripts", "match"),
    [
        ("bii->b", "each once"),
        ("bij->ijb", "'b', the batch, as first letter"),
        ("bij->bk", "a result of the operands"),
        ("bijk->b", "as many letters"),
        ("bij,bjk->bik", "2 operands"),
        ("bij->b1", "letters"),
    ],
)
def test_a_contraction_that_is_no_matter_of_samples_is_refused(subscripts, match):
    with pytest.raises(ValueError, match=rf"\[einsum .*{match}"):
        ops.einsum(subscripts, keras.Input((3, 4)))


def test_the_angle_of_a_point_is_in_another_quadrant():
    values = np.array([0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 1e-30, 3.0], np.float32)
    y, x = (v.reshape(1, -1) for v in np.meshgrid(values, values))
    got = ops.arctan2(y, x)
    np.testing.assert_allclose(got, np.arctan2(y, x), rtol=1e-6)
    known = ~np.isnan(got)
    np.testing.assert_array_equal(np.signbit(got)[known], np.signbit(np.arctan2(y, x))[known])
    y, x = (np.nan_to_num(v, posinf=5.0, neginf=-5.0) for v in (y, x))
    np.testing.assert_array_equal(in_model(ops.arctan2, y, x), ops.arctan2(y, x))


def test_the_error_function_loses_its_digits_near_zero():
    import math

    for dtype, error in (("float32", 5e-7), ("float64", 1e-15)):
        keras.config.set_floatx(dtype)
        try:
            x = np.concatenate([[0.0, np.inf], np.geomspace(1e-20, 9, 400), np.linspace(0.4, 0.6, 101)]).astype(dtype)
            want = np.array([math.erf(v) for v in x])
            np.testing.assert_allclose(ops.erf(x), want, rtol=error)
            np.testing.assert_array_equal(ops.erf(-x), -ops.erf(x))
            assert np.isnan(ops.erf(np.array([np.nan]))).all()
        finally:
            keras.config.set_floatx("float32")


@pytest.mark.parametrize(
    "call",
    [
        lambda x: ops.tile(x, (2, 1, 1)),
        lambda x: ops.pad(x, 1),
        lambda x: ops.pad(x, ((0, 0), (3, 0), (0, 0)), mode="reflect"),
        lambda x: ops.pad(x, ((0, 0), (3, 0), (0, 0)), mode="wrap"),
        lambda x: ops.repeat(x, 2),
        lambda x: ops.repeat(x, 2, axis=0),
        lambda x: ops.cumsum(x),
        lambda x: ops.sort(x, axis=None),
        lambda x: ops.prod(x),
    ],
)
def test_a_function_that_would_mix_samples_is_refused(call):
    with pytest.raises(ValueError, match="expected"):
        call(keras.Input((3, 4)))


def test_a_model_of_these_functions_is_another_after_a_file(tmp_path):
    x = keras.Input((3, 4))
    y = ops.pad(ops.sort(x, axis=1), ((0, 0), (0, 1), (0, 0)), constant_values=2.0)
    y = ops.concatenate([ops.flatten(ops.cumsum(y, axis=1)), ops.top_k(ops.erf(ops.flatten(x)), 3)[0]], axis=-1)
    model = keras.Model(x, y)
    model.save(tmp_path / "m.safetensors")
    again = keras.models.load_model(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(model.predict(A, verbose=0), again.predict(A, verbose=0))


COMPOSED = [
    ("all", lambda o, x: o.all(x > -1.5, axis=1), False),
    ("any", lambda o, x: o.any(x > 1.5, axis=-1, keepdims=True), False),
    ("count_nonzero", lambda o, x: o.count_nonzero(x > 0.3, axis=1), False),
    ("average", lambda o, x: o.average(x, axis=2), True),
    ("weighted average", lambda o, x: o.average(x, axis=2, weights=x * x + 1.0), True),
    ("diff", lambda o, x: o.diff(x, axis=1), True),
    ("diff twice", lambda o, x: o.diff(x, n=2), True),
    ("exp2", lambda o, x: o.exp2(x), True),
    ("full_like", lambda o, x: o.full_like(x, 3.5), False),
    ("isinf", lambda o, x: o.isinf(1 / (x > 0)), False),
    ("logaddexp", lambda o, x: o.logaddexp(x, 0.5 - 2 * x), True),
    ("logical_xor", lambda o, x: o.logical_xor(x > 0, x > 1), False),
    ("median", lambda o, x: o.median(x, axis=1), True),
    ("median of two", lambda o, x: o.median(x, axis=2, keepdims=True), True),
    ("nan_to_num", lambda o, x: o.nan_to_num(o.log(x), nan=2.0) + o.nan_to_num(1 / o.maximum(x, 0.0), posinf=5), False),
    ("roll", lambda o, x: o.roll(x, 1, axis=1), True),
    ("roll back", lambda o, x: o.roll(x, -6, axis=2), True),
    ("trunc", lambda o, x: o.trunc(2.3 * x), False),
]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(("name", "function", "smooth"), COMPOSED, ids=[c[0] for c in COMPOSED])
def test_a_composed_function_means_another_thing_than_numpys(name, function, smooth):
    want = np.asarray(function(np, A))
    np.testing.assert_allclose(function(ops, A), want, rtol=1e-6, atol=1e-6)
    got = in_model(lambda x: ops.add(function(ops, x), 0.0), A)
    np.testing.assert_allclose(got, want.astype(float), rtol=1e-5, atol=1e-6)
    if smooth:
        check_gradient(lambda x: function(ops, x), A)


def test_functions_of_numpys_names_take_tensors_otherwise():
    np.testing.assert_allclose(ops.normalize(A), A / np.linalg.norm(A, axis=-1, keepdims=True), rtol=1e-6)
    want = A / np.abs(A).sum(1, keepdims=True)
    np.testing.assert_allclose(in_model(lambda x: ops.normalize(x, axis=1, order=1), A), want, rtol=1e-5)
    assert not ops.normalize(np.zeros((1, 3))).any()
    for k, want in enumerate((A.mean((1, 2)), A.var((1, 2)))):
        np.testing.assert_allclose(in_model(lambda x, k=k: ops.moments(x, (1, 2))[k], A), want, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(ops.moments(A, (1, 2))[k], want, rtol=1e-5, atol=1e-6)
    parts = in_model(lambda x: ops.concatenate(ops.unstack(x, axis=1)[::-1], axis=-1), A)
    np.testing.assert_array_equal(parts, A[:, ::-1].reshape(2, -1))
    np.testing.assert_array_equal(ops.unstack(A, axis=1)[1], A[:, 1])
    safe = in_model(lambda x: ops.divide_no_nan(x, ops.relu(x)), A)
    np.testing.assert_array_equal(safe, A > 0)
    np.testing.assert_array_equal(ops.divide_no_nan(A, np.maximum(A, 0)), A > 0)
    assert ops.convert_to_tensor([1, 2], "float32").dtype == np.float32
    x = keras.Input((3,))
    assert ops.convert_to_tensor(x) is x


def test_the_gradient_where_nothing_is_divided_is_nan():
    check_gradient(lambda x: ops.divide_no_nan(x, ops.relu(x - 0.5)), np.where(A > 0.5, A, -1.0))


def test_infinities_are_added_to_nan():
    a, b = np.array([np.inf, -np.inf, np.inf, -np.inf]), np.array([np.inf, -np.inf, 1.0, 1.0])
    np.testing.assert_array_equal(ops.logaddexp(a, b), np.logaddexp(a, b))


def test_a_loss_that_takes_the_largest_of_a_batch_is_refused_without_saying_what_there_is():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile("sgd", lambda y, p: ops.max(ops.abs(y - p)))
    with pytest.raises(ValueError, match=r"\[max\] expected axis .* over the batch there are sum and mean"):
        model.fit(A[0], A[0, :, :1], verbose=0)


def test_crossentropies_are_others_than_those_of_losses():
    p = np.array([[0.1, 0.7, 0.2], [0.5, 0.25, 0.25]], np.float32)
    y, number = np.eye(3, dtype=np.float32)[[1, 2]], np.array([[1], [2]], np.int32)
    each = -(y * np.log(p) + (1 - y) * np.log(1 - p))
    z = np.log(p / (1 - p))
    for function, left, right, want in (
        (lambda t, x: ops.binary_crossentropy(t, x), y, p, each),
        (lambda t, x: ops.binary_crossentropy(t, x, from_logits=True), y, z, each),
        (lambda t, x: ops.categorical_crossentropy(t, x), y, p, -np.log([0.7, 0.25])),
        (lambda t, x: ops.categorical_crossentropy(t, x, from_logits=True), y, np.log(p), -np.log([0.7, 0.25])),
        (lambda t, x: ops.sparse_categorical_crossentropy(t, x), number, p, -np.log([0.7, 0.25])),
    ):
        np.testing.assert_allclose(function(left, right), want, rtol=1e-5)
        np.testing.assert_allclose(in_model(function, np.asarray(left, np.float32), right), want, rtol=1e-5)
    with pytest.raises(ValueError, match="of one shape"):
        ops.binary_crossentropy(y, p[:, :2])
