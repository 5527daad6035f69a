from __future__ import annotations

from plmrec.app.evaluation_page import evaluation_page


def test_the_page_shows_verdict_metrics_and_gains_and_escapes_what_it_is_given():
    page = evaluation_page(
        3,
        {
            "users": 12,
            "split": "time",
            "split_digest": "d1",
            "challenger": {"ndcg@10": 0.25, "mrr": None},
            "champion": {"ndcg@10": 0.2},
            "intervals": {"ndcg@10": [0.25, 0.2, 0.3]},
            "gains": {"ndcg@10": [0.05, -0.01, 0.1]},
            "slices": {"new_users": {"users": 3.0}},
            "item_slices": {"kind video": {"users": 3.0, "ndcg@10": 0.125}},
            "gaps": {"sex": {"gap": 0.0625, "groups": {"f<": {"users": 5.0, "mean": 0.5}}}},
            "baselines": {"popularity": {"ndcg@10": 0.1}},
        },
        {"verdict": "promote", "reasons": ["<b>better</b>"]},
    )
    assert "Release 3: promote" in page
    assert "&lt;b&gt;better&lt;/b&gt;" in page
    assert "+0.0500 (-0.0100 to +0.1000)" in page
    assert "<td>0.2000 to 0.3000</td>" in page
    assert "<td>kind video</td><td>3.0000</td><td>0.1250</td>" in page
    assert "<td>sex</td><td>f&lt;</td><td>5</td><td>0.5000</td><td>0.0625</td>" in page
