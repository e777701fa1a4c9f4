"""On which nodes Tune starts a worker: where its resources are, but for nodes whose GPUs turned out to be sick.

Tune asks for a trial's resources once, and requests a placement group of them whenever it needs a worker. So a node can
be left out for all workers to come without a word to Tune. A worker that runs there on another card goes on.
"""

from collections.abc import Mapping
from typing import Any

from ray.tune import PlacementGroupFactory
from ray.util.placement_group import PlacementGroup, placement_group

from cluster.ray_tune.session import LEFT_OUT, ray_resources
from study.settings.execution import Execution

NODE_ID = "ray.io/node-id"
"""The label that Ray gives every node."""


class Placement(PlacementGroupFactory):  # type: ignore[misc, unused-ignore]  # Ray is not typed
    """One bundle on one node; with a GPU, on none of ``LEFT_OUT``."""

    def to_placement_group(self) -> PlacementGroup:
        """Ray's, requested now."""
        nodes = sorted(LEFT_OUT) if self.required_resources.get("GPU") else []
        selector = [{NODE_ID: f"!in({','.join(nodes)})"}] if nodes else None
        group: PlacementGroup = placement_group(self.bundles, self.strategy, bundle_label_selector=selector)
        return group


def placement(execution: Execution, config: Mapping[str, Any]) -> Placement:
    """What a trial needs, as Tune takes it: by the kind of its stage, ``config["kind"]``."""
    return Placement([ray_resources(execution.resources(config["kind"]))])
