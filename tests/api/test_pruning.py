"""Pruning: weights that become zero and stay so, what it reports, and models that hold only what is left."""

import copy
import itertools
import pickle
import warnings

import numpy as np
import pytest

import hotloop as keras
from hotloop import pruning
from hotloop.callbacks import Pruning
from hotloop.layers.sparse_dense import BlockSparseDense
from hotloop.saving import FormatError
from hotloop.saving.format import open_file, parse_description, read_tensor, write_file
from saving_cases import OPTIMIZERS

L = keras.layers
RNG = np.random.default_rng(5)
X = RNG.normal(size=(64, 20)).astype(np.float32)
Y = np.stack([X[:, 0] * X[:, 1], np.sin(X[:, 2])], axis=1).astype(np.float32)


def net(optimizer="adam", dtype="float32", **options):
    keras.utils.set_random_seed(3)
    layers = [L.Dense(40, "tanh", dtype=dtype, **options), L.Dense(24, "tanh", dtype=dtype), L.Dense(2, dtype=dtype)]
    model = keras.Sequential([keras.Input((20,), dtype=dtype), *layers])
    model.compile(OPTIMIZERS[optimizer](), "mse")
    return model


def fit(model, epochs=3, batch_size=16, **options):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "\\[Pruning\\] training ended")
        return model.fit(X, Y, batch_size=batch_size, epochs=epochs, verbose=0, **options).history


def patterns(model):
    return [w == 0 for w in model.get_weights() if w.ndim == 2]


def same(a, b):
    return all(p.tobytes() == q.tobytes() for p, q in zip(a.get_weights(), b.get_weights(), strict=True))


# -- which weights ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.875, 0.99])
def test_the_smallest_weights_of_each_layer_become_zero_and_no_others(share):
    model = net()
    before = model.get_weights()
    pruning.prune(model, share)
    for old, new in zip(before, model.get_weights(), strict=True):
        if old.ndim == 1:
            np.testing.assert_array_equal(new, old)
            continue
        zeros = new == 0
        assert zeros.sum() == round(share * old.size)
        np.testing.assert_array_equal(new[~zeros], old[~zeros])
        assert not zeros.any() or zeros.all() or np.abs(old[zeros]).max() <= np.abs(old[~zeros]).min()


def test_a_global_scope_takes_the_smallest_of_all_layers():
    model = net()
    model.layers[0].set_weights([w * 10 for w in model.layers[0].get_weights()])
    before = [w for w in model.get_weights() if w.ndim == 2]
    pruning.prune(model, 0.5, scope="global")
    shares = [z.mean() for z in patterns(model)]
    assert shares[0] < 0.2 < 0.8 < shares[1]
    sizes = sum(w.size for w in before)
    assert sum(z.sum() for z in patterns(model)) == round(0.5 * sizes)


@pytest.mark.parametrize("norm", [1, 2])
@pytest.mark.parametrize("block", [16, (1, 16), (4, 8), (3, 7), (1, 100), (100, 1)])
def test_blocks_are_zero_as_a_whole_and_the_smallest_by_their_mean(block, norm):
    model = net()
    kernel = model.layers[0].kernel
    before = kernel.numpy()
    pruning.prune(model, 0.6, block, layers=[model.layers[0]], norm=norm)
    after = kernel.numpy()
    rows, columns = (1, block) if block == 16 else block
    scores, zeros, weights = [], [], []
    for i in range(0, 20, rows):
        for j in range(0, 40, columns):
            part = after[i : i + rows, j : j + columns]
            assert (part == 0).all() or (part != 0).all()
            zeros.append((part == 0).all())
            scores.append((np.abs(before[i : i + rows, j : j + columns]) ** norm).mean())
            weights.append(part.size)
    scores, zeros, weights = map(np.array, (scores, zeros, weights))
    if zeros.any() and not zeros.all():
        assert scores[zeros].max() <= scores[~zeros].min()
    pruned = weights[zeros].sum()
    assert pruned <= 0.6 * 800 < pruned + weights[~zeros].max(initial=1)
    assert all((p != 0).all() for p in model.layers[1].get_weights()[:1])


def test_equal_weights_are_pruned_to_the_number_asked_for():
    model = net()
    model.layers[0].kernel.assign(np.ones((20, 40)))
    pruning.prune(model, 0.3)
    assert (model.layers[0].kernel.numpy() == 0).sum() == 240
    pruning.prune(model, 0.6)
    assert (model.layers[0].kernel.numpy() == 0).sum() == 480


