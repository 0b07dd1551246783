"""ONNX files: accepted by the format's own checker, and the same numbers in ONNX Runtime."""

import pathlib

import numpy as np
import pytest

import hotloop as keras
from export_cases import CASES, Expression, filled, inputs_for, random_network, stack
from hotloop import layers


def run(model, folder, opset=17, inputs=None):
    """Outputs of ONNX Runtime, and of `predict`."""
    onnx, runtime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    path = folder / "model.onnx"
    model.export_onnx(path, opset=opset)
    written = onnx.load(path)
    onnx.checker.check_model(written, full_check=True)
    assert [s.version for s in written.opset_import] == [opset]
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    assert [i.name for i in session.get_inputs()] == [t.name for t in model.inputs]
    arrays = inputs if inputs is not None else inputs_for(model)
    found = session.run(None, dict(zip([i.name for i in session.get_inputs()], arrays, strict=True)))
    expected = model.predict(arrays if len(arrays) > 1 else arrays[0], verbose=0)
    return found, expected if isinstance(expected, list) else [expected]


def assert_close(found, expected, tolerance=1e-5):
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * max(1.0, float(np.abs(b).max())))


@pytest.mark.parametrize("name", CASES)
def test_another_runtime_computes_what_predict_does(name, tmp_path):
    assert_close(*run(CASES[name](), tmp_path))


@pytest.mark.parametrize("seed", range(30))
def test_networks_by_chance_compute_the_same_elsewhere(seed, tmp_path):
    assert_close(*run(random_network(seed), tmp_path))


@pytest.mark.parametrize("opset", [18, 19, 20, 21])
@pytest.mark.parametrize("name", ["branches", "columns", "indices", "sorting", "layer norm", "rms norm", "group norm"])
def test_later_operator_sets_say_the_same(name, opset, tmp_path):
    assert_close(*run(CASES[name](), tmp_path, opset))


def test_a_double_precision_model_stays_one(tmp_path):
    keras.config.set_floatx("float64")
    try:
        model = stack(layers.Dense(5, activation="tanh"), layers.BatchNormalization(), layers.Dense(3, "softmax"))
    finally:
        keras.config.set_floatx("float32")
    assert_close(*run(model, tmp_path), tolerance=1e-12)


def test_a_folded_model_is_a_smaller_file(tmp_path):
    model = stack(layers.Rescaling(0.5), layers.Dense(8, use_bias=False), layers.BatchNormalization(), layers.ReLU())
    assert_close(*run(model.fold(), tmp_path))
    small = (tmp_path / "model.onnx").stat().st_size
    run(model, tmp_path)
    assert small < (tmp_path / "model.onnx").stat().st_size


def test_extreme_inputs_do_not_overflow_elsewhere(tmp_path):
    x = np.array([[-200.0, -30.0, -1e-3, 1e-3, 30.0, 200.0]], np.float32)
    for name in ("silu", "gelu", "mish", "softplus", "log_sigmoid", "squareplus", "softmax", "log_softmax", "elu"):
        assert_close(*run(stack(layers.Activation(name)), tmp_path, inputs=[x]))


def test_computed_codes_outside_of_a_table_give_zeros_as_in_predict(tmp_path):
    model = stack(Expression(lambda x: keras.ops.round(3 * x)), layers.Embedding(4, 3))
    found, expected = run(model, tmp_path)
    assert_close(found, expected)
    assert (expected[0] == 0).all(axis=-1).any()


def test_squareplus_of_large_numbers_is_finite_elsewhere(tmp_path):
    x = np.float32([[1e30, -1e30, 3e38, -3e38, 2e18, -2e18]])
    assert_close(*run(stack(layers.Activation("squareplus")), tmp_path, inputs=[x]))


def test_sparsemax_of_large_numbers_is_no_nan_elsewhere(tmp_path):
    x = np.float32([[0, 1e9, 1, 2, 3, 1e9], [-1e30, 0, 0, -1e30, 0, 0], [3e8, 3e8, 0, 0, 0, 0]])
    assert_close(*run(stack(layers.Activation("sparsemax")), tmp_path, inputs=[x]))


