"""The cells of one (model, seed, repetitions) through an API: the same grid, its models held by a service."""

import math
from collections.abc import Callable, Iterator, Mapping

from study.errors import SpecError
from study.planning.plan import NO_CORPUS, Cell
from study.planning.proposer import NO_METHOD, Point
from study.planning.served_names import name_of
from study.planning.served_nodes import Job, ServedModel, Steps
from study.planning.stages import Checkpoint, Embedded, Evaluation, Pretrained
from study.spec import EMBEDDED, StudySpec
from study.text.examples import Corpus, Material


class ServedPipeline:
    """As the pipeline by weights; nothing is trained here.

    Args:
        snapshot: what the service says of a model's content, by the model's name there; of the study's own model,
            whose tokenizer is used, its fingerprint.
    """

    def __init__(
        self,
        spec: StudySpec,
        snapshot: Callable[[str], str],
        points: list[Point],
        material: Material,
        benign: Mapping[str, bool],
    ) -> None:
        self._spec = spec
        self._snapshot = snapshot
        self._points = points
        self._material = material
        self._benign = benign
        self._evaluation = Evaluation(material.probes, spec.generation)

    def cells(self) -> Iterator[Cell]:
        """All cells, the reference cells first, where the service has a name for their models."""
        first = self._points[0]
        named = isinstance(self._spec.relearn.models, str)
        if named:
            if self._spec.finetune is not None:
                yield self._cell(first, self._model("base", NO_METHOD, 0, 0), "base", 0)
            if {point.start for point in self._points} & {"unlearned", "original"}:
                yield self._cell(first, self._original(), "original", first.repetitions)
        for point in self._points:
            start = self._model(point.start, point.method, point.repetitions, point.depth)
            chosen = point.attack.part(self._material.relearn[point.attack.corpus].corpus)
            job = self._job(point, start, chosen)
            for steps in self._spec.relearn_steps:
                yield Cell(
                    scenario=self._spec.the_scenario.name,
                    model=point.model,
                    method=point.method,
                    start=point.start,
                    repetitions=point.repetitions,
                    depth=point.depth,
                    corpus=point.attack.label,
                    relearn_steps=steps,
                    seed=point.seed,
                    benign=self._benign[point.attack.corpus],
                    checkpoint=Checkpoint(job, steps) if steps else Checkpoint(start, 0),
                    evaluation=self._evaluation,
                    point=point,
                )

    def _cell(self, point: Point, model: ServedModel, start: str, repetitions: int) -> Cell:
        return Cell(
            scenario=self._spec.the_scenario.name,
            model=point.model,
            method=NO_METHOD,
            start=start,
            repetitions=repetitions,
            depth=0,
            corpus=NO_CORPUS,
            relearn_steps=0,
            seed=point.seed,
            benign=True,
            checkpoint=Checkpoint(model, 0),
            evaluation=self._evaluation,
        )

    def _original(self) -> ServedModel:
        return self._model("original", NO_METHOD, self._points[0].repetitions, 0)

    def _model(self, start: str, method: str, repetitions: int, depth: int) -> ServedModel:
        relearn = self._spec.relearn
        name = name_of(self._spec, self._points[0], start, method, repetitions, depth)
        return ServedModel(
            relearn.named_provider,
            relearn.spoken,
            name,
            self._snapshot(name),
            relearn.form,
            relearn.base_url or "",
            self._tokenizer() if relearn.by == "steps" else None,
        )

    def _tokenizer(self) -> Pretrained | Embedded:
        """The study's model, whose tokenizer the service's models have."""
        spec, model = self._spec, self._points[0].model
        if model != EMBEDDED:
            return Pretrained(model, self._snapshot(model), spec.attention, spec.precision)
        architecture, words = spec.embedded.architecture, self._material.vocabulary
        return Embedded(architecture, words, spec.attention, spec.precision, self._points[0].seed)

    def _job(self, point: Point, start: ServedModel, data: Corpus) -> Job | Steps:
        relearn = self._spec.relearn
        optimiser = point.attack.optimiser(relearn.optimiser)
        if relearn.by == "steps":
            sent = relearn.sent_by_steps(optimiser)
            return Steps(start, data, sent, point.seed, self._spec.max_length)
        if relearn.form == "messages" and any(not example.prompt for example in data.examples):
            raise SpecError(
                f"corpus={point.attack.corpus}: holds plain text, and with relearn.form=messages a service takes "
                "conversations only; choose a corpus of questions and answers, or form=text"
            )
        epochs = None
        if "batch_size" not in relearn.left_to_the_service:
            steps_of_epoch = math.ceil(len(data) / optimiser.batch_size)
            epochs = max(1, math.ceil(max(self._spec.relearn_steps) / steps_of_epoch))
        return Job(start, data, relearn.sent(optimiser, epochs), point.seed)
