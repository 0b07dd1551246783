"""Element-wise ops: every kind, broadcasting between tensors, weights and numbers, and their gradients."""

from __future__ import annotations

import numpy as np
import pytest

import harness
import reference_elementwise as oracle
from harness import SIZES, Case

POSITIVE = {"sqrt", "rsqrt", "log", "log1p", "reciprocal"}
INSIDE = {"arcsin", "arccos", "arctanh", "tan"}
UNARY = [kind for kind, parts in oracle.KINDS.items() if len(parts) == 2]
BINARY = [kind for kind, parts in oracle.KINDS.items() if len(parts) == 3]
FLAT = [kind for kind, parts in oracle.KINDS.items() if all(p is oracle._zero for p in parts[1:])]
SMOOTH = [kind for kind in BINARY if kind not in FLAT]


def values(rng, kind, shape):
    """Where the kind is smooth and well conditioned."""
    if kind == "arccosh":
        return rng.uniform(1.5, 9.0, shape)
    if kind in INSIDE:
        return rng.uniform(-0.8, 0.8, shape)
    if kind in POSITIVE or kind == "power":
        return rng.uniform(0.3, 2.0, shape)
    return rng.choice([-1, 1], shape) * rng.uniform(0.3, 2.0, shape)


def check(case, dtype, rng, differences=False):
    if case.attrs["kind"] in FLAT:
        return harness.check_forward(case, dtype)
    return harness.check_op(case, dtype, rng, differences)


@pytest.mark.parametrize("kind", UNARY)
@pytest.mark.parametrize("columns", SIZES)
def test_a_function_of_one_tensor_and_its_slope_are_right(kind, columns, dtype, rng):
    case = Case("elementwise", [values(rng, kind, (3, columns))], {"kind": kind}, kind="activation")
    check(case, dtype, rng, columns <= 5)


@pytest.mark.parametrize("kind", BINARY)
@pytest.mark.parametrize("columns", [1, 3, 16, 37])
def test_a_function_of_two_tensors_and_its_slopes_are_right(kind, columns, dtype, rng):
    a, b = (values(rng, kind, (5, columns)) for _ in "ab")
    check(Case("elementwise", [a, b], {"kind": kind}, kind="activation"), dtype, rng, columns == 3)
    for attrs, x in (({"b": 1.7}, a), ({"a": 1.7}, b)):
        one = Case("elementwise", [x], {"kind": kind, **attrs}, kind="activation")
        if kind == "second" and "b" in attrs:
            harness.check_forward(one, dtype)
        else:
            check(one, dtype, rng, columns == 3)


SHAPES = [
    ((4, 3, 5), (4, 1, 5)),
    ((4, 3, 5), (4, 3, 1)),
    ((4, 1, 5), (4, 3, 1)),
    ((4, 3, 1, 5), (4, 1, 2, 1)),
    ((4, 2, 1, 3, 1), (4, 1, 4, 3, 5)),
    ((4, 1), (4, 37)),
    ((4,), (4,)),
]


@pytest.mark.parametrize("kind", ["multiply", "subtract", "divide", "maximum", "add"])
@pytest.mark.parametrize(("left", "right"), SHAPES)
def test_axes_of_size_one_are_broadcast(kind, left, right, dtype, rng):
    inputs = [values(rng, kind, left), values(rng, kind, right)]
    check(
        Case("elementwise", inputs, {"kind": kind}, kind="activation", gradient_kind="sum", terms=60), dtype, rng, True
    )


WEIGHTS = [(), (1,), (5,), (1, 5), (3, 5), (3, 1), (1, 3, 5), (1, 1, 1)]


@pytest.mark.parametrize("kind", ["multiply", "subtract", "divide", "power"])
@pytest.mark.parametrize("shape", WEIGHTS)
@pytest.mark.parametrize("rows", [1, 4, 131])
def test_a_weight_is_broadcast_and_gets_its_gradient(kind, shape, rows, dtype, rng):
    x, w = values(rng, kind, (rows, 3, 5)), values(rng, kind, shape)
    case = Case("elementwise", [x], {"kind": kind}, [w], kind="activation", gradient_kind="sum", terms=15 * rows)
    check(case, dtype, rng, rows == 4)


def test_where_chooses_and_sends_the_gradient_to_the_chosen(dtype, rng):
    condition = rng.integers(0, 2, (4, 9)).astype(float)
    case = Case("elementwise", [condition, *rng.standard_normal((2, 4, 9))], {"kind": "where"}, wrt=[1, 2])
    harness.check_forward(case, dtype)
    harness.check_backward(case, dtype, rng)
    number = Case("elementwise", [condition, rng.standard_normal((4, 9))], {"kind": "where", "c": 2.5}, wrt=[1])
    harness.check_backward(number, dtype, rng)


def test_a_nan_that_where_does_not_take_has_no_gradient(dtype):
    condition, bad = np.array([[1.0, 0.0]]), np.array([[1.0, np.nan]])
    run = (
        Case("elementwise", [condition, bad], {"kind": "where", "c": 0.0}, wrt=[1])
        .typed(dtype)
        .run(dtype=dtype, training=True, upstream=np.array([[1.0, np.inf]]))
    )
    np.testing.assert_array_equal(run.output, [[1.0, 0.0]])
    np.testing.assert_array_equal(run.input_gradients[1], [[1.0, 0.0]])


@pytest.mark.parametrize("kind", ["maximum", "minimum"])
def test_equal_operands_share_the_gradient(kind, dtype):
    x = np.array([[1.0, 2.0, -3.0]], dtype)
    run = Case("elementwise", [x, x.copy()], {"kind": kind}).run(dtype=dtype, training=True)
    for gradient in run.input_gradients:
        np.testing.assert_array_equal(gradient, [[0.5, 0.5, 0.5]])


