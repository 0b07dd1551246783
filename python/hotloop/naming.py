"""Automatic names of layers and models: the class name in snake case, then _1, _2, ... in this process."""

from __future__ import annotations

import re
import threading
from collections import Counter

_local = threading.local()


def to_snake_case(name: str) -> str:
    """`BatchNormalization` -> `batch_normalization`, by Keras's rule.

    Examples
    --------
    >>> to_snake_case("LeakyReLU"), to_snake_case("RMSprop"), to_snake_case("Dense")
    ('leaky_re_lu', 'rm_sprop', 'dense')
    """
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def auto_name(prefix: str) -> str:
    """`prefix` the first time in this thread, then `prefix_1`, `prefix_2`, ..."""
    if not hasattr(_local, "counts"):
        _local.counts = Counter()
    _local.counts[prefix] += 1
    count = _local.counts[prefix]
    return prefix if count == 1 else f"{prefix}_{count - 1}"


def check_name(name: object) -> str:
    """Refuse a name that is no string or holds a slash, which separates the parts of a variable's path."""
    if not isinstance(name, str) or "/" in name:
        raise ValueError(f"[name] expected a string without '/', received {name!r}.")
    return name


def reset_names() -> None:
    """Start the numbers again (`utils.clear_session`)."""
    _local.counts = Counter()
