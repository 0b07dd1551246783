"""Element-wise formulas that run as one step: every kind of step, shared values, and which nodes become one."""

from __future__ import annotations

import numpy as np
import pytest

import harness
import hotloop as keras
import reference_elementwise as oracle
from activation_functions import ACTIVATIONS, PARAMETERS
from harness import SIZES, Case
from hotloop.testing import run_op

X, Y = 0, 1  # inputs


def formula(*steps):
    """The attributes of steps (name, places, numbers); step i makes value 8 + i."""
    return {
        "steps": " ".join(name for name, *_ in steps),
        "operands": [place for _, places, *_ in steps for place in (*places, -1, -1, -1)[:3]],
        "numbers": [float(v) for _, _, *rest in steps for v in (*(rest[0] if rest else ()), 0, 0, 0)[:3]],
    }


GELU = formula(
    ("square", [X]),
    ("multiply", [8, X]),
    ("affine", [9], [0.044715, 0]),
    ("add", [10, X]),
    ("affine", [11], [0.8, 0]),
    ("@tanh", [12]),
    ("affine", [13], [0.5, 0.5]),
    ("multiply", [14, X]),
)


@pytest.mark.parametrize("columns", SIZES)
def test_a_formula_and_its_gradient_are_right_for_every_width(columns, dtype, rng):
    harness.check_op(
        Case("expression", [rng.standard_normal((5, columns))], GELU, kind="norm"), dtype, rng, columns <= 5
    )


@pytest.mark.parametrize("kind", oracle.KINDS)
def test_every_element_wise_kind_may_be_a_step(kind, dtype, rng):
    inputs = [rng.uniform(0.3, 0.8, (6, 21)) for _ in oracle.KINDS[kind][1:]]
    if kind == "arccosh":
        inputs[0] += 1
    count = len(inputs)
    attrs = formula((kind, [*range(count)]), ("affine", [8], [1.5, 0.25]), ("multiply", [9, X]))
    harness.check_op(Case("expression", inputs, attrs, kind="norm", wrt=[X]), dtype, rng, differences=False)


@pytest.mark.parametrize("kind", ACTIVATIONS)
def test_every_activation_may_be_a_step(kind, dtype, rng):
    numbers = [0.3, 0.1, 2.0][: PARAMETERS.get(kind, 1)]
    attrs = formula(("@" + kind, [X], numbers + [0] * (3 - len(numbers))), ("multiply", [8, X]))
    x = rng.choice([-1, 1], (6, 21)) * rng.uniform(0.4, 0.9, (6, 21))
    harness.check_op(Case("expression", [x], attrs, kind="norm"), dtype, rng, differences=False)


def test_numbers_stand_where_operands_may(dtype, rng):
    attrs = formula(("subtract", [-1, X], [1, 0]), ("power", [8, -1], [0, 2]), ("where", [Y, 9, -1], [0, 0, 7]))
    inputs = [rng.uniform(0.1, 0.7, (9, 33)), (rng.random((9, 33)) > 0.5).astype(float)]
    harness.check_op(Case("expression", inputs, attrs, kind="norm", wrt=[X]), dtype, rng, differences=False)


def test_steps_that_pass_nothing_on_leave_their_inputs_without_gradient(rng):
    x, y = rng.standard_normal((2, 4, 5))
    attrs = formula(("greater", [X, Y]), ("multiply", [8, Y]))
    run = run_op("expression", [x, y], attrs, dtype="float64", training=True, upstream=np.ones((4, 5)))
    np.testing.assert_array_equal(run.input_gradients[0], np.zeros((4, 5)))
    np.testing.assert_array_equal(run.input_gradients[1], (x > y).astype(float))


def test_any_team_and_any_batch_give_the_same_bits(dtype, rng):
    case = Case("expression", [rng.standard_normal((301, 300))], GELU)
    harness.check_team(case, dtype, rng)
    harness.check_any_batch(Case("expression", [rng.standard_normal((23, 37))], GELU), dtype)


