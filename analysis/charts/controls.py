"""The controls: the same curves for the starts that were not unlearned, a panel per corpus."""

from collections.abc import Iterator

from analysis.charts.chart import Chart
from analysis.charts.curves import alternative, axis_label, place_on_ramp, plane, series
from analysis.charts.panels import in_front, picture_rows
from analysis.charts.pooled import Rows, rows_with

STYLES = {"original": False, "never_learned": True}
SAID = {
    "original": "solid: the finetuned model, relearned without having been unlearned.",
    "never_learned": "Dashed: a model that never saw the forget set, relearned on the same corpus; whatever it reaches "
    "is learning, not relearning.",
}


def controls(rows: Rows) -> Iterator[Chart]:
    """A picture for each model; solid is the original, dashed the model that never learned."""
    seeds, pooled = (
        each[each["start"].isin(list(STYLES)) & (each["depth"] == 0)] for each in (rows.seeds, rows.pooled)
    )
    for part in picture_rows(seeds, pooled, ["model"]):
        there = set(part.pooled["start"])
        line = []
        for corpus in part.corpora:
            found = [
                series(
                    rows_with(part.pooled, corpus=corpus, repetitions=count, start=start),
                    rows_with(part.seeds, corpus=corpus, repetitions=count, start=start),
                    f"{start.replace('_', ' ')}, r = {count}",
                    index,
                    f"{corpus}, ",
                    dashed=dashed,
                    shade=place_on_ramp(len(part.counts) - 1 - index, len(part.counts)),
                )
                for index, count in enumerate(part.counts)
                for start, dashed in STYLES.items()
            ]
            line.append(plane(corpus, [each for each in found if each is not None]))
        yield Chart(
            f"controls{part.suffix}",
            "The controls",
            in_front(" ".join(words for start, words in SAID.items() if start in there), part.whose)
            + part.left_out,
            alternative(rows.headline, (part, rows_with(part.pooled, start="never_learned"))).replace(
                "depths averaged", "of the model that never learned"
            )
            if "never_learned" in there
            else alternative(rows.headline, (part, part.pooled)),
            "relearn steps",
            axis_label(rows.headline),
            (tuple(line),),
        )
