"""What the rows say: frames, intervals, surfaces, the report. Without torch and without Ray.

import analysis
study = analysis.load("studies/names")  # or several, which a column ``study`` tells apart
study.best_attacks()  # each function below that takes a study is its method too; and study.plot.surface(…) draws
analysis.surface(study, corpus="prefix", repetitions=7, start="unlearned")  # and plot_surface draws it
analysis.best_attacks(study)  # what brings most back, beside the control
analysis.trajectories(study)  # peak, recovery, lift, … of each relearning
analysis.compare(study, "corpus", "keyword_hit", start="unlearned")  # paired differences
analysis.frontier(study, corpus="prefix", repetitions=7, start="unlearned")  # where an attack begins to work
analysis.drivers(study)  # what each axis does to the rate, in percentage points
analysis.flow(study)  # which relearnings knew, had forgotten, are intact, and recovered
analysis.net_recovery(study)  # what comes back above the control, at every step
analysis.verdicts(study)  # what can be said: holds, does not hold, cannot be said
analysis.experiments(study)  # beside the paper's numbers and claims
analysis.law(study)  # seven numbers for all cells of a method, and what they say of seeds not seen
analysis.predictors(analysis.load("studies/names", "studies/tofu"))  # is recovery foreseen in studies not seen?
"""

from analysis.charts.surface_plot import Plots, plot_surface
from analysis.measures.best_attacks import best_attacks
from analysis.measures.comparisons import compare
from analysis.measures.contour import frontier
from analysis.measures.drivers import drivers
from analysis.measures.law import law
from analysis.measures.predictors import predictors
from analysis.measures.recovery.flow import flow
from analysis.measures.recovery.net_recovery import net_recovery
from analysis.measures.recovery.verdicts import verdicts
from analysis.measures.surface import surface
from analysis.measures.trajectories import trajectories
from analysis.paper.experiments import experiments
from analysis.reading.studies import Studies, load
from analysis.reading.study_frames import Study
from analysis.statistics.crossed_design import answers
from analysis.statistics.estimate import Estimate
from analysis.statistics.wilson import wilson

__all__ = [
    "Estimate",
    "Studies",
    "Study",
    "answers",
    "best_attacks",
    "compare",
    "drivers",
    "experiments",
    "flow",
    "frontier",
    "law",
    "load",
    "net_recovery",
    "plot_surface",
    "predictors",
    "surface",
    "trajectories",
    "verdicts",
    "wilson",
]

MEASURES = (
    answers,
    best_attacks,
    compare,
    drivers,
    experiments,
    flow,
    frontier,
    law,
    net_recovery,
    predictors,
    surface,
    trajectories,
    verdicts,
)
"""What takes a study first. A study knows none of it, since all of it builds upon a study: it gets its methods here."""

_METHODS: dict[str, object] = {each.__name__: each for each in MEASURES}
for _kind in (Study, Studies):
    for _name, _method in {**_METHODS, "plot": property(Plots)}.items():
        setattr(_kind, _name, _method)