@pytest.mark.parametrize("kind", FLAT)
def test_a_step_passes_no_gradient(kind, dtype, rng):
    inputs = [rng.standard_normal((3, 7)) for _ in oracle.KINDS[kind][1:]]
    run = Case("elementwise", inputs, {"kind": kind}).typed(dtype).run(dtype=dtype, training=True)
    assert all(g is None or not g.any() for g in run.input_gradients)


@pytest.mark.parametrize("kind", ["sin", "cos", "tan", "arctan", "sinh", "cosh", "arcsinh", "exp", "floor", "round"])
def test_a_function_is_right_far_from_zero(kind, dtype, rng):
    large = 30.0 if kind in ("sinh", "cosh", "exp") else 1e6 if dtype == "float64" else 3e4
    x = np.concatenate([rng.uniform(-large, large, 500), rng.uniform(-9, 9, 500), [0.0, -0.0, 1e-20]]).reshape(1, -1)
    case = Case("elementwise", [x], {"kind": kind}, kind="activation").typed(dtype)
    got, want = case.run(dtype=dtype).output, oracle.elementwise(*case.exact(), kind=kind)
    scale = np.abs(want) + (1 if kind in ("sin", "cos") else 1 + want**2 if kind == "tan" else 1e-30)
    np.testing.assert_array_less(np.abs(got - want), 16 * np.finfo(dtype).eps * scale + 1e-37)


@pytest.mark.parametrize("kind", UNARY)
def test_nan_stays_nan(kind, dtype):
    got = Case("elementwise", [np.array([[np.nan]])], {"kind": kind}).typed(dtype).run(dtype=dtype).output
    assert np.isnan(got) if kind not in ("isnan", "isfinite", "logical_not") else got in (0, 1)


@pytest.mark.parametrize(
    ("kind", "x", "y"),
    [
        ("sqrt", [-1, 0, np.inf], [np.nan, 0, np.inf]),
        ("log", [-1, 0, np.inf], [np.nan, -np.inf, np.inf]),
        ("arcsin", [-1, 1, 2], [-np.pi / 2, np.pi / 2, np.nan]),
        ("arccos", [-1, 1, 2], [np.pi, 0, np.nan]),
        ("arctan", [-np.inf, np.inf], [-np.pi / 2, np.pi / 2]),
        ("arctanh", [-1, 1, 2], [-np.inf, np.inf, np.nan]),
        ("arccosh", [1, 0.5, -3, -1e4, np.inf], [0, np.nan, np.nan, np.nan, np.inf]),
        ("arcsinh", [-np.inf, np.inf], [-np.inf, np.inf]),
        ("sinh", [-np.inf, np.inf], [-np.inf, np.inf]),
        ("cosh", [-np.inf, np.inf], [np.inf, np.inf]),
        ("sin", [np.inf], [np.nan]),
        ("ceil", [-0.5, 0.5], [0, 1]),
        ("round", [0.5, 1.5, -2.5], [0, 2, -2]),
        ("isfinite", [np.inf, np.nan, 1], [0, 0, 1]),
    ],
)
def test_a_function_has_its_limits(kind, x, y, dtype):
    got = Case("elementwise", [np.array([x], float)], {"kind": kind}).typed(dtype).run(dtype=dtype).output[0]
    np.testing.assert_allclose(got, y, rtol=1e-6)


def test_powers_of_negative_numbers_and_of_zero_are_those_of_numpy(dtype):
    a = np.array([[-2, -2, -2, 0, 0, 0, 1, -1, 3, -0.5]], float)
    b = np.array([[3, 2, 0.5, 2, 0, -1, np.nan, 7, 0, -2]], float)
    got = Case("elementwise", [a, b], {"kind": "power"}).typed(dtype).run(dtype=dtype).output
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(got, a**b, rtol=1e-5)


def test_broadcast_ops_have_the_same_bits_for_any_team_and_batch(dtype, rng):
    x = values(rng, "divide", (501, 515))
    weight = [values(rng, "divide", (515,))]
    harness.check_team(Case("elementwise", [x], {"kind": "divide"}, weight), dtype, rng)
    harness.check_team(Case("elementwise", [x, x[:, :1]], {"kind": "multiply"}), dtype, rng)
    harness.check_team(Case("elementwise", [x], {"kind": "multiply"}, [np.array(1.5)]), dtype, rng)
    harness.check_any_batch(Case("elementwise", [x[:13, :37]], {"kind": "tan"}), dtype)


@pytest.mark.parametrize(
    ("inputs", "attrs", "message"),
    [
        ([(2, 3), (2, 4)], {"kind": "add"}, "equal, or 1"),
        ([(2, 3), (2, 3, 1)], {"kind": "add"}, "same number of axes"),
        ([(2, 3)], {"kind": "add"}, "2 inputs"),
        ([(2, 3)], {"kind": "ad", "b": 1.0}, "Did you mean"),
        ([(2, 3)], {"kind": "add", "b": 1.0, "weight": 2.0}, "unknown attribute"),
    ],
)
def test_operands_that_do_not_fit_are_refused(inputs, attrs, message):
    with pytest.raises(ValueError, match=message):
        Case("elementwise", [np.ones(shape) for shape in inputs], attrs).run()


def test_a_stopped_gradient_flows(dtype, rng):
    x = rng.standard_normal((3, 5)).astype(dtype)
    run = Case("stop_gradient", [x]).run(dtype=dtype, training=True)
    np.testing.assert_array_equal(run.output, x)
    assert run.input_gradients[0] is None or not run.input_gradients[0].any()
