"""IntegerLookup: whole numbers to codes, on the host, when a data set is made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..arrays import as_numbers, batches_of
from .lookup import IndexLookup, whole_numbers


class IntegerLookup(IndexLookup):
    """Codes of the whole numbers in a column, such as identifiers or years.

    The layer reads an input of the model. The first code (with `mask_token`: the second) stands for every number that
    is not in the vocabulary.

    Parameters
    ----------
    max_tokens : int, optional
        Size of the vocabulary at most, special codes included.
    num_oov_indices : int
        Codes of unknown numbers. 0: they are refused; more than one: `oov_method` picks the code.
    mask_token : int, optional
        Gets code 0, and in the other output modes no place at all.
    oov_token : int
        Stands for unknown numbers in `get_vocabulary`.
    vocabulary : sequence or array of int, optional
        Given instead of learnt by `adapt`. Never a path.
    vocabulary_dtype : str
        "int64"; numbers of fewer bits are read as well.
    idf_weights : sequence of float, optional
        Of the vocabulary, for output_mode "tf_idf".
    invert : bool
        Numbers of codes instead, of arrays only.
    output_mode : {"int", "one_hot", "multi_hot", "count", "tf_idf"}
        Codes, or the vectors of `CategoryEncoding`; "tf_idf" is "count" times the weights of `idf_weights`.
    pad_to_max_tokens : bool
        Vectors have max_tokens elements, however small the vocabulary is.
    oov_method : {"floormod", "farmhash"}
        The number modulo `num_oov_indices`, or the hash of its digits: SipHash-2-4 under `salt`, as in Keras. Without
        a salt Keras takes FarmHash64, here the key is 0.
    salt : int or two of them, optional
    **kwargs
        Of `Layer`.

    Examples
    --------
    >>> import numpy as np
    >>> layer = IntegerLookup(vocabulary=[12, 36, 1138, 42], num_oov_indices=2)
    >>> layer(np.array([[12, 1138, 42], [37, 1000, 36]]))
    array([[2, 4, 5],
           [1, 0, 3]], dtype=int32)
    """

    not_yet: Mapping[str, Any] = {"vocabulary_dtype": "int64"}
    reads = ("int32", "float32", "float64")
    _what = "numbers"

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: int | None = None,
        oov_token: int = -1,
        vocabulary: Any = None,
        idf_weights: Any = None,
        invert: bool = False,
        output_mode: str = "int",
        pad_to_max_tokens: bool = False,
        oov_method: str = "floormod",
        salt: Any = None,
        **kwargs: Any,
    ) -> None:
        if oov_method not in ("floormod", "farmhash") or (salt is not None and oov_method != "farmhash"):
            raise ValueError(
                "[IntegerLookup] expected oov_method 'floormod', or 'farmhash' where there is a salt, received "
                f"{oov_method!r}."
            )
        self.oov_method = oov_method
        super().__init__(
            max_tokens, num_oov_indices, mask_token, oov_token, vocabulary, idf_weights, invert, output_mode,
            pad_to_max_tokens, salt, **kwargs,
        )  # fmt: skip

    def _token(self, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not -(2**63) <= value < 2**63:
            raise ValueError(f"[IntegerLookup '{self.name}'] expected whole numbers as tokens, received {value!r}.")
        return int(value)

    def _column(self, data: Any, where: str, what: str) -> np.ndarray:
        return as_numbers(data, where, what)

    def _batches(self, data: Any, batch_size: int | None, steps: int | None) -> Iterator[np.ndarray]:
        return batches_of(data, "adapt", batch_size, steps)

    def _tokens(self, column: np.ndarray, where: str) -> np.ndarray:
        return whole_numbers(column, where, self)

    def _buckets(self, tokens: Sequence[Any]) -> Any:
        if self.oov_method == "farmhash":
            return super()._buckets(tokens)
        return np.array(tokens, np.int64) % self.num_oov_indices

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "oov_method": self.oov_method, "vocabulary_dtype": "int64"}
