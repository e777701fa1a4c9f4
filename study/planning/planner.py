"""A spec and its materials become the tree of unique stages, and each cell the checkpoint it is read off."""

from collections.abc import Callable, Collection, Iterator, Mapping

from study.planning.materials import Materials
from study.planning.plan import NO_CORPUS, Cell, Plan
from study.planning.proposer import NO_METHOD, Point, grid_points
from study.planning.served_pipeline import ServedPipeline
from study.planning.stages import Checkpoint, Embedded, Evaluation, Node, Pretrained, Stage, Trajectory
from study.settings.optimiser import Optimiser
from study.spec import EMBEDDED, StudySpec
from study.text.examples import Corpus, Material
from study.unlearning.method import UnlearningMethod


class _Tree:
    """Collects what the cells want of each node; equal nodes are one."""

    def __init__(self) -> None:
        self._nodes: dict[str, Node] = {}
        self._keep: dict[str, set[int]] = {}
        self._evaluate: dict[str, dict[tuple[int, str], Evaluation]] = {}

    def add(self, node: Node) -> None:
        """A node and everything above it."""
        if node.key in self._nodes:
            return
        if isinstance(node, Trajectory):
            for parent in (node.parent, node.helper):
                if parent is not None:
                    self.add(parent.of)
                    self._keep[parent.of.key].add(parent.step)
        self._nodes[node.key] = node
        self._keep[node.key] = set()
        self._evaluate[node.key] = {}

    def evaluate(self, checkpoint: Checkpoint, evaluation: Evaluation) -> None:
        """A cell reads this evaluation off this checkpoint."""
        self.add(checkpoint.of)
        self._evaluate[checkpoint.of.key][checkpoint.step, evaluation.key] = evaluation

    def stages(self, keep_relearned: bool) -> dict[str, Stage]:
        """The merged stages, parents first. A model that nobody evaluates is no stage."""
        made = {}
        for key, node in self._nodes.items():
            evaluate = tuple(
                (step, evaluation)
                for (step, _), evaluation in sorted(self._evaluate[key].items(), key=lambda item: item[0])
            )
            keep = set(self._keep[key]) if isinstance(node, Trajectory) else set()
            if keep_relearned and isinstance(node, Trajectory) and node.kind == "relearn":
                keep |= {step for step, _ in evaluate}
            stage = Stage(node, tuple(sorted(keep)), evaluate)
            if isinstance(node, Trajectory) or evaluate:
                made[key] = stage
        return made


def make_plan(
    materials: Materials, fingerprint: Callable[[str], str], points: Collection[Point] | None = None
) -> Plan:
    """The plan of a spec whose data has been read.

    Args:
        materials: the spec and its texts; the same for every round of a search.
        fingerprint: the content identity of a pretrained model by its folder or hub id, or of a service's model by its
            name there; not asked for the embedded model.
        points: the trajectories to plan, each with the reference cells beside it; None: the whole grid.

    Raises:
        SpecError: a range where a grid is asked for.
    """
    spec = materials.spec
    given = {depth: fingerprint(location) for depth, location in _given(spec).items()}
    asked: dict[tuple[str, int, int], list[Point]] = {}
    for point in grid_points(spec) if points is None else points:
        asked.setdefault((point.model, point.seed, point.repetitions), []).append(point)
    tree = _Tree()
    cells: dict[tuple[str | int, ...], Cell] = {}
    for model in dict.fromkeys(model for model, _, _ in asked):
        here = spec.relearn.by == "weights" and model != EMBEDDED and spec.asks_original
        print_of_model = fingerprint(model) if here else ""
        for seed in spec.seed:
            for count, material in materials.of.items():
                of_pipeline = asked.get((model, seed, count))
                if of_pipeline is None:
                    continue
                benign = {each.corpus: each.benign for each in materials.audits[count]}
                pipeline: _Pipeline | ServedPipeline
                if spec.relearn.by == "weights":
                    pipeline = _Pipeline(spec, print_of_model, given, of_pipeline, material, benign)
                else:
                    pipeline = ServedPipeline(spec, fingerprint, of_pipeline, material, benign)
                for cell in pipeline.cells():
                    cells.setdefault(cell.coordinates, cell)
    for cell in cells.values():
        tree.evaluate(cell.checkpoint, cell.evaluation)
    return Plan(spec, tuple(cells.values()), tree.stages(spec.execution.keep_relearned), materials.audits)


def _given(spec: StudySpec) -> dict[int, str]:
    """Where the checkpoints that were given lie, by depth."""
    return {} if spec.checkpoints is None else {depth: spec.checkpoints.at[depth] for depth in spec.depth}