@pytest.mark.parametrize(
    ("attrs", "message"),
    [
        (formula(("nonsense", [X])), "nonsense"),
        (formula(("@nonsense", [X])), "nonsense"),
        (formula(("square", [2])), "operands"),
        (formula(("add", [X, 8])), "operands"),
        (formula(("@tanh", [-1])), "operands"),
        ({"steps": "", "operands": [0], "numbers": [0.0]}, "1 to 16 steps"),
        (formula(*[("square", [X])] * 17), "1 to 16 steps"),
    ],
)
def test_a_program_that_makes_no_sense_is_refused(attrs, message):
    with pytest.raises(ValueError, match=message):
        run_op("expression", [np.zeros((2, 3))], attrs, dtype="float64")


def test_inputs_of_other_shapes_are_refused():
    with pytest.raises(ValueError, match="one shape"):
        run_op("expression", [np.zeros((2, 3)), np.zeros((2, 4))], formula(("add", [X, Y])), dtype="float64")


# --- what becomes an expression ------------------------------------------------------------------------------------
def kernels_of(outputs, inputs):
    """Kernels of the steps that a model's prediction takes."""
    model = keras.Model(inputs, outputs)
    model.predict(np.zeros((2, *inputs.shape[1:]), np.float32), verbose=0)
    plan = model._program("predict").take_plan(model._get_engine().trainer, 2)
    return [step["kernel"] for step in plan.describe()]


def long_formula(x, ops, length):
    for i in range(length):
        x = ops.tanh(x) if i % 3 == 0 else x * x if i % 3 == 1 else x + 0.5
    return x


class Formula(keras.layers.Layer):
    """As many steps as one is told, and whether what lies between is an output too."""

    def __init__(self, length, all_values):
        super().__init__()
        self.length, self.all_values = length, all_values

    def call(self, x):
        values = [x]
        for i in range(self.length):
            values.append(long_formula(values[-1], keras.ops, i % 3 + 1))
        return values[1:] if self.all_values else values[-1]


@pytest.mark.parametrize("length", [1, 2, 9, 12, 30])
def test_a_formula_gives_the_bits_of_its_steps_one_by_one(length, rng):
    """Values that are outputs too stay apart; one formula may be too long for one expression."""
    x = rng.standard_normal((37, 19)).astype(np.float32)
    inputs = keras.Input((19,))
    whole = keras.Model(inputs, Formula(length, False)(inputs)).predict(x, verbose=0)
    parts = keras.Model(inputs, Formula(length, True)(inputs)).predict(x, verbose=0)
    last = parts[-1] if isinstance(parts, list) else parts
    assert harness.same_bits(whole, last)


def test_many_values_may_meet_in_one_formula(float64, rng):
    """More inputs than an expression has, used several times."""
    inputs = [keras.Input((5,), name=f"x{i}", dtype="float64") for i in range(12)]

    class Meet(keras.layers.Layer):
        def call(self, xs):
            total = xs[0]
            for i, x in enumerate(xs[1:]):
                total = total * x + keras.ops.sin(x) * xs[i]
            return total

    model = keras.Model(inputs, Meet(dtype="float64")(inputs))
    arrays = [rng.standard_normal((7, 5)) for _ in inputs]

    def meet(xs):
        total = xs[0]
        for i, x in enumerate(xs[1:]):
            total = total * x + np.sin(x) * xs[i]
        return total

    outputs, backward = model.vjp(arrays, wrt="inputs")
    np.testing.assert_allclose(outputs, meet(arrays), rtol=1e-12, atol=1e-12)
    gradients = backward(np.ones((7, 5)))
    for i, gradient in enumerate(gradients.values() if isinstance(gradients, dict) else gradients):
        bumped = [a + 0j for a in arrays]
        bumped[i] = bumped[i] + 1e-30j
        np.testing.assert_allclose(gradient, meet(bumped).imag / 1e-30, rtol=1e-10, atol=1e-10)


def test_one_formula_is_one_step():
    inputs = keras.Input((8,))
    outputs = keras.layers.Lambda(lambda x: 0.5 * x * (1 + keras.ops.tanh(x + 0.1 * x * x)))(inputs)
    kernels = kernels_of(outputs, inputs)
    assert kernels.count("expression_forward") == 1
    assert not {"elementwise_forward", "affine", "activation_forward"} & set(kernels)
