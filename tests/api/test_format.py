"""The container: what the strict reader takes and refuses, and that a save is all or nothing."""

import json
import os
import subprocess
import sys
import textwrap
import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hotloop.saving import format as container
from hotloop.saving.atomic import atomic_path
from hotloop.saving.format import FormatError

ARRAYS = {
    "layers.0.kernel": np.arange(12, dtype=np.float32).reshape(3, 4),
    "layers.0.bias": np.array([1.5, -2.0], np.float64),
    "step": np.array(7, np.int64),
    "half": np.ones((1, 2, 3), np.float16),
    "bytes": np.array([255, 0], np.uint8),
}
DESCRIPTION = {"format_version": 1, "text": 'größe " \\ \n', "numbers": [1, -2.5, None, True]}


def encode(header, data=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + data


def entry(shape, begin, end, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


META = {"hotloop": "{}"}


def read_all(path):
    with container.open_file(path) as (stream, header):
        tensors = {name: container.read_tensor(stream, path, header, name) for name in header.tensors}
        return container.parse_description(header, path), tensors


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "m.safetensors"
    container.write_file(path, ARRAYS, DESCRIPTION)
    return path


def test_everything_written_comes_back_bit_for_bit(saved):
    description, tensors = read_all(saved)
    assert description == DESCRIPTION
    assert tensors.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert tensors[name].dtype == array.dtype
        assert tensors[name].shape == array.shape
        assert tensors[name].tobytes() == array.tobytes()
        assert tensors[name].flags.writeable


def test_stock_safetensors_reads_the_file(saved):
    from safetensors import safe_open

    with safe_open(str(saved), framework="numpy") as stock:
        assert set(stock.keys()) == set(ARRAYS)
        np.testing.assert_array_equal(stock.get_tensor("layers.0.kernel"), ARRAYS["layers.0.kernel"])
        assert json.loads(stock.metadata()["hotloop"]) == DESCRIPTION


def test_views_and_foreign_byte_orders_are_saved_by_value(tmp_path):
    base = np.arange(24, dtype=np.float32).reshape(4, 6)
    arrays = {"t": base.T, "s": base[::2, ::-3], "big": base.astype(">f4"), "fortran": np.asfortranarray(base)}
    container.write_file(tmp_path / "v", arrays, {})
    for name, tensor in read_all(tmp_path / "v")[1].items():
        np.testing.assert_array_equal(tensor, arrays[name])


@pytest.mark.parametrize(
    "array",
    [np.zeros(2, bool), np.zeros(2, complex), np.array(["a"]), np.array([{}]), np.zeros((0, 3)), np.zeros((1,) * 9)],
)
def test_arrays_the_reader_would_refuse_are_not_written(tmp_path, array):
    with pytest.raises(ValueError, match=r"\[save 'x'\]"):
        container.write_file(tmp_path / "f", {"x": array}, {})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("description", [{"a": float("nan")}, {"a": 2**70}, {"a": {1, 2}}])
def test_descriptions_the_reader_would_refuse_are_not_written(tmp_path, description):
    with pytest.raises((ValueError, TypeError)):
        container.write_file(tmp_path / "f", {}, description)
    assert list(tmp_path.iterdir()) == []


DEEP = b'{"__metadata__":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
HOSTILE = {
    "empty": b"",
    "seven bytes": b"\2\0\0\0\0\0\0",
    "no header": encode(b"", length=2),
    "header length 2^63": encode(b"{}", length=2**63),
    "header length 2^64-1": encode(b"{}", length=2**64 - 1),
    "header longer than the limit": encode(b" " * (container.MAX_HEADER_BYTES + 1)),
    "not JSON": encode(b"{'a': 1}"),
    "not UTF-8": encode(b'{"__metadata__": {"hotloop": "\xff"}}'),
    "not an object": encode(b"[1]"),
    "deep": encode(DEEP),
    "deep in the text": encode({"__metadata__": {"hotloop": "[" * 100_000}}),
    "huge integer": encode(b'{"__metadata__": {"hotloop": "{}"}, "a": ' + b"9" * 100_000 + b"}"),
    "no metadata": encode({"a": entry([1], 0, 4)}, bytes(4)),
    "someone else's": encode({"__metadata__": {"format": "pt"}, "a": entry([1], 0, 4)}, bytes(4)),
    "metadata not text": encode({"__metadata__": {"hotloop": {"a": 1}}}),
    "duplicate tensor": encode(
        b'{"__metadata__":{"hotloop":"{}"},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},'
        b'"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}',
        bytes(1),
    ),
    "duplicate key in an entry": encode(
        b'{"__metadata__":{"hotloop":"{}"},"a":{"dtype":"U8","shape":[1],"shape":[1],"data_offsets":[0,1]}}', bytes(1)
    ),
    "extra key in an entry": encode({"__metadata__": META, "a": {**entry([1], 0, 4), "file": "/etc/passwd"}}, bytes(4)),
    "path as a name": encode({"__metadata__": META, "../../a": entry([1], 0, 4)}, bytes(4)),
    "empty name": encode({"__metadata__": META, "": entry([1], 0, 4)}, bytes(4)),
    "long name": encode({"__metadata__": META, "a" * 201: entry([1], 0, 4)}, bytes(4)),
    "unknown dtype": encode({"__metadata__": META, "a": entry([1], 0, 16, "C128")}, bytes(16)),
    "dtype no text": encode({"__metadata__": META, "a": entry([1], 0, 4, ["F32"])}, bytes(4)),
    "negative size": encode({"__metadata__": META, "a": entry([-1, -1], 0, 4)}, bytes(4)),
    "fractional size": encode({"__metadata__": META, "a": entry([1.0], 0, 4)}, bytes(4)),
    "true as a size": encode({"__metadata__": META, "a": entry([True], 0, 4)}, bytes(4)),
    "size nan": encode(
        b'{"__metadata__":{"hotloop":"{}"},"a":{"dtype":"U8","shape":[NaN],"data_offsets":[0,1]}}', bytes(1)
    ),
    "sizes whose product wraps to 0": encode({"__metadata__": META, "a": entry([2**32, 2**32], 0, 0)}),
    "sizes whose product wraps to 4": encode({"__metadata__": META, "a": entry([2**62 + 1], 0, 4)}, bytes(4)),
    "a size of 0 beside 2^62": encode({"__metadata__": META, "a": entry([2**62, 0], 0, 0)}),
    "huge but absent": encode({"__metadata__": META, "a": entry([2**40], 0, 2**42)}, bytes(64)),
    "high rank": encode({"__metadata__": META, "a": entry([1] * 1000, 0, 4)}, bytes(4)),
    "offsets backwards": encode({"__metadata__": META, "a": entry([1], 4, 0)}, bytes(4)),
    "offsets negative": encode({"__metadata__": META, "a": entry([1], -4, 0)}, bytes(4)),
    "offsets overlap": encode({"__metadata__": META, "a": entry([2], 0, 8), "b": entry([1], 4, 8)}, bytes(8)),
    "the same bytes twice": encode({"__metadata__": META, "a": entry([2], 0, 8), "b": entry([2], 0, 8)}, bytes(8)),
    "a gap": encode({"__metadata__": META, "a": entry([1], 0, 4), "b": entry([1], 8, 12)}, bytes(12)),
    "bytes after the end": encode({"__metadata__": META, "a": entry([1], 0, 4)}, bytes(5)),
    "bytes missing": encode({"__metadata__": META, "a": entry([2], 0, 8)}, bytes(7)),
    "more tensors than allowed": encode(
        {"__metadata__": META} | {f"t{i}": entry([1], i, i + 1, "U8") for i in range(10_001)}, bytes(10_001)
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_in_words_and_little_memory(tmp_path, name):
    path = tmp_path / "hostile.safetensors"
    path.write_bytes(HOSTILE[name])
    tracemalloc.start()
    try:
        with pytest.raises(FormatError, match=r"expected .*received") as caught:
            container.inspect(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 1000
    assert peak < 2 * len(HOSTILE[name]) + (16 << 20)


@pytest.mark.parametrize(
    "text", ['{"a": 1, "a": 2}', '{"a": NaN}', '{"a": -Infinity}', '{"a": 1e999}', "[]", "{", "\ud800"]
)
def test_a_hostile_description_is_refused(tmp_path, text):
    path = tmp_path / "hostile.safetensors"
    path.write_bytes(encode({"__metadata__": {"hotloop": text}}))
    with pytest.raises(FormatError, match=r"expected .*received"):
        container.inspect(path)


def test_every_truncation_is_refused(saved, tmp_path):
    whole = saved.read_bytes()
    cut = tmp_path / "cut"
    for n in range(len(whole)):
        cut.write_bytes(whole[:n])
        with pytest.raises(FormatError):
            container.inspect(cut)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_flipped_bytes_are_refused_or_read_as_whole_tensors(saved, tmp_path, data):
    whole = bytearray(saved.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "flipped"
    path.write_bytes(whole)
    try:
        _, tensors = read_all(path)
    except FormatError:
        return
    assert sum(tensor.nbytes for tensor in tensors.values()) <= len(whole)


JSON_LEAVES = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text()
JSON_VALUES = st.recursive(JSON_LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))


@settings(max_examples=200, deadline=None)
@given(JSON_VALUES)
def test_parse_json_agrees_with_json_on_good_text(value):
    assert container.parse_json(json.dumps(value).encode(), 200) == value


def test_brackets_inside_strings_are_not_nesting():
    assert container.parse_json(json.dumps({"a": "[" * 500 + '\\"' * 50 + "{"}).encode(), 2)["a"].startswith("[[")
    with pytest.raises(ValueError, match="nesting"):
        container.parse_json(b'["\\\\", [[1]]]', 2)


# -- atomic ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["fsync", "replace", "open"])
def test_a_save_that_fails_leaves_the_old_file_and_no_other(saved, monkeypatch, name):
    before = saved.read_bytes()

    def fail(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, name, fail)
    with pytest.raises(OSError, match="No space"):
        container.write_file(saved, {"a": np.ones(3)}, {})
    monkeypatch.undo()
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]


def test_a_full_disk_leaves_the_old_file(saved):
    before = saved.read_bytes()
    script = f"""
        import resource, signal
        import numpy as np
        from hotloop.saving import format as container
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        try:
            container.write_file({str(saved)!r}, {{"a": np.ones(100_000)}}, {{}})
        except OSError:
            print("refused")
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "refused"
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]


@pytest.mark.parametrize("moment", ["before write", "after write", "before replace", "after replace"])
def test_a_process_killed_while_saving_leaves_the_old_file_or_the_new_one(saved, moment):
    script = f"""
        import os, signal
        import numpy as np
        import safetensors.numpy
        from hotloop.saving import format as container
        die = lambda: os.kill(os.getpid(), signal.SIGKILL)
        def around(module, name, before):
            real = getattr(module, name)
            def stub(*args, **kwargs):
                if before: die()
                real(*args, **kwargs)
                die()
            setattr(module, name, stub)
        target = (safetensors.numpy, "save_file") if "write" in {moment!r} else (os, "replace")
        around(*target, {moment.startswith("before")})
        container.write_file({str(saved)!r}, {{"new": np.ones(100_000)}}, {{"new": 1}})
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True)
    assert done.returncode == -9
    description, tensors = read_all(saved)
    expected = ({"new": 1}, {"new"}) if moment == "after replace" else (DESCRIPTION, set(ARRAYS))
    assert (description, set(tensors)) == expected


def test_saving_through_a_link_writes_the_file_it_points_to(saved, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(saved)
    container.write_file(link, {"a": np.ones(1)}, {"linked": True})
    assert link.is_symlink()
    assert container.inspect(saved)["model"] == {"linked": True}


def test_a_saved_file_has_the_ordinary_permissions(saved):
    mask = os.umask(0)
    os.umask(mask)
    assert saved.stat().st_mode & 0o777 == 0o666 & ~mask


def test_an_interrupt_while_writing_leaves_nothing_behind(tmp_path):
    def interrupted():
        with atomic_path(tmp_path / "f") as scratch:
            scratch.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_reading_a_large_file_takes_memory_for_its_tensors_once(tmp_path):
    path = tmp_path / "large"
    container.write_file(path, {"a": np.zeros(4_000_000, np.float32)}, {})
    tracemalloc.start()
    read_all(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16_000_000 + (1 << 20)
