"""How far a result may stand from the float64 oracle: one table for every op, row and dtype.

An error is allowed up to  eps * (base + growth * sqrt(K)) * scale,  eps the dtype's rounding unit, K the length of
the longest sum behind the number and `scale` the magnitude of what was added (the sum of absolute values for a
product, else the largest value at hand). Rounding errors of a sum of K terms grow like sqrt(K) when they are
independent.
"""

from __future__ import annotations

import numpy as np

# kind of result: (base, growth), in units of eps * scale
_TABLE = {
    "copy": (0.0, 0.0),  # moved, reshaped, concatenated: the same bits
    "map": (2.0, 0.0),  # a multiplication and an addition
    "activation": (8.0, 0.0),  # vector exp, log and tanh of a few ULP
    "softmax": (8.0, 1.0),
    "product": (2.0, 2.0),
    "product_activation": (8.0, 4.0),
    "sum": (2.0, 2.0),
    "norm": (16.0, 4.0),
    "norm_gradient": (32.0, 8.0),
    "loss": (16.0, 4.0),
    "metric": (16.0, 4.0),
    "optimizer": (4.0, 0.0),  # a step
    "random": (4.0, 0.0),
}
_ROW_FACTOR = {  # rows without a fused multiply-add round twice where the others round once
    "generic": 2.0,
    "avx2": 1.0,
    "avx512": 1.0,
    "neon": 1.0,
    "cuda": 1.0,
    "cuda_emulated": 1.0,
}


def allowed(kind: str, row: str, dtype: str, terms: int = 1, scale: float | np.ndarray = 1.0) -> float | np.ndarray:
    """The largest error a result of this kind may have."""
    base, growth = _TABLE[kind]
    return float(np.finfo(dtype).eps) * _ROW_FACTOR[row] * (base + growth * np.sqrt(terms)) * scale


def assert_close(got, want, kind, row, dtype, terms=1, scale=None, message=""):
    """Every element of `got` stands within the table's error of the oracle's `want`, which is a number or an infinity.

    A NaN compares with nothing: an oracle that gives one has no answer, and a kernel must not be right by having none.
    """
    want = np.asarray(want, np.float64)
    assert not np.isnan(want).any(), f"{message or kind}: the oracle gives NaN at {np.argwhere(np.isnan(want))[0]}"
    assert np.shape(got) == want.shape, f"{message}: shape {np.shape(got)} instead of {want.shape}"
    scale = np.maximum(np.abs(want).max(initial=0.0), 1e-30) if scale is None else scale
    got = np.asarray(got, np.float64)
    bound = np.broadcast_to(allowed(kind, row, dtype, terms, scale), want.shape)
    with np.errstate(invalid="ignore"):
        bad = ~((np.isfinite(want) & (np.abs(got - want) <= bound)) | (got == want))
    if bad.any():
        where = tuple(int(i) for i in np.argwhere(bad)[0])
        raise AssertionError(
            f"{message or kind}: {int(bad.sum())} of {bad.size} values too far from the oracle; first at {where}: "
            f"{got[where]!r} instead of {want[where]!r}, allowed error {bound[where]:.3g} on row {row}, {dtype}"
        )
