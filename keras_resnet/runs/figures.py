"""Figures that tell how good a network is: how they are written, and which way is better."""

import dataclasses
from collections.abc import Iterable, Mapping


@dataclasses.dataclass(frozen=True)
class Figure:
    """A number that training or evaluation gives.

    Attributes:
      name: in metrics, such as "median_error".
      label: for people, such as "median error".
      unit: behind the number; with "%" the number itself is a share, 0 to 1.
      higher_is_better: whether it is one that grows as networks improve; then at most 1.
    """

    name: str
    label: str
    unit: str = ""
    higher_is_better: bool = False

    def error(self, value: float) -> float:
        """What a value lacks, which falls as networks improve."""
        return 1 - value if self.higher_is_better else value

    def is_better(self, value: float, other: float) -> bool:
        """Whether a value is that of a better network than another value."""
        return value > other if self.higher_is_better else value < other

    def written(self, value: float) -> str:
        """A value with label and unit, such as "recall 91.00%"."""
        number = f"{100 * value:.2f}" if self.unit == "%" else f"{value:.4f}"
        return f"{self.label} {number}{self.unit}"


def describe(figures: Iterable[Figure], result: Mapping[str, float]) -> str:
    """One line for an evaluation.

    Args:
      figures: those to name, in order, as far as the result has them.
      result: their values by name, and the number of `images`.
    """
    listing = ", ".join(
        figure.written(result[figure.name]) for figure in figures if figure.name in result
    )
    return f"{listing} on {result['images']} images"
