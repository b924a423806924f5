"""Figures of one kind of measurement, printed alike everywhere."""

import statistics
from dataclasses import dataclass


@dataclass
class Figures:
    """A series of samples in milliseconds."""

    name: str
    samples_ms: list[float]

    def __str__(self) -> str:
        ordered = sorted(self.samples_ms)
        p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
        return (f"{self.name}: {len(ordered)} samples, min {ordered[0]:.2f} ms, "
                f"median {statistics.median(ordered):.2f} ms, p99 {p99:.2f} ms, "
                f"max {ordered[-1]:.2f} ms")
