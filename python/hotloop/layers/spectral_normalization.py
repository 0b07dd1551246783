"""SpectralNormalization: a wrapper that keeps a kernel's largest singular value at 1."""

from __future__ import annotations

from typing import Any

from ..initializers import TruncatedNormal
from ..variable import Variable
from .layer import Layer
from .sizes import checked_size


class SpectralNormalization(Layer):
    """Divides the kernel of a layer by its largest singular value in every batch of training.

    Steps of the power method follow the singular vector from batch to batch; the kernel itself is changed before the
    layer computes, and gradients are those at the new kernel. In inference it is the layer alone.

    Parameters
    ----------
    layer : Layer
        With a `kernel` or `embeddings` of two axes: Dense, DropConnectDense, Embedding.
    power_iterations : int
        Steps in a batch.
    **kwargs
        Of `Layer`.

    Raises
    ------
    ValueError
        For a layer without a kernel, or less than one step.

    Notes
    -----
    Weights: kernel, vector_u (1, units), then the layer's others. A kernel of zeros stays, and so does a frozen one.
    Keras on JAX forgets in `fit` that the kernel was divided, and keeps only vector_u.
    Miyato et al., "Spectral Normalization for Generative Adversarial Networks", ICLR 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from hotloop.layers import Dense
    >>> layer = SpectralNormalization(Dense(2, kernel_initializer=np.diag([3.0, 1.0])), power_iterations=30)
    >>> layer(np.array([[3.0, 3.0]]), training=True).round(3)
    array([[3., 1.]], dtype=float32)
    """

    def __init__(self, layer: Any, power_iterations: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(layer, Layer):
            raise TypeError(f"[SpectralNormalization '{self.name}'] expected a layer, received {layer!r}.")
        self.power_iterations = checked_size(
            power_iterations, f"SpectralNormalization '{self.name}'", "power_iterations"
        )
        self.layer = layer
        self.kernel: Variable
        self.vector_u: Variable

    def build(self, input_shape: Any) -> None:
        if not self.layer.built:
            self.layer.build(input_shape)
        kernel = getattr(self.layer, "kernel", None)
        kernel = getattr(self.layer, "embeddings", None) if kernel is None else kernel
        if not isinstance(kernel, Variable) or kernel.ndim != 2:
            raise ValueError(
                f"[SpectralNormalization '{self.name}'] expected a layer with a kernel or embeddings of two axes, "
                f"received {type(self.layer).__name__}."
            )
        self.kernel = kernel
        self.vector_u = self.add_weight(
            (1, kernel.shape[1]), TruncatedNormal(stddev=0.02), kernel.dtype, trainable=False, name="vector_u"
        )

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        if training and self.kernel.trainable:
            inputs.trace.change("spectral_norm", [self.kernel, self.vector_u], {"iterations": self.power_iterations})
        return self.layer(inputs)

    def get_config(self) -> dict[str, Any]:
        from .serialization import serialize

        return {**super().get_config(), "layer": serialize(self.layer), "power_iterations": self.power_iterations}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> SpectralNormalization:
        from .serialization import deserialize

        return cls(**{**config, "layer": deserialize(config["layer"])})
