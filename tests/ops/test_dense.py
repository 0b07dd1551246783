"""Product, bias and activation in one pass, and its gradients."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import harness
import reference
from activation_functions import FUSED
from harness import DTYPES, SIZES, Case
from hotloop import _core

ALPHA = {"leaky_relu": 0.2, "elu": 0.7, "celu": 0.7, "squareplus": 4.0, "soft_shrink": 0.5, "hard_shrink": 0.5}


def dense(rng, M, K, N, activation="identity", bias=True, middle=()):
    variables = [rng.standard_normal((K, N)) / np.sqrt(K), rng.standard_normal(N)][: 1 + bias]
    attrs = {"activation": activation} | ({"alpha": ALPHA[activation]} if activation in ALPHA else {})
    return Case(
        "dense",
        [rng.standard_normal((M, *middle, K))],
        attrs,
        variables,
        kind="product_activation",
        terms=K,
        scale=lambda x, w, b=0.0: np.abs(x) @ np.abs(w) + np.abs(b) + 1,
    )


@pytest.mark.parametrize("activation", FUSED)
@pytest.mark.parametrize("bias", [True, False])
def test_a_fused_activation_and_its_gradient_are_right(activation, bias, dtype, rng):
    harness.check_op(dense(rng, 6, 9, 5, activation, bias), dtype, rng)
    harness.check_op(dense(rng, 33, 40, 37, activation, bias), dtype, rng, differences=False)


@pytest.mark.parametrize("N", SIZES)
def test_a_layer_is_right_for_any_number_of_units(N, dtype, rng):
    harness.check_op(dense(rng, 7, 5, N, "tanh"), dtype, rng, differences=False)


@pytest.mark.parametrize("K", SIZES)
def test_a_layer_is_right_for_any_number_of_features(K, dtype, rng):
    harness.check_op(dense(rng, 5, K, 6, "sigmoid"), dtype, rng, differences=False)


@pytest.mark.parametrize("M", SIZES)
def test_a_layer_is_right_for_any_batch_size(M, dtype, rng):
    harness.check_op(dense(rng, M, 11, 18, "relu"), dtype, rng, differences=False)


@pytest.mark.parametrize(("M", "K", "N"), [(32, 784, 300), (1, 1000, 1), (257, 3, 2), (500, 100, 10)])
def test_a_layer_of_practical_size_is_right(M, K, N, dtype, rng):
    harness.check_op(dense(rng, M, K, N, "elu"), dtype, rng, differences=False)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    M=st.integers(1, 70),
    K=st.integers(1, 70),
    N=st.integers(1, 70),
    bias=st.booleans(),
    activation=st.sampled_from(FUSED),
    dtype=st.sampled_from(DTYPES),
)
def test_a_layer_is_right_for_shapes_nobody_listed(M, K, N, bias, activation, dtype):
    rng = np.random.default_rng(M * 10_000 + K * 100 + N)
    harness.check_op(dense(rng, M, K, N, activation, bias), dtype, rng, differences=False)


@pytest.mark.parametrize(("steps", "K", "N"), [(1, 5, 3), (4, 5, 9), (3, 16, 32), (2, 17, 1)])
def test_a_layer_of_rank_three_keeps_rows_apart(steps, K, N, dtype, rng):
    harness.check_op(dense(rng, 5, K, N, "tanh", middle=(steps,)), dtype, rng)


@pytest.mark.parametrize(
    ("M", "K", "N"),
    [(1601, 19, 1030), (650, 70, 645), (70, 700, 650), (2049, 66, 67), (16, 130, 33), (17, 63, 31), (15, 65, 49)],
)
def test_a_layer_is_right_in_every_tile_and_cut_of_a_device(M, K, N, dtype, rng):
    """Shapes on both sides of where ops/gemm_cuda.h chooses another tile, for forward and for both gradients."""
    harness.check_op(dense(rng, M, K, N, "elu"), dtype, rng, differences=False)


@pytest.mark.parametrize(("M", "K", "N"), [(1600, 65, 1025), (650, 64, 645)])
def test_a_row_has_the_same_bits_in_every_tile_of_a_device(M, K, N, dtype, rng):
    x, w = rng.standard_normal((M, K)).astype(dtype), rng.standard_normal((K, N)).astype(dtype)
    whole = Case("dense", [x], {}, [w]).run(dtype=dtype).output
    for rows in (slice(0, 1), slice(5, 60), slice(7, 500)):
        assert harness.same_bits(whole[rows], Case("dense", [x[rows]], {}, [w]).run(dtype=dtype).output)


def transposed(rng, op, M, K, N, middle=()):
    variables = [rng.standard_normal((N, K)) / np.sqrt(K), rng.standard_normal(N)][: 1 + (op == "dense")]
    return Case(
        op,
        [rng.standard_normal((M, *middle, K))],
        {"transposed": True} | ({"activation": "tanh"} if op == "dense" else {}),
        variables,
        kind="product_activation",
        terms=K,
        scale=lambda x, w, b=0.0: np.abs(x) @ np.abs(w).T + np.abs(b) + 1,
    )


@pytest.mark.parametrize("op", ["dense", "matmul"])
@pytest.mark.parametrize("M", [1, 3, 4, 33])
@pytest.mark.parametrize(("K", "N"), [(1, 1), (5, 17), (16, 32), (33, 7), (100, 64), (64, 100)])
def test_the_way_back_through_tied_weights_is_right(op, M, K, N, dtype, rng):
    harness.check_op(transposed(rng, op, M, K, N), dtype, rng, differences=M * K * N < 500)


@pytest.mark.parametrize(("steps", "K", "N"), [(1, 5, 3), (4, 5, 9), (3, 16, 32)])
def test_tied_weights_of_rank_three_keep_rows_apart(steps, K, N, dtype, rng):
    harness.check_op(transposed(rng, "dense", 5, K, N, middle=(steps,)), dtype, rng)


def test_tied_weights_have_the_same_bits_for_any_team_and_batch(dtype, rng):
    harness.check_team(transposed(rng, "dense", 129, 230, 190), dtype, rng)
    harness.check_any_batch(transposed(rng, "dense", 23, 70, 300), dtype)


def test_freezing_one_variable_of_tied_weights_leaves_the_other_gradients_alone(dtype, rng):
    case = transposed(rng, "dense", 6, 5, 4).typed(dtype)
    upstream = rng.standard_normal((6, 4)).astype(dtype)

    def gradients(trainable):
        run = harness.run_op(
            "dense", case.inputs, case.attrs, case.variables, dtype=dtype, training=True, upstream=upstream,
            trainable=trainable,
        )  # fmt: skip
        return [run.input_gradients[0], *run.variable_gradients]

    full = gradients((True, True))
    for trainable in ((False, True), (True, False), (False, False)):
        for kept, got, want in zip((True, *trainable), gradients(trainable), full, strict=True):
            assert (got is None) if not kept else harness.same_bits(got, want)


def test_features_that_do_not_fit_tied_weights_are_refused(rng):
    with pytest.raises(ValueError, match="expected x with 5 features"):
        Case("matmul", [np.ones((2, 4))], {"transposed": True}, [np.ones((4, 5))]).run()


@pytest.mark.parametrize("activation", ["identity", "relu", "softplus"])
def test_a_layer_has_the_same_bits_for_any_team(activation, dtype, rng):
    harness.check_team(dense(rng, 129, 230, 190, activation), dtype, rng)


@pytest.mark.parametrize(("K", "N"), [(3, 1), (17, 33), (784, 10), (70, 300)])
def test_a_row_has_the_same_bits_in_any_batch(K, N, dtype, rng):
    harness.check_any_batch(dense(rng, 23, K, N, "sigmoid"), dtype)


def test_freezing_a_variable_leaves_the_other_gradients_alone(dtype, rng):
    case = dense(rng, 6, 5, 4, "tanh").typed(dtype)
    upstream = rng.standard_normal((6, 4)).astype(dtype)
    full = case.run(dtype=dtype, training=True, upstream=upstream)
    for trainable in ((False, True), (True, False), (False, False)):
        run = harness.run_op(
            "dense",
            case.inputs,
            case.attrs,
            case.variables,
            dtype=dtype,
            training=True,
            upstream=upstream,
            trainable=trainable,
        )
        assert harness.same_bits(run.input_gradients[0], full.input_gradients[0])
        for kept, got, want in zip(trainable, run.variable_gradients, full.variable_gradients, strict=True):
            assert (got is None) if not kept else harness.same_bits(got, want)


def chain(dtype, x, variables, upstream, activations):
    """A stack of dense nodes: the activation's gradient is fused into the product of the layer above."""
    graph = _core.Graph(dtype)
    value = graph.input(x.shape[1:], dtype, "x")
    for i, activation in enumerate(activations):
        w, b = (graph.variable(2 * i + j, variables[2 * i + j].shape, True, "v") for j in (0, 1))
        value = graph.add("dense", [value, w, b], {}, f"layer{i}")
        value = graph.add(
            "activation", [value], {"kind": activation} | ({"alpha": 0.3} if activation in ALPHA else {}), f"act{i}"
        )
    graph.output(value)
    target = graph.input(upstream.shape[1:], dtype, "upstream")
    graph.add("loss", [value, target], {"kind": "linear", "reduction": "sum"}, "seed")
    trainer = _core.Trainer([("v", v.shape) for v in variables], dtype)
    for i, v in enumerate(variables):
        trainer.set(i, v)
    plan = trainer.plan(graph, len(x), training=True, input_gradients=True)
    out = np.empty_like(upstream)
    trainer.run(plan, _core.Dataset([x, upstream]), 0, 1, len(x), len(x), outputs=[out], slice_seconds=60)
    return out, [plan.input_gradient(0), *[trainer.gradient(i) for i in range(len(variables))]], plan