def test_outputs_keep_their_names_whatever_nodes_are_called(tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    model = stack(layers.Rescaling(2.0, 1.0), layers.Dense(3, name="constant"))
    model.export_onnx(tmp_path / "model.onnx")
    session = runtime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    assert [output.name for output in session.get_outputs()] == ["constant"]


def test_weights_and_nodes_are_found_by_the_names_of_layers(tmp_path):
    onnx = pytest.importorskip("onnx")
    model = stack(layers.Dense(3, activation="gelu", name="hidden"), layers.Dense(2, name="top"))
    model.export_onnx(tmp_path / "model.onnx")
    graph = onnx.load(tmp_path / "model.onnx").graph
    arrays = {a.name: onnx.numpy_helper.to_array(a) for a in graph.initializer}
    for variable in model.weights:
        np.testing.assert_array_equal(arrays[variable.path], variable.numpy())
    assert all(node.name.startswith(("hidden/", "top/", "top")) for node in graph.node)
    assert [o.name for o in graph.output] == model.output_names


def test_export_is_keras_name_for_it(tmp_path):
    model = stack(layers.Dense(2))
    model.export(tmp_path / "a.onnx", format="onnx", opset=18)
    model.export_onnx(tmp_path / "b.onnx", opset=18)
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()
    with pytest.raises(ValueError, match=r"\[export\] expected format='onnx', received 'tf_saved_model'"):
        model.export(tmp_path / "c")  # Keras's default
    with pytest.raises((TypeError, ValueError), match="input_signature"):
        model.export(tmp_path / "c", input_signature=[1])


def statistics_of_the_batch():
    x = keras.Input((3,))
    return keras.Model(x, layers.BatchNormalization(name="normalise")(x, training=True))


REFUSED = {
    "strings": (lambda: keras.Sequential([keras.Input((1,), dtype="string"), layers.StringLookup(vocabulary=["a"]),
                                          layers.Embedding(2, 2)]), r"'string_lookup\w*'\] expected codes"),
    "images": (lambda: stack(layers.Resizing(2, 2), shape=(4, 4, 1)), r"'resizing\w*'\].*received 'resample'"),
    "chance": (lambda: stack(Expression(lambda x: layers.Dropout(0.5)(x, training=True))), r"received 'dropout'"),
    "noise": (lambda: stack(Expression(lambda x: x + keras.random.normal(keras.ops.shape(x)))), r"received 'random'"),
    "batch": (lambda: stack(Expression(lambda x: x - keras.ops.mean(x, axis=0))), r"received 'reduce_batch'"),
    "statistics": (statistics_of_the_batch, r"'normalise'\].*received 'batch_norm'"),
    "not built": (lambda: keras.Sequential([layers.Dense(1)]), "not built"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_written_is_named_and_leaves_the_old_file(name, tmp_path):
    make, message = REFUSED[name]
    path = pathlib.Path(tmp_path / "model.onnx")
    path.write_bytes(b"old")
    with pytest.raises(ValueError, match=message):
        make().export_onnx(path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_unknown_operator_set_is_refused(tmp_path):
    for opset, said in ((9, "9"), ("17", "'17'"), (17.0, "17.0")):
        with pytest.raises(ValueError, match=f"opset from 17 to 21, received {said}"):
            stack(layers.Dense(1)).export_onnx(tmp_path / "model.onnx", opset=opset)


def test_exporting_leaves_a_model_as_it_was(tmp_path):
    model = filled(keras.Sequential([keras.Input((6,)), layers.Dense(3), layers.BatchNormalization()]))
    model.compile("sgd", "mse")
    x = inputs_for(model)[0]
    model.fit(x, x[:, :3], verbose=0)
    before, predicted = model.get_weights(), model.predict(x, verbose=0)
    model.export_onnx(tmp_path / "model.onnx")
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    np.testing.assert_array_equal(model.predict(x, verbose=0), predicted)
    model.fit(x, x[:, :3], verbose=0)
