"""Updates by gradients that somebody else has computed."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any
from weakref import ref

import numpy as np

if TYPE_CHECKING:
    from ..engine import Engine
    from ..variable import Variable


class Applying:
    """What an optimizer is outside of `fit`.

    The slots of an optimizer that a model was compiled with are the model's, and are saved with it: `fit` goes on with
    them. Any other optimizer keeps them itself, and the variables that it updates move to it and back: compile the
    model with it, no loss is needed, and updates happen in place.
    """

    _models: tuple[ref[Any], ...] = ()  # compiled with it, the last one first
    _engine: Engine | None = None  # of variables of no such model
    _built: tuple[Variable, ...] = ()

    def build(self, variables: Sequence[Variable]) -> None:
        """Name the variables that `apply` is about when it is given none."""
        self._built = tuple(variables)

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Any, Variable]]) -> int:
        """One update, as by `apply`.

        Parameters
        ----------
        grads_and_vars : iterable of (gradient, Variable)

        Returns
        -------
        int
            The number of updates made so far.

        Examples
        --------
        >>> import numpy as np, hotloop as keras
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        >>> model.compile("adam", "mse")
        >>> gradients = model.gradients(np.ones((8, 2)), np.ones(8))
        >>> model.optimizer.apply_gradients(zip(gradients, model.trainable_weights))
        1
        """
        pairs = [tuple(pair) for pair in grads_and_vars]
        if not pairs or any(len(pair) != 2 for pair in pairs):
            raise ValueError("[apply_gradients] expected pairs of a gradient and a variable, received none or others.")
        self.apply([pair[0] for pair in pairs], [pair[1] for pair in pairs])
        return self.iterations  # type: ignore[attr-defined]

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[Variable] | None = None) -> None:
        """One update of these variables by the optimizer's rule, at the learning rate of the step.

        Whatever `fit` does with a gradient is done to these: weight decay, clipping, then constraints. Penalties of
        regularizers are part of a loss, and of its gradients.

        Parameters
        ----------
        grads : sequence of array_like
            Of the variables' shapes. A variable whose gradient is None stays as it is, with a warning.
        trainable_variables : sequence of Variable, optional
            Those of `build`, or all trainable weights of the model compiled with this optimizer, unless told.

        Raises
        ------
        ValueError
            If numbers or shapes do not match, a variable is frozen or there twice, or every gradient is None.
        """
        variables = list(self._default_variables() if trainable_variables is None else trainable_variables)
        grads = list(grads)
        if len(grads) != len(variables) or not variables:
            raise ValueError(
                f"[apply] expected one gradient for each of {len(variables)} variables, received {len(grads)}."
            )
        pairs = [(g, v) for g, v in zip(grads, variables, strict=True) if g is not None]
        if not pairs:
            raise ValueError("[apply] expected at least one gradient, received None for every variable.")
        if len(pairs) < len(variables):
            without = ", ".join(v.path for g, v in zip(grads, variables, strict=True) if g is None)
            warnings.warn(f"[apply] no gradient for {without}: not updated.", stacklevel=2)
        arrays = [_checked(gradient, variable) for gradient, variable in pairs]
        chosen = [variable for _, variable in pairs]
        double = next((v for i, v in enumerate(chosen) if any(v is other for other in chosen[:i])), None)
        if double is not None:
            raise ValueError(f"[apply] expected each variable once, received '{double.path}' twice. Add its gradients.")
        self._engine_for(chosen).apply(self, chosen, arrays)

    def finalize_variable_values(self, var_list: Iterable[Variable]) -> None:
        """Make the running averages of these variables their values, if `use_ema` keeps any, as the end of `fit` does.

        Parameters
        ----------
        var_list : iterable of Variable
        """
        variables = list(var_list)
        engine = self._engine_for(variables)
        if engine.optimizer is self:
            engine.finish_averages(variables)

    def serve(self, model: Any) -> None:
        """A model is compiled with this optimizer."""
        self._models = (ref(model), *(one for one in self._models if one() not in (None, model)))

    def _served(self) -> list[Any]:
        models = [one() for one in self._models]
        return [model for model in models if model is not None and model.built and model.optimizer is self]

    def _default_variables(self) -> Sequence[Variable]:
        if self._built:
            return self._built
        for model in self._served():
            return model.trainable_weights
        raise ValueError(
            "[apply] expected variables, or an optimizer that a model is compiled with, received neither. "
            "Write optimizer.apply(gradients, model.trainable_weights)."
        )

    def _engine_for(self, variables: Sequence[Variable]) -> Engine:
        from ..engine import Engine

        for model in self._served():
            engine = model._get_engine()
            if all(engine.slab.place_of(v) is not None for v in variables):
                return engine
        engine = self._engine
        known = [] if engine is None else engine.slab.variables
        new = [v for v in variables if not any(v is other for other in known)]
        if engine is None or new:
            dtypes = {v.dtype for v in known + new}
            if len(dtypes) > 1:
                raise ValueError(
                    f"[apply] expected variables of one dtype, received {', '.join(sorted(dtypes))}. "
                    "Take an optimizer for each."
                )
            engine = self._engine = Engine(known + new, dtypes.pop(), previous=engine)
        return engine

    def __getstate__(self) -> dict[str, Any]:
        """A copy belongs to no model, and begins with new slots."""
        return {name: value for name, value in self.__dict__.items() if name not in ("_models", "_engine", "_built")}


def _checked(gradient: Any, variable: Variable) -> np.ndarray:
    from ..variable import Variable

    if not isinstance(variable, Variable):
        raise TypeError(f"[apply] expected variables, received {type(variable).__name__}.")
    if variable.dtype not in ("float32", "float64") or not variable.trainable:
        what = "a frozen one" if variable.dtype != "int32" else "one of integers"
        raise ValueError(f"[apply] expected trainable variables, received '{variable.path}', {what}.")
    array = np.asarray(gradient)
    if array.shape != variable.shape or array.dtype.kind not in "fiub":
        raise ValueError(
            f"[apply] expected a gradient of shape {variable.shape} for '{variable.path}', received "
            f"{array.dtype} of shape {array.shape}."
        )
    return np.asarray(array, variable.dtype, order="C")
