"""Sequential: a stack of layers, each with one input and one output."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .layers.input_layer import Input, InputLayer
from .layers.layer import Layer
from .layers.serialization import sharing
from .model import Model
from .tensor import KerasTensor
from .tree import flatten
from .variable import note_structure


class Sequential(Model):
    """A stack of layers.

    Parameters
    ----------
    layers : iterable of Layer, optional
        The first may be an `Input`; without it the weights are made when data is seen for the first time.
    trainable : bool
    name : str, optional

    Examples
    --------
    >>> from hotloop.layers import Dense
    >>> model = Sequential([Input((4,)), Dense(8, activation="relu"), Dense(1)])
    >>> model.output_shape, model.count_params()
    ((None, 1), 49)
    """

    _may_have_several_inputs = False

    def __init__(self, layers: Iterable[Any] | None = None, trainable: bool = True, name: str | None = None) -> None:
        super().__init__(name=name, trainable=trainable)
        self._layers: list[Layer] = []
        self._tensors: list[KerasTensor] = []  # the input, then the output of each layer; empty: not built
        for layer in layers or ():
            self.add(layer)

    def add(self, layer: Any) -> None:
        """Put a layer on top.

        Raises
        ------
        ValueError
            If it is no layer, has the name of another one, or does not take the present output.
        """
        if isinstance(layer, KerasTensor):
            layer = layer.node.operation
        if isinstance(layer, InputLayer):
            if self._layers or self._tensors:
                raise ValueError(f"[Sequential '{self.name}'] expected an Input only as the first layer.")
            self._start(layer.output)
            return
        if not isinstance(layer, Layer):
            raise ValueError(
                f"[Sequential '{self.name}'] expected instances of Layer, received {layer!r} ({type(layer).__name__})."
            )
        if any(other.name == layer.name and other is not layer for other in self._layers):
            raise ValueError(
                f"[Sequential '{self.name}'] expected layers of different names, received a second '{layer.name}'. "
                "Give it another name."
            )
        if not self._layers and not self._tensors:
            tensor = _input_like(layer)
            if tensor is not None:
                self._start(tensor)
        if self._tensors:
            self._append(layer, layer(self._tensors[-1]))
        self._layers.append(layer)
        if not self._trainable:
            layer.trainable = False

    def pop(self) -> Layer:
        """Take the last layer off and return it.

        Raises
        ------
        IndexError
            If there is none.
        """
        if not self._layers:
            self._tensors, self._inputs, self._outputs, self.built = [], None, None, False
            raise IndexError(f"[Sequential '{self.name}'] expected a layer to pop, but there is none.")
        layer = self._layers.pop()
        if self._tensors:
            node = self._tensors.pop().node
            layer.nodes.remove(node)
            self._note_outputs()
        return layer

    def build(self, input_shape: Any = None) -> None:
        """Make the weights for inputs of this shape, batch axis first: `(None, 784)`."""
        if input_shape is None:
            raise ValueError(f"[Sequential '{self.name}'] expected an input_shape such as (None, 784), received None.")
        shape = tuple(input_shape)
        if not self._tensors:
            self._build_for(KerasTensor(shape, self._first_dtype()))
        elif shape[1:] != self._tensors[0].shape[1:]:
            raise ValueError(
                f"[Sequential '{self.name}'] expected input_shape {self._tensors[0].shape}, with which it was built, "
                f"received {shape}."
            )

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Run the layers, one after the other, on a traced tensor."""
        for layer in self._layers:
            inputs = layer(inputs)
        return inputs

    def _build_for(self, symbols: Any) -> None:
        symbol = flatten(symbols)[0]
        if not self._layers:
            raise ValueError(f"[Sequential '{self.name}'] expected at least one layer, but there is none.")
        self._start(Input(symbol.shape[1:], dtype=symbol.dtype, name=f"{self.name}_input"))
        try:
            for layer in self._layers:
                self._append(layer, layer(self._tensors[-1]))
        except BaseException:
            self._tensors, self._inputs, self._outputs, self.built = [], None, None, False
            raise

    def _start(self, tensor: KerasTensor) -> None:
        self._tensors = [tensor]
        self._note_outputs()

    def _append(self, layer: Layer, output: Any) -> None:
        if not isinstance(output, KerasTensor):
            raise ValueError(
                f"[Sequential '{self.name}'] expected layers with one output, received {len(flatten(output))} from "
                f"'{layer.name}'. Use Model(inputs, outputs)."
            )
        self._tensors.append(output)
        self._note_outputs()

    def _note_outputs(self) -> None:
        self._inputs, self._outputs = self._tensors[0], self._tensors[-1]
        self.output_names = [self._outputs.node.operation.name]
        self.built = True
        note_structure()

    def _first_dtype(self) -> str:
        return self._layers[0]._compute_dtype if self._layers else self.dtype

    @property
    def _compute_dtype(self) -> str:
        return self._first_dtype()

    @property
    def layers(self) -> list[Layer]:
        """The layers, without that of the input."""
        return list(self._layers)

    def _sublayers(self) -> list[Layer]:
        return list({id(layer): layer for layer in self._layers}.values())

    @sharing()
    def get_config(self) -> dict[str, Any]:
        """Name, layers in order, and the input if it is known."""
        from .layers import serialize

        source = self._tensors[0].node.operation if self._tensors else None
        return {
            "name": self.name,
            "trainable": self.trainable,
            "input": None if source is None else source.get_config(),  # type: ignore[attr-defined]
            "layers": [serialize(layer) for layer in self._layers],
            "same_as": [self._layers.index(layer) for layer in self._layers],
        }

    @classmethod
    @sharing()
    def from_config(cls, config: Mapping[str, Any], custom_objects: Mapping[str, type] | None = None) -> Sequential:
        """The same model with new weights."""
        from .layers import deserialize
        from .layers.serialization import check_model_config

        check_model_config("Sequential", config, ("name", "trainable", "input", "layers", "same_as"))
        model = cls(name=config.get("name"))
        if config.get("input") is not None:
            model.add(InputLayer(**config["input"]))
        described = config["layers"]
        same_as = config.get("same_as") or list(range(len(described)))
        for i, (layer, same) in enumerate(zip(described, same_as, strict=True)):
            if not 0 <= same <= i:
                raise ValueError(f"[Sequential] expected same_as to name layers up to {i}, received {same}.")
            model.add(model._layers[same] if same < i else deserialize(layer, custom_objects))
        model._trainable = config.get("trainable", True)  # that of each layer is in its own configuration
        return model


def _input_like(layer: Layer) -> KerasTensor | None:
    """An Input for a first layer that says, or has seen before, what it takes."""
    if layer._input_shape_argument is not None:
        return Input(layer._input_shape_argument)
    seen = layer._inputs if isinstance(layer, Model) else layer.nodes[0].inputs if layer.nodes else None
    tensors = flatten(seen) if seen is not None else []
    return Input(tensors[0].shape[1:], dtype=tensors[0].dtype) if len(tensors) == 1 else None
