from __future__ import annotations

import pytest
import torch

from plmrec.encoders._pooling import pool

# two texts of three and one token, and padding that must not count
HIDDEN = torch.tensor(
    [[[1.0, 0.0], [2.0, 6.0], [6.0, -3.0]], [[-4.0, 2.0], [9.0, 9.0], [9.0, 9.0]]]
)
MASK = torch.tensor([[1, 1, 1], [1, 0, 0]])


@pytest.mark.parametrize(
    ("pooling", "first"),
    [
        ("cls", [1.0, 0.0]),
        ("last", [6.0, -3.0]),
        ("mean", [3.0, 1.0]),
        ("max", [6.0, 6.0]),
        ("weightedmean", [(1 + 2 * 2 + 3 * 6) / 6, (2 * 6 - 3 * 3) / 6]),
        ("mean_sqrt_len", [9 / 3**0.5, 3 / 3**0.5]),
    ],
)
def test_pools_what_its_name_says_and_no_padding(pooling: str, first: list[float]) -> None:
    torch.testing.assert_close(pool(HIDDEN, MASK, pooling), torch.tensor([first, [-4.0, 2.0]]))
