"""Cells 11 to 16 of the Keras notes, and the transfer learning of the book's pages: the same code but for the data.

The notes split MNIST at 5 and 6, the pages Fashion-MNIST at sandal (5) and shirt (6); the pages spell `lr=`. Changed
but for the import: fewer epochs.
"""

from __future__ import annotations

import numpy as np
import pytest

import hotloop as keras

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # input_shape and lr


def split_dataset(X, y):
    y_5_or_6 = (y == 5) | (y == 6)
    y_A = y[~y_5_or_6]
    y_A[y_A > 6] -= 2
    y_B = (y[y_5_or_6] == 6).astype(np.float32)
    return ((X[~y_5_or_6], y_A), (X[y_5_or_6], y_B))


@pytest.mark.parametrize("data", ["mnist", "fashion_mnist"])
@pytest.mark.parametrize("file", ["my_model_A.h5", "my_model_A.safetensors"])
def test_layers_of_a_model_for_eight_classes_are_reused_for_the_other_two(data, file):
    if file.endswith(".h5"):
        pytest.importorskip("h5py")
    (X_train, y_train), (X_test, y_test) = getattr(keras.datasets, data).load_data()
    X_val, X_train = X_train[:5000] / 255.0, X_train[5000:] / 255.0
    y_val, y_train = y_train[:5000], y_train[5000:]
    X_test = X_test / 255.0

    (X_train_A, y_train_A), (X_train_B, y_train_B) = split_dataset(X_train, y_train)
    (X_val_A, y_val_A), (X_val_B, y_val_B) = split_dataset(X_val, y_val)
    (X_test_A, _), (X_test_B, y_test_B) = split_dataset(X_test, y_test)
    X_train_B = X_train_B[:200]
    y_train_B = y_train_B[:200]

    model_A = keras.models.Sequential()
    model_A.add(keras.layers.Flatten(input_shape=[28, 28]))
    for n_hidden in (300, 100, 50, 50, 50):
        model_A.add(keras.layers.Dense(n_hidden, activation="selu"))
    model_A.add(keras.layers.Dense(8, activation="softmax"))
    model_A.compile(
        loss="sparse_categorical_crossentropy",
        optimizer=keras.optimizers.SGD(learning_rate=1e-3),
        metrics=["accuracy"],
    )
    history = model_A.fit(X_train_A, y_train_A, epochs=10, validation_data=(X_val_A, y_val_A), verbose=0)
    assert history.history["val_accuracy"][-1] > 0.5
    model_A.save(file)

    before = model_A.predict(X_test_A, verbose=0)
    model_A = keras.models.load_model(file)
    np.testing.assert_array_equal(model_A.predict(X_test_A, verbose=0), before)
    model_B_on_A = keras.models.Sequential(model_A.layers[:-1])
    model_B_on_A.add(keras.layers.Dense(1, activation="sigmoid"))

    model_A_clone = keras.models.clone_model(model_A)
    model_A_clone.set_weights(model_A.get_weights())

    for layer in model_B_on_A.layers[:-1]:
        layer.trainable = False
    model_B_on_A.compile(loss="binary_crossentropy", optimizer="sgd", metrics=["accuracy"])
    history = model_B_on_A.fit(X_train_B, y_train_B, epochs=4, validation_data=(X_val_B, y_val_B), verbose=0)
    assert len(history.history["val_accuracy"]) == 4
    np.testing.assert_array_equal(model_A.predict(X_test_A, verbose=0), before)  # the frozen layers did not move

    for layer in model_B_on_A.layers[:-1]:
        layer.trainable = True
    optimizer = keras.optimizers.SGD(lr=1e-4)  # the default lr is 1e-2
    model_B_on_A.compile(loss="binary_crossentropy", optimizer=optimizer, metrics=["accuracy"])
    history = model_B_on_A.fit(X_train_B, y_train_B, epochs=16, validation_data=(X_val_B, y_val_B), verbose=0)
    assert len(history.history["val_accuracy"]) == 16

    loss, accuracy = model_B_on_A.evaluate(X_test_B, y_test_B, verbose=0)
    assert accuracy > 0.7
    assert loss < 0.7
    # Layers are shared: model A moved too; its clone did not.
    assert not np.array_equal(model_A.predict(X_test_A, verbose=0), before)
    np.testing.assert_array_equal(model_A_clone.predict(X_test_A, verbose=0), before)
