"""Any model of the transformers library, on batches padded to one length."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import torch

# Row numbers within the batch, their states (n, length, dim) float32, and their mask (n, length)
States: TypeAlias = "tuple[list[int], torch.Tensor, torch.Tensor]"


class PaddedModel:
    """The library's own module, in one precision.

    Models that attend in blocks see as many blocks as a text itself needs, never more because of
    its neighbours: BigBird's last block is read by all others, and it attends fully up to a
    length that the library decides by batch and then never undoes.
    """

    padded = True

    def __init__(self, model: Any, *, pad_id: int, global_first: bool) -> None:
        """Wrap a loaded model.

        Args:
            model: In evaluation mode, on its device.
            pad_id: Token to pad with.
            global_first: Of a Longformer: every token sees the first one and the other way round,
                as its authors do for classification (Beltagy et al. 2020, section 3.1).
        """
        self._model = model
        self._pad_id = pad_id
        kind = model.config.model_type
        self._global_first = global_first and kind == "longformer"
        self._is_big_bird = kind == "big_bird" and model.config.attention_type == "block_sparse"

    def states(self, batch: Sequence[Sequence[int]]) -> Iterator[States]:
        """Compute the last hidden states of some texts' tokens.

        Args:
            batch: Token ids of n >= 1 texts, each with at least one.

        Returns:
            Groups of rows that make up the batch, see States.
        """
        for rows in self._groups(batch):
            inputs = self._pad([batch[row] for row in rows])
            hidden = self._model(**inputs).last_hidden_state
            yield rows, hidden.float(), inputs["attention_mask"]

    def _groups(self, batch: Sequence[Sequence[int]]) -> list[list[int]]:
        """Rows that may share a forward pass."""
        if not self._is_big_bird:
            return [list(range(len(batch)))]
        groups = defaultdict(list)
        for row, ids in enumerate(batch):
            n_blocks = -(-len(ids) // self._model.config.block_size)
            groups[0 if len(ids) <= self._full_attention else n_blocks].append(row)
        return list(groups.values())

    def _pad(self, batch: Sequence[Sequence[int]]) -> dict[str, torch.Tensor]:
        import torch

        lengths = torch.tensor([len(ids) for ids in batch])
        width = int(lengths.max())
        if self._is_big_bird:
            is_short = width <= self._full_attention
            self._model.set_attention_type("original_full" if is_short else "block_sparse")
        padded = [[*ids, *[self._pad_id] * (width - len(ids))] for ids in batch]
        mask = (torch.arange(width)[None, :] < lengths[:, None]).long()
        inputs = {"input_ids": torch.tensor(padded), "attention_mask": mask}
        if self._global_first:
            first = torch.zeros_like(mask)
            first[:, 0] = 1
            inputs["global_attention_mask"] = first
        return {name: values.to(self._model.device) for name, values in inputs.items()}

    @property
    def _full_attention(self) -> int:
        """Tokens up to which BigBird attends fully; beyond, its blocks do not overlap."""
        config = self._model.config
        return int((5 + 2 * config.num_random_blocks) * config.block_size)
