"""Products by the blocks of weights that are not zero, and their gradients."""

from __future__ import annotations

import numpy as np
import pytest

import harness
from activation_functions import FUSED
from harness import SIZES, Case, run_op
from hotloop.layers.sparse_dense import blocks_of

ALPHA = {"leaky_relu": 0.2, "elu": 0.7, "celu": 0.7, "squareplus": 4.0, "soft_shrink": 0.5, "hard_shrink": 0.5}


def sparse(rng, M, K, N, activation="identity", bias=True, middle=(), kept=0.3, empty=()):
    """A case whose blocks are kept with this probability, but for those of the `empty` panels."""
    panels = -(-N // 16)
    mask = rng.random((panels, K)) < kept
    mask[list(empty)] = False
    blocks = int(mask.sum())
    values = rng.standard_normal((blocks, 16))
    panel, rows = np.nonzero(mask)
    values[panel == panels - 1, N - 16 * (panels - 1) :] = 0
    attrs = {
        "units": N, "indices": rows.tolist(), "offsets": [0, *np.cumsum(mask.sum(axis=1)).tolist()],
        "activation": activation,
    } | ({"alpha": ALPHA[activation]} if activation in ALPHA else {})  # fmt: skip
    weights = mask.repeat(16, axis=0)[:N].T * 5.0
    return Case(
        "sparse_dense",
        [rng.standard_normal((M, *middle, K)) / max(1, K * kept) ** 0.5],
        attrs,
        [values.reshape(-1), rng.standard_normal(N)][: 1 + bias],
        kind="product_activation",
        terms=K,
        scale=lambda x, v, b=0.0: np.abs(x) @ weights + np.abs(b) + 1,
    )


@pytest.mark.parametrize("activation", FUSED)
@pytest.mark.parametrize("bias", [True, False])
def test_a_fused_activation_and_its_gradient_are_right(activation, bias, dtype, rng):
    harness.check_op(sparse(rng, 6, 9, 5, activation, bias), dtype, rng)
    harness.check_op(sparse(rng, 33, 40, 37, activation, bias), dtype, rng, differences=False)


@pytest.mark.parametrize("N", [*SIZES, 100, 300])
def test_a_layer_is_right_for_any_number_of_units(N, dtype, rng):
    harness.check_op(sparse(rng, 7, 5, N, "tanh"), dtype, rng, differences=False)
    harness.check_op(sparse(rng, 9, 30, N, bias=False), dtype, rng, differences=False)


@pytest.mark.parametrize("K", SIZES)
def test_a_layer_is_right_for_any_number_of_features(K, dtype, rng):
    harness.check_op(sparse(rng, 5, K, 20, "sigmoid", kept=0.5), dtype, rng, differences=False)


@pytest.mark.parametrize("M", SIZES)
def test_a_layer_is_right_for_any_batch_size(M, dtype, rng):
    harness.check_op(sparse(rng, M, 23, 34, "relu"), dtype, rng, differences=False)


@pytest.mark.parametrize("kept", [0.0, 0.02, 0.1, 1.0])
def test_any_share_of_blocks_is_right_also_none_and_all(kept, dtype, rng):
    for M in (1, 4, 17):
        harness.check_op(sparse(rng, M, 37, 70, "elu", kept=kept), dtype, rng, differences=False)


@pytest.mark.parametrize("empty", [(0,), (1, 2), (4,), (0, 1, 2, 3, 4)])
def test_units_without_any_weight_are_their_bias(empty, dtype, rng):
    case = sparse(rng, 9, 37, 70, kept=0.4, empty=empty)
    harness.check_op(case, dtype, rng, differences=False)
    y = case.typed(dtype).run(dtype=dtype).output
    for panel in empty:
        columns = slice(16 * panel, min(70, 16 * panel + 16))
        np.testing.assert_array_equal(y[:, columns], np.tile(case.typed(dtype).variables[1][columns], (9, 1)))


@pytest.mark.parametrize(("M", "K", "N"), [(32, 784, 300), (1, 784, 300), (256, 300, 100)])
def test_a_layer_of_practical_size_is_right(M, K, N, dtype, rng):
    harness.check_op(sparse(rng, M, K, N, "relu", kept=0.1), dtype, rng, differences=False)


@pytest.mark.parametrize(("steps", "N"), [(1, 3), (4, 16), (3, 33)])
def test_a_layer_of_rank_three_keeps_rows_apart(steps, N, dtype, rng):
    harness.check_op(sparse(rng, 5, 12, N, "tanh", middle=(steps,)), dtype, rng)


@pytest.mark.parametrize("N", [10, 70, 300])
def test_a_row_has_the_same_bits_in_any_batch(N, dtype, rng):
    harness.check_any_batch(sparse(rng, 23, 131, N, "elu"), dtype)


def test_a_layer_has_the_same_bits_for_any_team(dtype, rng):
    harness.check_team(sparse(rng, 515, 330, 190, "tanh", kept=0.5), dtype, rng)
    harness.check_team(sparse(rng, 1, 3000, 1500, kept=0.5), dtype, rng)


@pytest.mark.parametrize("trainable", [(True, False), (False, True), (False, False)])
def test_freezing_one_variable_leaves_the_other_gradients_alone(trainable, dtype, rng):
    case = sparse(rng, 6, 9, 20).typed(dtype)
    upstream = rng.standard_normal((6, 20)).astype(dtype)
    whole = case.run(dtype=dtype, training=True, upstream=upstream)
    part = run_op(
        case.op, case.inputs, case.attrs, case.variables, dtype=dtype, training=True, upstream=upstream,
        trainable=trainable,
    )  # fmt: skip
    assert harness.same_bits(part.input_gradients[0], whole.input_gradients[0])
    for wanted, got, want in zip(trainable, part.variable_gradients, whole.variable_gradients, strict=True):
        assert got is None if not wanted else harness.same_bits(got, want)


def test_what_lies_beyond_the_last_column_does_not_leak_in(dtype, rng):
    """Rows of the arena have pads, which may hold anything."""
    case = sparse(rng, 3, 9, 17, kept=1.0).typed(dtype)
    runner = harness.OpRunner(case.op, case.inputs, case.attrs, case.variables, dtype=dtype, training=True)
    bad = [np.full_like(case.inputs[0], np.nan)]
    runner.run(bad)
    run = runner.run(case.inputs)
    assert all(np.isfinite(a).all() for a in harness.results(run))


def test_blocks_where_none_can_be_are_refused(rng):
    x, good = rng.random((2, 4)), {"units": 20, "indices": [0, 3, 1], "offsets": [0, 2, 3]}
    run_op("sparse_dense", [x], good, [np.ones(48)])
    for wrong, message in (
        ({"indices": [0, 4, 1]}, "below 4"),
        ({"indices": [0, -1, 1]}, "ascending indices"),
        ({"indices": [3, 0, 1]}, "ascending indices"),
        ({"indices": [2, 2, 1]}, "ascending indices"),
        ({"indices": [0, 3]}, "an index for each of 3 blocks"),
        ({"offsets": [0, 3]}, "3 offsets"),
        ({"offsets": [1, 2, 3]}, "3 offsets"),
        ({"offsets": [0, 2, 4]}, "3 offsets"),
        ({"units": 40, "offsets": [0, 3, 2, 3]}, "ascending offsets"),
        ({"units": 0}, "units of at least 1"),
    ):
        with pytest.raises(ValueError, match=message):
            run_op("sparse_dense", [x], {**good, **wrong}, [np.ones(48)])
    with pytest.raises(ValueError, match="values of shape"):
        run_op("sparse_dense", [x], good, [np.ones(47)])
    with pytest.raises(ValueError, match="a bias of shape"):
        run_op("sparse_dense", [x], good, [np.ones(48), np.ones(3)])


@pytest.mark.parametrize("N", [1, 16, 37])
def test_the_blocks_of_a_kernel_are_its_weights(N, dtype, rng):
    kernel = np.where(rng.random((50, N)) < 0.03, rng.standard_normal((50, N)), 0).astype(dtype)
    x = rng.standard_normal((6, 50)).astype(dtype)
    indices, offsets, values = blocks_of(kernel)
    attrs = {"units": N, "indices": indices.tolist(), "offsets": offsets.tolist()}
    got = run_op("sparse_dense", [x], attrs, [values.reshape(-1)], dtype=dtype).output
    np.testing.assert_allclose(got, x @ kernel, rtol=1e-5, atol=1e-5)
