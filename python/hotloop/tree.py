"""Nested lists, tuples and dicts of things: what several inputs and outputs come in.

A dict's leaves come in the order of its sorted keys, as in Keras: its files number layers of one kind in that order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def flatten(structure: Any) -> list[Any]:
    """Leaves in order. None is a leaf."""
    if isinstance(structure, dict):
        structure = [structure[key] for key in sorted(structure)]
    elif not isinstance(structure, (list, tuple)):
        return [structure]
    return [leaf for item in structure for leaf in flatten(item)]


def map_structure(function: Callable[[Any], Any], structure: Any) -> Any:
    """The same structure with every leaf replaced by `function(leaf)`."""
    if isinstance(structure, dict):
        return {key: map_structure(function, structure[key]) for key in sorted(structure)}
    if isinstance(structure, (list, tuple)):
        items = [map_structure(function, item) for item in structure]
        return items if isinstance(structure, list) else tuple(items)
    return function(structure)


def pack_like(structure: Any, leaves: list[Any]) -> Any:
    """The same structure with its leaves replaced, in order, by `leaves`."""
    rest = iter(leaves)
    return map_structure(lambda _: next(rest), structure)
