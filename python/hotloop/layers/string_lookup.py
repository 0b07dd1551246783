"""StringLookup: strings to integer codes, on the host, when a data set is made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ..arrays import as_strings, string_batches_of
from .lookup import IndexLookup


class StringLookup(IndexLookup):
    """Codes of the strings in a column.

    The layer reads an `Input(..., dtype="string")`. The first code (with `mask_token`: the second) stands for every
    string that is not in the vocabulary, and for missing values (None, NaN).

    Parameters
    ----------
    max_tokens : int, optional
        Size of the vocabulary at most, special codes included.
    num_oov_indices : int
        Codes of unknown strings. 0: they are refused; more than one: a hash picks the code.
    mask_token : str, optional
        Gets code 0, and in the other output modes no place at all.
    oov_token : str
        Stands for unknown strings in `get_vocabulary`.
    vocabulary : sequence or array of str, optional
        Given instead of learnt by `adapt`. Never a path.
    idf_weights : sequence of float, optional
        Of the vocabulary, for output_mode "tf_idf".
    invert : bool
        Strings of codes instead, of arrays only.
    output_mode : {"int", "one_hot", "multi_hot", "count", "tf_idf"}
        Codes, or the vectors of `CategoryEncoding`; "tf_idf" is "count" times the weights of `idf_weights`.
    pad_to_max_tokens : bool
        Vectors have max_tokens elements, however small the vocabulary is.
    encoding : str
        "utf-8".
    salt : int or two of them, optional
        Key of the hash, which is SipHash-2-4 as in Keras. Without it Keras takes FarmHash64, here the key is 0.
    **kwargs
        Of `Layer`.

    Examples
    --------
    >>> import numpy as np
    >>> layer = StringLookup(vocabulary=["near bay", "inland"])
    >>> layer(np.array([["inland"], ["island"]]))
    array([[2],
           [0]], dtype=int32)
    >>> StringLookup(vocabulary=layer.get_vocabulary(), invert=True)(np.array([2, 0])).tolist()
    ['inland', '[UNK]']
    """

    not_yet: Mapping[str, Any] = {"encoding": "utf-8", "vocabulary_dtype": "string", "oov_method": "floormod"}
    reads = ("string",)
    _what = "strings"

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: str | None = None,
        oov_token: str = "[UNK]",
        vocabulary: Any = None,
        idf_weights: Any = None,
        invert: bool = False,
        output_mode: str = "int",
        pad_to_max_tokens: bool = False,
        salt: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            max_tokens, num_oov_indices, mask_token, oov_token, vocabulary, idf_weights, invert, output_mode,
            pad_to_max_tokens, salt, **kwargs,
        )  # fmt: skip

    def _token(self, value: Any) -> str:
        if not isinstance(value, str):
            raise ValueError(f"[StringLookup '{self.name}'] expected strings in the vocabulary, received {value!r}.")
        return str(value)

    def _column(self, data: Any, where: str, what: str) -> np.ndarray:
        return as_strings(data, where, what)

    def _batches(self, data: Any, batch_size: int | None, steps: int | None) -> Iterator[np.ndarray]:
        return string_batches_of(data, "adapt", steps)

    def _tokens(self, column: np.ndarray, where: str) -> np.ndarray:
        if column.dtype.kind == "U":
            return column.ravel()
        missing = self.oov_token
        values = [missing if v is None or v != v else v for v in column.ravel().tolist()]  # NaN differs from itself
        for row, value in enumerate(values):
            if not isinstance(value, str):
                raise ValueError(
                    f"[{where}] expected strings for layer '{self.name}', received {value!r} in row {row}. "
                    "Convert the column: x.astype(str)."
                )
        return np.array(values, dtype=str) if values else np.empty(0, dtype=str)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "encoding": "utf-8"}
