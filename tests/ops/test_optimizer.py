"""Update rules, fed with exact gradients: a product with the identity hands the target to the kernel."""

from __future__ import annotations

import numpy as np
import pytest

import harness
import reference
from harness import SIZES
from hotloop import _core
from tolerances import assert_close

RULES = [
    {"kind": "sgd"},
    {"kind": "momentum", "momentum": 0.9},
    {"kind": "nesterov", "momentum": 0.8},
    {"kind": "adam"},
    {"kind": "adam", "beta_1": 0.7, "beta_2": 0.95, "epsilon": 1e-3},
    {"kind": "adam", "epsilon": 0.0},
    {"kind": "rmsprop"},
    {"kind": "rmsprop", "rho": 0.7, "epsilon": 0.0},
    {"kind": "rmsprop_momentum", "momentum": 0.5},
    {"kind": "rmsprop_centered"},
    {"kind": "rmsprop_centered_momentum", "momentum": 0.9, "rho": 0.8, "epsilon": 1e-3},
    {"kind": "adam", "weight_decay": 0.5},
    {"kind": "amsgrad", "beta_2": 0.6},
    {"kind": "adamax", "beta_1": 0.8, "beta_2": 0.7},
    {"kind": "nadam"},
    {"kind": "nadam", "beta_1": 0.5, "beta_2": 0.7, "epsilon": 1e-3},
    {"kind": "adagrad"},
    {"kind": "adagrad", "initial_accumulator_value": 0.0, "epsilon": 1e-3},
    {"kind": "adadelta", "rho": 0.95, "epsilon": 1e-3},
    {"kind": "lion", "beta_2": 0.99},
    {"kind": "schedule_free_adamw", "epsilon": 1e-3},
    {
        "kind": "schedule_free_adamw",
        "beta_1": 0.6,
        "beta_2": 0.9,
        "epsilon": 0.1,
        "warmup_steps": 4.0,
        "weight_decay": 0.2,
    },
    {"kind": "schedule_free_adamw", "epsilon": 0.1, "gradient_accumulation_steps": 2, "ema_momentum": 0.5},
    {"kind": "ftrl"},
    {"kind": "ftrl", "l1": 0.3, "l2": 0.2, "l2_shrinkage": 0.1, "beta": 0.4, "weight_decay": 0.1},
    {"kind": "ftrl", "learning_rate_power": -0.7, "initial_accumulator_value": 0.5},
    {"kind": "lamb", "epsilon": 1e-3},
    {"kind": "lamb", "beta_1": 0.5, "beta_2": 0.9, "weight_decay": 0.2, "epsilon": 0.1},
    {"kind": "lamb", "global_clipnorm": 1.0, "gradient_accumulation_steps": 2, "ema_momentum": 0.5, "epsilon": 0.1},
    {"kind": "muon_nesterov", "momentum": 0.95, "ns_steps": 5, "epsilon": 1e-3},
    {
        "kind": "muon",
        "ns_steps": 2,
        "weight_decay": 0.3,
        "adam_weight_decay": 0.1,
        "adam_lr_ratio": 0.5,
        "epsilon": 0.1,
    },
    {"kind": "muon", "ns_steps": 1, "rms_rate": 0.0, "clipnorm": 1.0, "gradient_accumulation_steps": 2, "epsilon": 0.1},
    {"kind": "muon_nesterov", "ns_steps": 0, "muon_a": 2.0, "ema_momentum": 0.7, "epsilon": 0.1},
    {"kind": "sgd", "clipvalue": 0.5},
    {"kind": "adam", "clipnorm": 1.5, "epsilon": 0.1},
    {"kind": "momentum", "global_clipnorm": 2.0, "weight_decay": 0.1},
    {"kind": "adam", "ema_momentum": 0.8, "epsilon": 0.1},
    {"kind": "nesterov", "ema_momentum": 0.7, "ema_overwrite_frequency": 3},
    {"kind": "sgd", "gradient_accumulation_steps": 2},
    {"kind": "adam", "gradient_accumulation_steps": 3, "global_clipnorm": 1.0, "ema_momentum": 0.5, "epsilon": 0.1},
]
every_rule = pytest.mark.parametrize("rule", RULES, ids=lambda r: "-".join(map(str, r.values())))
SLOTS = {"sgd": 0, "momentum": 1, "nesterov": 1, "adam": 2, "rmsprop": 1, "rmsprop_momentum": 2}
SLOTS |= {"rmsprop_centered": 2, "rmsprop_centered_momentum": 3, "amsgrad": 3, "adamax": 2, "nadam": 2}
SLOTS |= {"adagrad": 1, "adadelta": 2, "lion": 1, "ftrl": 2, "lamb": 2, "muon": 2, "muon_nesterov": 2}
SLOTS |= {"schedule_free_adamw": 2}


