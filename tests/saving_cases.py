"""Models of every kind that are saved in tests, and what is done with them."""

import numpy as np

import hotloop as keras

L = keras.layers
RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 4)).astype(np.float32)
Y = RNG.normal(size=(40, 1)).astype(np.float32)


def plain():
    return keras.Sequential([keras.Input((4,)), L.Dense(8, activation="elu"), L.Dense(1)])


def normalised():
    return keras.Sequential(
        [
            keras.Input((4,)),
            L.Dense(16, use_bias=False, kernel_initializer="he_normal"),
            L.BatchNormalization(momentum=0.9),
            L.Activation("selu"),
            L.Dropout(0.3),
            L.Dense(1),
        ]
    )


def activated():
    return keras.Sequential(
        [
            keras.Input((4,)),
            L.Dense(8, activation="gelu"),
            L.LayerNormalization(),
            L.PReLU(shared_axes=[1]),
            L.Dense(8, activation="swiglu"),
            L.RMSNormalization(),
            L.RReLU(0.1, 0.4, seed=2),
            L.GroupNormalization(groups=2),
            L.ReLU(max_value=3.0, threshold=0.1),
            L.UnitNormalization(),
            L.Activation("hard_swish"),
            L.Dense(1),
        ]
    )


def wide_and_deep():
    x = keras.Input((4,))
    deep = L.Dense(8, activation="relu")(x)
    deep = L.Add()([deep, L.Dense(8, activation="tanh")(deep)])
    return keras.Model(x, L.Dense(1)(L.Concatenate()([x, deep])), name="wide_and_deep")


def sharing():
    x = keras.Input((4,))
    shared = L.Dense(4, activation="tanh", name="shared")
    return keras.Model(x, L.Dense(1)(shared(shared(x))))


def nested():
    inner = keras.Sequential([keras.Input((4,)), L.Dense(6, activation="relu"), L.BatchNormalization()], name="inner")
    x = keras.Input((4,))
    return keras.Model(x, L.Dense(1)(inner(x)))


def adapted():
    layer = L.Normalization()
    layer.adapt(X)
    return keras.Sequential([keras.Input((4,)), layer, L.Rescaling(0.5, offset=1.0), L.Dense(1)])


def embedded():
    codes = [keras.Input((4,)), L.Discretization([-1.0, -0.3, 0.0, 0.5, 1.2])]
    vectors = [L.Embedding(6, 3, "orthogonal", "l2"), L.Permute((2, 1)), L.LayerNormalization(axis=1)]
    return keras.Sequential([*codes, *vectors, L.Flatten(), L.Dense(1)])


def divided():
    first = L.SpectralNormalization(L.Dense(8, activation="relu", kernel_regularizer="l2"), name="divided")
    return keras.Sequential([keras.Input((4,)), first, L.SpectralNormalization(L.Dense(1), power_iterations=2)])


def frozen():
    model = plain()
    model.layers[0].trainable = False
    return model


def double():
    layers = [keras.Input((4,), dtype="float64"), L.Dense(5, dtype="float64"), L.Dense(1, dtype="float64")]
    return keras.Sequential(layers)


def built_by_data():
    model = keras.Sequential([L.Dense(3, activation="relu"), L.Dense(1)])
    model(X)
    return model


def regularised():
    layers = [
        keras.Input((4,)),
        L.Dense(6, kernel_regularizer="l2", bias_regularizer=keras.regularizers.L1(0.02), activity_regularizer="l1"),
        L.BatchNormalization(gamma_regularizer="l1", beta_constraint=keras.constraints.MaxNorm(0.5)),
        L.ActivityRegularization(l1=0.01, l2=0.02),
        L.Dense(1, kernel_constraint=keras.constraints.MinMaxNorm(0.1, 0.8, 0.5, [0, 1]), bias_constraint="non_neg"),
    ]
    return keras.Sequential(layers)


def noisy():
    layers = [
        keras.Input((4,)),
        L.GaussianNoise(0.1),
        L.DropConnectDense(8, 0.2, activation="selu"),
        L.AlphaDropout(0.1),
        L.RepeatVector(3),
        L.BatchEnsembleDense(5, "tanh"),
        L.Flatten(),
    ]
    return keras.Sequential([*layers, L.GaussianDropout(0.2), L.Dropout(0.2, noise_shape=(1, None)), L.Dense(1)])


def augmented():
    layers = [
        keras.Input((4,)),
        L.Reshape((2, 2, 1)),
        L.RandomTranslation(0.2, (-0.1, 0.3), fill_mode="constant", fill_value=0.5),
        L.RandomRotation(0.1, interpolation="nearest", seed=3),
        L.RandomFlip("horizontal"),
        L.RandomZoom(0.2, fill_mode="nearest"),
        L.RandomContrast(0.2, value_range=(-4, 4)),
        L.RandomBrightness(0.1, value_range=(-4, 4)),
        L.Resizing(3, 3, "bicubic"),
        L.RandomCrop(2, 2),
        L.Flatten(),
        L.Dense(1),
    ]
    return keras.Sequential(layers)


