"""The closed schema of a model's description: keys, types, and which tensors it may name."""

from __future__ import annotations

from typing import Any

from .format import Header, parse_description, refusal

FORMAT_VERSION = 1
_WEIGHTS_KEYS = {"format_version", "hotloop_version", "kind", "weights"}
_MODEL_KEYS = _WEIGHTS_KEYS | {"class_name", "config", "inputs", "compile", "optimizer", "training", "table"}
_OPTIONAL_KEYS = {"fit", "keep_zeros", "storage", "bfloat16"}
_DTYPES = {
    "F16": "float16",
    "F32": "float32",
    "F64": "float64",
    "I8": "int8",
    "I32": "int32",
    "I64": "int64",
    "U16": "uint16",
}


def _check_keys(path: object, what: str, value: Any, keys: set[str]) -> dict[str, Any]:
    if not isinstance(value, dict) or set(value) != keys:
        received = sorted(set(value) ^ keys) if isinstance(value, dict) else type(value).__name__
        raise refusal(path, f"{what} with the keys {', '.join(sorted(keys))}", f"{received} beside or instead"[:400])
    return value


def _check_count(path: object, what: str, value: Any, limit: int = 2**63) -> int:
    if type(value) is not int or not 0 <= value < limit:
        raise refusal(path, f"{what} to be a number of at least 0", repr(value)[:80])
    return value


def checked_description(header: Header, path: object) -> dict[str, Any]:
    """Version, keys and types; the classes check their own configurations when they are made."""
    description = parse_description(header, path)
    version = description.get("format_version")
    if version != FORMAT_VERSION:
        raise refusal(path, f"a file of format version {FORMAT_VERSION}", f"{version!r}, which is newer or none"[:80])
    kind = description.get("kind")
    keys = _MODEL_KEYS if kind == "model" else _WEIGHTS_KEYS
    more = (_OPTIONAL_KEYS if kind == "model" else {"bfloat16"}) & set(description)
    _check_keys(path, "a description", description, keys | more)
    names = description["weights"]
    if kind not in ("model", "weights") or not isinstance(names, list):
        raise refusal(path, "a description of a model or of weights", f"kind {kind!r}"[:80])
    kept = description.get("keep_zeros", [])
    if not isinstance(kept, list) or not all(type(i) is int and 0 <= i < len(names) for i in kept):
        raise refusal(path, f"places of at most {len(names)} weights under keep_zeros", repr(kept)[:80])
    if not isinstance(description.get("storage", []), list):
        raise refusal(path, "places of layers under storage", repr(description["storage"])[:80])
    halves = description.get("bfloat16", [])
    if not isinstance(halves, list) or not all(
        name in names and kind_of(header, name)[1] == "uint16" for name in halves
    ):
        raise refusal(path, "names of weights of 16 bits under bfloat16", repr(halves)[:80])
    used = [*names, *_checked_optimizer(description.get("optimizer"), len(names), header, path, names)]
    used += tensors_in(description.get("fit"))
    if not all(isinstance(name, str) for name in used) or sorted(used) != sorted(header.tensors):
        raise refusal(path, "a description that uses every tensor once", "one that does not")
    return description


def checked_fit(fit: Any, path: object) -> dict[str, Any]:
    """Position and callbacks of a `fit`."""
    counts = {"epoch", "batch", "begun", "passes", "pass_batch"}
    _check_keys(path, "a state of fit", fit, counts | {"totals", "stopped", "callbacks"})
    for key in counts:
        _check_count(path, key, fit[key])
    if type(fit["stopped"]) is not bool or not isinstance(fit["callbacks"], dict):
        raise refusal(path, "a state of fit with stopped and callbacks", "others")
    return fit


def tensors_in(state: Any) -> list[str]:
    """Names of the tensors in the state of a `fit` (see `resuming`)."""
    if isinstance(state, dict):
        if set(state) == {"tensor"} and isinstance(state["tensor"], str):
            return [state["tensor"]]
        state = list(state.values())
    return [name for item in state for name in tensors_in(item)] if isinstance(state, list) else []


def _checked_optimizer(state: Any, n: int, header: Header, path: object, names: list[Any]) -> list[str]:
    """Names of the tensors in the optimizer's slots, each of the shape of its weight."""
    if state is None:
        return []
    _check_keys(path, "an optimizer's state", state, {"iterations", "slots"})
    _check_count(path, "iterations", state["iterations"])
    if not isinstance(state["slots"], dict):
        raise refusal(path, "slots by name", type(state["slots"]).__name__)
    used = []
    for slot, tensors in state["slots"].items():
        if not isinstance(tensors, list) or len(tensors) != n:
            raise refusal(path, f"{n} tensors in slot '{slot:.40}'", repr(tensors)[:80])
        for name, weight in zip(tensors, names, strict=True):
            if name is not None:
                if kind_of(header, name) != kind_of(header, weight):
                    raise refusal(path, f"tensor '{name!s:.80}' to be like '{weight!s:.80}'", "another shape or dtype")
                used.append(name)
    return used


def kind_of(header: Header, name: Any) -> tuple[tuple[int, ...], str]:
    """Shape and NumPy's dtype name of a tensor; nothing for one that is not there."""
    entry = header.tensors.get(name) if isinstance(name, str) else None
    return ((), "") if entry is None else (entry.shape, _DTYPES.get(entry.dtype, ""))


def checked_training(state: Any, path: object) -> dict[str, Any]:
    """Seed and counters."""
    _check_keys(path, "a state of training", state, {"seed", "passes", "calls"})
    if state["seed"] is not None:
        _check_count(path, "the seed", state["seed"], 2**64)
    for key in ("passes", "calls"):
        _check_count(path, key, state[key])
    return state
