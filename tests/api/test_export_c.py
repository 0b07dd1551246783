"""C files: compiled without a warning, and the same numbers as `predict`."""

import ctypes
import math
import pathlib
import re
import shutil
import subprocess

import numpy as np
import pytest

import hotloop as keras
from export_cases import CASES, Expression, inputs_for, random_network, stack
from hotloop import layers

FLAGS = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-O2"]


def compiled(model, folder, name="net", **options):
    """The library of a model, and its header."""
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed: exported C is not compiled")
    model.export_c(folder / f"{name}.c", **options)
    command = ["gcc", *FLAGS, "-shared", "-fPIC", f"{name}.c", "-o", f"{name}.so", "-lm"]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return ctypes.CDLL(str(folder / f"{name}.so")), (folder / f"{name}.h").read_text()


def run(model, folder, inputs=None, batch=True, **options):
    """Outputs of the compiled function, and of `predict`."""
    library, header = compiled(model, folder, **options)
    arrays = inputs if inputs is not None else inputs_for(model)
    expected = model.predict(arrays if len(arrays) > 1 else arrays[0], verbose=0)
    expected = expected if isinstance(expected, list) else [expected]
    arrays = [np.ascontiguousarray(a, np.int32 if a.dtype == np.int32 else np.float32) for a in arrays]
    found = [np.full(e.shape, np.nan, np.float32) for e in expected]
    scratch = re.search(r"_SCRATCH (\d+)", header)
    room = [] if scratch is None else [np.empty(int(scratch[1]), np.float32)]
    rows = len(arrays[0])

    def at(row):
        pointers = [ctypes.c_void_p(a.ctypes.data + row * (a.nbytes // rows)) for a in (*arrays, *found)]
        return pointers + [ctypes.c_void_p(a.ctypes.data) for a in room]

    if batch:
        library.net_batch(ctypes.c_size_t(rows), *at(0))
    else:
        for row in range(rows):
            library.net(*at(row))
    return found, expected


def assert_close(found, expected, tolerance=1e-5):
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * max(1.0, float(np.abs(b).max())))


@pytest.mark.parametrize("name", CASES)
def test_compiled_c_computes_what_predict_does(name, tmp_path):
    assert_close(*run(CASES[name](), tmp_path))


@pytest.mark.parametrize("seed", range(12))
def test_networks_by_chance_compute_the_same_in_c(seed, tmp_path):
    assert_close(*run(random_network(seed), tmp_path, batch=False))


def digits_network(width=32, activation="relu"):
    """Batch-normalised, trained a little on half of the digits; and the other half."""
    (x, y), (x_test, _) = keras.datasets.digits.load_data()
    model = keras.Sequential([keras.Input((8, 8)), layers.Rescaling(1 / 16), layers.Flatten(), layers.Dropout(0.1)])
    for units in (width, width // 2):
        model.add(layers.Dense(units, use_bias=False))
        model.add(layers.BatchNormalization(momentum=0.9))
        model.add(layers.Activation(activation))
    model.add(layers.Dense(10, activation="softmax"))
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(x, y, epochs=2, verbose=0)
    return model, x_test.astype(np.float32)


def test_a_trained_classifier_of_digits_is_folded_on_the_way(tmp_path):
    model, x = digits_network(activation="elu")
    assert_close(*run(model, tmp_path, [x]))
    source = (tmp_path / "net.c").read_text()
    body = source[source.index("void net(") :]
    assert body.count("dense(") == 3
    assert body.count("for (size_t i0") == 2  # the activations


def dense_int8(x, layer):
    """What a dense layer of 8-bit kernels computes, in the order of operations of the C code."""
    kernel, bias = layer.get_weights()
    scale = np.abs(kernel).max(axis=0) / 127
    w = np.clip(np.rint(kernel / np.where(scale == 0, 1, scale)), -127, 127).astype(np.int32)
    most = np.abs(x).max(axis=1, keepdims=True)
    q = np.rint(x / np.where(most == 0, 1, most) * np.float32(127)).astype(np.int32)
    return (q @ w).astype(np.float32) * (most / np.float32(127) * scale.astype(np.float32)) + bias


def test_int8_is_the_arithmetic_that_is_promised(tmp_path):
    model, x = digits_network()
    (found,), (exact,) = run(model, tmp_path, [x], dtype="int8")
    folded = model.fold()
    dense = [layer for layer in folded.layers if isinstance(layer, layers.Dense)]
    y = x.reshape(len(x), 64)
    for layer in dense[:-1]:
        y = np.maximum(dense_int8(y, layer), 0)
    logits = dense_int8(y, dense[-1])
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    np.testing.assert_allclose(found, e / e.sum(axis=1, keepdims=True), rtol=1e-5, atol=1e-6)
    assert np.abs(found - exact).max() < 0.05
    assert (found.argmax(axis=1) == exact.argmax(axis=1)).mean() > 0.98
    assert np.abs(found - exact).max() > 1e-5


@pytest.mark.parametrize("name", ["dense of rows", "branches", "columns", "weights of weights", "subclass", "nested"])
def test_int8_is_near_the_exact_outputs(name, tmp_path):
    assert_close(*run(CASES[name](), tmp_path, dtype="int8"), tolerance=0.05)


def pruned(which):
    """A network whose first kernel has zeros, and its number of bytes as floats."""
    model = stack(layers.Dense(40, activation="tanh"), layers.Dense(3), shape=(50,))
    kernel, *rest = model.get_weights()
    rng = np.random.default_rng(0)
    if which == "elements":
        kernel[rng.random(kernel.shape) < 0.9] = 0
    elif which == "inputs":
        kernel[rng.random(50) < 0.5] = 0
    elif which == "everything":
        kernel[:] = 0
    model.set_weights([kernel, *rest])
    return model


HELPERS = {"nothing": "dense", "elements": "dense_sparse", "inputs": "dense_rows", "everything": "dense"}


@pytest.mark.parametrize("dtype", ["float32", "int8"])
@pytest.mark.parametrize("which", HELPERS)
def test_zeros_of_a_pruned_network_are_not_written(which, dtype, tmp_path):
    model = pruned(which)
    assert_close(*run(model, tmp_path, dtype=dtype), tolerance=1e-5 if dtype == "float32" else 0.05)
    source = (tmp_path / "net.c").read_text()
    helper = HELPERS[which]
    if dtype == "int8":
        helper = helper.replace("dense", "dense_int8").replace("rows", "columns")
    assert f"{helper}(1, 50, 40" in source
    size = int(re.search(r"_w\[(\d+)\]", source)[1])
    assert size == 50 * 40 if which in ("nothing", "everything") else size < 0.7 * 50 * 40


@pytest.mark.parametrize("dtype", ["float32", "int8"])
def test_a_large_workspace_is_the_callers(dtype, tmp_path):
    model = stack(layers.Dense(5000, activation="relu"), layers.Dense(4500, activation="tanh"), layers.Dense(2))
    model.layers[1].kernel.assign(model.layers[1].kernel.numpy() * (np.arange(4500) % 100 == 0))  # a smaller file
    assert_close(*run(model, tmp_path, dtype=dtype), tolerance=1e-5 if dtype == "float32" else 0.05)
    header = (tmp_path / "net.h").read_text()
    assert "float *scratch);" in header
    assert int(re.search(r"NET_SCRATCH (\d+)", header)[1]) <= 5000 + 4500 + 5000 // 4 + 1


MAIN = """
#include "net.h"
#include <stdio.h>
#include <stdlib.h>

int main(void)
{{
    {declared}
    {filled}
    net({passed});
    {printed}
    {freed}
    return 0;
}}
"""


@pytest.mark.parametrize("dtype", ["float32", "int8"])
@pytest.mark.parametrize("name", ["branches", "columns", "indices", "sorting", "group norm", "activation sparsemax",
                                  "embedding outside"])  # fmt: skip
def test_sanitizers_find_nothing_in_c_that_is_called_from_c(name, dtype, tmp_path):
    outside = stack(Expression(lambda x: 1e10 * x), layers.Embedding(4, 3))
    model = outside if name == "embedding outside" else CASES[name]()
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed: exported C is not compiled")
    model.export_c(tmp_path / "net", dtype=dtype)
    header = (tmp_path / "net.h").read_text()
    arrays = dict(zip(re.findall(r"const \w+ \*(\w+)[,)]", header.split("void net(")[1]), inputs_for(model, rows=1),
                      strict=False))  # fmt: skip
    outputs = {y: int(re.search(rf"NET_{y.upper()}_SIZE (\d+)", header)[1])
               for y in dict.fromkeys(re.findall(r"[ ,(]float \*(\w+)", header)) if y not in arrays}  # fmt: skip
    kinds = {x: "int32_t" if a.dtype == np.int32 else "float" for x, a in arrays.items()}
    sizes = {**{x: a.size for x, a in arrays.items()}, **outputs}
    declared = [f"{kinds.get(n, 'float')} *{n} = malloc({size} * sizeof *{n});" for n, size in sizes.items()]
    filled = [f"{x}[{i}] = {v!r};" for x, a in arrays.items() for i, v in enumerate(a.ravel().tolist())]
    printed = [f'for (int i = 0; i < {n}; ++i) printf("%.9g\\n", (double){y}[i]);' for y, n in outputs.items()]
    text = MAIN.format(
        declared="\n    ".join(declared), filled="\n    ".join(filled), passed=", ".join(sizes),
        printed="\n    ".join(printed), freed=" ".join(f"free({n});" for n in sizes),
    )  # fmt: skip
    (tmp_path / "main.c").write_text(text)
    checks = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-std=c99", "-g"]
    built = subprocess.run(["gcc", *checks, "main.c", "net.c", "-o", "main", "-lm"], cwd=tmp_path, capture_output=True,
                           text=True)  # fmt: skip
    if "asan" in built.stderr or "ubsan" in built.stderr:
        pytest.skip("gcc has no sanitizers here")
    assert built.returncode == 0, built.stderr
    ran = subprocess.run(["./main"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    values = np.array([float(v) for v in ran.stdout.split()], np.float32)
    given = list(arrays.values())
    expected = model.predict(given if len(given) > 1 else given[0], verbose=0)
    expected = expected if isinstance(expected, list) else [expected]
    sections = np.split(values, np.cumsum([math.prod(e.shape) for e in expected])[:-1])
    assert_close([s.reshape(e.shape) for s, e in zip(sections, expected, strict=True)], expected,
                 1e-5 if dtype == "float32" else 0.05)  # fmt: skip


def test_a_double_precision_model_is_written_in_float32(tmp_path):
    keras.config.set_floatx("float64")
    try:
        model = stack(layers.Dense(5, activation="gelu"), layers.BatchNormalization(), layers.Dense(3, "softmax"))
    finally:
        keras.config.set_floatx("float32")
    assert_close(*run(model, tmp_path))


@pytest.mark.parametrize("dtype", ["float32", "int8"])
def test_nan_and_zeros_come_out_as_they_go_in(dtype, tmp_path):
    x = np.array([[np.nan, 1, 2], [0, 0, 0], [1, np.nan, 3]], np.float32)
    model = stack(layers.Dense(4, activation="tanh"), layers.Dense(2), shape=(3,))
    library, _ = compiled(model, tmp_path, dtype=dtype)
    y = np.zeros((3, 2), np.float32)
    library.net_batch(ctypes.c_size_t(3), ctypes.c_void_p(x.ctypes.data), ctypes.c_void_p(y.ctypes.data))
    assert np.isnan(y[[0, 2]]).all()
    np.testing.assert_allclose(y[1:2], model.predict(x[1:2], verbose=0), atol=1e-5 if dtype == "float32" else 0.05)


def test_a_name_that_c_does_not_take_is_refused(tmp_path):
    model = stack(layers.Dense(1))
    for name in ("3net", "my net", "dense", "while", "class", "w3", "", "x", "i", "main", "expf", "memcpy", "size_t"):
        with pytest.raises(ValueError, match=r"\[export_c\] expected a name that C takes"):
            model.export_c(tmp_path / "net", name=name)
    with pytest.raises(ValueError, match="expected dtype 'float32' or 'int8', received 'float16'"):
        model.export_c(tmp_path / "net", dtype="float16")
    assert not list(tmp_path.iterdir())
    model.export_c(tmp_path / "my-net.v2.c")
    assert "void my_net_v2(const float *x, float *y);" in (tmp_path / "my-net.v2.h").read_text()


def test_a_file_name_that_include_does_not_take_is_refused(tmp_path):
    for name in ('a"b.c', "a\nb.c", "a\\b.c"):
        with pytest.raises(ValueError, match=r"\[export_c\] expected a file name that #include takes"):
            stack(layers.Dense(1)).export_c(tmp_path / name, name="net")
    assert not list(tmp_path.iterdir())


def test_inputs_whose_names_c_cannot_tell_apart_stay_apart(tmp_path):
    inputs = [keras.Input((width,), name=name) for width, name in enumerate(("a_b_2", "a b", "a-b", "A b"), start=1)]
    model = keras.Model(inputs, layers.Dense(2)(layers.Concatenate()(inputs)))
    assert_close(*run(model, tmp_path))


def test_an_input_that_nothing_reads_compiles_without_a_warning(tmp_path):
    read, unread = keras.Input((3,), name="read"), keras.Input((2,), name="unread")
    assert_close(*run(keras.Model([read, unread], layers.Dense(2)(read)), tmp_path))


def test_names_of_layers_do_not_leave_their_comment(tmp_path):
    assert_close(*run(stack(layers.Dense(2, name="a\n\u202e#define x")), tmp_path))


def test_squareplus_of_large_numbers_is_finite_in_c(tmp_path):
    x = np.float32([[1e30, -1e30, 3e38, -3e38, 2e18, -2e18]])
    assert_close(*run(stack(layers.Activation("squareplus")), tmp_path, [x]))


def test_sparsemax_of_large_numbers_is_no_nan_in_c(tmp_path):
    x = np.float32([[0, 1e9, 1, 2, 3, 1e9], [-1e30, 0, 0, -1e30, 0, 0], [3e8, 3e8, 0, 0, 0, 0]])
    assert_close(*run(stack(layers.Activation("sparsemax")), tmp_path, [x]))


def test_features_of_very_different_sizes_survive_int8(tmp_path):
    rng = np.random.default_rng(0)
    age, income, share = rng.uniform(18, 90, 200), rng.normal(6e4, 2e4, 200), rng.uniform(size=200)
    x = np.stack([age, income, share, rng.normal(1.6e9, 1e7, 200)], 1).astype(np.float32)
    norm = layers.Normalization()
    norm.adapt(x)
    body = [layers.Dense(16, activation="relu"), layers.BatchNormalization(), layers.Dense(3, activation="softmax")]
    model = keras.Sequential([keras.Input((4,)), norm, *body])
    assert_close(*run(model, tmp_path, [x], dtype="int8"), 0.03)


def test_what_cannot_be_written_leaves_the_old_files(tmp_path):
    (tmp_path / "net.c").write_text("old")
    with pytest.raises(ValueError, match=r"'resizing\w*'\].*received 'resample'"):
        stack(layers.Resizing(2, 2), shape=(4, 4, 1)).export_c(tmp_path / "net.c")
    broken = stack(layers.Dense(1))
    broken.set_weights([np.full((6, 1), np.nan), np.zeros(1)])
    with pytest.raises(ValueError, match="finite weights"):
        broken.export_c(tmp_path / "net.c")
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("net.c", "old")]


def test_the_program_of_the_guide_compiles_and_prints_probabilities(tmp_path):
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed: exported C is not compiled")
    model, _ = digits_network()
    model.export_c(tmp_path / "digits.c")
    guide = pathlib.Path(__file__).resolve().parents[2] / "docs" / "guide.md"
    (program,) = re.findall(r"^```c\n(.*?)^```", guide.read_text(), re.MULTILINE | re.DOTALL)
    (tmp_path / "main.c").write_text(program)
    subprocess.run(["gcc", *FLAGS, "main.c", "digits.c", "-o", "main", "-lm"], cwd=tmp_path, check=True)
    printed = subprocess.run(["./main"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    expected = model.predict(np.zeros((1, 8, 8)), verbose=0)[0]
    np.testing.assert_allclose([float(line.split()[1]) for line in printed.splitlines()], expected, atol=6e-4)
