from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from plmrec import devices
from plmrec.devices import choose_device, processor_features, resolve_precision


@pytest.fixture
def cpuinfo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A processor and no GPU."""
    file = tmp_path / "cpuinfo"
    monkeypatch.setattr(devices, "_CPUINFO", file)
    monkeypatch.setattr(devices, "_NVIDIA", tmp_path / "none")
    processor_features.cache_clear()
    yield file
    processor_features.cache_clear()


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("fpu avx2 avx512f avx512_vnni avx512_bf16", "bfloat16"),
        ("fpu amx_bf16", "bfloat16"),
        ("fpu sse4_2 avx2 avx512f", "float32"),
    ],
)
def test_auto_is_what_the_processor_has_instructions_for(
    cpuinfo: Path, flags: str, expected: str
) -> None:
    cpuinfo.write_text(f"processor\t: 0\nflags\t\t: {flags}\n\nprocessor\t: 1\n")
    assert resolve_precision("auto", "auto") == expected
    assert resolve_precision("float16", "auto") == "float16"


def test_auto_is_float32_where_no_processor_is_described(cpuinfo: Path) -> None:
    assert not cpuinfo.exists()
    assert resolve_precision("auto", "cpu") == "float32"


@pytest.mark.parametrize(("has_bf16", "expected"), [(True, "bfloat16"), (False, "float16")])
def test_a_gpu_is_taken_where_there_is_one_and_never_computes_in_float32_by_itself(
    monkeypatch: pytest.MonkeyPatch, has_bf16: bool, expected: str
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda: has_bf16)
    assert choose_device("auto") == "cuda"
    assert choose_device("cpu") == "cpu"
    assert resolve_precision("auto", "cuda:1") == expected


def test_without_a_gpu_the_processor_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert choose_device("auto") == "cpu"
    assert choose_device("cuda:1") == "cuda:1"
