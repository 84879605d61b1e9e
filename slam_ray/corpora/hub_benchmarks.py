"""Benchmarks that the Hub has, by the names that an evaluation takes."""

from slam_ray.config import SourceConfig

BENCHMARKS = {
    "gsm8k": SourceConfig(hub="openai/gsm8k", format="gsm8k", split="test"),
    "mgsm": SourceConfig(hub="juletxara/mgsm", format="mgsm"),
    "msvamp": SourceConfig(hub="Mathoctopus/MSVAMP", format="msvamp"),
    "xcsqa": SourceConfig(hub="INK-USC/xcsr", format="xcsqa", split="validation"),
}
