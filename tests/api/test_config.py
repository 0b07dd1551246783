"""Settings of the process, and what `import hotloop` gives and costs."""

import subprocess
import sys

import numpy as np
import pytest

import hotloop as keras
from hotloop import _core, backend, config


@pytest.fixture(autouse=True)
def _restore():
    before = config.floatx(), config.epsilon(), config.image_data_format()
    yield
    config.set_floatx(before[0])
    config.set_epsilon(before[1])
    config.set_image_data_format(before[2])


def test_defaults_are_keras():
    assert (config.floatx(), config.epsilon(), config.image_data_format()) == ("float32", 1e-7, "channels_last")


def test_floatx_float64_makes_models_compute_in_float64():
    keras.backend.set_floatx("float64")
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, kernel_initializer="ones")])
    assert model.get_weights()[0].dtype == np.float64
    x = np.array([[1.0, 1e-12]])
    assert model.predict(x, verbose=0)[0, 0] - 1.0 == pytest.approx(1e-12, rel=1e-3)


def test_backend_and_config_are_one_setting():
    backend.set_epsilon(1e-3)
    backend.set_image_data_format("channels_first")
    assert (config.epsilon(), config.image_data_format()) == (1e-3, "channels_first")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: config.set_floatx("float16"), "'float32' or 'float64'"),
        (lambda: config.set_epsilon(-1.0), "at least 0"),
        (lambda: config.set_epsilon(float("nan")), "finite"),
        (lambda: config.set_image_data_format("first"), "channels_last"),
    ],
)
def test_a_setting_that_nothing_can_follow_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
    test_defaults_are_keras()


def test_seeds_are_distinct_63_bit_numbers():
    config.set_seed(0)
    seeds = [config.next_seed() for _ in range(1000)]
    assert len(set(seeds)) == 1000
    assert all(0 <= seed < 2**63 for seed in seeds)
    config.set_seed(1)
    assert not set(seeds) & {config.next_seed() for _ in range(1000)}


@pytest.mark.parametrize(
    "path",
    [
        "Input", "Sequential", "Model", "Layer", "Variable", "Loss", "Metric", "Optimizer", "Initializer",
        "layers.Dense", "models.Sequential", "models.clone_model", "models.load_model", "optimizers.SGD",
        "optimizers.schedules.ExponentialDecay", "losses.MeanSquaredError", "metrics.RootMeanSquaredError",
        "callbacks.EarlyStopping", "callbacks.History", "initializers.HeNormal", "activations.relu",
        "utils.to_categorical", "utils.PyDataset", "utils.Progbar", "datasets.mnist.load_data", "config.set_floatx",
        "backend.epsilon", "ops.matmul", "saving.load_model", "FormatError", "DeviceError", "TraceError",
    ],
)  # fmt: skip
def test_the_names_of_keras_are_where_keras_has_them(path):
    value = keras
    for name in path.split("."):
        value = getattr(value, name)
    assert value is not None


def test_every_public_name_exists_and_an_unknown_one_does_not():
    for name in keras.__all__:
        assert getattr(keras, name) is not None
        assert name in dir(keras)
    with pytest.raises(AttributeError, match="no attribute 'layer'"):
        keras.layer  # noqa: B018


def test_import_leaves_alone_what_few_programs_need():
    later = ["tqdm", "safetensors", "pandas", "matplotlib", "argparse", "multiprocessing", "asyncio"]
    later += ["hotloop.datasets", "hotloop.saving", "hotloop.testing", "hotloop.cli"]
    code = f"import sys, hotloop; print(sorted(set({later}) & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


@pytest.mark.parametrize("count", [0, -1, 4097, 2**40])
def test_a_number_of_threads_out_of_range_is_refused(count):
    before = config.num_threads()
    with pytest.raises(ValueError, match=f"from 1 to 4096, received {count}"):
        config.set_num_threads(count)
    assert config.num_threads() == before


@pytest.mark.parametrize("count", [1.5, True, "2"])
def test_a_number_of_threads_is_an_integer(count):
    with pytest.raises(TypeError, match="an integer or None"):
        config.set_num_threads(count)


def test_a_wish_for_threads_is_known_and_taken_back():
    before = config.num_threads()
    many = _core.build_info()["team"] != "serial"
    try:
        for count in (3, np.int64(1)):
            config.set_num_threads(count)
            assert config.num_threads() == (count if many else 1)
    finally:
        config.set_num_threads(None)
    assert config.num_threads() == before
