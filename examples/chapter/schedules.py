"""Learning rate schedules: 784-300-50-10 with ReLU and momentum 0.9, five epochs in batches of 50.

The documents' run starts at the rate 0.1, which falls by a factor of ten every 10,000 steps, and ends at 0.979.

    python -m examples.chapter.schedules
"""

import hotloop as keras
from hotloop.optimizers import schedules

from .common import Data, Figures, Section, train
from .optimizers import build


def run(data: Data) -> Figures:
    steps = 5 * len(data.train[0]) // 50
    rates = {
        "constant 0.1": 0.1,
        "constant 0.01": 0.01,
        "exponential": schedules.ExponentialDecay(0.1, decay_steps=10_000, decay_rate=1 / 10),
        "power": schedules.PowerDecay(0.1, decay_steps=steps // 10),
        "piecewise constant": schedules.PiecewiseConstantDecay([steps // 2, 4 * steps // 5], [0.1, 0.01, 0.001]),
    }
    figures = {}
    for name, rate in rates.items():
        figures[name] = train(build(), data, keras.optimizers.SGD(rate, momentum=0.9), epochs=5, batch=50)
    lower = keras.callbacks.ReduceLROnPlateau(factor=0.5, patience=0)
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
    options = {"validation_data": data.valid, "callbacks": [lower]}
    figures["performance"] = train(build(), data, optimizer, epochs=5, batch=50, **options)
    cycle = schedules.OneCycle(0.1, steps)
    figures["1cycle"] = train(build(), data, keras.optimizers.SGD(cycle, momentum=0.95), epochs=5, batch=50)
    return figures


SECTION = Section("Schedules: test accuracy, momentum 0.9, 5 epochs", run, {"exponential": 0.979})

if __name__ == "__main__":
    SECTION.main()
