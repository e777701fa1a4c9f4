"""From what a user types to a StudySpec: a preset's name, ``module:function``, or a YAML or JSON file.

There is one override mechanism, ``--set key=value``: the key is a path into the spec (axes are named as the
columns of the rows), the value is YAML. It is applied to the spec's own fields and validated with them.
"""

import importlib
import json
import re
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from search_spaces.presets import PRESETS
from study.errors import SpecError, did_you_mean
from study.spec import StudySpec

FILES = (".yaml", ".yml", ".json")


def load_space(space: str, overrides: Sequence[str]) -> StudySpec:
    """The spec that a space returns, with the overrides applied.

    Args:
        space: a preset's name, ``module:function`` or a file.
        overrides: ``key=value`` each; a later one wins.

    Raises:
        SpecError: there is no such space, or the spec is not valid.
    """
    fields = _fields(space)
    for override in overrides:
        _apply(fields, override)
    return validate(fields, place=f"space {space}")


def search_overrides(search: str | None, tolerance: float | None, budget: str | None) -> list[str]:
    """The options of a search as overrides: ``--budget trajectories=40`` is ``search.budget={trajectories: 40}``.

    Raises:
        SpecError: a budget without its kind, or options of a search where none was asked for.
    """
    if search is None and (tolerance, budget) != (None, None):
        raise SpecError(
            "--tolerance and --budget belong to a search: add --search frontier or --search cheapest"
        )
    made = [] if search is None else [f"search={{question: {json.dumps(search)}}}"]
    if tolerance is not None:
        made.append(f"search.tolerance={tolerance}")
    if budget is not None:
        kind, equals, amount = budget.partition("=")
        if not equals:
            raise SpecError(f"--budget {budget}: expected trajectories=40, steps=… or hours=…")
        made.append(f"search.budget={{{json.dumps(kind)}: {amount}}}")
    return made


def validate(fields: Mapping[str, Any], place: str) -> StudySpec:
    """A spec from plain data.

    Raises:
        SpecError: names every wrong key and value, and the remedy.
    """
    try:
        return StudySpec.model_validate(fields)
    except ValidationError as error:
        lines = [_line(problem) for problem in error.errors(include_url=False)]
        raise SpecError(f"{place} is not a valid study:\n" + "\n".join(lines)) from None


def _fields(space: str) -> dict[str, Any]:
    if Path(space).suffix.lower() in FILES:
        return _from_file(Path(space))
    if space in PRESETS:
        return _dump(PRESETS[space])
    if ":" in space:
        return _dump(_function(space))
    raise SpecError(
        f"no space is called {space!r}; there are {', '.join(PRESETS)}, module:function, or a YAML or "
        f"JSON file{did_you_mean(space, PRESETS)}"
    )


def _dump(function: Callable[[], StudySpec]) -> dict[str, Any]:
    try:
        spec = function()
    except ValidationError as error:
        lines = [_line(problem) for problem in error.errors(include_url=False)]
        raise SpecError("the space returns no valid study:\n" + "\n".join(lines)) from None
    except SpecError:
        raise
    except Exception as error:  # whatever the user's function raises
        raise SpecError(
            f"the space raised {type(error).__name__}: {error}; expected a function without arguments that returns a "
            "StudySpec"
        ) from error
    if not isinstance(spec, StudySpec):
        raise SpecError(f"a space returns a StudySpec, this one returned a {type(spec).__name__}")
    return spec.model_dump(mode="json")


def _function(space: str) -> Callable[[], StudySpec]:
    module, _, name = space.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)  # the last of all, so that it hides nothing
    try:
        imported = importlib.import_module(module)
    except ModuleNotFoundError as error:
        what = f"there is no module {error.name}"
        raise SpecError(f"space {space}: {what}; expected module:function, importable from here") from None
    except Exception as error:  # whatever the user's module raises while it is imported
        what = f"{type(error).__name__}: {error}"
        raise SpecError(f"space {space}: {what}; expected module:function, importable from here") from error
    if not hasattr(imported, name):
        near = did_you_mean(name, (each for each in vars(imported) if not each.startswith("_")))
        raise SpecError(f"space {space}: the module {module} has no function {name!r}{near}")
    found = getattr(imported, name)
    if not callable(found):
        raise SpecError(f"space {space}: {name} is no function; expected one that returns a StudySpec")
    return found  # type: ignore[no-any-return]


