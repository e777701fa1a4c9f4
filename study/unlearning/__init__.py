"""Unlearning methods: one small file each, and the table that names them.

A method is a frozen set of hyperparameters, all of which bear identity, with a ``loss`` to minimise (see
``study.unlearning.objective``). A new method is a new file with such a class, and a line in ``METHODS``.
"""

from study.settings.part import Part
from study.unlearning.gradient_ascent import GradientAscent
from study.unlearning.gradient_difference import GradientDifference
from study.unlearning.kl_minimisation import KLMinimisation
from study.unlearning.npo import NPO
from study.unlearning.rmu import RMU
from study.unlearning.scrub import Scrub
from study.unlearning.whp import WHP

METHODS: dict[str, type[Part]] = {
    "gradient_ascent": GradientAscent,
    "gradient_difference": GradientDifference,
    "kl_minimisation": KLMinimisation,
    "npo": NPO,
    "scrub": Scrub,
    "rmu": RMU,
    "whp": WHP,
}
