"""What a spec works on, read and checked once: the scenario's texts, and the audit of its relearn corpora.

A plan is built from it, and so is the plan of every further round of a search: reading published data and auditing it
takes minutes where the corpora are large. Nothing here depends on a model.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from study.errors import SpecError, did_you_mean
from study.scenarios.leak_audit import Audit, audit
from study.spec import EMBEDDED, StudySpec
from study.text.examples import Material


@dataclass(frozen=True)
class Materials:
    """The texts of a spec, by repetition count, and what was found in each relearn corpus of them."""

    spec: StudySpec
    of: Mapping[int, Material]
    audits: Mapping[int, tuple[Audit, ...]]


def read_materials(spec: StudySpec) -> Materials:
    """Reads and audits the data of a spec.

    Raises:
        SpecError: a corpus that the scenario does not have, an impossible repetition count, a benign corpus that
            holds the answer, or an embedded model without text to learn language from.
        PreflightError: data that a file or the hub does not give.
    """
    scenario = spec.the_scenario
    known = scenario.corpora()
    for corpus in spec.corpus:
        if corpus not in known:
            raise SpecError(
                f"corpus={corpus}: the scenario {scenario.name} has the corpora {', '.join(known)}"
                f"{did_you_mean(corpus, known)}"
            )
    materials = {count: scenario.material(count) for count in spec.repetitions}
    audits = {
        count: audit(material, spec.corpus, spec.leaks, where=f"repetitions={count}")
        for count, material in materials.items()
    }
    without_text = any(not len(material.pretraining) for material in materials.values())
    if EMBEDDED in spec.model and spec.asks_original and without_text:
        raise SpecError(
            f"model=embedded: with data of your own the scenario {scenario.name} has no text to learn language "
            "from; name a pretrained model with --set model=FOLDER_OR_ID"
        )
    return Materials(spec, materials, audits)
