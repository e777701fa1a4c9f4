"""StudySpec: one question, validated before anything is spent.

The axes are named as the columns of the rows. Every field but ``name``, ``question`` and ``execution``
bears identity, through the stages it ends up in; ``execution`` says how to compute, never what.

Validation here needs nothing but the spec itself. What needs the data (does this corpus exist, can the
pair stand so often) is checked by the plan.
"""

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    PlainValidator,
    PositiveInt,
    SerializeAsAny,
    field_validator,
    model_validator,
)

from study.errors import did_you_mean
from study.results.headline import BOUNDS, RATING, headline
from study.results.spec_entries import entries
from study.scenarios import SCENARIOS, Scenario
from study.settings.attack import Vary
from study.settings.execution import Execution
from study.settings.model import EmbeddedModel, Generation, GivenCheckpoints
from study.settings.optimiser import Optimiser, Training
from study.settings.part import Part
from study.settings.relearning import Relearning
from study.settings.search import Search
from study.unlearning import METHODS
from study.unlearning.method import UnlearningMethod

Method = Part
Start = Literal["unlearned", "original", "never_learned"]
EMBEDDED = "embedded"
"""The name of the model that the project makes itself, where a folder or hub id would stand."""


def named_part(table: Mapping[str, type[Part]], what: str, value: Any) -> Part:
    """A part chosen by name: ``"x"``, ``{"name": "x", …}`` or an instance of a class in the table."""
    if isinstance(value, Part) and type(value) in table.values():
        return value
    fields = {"name": value} if isinstance(value, str) else value
    if not isinstance(fields, Mapping) or not isinstance(fields.get("name"), str):
        raise ValueError(f"expected the name of a {what} or a mapping with `name`, got {value!r}")
    name = fields["name"]
    if name not in table:
        hint = did_you_mean(name, table)
        raise ValueError(f"no {what} is called {name!r}; there are {', '.join(table)}{hint}")
    return table[name].model_validate(dict(fields))


AnyMethod = Annotated[
    SerializeAsAny[Part], PlainValidator(lambda value: named_part(METHODS, "method", value))
]
AnyScenario = Annotated[
    SerializeAsAny[Part], PlainValidator(lambda value: named_part(SCENARIOS, "scenario", value))
]


AXES = ("model", "method", "start", "repetitions", "depth", "corpus", "relearn_steps", "seed")
"""What a grid is spanned by. ``control_depth`` lists values of ``depth`` for one ``start`` only, so it is no axis."""

Count = Annotated[int, Field(ge=0, lt=2**31)]
"""What a column of 32 bits holds."""

LISTED = (*AXES, "control_depth")