class Net:
    """x w + b with x the identity, seeded by the target: dw is the target itself, db its column sums."""

    def __init__(self, w, b, rule, dtype, n_threads=0, trainable=(True, True), factors=(), keep_zeros=()):
        self.dtype, (K, N) = dtype, w.shape
        graph = _core.Graph(dtype)
        x, target = graph.input((K,), dtype, "x"), graph.input((N,), dtype, "target")
        values = [graph.variable(i, v.shape, t, "v") for i, (v, t) in enumerate(zip((w, b), trainable, strict=True))]
        graph.add("loss", [graph.add("dense", [x, *values], {}, "d"), target], {"kind": "linear", "reduction": "sum"})
        self.trainer = _core.Trainer([("w", w.shape), ("b", b.shape)], dtype, n_threads)
        for i, v in enumerate((w, b)):
            self.trainer.set(i, v)
        self.trainer.set_optimizer(rule, rate_factors=factors, by_adam=[1], keep_zeros=list(keep_zeros))
        self.plan = self.trainer.plan(graph, K, training=True, update=True)
        self.eye, self.steps = np.eye(K, dtype=dtype), 0

    def run(self, gradients, rates, momenta=None):
        """One step for each gradient, all in one call."""
        n, K = len(gradients), len(self.eye)
        data = _core.Dataset([np.tile(self.eye, (n, 1)), gradients.reshape(n * K, -1)])
        done = self.trainer.run(
            self.plan, data, 0, n, K, n * K, rates=np.asarray(rates, float), step=self.steps, slice_seconds=60,
            momenta=momenta,
        )  # fmt: skip
        self.steps += done
        return self.trainer.get(0), self.trainer.get(1)


def start(rng, K, N, dtype, steps):
    w, b = rng.standard_normal((K, N)).astype(dtype), rng.standard_normal(N).astype(dtype)
    return w, b, rng.standard_normal((steps, K, N)).astype(dtype), np.linspace(0.1, 0.02, steps)


def oracle(rule, w, gradients, rates, others):
    """`others`: the gradients of the other variable, which only a global norm looks at."""
    optimizer, w = reference.Optimizer(**rule), w.astype(float)
    for g, other, rate in zip(gradients.astype(float), others.astype(float), rates, strict=True):
        w = optimizer.step(w, g, rate, [other])
    return w


@every_rule
@pytest.mark.parametrize(("K", "N"), [(1, 1), (4, 5), (3, 16), (9, 33), (30, 130)])
def test_ten_steps_of_an_update_rule_follow_keras_formula(rule, K, N, dtype, rng):
    w, b, gradients, rates = start(rng, K, N, dtype, 10)
    got_w, got_b = Net(w, b, rule, dtype).run(gradients, rates)
    row = _core.row(dtype)
    of_w, of_b = gradients.astype(float), gradients.astype(float).sum(1)
    want_w, want_b = oracle(rule, w, of_w, rates, of_b), oracle(rule, b, of_b, rates, of_w)
    assert_close(got_w, want_w, "optimizer", row, dtype, 1, 10 * (1 + np.abs(w).max()))
    assert_close(got_b, want_b, "optimizer", row, dtype, 1, 10 * K * max(1.0, np.abs(want_b).max()))


@every_rule
@pytest.mark.parametrize("N", SIZES)
def test_an_update_reaches_every_element_for_every_width(rule, N, dtype, rng):
    w, b, gradients, rates = start(rng, 2, N, dtype, 2)
    got, _ = Net(w, b, rule, dtype).run(gradients, rates)
    want = oracle(rule, w, gradients, rates, gradients.astype(float).sum(1))
    assert_close(got, want, "optimizer", _core.row(dtype), dtype, 1, 4 * (1 + np.abs(w).max()))


