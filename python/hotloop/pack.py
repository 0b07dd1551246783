"""Packs: many networks trained at once on the same data, each on one processor core."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import Any

import numpy as np

from . import _core, losses
from .data import positive
from .ensemble import Ensemble, check_alike, greedy_selection, models_of
from .model import Model


class Pack:
    """Networks that are trained side by side on the same arrays.

    A small network cannot keep several cores busy: its steps are too short to share. A pack gives every core a network
    of its own and the next one when that is done. Members may differ in everything: widths, seeds, rates, decays,
    dropout. They share no weights; the data is shared, and never copied for a member. A member ends up with the same
    bits as if it had been trained alone.

    Parameters
    ----------
    members : iterable of Model
        Compiled models.

    Attributes
    ----------
    members : list of Model

    Raises
    ------
    ValueError
        Without a member, or if members share weights or an optimizer.
    TypeError
        If a member is no model.

    Examples
    --------
    Four networks with other seeds and rates:

    >>> import numpy as np
    >>> import hotloop as keras
    >>> def make(seed, rate):
    ...     keras.utils.set_random_seed(seed)
    ...     model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(8, "tanh"), keras.layers.Dense(1)])
    ...     model.compile(keras.optimizers.Adam(rate), "mse")
    ...     return model
    >>> pack = keras.Pack.build(make, [{"seed": s, "rate": r} for s in (1, 2) for r in (0.01, 0.1)])
    >>> x = np.random.default_rng(0).random((100, 2))
    >>> histories = pack.fit(x, x.sum(axis=1), epochs=2, verbose=0)
    >>> len(histories), pack.predict(x[:5]).shape
    (4, (4, 5, 1))
    """

    def __init__(self, members: Iterable[Model]) -> None:
        self.members = models_of(members, "pack")
        self._refuse_shared()

    @classmethod
    def build(cls, make: Callable[..., Model], configurations: Iterable[dict[str, Any]]) -> Pack:
        """A pack of `make(**configuration)` for each configuration.

        Parameters
        ----------
        make : callable
            Returns a new compiled model.
        configurations : iterable of dict
            Arguments of `make`, by name.
        """
        return cls(make(**configuration) for configuration in configurations)

    def __len__(self) -> int:
        return len(self.members)

    def __iter__(self) -> Iterator[Model]:
        return iter(self.members)

    def __getitem__(self, index: int) -> Model:
        return self.members[index]

    def fit(
        self,
        x: Any,
        y: Any = None,
        *,
        callbacks: Any = None,
        epochs: int | Sequence[int] = 1,
        verbose: Any = "auto",
        **arguments: Any,
    ) -> list[Any]:
        """Train every member as `Model.fit` would.

        Parameters
        ----------
        x, y
            As for `Model.fit`; arrays, not iterables that can be walked through once.
        callbacks : list of Callback, or callable, optional
            Every member gets copies of its own, so each one stops early by itself; or what the callable returns for
            a member's number, which those that write files need.
        epochs : int or sequence of int
            For all, or one for each member.
        verbose : 0, 1 or "auto"
            1 shows how many networks are done.
        **arguments
            Of `Model.fit`: batch_size, validation_data, sample_weight, initial_epoch, ...

        Returns
        -------
        list of History
            One for each member.

        Raises
        ------
        ValueError
            If the number of epochs does not fit the members, or all of them would read or write the same files.
        Exception
            What a member's training raises, with a note which one it was; the others stop at their next batches.
        """
        _refuse_once("pack fit", x, arguments.get("validation_data"))
        if arguments.get("resume") is not None and len(self) > 1:
            raise ValueError(
                f"[pack fit] expected files of its own for each of {len(self)} members, received one to resume all of "
                "them from. Give a function of a member's number: callbacks=lambda i: [BackupAndRestore(...)]."
            )
        if isinstance(callbacks, (list, tuple)) or callbacks is None:
            writer = next((one for one in callbacks or [] if getattr(one, "writes", False)), None)
            if writer is not None and len(self) > 1:
                name = type(writer).__name__
                raise ValueError(
                    f"[pack fit] expected files of its own for each of {len(self)} members, received one {name} for "
                    f"all of them. Give a function of a member's number: callbacks=lambda i: [{name}(...)]."
                )
            mine: list[Any] = [copy.deepcopy(list(callbacks or [])) for _ in self.members]
        elif callable(callbacks):
            mine = [callbacks(i) for i in range(len(self))]
        else:
            raise TypeError(
                "[pack fit] expected callbacks as a list or a function of a member's number, received "
                f"{type(callbacks).__name__}."
            )
        several = isinstance(epochs, (list, tuple, np.ndarray))
        each = list(epochs) if several else [epochs] * len(self)  # type: ignore[arg-type]
        if len(each) != len(self):
            raise ValueError(f"[pack fit] expected epochs for {len(self)} members, received {len(each)}.")
        return self._run(
            lambda i, member: member.fit(x, y, callbacks=mine[i], epochs=each[i], verbose=0, **arguments), verbose
        )

    def evaluate(self, x: Any, y: Any = None, *, verbose: Any = 0, **arguments: Any) -> list[Any]:
        """What `Model.evaluate` returns, for every member. Arguments are those of `Model.evaluate`."""
        _refuse_once("pack evaluate", x)
        return self._run(lambda i, member: member.evaluate(x, y, verbose=0, **arguments), verbose)

    def predict(self, x: Any, *, verbose: Any = 0, **arguments: Any) -> np.ndarray:
        """Predictions of all members, which must have one output of the same shape.

        Parameters
        ----------
        x : array_like
            n rows.
        **arguments
            Of `Model.predict`.

        Returns
        -------
        ndarray of shape (members, n, ...)
        """
        _refuse_once("pack predict", x)
        parts = self._run(lambda i, member: member.predict(x, verbose=0, **arguments), verbose)
        for i, part in enumerate(parts):
            check_alike(parts[0], part, i, "pack predict")
        return np.stack(parts)

    def ensemble(self, weights: Any = None) -> Ensemble:
        """All members as one predictor, weighted alike or by `weights`, of shape (members,)."""
        return Ensemble(self.members, weights)

    def select(self, x: Any, y: Any, *, size: int = 8, score: Any = None) -> Ensemble:
        """The ensemble that greedy selection finds on held-out data (Caruana et al., "Ensemble Selection from Libraries
        of Models", ICML 2004): `size` times the member is added, again or anew, that improves the mean most.

        Parameters
        ----------
        x, y : array_like
            Rows that no member was trained on.
        size : int
            Members, counted as often as they were chosen.
        score : str, Loss or callable, optional
            `score(y, predictions)` is to be low; the members' loss unless given.

        Returns
        -------
        Ensemble
        """
        size = positive(size, "pack select", "size")
        if score is None:
            score = self.members[0].loss
        if score is None:
            raise ValueError("[pack select] expected a score, or members that are compiled with a loss, received none.")
        measure = losses.get(score)
        chosen = greedy_selection(self.predict(x), lambda p: float(np.mean(np.asarray(measure(y, p)))), size)
        members = [i for i in range(len(self)) if chosen[i]]
        return Ensemble([self.members[i] for i in members], [chosen[i] for i in members])

    def _refuse_shared(self) -> None:
        owner: dict[int, int] = {}
        for i, member in enumerate(self.members):
            unbuilt = [layer for layer in member._all_layers() if not layer.built]  # it may get weights yet
            for part in [*member.variables, *unbuilt, *([] if member.optimizer is None else [member.optimizer])]:
                first = owner.setdefault(id(part), i)
                if first != i:
                    what = getattr(part, "path", None) or type(part).__name__
                    raise ValueError(
                        f"[pack] expected members of their own weights and optimizers, but members {first} and {i} "
                        f"share {what}. Make it anew for each member."
                    )

    def _run(self, work: Callable[[int, Model], Any], verbose: Any) -> list[Any]:
        """work(i, member) for every member, as many at a time as there are cores."""
        self._refuse_shared()
        for member in self.members:
            if member._compiled is not None:
                member._seed_now()  # in this order, whatever thread is first
        count = min(len(self), _core.threads())
        pool = ThreadPoolExecutor(count, initializer=_core.set_lone_worker, initargs=(True,))
        with _bar(len(self), verbose) as done, pool:
            waiting = {pool.submit(work, i, member): i for i, member in enumerate(self.members)}
            for future in waiting:
                future.add_done_callback(lambda _: done())
            try:
                wait(waiting, return_when=FIRST_EXCEPTION)
                for future, i in waiting.items():
                    error = future.exception() if future.done() else None
                    if error is not None:
                        _note(error, f"[pack] member {i} of {len(self)} raised this; the others were stopped.")
                        raise error
                return [future.result() for future in waiting]
            except BaseException:
                left = {future for future in waiting if not future.cancel() and not future.done()}
                while left:  # a member that is about to begin takes no notice yet
                    for future in left:
                        member = self.members[waiting[future]]
                        member.stop_training = member.stop_evaluating = True
                    left = wait(left, timeout=0.05).not_done
                raise


def _refuse_once(where: str, *data: Any) -> None:
    for one in data:
        if hasattr(one, "__next__"):
            raise ValueError(
                f"[{where}] expected arrays, or batches that every member can read from the first one on, received a "
                f"{type(one).__name__}, of which each would get a part. Put it in arrays or a PyDataset."
            )


def _note(error: BaseException, text: str) -> None:
    if hasattr(error, "add_note"):  # Python 3.11
        error.add_note(text)


@contextlib.contextmanager
def _bar(total: int, verbose: Any) -> Iterator[Callable[[], Any]]:
    from .progress import resolve_verbose

    if not resolve_verbose(verbose):
        yield lambda: None
        return
    from tqdm import tqdm

    with tqdm(total=total, unit="network") as bar:
        yield bar.update
