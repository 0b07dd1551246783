"""The chapter's sections, in its order: a module each, with what it measures in `SECTION`."""

SECTIONS = (
    "initialization",
    "activations",
    "batch_norm",
    "gradient_clipping",
    "transfer",
    "pretraining",
    "optimizers",
    "sparse",
    "schedules",
    "l1_l2",
    "dropout",
    "max_norm",
)