@every_rule
def test_weights_slots_and_step_are_all_it_takes_to_resume(rule, dtype, rng):
    w, b, gradients, rates = start(rng, 5, 21, dtype, 8)
    straight = Net(w, b, rule, dtype)
    want = straight.run(gradients, rates)
    first = Net(w, b, rule, dtype)
    half = first.run(gradients[:3], rates[:3])
    second = Net(*half, rule, dtype)
    more = ("ema_momentum" in rule) + ("gradient_accumulation_steps" in rule)
    assert second.trainer.n_slots == SLOTS[rule["kind"]] + more
    for slot in range(second.trainer.n_slots):
        for i in range(2):
            second.trainer.set_slot(slot, i, first.trainer.get_slot(slot, i))
    second.steps = first.steps
    got = second.run(gradients[3:], rates[3:])
    for a, c in zip(got, want, strict=True):
        assert harness.same_bits(a, c)


def pruned(rng, w):
    return np.where(rng.random(w.shape) < 0.6, 0, w).astype(w.dtype)


@every_rule
@pytest.mark.parametrize(("K", "N"), [(1, 1), (1, 37), (4, 5), (3, 16), (30, 130)])
def test_what_is_zero_in_a_pruned_variable_stays_zero(rule, K, N, dtype, rng):
    w, b, gradients, rates = start(rng, K, N, dtype, 7)
    w = pruned(rng, w)
    net = Net(w, b, rule, dtype, keep_zeros=[0])
    got, got_b = net.run(gradients, rates)
    of_w, of_b = gradients.astype(float), gradients.astype(float).sum(1)
    want = oracle({**rule, "keep_zeros": True}, w, of_w, rates, of_b)
    assert (got[w == 0] == 0).all()
    assert_close(got, want, "optimizer", _core.row(dtype), dtype, 1, 10 * (1 + np.abs(w).max()))
    want_b = oracle(rule, b, of_b, rates, of_w * (w != 0))  # norms do not see what moves nothing
    assert_close(got_b, want_b, "optimizer", _core.row(dtype), dtype, 1, 10 * K * max(1.0, np.abs(want_b).max()))
    if "ema_momentum" in rule:
        assert (net.trainer.get_slot(SLOTS[rule["kind"]], 0)[w == 0] == 0).all()


@every_rule
def test_zeros_of_a_variable_that_is_not_pruned_move(rule, dtype, rng):
    w, b, gradients, rates = start(rng, 5, 21, dtype, 4)
    w = pruned(rng, w)
    got, _ = Net(w, b, rule, dtype, keep_zeros=[1]).run(gradients, rates)
    plain, _ = Net(w, b, rule, dtype).run(gradients, rates)
    assert harness.same_bits(got, plain)
    if rule.get("l1") is None:  # whose zeros are Ftrl's own
        assert (got[w == 0] != 0).all()


@pytest.mark.parametrize("rule", RULES[:4], ids=lambda r: r["kind"])
def test_pruned_weights_have_the_same_bits_for_any_team(rule, dtype, rng):
    w, b, gradients, rates = start(rng, 160, 515, dtype, 3)
    w = pruned(rng, w)
    alone = Net(w, b, rule, dtype, n_threads=1, keep_zeros=[0]).run(gradients, rates)
    for team in harness.TEAMS[1:]:
        together = Net(w, b, rule, dtype, n_threads=team, keep_zeros=[0]).run(gradients, rates)
        assert all(harness.same_bits(a, c) for a, c in zip(alone, together, strict=True)), f"{team} threads"


def test_an_average_from_before_a_pruning_follows_it(dtype, rng):
    rule = {"kind": "adam", "ema_momentum": 0.9}
    w, b, gradients, rates = start(rng, 6, 40, dtype, 2)
    net = Net(w, b, rule, dtype, keep_zeros=[0])
    net.run(gradients[:1], rates[:1])
    assert (net.trainer.get_slot(2, 0) != 0).all()
    w = pruned(rng, net.trainer.get(0))
    net.trainer.set(0, w)
    net.run(gradients[1:], rates[1:])
    assert ((net.trainer.get_slot(2, 0) == 0) == (w == 0)).all()


