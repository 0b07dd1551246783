"""The container: a stock-readable ``.safetensors`` file, written atomically and read with suspicion.

Layout (https://huggingface.co/docs/safetensors): a little-endian ``u64`` with the length of the header, the header as
JSON (name -> dtype, shape, data_offsets; ``__metadata__`` maps text to text), then the tensors, row-major, no gaps.
The description of the model is one JSON text under ``__metadata__["hotloop"]``.

The header is checked completely, against the length of the file, before anything of a size named by the file is
allocated. Nothing in a file is executed, imported, unpickled or followed as a path.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from .atomic import atomic_path

KEY = "hotloop"
MAX_HEADER_BYTES = 4 << 20
MAX_TENSORS = 10_000
MAX_RANK = 8
MAX_DEPTH = 32

_DTYPES = {"F16": "<f2", "F32": "<f4", "F64": "<f8", "I8": "i1", "I32": "<i4", "I64": "<i8", "U8": "u1", "U16": "<u2"}
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,200}")
_STRUCTURE = re.compile(rb'["\\{}\[\]]')


class FormatError(ValueError):
    """A model file that is truncated, damaged, hostile, or written by a newer version."""


class Entry(NamedTuple):
    """Where one tensor lies: dtype name of the file, shape, and its bytes ``[begin, end)`` after the header."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


class Header(NamedTuple):
    """A checked header: the JSON text of the model, the tensors in file order, and where their bytes start."""

    text: str
    tensors: dict[str, Entry]
    data_start: int


def refusal(path: object, expected: str, received: str) -> FormatError:
    """The error for a file that is not as it should be; the caller raises it.

    What was received may be another error's message, which then says itself what to do.
    """
    advice = "" if received.endswith((".", "?")) else ". Save the model again."
    return FormatError(f"[load '{path}'] expected {expected}, received {received}{advice}")


# -- JSON that cannot surprise ---------------------------------------------------------------------------------------


def _check_depth(text: bytes, limit: int) -> None:
    """Refuse deep nesting before the recursive parser sees it."""
    depth, in_string, escaped_at = 0, False, -1
    for match in _STRUCTURE.finditer(text):
        at, char = match.start(), match.group()
        if in_string:
            if at == escaped_at:
                continue
            if char == b"\\":
                escaped_at = at + 1
            elif char == b'"':
                in_string = False
        elif char == b'"':
            in_string = True
        elif char in b"{[":
            depth += 1
            if depth > limit:
                raise ValueError(f"nesting deeper than {limit}")
        elif char in b"}]":
            depth -= 1


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a duplicate key")
    return result


def _integer(digits: str) -> int:
    if len(digits) > 20 or not -(2**63) <= int(digits) < 2**64:
        raise ValueError("an integer beyond 64 bits")
    return int(digits)


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError("a number that is not finite")
    return value


def _constant(name: str) -> float:
    raise ValueError(f"the number {name}")


def parse_json(text: bytes, max_depth: int = MAX_DEPTH) -> Any:
    """Parse UTF-8 JSON: no duplicate keys, no NaN or Infinity, 64-bit integers, bounded depth.

    Raises
    ------
    ValueError
        For anything else; the message says what was found.
    """
    _check_depth(text, max_depth)
    return json.loads(
        text.decode("utf-8", errors="strict"),
        object_pairs_hook=_unique,
        parse_int=_integer,
        parse_float=_finite,
        parse_constant=_constant,
    )


# -- reading ---------------------------------------------------------------------------------------------------------


def _entry(path: object, name: str, raw: Any) -> Entry:
    where = f"tensor '{name}'"
    if not isinstance(raw, dict) or set(raw) != {"dtype", "shape", "data_offsets"}:
        raise refusal(path, f"dtype, shape and data_offsets for {where}", repr(raw)[:120])
    dtype, shape, offsets = raw["dtype"], raw["shape"], raw["data_offsets"]
    if dtype not in _DTYPES if isinstance(dtype, str) else True:
        raise refusal(path, f"a dtype of {', '.join(_DTYPES)} for {where}", repr(dtype)[:40])
    if not isinstance(shape, list) or len(shape) > MAX_RANK or not all(type(n) is int and n > 0 for n in shape):
        raise refusal(path, f"a shape of at most {MAX_RANK} positive sizes for {where}", repr(shape)[:120])
    if not isinstance(offsets, list) or len(offsets) != 2 or not all(type(n) is int for n in offsets):
        raise refusal(path, f"two data_offsets for {where}", repr(offsets)[:80])
    n_bytes = math.prod(shape) * np.dtype(_DTYPES[dtype]).itemsize
    if offsets[1] - offsets[0] != n_bytes:
        raise refusal(path, f"{n_bytes} bytes for {where} of shape {tuple(shape)}", f"data_offsets {offsets}")
    return Entry(dtype, tuple(shape), offsets[0], offsets[1])


def _check_cover(path: object, tensors: Mapping[str, Entry], n_bytes: int) -> None:
    """The tensors cover the data exactly: in order, no gap, no overlap, nothing after the last one."""
    at = 0
    for name, entry in sorted(tensors.items(), key=lambda item: item[1][2:]):
        if entry.begin != at:
            raise refusal(path, f"tensor '{name}' to start at byte {at} of the data", f"byte {entry.begin}")
        at = entry.end
    if at != n_bytes:
        raise refusal(path, f"{at} bytes of tensors after the header", f"{n_bytes} bytes")


