"""Layer: the base of everything that holds weights and computes, models included."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

import numpy as np

from .. import initializers, regularizers
from ..config import floatx
from ..identifiers import Initialised, suggestion, take_not_yet, unknown_argument
from ..naming import auto_name, check_name, to_snake_case
from ..slab import at_rest
from ..tensor import KerasTensor, Node, Operation, TraceError
from ..trace import Traced, infer_outputs, trace_of
from ..tree import flatten, map_structure
from ..variable import COMPACT, Variable, note_freeze, note_structure, tracing

_WEIGHT_NOT_YET = {
    "autocast": True, "aggregation": "none", "overwrite_with_gradient": False
}  # fmt: skip


class Layer(Initialised, Operation):
    """Base class of layers.

    A custom layer makes its weights in `build` (or in `__init__`), and computes in `call` with functions of
    `hotloop.ops` and other layers. `call` runs once for every mode, on symbolic tensors; its `training` is a bool.

    Parameters
    ----------
    name : str, optional
        Made from the class name unless told.
    dtype : {"float32", "float64"}, optional
        Of weights and arithmetic; `config.floatx()` unless told.
    trainable : bool
        False freezes the layer's weights.
    activity_regularizer : str or Regularizer, optional
        Of the layer's output; its penalty is divided by the rows of the batch.

    Attributes
    ----------
    stochastic : bool
        Of the class: True for layers whose `training` only means random numbers, which `predict_mc` samples.

    Examples
    --------
    >>> import numpy as np
    >>> from hotloop import ops
    >>> class Linear(Layer):
    ...     def build(self, input_shape):
    ...         self.w = self.add_weight(shape=(input_shape[-1], 1), initializer="ones", name="w")
    ...     def call(self, inputs):
    ...         return ops.matmul(inputs, self.w)
    >>> Linear()(np.array([[1.0, 2.0]]))
    array([[3.]], dtype=float32)
    """

    made_first = "nodes"
    not_called: tuple[str, ...] = ("__call__", "losses", "trainable_weights", "trainable_variables")
    not_yet: Mapping[str, Any] = {"autocast": True}  # arguments of Keras
    stochastic = False
    nodes: list[Node] = None  # type: ignore[assignment]  # replaced by __init__
    _arguments: tuple[tuple, dict[str, Any]]  # the constructor's, where the default `get_config` needs them

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        layer = super().__new__(cls)
        if cls.get_config is Layer.get_config:
            layer._arguments = (args, kwargs)
        return layer

    def __init__(
        self,
        name: str | None = None,
        dtype: str | None = None,
        trainable: bool = True,
        activity_regularizer: Any = None,
        **legacy: Any,
    ) -> None:
        self.name = check_name(name) if name is not None else auto_name(to_snake_case(type(self).__name__))
        if str(dtype).startswith("mixed_"):
            raise ValueError(
                f"[{type(self).__name__}] expected dtype 'float32' or 'float64', received {dtype!r}. Rounded "
                "products are a device's: hotloop.set_device('cuda_bf16')."
            )
        self.dtype = dtype or floatx()
        self._trainable = bool(trainable)
        self.activity_regularizer = regularizers.get(activity_regularizer)
        self._own: list[tuple[Variable, bool]] = []  # with: trainable unless the layer is frozen
        self._engine: Any = None
        self.built = False
        self.nodes = []
        for cls in type(self).__mro__:
            take_not_yet(f"{type(self).__name__} '{self.name}'", legacy, vars(cls).get("not_yet", {}))
        self._input_shape_argument = _legacy_input_shape(type(self), legacy)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "build" in cls.__dict__:
            cls.build = _noting_build(cls.__dict__["build"])  # type: ignore[method-assign]

    # What a subclass writes.

    def build(self, input_shape: Any) -> None:
        """Make the weights for inputs of this shape (batch axis first, None)."""
        self.built = True

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the output with `hotloop.ops`."""
        raise NotImplementedError(f"Layer {type(self).__name__} does not have a `call()` method implemented.")

    def get_config(self) -> dict[str, Any]:
        """Arguments that make this layer again; of a custom layer without this method, those it was made with."""
        config: dict[str, Any] = {"name": self.name, "trainable": self.trainable, "dtype": self.dtype}
        if self.activity_regularizer is not None:
            config["activity_regularizer"] = regularizers.serialize(self.activity_regularizer)
        if type(self).get_config is Layer.get_config:
            config.update(_plain_arguments(self))
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """A layer with new weights from what `get_config` gave."""
        if cls.get_config is Layer.get_config:
            config = _with_layers(config)
        parameters = inspect.signature(cls.__init__).parameters
        if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
            return cls(**config)
        layer = cls(**{name: value for name, value in config.items() if name in parameters})
        layer.name = config.get("name", layer.name)  # of a class whose __init__ does not pass these on
        layer.dtype = config.get("dtype", layer.dtype)
        layer._trainable = config.get("trainable", True)
        layer.activity_regularizer = regularizers.get(config.get("activity_regularizer"))
        return layer

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Shape of the output (batch axis first, None) for an input of this shape."""
        symbols = map_structure_of_shapes(lambda shape: KerasTensor(shape, self.dtype), input_shape)
        return map_structure(lambda t: t.shape, infer_outputs(self, (symbols,), {}, self.dtype))

    def add_weight(
        self,
        shape: tuple[int, ...] | None = None,
        initializer: Any = None,
        dtype: str | None = None,
        trainable: bool = True,
        name: str | None = None,
        regularizer: Any = None,
        constraint: Any = None,
        **not_yet: Any,
    ) -> Variable:
        """Make a weight of this layer.

        Parameters
        ----------
        shape : tuple of int
            A scalar unless told.
        initializer : str, Initializer or callable, optional
            "glorot_uniform" unless told.
        dtype : str, optional
        trainable : bool
        name : str, optional
        regularizer : str or Regularizer, optional
            Of a trainable weight.
        constraint : str, Constraint or callable, optional
            Of a trainable weight.
        """
        if isinstance(shape, str):
            raise ValueError(
                f"[add_weight] expected a shape first, received {shape!r}. Write add_weight(shape=..., name={shape!r})."
            )
        take_not_yet(f"add_weight of '{self.name}'", not_yet, _WEIGHT_NOT_YET)
        for unknown in not_yet:
            known = list(inspect.signature(self.add_weight).parameters)[:-1]
            raise TypeError(unknown_argument("add_weight", unknown, known))
        initial = initializers.get("glorot_uniform" if initializer is None else initializer)
        variable = Variable(
            initial, tuple(int(n) for n in shape or ()), dtype or self.dtype, trainable and self._trainable, name
        )
        variable.path = f"{self.name}/{variable.name}"
        variable.regularizer, variable.constraint = regularizer, constraint
        self._own.append((variable, trainable))
        note_structure()
        return variable

    # Calling.

    def __call__(self, *args: Any, training: bool | None = None, **kwargs: Any) -> Any:
        """Apply the layer to symbolic tensors, which records a node, or to arrays, which gives NumPy arrays.

        Parameters
        ----------
        *args, **kwargs
            Of `call`: tensors, or nested lists and dicts of them.
        training : bool, optional
            Unless told, the default of `call`, which is inference except for layers that augment images.
        """
        if self.nodes is None:
            raise RuntimeError(f"[{type(self).__name__}] expected `super().__init__()` first in its `__init__`.")
        leaves = flatten((args, kwargs))
        if training is not None:
            kwargs["training"] = bool(training)
        if any(isinstance(leaf, KerasTensor) for leaf in leaves):
            outputs = infer_outputs(self, args, kwargs, self._compute_dtype)
            Node(self, args, kwargs, outputs)
            return outputs
        if trace_of(leaves) is not None:
            return self.trace_call(args, kwargs)
        kwargs.pop("training", None)
        return self._call_on_arrays(args, kwargs, None if training is None else bool(training))

    def trace_call(self, args: tuple, kwargs: dict[str, Any]) -> Any:
        kwargs = dict(kwargs)
        training = kwargs.pop("training", None)
        trace = trace_of(flatten((args, kwargs)))
        if trace is None:
            raise TraceError(f"[{self.name}] expected a symbolic tensor, received none.")
        self._ensure_built(args)
        with trace.layer(self.name, training):
            if _takes_training(type(self).call, len(args)):
                asked = _own_training(type(self).call) if trace.training is None else trace.training
                kwargs["training"] = asked or (trace.sampling and self.stochastic)
            outputs = self.call(*args, **kwargs)
            if trace.watched is not None:
                trace.watched.append((self, outputs))
            if self.activity_regularizer is not None:
                for leaf in flatten(outputs):
                    trace.penalise(leaf, self.activity_regularizer)
            return outputs

    def _ensure_built(self, args: tuple) -> None:
        if not self.built:
            token = tracing.set(None)  # a layer inside: its `build` sees numbers
            try:
                self.build(map_structure(lambda t: t.shape if isinstance(t, (KerasTensor, Traced)) else None, args[0]))
            finally:
                tracing.reset(token)
            self.built = True

    def _call_on_arrays(self, args: tuple, kwargs: dict[str, Any], training: bool | None) -> Any:
        from ..eager import call_on_arrays

        return call_on_arrays(self, args, kwargs, training)

    # Weights.

    def _sublayers(self) -> list[Layer]:
        """Layers in this one's attributes, also in lists and dicts, in the order they were set."""
        kinds = (Layer, list, tuple, dict)
        values = [value for name, value in self.__dict__.items() if isinstance(value, kinds) and name != "_arguments"]
        return list({id(layer): layer for value in values for layer in _layers_in(value)}.values())

    def _own_variables(self) -> list[tuple[Variable, bool]]:
        known = {id(variable) for variable, _ in self._own}
        attributes = [v for v in self.__dict__.values() if isinstance(v, Variable) and id(v) not in known]
        return self._own + [(v, v.trainable) for v in attributes if v not in self._hidden_variables()]

    def _hidden_variables(self) -> list[Variable]:
        """Variables that ops use but that are no weights: constants given by the user."""
        return []

    def _engine_variables(self) -> list[Variable]:
        """Every variable that a graph of this layer may hold."""
        hidden = [v for layer in self._all_layers() for v in layer._hidden_variables()]
        return [v for v in self.weights + hidden if v.dtype != "int32"]

    @property
    def _compute_dtype(self) -> str:
        """Of the arithmetic: that of the weights."""
        return next((v.dtype for v in self.weights if v.dtype not in ("int32", *COMPACT)), self.dtype)

    def _all_layers(self) -> list[Layer]:
        """This layer and all inside it, each once."""
        found: dict[int, Layer] = {}
        stack: list[Layer] = [self]
        while stack:
            layer = stack.pop()
            if id(layer) not in found:
                found[id(layer)] = layer
                stack.extend(reversed(layer._sublayers()))
        return list(found.values())

    def _acts_unasked(self) -> bool:
        """Whether `training=True` is the default of this layer or one inside it."""
        return any(_own_training(type(layer).call) for layer in self._all_layers())

    @property
    def weights(self) -> list[Variable]:
        """All variables, each once: of each layer those made trainable first."""
        own = sorted(self._own_variables(), key=lambda pair: not pair[1])
        found = {id(v): v for v, _ in own}
        for layer in self._sublayers():
            found.update((id(v), v) for v in layer.weights if id(v) not in found)
        return list(found.values())

    @property
    def variables(self) -> list[Variable]:
        """The same as `weights`."""
        return self.weights

    @property
    def trainable_weights(self) -> list[Variable]:
        """Weights that training updates."""
        return [v for v in self.weights if v.trainable] if self.trainable else []

    @property
    def non_trainable_weights(self) -> list[Variable]:
        """Weights that training leaves alone."""
        return [v for v in self.weights if not v.trainable] if self.trainable else self.weights

    def add_loss(self, loss: Any) -> None:
        """Add a term of one's own to the loss of the model, from inside `call`.

        Parameters
        ----------
        loss : tensor, or list of them
            Made with `hotloop.ops`; the sum of all its elements is added to the loss of every batch, in training and in
            evaluation, and to no metric. `ops.mean(x)` is the mean over the batch too. A layer called twice adds
            twice. `losses` holds the penalties of weights alone.

        Raises
        ------
        RuntimeError
            Outside of `call`.

        Examples
        --------
        >>> import numpy as np, hotloop as keras
        >>> class Small(keras.layers.Layer):
        ...     def call(self, x):
        ...         self.add_loss(0.5 * keras.ops.mean(keras.ops.square(x)))
        ...         return x
        >>> model = keras.Sequential([keras.Input((2,)), Small()])
        >>> model.compile(loss="mse")
        >>> round(model.evaluate(np.ones((4, 2)), np.ones((4, 2)), verbose=0), 3)
        0.5
        """
        trace = tracing.get()
        if not trace:
            raise RuntimeError(f"[{self.name}] expected add_loss inside `call`, where its tensors are.")
        for value in loss if isinstance(loss, (list, tuple)) else [loss]:
            trace.add_loss(value)

    @property
    def losses(self) -> list[Any]:
        """The penalty of each trainable weight that has a regularizer, as it is now."""
        trace = tracing.get()
        if trace is not None:  # of a `compute_loss`
            from ..own_loss import compiled_penalties

            penalised = trace.penalties or any(v.regularizer is not None for v in self.trainable_weights)
            return list(compiled_penalties(trace)) if penalised else []
        return [v.regularizer(v.numpy()) for v in self.trainable_weights if v.regularizer is not None]

    trainable_variables = trainable_weights
    non_trainable_variables = non_trainable_weights

    @property
    def trainable(self) -> bool:
        """False freezes the layer and all inside it, from the next `fit` or call on."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = bool(value)
        note_freeze()
        for variable, asked in self._own_variables():
            variable.trainable = self._trainable and asked
        for layer in self._sublayers():
            layer.trainable = self._trainable

    def get_weights(self) -> list[np.ndarray]:
        """Copies of all weights, in the order of `weights`; while another thread trains, those between two batches."""
        variables = self.weights
        with at_rest(variables):
            return [v.numpy() for v in variables]

    def set_weights(self, weights: Any) -> None:
        """Replace all weights; nothing changes unless every shape fits.

        Raises
        ------
        ValueError
            If the list's length or one of the shapes is another.
        """
        variables = self.weights
        if not isinstance(weights, (list, tuple)):
            raise TypeError(
                f"[set_weights '{self.name}'] expected a list of arrays, received {type(weights).__name__}."
            )
        if len(weights) != len(variables):
            unbuilt = "" if self.built else " Build it first: it gets its weights when it knows what it reads."
            raise ValueError(
                f"[set_weights '{self.name}'] expected {len(variables)} arrays, one for each weight, received "
                f"{len(weights)}.{unbuilt or ' get_weights of the same layers gives them in order.'}"
            )
        arrays = [v._checked(value, f"set_weights '{self.name}'") for v, value in zip(variables, weights, strict=True)]
        with at_rest(variables):
            for variable, array in zip(variables, arrays, strict=True):
                variable.assign(array)

    def count_params(self) -> int:
        """Number of weights' elements.

        Raises
        ------
        ValueError
            If the weights have not been made yet.
        """
        if not self.built:
            raise ValueError(
                f"You tried to call `count_params` on layer '{self.name}', but the layer isn't built. "
                "Build it by calling it on data, or give the model an Input."
            )
        return sum(v.size for v in self.weights)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_engine": None, "nodes": []}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"


def map_structure_of_shapes(function: Any, shapes: Any) -> Any:
    """Apply `function` to every shape; a shape is a tuple (or list) of ints and None."""
    if isinstance(shapes, dict):
        return {key: map_structure_of_shapes(function, value) for key, value in shapes.items()}
    if shapes and isinstance(shapes[0], (tuple, list)):
        return [map_structure_of_shapes(function, shape) for shape in shapes]
    return function(tuple(shapes))


def _noting_build(build: Any) -> Any:
    def noted(self: Layer, *args: Any, **kwargs: Any) -> None:
        build(self, *args, **kwargs)
        self.built = True

    noted.__doc__ = build.__doc__
    return noted


def _layers_in(value: Any) -> Iterator[Layer]:
    if isinstance(value, Layer):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _layers_in(item)
    elif isinstance(value, dict):
        yield from _layers_in(list(value.values()))


@cache
def _takes_training(call: Callable[..., Any], given: int) -> bool:
    """Whether `training` is to be passed on, next to so many positional arguments."""
    parameters = inspect.signature(call).parameters
    if "training" in list(parameters)[1 : 1 + given]:
        return False  # it is among them
    return "training" in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())


@cache
def _own_training(call: Callable[..., Any]) -> bool:
    """The default of `training`: what holds where nobody says."""
    parameter = inspect.signature(call).parameters.get("training")
    return parameter is not None and parameter.default is True


def _described(leaf: Any) -> Any:
    """A layer among a layer's arguments as {"layer": description}; anything else as it is."""
    from .serialization import serialize

    return {"layer": serialize(leaf)} if isinstance(leaf, Layer) else leaf


