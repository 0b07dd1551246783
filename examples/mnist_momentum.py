"""The chapter's setting: 784-300-50-10 with ReLU on MNIST, momentum 0.9, a rate that decays from 0.1, five epochs.

Keeps the source's split (55,000 images to learn from, 10,000 to test; 5,000 are set aside) and batches of 50.

    python examples/mnist_momentum.py [--seeds 0 1 2]
"""

import argparse
import statistics
import time

import hotloop as keras

BATCH, EPOCHS = 50, 5


def build() -> keras.Model:
    model = keras.Sequential(
        [
            keras.Input((28, 28)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Flatten(),
            keras.layers.Dense(300, activation="relu", name="hidden1"),
            keras.layers.Dense(50, activation="relu", name="hidden2"),
            keras.layers.Dense(10, name="outputs"),
        ]
    )
    rate = keras.optimizers.schedules.ExponentialDecay(0.1, decay_steps=10_000, decay_rate=1 / 10)
    model.compile(
        optimizer=keras.optimizers.SGD(rate, momentum=0.9),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model


def run(seed: int) -> float:
    """Train once; returns the accuracy on the 10,000 test images."""
    keras.utils.set_random_seed(seed)
    (x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()
    model = build()
    start = time.perf_counter()
    model.fit(x_train[:55_000], y_train[:55_000], batch_size=BATCH, epochs=EPOCHS, verbose=0)
    seconds = time.perf_counter() - start
    accuracy = model.evaluate(x_test, y_test, verbose=0, return_dict=True)["accuracy"]
    print(f"seed {seed}: test accuracy {accuracy:.4f}, {seconds:.1f} s for {EPOCHS} epochs", flush=True)
    return accuracy


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    accuracies = [run(seed) for seed in parser.parse_args().seeds]
    print(f"median of {len(accuracies)}: test accuracy {statistics.median(accuracies):.4f}")
