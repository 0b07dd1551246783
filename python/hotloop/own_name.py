"""Errors of functions that are made of others: they name the function that the user called."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from ._core import op_names

F = TypeVar("F", bound=Callable[..., Any])
_PARTS = {"slice", *op_names()}  # and the functions decorated below; a layer's name stays


def own_name(function: F) -> F:
    """A decorator: `[max] expected ..`, which a function inside says, becomes `[any] expected ..` of `any`.

    Examples
    --------
    >>> @own_name
    ... def last(x):
    ...     raise ValueError("[reduce 'x'] expected a number, received nothing. Write ops.reduce(1).")
    >>> last(2)
    Traceback (most recent call last):
    ValueError: [last 'x'] expected a number, received nothing. Write ops.last(1).
    """
    name = function.__name__
    _PARTS.add(name)

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except (ValueError, TypeError, IndexError) as error:
            said = re.match(r"\[(\w+)( '[^']*')?\] expected ", str(error))
            if said and said[1] in _PARTS - {name}:
                text = f"[{name}{str(error)[said.end(1) :]}"
                error.args = (text.replace(f"ops.{said[1]}(", f"ops.{name}("),)
            raise

    return call  # type: ignore[return-value]
