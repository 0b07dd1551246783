"""TensorBoard's event files, written by hand: protocol buffers in records with checksums.

A record is the length of the data (u64), its checksum, the data and its checksum, all little-endian; a checksum is
CRC-32C (Castagnoli), rotated and shifted. The data is one `Event` message. Field numbers are those of TensorFlow's
`event.proto` and `summary.proto`.
"""

from __future__ import annotations

import itertools
import os
import socket
import struct
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

_BUCKETS = 30
_serial = itertools.count()


def _table() -> list[int]:
    rows = []
    for byte in range(256):
        for _ in range(8):
            byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)
        rows.append(byte)
    return rows


_TABLE = _table()


def crc32c(data: bytes) -> int:
    """CRC-32C of the bytes.

    Examples
    --------
    >>> hex(crc32c(b"123456789"))
    '0xe3069283'
    """
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def _masked(data: bytes) -> bytes:
    crc = crc32c(data)
    return struct.pack("<I", (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF)


def _varint(n: int) -> bytes:
    out = bytearray()
    n &= 2**64 - 1
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    return bytes([*out, n])


def _bytes(field: int, data: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(data)) + data


def _double(field: int, value: float) -> bytes:
    return _varint(field << 3 | 1) + struct.pack("<d", value)


def _doubles(field: int, values: Iterable[float]) -> bytes:
    return _bytes(field, np.asarray(values, "<f8").tobytes())


def _event(payload: bytes, step: int | None = None) -> bytes:
    return _double(1, time.time()) + (b"" if step is None else _varint(2 << 3) + _varint(step)) + payload


def _summary(tag: str, value: bytes) -> bytes:
    return _bytes(5, _bytes(1, _bytes(1, tag.encode()) + value))


def _histogram(values: np.ndarray) -> bytes:
    values = values.astype(np.float64).ravel()
    counts, edges = np.histogram(values, _BUCKETS)
    message = _double(1, values.min()) + _double(2, values.max()) + _double(3, len(values)) + _double(4, values.sum())
    return message + _double(5, np.square(values).sum()) + _doubles(6, edges[1:]) + _doubles(7, counts)


class EventFile:
    """One new event file in a folder, which is made if it is not there.

    Parameters
    ----------
    folder : str
    """

    def __init__(self, folder: Any) -> None:
        Path(folder).mkdir(parents=True, exist_ok=True)
        name = f"events.out.tfevents.{int(time.time())}.{socket.gethostname()}.{os.getpid()}.{next(_serial)}.v2"
        self._file = open(Path(folder) / name, "xb")  # noqa: SIM115
        self._write(_event(_bytes(3, b"brain.Event:2")))

    def scalar(self, tag: str, value: float, step: int) -> None:
        """Write one number."""
        self._write(_event(_summary(tag, _varint(2 << 3 | 5) + struct.pack("<f", value)), step))

    def histogram(self, tag: str, values: np.ndarray, step: int) -> None:
        """Write how values are distributed; those that are not finite are left out."""
        values = values[np.isfinite(values)]
        if values.size:
            self._write(_event(_summary(tag, _bytes(5, _histogram(values))), step))

    def flush(self) -> None:
        """Let readers see what was written."""
        self._file.flush()

    def close(self) -> None:
        """Write the last of it."""
        self._file.close()

    def _write(self, data: bytes) -> None:
        length = struct.pack("<Q", len(data))
        self._file.write(length + _masked(length) + data + _masked(data))