def contracted():
    x = [keras.Input((4,)), L.Reshape((2, 2)), L.EinsumDense("abc,cd->abd", (2, 3), "relu", "bd")]
    y = [L.EinsumDense("...x,xy->...y", 3, bias_axes="y", kernel_constraint="max_norm"), L.Flatten(), L.Dense(1)]
    return keras.Sequential([*x, L.EinsumDense("abc,bcd->abd", (2, 3)), *y])


def with_bare_operations():
    x = keras.Input((4,))
    return keras.Model(x, L.Dense(1)(keras.ops.relu(x * 2.0 + 1.0)))


def with_names_like_the_optimizers():
    x = keras.Input((4,))
    return keras.Model(x, L.Dense(1, name="opt.velocity.dense")(L.Dense(4, name="dense")(x)))


def residual():
    blocks = [L.Residual([L.Dense(6, "relu"), L.Dense(4), L.LayerScale(0.3, scalar=scalar)]) for scalar in (0, 1)]
    return keras.Sequential([keras.Input((4,)), *blocks, L.Dense(1)])


def pruned():
    model = plain()
    keras.pruning.prune(model, 0.5)
    return model


def block_sparse():
    return keras.Sequential([keras.Input((4,)), L.BlockSparseDense(20, 5, "tanh"), L.Dense(1)])


MODELS = [
    plain, normalised, activated, wide_and_deep, sharing, nested, adapted, frozen, double, built_by_data,
    with_bare_operations, regularised, noisy, with_names_like_the_optimizers, embedded,
    divided, augmented, contracted, residual, pruned, block_sparse,
]  # fmt: skip
OPTIMIZERS = {
    "sgd": lambda: keras.optimizers.SGD(0.01),
    "momentum": lambda: keras.optimizers.SGD(0.01, momentum=0.9),
    "nesterov": lambda: keras.optimizers.SGD(0.01, momentum=0.9, nesterov=True),
    "rmsprop": lambda: keras.optimizers.RMSprop(0.01, momentum=0.5, centered=True),
    "adamw": lambda: keras.optimizers.AdamW(0.01, 0.1, amsgrad=True),
    "adamax": lambda: keras.optimizers.Adamax(0.01),
    "nadam": lambda: keras.optimizers.Nadam(0.01),
    "adagrad": lambda: keras.optimizers.Adagrad(0.1, initial_accumulator_value=0.5),
    "adadelta": lambda: keras.optimizers.Adadelta(1.0),
    "lion": lambda: keras.optimizers.Lion(0.001),
    "lamb": lambda: keras.optimizers.Lamb(0.01, weight_decay=0.1),
    "muon": lambda: keras.optimizers.Muon(0.01),
    "schedule_free": lambda: keras.optimizers.ScheduleFreeAdamW(0.05, 0.8, warmup_steps=4, weight_decay=0.01),
    "ftrl": lambda: keras.optimizers.Ftrl(0.1, l1_regularization_strength=0.01),
    "averaged": lambda: keras.optimizers.SGD(0.05, 0.9, use_ema=True, ema_momentum=0.9, global_clipnorm=0.5),
    "accumulated": lambda: keras.optimizers.Adam(0.01, clipvalue=0.1, gradient_accumulation_steps=4),
    "one_cycle": lambda: keras.optimizers.Adam(keras.optimizers.schedules.OneCycle(0.05, 12, cosine=True)),
    "adam": lambda: keras.optimizers.Adam(keras.optimizers.schedules.ExponentialDecay(0.01, 10, 0.9)),
}
KERAS_OPTIMIZERS = [name for name in OPTIMIZERS if name != "one_cycle"]  # what files of Keras can say


def compiled(make, optimizer="adam"):
    keras.utils.set_random_seed(7)
    model = make()
    model.compile(OPTIMIZERS[optimizer](), loss="mse", metrics=["mae"])
    return model


def fit(model, epochs=2, **kwargs):
    return model.fit(X, Y, batch_size=16, epochs=epochs, verbose=0, **kwargs).history


def same_weights(a, b):
    pairs = list(zip(a.get_weights(), b.get_weights(), strict=True))
    return all(p.dtype == q.dtype and p.tobytes() == q.tobytes() for p, q in pairs)


def through_file(model, tmp_path):
    model.save(tmp_path / "m.safetensors")
    return keras.models.load_model(tmp_path / "m.safetensors")


# -- round trips -----------------------------------------------------------------------------------------------------
