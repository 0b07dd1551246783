"""HDF5, as Keras writes it: plain arrays by their paths, written as such and read with suspicion.

Every object of a file is looked at before anything is read. Only groups, contiguous uncompressed arrays of numbers and
strings as attributes pass, reached by hard links; together the arrays may claim no more bytes than the file has. Soft
and external links, external and virtual storage, filters, references and all other types are refused, so that a file
can neither name another one nor ask for memory that its own length does not pay for.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO

import numpy as np

from .format import MAX_RANK, MAX_TENSORS, FormatError, refusal

_MAX_OBJECTS = 10 * MAX_TENSORS
_MAX_DEPTH = 64
_MAX_ATTRIBUTE = 60_000  # bytes; HDF5 keeps no more in one, so longer lists are split
_MAX_TEXT = 16 << 20
_MAX_TEXTS = 256 << 20  # bytes of all strings of one attribute, as far as can be told before they are read
_HEAP = b"GCOL\x01\0\0\0"  # how a heap of strings begins; its size follows
_BLOCK = 1 << 22


def h5py() -> Any:
    """The package of that name, which reads and writes HDF5."""
    try:
        import h5py as package
    except ImportError:
        raise ImportError(
            "[saving] expected h5py, which .keras and .h5 files need, received none. pip install 'hotloop[keras]'"
        ) from None
    return package


class Hdf5File:
    """A checked file: what is in it, by path.

    Attributes
    ----------
    arrays : mapping of str to h5py.Dataset
        ``layers/dense/vars/0``; shapes and dtypes are known, nothing is read.
    groups : mapping of str to h5py.Group
        The root is "".
    file_bytes : int
    """

    def __init__(self, stream: BinaryIO, path: object) -> None:
        self.path = path
        self.file_bytes = stream.seek(0, os.SEEK_END)
        self.arrays: dict[str, Any] = {}
        self.groups: dict[str, Any] = {}
        self._h5py = h5py()
        self._file: Any = None
        self._stream = stream
        self._longest: int | None = None
        with self._refusing():
            self._file = self._h5py.File(stream, "r")
            self._walk(self._file, "", 0)
        claimed = sum(array.nbytes for array in self.arrays.values())
        if claimed > self.file_bytes:
            self.close()
            raise refusal(path, f"arrays of at most the file's {self.file_bytes} bytes", f"{claimed} bytes")

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    @contextlib.contextmanager
    def _refusing(self) -> Iterator[None]:
        """Whatever the HDF5 library meets in a damaged file, the file is to blame."""
        try:
            yield
        except (FormatError, MemoryError) as error:
            self.close()
            raise error
        except Exception as error:
            with contextlib.suppress(Exception):
                self.close()
            raise refusal(self.path, "a complete HDF5 file", str(error)[:200] or type(error).__name__) from None

    def _walk(self, group: Any, path: str, depth: int) -> None:
        self.groups[path] = group
        for name in group:
            inner = f"{path}/{name}" if path else str(name)
            if depth > _MAX_DEPTH or len(self.arrays) + len(self.groups) > _MAX_OBJECTS:
                raise refusal(self.path, f"at most {_MAX_OBJECTS} arrays and groups", "more, or a cycle")
            link = group.get(name, getlink=True)
            if not isinstance(link, self._h5py.HardLink):
                raise refusal(self.path, f"'{inner:.80}' in the file itself", f"a {type(link).__name__} elsewhere")
            thing = group[name]
            if isinstance(thing, self._h5py.Group):
                self._walk(thing, inner, depth + 1)
            elif isinstance(thing, self._h5py.Dataset):
                self.arrays[inner] = self._checked(thing, inner)
            else:
                raise refusal(self.path, "groups and arrays", f"a {type(thing).__name__} '{inner:.80}'")

    def _checked(self, array: Any, path: str) -> Any:
        layout = array.id.get_create_plist()
        plain = (self._h5py.h5d.COMPACT, self._h5py.h5d.CONTIGUOUS)
        if array.shape is None or len(array.shape) > MAX_RANK or array.dtype.kind not in "fiu":
            raise refusal(
                self.path, f"an array of numbers at '{path:.80}'", f"dtype {array.dtype}, shape {array.shape}"
            )
        if "dtype" in array.attrs:
            raise refusal(self.path, f"float32 or float64 at '{path:.80}'", "an array of another precision")
        if layout.get_layout() not in plain or layout.get_nfilters() or layout.get_external_count():
            raise refusal(
                self.path, f"the numbers of '{path:.80}' in one piece, as Keras writes them",
                "an array that is compressed, in chunks, virtual, or in another file",
            )  # fmt: skip
        if array.id.get_storage_size() != array.nbytes:
            raise refusal(
                self.path, f"{array.nbytes} bytes at '{path:.80}'", f"{array.id.get_storage_size()} bytes in the file"
            )
        return array

    def read(self, path: str) -> np.ndarray:
        """One array, in native byte order."""
        array = self.arrays.get(path)
        if array is None:
            raise refusal(self.path, f"an array '{path:.120}'", "a file without it")
        with self._refusing():
            value = np.asarray(array[()])
        return value.astype(value.dtype.newbyteorder("="), copy=False)

    def kinds(self, but: tuple[str, ...]) -> list[tuple[tuple[int, ...], str]]:
        """Shape and dtype's name of all arrays but those whose path begins so."""
        found = [array for path, array in self.arrays.items() if not path.startswith(but)]
        return [(tuple(array.shape), array.dtype.newbyteorder("=").name) for array in found]

    def text(self, group: str, name: str) -> str | None:
        """A string attribute, or None."""
        value = self._attribute(group, name)
        if value is None:
            return None
        if isinstance(value, bytes):
            with self._refusing():
                value = value.decode("utf-8")
        if not isinstance(value, str) or len(value) > _MAX_TEXT:
            raise refusal(self.path, f"a text in attribute '{name}'", "another type, or more than 16 MiB")
        return value

    def names(self, group: str, name: str) -> list[str] | None:
        """An attribute that is a list of names, in one piece or in several (``name0``, ``name1``, ...); or None."""
        pieces = [self._attribute(group, name)]
        if pieces[0] is None:
            while (
                len(pieces) <= MAX_TENSORS and (piece := self._attribute(group, f"{name}{len(pieces) - 1}")) is not None
            ):
                pieces.append(piece)
            pieces = pieces[1:]
            if not pieces:
                return None
        found: list[Any] = []
        for piece in pieces:
            found += np.ravel(piece).tolist()
        with self._refusing():
            texts = [item.decode("utf-8") if isinstance(item, bytes) else item for item in found]
        if not all(isinstance(text, str) for text in texts) or len(texts) > MAX_TENSORS:
            raise refusal(self.path, f"names in attribute '{name}'", repr(texts)[:80])
        return texts

    def _attribute(self, group: str, name: str) -> Any:
        holder = self.groups.get(group)
        with self._refusing():
            if holder is None or name not in holder.attrs:
                return None
            attribute = holder.attrs.get_id(name)
            n = int(np.prod(attribute.shape, dtype=object))
            n_bytes = n * attribute.dtype.itemsize
            if attribute.dtype.kind == "O" and self._h5py.check_string_dtype(attribute.dtype) is not None:
                n_bytes = max(n_bytes, n * self._longest_text() - _MAX_TEXTS)
            elif attribute.dtype.kind != "S" and n:
                raise refusal(self.path, f"a text in attribute '{name}'", f"{attribute.dtype}, shape {attribute.shape}")
            if n_bytes > self.file_bytes:
                raise refusal(
                    self.path, f"texts in attribute '{name}'", f"shape {attribute.shape}, more than the file has"
                )
            return holder.attrs[name]

    def _longest_text(self) -> int:
        """A bound on the length of a string in the file, many of which may be one: the size of its largest heap."""
        if self._longest is None:
            self._longest = 0
            heaps: list[tuple[int, int]] = []
            tail, before = b"", 0  # `before` is where `tail` begins
            self._stream.seek(0)
            while block := self._stream.read(_BLOCK):
                text = tail + block
                at = text.find(_HEAP)
                while 0 <= at <= len(text) - 16:
                    size = int.from_bytes(text[at + 8 : at + 16], "little")
                    if before + at + size > self.file_bytes:  # HDF5 would ask for the memory first
                        raise refusal(self.path, "texts inside the file", f"{size} bytes of them, past its end")
                    self._longest = max(self._longest, size)
                    heaps.append((before + at, size))
                    at = text.find(_HEAP, at + 1)
                tail = text[-15:]
                before += len(text) - len(tail)
            for begin, size in heaps:
                self._check_heap(begin, size)
        return self._longest

    def _check_heap(self, begin: int, size: int) -> None:
        """Each string lies within its heap: on a length beyond it the HDF5 library would loop for ever."""
        self._stream.seek(begin)
        heap, at = self._stream.read(size), 16
        while at + 16 <= len(heap):
            length = int.from_bytes(heap[at + 8 : at + 16], "little")
            free = heap[at : at + 2] == b"\0\0"
            step = length if free else 16 + (length + 7) // 8 * 8
            if step > len(heap) - at or (free and step == 0):
                raise refusal(self.path, "texts inside their heap", f"one of {length} bytes in {size}")
            at += step


