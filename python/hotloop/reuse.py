"""Using trained weights again: freezing by name, and weights from files, from other models and other libraries."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .identifiers import suggestion
from .layers.layer import Layer
from .slab import at_rest

if TYPE_CHECKING:
    from .variable import Variable


def set_trainable(model: Any, names: str, trainable: bool) -> list[Layer]:
    """Freeze or thaw the layers whose names match a regular expression; it holds from the next `fit` on.

    Parameters
    ----------
    model : Model
    names : str
        A regular expression for the whole name of a layer, also of one inside a nested model: ``"hidden[12]"``.
    trainable : bool

    Returns
    -------
    list of Layer
        Those that match.

    Raises
    ------
    ValueError
        If no layer matches.

    Examples
    --------
    >>> import hotloop as keras
    >>> layers = [keras.layers.Dense(2, name=name) for name in ("hidden1", "hidden2", "output")]
    >>> model = keras.Sequential([keras.Input((2,)), *layers])
    >>> [layer.name for layer in set_trainable(model, "hidden.*", False)]
    ['hidden1', 'hidden2']
    """
    layers = [layer for layer in model._all_layers() if layer is not model]
    matching = [layer for layer in layers if re.fullmatch(names, layer.name)]
    if not matching:
        known = [layer.name for layer in layers]
        raise ValueError(
            f"[set_trainable] expected a pattern that matches one of {', '.join(known)}, received {names!r}."
            f"{suggestion(names, known)}"
        )
    for layer in matching:
        layer.trainable = trainable
    return matching


def copy_weights(source: Layer, target: Layer, tau: float = 1.0) -> None:
    """`target = tau * source + (1 - tau) * target`, for every weight; the same layers, in the same order."""
    if not 0 <= tau <= 1:
        raise ValueError(f"[copy_weights_from] expected tau from 0 to 1, received {tau!r}.")
    if not isinstance(source, Layer):
        raise TypeError(f"[copy_weights_from] expected a model or layer, received {type(source).__name__}.")
    theirs, mine = source.get_weights(), target.get_weights()
    if [w.shape for w in theirs] != [w.shape for w in mine]:
        raise ValueError(
            f"[copy_weights_from] expected a model of the same layers, received '{source.name}' with weights of "
            f"shapes {[w.shape for w in theirs]} for {[w.shape for w in mine]}."
        )
    if tau < 1:
        for i, (new, old) in enumerate(zip(theirs, mine, strict=True)):
            if old.dtype.kind == "f":  # counters are copied
                theirs[i] = (tau * new.astype(np.float64) + (1 - tau) * old).astype(old.dtype)
    target.set_weights(theirs)


def load_arrays(model: Any, arrays: Mapping[str, Any], by_name: Any = False, skip_mismatch: bool = False) -> list[str]:
    """Take weights from a mapping of arrays.

    Parameters
    ----------
    model : Model
    arrays : mapping of str to array_like
        Of all weights, in their order; or, with `by_name`, by their path, ``"hidden1/kernel"`` (or with a dot). A
        state dict of a PyTorch ``nn.Sequential`` ("0.weight", ...) is told by its names: its Linear and BatchNorm
        layers are taken in order, and matrices are transposed.
    by_name : bool or str
        A string is a regular expression for the whole names of the layers that are to be loaded.
    skip_mismatch : bool
        Whether weights of another shape are left as they are, with a warning.

    Returns
    -------
    list of str
        The paths of the weights that were loaded.

    Raises
    ------
    ValueError
        If names, number or shapes do not fit; the model is as before.
    """
    found = {str(name): _array(array) for name, array in arrays.items()}
    if not by_name:
        if _is_state_dict(found):
            found = dict(_from_torch(model, found))
        elif len(found) != len(model.weights):
            raise ValueError(
                f"[load_weights] expected {len(model.weights)} arrays, received {len(found)}. "
                "With by_name=True only the layers of the same names are loaded."
            )
        pairs = list(zip(model.weights, found.values(), strict=True))
    else:
        pairs = list(_by_name(model, found, by_name))
        if not pairs:
            raise ValueError(
                f"[load_weights] expected weights of the model, {_listed(v.path for v in model.weights)}, "
                f"received {_listed(found)}."
            )
    return assign(pairs, skip_mismatch)


def read_safetensors(path: str | os.PathLike[str], by_name: Any = False) -> dict[str, np.ndarray]:
    """The weights of any ``.safetensors`` file: of a model saved here in its order, else by names that say it."""
    from safetensors import SafetensorError, safe_open

    from .saving import FormatError, inspect

    try:
        with safe_open(path, framework="numpy") as file:
            ours = "hotloop" in (file.metadata() or {})
            if not (ours or by_name or _is_state_dict(dict.fromkeys(file.keys()))):
                raise ValueError(
                    f"[load_weights '{path}'] expected tensors of a model that was saved here, or named as in a state "
                    f"dict of PyTorch's nn.Sequential, received {_listed(file.keys())}. With by_name=True those with "
                    "the names of this model's layers are loaded."
                )
            return {
                name: file.get_tensor(name) for name in (inspect(path)["model"]["weights"] if ours else file.keys())
            }
    except (SafetensorError, KeyError, TypeError) as error:
        raise FormatError(f"[load_weights '{path}'] expected a .safetensors file, received {error}.") from None


def _by_name(model: Any, found: Mapping[str, np.ndarray], by_name: Any) -> Iterator[tuple[Variable, np.ndarray]]:
    for variable in model.weights:
        layer = variable.path.rsplit("/", 1)[0]
        if isinstance(by_name, str) and not re.fullmatch(by_name, layer):
            continue
        for name in (variable.path, variable.path.replace("/", ".")):
            if name in found:
                yield variable, found[name]
                break


def assign(pairs: list[tuple[Variable, np.ndarray]], skip_mismatch: bool) -> list[str]:
    """Give weights the arrays beside them, all or (with `skip_mismatch`) those that fit; returns their paths."""
    wrong = [(v, a) for v, a in pairs if v.shape != a.shape]
    if wrong:
        text = "; ".join(f"shape {v.shape} for '{v.path}', received {a.shape}" for v, a in wrong)
        if not skip_mismatch:
            raise ValueError(f"[load_weights] expected {text}. skip_mismatch=True leaves these as they are.")
        warnings.warn(f"load_weights left out weights of another shape: expected {text}.", stacklevel=4)
    fitting = [(v, a) for v, a in pairs if v.shape == a.shape]
    checked = [(v, v._checked(a, "load_weights")) for v, a in fitting]
    with at_rest([v for v, _ in checked]):
        for variable, array in checked:
            variable.assign(array)
    return [v.path for v, _ in checked]


def _array(value: Any) -> np.ndarray:
    if hasattr(value, "detach"):  # PyTorch's
        value = value.detach().cpu()
    return np.asarray(value)


# PyTorch: what `nn.Linear` and `nn.BatchNorm1d` call their weights, in the order that layers have here.

_TORCH = {
    "Dense": {"kernel": "weight", "bias": "bias"},
    "BatchNormalization": {
        "gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"
    },
}  # fmt: skip


def _is_state_dict(found: Mapping[str, Any]) -> bool:
    return bool(found) and all(re.fullmatch(r"(.+\.)?\d+\.\w+", name) for name in found)


def _from_torch(model: Any, found: Mapping[str, np.ndarray]) -> Iterator[tuple[str, np.ndarray]]:
    groups: dict[str, dict[str, np.ndarray]] = {}
    for name, array in found.items():
        module, weight = name.rsplit(".", 1)
        if weight != "num_batches_tracked":
            groups.setdefault(module, {})[weight] = array
    modules = [groups[key] for key in sorted(groups, key=lambda n: int(n.rsplit(".", 1)[-1]))]
    layers = [layer for layer in model._all_layers() if layer._own_variables()]
    if len(layers) != len(modules):
        raise ValueError(
            f"[load_weights] expected weights of {len(layers)} layers, received {len(modules)}: {_listed(groups)}."
        )
    for layer, tensors in zip(layers, modules, strict=True):
        known = _TORCH.get(type(layer).__name__, {})
        names = [known.get(variable.name, "") for variable in layer.weights]
        if sorted(names) != sorted(tensors):
            raise ValueError(
                f"[load_weights] expected {', '.join(names)} for layer '{layer.name}' ({type(layer).__name__}), "
                f"received {', '.join(tensors)}."
            )
        for variable, key in zip(layer.weights, names, strict=True):
            yield variable.path, tensors[key].T if tensors[key].ndim == 2 else tensors[key]


def _listed(names: Any) -> str:
    names = list(names)
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