class _Pipeline:
    """The cells of one (model, seed, repetitions), for the points that are asked of it."""

    def __init__(
        self,
        spec: StudySpec,
        fingerprint: str,
        given: Mapping[int, str],
        points: list[Point],
        material: Material,
        benign: Mapping[str, bool],
    ) -> None:
        self._spec = spec
        self._points = points
        self._model = points[0].model
        self._given = given
        self._seed = points[0].seed
        self._repetitions = points[0].repetitions
        self._material = material
        self._benign = benign
        self._evaluation = Evaluation(material.probes, spec.generation)
        self._base = self._base_checkpoint(fingerprint)

    def cells(self) -> Iterator[Cell]:
        """All cells, the reference cells first."""
        starts = {point.start for point in self._points}
        if self._spec.asks_original:
            finetuned = self._finetuned(never_learned=False)
            if finetuned != self._base:
                yield self._cell("base", NO_METHOD, 0, NO_CORPUS, 0, self._base, repetitions=0)
            if starts & {"unlearned", "original"}:
                yield self._cell("original", NO_METHOD, 0, NO_CORPUS, 0, finetuned)
        origins: dict[tuple[str, str, int], Checkpoint] = {}
        for point in self._points:
            origin = (point.start, point.method, point.depth)
            if origin not in origins:
                origins[origin] = self._origin(*origin)
            yield from self._relearned(point, origins[origin])

    def _origin(self, start: str, method: str, depth: int) -> Checkpoint:
        """Where a relearning starts."""
        if start == "unlearned" and self._spec.checkpoints is not None:
            return self._given_checkpoint(depth)
        finetuned = self._finetuned(never_learned=start == "never_learned")
        if not depth:
            return finetuned
        return self._unlearned(finetuned, self._spec.the_methods[method], depth)

    def _given_checkpoint(self, depth: int) -> Checkpoint:
        location = _given(self._spec)[depth]
        node = Pretrained(location, self._given[depth], self._spec.attention, self._spec.precision)
        return Checkpoint(node, 0)

    def _base_checkpoint(self, fingerprint: str) -> Checkpoint:
        spec = self._spec
        if self._model != EMBEDDED:
            return Checkpoint(Pretrained(self._model, fingerprint, spec.attention, spec.precision), 0)
        embedded = Embedded(
            spec.embedded.architecture,
            self._material.vocabulary,
            spec.attention,
            spec.precision,
            self._seed,
        )
        pretraining = spec.embedded.pretraining
        base = self._trajectory(
            "base", Checkpoint(embedded, 0), self._material.pretraining, pretraining.optimiser
        )
        return Checkpoint(base, pretraining.steps)

    def _finetuned(self, *, never_learned: bool) -> Checkpoint:
        finetune = self._spec.finetune
        if finetune is None:
            return self._base
        data = self._material.never_learned if never_learned else self._material.learned
        return Checkpoint(self._trajectory("finetune", self._base, data, finetune.optimiser), finetune.steps)

    def _unlearned(self, finetuned: Checkpoint, method: UnlearningMethod, depth: int) -> Checkpoint:
        material = self._material
        helper = None
        if method.prerequisite is not None:
            reinforced = self._trajectory(
                "reinforce", finetuned, material.forget, method.prerequisite.optimiser
            )
            helper = Checkpoint(reinforced, method.prerequisite.steps)
        trajectory = self._trajectory(
            "unlearn",
            finetuned,
            material.forget,
            self._spec.unlearn,
            method=method,
            retain=material.retain if method.uses_retain else None,
            generic=material.generic if helper is not None else None,
            helper=helper,
        )
        return Checkpoint(trajectory, depth)

    def _relearned(self, point: Point, origin: Checkpoint) -> Iterator[Cell]:
        attack = point.attack
        chosen = attack.part(self._material.relearn[attack.corpus].corpus)
        trajectory = self._trajectory(
            "relearn", origin, chosen, attack.optimiser(self._spec.relearn.optimiser)
        )
        for steps in self._spec.relearn_steps:
            yield self._cell(
                point.start,
                point.method,
                point.depth,
                attack.label,
                steps,
                Checkpoint(trajectory, steps) if steps else origin,
                benign=self._benign[attack.corpus],
                point=point,
            )

    def _trajectory(
        self,
        kind: str,
        parent: Checkpoint,
        data: Corpus,
        optimiser: Optimiser,
        *,
        method: UnlearningMethod | None = None,
        retain: Corpus | None = None,
        generic: Corpus | None = None,
        helper: Checkpoint | None = None,
    ) -> Trajectory:
        return Trajectory(
            kind=kind,
            parent=parent,
            method=method,
            data=data,
            retain=retain,
            optimiser=optimiser,
            seed=self._seed,
            generic=generic,
            helper=helper,
            max_length=self._spec.max_length,
        )

    def _cell(
        self,
        start: str,
        method: str,
        depth: int,
        corpus: str,
        relearn_steps: int,
        checkpoint: Checkpoint,
        *,
        benign: bool = True,
        repetitions: int | None = None,
        point: Point | None = None,
    ) -> Cell:
        return Cell(
            scenario=self._spec.the_scenario.name,
            model=self._model,
            method=method,
            start=start,
            repetitions=self._repetitions if repetitions is None else repetitions,
            depth=depth,
            corpus=corpus,
            relearn_steps=relearn_steps,
            seed=self._seed,
            benign=benign,
            checkpoint=checkpoint,
            evaluation=self._evaluation,
            point=point,
        )
