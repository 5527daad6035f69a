"""Embed documents and understand them.

Composes documents, cuts them into passages and encodes those, shard by shard; then finds language,
summary, keywords, topic, mood and tags of each. Only items whose text changed are computed.

* **Runs** when `plmrec://transcripts` is updated.
* **Updates** `plmrec://embeddings` with the digest, the counts, the fingerprint of the encoder and
  the version of the taxonomy.
* Vectors of two encoders never mix: each fingerprint has tables of its own.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import dag

from plmrec_dagkit import EMBEDDINGS, TRANSCRIPTS, StageOperator, dag_defaults, map_shards


@dag(schedule=[TRANSCRIPTS], doc_md=__doc__, **dag_defaults(deadline=timedelta(hours=12)))
def plmrec_embed() -> None:
    plan = StageOperator(task_id="plan", call="embed.pending_shards")
    shards = map_shards(plan, task_id="embed", call="embed.embed_shard", pool="encode")
    embedded = StageOperator(
        task_id="embedded",
        call="embed.finish_embed",
        arguments={"reports": shards.output},
        trigger_rule="none_failed",
    )
    prepare = StageOperator(task_id="prepare", call="understand.prepare")
    embedded >> prepare
    meanings = map_shards(
        prepare, task_id="understand", call="understand.understand_shard", pool="encode"
    )
    StageOperator(
        task_id="finish",
        call="understand.finish_understand",
        arguments={"reports": meanings.output},
        outlets=[EMBEDDINGS],
        trigger_rule="none_failed",
    )


plmrec_embed()
