"""From documents to vectors: one per passage, and one per item that sums its passages up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from plmrec.digests import digest_json
from plmrec.encoders.base import Encoder
from plmrec.params import DocumentParams
from plmrec.stages.pooling import Pieces, pool
from plmrec.text.documents import Chunk, Document, cut_document
from plmrec.types import FloatMatrix


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedItem:
    """One item's passages and vectors.

    Attributes:
        document_digest: Of the document they come from.
        fingerprint: Of the encoder.
        chunks: The passages in order, n >= 1.
        passage_vectors: float32, shape (n, dim), unit rows.
        vector: float32, shape (dim,), L2 norm 1.
    """

    document_digest: str
    fingerprint: str
    chunks: tuple[Chunk, ...]
    passage_vectors: FloatMatrix
    vector: FloatMatrix

    def passage_rows(self, item_id: str, input_digest: str) -> list[dict[str, Any]]:
        """Rows of the passages table."""
        return [
            {
                "item_id": item_id,
                "passage_no": number,
                "part": str(chunk.part),
                "text": chunk.passage.text,
                "start_s": chunk.passage.start_s,
                "end_s": chunk.passage.end_s,
                "confidence": chunk.passage.confidence,
                "vector": vector,
                "input_digest": input_digest,
                "digest": self._passage_digest(chunk),
            }
            for number, (chunk, vector) in enumerate(
                zip(self.chunks, self.passage_vectors, strict=True)
            )
        ]

    def vector_row(self, item_id: str, input_digest: str) -> dict[str, Any]:
        """Row of the item vectors table; its digest holds text and encoder, never float bits."""
        passages = [self._passage_digest(chunk) for chunk in self.chunks]
        return {
            "item_id": item_id,
            "fingerprint": self.fingerprint,
            "n_passages": len(self.chunks),
            "vector": self.vector,
            "document_digest": self.document_digest,
            "input_digest": input_digest,
            "digest": digest_json([input_digest, self.document_digest, passages]),
        }

    def _passage_digest(self, chunk: Chunk) -> str:
        passage = chunk.passage
        return digest_json(
            [self.fingerprint, passage.text, chunk.encoded, passage.start_s, passage.end_s]
        )


def encode_items(
    documents: Mapping[str, Document], *, encoder: Encoder, params: DocumentParams
) -> dict[str, EncodedItem]:
    """Cut and encode some items' documents, all passages together so that batches are full.

    Args:
        documents: By item_id.
        encoder: Any backend.
        params: How documents are cut, and how passages are weighed.

    Returns:
        By item_id, in the same order.
    """
    chunks = {
        item_id: cut_document(
            document,
            max_tokens=min(params.passage_tokens, encoder.max_tokens),
            overlap_tokens=params.overlap_tokens,
            max_passages=params.max_passages,
            passage_s=params.passage_s,
            count_tokens=encoder.count_tokens,
        )
        for item_id, document in documents.items()
    }
    vectors = encoder.encode([chunk.encoded for found in chunks.values() for chunk in found])
    ends = np.cumsum([len(found) for found in chunks.values()])
    return {
        item_id: EncodedItem(
            document_digest=documents[item_id].digest,
            fingerprint=encoder.fingerprint,
            chunks=tuple(found),
            passage_vectors=vectors[end - len(found) : end],
            vector=pool(_pieces(found, vectors[end - len(found) : end]), params),
        )
        for (item_id, found), end in zip(chunks.items(), ends, strict=True)
    }


def _pieces(chunks: Sequence[Chunk], vectors: FloatMatrix) -> Pieces:
    return Pieces(
        vectors=vectors,
        parts=[chunk.part for chunk in chunks],
        confidences=[chunk.passage.confidence for chunk in chunks],
    )