def test_layers_are_chosen_by_name_or_themselves():
    model = net()
    first, second, _ = model.layers
    pruning.prune(model, 0.5, layers=[first, second.name])
    assert [z.mean() for z in patterns(model)] == [0.5, 0.5, 0.0]
    assert [v.keep_zeros for v in model.weights] == [True, False, True, False, False, False]


def test_kernels_inside_models_and_wrappers_are_found():
    inner = keras.Sequential([keras.Input((4,)), L.Dense(8), L.BatchNormalization()])
    shared = L.Dense(4)
    x = keras.Input((4,))
    model = keras.Model(x, L.Dense(1)(shared(shared(inner(x)[:, :4]))))
    pruning.prune(model, 0.5)
    assert [v.path.split("/")[1] for v in model.weights if v.keep_zeros] == ["kernel"] * 3
    embedded = keras.Sequential([keras.Input((2,)), L.Embedding(5, 4), L.Flatten(), L.Dense(1)])
    pruning.prune(embedded, 0.5)
    assert (embedded.weights[0].numpy() != 0).all()
    pruning.prune(embedded, 0.5, layers=[embedded.layers[0]])
    assert (embedded.weights[0].numpy() == 0).mean() == 0.5


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"sparsity": 1.0}, ValueError, r"sparsity in \[0, 1\)"),
        ({"sparsity": -0.1}, ValueError, "sparsity"),
        ({"sparsity": "half"}, ValueError, "sparsity"),
        ({"block_size": 0}, ValueError, "block_size"),
        ({"block_size": (1, 2, 3)}, ValueError, "block_size"),
        ({"scope": "all"}, ValueError, "scope"),
        ({"norm": 3}, ValueError, "norm"),
        ({"layers": ["dense_one"]}, ValueError, "dense_one"),
        ({"layers": [3]}, TypeError, "layers of the model"),
        ({"layers": []}, ValueError, "layers with a kernel"),
    ],
)
def test_what_makes_no_sense_is_refused(options, error, message):
    with pytest.raises(error, match=message):
        pruning.prune(net(), **options)


def test_a_model_without_weights_says_that_it_is_not_built():
    for function in (pruning.prune, pruning.sparsity, pruning.compress):
        with pytest.raises(ValueError, match="not built"):
            function(keras.Sequential([L.Dense(3)]))


# -- zeros stay ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [1, 16])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_zeros_stay_zero_with_every_optimizer(optimizer, batch_size):
    model = net(optimizer)
    fit(model, 1)
    pruning.prune(model, 0.7)
    before, zeros = model.get_weights(), patterns(model)
    fit(model, 2, batch_size)
    model.train_on_batch(X[:16], Y[:16])
    moved = [a[a != 0] != b[a != 0] for a, b in zip(before, model.get_weights(), strict=True)]
    assert all(m.any() for m in moved)
    for now, then in zip(patterns(model), zeros, strict=True):
        assert now[then].all()
        if optimizer != "ftrl":
            assert not now[~then].any()


@pytest.mark.parametrize("optimizer", ["sgd", "adamw", "muon"])
def test_released_weights_move_again(optimizer):
    model = net(optimizer)
    pruning.prune(model, 0.7)
    fit(model, 1)
    assert pruning.is_pruned(model)
    pruning.release(model)
    assert not pruning.is_pruned(model)
    fit(model, 1)
    assert not any(z.any() for z in patterns(model))


def test_constraints_and_penalties_keep_zeros():
    class Shifted(keras.constraints.Constraint):
        def __call__(self, w):
            return w + 1e-3

    for constraint in ("max_norm", "unit_norm", "min_max_norm", Shifted()):
        model = net(kernel_constraint=constraint, kernel_regularizer="orthogonal_regularizer")
        pruning.prune(model, 0.6)
        zeros = patterns(model)
        fit(model)
        assert all((a == b).all() for a, b in zip(patterns(model), zeros, strict=True))


def test_gradients_of_ones_own_keep_zeros():
    model = net()
    pruning.prune(model, 0.5)
    zeros = patterns(model)
    variables = model.trainable_weights
    model.optimizer.apply([np.ones(v.shape, np.float32) for v in variables], variables)
    assert all((a == b).all() for a, b in zip(patterns(model), zeros, strict=True))


