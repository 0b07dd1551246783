"""StringLookup: strings to integer codes, on the host, when a data set is made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .. import ops
from ..arrays import as_strings, string_batches_of
from ..trace import TracedInput
from .category_encoding import checked_mode
from .layer import Layer


class StringLookup(Layer):
    """Codes of the strings in a column.

    The layer reads an `Input(..., dtype="string")`. Code 0 (with `mask_token`: 1) stands for every string that is not
    in the vocabulary, and for missing values (None, NaN).

    Parameters
    ----------
    max_tokens : int, optional
        Size of the vocabulary at most, the code for unknown strings included.
    num_oov_indices : int
        0 (unknown strings are refused) or 1.
    mask_token : str, optional
        Gets code 0.
    oov_token : str
        Stands for unknown strings in `get_vocabulary`.
    vocabulary : sequence of str, optional
        Given instead of learnt by `adapt`.
    output_mode : {"int", "one_hot", "multi_hot", "count"}
        Codes, or the indicator vectors of `CategoryEncoding`.
    **kwargs
        Of `Layer`.

    Examples
    --------
    >>> import numpy as np
    >>> layer = StringLookup(vocabulary=["near bay", "inland"])
    >>> layer(np.array([["inland"], ["island"]]))
    array([[2],
           [0]], dtype=int32)
    """

    not_yet: Mapping[str, Any] = {
        "idf_weights": None, "invert": False, "pad_to_max_tokens": False, "sparse": False, "encoding": "utf-8"
    }  # fmt: skip

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: str | None = None,
        oov_token: str = "[UNK]",
        vocabulary: Sequence[str] | None = None,
        output_mode: str = "int",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if num_oov_indices not in (0, 1):
            raise ValueError(
                f"[StringLookup '{self.name}'] expected num_oov_indices 0 or 1, received {num_oov_indices}."
            )
        self.max_tokens, self.num_oov_indices = max_tokens, num_oov_indices
        self.mask_token, self.oov_token = mask_token, oov_token
        self.output_mode = checked_mode(self, output_mode, ("int", "one_hot", "multi_hot", "count"))
        self._codes: dict[str, int] | None = None
        if vocabulary is not None:
            self.set_vocabulary(vocabulary)

    def set_vocabulary(self, vocabulary: Sequence[str]) -> None:
        """Replace the vocabulary; the special tokens may be left out.

        Raises
        ------
        ValueError
            If it is empty or names a string twice.
        """
        special = self._special_tokens()
        tokens = [_checked_token(self, token) for token in vocabulary]
        tokens = tokens[len(special) :] if special and tokens[: len(special)] == special else tokens
        if not tokens or len(set(tokens)) != len(tokens) or set(tokens) & set(special):
            raise ValueError(
                f"[StringLookup '{self.name}'] expected a vocabulary of different strings, received {list(vocabulary)}."
            )
        if self.max_tokens is not None and len(special) + len(tokens) > self.max_tokens:
            raise ValueError(
                f"[StringLookup '{self.name}'] expected at most max_tokens={self.max_tokens} tokens, received "
                f"{len(special) + len(tokens)}."
            )
        self._codes = {token: code for code, token in enumerate(special + tokens)}
        if self.oov_token in self._codes:
            del self._codes[self.oov_token]  # the token stands for all others, it is no string of its own

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[str]:
        """Strings in the order of their codes."""
        special = self._special_tokens()
        words = [token for token in self._known() if token not in special]
        return special + words if include_special_tokens else words

    def vocabulary_size(self) -> int:
        """Number of codes, special ones included."""
        return len(self.get_vocabulary())

    def adapt(self, data: Any, batch_size: int | None = None, steps: int | None = None) -> None:
        """Learn the vocabulary: the most frequent string first, equally frequent ones in reverse alphabetical order.

        Parameters
        ----------
        data : array_like of str, or iterable of batches of them
        batch_size : int, optional
            Not needed: strings are read all at once.
        steps : int, optional
            Batches of an iterable to read.
        """
        counts: Counter[str] = Counter()
        for column in string_batches_of(data, "adapt", steps):
            counts.update(token for token in column.ravel().tolist() if isinstance(token, str))
        for special in self._special_tokens():
            counts.pop(special, None)
        ordered = sorted(counts, reverse=True)
        ordered.sort(key=lambda token: -counts[token])
        room = None if self.max_tokens is None else self.max_tokens - len(self._special_tokens())
        self.set_vocabulary(ordered[:room])

    def encode(self, column: np.ndarray, where: str) -> np.ndarray:
        """int32 codes of an array of strings.

        Raises
        ------
        ValueError
            If a string is unknown and `num_oov_indices` is 0, or a value is no string.
        """
        codes = self._known()
        unknown = -1 if self.num_oov_indices == 0 else int(self.mask_token is not None)
        found, inverse = np.unique(_strings(self, column, where), return_inverse=True)
        table = np.array([codes.get(token, unknown) for token in found.tolist()], np.int32)
        result = table[inverse].reshape(column.shape)
        if unknown < 0 and (result < 0).any():
            row = int(np.argwhere(result < 0)[0][0])
            raise ValueError(
                f"[{where}] expected strings of the vocabulary for layer '{self.name}', received "
                f"{column[row].tolist()!r} in row {row}. Use num_oov_indices=1 to give unknown strings a code."
            )
        return result

    def call(self, inputs: Any) -> Any:
        if not isinstance(inputs, TracedInput) or inputs.dtype != "string":
            raise ValueError(
                f"[StringLookup '{self.name}'] expected an input of strings, received {inputs!r}. "
                'Make it with Input(shape, dtype="string").'
            )
        size = self.vocabulary_size()
        codes = inputs.looked_up(self)
        return codes if self.output_mode == "int" else ops.one_hot(codes, size, self.output_mode)

    def _call_on_arrays(self, args: tuple, kwargs: dict[str, Any], training: bool) -> Any:
        if self.output_mode != "int":
            return super()._call_on_arrays(args, kwargs, training)
        return self.encode(as_strings(args[0], f"StringLookup '{self.name}'", "inputs"), f"StringLookup '{self.name}'")

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "max_tokens": self.max_tokens,
            "num_oov_indices": self.num_oov_indices,
            "mask_token": self.mask_token,
            "oov_token": self.oov_token,
            "vocabulary": None if self._codes is None else self.get_vocabulary(include_special_tokens=False),
            "output_mode": self.output_mode,
        }

    def _special_tokens(self) -> list[str]:
        mask = [] if self.mask_token is None else [self.mask_token]
        return mask + [self.oov_token] * self.num_oov_indices

    def _known(self) -> dict[str, int]:
        if self._codes is None:
            raise ValueError(
                f"[StringLookup '{self.name}'] expected a vocabulary, received none. Pass vocabulary=[...] or call "
                "`adapt(data)` before the layer is used."
            )
        return self._codes


def _checked_token(layer: StringLookup, token: Any) -> str:
    if not isinstance(token, str):
        raise ValueError(f"[StringLookup '{layer.name}'] expected strings in the vocabulary, received {token!r}.")
    return str(token)


def _strings(layer: StringLookup, column: np.ndarray, where: str) -> np.ndarray:
    """The column with missing values replaced by the token for unknown strings."""
    if column.dtype.kind == "U":
        return column.ravel()
    missing = layer.oov_token
    values = [missing if v is None or v != v else v for v in column.ravel().tolist()]  # NaN differs from itself
    for row, value in enumerate(values):
        if not isinstance(value, str):
            raise ValueError(
                f"[{where}] expected strings for layer '{layer.name}', received {value!r} in row {row}. "
                "Convert the column: x.astype(str)."
            )
    return np.array(values, dtype=str) if values else np.empty(0, dtype=str)
