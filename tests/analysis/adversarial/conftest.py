"""A misleading study as the product measures it, and as the second program reads it."""

from collections.abc import Callable
from pathlib import Path

import pytest

import analysis
from analysis.report.measured_study import MeasuredStudy
from tests.analysis.adversarial.cases import CASES
from tests.analysis.truth.rows import Truth


@pytest.fixture
def measured(tmp_path: Path) -> Callable[[str], tuple[MeasuredStudy, Truth]]:
    def make(name: str) -> tuple[MeasuredStudy, Truth]:
        made, device = CASES[name].study, CASES[name].device
        folder = made.write(tmp_path / name)
        study = MeasuredStudy.of(analysis.load(folder, device=device).parts[0])
        return study, Truth(folder, made.scenario, made.metric, device)

    return make
