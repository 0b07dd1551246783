"""How users name things: strings, dicts, classes and instances looked up in a table, and what to say when it fails."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import ModuleType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from .overrides import is_ours

T = TypeVar("T")
# Classes and functions that the caller of `load_model` (or a pickle) gives, by name; outside of these nothing.
_NOT_LOADING: Mapping[str, Any] = {}
_scope: ContextVar[Mapping[str, Any]] = ContextVar("scope", default=_NOT_LOADING)
CUSTOM = "Custom>"  # before the name of a user's class that is called like one of the package's


def suggestion(name: object, known: Iterable[str]) -> str:
    """The end of an error message: the known name that `name` is likely meant to be, or nothing.

    Examples
    --------
    >>> suggestion("rellu", ["relu", "elu"])
    " Did you mean 'relu'?"
    """
    from difflib import get_close_matches

    folded = {key.lower(): key for key in known}
    close = get_close_matches(str(name).lower(), folded, n=1)
    return f" Did you mean '{folded[close[0]]}'?" if close else ""


def suggest_names(module: ModuleType) -> None:
    """Let the error for a misspelled attribute of a module end with the name that is likely meant."""
    own = vars(module).get("__getattr__")

    def missing(name: str) -> Any:
        if own is not None:
            try:
                return own(name)
            except AttributeError:
                pass
        refused = f"module {module.__name__!r} has no attribute {name!r}"
        if name.startswith("_"):  # asked by Python itself
            raise AttributeError(refused)
        ours = [n for n, value in vars(module).items() if str(getattr(value, "__module__", "")).startswith("hotloop")]
        raise AttributeError(f"{refused}.{suggestion(name, vars(module).get('__all__', ours))}")

    vars(module)["__getattr__"] = missing


_registered: dict[str, Any] = {}


def get_custom_objects() -> dict[str, Any]:
    """What every file may name: the classes and functions that were registered. It may be changed."""
    return _registered


def register_keras_serializable(package: str = "Custom", name: str | None = None) -> Callable[[T], T]:
    """Register a class or function of one's own, so that files that name it need no `custom_objects`.

    Parameters
    ----------
    package : str
        What Keras's files write before the name.
    name : str, optional
        Its own unless told.

    Examples
    --------
    >>> @register_keras_serializable()
    ... def doubled(x):
    ...     return 2 * x
    >>> get_custom_objects()["doubled"](4)
    8
    """

    def register(thing: T) -> T:
        own = name or name_of(thing)
        _registered[own] = _registered[f"{package}>{own}"] = thing
        return thing

    return register


@contextmanager
def custom_object_scope(objects: Mapping[str, Any] | None) -> Iterator[None]:
    """Inside, descriptions may name these classes and functions."""
    token = _scope.set({**_registered, **_scope.get(), **(objects or {})})
    try:
        yield
    finally:
        _scope.reset(token)


def name_of(function: Any) -> str:
    """What a function, or a description of one, is called."""
    return function if isinstance(function, str) else getattr(function, "__name__", type(function).__name__)


def custom_object(name: str) -> Any:
    """What `custom_objects` calls so (with its package before it, as Keras writes it, or without), or None."""
    return _scope.get().get(name, _scope.get().get(name.rpartition(">")[2]))


def saved_name(cls: type) -> str:
    """What files call a class: its name, marked where it is a user's and named like one of the package's."""
    names = [vars(sys.modules[".".join(base.__module__.split(".")[:2])]) for base in cls.__mro__ if is_ours(base)]
    like_ours = not is_ours(cls) and any(cls.__name__ in known for known in names)
    return f"{CUSTOM}{cls.__name__}" if like_ours else cls.__name__


def function_of(where: str, identifier: Any) -> Any:
    """A function, or the one that a description names and `custom_objects` gives."""
    if not isinstance(identifier, str):
        return identifier
    if identifier not in _scope.get():
        raise ValueError(
            f"[{where}] expected the function '{identifier}', which files do not hold. Pass "
            f"custom_objects={{{identifier!r}: ...}}, or compile=False for a loss or metric."
        )
    return _scope.get()[identifier]


def unknown_name(where: str, name: object, known: Iterable[str]) -> ValueError:
    """The error for a name that is not in a list; the caller raises it."""
    known = list(known)
    text = f"[{where}] expected one of {', '.join(known)}, received {name!r}.{suggestion(name, known)}"
    if _scope.get() is not _NOT_LOADING:
        text += f" Pass one of your own by its name: custom_objects={{{name!r}: ...}}."
    return ValueError(text)


def unknown_argument(where: str, name: str, known: Iterable[str]) -> str:
    """The message for an argument that does not exist."""
    known = list(known)
    return f"[{where}] expected arguments among {', '.join(known)}, received '{name}'.{suggestion(name, known)}"


def take_not_yet(where: str, given: dict[str, Any], not_yet: Mapping[str, Any]) -> None:
    """Take out arguments of Keras that mean nothing here yet, as long as they have Keras's default.

    Parameters
    ----------
    where : str
        Who was given them.
    given : dict
        Keyword arguments; those in `not_yet` are removed.
    not_yet : mapping
        Names to Keras's defaults.

    Raises
    ------
    ValueError
        For another value than the default.

    Examples
    --------
    >>> arguments = {"lora_rank": None, "units": 3}
    >>> take_not_yet("Dense", arguments, {"lora_rank": None}); arguments
    {'units': 3}
    """
    for name in [name for name in given if name in not_yet]:
        value, default = given.pop(name), not_yet[name]
        if value is not default and not (isinstance(value, (bool, int, float, str)) and value == default):
            raise ValueError(
                f"[{where}] expected {name}={default!r}, Keras's default, received {value!r}. "
                "Other values are not there yet."
            )


class Initialised:
    """A class whose objects say so when a subclass has not called its `__init__`."""

    made_first = ""  # an attribute that every `__init__` of the base class makes

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:  # only asked for what is not there
            if self.made_first in self.__dict__ or name.startswith("__"):
                return object.__getattribute__(self, name)  # fails again, with its own message
            raise AttributeError(
                f"[{type(self).__name__}] expected `super().__init__()` first in its `__init__`, received none: "
                f"'{name}' is not there. Call it before anything else.",
                name=name,
            )


class Checked:
    """A class whose constructor answers an unknown keyword with a suggestion."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        if kwargs:
            parameters = inspect.signature(cls.__init__).parameters
            if not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
                known = list(parameters)[1:]
                for name in kwargs:
                    if name not in known:
                        raise TypeError(unknown_argument(cls.__name__, name, known))
        return super().__new__(cls)


