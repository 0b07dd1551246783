"""Gradient clipping: ten hidden layers of 100 ELU neurons at the rate 0.3, at which training diverges without it.

The documents give no figure: they say that clipping keeps gradients from exploding, by value or, keeping their
direction, by norm.

    python -m examples.chapter.gradient_clipping
"""

import hotloop as keras

from .common import Data, Figures, Section, network, train

CASES = {"no clipping": {}, "clipvalue 1": {"clipvalue": 1.0}, "clipnorm 1": {"clipnorm": 1.0}}
CASES |= {"clipvalue 0.01": {"clipvalue": 0.01}, "global_clipnorm 1": {"global_clipnorm": 1.0}}


def run(data: Data) -> Figures:
    figures = {}
    for name, clip in CASES.items():
        hidden = [keras.layers.Dense(100, activation="elu", kernel_initializer="he_normal") for _ in range(10)]
        model = network(*hidden, keras.layers.Dense(10))
        figures[name] = train(model, data, keras.optimizers.SGD(0.3, **clip), epochs=5, batch=50)
    return figures


SECTION = Section("Gradient clipping: test accuracy, 10 x 100 ELU neurons, rate 0.3, 5 epochs", run, {}, seeds=3)

if __name__ == "__main__":
    SECTION.main()