def _from_file(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix.lower() == ".json":
            content = json.loads(text, object_pairs_hook=_each_key_once)
        else:
            content = _yaml(text)
    except FileNotFoundError:
        raise SpecError(f"space {path}: no such file") from None
    except RecursionError:
        raise SpecError(f"space {path} cannot be read: its values are nested too deeply") from None
    except OSError as error:
        what = "it is a folder" if path.is_dir() else error.strerror
        raise SpecError(
            f"space {path} cannot be read: {what}; name a preset, module:function or a file"
        ) from None
    except ValueError as error:
        raise SpecError(f"space {path} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise SpecError(f"space {path}: expected a mapping of the spec's keys, got {content!r:.60}")
    return content


def _apply(fields: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise SpecError(f"--set {shlex.quote(override):.200}: expected key=value, such as depth=[8,12]")
    try:
        value = _yaml(text) if text else ""
    except ValueError as error:
        raise SpecError(f"--set {override:.200}: the value is no YAML ({error})") from error
    except RecursionError:
        raise SpecError(f"--set {override:.200}: the value is nested too deeply") from None
    *path, last = key.split(".")
    place: Any = fields
    model: Any = StudySpec
    for index, name in enumerate(path):
        model = _part(model, name)
        if isinstance(place, dict):
            if isinstance(place.get(name), str):
                place[name] = {"name": place[name]}  # scenario: names → scenario.x=…
            elif place.get(name) is None and model is not None:
                place[name] = {}  # not said, or null: what is set here differs from the defaults
        if not isinstance(place, dict) or not isinstance(place.get(name), dict):
            known = (
                [name for name in place if isinstance(place[name], dict)] if isinstance(place, dict) else []
            )
            raise SpecError(
                f"--set {key}: {'.'.join(path[: index + 1])} has no keys of its own"
                f"{did_you_mean(name, known)}"
            )
        place = place[name]
    if not path and last not in StudySpec.model_fields:
        raise SpecError(
            f"--set {key}: no such key{did_you_mean(last, StudySpec.model_fields)} "
            f"(keys: {', '.join(StudySpec.model_fields)})"
        )
    place[last] = value


def _yaml(text: str) -> Any:
    """Raises ValueError whatever is wrong: PyYAML's own constructors raise errors of every sort for odd tags."""
    try:
        return yaml.load(text, Loader=_Values)  # noqa: S506 - derives from SafeLoader
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"a value is not of the type that its tag (!!…) names: {error}") from error


def _part(model: Any, name: str) -> Any:
    """The model or mapping that stands under a key of a model or mapping; None where something else does."""
    if get_origin(model) is dict:
        kind = get_args(model)[1]
    else:
        field = getattr(model, "model_fields", {}).get(name)
        kind = field.annotation if field is not None else None
    held = [kind] if get_origin(kind) is dict else [kind, *get_args(kind)]
    found = [
        each
        for each in held
        if get_origin(each) is dict or (isinstance(each, type) and issubclass(each, BaseModel))
    ]
    return found[0] if len(found) == 1 else None


def _each_key_once(pairs: Sequence[tuple[Any, Any]]) -> dict[Any, Any]:
    """A mapping; ``1`` and ``01`` are one key, as they are where a key is read as a number."""
    names = [int(name) if str(name).isdecimal() else name for name, _ in pairs]
    twice = [name for index, name in enumerate(names) if name in names[:index]]
    if twice:
        raise ValueError(f"the key {twice[0]!r} stands twice; leave one out")
    return dict(pairs)


NUMBERS_AND_DATES = tuple(f"tag:yaml.org,2002:{kind}" for kind in ("int", "float", "timestamp"))


class _Values(yaml.SafeLoader):
    """YAML whose numbers are what they look like, and whose keys stand once.

    ``1e-4`` is a number, as everybody who writes a learning rate expects; ``010`` is ten and ``1:30`` a text, as in
    YAML 1.2; a date is a text.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        for name, _ in node.value:
            if not isinstance(name, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(
                    None,
                    None,
                    "a key is a list or a mapping; put a text with braces into quotes",
                    name.start_mark,
                )
        try:
            _each_key_once([(name.value, None) for name, _ in node.value])
        except ValueError as error:
            raise yaml.constructor.ConstructorError(None, None, str(error), node.start_mark) from error
        return super().construct_mapping(node, deep)


def _decimal(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
    return int(loader.construct_scalar(node))


def _text(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> str:
    return str(loader.construct_scalar(node))


_Values.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if tag not in NUMBERS_AND_DATES]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Values.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^[-+]?\d+$"), list("-+0123456789"))
_Values.add_constructor("tag:yaml.org,2002:int", _decimal)
_Values.add_constructor("tag:yaml.org,2002:timestamp", _text)
_Values.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\d+\.\d*|\.\d+|\.inf|\.nan)$", re.IGNORECASE),
    list("-+0123456789."),
)
_Values.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"),
    list("-+0123456789."),
)


def _line(problem: Mapping[str, Any]) -> str:
    parts = [str(part) for part in problem["loc"]]
    place = ".".join(part for part in parts if "[" not in part) or "the study"  # without pydantic's own names
    if problem["type"] == "extra_forbidden":
        return f"  {place}: no such key{did_you_mean(str(problem['loc'][-1]), _siblings(problem))}"
    if problem["type"] == "missing":
        return f"  {place}: missing; every study needs it"
    given = f", got {problem['input']!r:.80}" if problem["type"] != "value_error" else ""
    listed = ""
    if problem["loc"][-1:] == (0,) and problem["type"] == "int_parsing" and "," in str(problem["input"]):
        listed = f"; several values are a list: {place.removesuffix('.0')}=[{problem['input']}]"
    return f"  {place}: {_words(problem)}{given}{listed}"


def _words(problem: Mapping[str, Any]) -> str:
    """What is wrong with a value, without the words of pydantic and of regular expressions."""
    if problem["type"] in ("model_type", "dict_type"):
        known = _keys(problem["loc"])
        named = f" ({', '.join(known[:4])}{', …' if len(known) > 4 else ''})" if known else ""
        return f"expected keys with their values{named}"
    if problem["type"] == "string_pattern_mismatch":
        pattern = problem["ctx"]["pattern"]
        return f"expected {PATTERNS.get(pattern, f'a text of the form {pattern}')}"
    return str(problem["msg"]).removeprefix("Value error, ").removeprefix("Input ")


PATTERNS = {
    r"^\S+$": "one word",
    r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$": "at most 64 letters, digits, points, _ and -, the first a letter or a digit",
}


def _siblings(problem: Mapping[str, Any]) -> list[str]:
    """The keys that would have been known beside the wrong one."""
    return _keys(problem["loc"][:-1])


def _keys(place: Sequence[int | str]) -> list[str]:
    """The keys that are known in a place of the spec."""
    model: Any = StudySpec
    for part in place:
        model = _part(model, str(part))
    return list(getattr(model, "model_fields", {}))