def _header_text(stream: BinaryIO, path: object, file_bytes: int) -> bytes:
    prefix = stream.read(8)
    length = int.from_bytes(prefix, "little")
    if len(prefix) < 8 or length > file_bytes - 8:
        raise refusal(path, "a complete .safetensors file", f"a file of {file_bytes} bytes that ends before its header")
    if not 2 <= length <= MAX_HEADER_BYTES:
        raise refusal(path, f"a header of at most {MAX_HEADER_BYTES} bytes", f"one of {length} bytes")
    text = stream.read(length)
    if len(text) < length:
        raise refusal(path, f"a header of {length} bytes", f"{len(text)} bytes")
    return text


def read_header(stream: BinaryIO, path: object) -> Header:
    """Read and check the header of an open file; allocates no tensor.

    Raises
    ------
    FormatError
        If anything in it is out of line.
    """
    file_bytes = os.fstat(stream.fileno()).st_size
    text = _header_text(stream, path, file_bytes)
    try:
        raw = parse_json(text, 4)
    except (ValueError, RecursionError) as error:
        raise refusal(path, "a header in JSON", str(error)[:120]) from None
    if not isinstance(raw, dict):
        raise refusal(path, "a JSON object as header", type(raw).__name__)
    metadata = raw.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not isinstance(metadata.get(KEY), str):
        raise refusal(path, f"a file saved by hotloop (a '{KEY}' text in its metadata)", "another .safetensors file")
    if len(raw) > MAX_TENSORS:
        raise refusal(path, f"at most {MAX_TENSORS} tensors", str(len(raw)))
    for name in raw:
        if not _NAME.fullmatch(name):
            raise refusal(path, "tensor names of letters, digits, '_', '-' and '.'", repr(name)[:80])
    tensors = {name: _entry(path, name, entry) for name, entry in raw.items()}
    data_start = 8 + len(text)
    _check_cover(path, tensors, file_bytes - data_start)
    return Header(metadata[KEY], tensors, data_start)


def read_tensor(stream: BinaryIO, path: object, header: Header, name: str) -> np.ndarray:
    """Read one tensor of a checked header into a new array in native byte order."""
    entry = header.tensors[name]
    array = np.empty(entry.shape, _DTYPES[entry.dtype])
    stream.seek(header.data_start + entry.begin)
    if array.size and stream.readinto(array.reshape(-1).view(np.uint8)) != array.nbytes:  # type: ignore[attr-defined]
        raise refusal(path, f"{array.nbytes} bytes for tensor '{name}'", "the end of the file")
    return array.astype(array.dtype.newbyteorder("="), copy=False)


@contextlib.contextmanager
def open_file(path: str | os.PathLike[str]) -> Iterator[tuple[BinaryIO, Header]]:
    """Open a model file and check its header; tensors are read from the same open file afterwards."""
    with open(os.fspath(path), "rb") as stream:
        yield stream, read_header(stream, path)


def inspect(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What a model file says about itself, without building anything.

    Returns
    -------
    dict
        ``{"model": the description as saved, "tensors": {name: (dtype, shape)}}``.

    Raises
    ------
    FormatError
        If the file is damaged.
    FileNotFoundError
        If there is none.
    """
    with open_file(path) as (_, header):
        tensors = {name: (entry.dtype, entry.shape) for name, entry in header.tensors.items()}
        return {"model": parse_description(header, path), "tensors": tensors}


def parse_description(header: Header, path: object) -> dict[str, Any]:
    """The JSON object under ``__metadata__["hotloop"]``."""
    try:
        description = parse_json(header.text.encode())
    except (ValueError, RecursionError) as error:
        raise refusal(path, "a model description in JSON", str(error)[:120]) from None
    if not isinstance(description, dict):
        raise refusal(path, "a JSON object as model description", type(description).__name__)
    return description


# -- writing ---------------------------------------------------------------------------------------------------------


def _storable(name: str, array: np.ndarray) -> np.ndarray:
    wanted = next((code for code in _DTYPES.values() if np.dtype(code) == array.dtype.newbyteorder("<")), None)
    if not _NAME.fullmatch(name) or wanted is None or array.ndim > MAX_RANK or array.size == 0:
        raise ValueError(
            f"[save '{name}'] expected numbers in an array of rank at most {MAX_RANK} that is not empty, received "
            f"dtype {array.dtype}, shape {array.shape}. Convert it before saving."
        )
    return np.asarray(array, dtype=wanted, order="C")


def write_file(path: str | os.PathLike[str], tensors: Mapping[str, np.ndarray], description: Mapping[str, Any]) -> None:
    """Write tensors and a JSON description to `path`, atomically.

    Raises
    ------
    ValueError
        For a dtype, name or description that the reader would refuse; nothing is written.
    OSError
        If the disk refuses; the old file is untouched.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    text = json.dumps(description, allow_nan=False, separators=(",", ":"))
    parse_json(text.encode())
    arrays = {name: _storable(name, np.asarray(array)) for name, array in tensors.items()}
    header_bytes = len(json.dumps(text)) + sum(len(name) + 160 for name in arrays)
    if header_bytes > MAX_HEADER_BYTES or len(arrays) > MAX_TENSORS:
        raise ValueError(
            f"[save '{path}'] expected at most {MAX_TENSORS} tensors and a header of {MAX_HEADER_BYTES} bytes, "
            f"received {len(arrays)} and about {header_bytes}. Split the model."
        )
    with atomic_path(path) as scratch:
        try:
            save_file(arrays, scratch, metadata={KEY: text})
        except SafetensorError as error:
            raise OSError(f"[save '{path}'] expected room to write the file, received: {error}") from error