@pytest.mark.parametrize("first", FUSED)
def test_gradients_through_two_fused_layers_are_right(first, dtype, rng):
    sizes, activations = [9, 21, 13], [first, "softplus"]
    x, upstream = rng.standard_normal((11, 9)).astype(dtype), rng.standard_normal((11, 13)).astype(dtype)
    variables = []
    for K, N in itertools.pairwise(sizes):
        variables += [(rng.standard_normal((K, N)) / 3).astype(dtype), rng.standard_normal(N).astype(dtype)]
    out, got, plan = chain(dtype, x, variables, upstream, activations)

    xs, v = x.astype(float), [a.astype(float) for a in variables]
    hidden = reference.dense(xs, v[0], v[1], first, 0.3)
    want = reference.dense(hidden, v[2], v[3], "softplus")
    upper = reference.dense_gradient(upstream.astype(float), hidden, v[2], v[3], "softplus")
    lower = reference.dense_gradient(upper[0], xs, v[0], v[1], first, 0.3)
    row = _core.row(dtype)
    harness.assert_close(out, want, "product_activation", row, dtype, 21)
    for g, w in zip(got, [*lower, *upper[1:]], strict=True):
        harness.assert_close(g, w, "product_activation", row, dtype, 40)
    if first != "identity":
        assert not [s for s in plan.describe() if s["op"] == "activation" and s["kernel"] == "activation_forward"]


