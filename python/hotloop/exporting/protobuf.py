"""The messages of an ONNX file, in the wire format of Protocol Buffers; numbers of fields are those of onnx.proto."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any

import numpy as np

_TENSOR_TYPES = {"float32": 1, "int32": 6, "int64": 7, "bool": 9, "float64": 11}
_FLOAT, _INT, _STRING, _FLOATS, _INTS = 1, 2, 3, 6, 7  # of attributes


def _varint(number: int) -> bytes:
    number &= (1 << 64) - 1  # negative ones are written as 64 bits
    parts = bytearray()
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    parts.append(number)
    return bytes(parts)


def _integer(field: int, number: int) -> bytes:
    return _varint(field << 3) + _varint(number)


def _float(field: int, number: float) -> bytes:
    return _varint(field << 3 | 5) + struct.pack("<f", number)


def _block(field: int, content: bytes | str) -> bytes:
    """A string, or a message inside another one."""
    content = content.encode() if isinstance(content, str) else content
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def tensor(name: str, array: np.ndarray) -> bytes:
    """TensorProto."""
    dims = b"".join(_integer(1, n) for n in array.shape)
    raw = array.astype(array.dtype.newbyteorder("<")).tobytes()
    return dims + _integer(2, _TENSOR_TYPES[array.dtype.name]) + _block(8, name) + _block(9, raw)


def value_info(name: str, dtype: str, shape: Iterable[int | None]) -> bytes:
    """ValueInfoProto of a tensor; None is the batch, whose size is not known."""
    dims = b"".join(_block(1, _block(2, "batch") if n is None else _integer(1, n)) for n in shape)
    return _block(1, name) + _block(2, _block(1, _integer(1, _TENSOR_TYPES[dtype]) + _block(2, dims)))


def _attribute(name: str, value: Any) -> bytes:
    head = _block(1, name)
    if isinstance(value, str):
        return head + _block(4, value) + _integer(20, _STRING)
    if isinstance(value, float):
        return head + _float(2, value) + _integer(20, _FLOAT)
    if isinstance(value, int):
        return head + _integer(3, value) + _integer(20, _INT)
    if value and isinstance(value[0], float):
        return head + b"".join(_float(7, x) for x in value) + _integer(20, _FLOATS)
    return head + b"".join(_integer(8, x) for x in value) + _integer(20, _INTS)


def node(op: str, inputs: Iterable[str], outputs: Iterable[str], name: str, attributes: dict[str, Any]) -> bytes:
    """NodeProto; attributes are numbers, strings, or lists of numbers."""
    parts = [_block(1, x) for x in inputs] + [_block(2, y) for y in outputs] + [_block(3, name), _block(4, op)]
    return b"".join(parts + [_block(5, _attribute(key, value)) for key, value in attributes.items()])


def graph(name: str, nodes: list[bytes], arrays: list[bytes], inputs: list[bytes], outputs: list[bytes]) -> bytes:
    """GraphProto."""
    fields = [(1, nodes), (5, arrays), (11, inputs), (12, outputs)]
    return b"".join([_block(field, part) for field, parts in fields for part in parts] + [_block(2, name)])


def model(of: bytes, opset: int, ir_version: int, producer: str, version: str) -> bytes:
    """ModelProto."""
    head = _integer(1, ir_version) + _block(2, producer) + _block(3, version)
    return head + _block(7, of) + _block(8, _block(1, "") + _integer(2, opset))
