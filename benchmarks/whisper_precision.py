"""Processor time of Whisper's encoder and of 30 tokens, in each precision, on one thread.

The model has the size of whisper-base and random weights, which take as long as trained ones. The
time is that of the processor, so that other work on the machine changes it little.

    python benchmarks/whisper_precision.py [--windows 4] [--rounds 3]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

N_TOKENS = 30


def build(precision: str) -> Any:
    """A model like whisper-base; ``int8`` has its linear layers quantised dynamically."""
    import torch
    from transformers import WhisperConfig, WhisperForConditionalGeneration

    config = WhisperConfig(
        d_model=512,
        encoder_layers=6,
        decoder_layers=6,
        encoder_attention_heads=8,
        decoder_attention_heads=8,
        encoder_ffn_dim=2048,
        decoder_ffn_dim=2048,
    )
    torch.manual_seed(0)
    model = WhisperForConditionalGeneration(config).eval()
    if precision == "int8":
        return torch.ao.quantization.quantize_dynamic(model, {torch.nn.Linear}, dtype=torch.qint8)
    return model.to(getattr(torch, precision))


def timed(work: Callable[[], Any], rounds: int) -> float:
    """Median processor seconds, after one call that is not counted."""
    work()
    found = []
    for _ in range(rounds):
        started = time.process_time()
        work()
        found.append(time.process_time() - started)
    return statistics.median(found)


def main() -> None:
    """Print one row a precision."""
    import torch
    from transformers.modeling_outputs import BaseModelOutput
    from transformers.utils import logging

    logging.set_verbosity_error()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--windows", type=int, default=4, help="of 30 s, in one batch")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for precision in ("float32", "bfloat16", "int8"):
        model = build(precision)
        sound = torch.randn(arguments.windows, 80, 3000, dtype=model.dtype)

        @torch.inference_mode()
        def encode(model: Any = model, sound: Any = sound) -> Any:
            return model.get_encoder()(sound).last_hidden_state

        heard = BaseModelOutput(last_hidden_state=encode())

        @torch.inference_mode()
        def decode(model: Any = model, heard: Any = heard) -> Any:
            return model.generate(
                encoder_outputs=heard,
                min_new_tokens=N_TOKENS,
                max_new_tokens=N_TOKENS,
                num_beams=1,
                do_sample=False,
            )

        encoder_s, tokens_s = timed(encode, arguments.rounds), timed(decode, arguments.rounds)
        print(f"{precision:9} encoder {encoder_s:.2f} s   {N_TOKENS} tokens {tokens_s:.2f} s")


if __name__ == "__main__":
    main()
