"""The tables of docs/SIMULATIONS.md, from the batches: means over all studies, each with its Monte Carlo error.

Rows of a study share their seeds, so the error is that of the batches' means.
"""

from pathlib import Path
from statistics import fmean, stdev

from benchmarks.coverage.headline import WORLDS
from benchmarks.marked_section import replace_between

SHOWN = {
    "rate": "rate",
    "rate_asked": "rate, queries asked",
    "peak": "peak",
    "area": "area",
    "best_step": "best step",
    "difference": "difference",
    "together": "all together",
    "crossing": "crossing",
}
PROMISED = (93.0, 97.0)

Row = dict[str, str]
Sizes = dict[tuple[float, int, int], list[Row]]


def write(rows: list[Row], of_claims: list[Row], document: Path) -> None:
    """All tables and what lies outside the promise, between their marks."""
    sizes = _by_size(rows)
    replace_between(document, "claims", _claims(_by_size(of_claims)))
    replace_between(document, "coverage", _coverage(sizes))
    replace_between(document, "power", _power(sizes))
    replace_between(document, "outside", _outside(sizes))


def _by_size(rows: list[Row]) -> Sizes:
    sizes: Sizes = {}
    for row in sorted(rows, key=lambda row: [float(row[name]) for name in ("differ", "seeds", "probes")]):
        size = (float(row["differ"]), int(row["seeds"]), int(row["probes"]))
        sizes.setdefault(size, []).append(row)
    return sizes


def _claims(sizes: Sizes) -> str:
    """In percent; the last line is over all sizes."""
    false = [name for name, world in WORLDS.items() if not world.true]
    true = [name for name, world in WORLDS.items() if world.true]
    head = [
        *("seeds differ", "seeds", "probes", *(f"holds, though {WORLDS[name].words}" for name in false)),
        "one of three holds, though nothing comes back",
        *(f"holds: {WORLDS[name].words}" for name in true),
        *(f"does not hold, though {WORLDS[name].words}" for name in true),
    ]
    names = [f"{name}_holds" for name in false] + ["nothing_any"]
    names += [f"{name}_{what}" for what in ("holds", "does_not") for name in true]
    every = [row for rows in sizes.values() for row in rows]
    lines = [
        [*map(str, size), *(f"{_of(rows, name)[0]:.1f}" for name in names)] for size, rows in sizes.items()
    ]
    lines.append(["all", "", "", *(_with_error(*_of(every, name)) for name in names)])
    counts = sorted({sum(int(row["studies"]) for row in rows) for rows in sizes.values()})
    return (
        f"{' or '.join(map(str, counts))} studies of each size and world.\n\n{table(head, lines)}\n\n"
        f"{_falsely(every, false)}"
    )


def _falsely(every: list[Row], false: list[str]) -> str:
    """In how many studies a claim holds falsely; where in none, what so many studies can rule out (95%)."""
    studies = sum(int(row["studies"]) for row in every)
    most = 100 * (1 - 0.05 ** (1 / studies))
    found = []
    for name in false:
        seen = _of(every, f"{name}_any")[0]
        share = f"{seen:.1f}%" if seen else f"none (so in at most {most:.1f}%)"
        found.append(f"{share} where {WORLDS[name].words}")
    return (
        f"Of {studies:,} studies of each false world, all sizes together, the claim holds for a corpus in "
        f"{'; '.join(found)}."
    )


def _of(rows: list[Row], name: str) -> tuple[float, float]:
    """In percent, with its error; that of one batch is not known."""
    values = [100 * float(row[name]) for row in rows if row[name]]
    return fmean(values), stdev(values) / len(values) ** 0.5 if len(values) > 1 else float("nan")


def _with_error(value: float, error: float) -> str:
    return f"{value:.1f}" if error != error else f"{value:.1f} ± {error:.1f}"


def table(head: list[str], lines: list[list[str]]) -> str:
    """As Markdown."""
    return "\n".join(f"| {' | '.join(line)} |" for line in [head, ["---"] * len(head), *lines])


def _coverage(sizes: Sizes) -> str:
    head = ["seeds differ", "seeds", "probes", *SHOWN.values(), "rate, before", "difference, before"]
    lines = []
    for size, rows in sizes.items():
        names = (*SHOWN, "rate_before", "difference_before")
        found = [_of(rows, f"{name}_covers") for name in names]
        lines.append([*map(str, size), *(_with_error(*each) for each in found)])
    counts = sorted({sum(int(row["studies"]) for row in rows) for rows in sizes.values()})
    return f"{' or '.join(map(str, counts))} studies of each size.\n\n{table(head, lines)}"


def _power(sizes: Sizes) -> str:
    head = [
        *("seeds differ", "seeds", "probes", "width of a rate (before)", "of a difference (before)"),
        *("of the best step", "crossing ends", "false difference", "found (before)"),
        *("false fall (before)", "found (before)"),
    ]
    lines = []
    for size, rows in sizes.items():

        def mean(name: str, of: list[Row] = rows) -> str:
            return f"{_of(of, name)[0]:.0f}"

        def erring(name: str, of: list[Row] = rows) -> str:
            return _with_error(*_of(of, name))

        lines.append(
            [
                *map(str, size),
                f"{mean('rate_width')} ({mean('rate_before_width')})",
                f"{mean('difference_width')} ({mean('difference_before_width')})",
                mean("best_step_width"),
                f"{mean('crossing_width')}%",
                erring("false_difference"),
                f"{mean('found_difference')} ({mean('found_difference_before')})",
                f"{erring('false_fall')} ({mean('false_fall_before')})",
                f"{mean('found_fall')} ({mean('found_fall_before')})",
            ]
        )
    return table(head, lines)


def _outside(sizes: Sizes) -> str:
    """What is outside 93 to 97%, by interval: the sizes as (seeds differ, seeds, probes)."""
    found = []
    for name, words in SHOWN.items():
        for side in ("below 93%", "above 97%"):
            places = []
            for size, rows in sizes.items():
                value, _ = _of(rows, f"{name}_covers")
                out = value < PROMISED[0] if side == "below 93%" else value > PROMISED[1]
                if out:
                    places.append((value, size))
            if places:
                worst = (min if side == "below 93%" else max)(places)
                at = ", ".join(map(str, worst[1]))
                found.append(
                    f"- **{words}**: {side} in {len(places)} of {len(sizes)} sizes; the farthest {worst[0]:.1f}% at "
                    f"({at})"
                )
    return "\n".join(found)
