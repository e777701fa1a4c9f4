"""Specs as users may write them: every part with any of its keys left out, whole numbers where fractions may stand."""

from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from hypothesis import strategies as st
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from search_spaces.presets import PRESETS
from study.scenarios import SCENARIOS
from study.settings.search import Budget, Search
from study.spec import StudySpec
from study.unlearning import METHODS

WHOLE = st.integers(min_value=1, max_value=9)
FRACTIONS = st.sampled_from([1, 2, 0.5, 1e-4, 3e-5, 0.1, "0.25", 7.0, 1e-300])
WORDS = st.sampled_from(["a", "b-1", "Ünïcode", "名前", "1", "true", "1e-4", "null"])
NAMED = {"scenario": SCENARIOS, "method": METHODS}


def of_type(annotation: Any) -> st.SearchStrategy[Any]:
    """Plain data for one annotation; validation still has the last word."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return of_model(annotation)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin in (Union, UnionType):
        return st.one_of([of_type(each) for each in arguments])
    if origin is tuple:
        return st.lists(of_type(arguments[0]), min_size=1, max_size=3, unique_by=repr)
    if origin is dict:
        return st.dictionaries(of_type(arguments[0]), of_type(arguments[1]), max_size=2)
    if hasattr(annotation, "__metadata__"):
        return of_type(arguments[0])
    simple: dict[Any, st.SearchStrategy[Any]] = {
        int: WHOLE,
        float: FRACTIONS,
        str: WORDS,
        bool: st.booleans(),
        NoneType: st.none(),
    }
    return simple[annotation]


def of_model(
    model: type[BaseModel], without: frozenset[str] = frozenset()
) -> st.SearchStrategy[dict[str, Any]]:
    """A mapping with all required keys and any of the others."""
    required: dict[str, st.SearchStrategy[Any]] = {}
    optional: dict[str, st.SearchStrategy[Any]] = {}
    for name, field in model.model_fields.items():
        if name in without or (name == "name" and field.default):
            continue
        (required if field.is_required() else optional)[name] = _of_field(field)
    return st.fixed_dictionaries(required, optional=optional)


def _of_field(field: FieldInfo) -> st.SearchStrategy[Any]:
    return of_type(field.annotation)


def _named(table: Mapping[str, type[BaseModel]]) -> st.SearchStrategy[Any]:
    """By name alone, or as a mapping with some of its keys."""

    def chosen(name: str) -> st.SearchStrategy[Any]:
        return st.just(name) | of_model(table[name]).map(lambda fields: {"name": name, **fields})

    return st.sampled_from(sorted(table)).flatmap(chosen)


AXES = frozenset({"name", "question", "scenario", "method", "model", "checkpoints", "search", "corpus"})

_CORPORA = st.lists(st.sampled_from(["prefix", "retain", "gibberish"]), min_size=1, max_size=2, unique=True)

SPECS: st.SearchStrategy[dict[str, Any]] = st.builds(
    lambda fields, scenario, methods, corpora: {
        "name": "any",
        "scenario": scenario,
        "method": methods,
        "corpus": corpora,
        **fields,
    },
    of_model(StudySpec, without=AXES),
    _named(SCENARIOS),
    st.lists(_named(METHODS), min_size=1, max_size=3, unique_by=repr),
    _CORPORA,
)
"""Whole specs, mostly valid."""

_GIVEN = st.dictionaries(WHOLE, WORDS, min_size=1, max_size=3).flatmap(
    lambda at: st.fixed_dictionaries(
        {
            "depth": st.lists(st.sampled_from(sorted(at)), min_size=1, max_size=3, unique=True),
            # A number of a key is a text in JSON, and may be one in YAML.
            "checkpoints": st.fixed_dictionaries(
                {"at": st.sampled_from([at, {str(depth): place for depth, place in at.items()}])},
                optional={"method": st.sampled_from(["given", "v1.0", "7", "1e-4"])},
            ),
            "model": st.lists(WORDS, min_size=1, max_size=1),
            "method": _named(METHODS).map(lambda method: [method]),
            "start": st.just(["unlearned"]),
        }
    )
)

GIVEN_CHECKPOINTS: st.SearchStrategy[dict[str, Any]] = st.builds(
    lambda fields, scenario, given, corpora: {
        "name": "any",
        "scenario": scenario,
        "corpus": corpora,
        **fields,
        **given,
    },
    of_model(StudySpec, without=AXES | {"depth", "control_depth", "start"}),
    _named(SCENARIOS),
    _GIVEN,
    _CORPORA,
)
"""Studies of models that somebody else unlearned."""

SEARCHES: st.SearchStrategy[dict[str, Any]] = of_model(
    Search, without=frozenset({"metric", "budget"})
).flatmap(
    lambda fields: st.fixed_dictionaries(
        {name: st.just(value) for name, value in fields.items()},
        optional={
            "budget": st.sampled_from(["trajectories", "steps", "hours"]).flatmap(
                lambda name: st.fixed_dictionaries({name: _of_field(Budget.model_fields[name]).filter(bool)})
            )
        },
    )
)
"""What a search may be asked; of its metric the scenario has the last word."""

_CHANGES = {
    name: _of_field(StudySpec.model_fields[name])
    for name in ("finetune", "unlearn", "relearn", "generation", "embedded", "vary", "execution", "precision")
}

CHANGED_PRESETS: st.SearchStrategy[tuple[str, dict[str, Any]]] = st.tuples(
    st.sampled_from(sorted(PRESETS)),
    st.fixed_dictionaries({}, optional={**_CHANGES, "method": _named(METHODS), "search": SEARCHES}),
)
"""A preset, and keys of it that an override replaces."""
