"""What the rows say: frames, intervals, surfaces, the report. Without torch and without Ray.

import analysis
study = analysis.load("studies/names")
analysis.surface(study.cells, corpus="prefix", repetitions=7, start="unlearned")
"""

from analysis.frames import Study, load
from analysis.intervals import wilson
from analysis.surface import surface

__all__ = ["Study", "load", "surface", "wilson"]