@contextlib.contextmanager
def reading(stream: BinaryIO, path: object) -> Iterator[Hdf5File]:
    """A checked file for the length of the block."""
    file = Hdf5File(stream, path)
    try:
        yield file
    finally:
        file.close()


@contextlib.contextmanager
def open_hdf5(path: str | os.PathLike[str]) -> Iterator[Hdf5File]:
    """The file of this name, checked."""
    h5py()
    with open(path, "rb") as stream, reading(stream, path) as file:
        yield file


def write_hdf5(
    target: Any, arrays: Mapping[str, np.ndarray], attributes: Mapping[str, Mapping[str, str | Sequence[str]]]
) -> None:
    """Write arrays by path, and attributes of groups: texts, or lists of them.

    Parameters
    ----------
    target : path or binary stream
    arrays : mapping of str to ndarray
    attributes : mapping of str to mapping
        Of groups, which are made where they hold nothing else.
    """
    with h5py().File(target, "w") as file:
        for path in attributes:
            if path:
                file.require_group(path)
        for path, array in arrays.items():
            file.create_dataset(path, data=array)
        for path, values in attributes.items():
            group = file[path] if path else file
            for name, value in values.items():
                if isinstance(value, str):
                    group.attrs[name] = value
                else:
                    _write_names(group, name, value)


def _write_names(group: Any, name: str, names: Sequence[str]) -> None:
    encoded = [text.encode() for text in names]
    longest = max((len(text) for text in encoded), default=1)
    step = max(1, _MAX_ATTRIBUTE // max(1, longest))
    if len(encoded) <= step:
        group.attrs[name] = np.array(encoded, f"S{max(1, longest)}") if encoded else np.zeros(0)
        return
    for number, begin in enumerate(range(0, len(encoded), step)):
        group.attrs[f"{name}{number}"] = np.array(encoded[begin : begin + step], f"S{longest}")