class StudySpec(Part):
    """One question: a grid of cells and how each is computed.

    Attributes:
        precision: of the weights and of what is computed with them; ``mixed`` computes in bfloat16 over
            weights in float32.
        max_length: where training texts are cut off, in tokens; None refuses what the model cannot take.
        leaks: what to do with a benign corpus that holds an answer: refuse it, or mark its rows as not benign.
        control_depth: how deep the model that never learned is unlearned before it is relearned; 0: not at all. At a
            depth of `depth` it is the matched control, which lost as much utility as the unlearned model.
        checkpoints: unlearned models to start from, instead of unlearning here; `depth` chooses among them.
            `model` is then the original, asked only where `start` holds it.
        finetune: how the original model learns D; None where the model is the original one already, as a
            published model is; there is then no model that never learned.
        vary: what of the relearning varies beside the corpus.
        search: how the study is searched instead of computed whole; None: every cell of the grid.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    question: str = ""
    scenario: AnyScenario
    model: tuple[str, ...] = (EMBEDDED,)
    method: tuple[AnyMethod, ...]
    start: tuple[Start, ...]
    repetitions: tuple[Count, ...]
    depth: tuple[Annotated[Count, Field(gt=0)], ...]
    control_depth: tuple[Count, ...] = (0,)
    corpus: tuple[str, ...]
    relearn_steps: tuple[Count, ...]
    seed: tuple[Annotated[int, Field(ge=0, lt=2**63)], ...]
    attention: Literal["eager", "sdpa", "flash_attention_2"] = "sdpa"
    precision: Literal["float32", "mixed", "bfloat16"] = "float32"
    max_length: PositiveInt | None = None
    leaks: Literal["refuse", "mark"] = "refuse"
    embedded: EmbeddedModel = EmbeddedModel()
    checkpoints: GivenCheckpoints | None = None
    finetune: Training | None
    unlearn: Optimiser
    relearn: Relearning
    generation: Generation = Generation()
    vary: Vary = Vary()
    search: Search | None = None
    execution: Execution = Execution()

    @field_validator("relearn", mode="before")
    @classmethod
    def _by_weights_it_is_an_optimiser(cls, value: Any) -> Any:
        return dict(value) if isinstance(value, Optimiser) and not isinstance(value, Relearning) else value

    @field_validator(*LISTED, mode="before")
    @classmethod
    def _one_value_is_an_axis_of_one(cls, value: Any) -> Any:
        return value if isinstance(value, list | tuple) else [value]

    @field_validator(*LISTED)
    @classmethod
    def _axis_has_values_each_once(cls, values: tuple[Any, ...]) -> tuple[Any, ...]:
        if not values:
            raise ValueError("an axis needs at least one value, got none")
        twice = [value for index, value in enumerate(values) if value in values[:index]]
        if twice:
            raise ValueError(f"{twice[0]!r} stands more than once: give every value once")
        return values

    @model_validator(mode="after")
    def _control_needs_a_finetuning(self) -> "StudySpec":
        if self.finetune is None and "never_learned" in self.start:
            raise ValueError(
                "start=never_learned: a model that never learned D needs a finetuning to leave D out of; give "
                "`finetune`, or take never_learned out of `start`"
            )
        if self.finetune is None and EMBEDDED in self.model and self.asks_original:
            raise ValueError("model=embedded knows nothing of D: give `finetune`, or a model that does")
        return self

    @model_validator(mode="after")
    def _control_matches_an_unlearned_model(self) -> "StudySpec":
        unmatched = [depth for depth in self.control_depth if depth and depth not in self.depth]
        if unmatched:
            raise ValueError(
                f"control_depth={unmatched[0]}: a matched control is unlearned as deep as an unlearned model; choose "
                f"0 or from `depth`: {', '.join(map(str, self.depth))}"
            )
        if any(self.control_depth) and "never_learned" not in self.start:
            raise ValueError(
                "control_depth: the control is the model that never learned; put it into `start`"
            )
        if any(self.control_depth) and self.checkpoints is not None:
            raise ValueError(
                "control_depth: with `checkpoints` given nobody unlearns here, so the model that never learned "
                "cannot be unlearned alike; give 0"
            )
        return self

    @model_validator(mode="after")
    def _depths_are_given(self) -> "StudySpec":
        if self.checkpoints is not None:
            without = [depth for depth in self.depth if depth not in self.checkpoints.at]
            if without:
                raise ValueError(
                    f"depth={without[0]}: `checkpoints` has {', '.join(map(str, self.checkpoints.at))}; choose "
                    "from them"
                )
            if len(self.model) > 1 or len(self.method) > 1:
                raise ValueError("with `checkpoints` given, `model` and `method` have one value each")
        return self

    @model_validator(mode="after")
    def _a_service_can_do_it(self) -> "StudySpec":
        if self.relearn.by == "weights":
            return self
        if self.checkpoints is not None:
            raise ValueError(
                f"checkpoints: by={self.relearn.by} attacks models that a service holds; name them in relearn.models"
            )
        if self.execution.asks_for_gpus:
            raise ValueError(f"execution.gpus: by={self.relearn.by} computes nothing here; give 0")
        if self.relearn.spoken == "openai":
            for name in ("learning_rate", "rank"):
                if getattr(self.vary, name):
                    raise ValueError(f"vary.{name}: a service of this dialect takes no {name}")
        return self

    @model_validator(mode="after")
    def _search_has_something_to_find(self) -> "StudySpec":
        if self.search is None:
            return self
        metrics = self.the_scenario.metrics()
        metric = self.search.metric
        if metric is not None and metric not in metrics:
            raise ValueError(
                f"search.metric={metric}: the scenario {self.the_scenario.name} is scored by {', '.join(metrics)}"
                f"{did_you_mean(metric, metrics)}"
            )
        least, most = BOUNDS.get(self.objective, (0, 1))
        if not least <= self.search.level <= most:
            raise ValueError(
                f"search.level={self.search.level:g}: {self.objective} lies between {least:g} and {most:g}; give a "
                "level that it can reach"
            )
        if "unlearned" not in self.start:
            raise ValueError("a search asks unlearned models: put unlearned into `start`")
        if not any(self.relearn_steps):
            raise ValueError("a search relearns: give `relearn_steps` above 0")
        if self.search.question == "frontier":
            if len(self.depth) < 2:
                raise ValueError("a frontier lies between depths: give at least two in `depth`")
            for name in self.vary.ranges:
                raise ValueError(
                    f"vary.{name} is a range, and a frontier is drawn for each listed value: list the values, or "
                    "search for the cheapest attack"
                )
        return self

    @property
    def asks_original(self) -> bool:
        """Whether the original model is needed: always, but where others give what it was unlearned to."""
        return self.checkpoints is None or set(self.start) != {"unlearned"}

    @property
    def most_at_once(self) -> float:
        """Stages that may run at a time, whatever there is room for: so many may ask the service of a study."""
        return math.inf if self.relearn.by == "weights" else self.execution.service.at_once

    @property
    def the_scenario(self) -> Scenario:
        """The scenario as its Protocol (the field itself is typed as any part)."""
        scenario = self.scenario
        if not isinstance(scenario, Scenario):
            raise TypeError(f"{type(scenario).__name__} does not fulfil the Scenario protocol")
        return scenario

    @property
    def the_methods(self) -> dict[str, UnlearningMethod]:
        """The methods as their Protocol, by their labels in the rows."""
        found: dict[str, UnlearningMethod] = {}
        for method in self.method:
            if not isinstance(method, UnlearningMethod):
                raise TypeError(f"{type(method).__name__} does not fulfil the UnlearningMethod protocol")
            found[method_label(method)] = method
        return found

    def question_identity(self) -> dict[str, Any]:
        """The spec without what only says how to compute it, and when to stop; two equal ones are one question."""
        found = self.model_dump(mode="json", exclude={"execution", "question"})
        found["relearn"].pop("base_url", None)  # where the service is, not what it is
        for stop in ("budget", "tolerance", "round"):
            if found["search"] is not None:
                del found["search"][stop]
        return found

    @property
    def objective(self) -> str:
        """The metric that a search goes by: as asked for, else the scenario's headline of those that a study scores."""
        named = self.search.metric if self.search is not None else None
        scored = self.the_scenario.metrics()
        found = headline(self.the_scenario.name, scored).metric
        return named or (found if found in scored else scored[0])

    @property
    def objective_in_words(self) -> str:
        """The objective, and why the report may go by another metric."""
        first = headline(self.the_scenario.name, (RATING,)).metric
        if first != RATING or self.objective == RATING:
            return self.objective
        later = f"the report goes by {RATING} once answers are judged, which none is while a search runs"
        return f"{self.objective}; {later}"


def method_label(method: Part) -> str:
    """What stands in the rows: the name, and the hyperparameters that differ from the defaults."""
    values = method.model_dump(mode="json", exclude_defaults=True)
    name = str(getattr(method, "name"))  # noqa: B009 - every method has one, Part does not
    rest = ",".join(f"{path}={value}" for path, value in entries(values).items() if path != "name")
    return f"{name}({rest})" if rest else name