def test_pruned_weights_do_not_count_when_gradients_are_clipped():
    """A model that never had the pruned inputs takes the very same steps."""

    def made(columns):
        keras.utils.set_random_seed(1)
        model = keras.Sequential([keras.Input((columns,)), L.Dense(16, "tanh"), L.Dense(2)])
        model.compile(keras.optimizers.SGD(0.1, global_clipnorm=0.01), "mse")
        return model

    whole, part = made(20), made(12)
    weights = whole.get_weights()
    weights[0][12:] = 0
    whole.set_weights(weights)
    part.set_weights([weights[0][:12], *weights[1:]])
    whole.layers[0].kernel.keep_zeros = True
    whole.fit(X, Y, batch_size=16, epochs=2, shuffle=False, verbose=0)
    part.fit(X[:, :12], Y, batch_size=16, epochs=2, shuffle=False, verbose=0)
    np.testing.assert_allclose(whole.layers[0].kernel.numpy()[:12], part.layers[0].kernel.numpy(), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("way", ["file", "pickle", "deepcopy", "clone"])
def test_a_copy_keeps_zeros_too(tmp_path, way):
    model = net()
    fit(model, 1)
    pruning.prune(model, 0.6)
    if way == "file":
        model.save(tmp_path / "m.safetensors")
        again = keras.models.load_model(tmp_path / "m.safetensors")
    elif way == "clone":
        again = keras.models.clone_model(model)
        again.set_weights(model.get_weights())
    else:
        again = copy.deepcopy(model) if way == "deepcopy" else pickle.loads(pickle.dumps(model))
    assert [v.keep_zeros for v in again.weights] == [v.keep_zeros for v in model.weights]
    zeros = patterns(model)
    fit(again)
    assert all((a == b).all() for a, b in zip(patterns(again), zeros, strict=True))
    if way != "clone":
        fit(model)
        assert same(model, again)


def test_a_file_of_a_model_that_is_not_pruned_says_nothing_of_it(tmp_path):
    model = net()
    model.save(tmp_path / "m.safetensors")
    with open_file(tmp_path / "m.safetensors") as (_, header):
        assert "keep_zeros" not in parse_description(header, "m")


@pytest.mark.parametrize("kept", [[-1], [6], ["0"], [True], 3, {"0": 1}])
def test_a_file_that_names_weights_it_does_not_have_is_refused(tmp_path, kept):
    path = tmp_path / "m.safetensors"
    net().save(path)
    with open_file(path) as (stream, header):
        tensors = {name: read_tensor(stream, path, header, name) for name in header.tensors}
        description = parse_description(header, path)
    write_file(path, tensors, {**description, "keep_zeros": kept})
    with pytest.raises(FormatError, match="keep_zeros"):
        keras.models.load_model(path)


# -- on a schedule ---------------------------------------------------------------------------------------------------


def test_the_polynomial_schedule_is_that_of_the_paper():
    schedule = pruning.PolynomialDecay(0.1, 0.9, 100, 300, frequency=50)
    for step in (100, 137, 200, 299, 300):
        want = 0.9 + (0.1 - 0.9) * (1 - (step - 100) / 200) ** 3
        assert schedule.sparsity(step) == pytest.approx(want, abs=1e-12)
    assert [step for step in range(400) if schedule.due(step)] == [100, 150, 200, 250, 300]
    odd = pruning.PolynomialDecay(0.0, 0.5, 3, 10, power=1, frequency=4)
    assert [step for step in range(20) if odd.due(step)] == [3, 7, 10]
    at_once = pruning.PolynomialDecay(0.0, 0.5, 3, 3)
    assert at_once.due(3)
    assert at_once.sparsity(3) == 0.5
    constant = pruning.ConstantSparsity(0.4, 2, frequency=3)
    assert [step for step in range(10) if constant.due(step)] == [2, 5, 8]


@pytest.mark.parametrize(
    "make",
    [
        lambda: pruning.PolynomialDecay(0.0, 1.0, 0, 10),
        lambda: pruning.PolynomialDecay(-0.1, 0.5, 0, 10),
        lambda: pruning.PolynomialDecay(0.0, 0.5, 10, 5),
        lambda: pruning.PolynomialDecay(0.0, 0.5, 0, 10, power=0),
        lambda: pruning.PolynomialDecay(0.0, 0.5, 0, 10, frequency=0),
        lambda: pruning.PolynomialDecay(0.0, 0.5, -1, 10),
        lambda: pruning.ConstantSparsity(1.5, 0),
        lambda: Pruning(1.5),
        lambda: Pruning("half"),
        lambda: Pruning(0.5, scope="both"),
    ],
)
def test_a_schedule_that_makes_no_sense_is_refused(make):
    with pytest.raises(ValueError, match="expected"):
        make()


@pytest.mark.parametrize("optimizer", ["adam", "averaged", "accumulated"])
def test_weights_become_zero_step_by_step(optimizer):
    seen = []

    class Watch(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append((int(self.model.optimizer.iterations), patterns(self.model)))

    model = net(optimizer)
    fit(model, 1)
    start = int(model.optimizer.iterations)
    callback = Pruning(pruning.PolynomialDecay(0.2, 0.8, 2, 12, frequency=5), scope="global")
    fit(model, 20 if optimizer == "accumulated" else 5, callbacks=[Watch(), callback])
    share = {step - start: np.concatenate([z.ravel() for z in zeros]).mean() for step, zeros in reversed(seen)}
    assert share[2] == 0
    assert share[3] == pytest.approx(0.2, abs=1e-3)
    assert share[8] == pytest.approx(0.8 - 0.6 * 0.5**3, abs=1e-3)
    assert share[13] == share[max(share)] == pytest.approx(0.8, abs=1e-3)
    for (_, before), (_, after) in itertools.pairwise(seen):
        assert all(b[a].all() for a, b in zip(before, after, strict=True))
    assert callback.sparsity == pytest.approx(0.8)
    assert pruning.sparsity(model).zeros == pytest.approx(0.8, abs=1e-3)


def test_a_number_prunes_from_the_first_batch_on():
    model = net()
    fit(model, 1)
    fit(model, 1, callbacks=[Pruning(0.5, (1, 16))])
    assert pruning.sparsity(model).zero_blocks == pytest.approx(0.5, abs=0.03)


def test_training_that_ends_with_the_schedule_ends_with_its_last_step():
    model = net()
    fit(model, 2, callbacks=[Pruning(pruning.PolynomialDecay(0.0, 0.75, 0, 8, frequency=3))])
    assert pruning.sparsity(model).zeros == 0.75


def test_training_that_ends_too_early_is_told():
    model = net()
    with pytest.warns(RuntimeWarning, match="before the schedule's end_step 100"):
        model.fit(X, Y, epochs=1, verbose=0, callbacks=[Pruning(pruning.PolynomialDecay(0.0, 0.75, 0, 100))])


def test_steps_go_on_in_the_next_fit_with_the_same_callback():
    model, callback = net(), Pruning(pruning.PolynomialDecay(0.0, 0.75, 2, 10, frequency=2))
    fit(model, 1, callbacks=[callback])
    first = pruning.sparsity(model).zeros
    fit(model, 2, callbacks=[callback])
    assert 0 <= first < 0.75 == pruning.sparsity(model).zeros


def test_weights_that_start_as_zeros_train_until_they_are_pruned():
    model = net(kernel_initializer="zeros")
    model.layers[1].kernel.assign(RNG.normal(size=(40, 24)) * 0.1)
    fit(model, 2, callbacks=[Pruning(pruning.ConstantSparsity(0.5, 6))])
    assert (model.layers[0].kernel.numpy() == 0).mean() == 0.5


@pytest.mark.parametrize("optimizer", ["adam", "muon", "averaged"])
def test_a_resumed_run_ends_where_the_whole_run_does(tmp_path, optimizer):
    def train(name, **more):
        model = net(optimizer)
        callback = Pruning(pruning.PolynomialDecay(0.0, 0.8, 2, 15, frequency=4), (1, 16), "global")
        files = keras.callbacks.ModelCheckpoint(tmp_path / name / "{epoch}_{batch}.safetensors", save_freq=3)
        fit(model, 5, callbacks=[callback, files], **more)
        return model, callback

    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    whole, callback = train("a")
    saved = sorted((tmp_path / "a").iterdir())
    assert len(saved) >= 5
    for file in saved:
        again, other = train("b", resume=file)
        assert same(again, whole)
        assert other.sparsity == callback.sparsity


def test_a_train_step_of_ones_own_is_pruned_too():
    class Own(keras.Sequential):
        def train_step(self, data):
            return super().train_step(data)

    keras.utils.set_random_seed(1)
    model = Own([keras.Input((20,)), L.Dense(32, "tanh"), L.Dense(2)])
    model.compile("adam", "mse")
    fit(model, 3, callbacks=[Pruning(pruning.PolynomialDecay(0.0, 0.75, 1, 6, frequency=2))])
    assert pruning.sparsity(model).zeros == pytest.approx(0.75, abs=0.01)


# -- the report ------------------------------------------------------------------------------------------------------


def test_the_report_counts_zeros_and_blocks_of_every_kernel():
    model = net()
    kernel = np.ones((20, 40), np.float32)
    kernel[:5] = 0
    kernel[5:10, 32:] = 0
    kernel[19, 0] = 1e-4
    model.layers[0].kernel.assign(kernel)
    report = pruning.sparsity(model)
    first = report[0]
    assert first.weight == f"{model.layers[0].name}/kernel"
    assert first.shape == (20, 40)
    assert first.zeros == pytest.approx((5 * 40 + 5 * 8) / 800)
    assert first.zero_blocks == pytest.approx((5 * 3 + 5) / 60)
    assert first.dense_bytes == 3200
    assert first.sparse_bytes == 40 * (64 + 4) + 4 * 4
    assert pruning.sparsity(model, threshold=1e-3)[0].zeros == pytest.approx((5 * 40 + 5 * 8 + 1) / 800)
    assert report.zeros == pytest.approx(sum(np.sum(z) for z in patterns(model)) / (800 + 960 + 48))
    assert report.dense_bytes == 4 * (800 + 960 + 48)
    assert len(str(report).splitlines()) == 5
    with pytest.raises(ValueError, match="threshold"):
        pruning.sparsity(model, threshold=-1)


def test_ftrl_and_l1_make_zeros_that_the_report_shows():
    model = net()
    model.compile(keras.optimizers.Ftrl(0.1, l1_regularization_strength=0.01), "mse")
    fit(model, 5)
    assert pruning.sparsity(model).zeros > 0.2
    model = net(kernel_regularizer=keras.regularizers.L1(0.05))
    fit(model, 30)
    assert pruning.sparsity(model, threshold=0.01)[0].zeros > 0.2


# -- compressed models -----------------------------------------------------------------------------------------------


def compressed(model, share=0.7):
    pruning.prune(model, share, (1, 16))
    return pruning.compress(model, most=0.9)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_compressed_model_predicts_the_same(dtype):
    model = net(dtype=dtype)
    fit(model, 1)
    small = compressed(model)
    assert [type(layer) for layer in small.layers] == [BlockSparseDense] * 3
    assert [layer.name for layer in small.layers] == [layer.name for layer in model.layers]
    tolerance = 1e-5 if dtype == "float32" else 1e-13
    x = X.astype(dtype)
    np.testing.assert_allclose(small(x), model(x), atol=tolerance)
    np.testing.assert_allclose(small.predict(x, verbose=0), model.predict(x, verbose=0), atol=tolerance)
    assert small.evaluate(X, Y, verbose=0) == pytest.approx(model.evaluate(X, Y, verbose=0), abs=1e-5)
    for old, new in zip(model.layers, small.layers, strict=True):
        np.testing.assert_array_equal(new.kernel, old.kernel.numpy())
    assert pruning.sparsity(small).zeros == pruning.sparsity(model).zeros


def test_a_row_of_a_compressed_model_has_the_same_bits_in_any_batch():
    small = compressed(net())
    whole = small.predict(X, verbose=0)
    for n in (1, 3, 8, 9, 30):
        assert small.predict(X[:n], batch_size=7, verbose=0).tobytes() == whole[:n].tobytes()
        assert small(X[:n]).tobytes() == whole[:n].tobytes()


def test_only_layers_sparse_enough_are_replaced():
    model = net()
    pruning.prune(model, 0.9, 16, layers=[model.layers[0]])
    small = pruning.compress(model, most=0.5)
    assert [type(layer).__name__ for layer in small.layers] == ["BlockSparseDense", "Dense", "Dense"]
    np.testing.assert_allclose(small(X), model(X), atol=1e-5)
    assert [type(layer).__name__ for layer in pruning.compress(model, most=0.0).layers] == ["Dense"] * 3
    assert [type(layer).__name__ for layer in model.layers] == ["Dense"] * 3


def test_timed_layers_are_replaced_where_almost_nothing_is_left():
    model = keras.Sequential([keras.Input((2000,)), L.Dense(500, "relu"), L.Dense(3)])
    pruning.prune(model, 0.99, 16, layers=[model.layers[0]])
    small = pruning.compress(model)
    assert isinstance(small.layers[0], BlockSparseDense)
    assert type(small.layers[1]) is L.Dense  # of whose blocks none is zero


def test_branches_shared_layers_and_models_inside_are_compressed():
    shared = L.Dense(20, "relu", name="shared")
    inner = keras.Sequential([keras.Input((20,)), L.Dense(32, "elu"), L.LayerNormalization(), L.Dropout(0.5)])
    x = keras.Input((20,))
    deep = inner(shared(shared(x)))
    model = keras.Model(x, [L.Dense(2)(L.Concatenate()([x, deep])), L.Dense(1, activation=L.PReLU())(deep)])
    pruning.prune(model, 0.6, 16)
    small = pruning.compress(model, most=1.0)
    for a, b in zip(small(X), model(X), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    assert sum(isinstance(layer, BlockSparseDense) for layer in small._all_layers()) == 3  # PReLU has weights
    assert small.get_layer("shared") is not shared


@pytest.mark.parametrize("way", ["file", "pickle", "deepcopy", "weights"])
def test_a_compressed_model_survives_files_and_copies(tmp_path, way):
    small = compressed(net(), 0.9)
    path = tmp_path / "m.safetensors"
    if way == "file":
        small.save(path)
        again = keras.models.load_model(path)
        model = net()
        model.save(tmp_path / "dense.safetensors")
        assert path.stat().st_size < (tmp_path / "dense.safetensors").stat().st_size
    elif way == "weights":
        small.save_weights(path)
        again = keras.models.clone_model(small)
        before = again.predict(X, verbose=0)
        again.load_weights(path)
        assert (again.predict(X, verbose=0) != before).any()
    else:
        again = copy.deepcopy(small) if way == "deepcopy" else pickle.loads(pickle.dumps(small))
    assert same(small, again)
    assert again.predict(X, verbose=0).tobytes() == small.predict(X, verbose=0).tobytes()


def test_training_a_compressed_model_moves_its_blocks_and_leaves_where_they_stand():
    small = compressed(net())
    before, zeros = small.layers[0].kernel, small.layers[0].kernel == 0
    first = small.evaluate(X, Y, verbose=0)
    fit(small, 10)
    assert small.evaluate(X, Y, verbose=0) < first
    after = small.layers[0].kernel
    assert (after[zeros] == 0).all()
    assert (after[~zeros] != before[~zeros]).mean() > 0.5  # but for units that nothing reads any more


def test_a_compressed_model_trains_as_the_pruned_one():
    model = net("sgd")
    small = compressed(model)
    for one in (model, small):
        one.compile(keras.optimizers.SGD(0.05), "mse")
        fit(one, 3, shuffle=False)
    for old, new in zip(model.layers, small.layers, strict=True):
        np.testing.assert_allclose(new.kernel, old.kernel.numpy(), atol=1e-5)


def test_another_kernel_with_as_many_blocks_takes_the_place_of_the_first():
    layer = BlockSparseDense(20, blocks=2)
    layer.build((None, 5))
    for rows in ([0, 3], [1, 4]):
        kernel = np.zeros((5, 20), np.float32)
        kernel[rows, 2] = 1.0, 2.0
        layer.set_kernel(kernel)
        np.testing.assert_array_equal(layer.kernel, kernel)
        np.testing.assert_allclose(layer(X[:, :5]), X[:, :5] @ kernel, atol=1e-6)
    with pytest.raises(ValueError, match="with 2 blocks"):
        layer.set_kernel(np.ones((5, 20)))
    with pytest.raises(ValueError, match="of shape"):
        layer.set_kernel(np.ones((5, 21)))
    weights = layer.get_weights()
    weights[2] = np.array([7, 1], np.int32)
    layer.set_weights(weights)
    with pytest.raises(ValueError, match="ascending indices below 5"):
        layer(X[:, :5])


def test_a_layer_of_nothing_but_zeros_is_its_bias():
    model = net()
    model.layers[0].kernel.assign(np.zeros((20, 40)))
    small = pruning.compress(model, most=0.5)
    assert small.layers[0].blocks == 1
    np.testing.assert_allclose(small(X), model(X), atol=1e-6)


def test_what_cannot_be_compressed_is_refused():
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = L.Dense(2)

        def call(self, x):
            return self.dense(x)

    own = Own()
    own(X)
    with pytest.raises(ValueError, match="`call` of its own"):
        pruning.compress(own)
    with pytest.raises(ValueError, match="most in"):
        pruning.compress(net(), most=2)
    with pytest.raises(ValueError, match="rows"):
        pruning.compress(net(), rows=0)
    for blocks in (0, -1, 61, "many"):
        with pytest.raises((ValueError, TypeError), match="blocks"):
            BlockSparseDense(40, blocks=blocks).build((None, 20))
