from __future__ import annotations

import re

import pytest

from plmrec.errors import ParamsError
from plmrec.params import Range
from plmrec.recommenders.blend import Part
from plmrec.stages.search_space import (
    all_settings,
    check_space,
    decode,
    encode,
    open_axes,
    starts_of,
    with_setting,
)

L2 = Range(low=50, high=2000, log=True)


class TestAxes:
    def test_an_axis_is_widened_to_hold_the_parts_own_value(self):
        part = Part(backend="ease", options={"l2": 5000.0, "reads": "seen"})
        axes, own = open_axes(part, {"ease": {"l2": L2, "reads": ("liked",)}})
        assert axes == {"l2": Range(low=50, high=5000, log=True), "reads": ("seen", "liked")}
        assert own == {"l2": 5000.0, "reads": "seen"}

    def test_what_a_part_does_not_set_is_at_the_backends_default(self):
        axes, own = open_axes(Part(backend="ease"), {"ease": {"l2": L2}})
        assert axes == {"l2": L2}
        assert own == {"l2": 200.0}

    @pytest.mark.parametrize(
        ("backend", "option", "own", "axis"),
        [
            ("ease", "decay_items", None, Range(low=3, high=60)),
            ("item_knn", "shrinkage", 0.0, Range(low=2, high=200, log=True)),
        ],
    )
    def test_an_own_value_without_a_place_on_the_range_stays(self, backend, option, own, axis):
        part = Part(backend=backend, options={option: own})
        assert open_axes(part, {backend: {option: axis}}) == ({}, {})

    def test_a_part_whose_backend_has_no_space_has_no_axes(self):
        assert open_axes(Part(backend="popularity"), {"ease": {"l2": L2}}) == ({}, {})


class TestWrappers:
    PART = Part(backend="carried", options={"backend": "ease", "options": {"l2": 90.0}})

    def test_what_a_part_wraps_is_searched_on_its_own_axes(self):
        space = {"carried": {"share": (0.5, 1.0)}, "ease": {"l2": L2, "reads": ("seen",)}}
        axes, own = open_axes(self.PART, space)
        assert axes == {
            "share": (0.5, 1.0),
            "options.l2": L2,
            "options.reads": ("liked", "seen"),
        }
        assert own == {"share": 1.0, "options.l2": 90.0, "options.reads": "liked"}

    def test_it_starts_with_the_settings_of_what_it_wraps(self):
        assert starts_of(self.PART, {"ease": [{"l2": 400.0}], "als": [{"alpha": 1.0}]}) == [
            {"options.l2": 400.0}
        ]

    def test_a_setting_leaves_the_part_it_came_from_alone(self):
        changed = with_setting(self.PART, {"options.l2": 5.0, "options.reads": "seen"})
        assert changed.options == {"backend": "ease", "options": {"l2": 5.0, "reads": "seen"}}
        assert self.PART.options == {"backend": "ease", "options": {"l2": 90.0}}

    def test_what_it_wraps_refuses_is_named(self):
        with pytest.raises(ParamsError, match=r"training\.space\.ease\.l3"):
            check_space({"ease": {"l3": L2}}, {}, {"a": self.PART})


class TestCheck:
    @pytest.mark.parametrize(
        ("space", "told"),
        [
            ({"eese": {"l2": L2}}, "training.space.eese"),
            ({"ease": {"l3": L2}}, "training.space.ease.l3"),
            ({"ease": {"l2": Range(low=-1, high=5)}}, r"training.space.ease.l2: -1\.0 is refused"),
            ({"ease": {"reads": ("liked", "loved")}}, "training.space.ease.reads: 'loved'"),
            ({"ease": {"max_items": Range(low=1.5, high=9)}}, "training.space.ease.max_items: 1.5"),
        ],
    )
    def test_what_a_backend_refuses_is_named(self, space, told):
        with pytest.raises(ParamsError, match=told):
            check_space(space, {}, {"a": Part(backend="ease")})

    @pytest.mark.parametrize(
        ("starts", "told"),
        [
            ({"eese": [{"l2": 1.0}]}, "training.starts.eese"),
            ({"ease": [{}, {"l3": 1.0}]}, "training.starts.ease.1.l3"),
            ({"ease": [{"l2": -1.0}]}, "training.starts.ease.0.l2: -1.0"),
        ],
    )
    def test_so_is_what_it_refuses_to_start_with(self, starts, told):
        with pytest.raises(ParamsError, match=re.escape(told)):
            check_space({"ease": {"l2": L2}}, starts, {"a": Part(backend="ease")})


class TestSettings:
    def test_all_settings_start_with_the_own_one_and_hold_each_once(self):
        axes = {"l2": (1.0, 2.0), "reads": ("liked", "seen")}
        settings = all_settings(axes, {"l2": 2.0, "reads": "liked"})
        assert settings == [
            {"l2": 2.0, "reads": "liked"},
            {"l2": 1.0, "reads": "liked"},
            {"l2": 1.0, "reads": "seen"},
            {"l2": 2.0, "reads": "seen"},
        ]

    def test_a_range_makes_them_countless(self):
        assert all_settings({"l2": L2, "reads": ("liked",)}, {"l2": 60.0, "reads": "liked"}) is None

    def test_a_setting_survives_its_way_through_optuna(self):
        axes = {"n": Range(low=1, high=9, int=True), "l2": L2, "x": (None, [1], "1")}
        setting = {"n": 3, "l2": 72.5, "x": [1]}
        assert decode(encode(setting, axes), axes) == setting

    def test_a_drawn_number_keeps_four_digits_and_stays_on_its_range(self):
        axes = {"a": Range(low=0.12344, high=1), "b": Range(low=0.1, high=0.56788)}
        assert decode({"a": 0.777777, "b": 0.3}, axes) == {"a": 0.7778, "b": 0.3}
        assert decode({"a": 0.12344, "b": 0.56788}, axes) == {"a": 0.12344, "b": 0.56788}
