"""What layers share that turn columns of data into codes, on the host, when a data set is made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from .. import ops
from ..siphash import siphash
from ..trace import TracedInput
from ..variable import Variable, allowance, note_structure
from .category_encoding import checked_mode
from .layer import Layer
from .sizes import checked_numbers, checked_size

_MOST_OOV = 10**6
MODES = ("int", "one_hot", "multi_hot", "count")


class ColumnLayer(Layer):
    """A layer that reads a column of the data set: `encode` gives the int32 codes of an array."""

    reads: tuple[str, ...] = ("string", "int32", "float32", "float64")  # dtypes of an Input
    output_mode: str

    def encode(self, column: np.ndarray, where: str) -> np.ndarray:
        """int32 codes of a column. -1 is left out of vectors."""
        raise NotImplementedError

    def depth(self) -> int:
        """Length of the vectors."""
        raise NotImplementedError

    def call(self, inputs: Any) -> Any:
        column = isinstance(inputs, TracedInput) and inputs.feed.lookup is None
        if not column or inputs.dtype not in self.reads:
            kind, hint = "numbers", "Codes come from columns of the data set, not from what a model computes."
            if self.reads == ("string",):
                kind, hint = "strings", 'Make it with Input(shape, dtype="string").'
            raise ValueError(
                f"[{type(self).__name__} '{self.name}'] expected an input of {kind}, received {inputs!r}. {hint}"
            )
        depth = self.depth()
        codes = inputs.looked_up(self)
        if self.output_mode == "int":
            return codes
        mode = "count" if self.output_mode == "tf_idf" else self.output_mode
        return ops.apply("one_hot", [codes], {"num_tokens": depth, "mode": mode})

    def _call_on_arrays(self, args: tuple, kwargs: dict[str, Any], training: bool | None) -> Any:
        if self.output_mode != "int":
            return super()._call_on_arrays(args, kwargs, training)
        where = f"{type(self).__name__} '{self.name}'"
        return self.encode(self._column(args[0], where, "inputs"), where)

    def _column(self, data: Any, where: str, what: str) -> np.ndarray:
        """Data that somebody passed, as an array that `encode` takes."""
        raise NotImplementedError


class IndexLookup(ColumnLayer):
    """Codes of the tokens of a vocabulary: what StringLookup and IntegerLookup have in common."""

    not_yet: Mapping[str, Any] = {"sparse": False}

    def __init__(
        self,
        max_tokens: int | None,
        num_oov_indices: int,
        mask_token: Any,
        oov_token: Any,
        vocabulary: Any,
        idf_weights: Any,
        invert: bool,
        output_mode: str,
        pad_to_max_tokens: bool,
        salt: Any,
        **kwargs: Any,
    ) -> None:
        kwargs.pop("vocabulary_size", None)  # of Keras's configurations
        super().__init__(**kwargs)
        where = f"{type(self).__name__} '{self.name}'"
        self.max_tokens = None if max_tokens is None else checked_size(max_tokens, where, "max_tokens", 2)
        self.num_oov_indices = checked_size(num_oov_indices, where, "num_oov_indices", 0)
        if self.num_oov_indices > _MOST_OOV:
            raise ValueError(f"[{where}] expected num_oov_indices up to {_MOST_OOV}, received {num_oov_indices}.")
        self.mask_token = None if mask_token is None else self._token(mask_token)
        self.oov_token = self._token(oov_token)
        mode = {"binary": "multi_hot", "tf-idf": "tf_idf"}.get(output_mode, output_mode)
        self.output_mode = checked_mode(self, mode, (*MODES, "tf_idf"))
        self.invert, self.pad_to_max_tokens = bool(invert), bool(pad_to_max_tokens)
        self.salt = checked_salt(self, salt)
        if self.invert and self.output_mode != "int":
            raise ValueError(f"[{where}] expected output_mode 'int' next to invert=True, received {output_mode!r}.")
        if self.pad_to_max_tokens and self.max_tokens is None:
            raise ValueError(f"[{where}] expected max_tokens next to pad_to_max_tokens=True, received none.")
        self._codes: dict[Any, int] | None = None
        self._words: list[Any] = []
        self._idf: Variable | None = None
        if vocabulary is not None:
            self.set_vocabulary(vocabulary, idf_weights)
        elif idf_weights is not None:
            raise ValueError(f"[{where}] expected a vocabulary next to idf_weights, received none.")

    # What a kind of token is.

    def _token(self, value: Any) -> Any:
        """A token of a vocabulary, checked."""
        raise NotImplementedError

    def _tokens(self, column: np.ndarray, where: str) -> np.ndarray:
        """The flat column with missing values replaced."""
        raise NotImplementedError

    def _batches(self, data: Any, batch_size: int | None, steps: int | None) -> Iterator[np.ndarray]:
        raise NotImplementedError

    def _buckets(self, tokens: Sequence[Any]) -> Any:
        """For unknown tokens, a number from 0 to num_oov_indices - 1."""
        return (siphash([str(t) for t in tokens], self.salt or (0, 0)) % np.uint64(self.num_oov_indices)).astype(int)

    # The vocabulary.

    def set_vocabulary(self, vocabulary: Any, idf_weights: Any = None) -> None:
        """Replace the vocabulary; the special tokens may be left out.

        Parameters
        ----------
        vocabulary : sequence or array
        idf_weights : sequence of float, optional
            One for each token of `vocabulary`, needed by output_mode "tf_idf" and only there. Special tokens that are
            left out get the mean.

        Raises
        ------
        ValueError
            If it is empty or names a token twice, or the weights are missing or too many.
        """
        where = f"{type(self).__name__} '{self.name}'"
        if isinstance(vocabulary, (str, bytes)):
            raise ValueError(
                f"[{where}] expected a list or array of tokens, received {vocabulary!r}. Read a file with "
                "open(path).read().splitlines()."
            )
        special = self._special_tokens()
        given = [self._token(token) for token in np.ravel(np.asarray(vocabulary, object)).tolist()]
        found = bool(special) and given[: len(special)] == special
        words = given[len(special) :] if found else given
        reserved = {*special, *([] if self.mask_token is None else [self.mask_token])}
        if not words:
            raise ValueError(f"[{where}] expected a vocabulary of at least one token, received {_shown(vocabulary)}.")
        if set(words) & reserved:
            raise ValueError(
                f"[{where}] expected a vocabulary without the tokens of the unknown and of masks, "
                f"{', '.join(sorted(map(repr, reserved)))}, received {_shown(vocabulary)}. Choose another oov_token "
                "or mask_token."
            )
        if len(set(words)) != len(words):
            raise ValueError(f"[{where}] expected a vocabulary of different tokens, received {_shown(vocabulary)}.")
        if self.max_tokens is not None and len(special) + len(words) > self.max_tokens:
            raise ValueError(
                f"[{where}] expected at most max_tokens={self.max_tokens} tokens, received {len(special) + len(words)}."
            )
        idf = self._checked_idf(idf_weights, len(given))
        note_structure()  # vectors may have another length
        self._words = words
        self._codes = {token: len(special) + place for place, token in enumerate(words)}
        if self.mask_token is not None:
            self._codes[self.mask_token] = 0 if self.output_mode == "int" else -1
        if idf is not None:
            self._set_idf(idf if found else np.concatenate([np.full(len(special), idf.mean()), idf]))

    def _checked_idf(self, weights: Any, count: int) -> np.ndarray | None:
        where = f"{type(self).__name__} '{self.name}'"
        if (weights is not None) != (self.output_mode == "tf_idf"):
            raise ValueError(
                f"[{where}] expected idf_weights next to the vocabulary if output_mode is 'tf_idf' and only then, "
                f"received {'none' if weights is None else 'some'} for {self.output_mode!r}."
            )
        if weights is None:
            return None
        idf = checked_numbers(weights, where, "idf_weights")
        if len(idf) != count:
            raise ValueError(
                f"[{where}] expected {count} idf_weights, one for each token of the vocabulary, received "
                f"{_shown(weights)}."
            )
        return idf

    def _set_idf(self, idf: np.ndarray) -> None:
        if self._idf is None and allowance.get() is not None:  # a file may ask for any depth
            allowance.get().constant(np.broadcast_to(0.0, (self.depth(),)))
        value = np.zeros(self.depth())
        value[: len(idf)] = idf
        if self._idf is not None and self._idf.shape == value.shape:
            self._idf.assign(value)
        else:
            self._idf = Variable(value, dtype=self.dtype, trainable=False, name=self.name)

    def _hidden_variables(self) -> list[Variable]:
        return [] if self._idf is None else [self._idf]

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[Any]:
        """Tokens in the order of their codes."""
        self._known()
        return self._special_tokens() + self._words if include_special_tokens else list(self._words)

    def vocabulary_size(self) -> int:
        """Number of codes, special ones included."""
        self._known()
        return len(self._special_tokens()) + len(self._words)

    def depth(self) -> int:
        size = self.vocabulary_size()
        return self.max_tokens if self.pad_to_max_tokens and self.max_tokens is not None else size

    def adapt(self, data: Any, batch_size: int | None = None, steps: int | None = None) -> None:
        """Learn the vocabulary: the most frequent token first, of equally frequent ones the largest.

        For output_mode "tf_idf" each row is a document, and a token's weight
        ``log(1 + rows / (1 + rows that have the token))``; special tokens get the mean.

        Parameters
        ----------
        data : array_like, or iterable of batches
        batch_size : int, optional
            Rows read at a time.
        steps : int, optional
            Batches of an iterable to read.
        """
        counts: Counter[Any] = Counter()
        rows_with: Counter[Any] = Counter()
        rows = 0
        for column in self._batches(data, batch_size, steps):
            tokens = self._tokens(column, "adapt")
            counts.update(tokens.tolist())
            if self.output_mode == "tf_idf" and len(column):
                for row in tokens.reshape(len(column), -1).tolist():
                    rows_with.update(set(row))
            rows += len(column)
        for special in (self.mask_token, self.oov_token):
            counts.pop(special, None)
        ordered = sorted(counts, reverse=True)
        ordered.sort(key=lambda token: -counts[token])
        ordered = ordered[: None if self.max_tokens is None else self.max_tokens - len(self._special_tokens())]
        idf = [np.log(1 + rows / (1 + rows_with[token])) for token in ordered]
        self.set_vocabulary(ordered, idf if self.output_mode == "tf_idf" else None)

    # Codes.

    def encode(self, column: np.ndarray, where: str) -> np.ndarray:
        """int32 codes of an array of tokens.

        Raises
        ------
        ValueError
            If a token is unknown and `num_oov_indices` is 0, or a value is no token.
        """
        codes, first = self._known(), len(self._special_tokens()) - self.num_oov_indices
        found, inverse = np.unique(self._tokens(column, where), return_inverse=True)
        tokens = found.tolist()
        table = np.array([codes.get(token, -2) for token in tokens], np.int32)
        unknown = np.flatnonzero(table == -2)
        if len(unknown) and self.num_oov_indices == 0:
            flat = (table == -2)[inverse].reshape(len(column), -1).any(axis=1)
            row = int(flat.argmax())
            raise ValueError(
                f"[{where}] expected {self._what} of the vocabulary for layer '{self.name}', received "
                f"{column[row].tolist()!r} in row {row}. Use num_oov_indices=1 to give unknown {self._what} a code."
            )
        if self.num_oov_indices > 1:
            table[unknown] = first + self._buckets([tokens[i] for i in unknown])
        elif len(unknown):
            table[unknown] = first
        return table[inverse].reshape(column.shape)

    _what = "tokens"

    def call(self, inputs: Any) -> Any:
        if self.invert:
            raise ValueError(
                f"[{type(self).__name__} '{self.name}'] expected an array, received {inputs!r}: tokens are no numbers "
                "of a model. Call the layer on what the model predicts."
            )
        outputs = super().call(inputs)
        return outputs if self.output_mode != "tf_idf" else ops.multiply(outputs, self._idf)

    def _call_on_arrays(self, args: tuple, kwargs: dict[str, Any], training: bool | None) -> Any:
        if not self.invert:
            return super()._call_on_arrays(args, kwargs, training)
        codes = np.asarray(args[0])
        whole = codes.dtype.kind in "iu" or (codes.dtype.kind == "f" and np.array_equal(codes, np.floor(codes)))
        if not whole:
            raise ValueError(
                f"[{type(self).__name__} '{self.name}'] expected whole numbers, received dtype {codes.dtype}."
            )
        words = np.array([*self.get_vocabulary(), self.oov_token])
        inside = (codes >= 0) & (codes < len(words) - 1)
        return words[np.where(inside, codes, len(words) - 1).astype(np.int64)]

    def get_config(self) -> dict[str, Any]:
        idf = None if self._idf is None else self._idf.numpy()[: self.vocabulary_size()].tolist()
        return {
            **super().get_config(),
            "max_tokens": self.max_tokens,
            "num_oov_indices": self.num_oov_indices,
            "mask_token": self.mask_token,
            "oov_token": self.oov_token,
            "vocabulary": None if self._codes is None else self.get_vocabulary(include_special_tokens=idf is not None),
            "idf_weights": idf,
            "invert": self.invert,
            "output_mode": self.output_mode,
            "sparse": False,
            "pad_to_max_tokens": self.pad_to_max_tokens,
            "salt": None if self.salt is None else list(self.salt),
        }

    def _special_tokens(self) -> list[Any]:
        mask = [] if self.mask_token is None or self.output_mode != "int" else [self.mask_token]
        return mask + [self.oov_token] * self.num_oov_indices

    def _known(self) -> dict[Any, int]:
        if self._codes is None:
            raise ValueError(
                f"[{type(self).__name__} '{self.name}'] expected a vocabulary, received none. Pass vocabulary=[...] or "
                "call `adapt(data)` before the layer is used."
            )
        return self._codes


def whole_numbers(column: np.ndarray, where: str, layer: Layer) -> np.ndarray:
    """The flat column as int64.

    Raises
    ------
    ValueError
        If a number is not whole or beyond 63 bits.
    """
    flat = column.ravel()
    if flat.dtype.kind in "bi":
        return flat.astype(np.int64)
    unsigned = flat.dtype.kind == "u"
    bad = flat > np.iinfo(np.int64).max if unsigned else (flat != np.floor(flat)) | (abs(flat) >= 2.0**63)
    if bad.any():
        raise ValueError(
            f"[{where}] expected whole numbers below 2**63 for layer '{layer.name}', received "
            f"{flat[bad.argmax()].item()!r}."
        )
    return flat.astype(np.int64)


def checked_salt(layer: Layer, salt: Any) -> tuple[int, int] | None:
    """A key of two numbers, or None."""
    if salt is None:
        return None
    numbers = [salt, salt] if isinstance(salt, (int, np.integer)) else list(salt) if isinstance(salt, Iterable) else []
    if len(numbers) != 2 or not all(isinstance(n, (int, np.integer)) and not isinstance(n, bool) for n in numbers):
        raise ValueError(
            f"[{type(layer).__name__} '{layer.name}'] expected salt to be an integer or two of them, received {salt!r}."
        )
    return int(numbers[0]), int(numbers[1])


def _shown(values: Any) -> str:
    text = repr(list(values))
    return text if len(text) < 200 else text[:200] + ".."
