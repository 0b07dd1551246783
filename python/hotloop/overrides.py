"""Methods that Keras calls while it trains and this library does not: overriding one is refused, never ignored."""

from __future__ import annotations

from typing import Any

_PACKAGE = __name__.partition(".")[0]


def refuse_overrides(thing: Any, *names: str) -> None:
    """Refuse an object whose class, outside of this package, redefines what nothing would call.

    Every base class lists such names in `not_called`.

    Parameters
    ----------
    thing : object
    *names : str
        Look for these alone, listed or not.

    Raises
    ------
    NotImplementedError
        If one of them is overridden in a subclass, or set on the object itself.
    """
    cls = type(thing)
    foreign = [base for base in cls.__mro__ if not is_ours(base)]
    known = [name for base in cls.__mro__ for name in vars(base).get("not_called", ())]
    for name in dict.fromkeys(names or known):
        if any(name in vars(place) for place in (thing, *foreign)):
            base = next(base for base in cls.__mro__ if is_ours(base))
            raise NotImplementedError(
                f"[{cls.__name__}] expected a {base.__name__} without a `{name}` of its own, received one: "
                f"`{name}` is not called by hotloop yet; the compiled loop would train as if it were not there. "
                f"Take `{name}` out, or use one of hotloop's own classes."
            )


def is_overridden(thing: object, name: str) -> bool:
    """Whether a class outside of this package, or the object itself, redefines this method."""
    method = getattr(type(thing), name)
    return name in vars(thing) or not is_ours(getattr(method, "fget", method))


def is_ours(cls: Any) -> bool:
    """Whether a class or function is this package's."""
    return (getattr(cls, "__module__", None) or "").partition(".")[0] == _PACKAGE