NARROW_AND_LONG = [(784, 16), (300, 10), (130, 64), (64, 257), (1000, 10), (2000, 3), (900, 40), (5, 1), (257, 33)]


@pytest.mark.parametrize(("K", "N"), NARROW_AND_LONG)
def test_a_row_has_the_same_bits_in_a_batch_of_any_size(K, N, dtype, rng):
    x, upstream = rng.standard_normal((40, K)).astype(dtype), rng.standard_normal((40, N)).astype(dtype)
    variables = [(rng.standard_normal((K, N)) / 8).astype(dtype), rng.standard_normal(N).astype(dtype)]
    out, gradients, _ = chain(dtype, x, variables, upstream, ["tanh"])
    for rows in (1, 2, 3, 4, 5, 17):
        some, some_gradients, _ = chain(dtype, x[:rows], variables, upstream[:rows], ["tanh"])
        assert harness.same_bits(some, out[:rows])
        assert harness.same_bits(some_gradients[0], gradients[0][:rows])


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (33, 17), (64, 64), (20, 131)], ids=str)
@pytest.mark.parametrize("rows", [1, 2, 9])
def test_dropped_weights_count_in_no_product_and_get_no_gradient(shape, rows, dtype, rng):
    attrs = {"activation": "tanh", "drop_rate": 0.4, "stream": 3}
    x, w, b = rng.standard_normal((rows, shape[0])), rng.standard_normal(shape), rng.standard_normal(shape[1])
    case = Case("dense", [x], attrs, [w, b], kind="product_activation", terms=shape[0] + rows).typed(dtype)
    upstream = rng.standard_normal((rows, shape[1])).astype(dtype)
    got = case.run(dtype=dtype, training=True, upstream=upstream, seed=5, step=7)
    exact = case.exact()
    mask = reference.dropout_mask(shape, 0.4, seed=5, stream=3, step=7)
    assert mask.any() or shape == (1, 1)
    want = reference.dense(*exact, **attrs, seed=5, step=7)
    gradients = reference.dense_gradient(upstream.astype(float), *exact, **attrs, seed=5, step=7)
    row, scale = _core.row(dtype), 10 * np.sqrt(shape[0])
    harness.assert_close(got.output, want, case.kind, row, dtype, case.terms, scale)
    for g, wanted in zip([*got.input_gradients, *got.variable_gradients], gradients, strict=True):
        harness.assert_close(g, wanted, case.kind, row, dtype, case.terms, scale)
    np.testing.assert_array_equal(got.variable_gradients[0][~mask], 0)


def test_dropped_weights_are_the_same_for_any_team_and_batch(dtype, rng):
    attrs = {"drop_rate": 0.4, "stream": 3}
    case = Case("dense", [rng.standard_normal((150, 300))], attrs, [rng.standard_normal((300, 200))])
    harness.check_team(case, dtype, rng, seed=4)
    harness.check_any_batch(
        Case("dense", [rng.standard_normal((13, 20))], attrs, [rng.standard_normal((20, 33))]), dtype
    )


def test_a_drop_rate_outside_0_to_1_is_refused():
    with pytest.raises(ValueError, match="expected a drop_rate from 0 to 1"):
        Case("dense", [np.ones((1, 2))], {"drop_rate": 1.5, "stream": 0}, [np.ones((2, 2))]).run()
