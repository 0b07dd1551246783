"""Unsupervised pretraining: an autoencoder learns from all images, a classifier from 200 labels.

The documents give no figure: they say that it helps where there are few labels and many images. The encoder 784-300-50
and a decoder are trained to give back their input, ten epochs with Adam; then an output layer is trained on the
encoder for 20 epochs, frozen, and the whole for 20 more. Without pretraining the same network learns for 40 epochs.

    python -m examples.chapter.pretraining
"""

import hotloop as keras

from .common import Data, Figures, Images, Section, network

LABELS = 200


def encoder() -> list[keras.Layer]:
    return [keras.layers.Dense(n, activation="elu", kernel_initializer="he_normal") for n in (300, 50)]


def fit(model: keras.Model, images: Images, rate: float, epochs: int) -> None:
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(rate), loss=loss, metrics=["accuracy"])
    model.fit(*images, epochs=epochs, verbose=0)


def run(data: Data) -> Figures:
    few = data.train[0][:LABELS], data.train[1][:LABELS]
    figures = {}

    alone = network(*encoder(), keras.layers.Dense(10))
    fit(alone, few, 1e-3, data.epochs(40))
    figures["without pretraining"] = alone.evaluate(*data.test, verbose=0)[1]

    lower = encoder()
    autoencoder = network(*lower, keras.layers.Dense(300, activation="elu"), keras.layers.Dense(784))
    autoencoder.compile(optimizer="adam", loss="mse")
    pixels = data.train[0].reshape(-1, 784) / 255.0
    autoencoder.fit(data.train[0], pixels, batch_size=50, epochs=data.epochs(10), verbose=0)
    for layer in lower:
        layer.trainable = False
    model = network(*lower, keras.layers.Dense(10))
    fit(model, few, 1e-2, data.epochs(20))
    figures["encoder frozen"] = model.evaluate(*data.test, verbose=0)[1]
    for layer in lower:
        layer.trainable = True
    fit(model, few, 1e-4, data.epochs(20))
    figures["then trained as a whole"] = model.evaluate(*data.test, verbose=0)[1]
    return figures


SECTION = Section(f"Unsupervised pretraining: test accuracy with {LABELS} labels", run, {})

if __name__ == "__main__":
    SECTION.main()