@every_rule
def test_a_frozen_variable_stays(rule, dtype, rng):
    w, b, gradients, rates = start(rng, 5, 21, dtype, 3)
    both = Net(w, b, rule, dtype).run(gradients, rates)
    frozen = Net(w, b, rule, dtype, trainable=(False, True)).run(gradients, rates)
    assert harness.same_bits(frozen[0], w)
    if "global_clipnorm" not in rule:  # whose norm is that of all that is trained
        assert harness.same_bits(frozen[1], both[1])


@every_rule
def test_an_update_has_the_same_bits_for_any_team(rule, dtype, rng):
    w, b, gradients, rates = start(rng, 160, 515, dtype, 3)
    alone = Net(w, b, rule, dtype, n_threads=1).run(gradients, rates)
    for team in harness.TEAMS[1:]:
        together = Net(w, b, rule, dtype, n_threads=team).run(gradients, rates)
        assert all(harness.same_bits(a, c) for a, c in zip(alone, together, strict=True)), f"{team} threads"


@pytest.mark.parametrize("overwrite", [0, 2])
@pytest.mark.parametrize("rows", [1, 7])
def test_averages_are_those_of_the_weights(overwrite, rows, dtype, rng):
    rule = {"kind": "momentum", "ema_momentum": 0.9, "ema_overwrite_frequency": overwrite}
    w, b, gradients, rates = start(rng, rows, 40, dtype, 5)
    net, optimizer, want = Net(w, b, rule, dtype), reference.Optimizer(**rule), w.astype(float)
    assert harness.same_bits(net.trainer.get_slot(1, 0), w)
    for g, rate in zip(gradients, rates, strict=True):
        net.run(g[None], [rate])
        want = optimizer.step(want, g.astype(float), rate)
        got = net.trainer.get_slot(1, 0)
        assert_close(got, optimizer.average, "optimizer", _core.row(dtype), dtype, 1, 10 * (1 + np.abs(w).max()))


def test_weights_change_at_every_nth_batch_only(dtype, rng):
    w, b, gradients, rates = start(rng, 3, 20, dtype, 6)
    net = Net(w, b, {"kind": "adam", "gradient_accumulation_steps": 3, "ema_momentum": 0.5}, dtype)
    before = [net.trainer.get(0), net.trainer.get_slot(0, 0), net.trainer.get_slot(2, 0)]
    for step in range(6):
        net.run(gradients[step : step + 1], rates[step : step + 1])
        after = [net.trainer.get(0), net.trainer.get_slot(0, 0), net.trainer.get_slot(2, 0)]
        same = [harness.same_bits(a, c) for a, c in zip(before, after, strict=True)]
        assert same == [step % 3 != 2] * 3, step
        before = after


def test_a_rate_factor_is_that_of_one_variable(dtype, rng):
    w, b, gradients, rates = start(rng, 4, 30, dtype, 4)
    for rule in ({"kind": "adam", "weight_decay": 0.2, "epsilon": 0.1}, {"kind": "sgd", "global_clipnorm": 1.0}):
        for factors in ([0.5, 2.0], [1.0, 0.0]):
            net = Net(w, b, rule, dtype, factors=factors)
            got_w, got_b = net.run(gradients, rates)
            of_w, of_b = gradients.astype(float), gradients.astype(float).sum(1)
            want_w = oracle(rule, w, of_w, factors[0] * rates, of_b)
            want_b = oracle(rule, b, of_b, factors[1] * rates, of_w)
            row, size = _core.row(dtype), 20 * (1 + np.abs(w).max())
            assert_close(got_w, want_w, "optimizer", row, dtype, 1, size)
            assert_close(got_b, want_b, "optimizer", row, dtype, 1, 4 * size)
            if not factors[1]:
                assert harness.same_bits(got_b, b)


@pytest.mark.parametrize("factors", [[1.0], [1.0, -1.0], [1.0, float("nan")], [float("inf"), 1.0]])
def test_rate_factors_without_meaning_are_refused(factors):
    with pytest.raises(ValueError, match="rate factor"):
        _core.Trainer([("v", (3,)), ("w", (3,))], "float32").set_optimizer({"kind": "sgd"}, rate_factors=factors)


