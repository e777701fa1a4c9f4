"""Specs as users may write them: every part with any of its keys left out, whole numbers where fractions may stand."""

from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from hypothesis import strategies as st
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from search_spaces.presets import PRESETS
from study.scenarios import SCENARIOS
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
    st.lists(st.sampled_from(["prefix", "retain", "gibberish"]), min_size=1, max_size=2, unique=True),
)
"""Whole specs, mostly valid."""

_CHANGES = {
    name: _of_field(StudySpec.model_fields[name])
    for name in ("finetune", "unlearn", "relearn", "generation", "embedded", "vary", "execution", "precision")
}

CHANGED_PRESETS: st.SearchStrategy[tuple[str, dict[str, Any]]] = st.tuples(
    st.sampled_from(sorted(PRESETS)),
    st.fixed_dictionaries({}, optional={**_CHANGES, "method": _named(METHODS)}),
)
"""A preset, and keys of it that an override replaces."""
