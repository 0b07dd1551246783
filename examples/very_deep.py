"""A thousand dense layers: what reaches each depth after an epoch, and what is learned, by how the network begins.

python examples/very_deep.py [BLOCKS]     two layers a block, 499 unless told; needs matplotlib for the picture
"""

from __future__ import annotations

import sys
import warnings

import numpy as np

import hotloop as keras

WIDTH, EPOCHS, SHOWN = 16, 6, 8
WAYS = ("plain", "none", "layer_scale", "fixup")  # plain: without ways around


def network(way, blocks):
    keras.utils.set_random_seed(1)
    if way != "plain":
        return keras.models.residual_mlp(64, WIDTH, blocks, 10, scheme=way)
    hidden = [keras.layers.Dense(WIDTH, "relu", kernel_initializer="he_normal") for _ in range(2 * blocks + 1)]
    return keras.Sequential([keras.Input((64,)), *hidden, keras.layers.Dense(10)])


def look(way, blocks, x, y):
    """What the monitor saw, and the losses."""
    model, monitor = network(way, blocks), keras.callbacks.GradientMonitor(verbose=False)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of losses that are no numbers: the table says so
        model.compile(keras.optimizers.Adam(1e-3), loss)
        history = model.fit(x, y, batch_size=64, epochs=EPOCHS, verbose=0, callbacks=[monitor]).history
    return monitor, history["loss"]


def norms(monitor):
    """The gradient's norm after the first epoch in each layer with a kernel, from the first to the last."""
    rows = [rows["gradient_norm"][0] for layer, rows in monitor.history.items() if layer.startswith("dense")]
    return [norm for norm in rows if norm is not None]


def main(blocks=499):
    (x, y), _ = keras.datasets.digits.load_data()
    x, y = x[:512].reshape(-1, 64) / 16, y[:512]
    seen = {way: look(way, blocks, x, y) for way in WAYS}
    depths = np.unique(np.linspace(0, 2 * blocks + 1, SHOWN).astype(int))
    print(
        f"{'gradient at layer':18}" + "".join(f"{depth + 1:>10}" for depth in depths) + "   loss, first and last epoch"
    )
    for way, (monitor, losses) in seen.items():
        found = norms(monitor)
        shown = "".join(f"{found[depth]:10.1e}" for depth in depths)
        print(f"{way:18}{shown}   {losses[0]:.3f} {losses[-1]:.3f}")
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return seen
    figure = Figure(figsize=(8, 5), layout="constrained")
    ax = figure.add_subplot(xlabel="layer", ylabel="norm of the gradient", yscale="log")
    for way, (monitor, _) in seen.items():
        ax.plot(norms(monitor), ".", markersize=2, label=way)
    ax.legend()
    figure.savefig("very_deep.png")
    return seen


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
