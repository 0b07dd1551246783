"""A few hundred labels, and of other images only whether two show the same: does a siamese network help?

The source documents' example is faces: few pictures of each friend, but many of strangers, of which one knows whether
two show the same person. A network learns that, and its lower layers go on in the classifier. Here the body
784-256-128 of rectified units begins with what pairs of MNIST's images taught it:

- of the labelled images themselves, which adds no information;
- 5,000 pairs of 5,000 other images, the same in every pass: an answer a pair is all that is known of them;
- of all other images, drawn anew in every pass: so many answers nearly are the classes without their names, so this
  is what an unlimited auxiliary task can give, not what few labels can;
- triplets of all other images, drawn anew likewise.

As with the faces, strangers are not friends: in "5 to 9" the task has the digits 5 to 9, and pairs show 0 to 4 only.

Every way gets as many steps on pairs, the same labels, the same optimizer and the same epochs of fine-tuning, of which
the body is frozen in the first ten; every seed draws other labels and other weights.

    python examples/siamese.py             # five seeds, 200 and 500 labels
    python examples/siamese.py --quick     # seconds: two seeds, few steps, 200 labels
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import hotloop as keras
from hotloop.pretraining import Pairs, Triplets, siamese, triplet_network
from paired import Comparison, arguments

Images = tuple[np.ndarray, np.ndarray]
BATCH = 100
MARGIN = 5.0  # distances begin at about 2: with a margin below that most units of the body die


def new_body() -> keras.Sequential:
    return keras.Sequential([keras.Input((784,)), *(keras.layers.Dense(n, "relu") for n in (256, 128))])


def learn_pairs(body: keras.Sequential, images: Images, steps: int, resample: bool = True) -> None:
    task = siamese(body)
    task.compile(keras.optimizers.Adam(1e-3), keras.losses.Contrastive(margin=MARGIN))
    pairs = Pairs(*images, batch_size=BATCH, resample=resample)
    task.fit(pairs, epochs=max(1, steps // len(pairs)), verbose=0)


def learn_triplets(body: keras.Sequential, images: Images, steps: int) -> None:
    task = triplet_network(body)
    task.compile(keras.optimizers.Adam(1e-3), keras.losses.Triplet(margin=MARGIN))
    triplets = Triplets(*images, batch_size=BATCH)
    task.fit(triplets, epochs=max(1, steps // len(triplets)), verbose=0)


def accuracy(body: keras.Sequential, labelled: Images, test: Images, epochs: int) -> float:
    """Of a classifier on the body: frozen for ten epochs, then trained as a whole."""
    model = keras.Sequential([keras.Input((784,)), *body.layers, keras.layers.Dense(10)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    for trainable, part in ((False, 10), (True, epochs - 10)):
        for layer in body.layers:
            layer.trainable = trainable
        model.compile(keras.optimizers.Adam(1e-3), loss, metrics=["accuracy"])
        model.fit(*labelled, epochs=part, batch_size=20, verbose=0)
    return float(model.evaluate(*test, verbose=0)[1])


def main() -> None:
    parser = arguments("Few labels: a body pretrained on pairs against none.")
    parser.add_argument("--labels", type=int, nargs="+", default=[200, 500])
    options = parser.parse_args()
    seeds, images, steps, tuning = (2, 5_000, 50, 15) if options.quick else (options.seeds, 60_000, 3_000, 70)

    (x, y), (x_test, y_test) = keras.datasets.mnist.load_data()
    x, x_test = (a.reshape(-1, 784).astype(np.float32) / 255 for a in (x, x_test))
    comparison = Comparison(("task", "pretraining"))
    for labels in options.labels[:1] if options.quick else options.labels:
        for seed in range(seeds):
            rows = np.random.default_rng(seed).permutation(len(x))[:images]
            few, others = (x[rows[:labels]], y[rows[:labels]]), (x[rows[labels:]], y[rows[labels:]])
            some = others[0][:5000], others[1][:5000]
            ways: dict[str, Callable[[keras.Sequential], None]] = {
                "none": lambda body: None,
                "pairs of the labelled images": lambda body, few=few: learn_pairs(body, few, steps),
                "5,000 pairs of others": lambda body, some=some: learn_pairs(body, some, steps, False),
                "any pairs of others": lambda body, others=others: learn_pairs(body, others, steps),
                "any triplets of others": lambda body, others=others: learn_triplets(body, others, steps),
            }
            for name, way in ways.items():
                keras.utils.set_random_seed(seed)
                body = new_body()
                way(body)
                result = accuracy(body, few, (x_test, y_test), tuning)
                comparison.add(seed, f"{labels} labels of 0 to 9", name, result)

            high = rows[y[rows] > 4][:labels]
            strangers = rows[y[rows] < 5]
            test = x_test[y_test > 4], y_test[y_test > 4]
            for name in ("none", "any pairs of 0 to 4"):
                keras.utils.set_random_seed(seed)
                body = new_body()
                if name != "none":
                    learn_pairs(body, (x[strangers], y[strangers]), steps)
                result = accuracy(body, (x[high], y[high]), test, tuning)
                comparison.add(seed, f"{labels} labels of 5 to 9", name, result)
    comparison.finish("siamese", options)


if __name__ == "__main__":
    main()
