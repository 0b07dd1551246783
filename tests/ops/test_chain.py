"""Rows that a variable carries from batch to batch."""

from __future__ import annotations

import numpy as np
import pytest

import harness
import reference
from harness import SIZES
from hotloop.testing import run_op


@pytest.mark.parametrize("features", SIZES)
@pytest.mark.parametrize(("chains", "rows"), [(1, 1), (1, 4), (5, 5), (5, 3), (5, 13), (130, 67)])
def test_a_batch_begins_where_the_chains_are_and_leaves_them_where_it_ends(chains, rows, features, dtype, rng):
    state = rng.standard_normal((chains, features)).astype(dtype)
    value = rng.standard_normal((rows, features)).astype(dtype)
    got = run_op("chain", [], {}, [state], dtype=dtype, max_rows=rows).output
    assert harness.same_bits(got, reference.chain(state, rows))
    (kept,) = run_op("keep_chain", [value], {}, [state], dtype=dtype).variables
    assert harness.same_bits(kept, reference.keep_chain(state, value))


@pytest.mark.parametrize("shape", [(5,), (2, 3, 4), (0, 4)])
def test_chains_that_are_no_matrix_are_refused(shape):
    with pytest.raises(ValueError, match="expected a variable of shape"):
        run_op("chain", [], {}, [np.zeros(shape)])
