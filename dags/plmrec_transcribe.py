"""Transcribe media.

Turns subtitles and speech into transcripts, shard by shard; only new or changed media are decoded.
Speech is found first, recognised, and judged; what is not good enough is decoded again or refused.

* **Runs** when `plmrec://dataset` is updated.
* **Updates** `plmrec://transcripts` with the digest and the counts.
* Media that cannot be used are marked or quarantined; they never stop the chain. A recogniser that
  does worse on the golden set than the one before (`speech.golden`) does: `plan` fails at once.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import dag

from plmrec_dagkit import DATASET, TRANSCRIPTS, StageOperator, dag_defaults, map_shards


@dag(schedule=[DATASET], doc_md=__doc__, **dag_defaults(deadline=timedelta(hours=12)))
def plmrec_transcribe() -> None:
    plan = StageOperator(task_id="plan", call="transcribe.pending_shards")
    shards = map_shards(
        plan, task_id="transcribe", call="transcribe.transcribe_shard", pool="speech"
    )
    StageOperator(
        task_id="finish",
        call="transcribe.finish_transcribe",
        arguments={"reports": shards.output},
        outlets=[TRANSCRIPTS],
        trigger_rule="none_failed",
    )


plmrec_transcribe()