@pytest.mark.parametrize("kind", ["momentum", "nesterov", "adam", "adamax", "lion", "rmsprop_momentum"])
def test_a_momentum_of_each_step_stands_for_the_optimizers(kind, dtype, rng):
    w, b, gradients, rates = start(rng, 5, 21, dtype, 6)
    momenta = np.linspace(0.95, 0.85, 6)
    net, optimizer, want = Net(w, b, {"kind": kind}, dtype), reference.Optimizer(kind), w.astype(float)
    got, _ = net.run(gradients, rates, momenta)
    for g, rate, momentum in zip(gradients.astype(float), rates, momenta, strict=True):
        optimizer.momentum = optimizer.beta_1 = momentum
        want = optimizer.step(want, g, rate)
    assert_close(got, want, "optimizer", _core.row(dtype), dtype, 1, 20 * (1 + np.abs(w).max()))


def test_adam_is_right_after_ten_million_steps(dtype, rng):
    w, b, gradients, rates = start(rng, 2, 3, dtype, 1)
    net = Net(w, b, {"kind": "adam"}, dtype)
    net.steps = 10_000_000
    got, _ = net.run(gradients, rates)
    g = gradients[0].astype(float)  # no correction left: m = 0.1 g, v = 0.001 g^2
    want = w - rates[0] * (0.1 * g) / (np.sqrt(0.001 * g * g) + 1e-7)
    assert_close(got, want, "optimizer", _core.row(dtype), dtype, 1, 10.0)


@pytest.mark.parametrize("kind", ["rmsprop_centered", "rmsprop_centered_momentum"])
def test_a_constant_gradient_does_not_make_centered_rmsprop_nan(kind, dtype, rng):
    """The variance v - a^2 of such gradients is zero, and rounding makes it negative."""
    w, b, gradients, _ = start(rng, 4, 37, dtype, 1)
    net = Net(w, b, {"kind": kind, "epsilon": 1e-12}, dtype)
    got_w, got_b = net.run(np.repeat(1000 * gradients, 400, axis=0), np.full(400, 1e-9))
    assert np.isfinite(got_w).all()
    assert np.isfinite(got_b).all()


@pytest.mark.parametrize("clip", ["clipnorm", "global_clipnorm"])
def test_gradients_whose_squares_overflow_are_clipped_to_the_norm(clip, dtype):
    huge, N = (1e30, 37) if dtype == "float32" else (1e200, 37)
    net = Net(np.zeros((3, N), dtype), np.zeros(N, dtype), {"kind": "sgd", clip: 2.0}, dtype, trainable=(True, False))
    got, _ = net.run(np.full((1, 3, N), huge, dtype), [1.0])
    if dtype == "float32":  # float64 has nothing wider to add in: Keras's rules for an infinite norm hold
        np.testing.assert_allclose(got, np.full((3, N), -2 / np.sqrt(3 * N)), rtol=1e-6)
    else:
        assert np.isnan(got).all() if clip == "global_clipnorm" else not got.any()


def test_a_gradient_that_is_no_number_stays_one_in_its_variable_or_in_all(dtype, rng):
    w, b, gradients, _ = start(rng, 3, 20, dtype, 1)
    gradients[0, 1, 7] = np.nan  # and so is the whole column: zero times NaN is NaN
    for rule, spoilt_w in (("clipvalue", 3), ("clipnorm", 60), ("global_clipnorm", 60)):
        got_w, got_b = Net(w, b, {"kind": "sgd", rule: 0.1}, dtype).run(gradients, [0.1])
        assert np.isnan(got_w).sum() == spoilt_w, rule
        assert np.isnan(got_b).sum() == (1 if rule == "clipvalue" else 20), rule


def test_a_gradient_within_the_limit_is_taken_as_it_is(dtype, rng):
    w, b, gradients, rates = start(rng, 9, 33, dtype, 3)
    plain = Net(w, b, {"kind": "adam"}, dtype).run(gradients, rates)
    for clip in ("clipvalue", "clipnorm", "global_clipnorm"):
        got = Net(w, b, {"kind": "adam", clip: 1e4}, dtype).run(gradients, rates)
        assert all(harness.same_bits(a, c) for a, c in zip(plain, got, strict=True)), clip


