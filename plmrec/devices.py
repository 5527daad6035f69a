"""Where a model computes, in which number format, and what the processor has instructions for.

bfloat16 keeps float32's range with 8 bits of precision. Processors with AMX or AVX-512 BF16
multiply such matrices several times as fast, and sum up in float32.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Final, Literal, TypeAlias

Precision: TypeAlias = Literal["float32", "bfloat16", "float16"]
DtypeOption: TypeAlias = Literal["auto", "float32", "bfloat16", "float16"]

# Names that Linux gives to instructions for bfloat16; either makes it faster than float32.
_BFLOAT16: Final = ("amx_bf16", "avx512_bf16")
_SHOWN: Final = (*_BFLOAT16, "amx_int8", "avx512_vnni", "avx512f", "avx2")
_CPUINFO: Final = Path("/proc/cpuinfo")
_NVIDIA: Final = Path("/proc/driver/nvidia/version")


def choose_device(device: str) -> str:
    """Say what ``auto`` means on this machine: a GPU where there is one; others mean themselves."""
    if device != "auto":
        return device
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def resolve_precision(dtype: DtypeOption, device: str) -> Precision:
    """Say what ``auto`` means on this machine; every other value means itself.

    A processor without a GPU is asked without importing torch, so that a fingerprint stays cheap.
    Whatever is identified by its digest must hold this, and not ``auto``: machines differ.

    Args:
        dtype: Of the options.
        device: Of the options: auto, cpu, cuda or cuda:N.

    Returns:
        bfloat16 where the GPU or the processor has instructions for it; float16 on a GPU without;
        float32 on any other machine.
    """
    if dtype != "auto":
        return dtype
    if device.startswith("cuda") or (device == "auto" and _NVIDIA.exists()):
        import torch

        if torch.cuda.is_available():
            return "bfloat16" if torch.cuda.is_bf16_supported() else "float16"
    return "bfloat16" if set(_BFLOAT16) & set(processor_features()) else "float32"


@lru_cache(maxsize=1)
def processor_features() -> tuple[str, ...]:
    """Instructions of this processor that matter to models, as Linux names them."""
    try:
        lines = _CPUINFO.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return ()  # not Linux
    flags = next((line.split(":", 1)[1].split() for line in lines if line.startswith("flags")), [])
    return tuple(name for name in _SHOWN if name in flags)
