"""What is shown held against what is computed, within the rounding of what is shown."""

import re

import numpy as np

NUMBER = r"[+-]?\d[\d,]*(?:\.\d+)?"


class Same:
    """Holds what is shown against what is computed, within the rounding of what is shown."""

    compared = 0

    @classmethod
    def number(cls, shown: str, value: float, about: object, slack: float = 0.0) -> None:
        cls.compared += 1
        if shown in ("–", ""):
            assert np.isnan(value), (about, shown, value)
            return
        plain = re.sub(r"[%,]| points", "", shown)
        digits = len(plain.partition(".")[2])
        assert abs(float(plain) - value) <= 0.5 * 10.0**-digits + 1e-6 + slack, (about, shown, value)

    @classmethod
    def interval(
        cls, shown: str, value: float, low: float, high: float, about: object, slack: float = 0.0
    ) -> None:
        """``12% (3 to 45)``."""
        found = re.fullmatch(rf"({NUMBER}%?|–)(?: \(({NUMBER}) (?:to|–) ({NUMBER})\))?", shown)
        assert found, (about, shown)
        cls.number(found[1], value, about)
        if found[2] is None:
            assert np.isnan(low) or np.isnan(value), (about, shown, low, high)
        else:
            cls.number(found[2], low, about, slack)
            cls.number(found[3], high, about, slack)

    @classmethod
    def text(cls, shown: str, expected: object, about: object) -> None:
        cls.compared += 1
        assert shown.replace(",", "") == str(expected).replace(",", ""), (about, shown, expected)
