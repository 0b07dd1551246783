"""Hashing: strings or whole numbers to a fixed number of codes, without a vocabulary."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..arrays import as_numbers, as_strings
from ..siphash import siphash
from .category_encoding import checked_mode
from .lookup import MODES, ColumnLayer, checked_salt, whole_numbers
from .sizes import checked_size


class Hashing(ColumnLayer):
    """Codes of the strings or whole numbers in a column: a hash modulo the number of bins.

    Parameters
    ----------
    num_bins : int
        Number of codes, that of `mask_value` included.
    mask_value : str or int, optional
        Gets code 0, which no other value then has.
    salt : int or two of them, optional
        Key of the hash, which is SipHash-2-4 of the text or of the number's digits, as in Keras. Without it Keras
        takes FarmHash64 and gives other codes; here the key is 0.
    output_mode : {"int", "one_hot", "multi_hot", "count"}
        Codes, or the vectors of `CategoryEncoding`.
    **kwargs
        Of `Layer`.

    Notes
    -----
    None and NaN among strings are hashed as the empty string. Floats lose what is behind the point, as in Keras.
    Weinberger et al., "Feature Hashing for Large Scale Multitask Learning", ICML 2009.

    Examples
    --------
    >>> import numpy as np
    >>> Hashing(3, salt=133)(np.array([["A"], ["B"], ["C"], ["D"], ["E"]])).ravel()  # as Keras documents it
    array([0, 0, 2, 1, 0], dtype=int32)
    """

    not_yet: Mapping[str, Any] = {"sparse": False}

    def __init__(
        self, num_bins: int, mask_value: Any = None, salt: Any = None, output_mode: str = "int", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.num_bins = checked_size(num_bins, f"Hashing '{self.name}'", "num_bins")
        if self.num_bins >= 2**31:
            raise ValueError(f"[Hashing '{self.name}'] expected num_bins below 2**31, received {num_bins}.")
        known = isinstance(mask_value, (str, int, np.integer)) and not isinstance(mask_value, bool)
        if mask_value is not None and not known:
            raise ValueError(
                f"[Hashing '{self.name}'] expected a string or a whole number as mask_value, received {mask_value!r}."
            )
        self.mask_value = int(mask_value) if isinstance(mask_value, np.integer) else mask_value
        self.salt = checked_salt(self, salt)
        self.output_mode = checked_mode(self, output_mode, MODES)

    def depth(self) -> int:
        return self.num_bins

    def encode(self, column: np.ndarray, where: str) -> np.ndarray:
        """int32 codes of an array of strings or numbers."""
        if column.dtype.kind in "UO":
            values = np.array(["" if v is None or v != v else str(v) for v in column.ravel().tolist()], dtype=str)
        else:
            values = whole_numbers(np.trunc(column) if column.dtype.kind == "f" else column, where, self)
        found, inverse = np.unique(values, return_inverse=True)
        masked = self.mask_value is not None and self.num_bins > 1
        hashes = siphash([str(token) for token in found.tolist()], self.salt or (0, 0))
        table = (hashes % np.uint64(self.num_bins - masked)).astype(np.int32) + np.int32(masked)
        if masked and isinstance(self.mask_value, str) == (found.dtype.kind == "U"):
            table[found == self.mask_value] = 0
        return table[inverse].reshape(column.shape)

    def _column(self, data: Any, where: str, what: str) -> np.ndarray:
        kind = getattr(getattr(data, "dtype", None), "kind", None) or np.asarray(data).dtype.kind
        return as_strings(data, where, what) if kind in "USOT" else as_numbers(data, where, what)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_bins": self.num_bins,
            "mask_value": self.mask_value,
            "salt": None if self.salt is None else list(self.salt),
            "output_mode": self.output_mode,
            "sparse": False,
        }
