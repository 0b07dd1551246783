"""Model: layers put together, with training."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from .identifiers import take_not_yet
from .layers.layer import Layer
from .locks import add_locks
from .tensor import KerasTensor
from .trace import infer_outputs
from .training import Training
from .tree import flatten, map_structure
from .variable import tracing


class Model(Training, Layer):
    """Layers put together: `Model(inputs, outputs)`, or a subclass that writes `call`.

    Parameters
    ----------
    inputs, outputs : KerasTensor, or list, tuple or dict of them
        See `Functional`, which is what this makes of them.
    name : str, optional
    trainable : bool

    Examples
    --------
    >>> import hotloop as keras
    >>> x = keras.Input((4,))
    >>> y = keras.layers.Dense(1)(keras.layers.Dense(8, activation="relu")(x))
    >>> keras.Model(x, y).output_shape
    (None, 1)
    """

    _inputs: Any = None  # KerasTensors, once built
    _outputs: Any = None
    output_names: list[str]

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        if cls is Model and (args or "inputs" in kwargs or "outputs" in kwargs):
            from .functional import Functional

            cls = Functional
        elif _has_tensors(kwargs.get("outputs", args[1:2])):
            _make_functional(cls)
        return super().__new__(cls, *args, **kwargs)

    def __init__(self, name: str | None = None, dtype: str | None = None, trainable: bool = True) -> None:
        self._refuse_uncalled()
        super().__init__(name=name, dtype=dtype, trainable=trainable)
        add_locks(self, "_lock")
        self._init_training()

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Mapping[str, type] | None = None) -> Any:
        """A model with new weights from what `get_config` gave."""
        if "nodes" in config and "outputs" in config:
            _make_functional(cls)
            return cls.from_config(config, custom_objects)
        return super().from_config(config)

    # Inputs and outputs.

    @property
    def inputs(self) -> list[KerasTensor]:
        """The input tensors, in order."""
        return flatten(self._defined("inputs", self._inputs))

    @property
    def outputs(self) -> list[KerasTensor]:
        """The output tensors, in order."""
        return flatten(self._defined("outputs", self._outputs))

    @property
    def input(self) -> Any:
        """The input tensor, or the structure of them."""
        return self._defined("input", self._inputs)

    @property
    def output(self) -> Any:
        """The output tensor, or the structure of them."""
        return self._defined("output", self._outputs)

    @property
    def input_shape(self) -> Any:
        """`(None, 784)`, or the structure of them."""
        return map_structure(lambda t: t.shape, self._defined("input_shape", self._inputs))

    @property
    def output_shape(self) -> Any:
        """`(None, 10)`, or the structure of them."""
        return map_structure(lambda t: t.shape, self._defined("output_shape", self._outputs))

    def _defined(self, what: str, value: Any) -> Any:
        if value is None:
            raise AttributeError(f"{type(self).__name__} '{self.name}' has no defined {what} yet: it is not built.")
        return value

    def _build_for(self, symbols: Any) -> None:
        """Make the weights for inputs like these KerasTensors (of a model that was not given its inputs)."""
        self._check_call()
        outputs = infer_outputs(self, (symbols,), {}, self._compute_dtype)
        self._inputs, self._outputs = symbols, outputs
        count = len(flatten(outputs))
        self.output_names = list(outputs) if isinstance(outputs, dict) else [f"output_{i + 1}" for i in range(count)]
        self.built = True

    def _check_call(self) -> None:
        parameters = inspect.signature(self.call).parameters.values()
        needed = [p.name for p in parameters if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]
        needed = [name for name in needed if name != "training"]
        if len(needed) > 1:
            raise TypeError(
                f"[Model '{self.name}'] expected `call` with one argument for the inputs, received one with "
                f"{', '.join(needed)}. Several inputs come as one list or dict: call(self, inputs)."
            )

    def __call__(self, *args: Any, training: bool | None = None, **kwargs: Any) -> Any:
        if not training and not kwargs and len(args) == 1 and tracing.get() is None:
            outputs = self._outputs_at_once(args[0])
            if outputs is not None:
                return outputs
        return super().__call__(*args, training=training, **kwargs)

    __call__.__doc__ = Layer.__call__.__doc__

    def _call_on_arrays(self, args: tuple, kwargs: dict[str, Any], training: bool | None) -> Any:
        if len(args) != 1 or kwargs:
            raise TypeError(
                f"[Model '{self.name}'] expected one argument, the inputs, received {len(args) + len(kwargs)}. "
                "Several inputs go into one list or dict."
            )
        return self._forward(args[0], training)

    # Layers.

    @property
    def layers(self) -> list[Layer]:
        """The layers directly inside."""
        return self._sublayers()

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """The layer of this name, or the one at this place in `layers`.

        Raises
        ------
        ValueError
            If there is none, or not exactly one of both was given.
        """
        from .identifiers import unknown_name

        if (name is None) == (index is None):
            raise ValueError(f"[get_layer] expected either a name or an index, received {name!r} and {index!r}.")
        if index is not None:
            if not -len(self.layers) <= index < len(self.layers):
                raise ValueError(f"[get_layer] expected an index below {len(self.layers)}, received {index}.")
            return self.layers[index]
        found = next((layer for layer in self.layers if layer.name == name), None)
        if found is None:
            raise unknown_name("get_layer", name, [layer.name for layer in self.layers])
        return found

    # Transfer.

    def body(self, until: Any = None, *, copy: bool = False, name: str | None = None) -> Any:
        """The model without its head: all layers below the last Dense one.

        Parameters
        ----------
        until : str, int or Layer, optional
            The last layer of the body. Unless told, the body ends below the last Dense layer (or another one that
            multiplies by weights); of a model with several heads, at the last layer that all of them read.
        copy : bool
            Whether the body gets layers and weights of its own. Else it shares them: training one trains the other.
        name : str, optional

        Returns
        -------
        Sequential or Functional
            As this model is; not compiled, with the inputs that it needs.

        Raises
        ------
        ValueError
            If the model is not built, or there is no such layer.
        TypeError
            For a model whose `call` is Python code.

        Examples
        --------
        >>> import hotloop as keras
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8, "relu"), keras.layers.Dense(3)])
        >>> features = model.body()
        >>> features.output_shape, features.layers[0] is model.layers[0]
        ((None, 8), True)
        """
        from .transfer import body

        return body(self, until, copy, name)

    def replace_head(
        self,
        units: Any,
        activation: Any = None,
        *,
        until: Any = None,
        copy: bool = False,
        name: str | None = None,
        **options: Any,
    ) -> Any:
        """A new model: the body of this one, and a Dense layer with new weights on it, or several.

        Parameters
        ----------
        units : int, Layer, or dict of them
            A dict makes a model with an output for each key. A Layer is the head itself.
        activation : str or callable, or dict of them, optional
        until, copy
            As of `body`.
        name : str, optional
            Of the model. A head is called "head", those of a dict by their keys.
        **options
            Other arguments of Dense.

        Returns
        -------
        Sequential or Functional
            Not compiled. Freeze the body with ``model.body().trainable = False``, or take
            `callbacks.GradualUnfreezing`.

        Raises
        ------
        ValueError, TypeError
            As of `body`.

        Examples
        --------
        >>> import hotloop as keras
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8, "relu"), keras.layers.Dense(3)])
        >>> model.replace_head(1, "sigmoid").output_shape
        (None, 1)
        >>> model.replace_head({"kind": 5, "age": 1}, {"kind": "softmax"}).output_shape
        {'age': (None, 1), 'kind': (None, 5)}
        """
        from .transfer import replace_head

        return replace_head(self, units, activation, until, copy, name, options)

    def summary(
        self,
        line_length: int | None = None,
        positions: Any = None,
        print_fn: Any = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: Any = None,
    ) -> None:
        """Print a table of the layers, their output shapes and their numbers of weights."""
        from .summary import print_summary

        print_summary(
            self, line_length=line_length, positions=positions, print_fn=print_fn, expand_nested=expand_nested,
            show_trainable=show_trainable, layer_range=layer_range,
        )  # fmt: skip

    # Files and copies.

    def save(self, filepath: Any, overwrite: bool = True, zipped: Any = None) -> None:
        """Write the model, its weights and its training state to a file. `zipped` is None."""
        take_not_yet("save", {"zipped": zipped}, {"zipped": None})
        from .saving import save_model

        save_model(self, filepath, overwrite=overwrite)

    def to_json(self, **kwargs: Any) -> str:
        """The layers, and what `compile` was given, as JSON in Keras's words; the weights are not in it.

        Parameters
        ----------
        **kwargs
            Of `json.dumps`.

        Returns
        -------
        str
            What `models.model_from_json`, here or in Keras, makes a model of.

        Raises
        ------
        ValueError
            If Keras has not what the model holds, or a function of tensors stands outside of layers.
        """
        from .saving.write import model_to_json

        return model_to_json(self, **kwargs)

    def save_weights(self, filepath: Any, overwrite: bool = True) -> None:
        """Write the weights to a file."""
        from .saving import save_weights

        save_weights(self, filepath, overwrite=overwrite)

    def load_weights(self, filepath: Any, skip_mismatch: bool = False, by_name: Any = False) -> None:
        """Read weights from a file, or take them from arrays.

        Parameters
        ----------
        filepath : str or mapping of str to array_like
            A ``.safetensors`` file: of `save_weights` or `save`, or a PyTorch ``nn.Sequential``'s state dict; or a
            ``.weights.h5``, ``.keras`` or ``.h5`` file of Keras. A mapping holds such arrays itself.
        skip_mismatch : bool
            Whether weights of another shape are left as they are, with a warning.
        by_name : bool or str
            Load only layers that the file has by the same name; a string is a regular expression for the whole names
            of those layers: ``"hidden[123]"``.

        Raises
        ------
        FormatError
            If the file is damaged.
        ValueError
            If weights do not fit; the model is as before.
        """
        from .reuse import load_arrays, read_safetensors
        from .saving import FormatError, keras_files, load_weights
        from .saving.write import require_built

        require_built(self, "load_weights")
        if isinstance(filepath, Mapping):
            load_arrays(self, filepath, by_name, skip_mismatch)
            return
        if keras_files.is_keras(filepath):
            keras_files.load_weights(self, filepath, by_name, skip_mismatch)
            return
        if not by_name and not skip_mismatch:
            try:
                load_weights(self, filepath)
                return
            except FormatError as error:
                if "saved by hotloop" not in str(error):
                    raise
        load_arrays(self, read_safetensors(filepath, by_name), by_name, skip_mismatch)

    def copy_weights_from(self, other: Layer, tau: float = 1.0) -> None:
        """Take over the weights of a model of the same layers, or move towards them: `tau * other + (1 - tau) * self`.

        Parameters
        ----------
        other : Model
        tau : float
            Small for a target network that follows slowly (Lillicrap et al., "Continuous control with deep
            reinforcement learning", ICLR 2016).
        """
        from .reuse import copy_weights

        copy_weights(other, self, tau)

    def quantize(self, mode: str = "int8", filters: Any = None) -> None:
        """Store the kernels of `Dense` layers in fewer bits, for inference; they are not trained any more.

        Parameters
        ----------
        mode : {"int8", "bfloat16", "float16"}
            int8: whole numbers with a scale for each unit; rows of a layer's input are rounded to whole numbers too,
            and sums are exact.
        filters : str, list of str or callable, optional
            Regular expressions that a layer's name must match one of from its beginning, or ``f(layer) -> bool``. All
            layers unless told.

        Raises
        ------
        ValueError
            If the model is not built, a layer is quantized already or has numbers beyond the range of the mode, none is
            of that kind, or another layer reads the kernel of one; the model is as before.

        Notes
        -----
        As Keras's ``Model.quantize``, for the layers that are plain `Dense`. Quantize a copy to keep the model:
        ``small = models.clone_model(model); small.set_weights(model.get_weights()); small.quantize("int8")``.
        """
        from .layers.quantization import quantize_model

        quantize_model(self, mode, filters)

    def optimize_for_inference(
        self, x: Any, y: Any = None, *, budget: float = 0.5, target: str = "latency", rows: int = 1, verbose: int = 0
    ) -> tuple[Any, Any]:
        """A model that predicts nearly the same and is quicker or smaller, and a report of what was tried.

        Batch normalisation is folded into the layers beside it and what only training needs is dropped; then the ways
        to store the kernels of `Dense` layers are measured: float32, float16, bfloat16, int8, and blocks where pruning
        has left few. Where folding would take from a layer's inputs the one size that a normalisation gave them, which
        few bits need, models that are folded but for that are measured too ("folded in part").

        Parameters
        ----------
        x : array_like, shape (n, ...)
            Rows to predict, of data that was not trained on.
        y : array_like, shape (n,) or the outputs', optional
            Class labels (one-hot too, for a model with a categorical loss), or numbers to be predicted; unless told the
            model's own outputs. Whole numbers beside one column of outputs are labels if they are 0 and 1 alone.
        budget : float
            Points of 100 that may be lost: of accuracy for labels, of the explained variance (R2) else.
        target : {"latency", "size"}
            What is to be least of all that stays within the budget; of ways within 5 % of it the one that scores best.
        rows : int
            Of the predictions that are timed.
        verbose : int
            1 prints the report.

        Returns
        -------
        model : Model
            A new one, not compiled; this one stays as it is.
        report : InferenceReport
            Size, latency and score of each way; `print` shows them.

        Raises
        ------
        ValueError
            If the model has several inputs or outputs or a `call` of its own, or the data does not fit.

        Examples
        --------
        >>> import numpy as np, hotloop as keras
        >>> model = keras.Sequential([keras.Input((256,)), keras.layers.Dense(128, "relu"), keras.layers.Dense(4)])
        >>> x = np.random.default_rng(0).random((200, 256))
        >>> small, report = model.optimize_for_inference(x, target="size", budget=2)
        >>> report.before.bytes > 3.5 * report.after.bytes
        True
        """
        from .inference import optimize

        model, report = optimize(self, x, y, budget, target, rows)
        if verbose:
            print(report)
        return model, report

    def _get_state(self) -> dict[str, Any]:
        from .state import get_state

        return get_state(self)

    def _set_state(self, state: Mapping[str, Any]) -> None:
        from .state import set_state

        set_state(self, state)

    def __reduce__(self) -> Any:
        from .state import rebuild, state_for_pickle

        return rebuild, (state_for_pickle(self),)


def _make_functional(cls: type) -> None:
    """A subclass of Model that is made from inputs and outputs is one of Functional from then on, as in Keras."""
    from .functional import Functional

    if not issubclass(cls, Functional):
        for base in cls.__bases__:
            if base is not Model and issubclass(base, Model):
                _make_functional(base)
        if not issubclass(cls, Functional):
            cls.__bases__ = tuple(Functional if base is Model else base for base in cls.__bases__)


def _has_tensors(structure: Any) -> bool:
    return any(isinstance(leaf, KerasTensor) for leaf in flatten(structure))