class Configurable(Checked):
    """A `Checked` class that a dict can describe."""

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {}

    @classmethod
    def from_config(cls: type[T], config: Mapping[str, Any]) -> T:
        """An object made from what `get_config` gave."""
        return cls(**config)


def serialize(thing: Any) -> dict[str, Any]:
    """`{"class_name": ..., "config": ...}`, which the `get` of the same module reads back."""
    return {"class_name": saved_name(type(thing)), "config": thing.get_config()}


class Table(Generic[T]):
    """The classes of one module, by every string that names them.

    Parameters
    ----------
    what : str
        What they are, for messages: "optimizer".
    base : type
        Their common base class.
    classes : mapping of str to type
        Snake-case name to class. The class's own name is known too.
    aliases : mapping of str to str
        Further names, of snake-case names.
    fold_case : bool
        Whether "Adam", "ADAM" and "adam" are one.
    further : iterable of str
        Names that the module understands besides, to be suggested.
    """

    def __init__(
        self,
        what: str,
        base: type[T],
        classes: Mapping[str, type[T]],
        aliases: Mapping[str, str] | None = None,
        fold_case: bool = False,
        further: Iterable[str] = (),
    ) -> None:
        self.what, self.base, self.fold_case = what, base, fold_case
        self.names = [*classes, *(aliases or {})]
        self._suggested = [*self.names, *further]
        self._classes = dict(classes)
        self._classes.update({alias: classes[name] for alias, name in (aliases or {}).items()})
        self._classes.update({cls.__name__: cls for cls in classes.values()})
        if fold_case:
            self._classes = {name.lower(): cls for name, cls in self._classes.items()}

    def find(self, name: str) -> type[T]:
        """The class called `name`; ValueError with a suggestion if there is none."""
        found = self._classes.get(name.lower() if self.fold_case else name) or custom_object(name)
        if found is None:
            raise unknown_name(self.what, name, self._suggested)
        return found

    def get(self, identifier: Any) -> T:
        """An instance, from a name, a dict of `serialize`, a class or an instance.

        Raises
        ------
        ValueError
            For an unknown name or anything else.
        """
        if isinstance(identifier, self.base):
            return identifier
        if isinstance(identifier, str):
            found = self.find(identifier)
            return found if inspect.isfunction(found) else found()
        if isinstance(identifier, Mapping):
            return self.from_dict(identifier)
        if isinstance(identifier, type) and issubclass(identifier, self.base):
            return identifier()
        raise ValueError(
            f"[{self.what}] expected a name, a dict or an instance of {self.base.__name__}, received {identifier!r}."
        )

    def from_dict(self, description: Mapping[str, Any]) -> T:
        """An instance from `{"class_name": ..., "config": ...}`."""
        name, config = description.get("class_name"), description.get("config", {})
        if not isinstance(name, str) or not isinstance(config, Mapping):
            raise ValueError(
                f"[{self.what}] expected a dict with 'class_name' and 'config', received keys {list(description)}."
            )
        return self.find(name).from_config(config)  # type: ignore[attr-defined]
