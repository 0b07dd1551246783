"""Slab: the home of an engine's variables, with the locks that keep their values whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, cast
from weakref import WeakKeyDictionary

import numpy as np

from . import _core
from .locks import add_locks
from .variable import Variable

if TYPE_CHECKING:
    import threading


class Slab:
    """The values of some variables, in the memory of one trainer.

    Variables hold their slab, so no value is lost while anyone can ask for it. The slab does not hold the variables:
    with the last layer that uses it, its memory is freed.

    Parameters
    ----------
    variables : sequence of Variable
    dtype : {"float32", "float64"}

    Attributes
    ----------
    trainer : _core.Trainer
    size : int
        Number of variables, those that are gone included.
    """

    moving: threading.RLock  # of the class: held while variables change their home, or must not
    busy: threading.RLock  # held while batches change the variables

    def __init__(self, variables: Sequence[Variable], dtype: str) -> None:
        stored = [v.dtype for v in variables]
        self._copied = [kind if kind == "int8" else dtype for kind in stored]  # dtypes of the trainer's copies
        self.trainer = _core.Trainer(
            [(v.path, v.shape) for v in variables], dtype, stored=stored if set(stored) - {dtype} else []
        )
        self.size = len(variables)
        add_locks(self, "busy")
        self._places: WeakKeyDictionary[Variable, int] = WeakKeyDictionary(
            {variable: i for i, variable in enumerate(variables)}
        )
        self._owns_all = False

    @property
    def variables(self) -> list[Variable]:
        """Those that are still there, in order."""
        return list(self._places)

    def index_of(self, variable: Variable) -> int:
        """The variable's number."""
        return self._places[variable]

    def place_of(self, variable: Variable) -> int | None:
        """The variable's number, or None if it is another slab's."""
        return self._places.get(variable)

    def holds(self, variables: Sequence[Variable]) -> bool:
        """Whether it was made for just these variables, in this order."""
        return len(variables) == self.size and all(self._places.get(v) == i for i, v in enumerate(variables))

    def claim(self) -> None:
        """Bring home all variables that another slab holds."""
        if self._owns_all:
            return
        variables = self.variables
        with at_rest(variables):
            for home in {id(v._home): v._home for v in variables}.values():
                if home is not None and home is not self:
                    home._owns_all = False  # first: an interrupt in the middle must not leave two owners
            for variable in variables:
                home = variable._home
                if home is not self:
                    # not numpy(): one large variable would be there three times
                    value = variable._value if home is None else home.read(variable)
                    self.write(variable, cast(np.ndarray, value))
                    variable._move(self)
            self._owns_all = True

    @contextmanager
    def at_home(self) -> Iterator[None]:
        """Hold all variables here while batches change them: no update is lost to a slab that takes them over."""
        while True:
            self.claim()
            with self.busy:
                if self._owns_all:
                    yield
                    return

    def read(self, variable: Variable) -> np.ndarray:
        """A copy of the variable's value."""
        array = self.trainer.get(self._places[variable])
        return array.astype(variable.dtype) if variable.dtype == "float16" else array

    def write(self, variable: Variable, array: np.ndarray) -> None:
        """Replace the variable's value."""
        place = self._places[variable]
        self.trainer.set(place, np.asarray(array, self._copied[place], order="C"))


add_locks(Slab, "moving")


@contextmanager
def at_rest(variables: Sequence[Variable]) -> Iterator[None]:
    """Meanwhile no batch changes these variables, and none moves: what is read of them is of one moment."""
    with Slab.moving, ExitStack() as homes:
        for home in {id(v._home): v._home for v in variables if v._home is not None}.values():
            homes.enter_context(home.busy)
        yield
