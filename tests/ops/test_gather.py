"""Getting rows in and out: every layout and dtype of array, any order of rows, and one-hot codes."""

from __future__ import annotations

import numpy as np
import pytest

import harness
from harness import SIZES, Case
from hotloop import _core
from hotloop.testing import run_op

NUMBERS = [
    "float16",
    "float32",
    "float64",
    "int8",
    "uint8",
    "int16",
    "uint16",
    "int32",
    "uint32",
    "int64",
    "uint64",
    "bool",
]
ROWS, COLUMNS = 9, 13


def through(arrays, dtype, shape, rows=None, tokens=None, **options):
    """What the engine reads from these arrays: a graph from one input to one output, through one_hot for labels."""
    graph = _core.Graph(dtype)
    value = graph.input(shape, "int32" if tokens else dtype, "x")
    graph.output(graph.add("one_hot", [value], {"num_tokens": tokens, "mode": "one_hot"}) if tokens else value)
    rows = rows or len(arrays[0])
    batch = options.pop("batch_size", rows)
    trainer = _core.Trainer([], dtype)
    out = np.empty((rows, *shape, *([tokens] if tokens else [])), dtype)
    plan = trainer.plan(graph, batch)
    trainer.run(
        plan, _core.Dataset(arrays), 0, -(-rows // batch), batch, rows, outputs=[out], slice_seconds=60, **options
    )
    return out


def values(name, rng):
    if name == "bool":
        return rng.random((ROWS, COLUMNS)) < 0.5
    if name.startswith("float"):
        return rng.standard_normal((ROWS, COLUMNS)).astype(name)
    info = np.iinfo(name)
    return rng.integers(info.min, info.max, (ROWS, COLUMNS), dtype=name, endpoint=True)


@pytest.mark.parametrize("name", NUMBERS)
def test_an_array_of_any_dtype_of_numbers_is_converted(name, dtype, rng):
    x = values(name, rng)
    np.testing.assert_array_equal(through([x], dtype, (COLUMNS,)), x.astype(dtype))


def test_every_float16_number_is_converted(dtype):
    x = np.arange(65536, dtype=np.uint32).astype(np.uint16).view(np.float16).reshape(256, 256)
    with np.errstate(invalid="ignore"):  # NumPy on ARM warns of signalling NaN
        want = x.astype(dtype)
    np.testing.assert_array_equal(through([x], dtype, (256,)), want)


@pytest.mark.parametrize("name", ["uint8", "int32", "int64", "float32", "float64", "bool"])
def test_labels_of_any_dtype_are_converted(name, rng):
    labels = rng.integers(0, 2 if name == "bool" else 120, ROWS).astype(name)
    spread = through([labels], "float32", (), tokens=120)
    np.testing.assert_array_equal(spread, np.eye(120)[labels.astype(int)])


def test_labels_that_int32_cannot_hold_become_none():
    labels = np.array([2.0**32, -1.0, 2.0**63, np.nan, 3.0])
    for array in (labels, np.array([2**32, -1, 2**62, -(2**62), 3]), np.array([2**64 - 1, 2**32, 9, 8, 3], np.uint64)):
        spread = through([array], "float32", (), tokens=4)
        np.testing.assert_array_equal(spread, np.eye(4)[[3]] * (np.arange(5) == 4)[:, None])


def layouts(x):
    """The same numbers in every place and order of memory whose rows are contiguous."""
    bytes_before = np.empty(x.nbytes + 64, np.uint8)
    for offset in (1, 3, x.itemsize):
        unaligned = bytes_before[offset : offset + x.nbytes].view(x.dtype).reshape(x.shape)
        unaligned[...] = x
        yield f"offset {offset}", unaligned
    wide = np.zeros((2 * len(x), x.shape[1] + 5), x.dtype)
    wide[::2, 3:-2] = x
    yield "every second row of a wider array", wide[::2, 3:-2]
    yield "backwards", np.ascontiguousarray(x[::-1])[::-1]
    locked = x.copy()
    locked.flags.writeable = False
    yield "read-only", locked


@pytest.mark.parametrize("name", ["float32", "float64", "uint8", "int64"])
def test_rows_are_read_wherever_they_lie(name, dtype, rng):
    x = values(name, rng)
    for label, array in layouts(x):
        np.testing.assert_array_equal(through([array], dtype, (COLUMNS,)), x.astype(dtype), err_msg=label)


def test_a_row_may_be_repeated_by_a_stride_of_zero(dtype):
    x = np.broadcast_to(np.arange(5.0), (7, 5))
    np.testing.assert_array_equal(through([x], dtype, (5,)), x)


@pytest.mark.parametrize("array", [np.arange(12.0).reshape(3, 4).T, np.zeros((4, 6))[:, ::2]])
def test_rows_that_are_not_contiguous_are_refused(array):
    with pytest.raises(ValueError, match="contiguous"):
        _core.Dataset([array])


@pytest.mark.parametrize("name", ["complex64", "datetime64[s]", "object", "U3", ">f4", "longdouble"])
def test_an_array_that_is_not_of_numbers_is_refused(name):
    with pytest.raises(TypeError, match="array of numbers"):
        _core.Dataset([np.zeros((3, 4), name)])


@pytest.mark.parametrize("batch_size", [1, 2, 5, 9])
def test_rows_arrive_in_the_order_of_the_index(batch_size, dtype, rng):
    x = values("float32", rng)
    index = rng.permutation(ROWS).astype(np.int64)
    got = through([x], dtype, (COLUMNS,), index=_core.RowIndex(index), batch_size=batch_size)
    np.testing.assert_array_equal(got, x[index].astype(dtype))


def test_an_index_beyond_the_data_is_refused(rng):
    for bad in (-1, ROWS, 2**62, -(2**62)):
        with pytest.raises(ValueError, match="row numbers below 9"):
            through([values("float32", rng)], "float32", (COLUMNS,), index=_core.RowIndex([0, bad]), rows=2)


def test_an_output_array_that_is_too_small_is_refused(rng):
    x = values("float32", rng)
    graph = _core.Graph("float32")
    graph.output(graph.input((COLUMNS,), "float32", "x"))
    trainer = _core.Trainer([], "float32")
    plan, data = trainer.plan(graph, ROWS), _core.Dataset([x])
    for out in (np.empty((ROWS - 1, COLUMNS), np.float32), np.empty((ROWS, COLUMNS), np.float64)):
        with pytest.raises(ValueError, match="output array"):
            trainer.run(plan, data, 0, 1, ROWS, ROWS, outputs=[out])
    with pytest.raises(ValueError, match="expected"):
        trainer.run(plan, data, 0, 1, ROWS, ROWS, outputs=[np.empty((ROWS, COLUMNS - 1), np.float32)])


@pytest.mark.parametrize("rows", [1, 2, 31, 300])
@pytest.mark.parametrize("columns", SIZES)
def test_rows_of_any_shape_come_back_unchanged(rows, columns, dtype, rng):
    x = rng.standard_normal((rows, columns)).astype(dtype)
    assert harness.same_bits(through([x], dtype, (columns,)), x)


def codes(rng, shape, tokens=7):
    return rng.integers(0, tokens, shape).astype(np.int32)


@pytest.mark.parametrize("mode", ["one_hot", "multi_hot", "count"])
@pytest.mark.parametrize("shape", [(6,), (6, 1), (6, 3), (4, 2, 1), (4, 2, 5)])
@pytest.mark.parametrize("tokens", [1, 7, 16, 33])
def test_codes_are_spread_into_vectors(mode, shape, tokens, dtype, rng):
    case = Case("one_hot", [codes(rng, shape, tokens)], {"num_tokens": tokens, "mode": mode}, kind="copy")
    harness.check_forward(case, dtype)


@pytest.mark.parametrize("mode", ["one_hot", "multi_hot", "count"])
def test_codes_out_of_range_set_nothing(mode, dtype):
    x = np.array([[-1], [7], [3], [2**31 - 1], [-(2**31)]], np.int32)
    harness.check_forward(Case("one_hot", [x], {"num_tokens": 7, "mode": mode}, kind="copy"), dtype)


def test_codes_are_the_same_for_any_team(dtype, rng):
    case = Case("one_hot", [codes(rng, (2001, 30), 60)], {"num_tokens": 60, "mode": "count"}, wrt=[])
    harness.check_team(case, dtype, rng)


def test_float_codes_are_refused(rng):
    with pytest.raises(ValueError, match="int32"):
        run_op("one_hot", [rng.random((3, 2))], {"num_tokens": 3})
