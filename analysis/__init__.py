"""What the rows say: frames, intervals, surfaces, the report. Without torch and without Ray.

import analysis
study = analysis.load("studies/names")  # or several, which a column ``study`` tells apart
analysis.surface(study.cells, corpus="prefix", repetitions=7, start="unlearned")
analysis.trajectories(study)  # peak, recovery, lift, … of each relearning
analysis.compare(study.scores("keyword_hit"), "corpus", "keyword_hit", start="unlearned")  # paired differences
analysis.frontier(study, corpus="prefix", repetitions=7, start="unlearned")  # where an attack begins to work
"""

from analysis.comparisons import compare
from analysis.frames import Studies, Study, load
from analysis.frontier import frontier
from analysis.intervals import wilson
from analysis.surface import surface
from analysis.trajectories import trajectories

__all__ = ["Studies", "Study", "compare", "frontier", "load", "surface", "trajectories", "wilson"]