def _with_layers(value: Any) -> Any:
    """Arguments with layers in place of what `_described` wrote."""
    from .serialization import deserialize

    if isinstance(value, Mapping) and set(value) == {"layer"} and isinstance(value["layer"], Mapping):
        return deserialize(value["layer"])
    if isinstance(value, Mapping):
        return {key: _with_layers(item) for key, item in value.items()}
    return [_with_layers(item) for item in value] if isinstance(value, (list, tuple)) else value


def _plain_arguments(layer: Layer) -> dict[str, Any]:
    args, kwargs = layer._arguments
    signature = inspect.signature(type(layer).__init__)
    bound = list(signature.bind(layer, *args, **kwargs).arguments.items())[1:]
    given: dict[str, Any] = {}
    for name, value in bound:
        given.update(value if signature.parameters[name].kind is inspect.Parameter.VAR_KEYWORD else {name: value})
    given = {name: map_structure(_described, value) for name, value in given.items()}
    for name, value in given.items():
        if not all(leaf is None or isinstance(leaf, (str, int, float)) for leaf in flatten(value)):
            raise NotImplementedError(
                f"Layer {type(layer).__name__} was created by passing {name}={value!r}. "
                "It must override `get_config()`."
            )
    return given


def _legacy_input_shape(cls: type, legacy: dict[str, Any]) -> tuple[int, ...] | None:
    shape = legacy.pop("input_shape", None)
    width = legacy.pop("input_dim", None)
    if legacy:
        raise ValueError(f"Unrecognized keyword arguments passed to {cls.__name__}: {legacy}.{_hint(cls, legacy)}")
    if shape is None and width is None:
        return None
    warnings.warn(
        f"{cls.__name__}(input_shape=...) and (input_dim=...) are Keras 2 spellings. "
        "Put an `Input(shape)` first in the model instead.",
        DeprecationWarning,
        stacklevel=4,
    )
    return tuple(shape) if shape is not None else (int(width),)


def _hint(cls: type, legacy: dict[str, Any]) -> str:
    if "batch_input_shape" in legacy:
        return " Put an `Input(shape)` first in the model instead."
    if "weights" in legacy:
        return " Give `kernel_initializer` and `bias_initializer`, or call `set_weights` after building."
    known = [*inspect.signature(cls.__init__).parameters, "name", "dtype", "trainable"]  # type: ignore[misc]
    return suggestion(next(iter(legacy)), known)
