from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest

from plmrec.app.bench_page import bench_page
from plmrec.app.bench_plots import draw_plots

METRICS = ("recall", "hit_rate", "coverage", "gini", "novelty", "diversity", "age_days")


def model(name: str, family: str, ndcg: float) -> dict[str, Any]:
    return {
        "model": name,
        "family": family,
        "status": "ok",
        "reason": "",
        "recipe": {"backend": name, "options": {"l2": 123.456}},
        "metrics": {"ndcg@10": ndcg, "mrr": None, **{f"{each}@10": 0.5 for each in METRICS}},
        "intervals": {"ndcg@10": [ndcg, ndcg - 0.01, ndcg + 0.01]},
        "slices": {"new_users": {"users": 7.0, "ndcg@10": ndcg}},
        "item_slices": {"kind <video>": {"users": 9.0, "ndcg@10": ndcg}},
        "gaps": {"sex": {"gap": 0.03125, "groups": {}}},
        "tune_s": 1.0,
        "fit_s": None,
        "score_s": 2.0,
        "peak_mb": 3.0,
    }


@pytest.fixture
def result() -> dict[str, Any]:
    failed = {
        "model": "als", "family": "classic", "status": "left out", "reason": "<no> package",
        "recipe": {}, "tune_s": None, "fit_s": None, "score_s": None, "peak_mb": None,
    }  # fmt: skip
    versus = {
        "difference": [0.05, 0.01, 0.09],
        "ratio": [1.5, 1.25, None],
        "p": 0.0004,
        "p_holm": 0.0123,
    }
    return {
        "dataset": "a & b",
        "dataset_digest": "d" * 32,
        "encoder": {"name": None},
        "protocol": "last",
        "knows": "others are known",
        "k": 10,
        "seeds": 1,
        "confidence": 0.95,
        "split_digest": "s" * 32,
        "users": 12,
        "items": 34,
        "competing": 34,
        "likes": 56,
        "judged": 11,
        "heldout": 11,
        "reference": "release",
        "models": [
            model("popularity", "classic", 0.1),
            failed,
            model("release", "release", 0.15),
            model("without $x$", "ablation", 0.12),
        ],
        "comparisons": [{"model": "popularity", **versus}],
        "ablation": [{"model": "without $x$", **versus}],
    }


class TestPage:
    def test_shows_models_comparisons_and_slices_and_escapes_what_it_is_given(self, result):
        page = bench_page(result, {"ndcg": "<svg></svg>"})
        assert "<h1>Quality on a &amp; b, protocol last</h1>" in page
        assert "<td>0.1000</td><td>0.0900 to 0.1100</td>" in page
        assert "<li>als: &lt;no&gt; package</li>" in page
        assert "<td>+0.0500 (+0.0100 to +0.0900)</td><td>1.500</td><td>1.250 to -</td>" in page
        assert "<td>&lt; 0.001</td><td>0.012</td>" in page
        assert "<th>kind &lt;video&gt; (9)</th>" in page
        assert "0.0312" in page
        assert "l2 123.5" in page

    def test_holds_its_plots(self, result):
        plots = draw_plots(result)
        page = bench_page(result, plots)
        assert all(plot in page for plot in plots.values())

    def test_says_so_when_nothing_could_be_judged(self, result):
        result["models"], result["comparisons"], result["ablation"] = [result["models"][1]], [], []
        assert draw_plots(result) == {}
        assert "als: &lt;no&gt; package" in bench_page(result, {})


class TestPlots:
    def test_are_elements_of_svg_with_names_as_text(self, result):
        plots = draw_plots(result)
        assert list(plots) == ["ndcg", "coverage", "ablation"]
        for plot in plots.values():
            assert ElementTree.fromstring(plot).tag == "{http://www.w3.org/2000/svg}svg"
        assert "popularity" in plots["ndcg"]
        assert "without $x$" in plots["ablation"]  # a name, not a formula
        assert "without $x$" not in plots["ndcg"]

    def test_are_the_same_for_the_same_result(self, result):
        assert draw_plots(result) == draw_plots(result)
