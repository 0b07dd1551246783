"""The README's ten lines, then the file they can leave behind."""

import hotloop as keras

(x_train, y_train), (x_test, y_test) = keras.datasets.digits.load_data()
model = keras.Sequential([keras.Input((8, 8)), keras.layers.Rescaling(1 / 16), keras.layers.Flatten()])
for units in (128, 64):
    model.add(keras.layers.Dense(units, activation="relu"))
model.add(keras.layers.Dense(10, activation="softmax"))
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x_train, y_train, epochs=20, validation_split=0.1)
print(model.evaluate(x_test, y_test, verbose=0))

model.save("quickstart.safetensors")
again = keras.models.load_model("quickstart.safetensors")
print(again.predict(x_test[:1], verbose=0).argmax(), "is a", y_test[0])
