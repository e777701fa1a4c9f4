"""Stages that a store holds under keys of another version of relearn: they are not found, so the user is told.

Two signs tell them: another version of the numerics in the record; and a description that equals that of a planned
stage while the key differs. A description names data and parents by their digests; it names the vocabulary of an
embedded model by its size only, so pretraining is told by the numerics alone.
"""

import json
from collections.abc import Iterable
from typing import Any

from study.artifacts.address import Record
from study.identity import NUMERICS
from study.performing.provenance import describe_node
from study.planning.plan import Plan
from study.planning.stages import Trajectory


def under_other_keys(plan: Plan, records: Iterable[Record]) -> int:
    """How many stages of a store this version would compute again although they are there.

    Args:
        records: of the store's artifacts, all or a part.
    """
    planned = {
        _text(describe_node(stage.node))
        for stage in plan.stages.values()
        if isinstance(stage.node, Trajectory)
    }
    found = set()
    for record in records:
        key = str(record.get("address", "")).partition("@")[0]
        numerics = record.get("environment", {}).get("numerics", NUMERICS)
        if key not in plan.stages and (numerics != NUMERICS or _text(record.get("stage")) in planned):
            found.add(key)
    return len(found)


def _text(description: Any) -> str:
    return json.dumps(description, sort_keys=True)