def test_a_net_of_few_rows_is_clipped_too(dtype, rng):
    """Up to four rows the update is part of the product, unless the gradient is changed before it."""
    w, b, gradients, rates = start(rng, 1, 30, dtype, 4)
    for rule in ({"kind": "sgd", "clipnorm": 0.3}, {"kind": "adam", "clipvalue": 0.01, "epsilon": 0.1}):
        net = Net(w, b, rule, dtype)
        assert "dense_update_params" not in [step["kernel"] for step in net.plan.describe()]
        got, _ = net.run(gradients, rates)
        want = oracle(rule, w, gradients, rates, gradients.sum(1))
        assert_close(got, want, "optimizer", _core.row(dtype), dtype, 1, 4 * (1 + np.abs(w).max()))


@pytest.mark.parametrize(
    ("rule", "match"),
    [
        ({"kind": "adamm"}, "Did you mean 'adam'"),
        ({"kind": "sgd", "momentum": 0.9}, "unknown parameter 'momentum'"),
        ({"kind": "momentum", "momentum": 1.5}, "momentum"),
        ({"kind": "adam", "beta_1": 1.0}, "beta_1"),
        ({"kind": "adam", "epsilon": -1.0}, "epsilon"),
        ({"kind": "rmsprop", "rho": 1.0}, "rho"),
        ({"kind": "rmsprop", "momentum": 0.9}, "unknown parameter 'momentum'"),
        ({"kind": "adam", "epsilon": float("nan")}, "epsilon"),
        ({"kind": "adam", "clipnorm": -1.0}, "clipnorm"),
        ({"kind": "adam", "ema_momentum": 1.5}, "ema_momentum"),
        ({"kind": "adam", "ema_overwrite_frequency": -1}, "ema_overwrite_frequency"),
        ({"kind": "adam", "gradient_accumulation_steps": 0}, "gradient_accumulation_steps"),
        ({"kind": "adam", "clipnorm": 1.0, "clipvalue": 1.0}, "one of clipvalue"),
    ],
)
def test_an_update_rule_without_meaning_is_refused(rule, match):
    with pytest.raises(ValueError, match=match):
        _core.Trainer([("v", (3,))], "float32").set_optimizer(rule)


def test_a_plan_that_updates_needs_an_optimizer():
    graph = _core.Graph("float32")
    x = graph.input((3,), "float32", "x")
    graph.add("loss", [x, graph.input((3,), "float32", "y")], {"kind": "mean_squared_error"})
    with pytest.raises(ValueError, match="expected an optimizer"):
        _core.Trainer([], "float32").plan(graph, 4, update=True)


@every_rule
def test_a_given_gradient_updates_as_one_that_a_loss_sends(rule, dtype, rng):
    w, b, gradients, rates = start(rng, 5, 21, dtype, 3)
    want, _ = Net(w, b, rule, dtype, trainable=(True, False)).run(gradients, rates)
    graph = _core.Graph(dtype)
    graph.add("given_gradient", [graph.variable(0, w.shape, True, "w")], {}, "w")
    graph.add("given_gradient", [graph.variable(1, b.shape, False, "b")], {}, "b")
    trainer = _core.Trainer([("w", w.shape), ("b", b.shape)], dtype, 0)
    for i, v in enumerate((w, b)):
        trainer.set(i, v)
    trainer.set_optimizer(rule)
    plan = trainer.plan(graph, 1, training=True, update=True)
    for step, (gradient, rate) in enumerate(zip(gradients, rates, strict=True)):
        trainer.set_gradient(0, gradient)
        trainer.run(plan, _core.Dataset([]), 0, 1, 1, 1, rates=np.array([rate]), step=step)
    np.testing.assert_array_equal(trainer.get(0), want)
    np.testing.assert_array_equal(trainer.get(1), b)


def test_a_given_gradient_is_taken_for_a_batch():
    graph = _core.Graph("float32")
    x = graph.input((3,), "float32", "x")
    with pytest.raises(ValueError, match="expected a variable"):
        graph.add("given_gradient", [x], {}, "g")
