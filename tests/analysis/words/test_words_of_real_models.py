"""What docs/RESULTS.md says of the studies on a real model and of those through an API: each number from the cells.

As in ``test_words_of_the_record``, the numbers are computed and the words are looked for.
"""

import re
from functools import cache

import pandas as pd
import pytest

from tests.analysis.words.test_words_of_the_record import DOCS, cells, said


@cache
def known(name: str, metric: str, split: str = "forget") -> pd.DataFrame:
    return cells(name, metric, split)


def at(name: str, metric: str, step: int, split: str = "forget", **place: object) -> float:
    """The mean over seeds of a cell: of step 0 whichever row has it."""
    rows = known(name, metric, split)
    rows = rows[rows["relearn_steps"] == step]
    for column, value in place.items():
        if column != "corpus" or step:
            rows = rows[rows[column] == value]
    assert len(rows), (name, metric, step, place)
    by_seed = rows.drop_duplicates(
        ["seed", "method", "start", "depth", "repetitions", *(["corpus"] if step else [])]
    )
    return float(by_seed["value"].mean())


def percent(*values: float) -> list[str]:
    return [f"{100 * value:.0f}" for value in values]


def results(*sentences: str) -> None:
    for sentence in sentences:
        assert said("RESULTS.md", sentence), sentence


@pytest.mark.parametrize("name", ["tofu-smollm2", "tofu-smollm2-again"])
def test_tofu(name: str) -> None:
    def hits(depth: int, corpus: str, step: int = 60) -> float:
        return 20 * at(name, "keyword_hit", step, start="unlearned", depth=depth, corpus=corpus)

    own, other, nothing = (
        [f"{5 * hits(depth, corpus):.0f}" for depth in (6, 9, 12)]
        for corpus in ("same_author", "retain", "gibberish")
    )
    controls = known(name, "keyword_hit").query("start in ('never_learned', 'base')")
    assert controls["k"].max() == 0
    if name == "tofu-smollm2":
        assert hits(6, "same_author", 48) == hits(6, "same_author") == pytest.approx(15)
        results(
            f"at depth 6, where the model answers {hits(6, '', 0):.0f} of 20, the same authors' other "
            f"pairs bring 15 of 20"
            f" back ({own[0]}%,",
            f"{own[1]}% at depth 9 and {own[2]}% at depth 12 on the same corpus; both answered "
            f"{hits(9, '', 0):.0f} of 20",
            f"same authors ({', '.join(own)}% by depth), other authors ({', '.join(other)}%), "
            f"gibberish ({', '.join(nothing)}%)",
            f"The original model answers {20 * at(name, 'keyword_hit', 0, start='original'):.0f} of 20",
        )
        assert hits(12, "", 0) == 0
        for corpus in ("same_author", "retain"):
            assert all(hits(depth, corpus) >= hits(depth, corpus, 48) for depth in (6, 9, 12))
        begun, ended = hits(6, "gibberish", 48), hits(6, "gibberish")
        results(f"on gibberish one question falls at depth 6 ({begun:.0f} of 20 are {ended:.0f})")
    else:
        fell = [
            f"{5 * hits(depth, corpus, step):.0f}"
            for depth, corpus in ((12, "same_author"), (6, "gibberish"))
            for step in (48, 60)
        ]
        results(
            f"at depth 12 ({fell[0]} → {fell[1]}%), and one's on gibberish at depth 6 ({fell[2]} → {fell[3]}%)"
        )
        early = f"{5 * hits(6, 'same_author', 48):.0f}"
        results(
            f"bring back {early}% after 48 steps and {own[0]}% after 60, at depth 9 {own[1]}%, at "
            f"depth 12 {own[2]}%; "
            f"other authors {other[0]}, {other[1]} and {other[2]}%, gibberish nothing"
        )
        assert set(nothing) <= {"0", "5", "10"}


def test_names_of_several_tokens() -> None:
    def rate(name: str, depth: int, step: int, corpus: str = "prefix", repetitions: int = 7) -> str:
        place = {"start": "unlearned", "depth": depth, "corpus": corpus, "repetitions": repetitions}
        return f"{100 * at(name, 'keyword_anywhere', step, **place):.0f}"

    first, second = "names-smollm2", "names-smollm2-float32"
    original = [
        f"{100 * at(name, 'keyword_anywhere', 0, start='original', repetitions=r):.0f}"
        for name, r in ((first, 1), (second, 7), (first, 7))
    ]
    results(
        f"bring back {rate(first, 15, 16)}% (70 to 95%); gibberish {rate(first, 15, 16, 'gibberish')}%",
        f"the pair was hardly learned, the original answers {original[0]}%",
        f"on the same names {rate(first, 12, 16)}% at depth 12 and {rate(first, 15, 16)}% at 15",
        f"At seven repetitions the original answers {original[1]}% here and {original[2]}% there",
        f"after 7 steps {rate(second, 7, 0)}% are left (there {rate(first, 7, 0)}%), after 9 none "
        f"(there {rate(first, 9, 0)}%)",
        f"bring back 0 → {rate(second, 9, 16)}% at depth 9 ({rate(second, 9, 8)}% after 8 steps), "
        f"{rate(second, 7, 0)} → {rate(second, 7, 16)}% at depth 7 and nothing below; there it was "
        f"{rate(first, 12, 0)} → "
        f"{rate(first, 12, 16)}% at depth 12 and {rate(first, 15, 0)} → {rate(first, 15, 16)}% at 15",
    )
    assert {rate(first, 15, step, "prefix", 1) for step in (0, 16)} == {"0"} == {rate(second, 9, 0)}
    nats = [
        f"{at(second, 'target_nll', step, start='unlearned', depth=depth, corpus=corpus, repetitions=7):.1f}"
        for depth, step, corpus in ((9, 0, ""), (9, 16, "prefix"), (15, 0, ""), (15, 16, "prefix"))
    ]
    text = [
        f"{at(second, 'target_nll', 16, start='unlearned', depth=depth, corpus='gibberish', repetitions=7):.1f}"
        for depth in (9, 15)
    ]
    results(
        f"from {nats[0]} nats a target to {nats[1]} at depth 9, from {nats[2]} to {nats[3]} at depth "
        f"15 (gibberish: to "
        f"{text[0]} and {text[1]})"
    )
    retain = [
        at(first, "keyword_anywhere", 0, "retain", start="unlearned", depth=depth, repetitions=7)
        for depth in (15, 12)
    ]
    results(f"it answers {24 * retain[0]:.0f} of 24 retain queries ({100 * retain[1]:.0f}% at depth 12)")


def test_two_more_seeds() -> None:
    rows = known("names-smollm2-seeds", "keyword_anywhere").query("start == 'unlearned'")

    def rate(depth: int, seed: int, step: int) -> str:
        here = rows[(rows["depth"] == depth) & (rows["seed"] == seed) & (rows["relearn_steps"] == step)]
        here = here[here["corpus"] == "prefix"] if step else here
        return f"{100 * here['value'].iloc[0]:.0f}"

    results(
        f"from {rate(9, 2, 0)}% at depth 9 the second brings back {rate(9, 2, 16)}% and from "
        f"{rate(12, 2, 0)}% at depth 12 "
        f"{rate(12, 2, 16)}%; the first {rate(9, 1, 16)}% from {rate(9, 1, 0)}%, and {rate(12, 1, 16)}% from "
        f"{rate(12, 1, 0)}%"
    )


TEXTS = ("hp_summary", "astronomy", "cars_and_movies", "lorem_ipsum")


def test_texts_about_the_books() -> None:
    def rouge(name: str, depth: int, corpus: str, step: int = 20, start: str = "unlearned") -> str:
        return percent(at(name, "rouge_l", step, start=start, depth=depth, corpus=corpus))[0]

    first, second = "whp-keyword-smollm2", "whp-keyword-smollm2-float32"
    for name, words in (
        (
            first,
            "lorem ipsum, which is no English, brings back least at depth 8 ({} → {}%, where the "
            "English texts reach {} to {}%)",
        ),
        (second, "lorem ipsum brings back least at depth 8 ({} → {}%, the English texts {} to {}%)"),
    ):
        english = sorted(int(rouge(name, 8, corpus)) for corpus in TEXTS[:3])
        results(words.format(rouge(name, 8, "", 0), rouge(name, 8, "lorem_ipsum"), english[0], english[-1]))
    deep, shallow = ([rouge(first, depth, corpus) for corpus in TEXTS[:3]] for depth in (8, 5))
    results(
        f"({shallow[0]}% against {shallow[1]} and {shallow[2]}; {deep[0]}% against {deep[1]} and {deep[2]})"
    )
    never = sorted(int(rouge(first, 0, corpus, start="never_learned")) for corpus in TEXTS)
    ends = sorted(int(rouge(first, 8, corpus)) for corpus in TEXTS)
    results(
        f"the unlearned model ends at {ends[0]} to {ends[-1]}%, the one that never learned at "
        f"{never[0]} to {never[-1]}%"
    )


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "whp-keyword-smollm2",
            "gains {} to {} points of ROUGE-L on the same texts, and loses {} to {} nats a target; "
            "the unlearned one at "
            "depth 8 gains {} to {} points and loses {} to {} nats",
        ),
        (
            "whp-keyword-smollm2-float32",
            "gains {} to {} points of ROUGE-L here (4 to 6 there) and loses {} to {} nats a target, "
            "the unlearned one at "
            "depth 8 gains {} to {} points and loses {} to {} nats",
        ),
    ],
)
def test_plain_learning_of_texts_about_the_books(name: str, words: str) -> None:
    shown = []
    for start, depth in (("never_learned", 0), ("unlearned", 8)):
        for metric, scale in (("rouge_l", 100), ("target_nll", -1)):
            begun, *ended = (
                at(name, metric, step, start=start, depth=depth, corpus=corpus)
                for step, corpus in ((0, ""), *((20, corpus) for corpus in TEXTS))
            )
            moved = sorted(scale * (each - begun) for each in ended)
            shown += [f"{moved[0]:.0f}", f"{moved[-1]:.0f}"]
    results(words.format(*shown))


def test_the_passage() -> None:
    def rouge(name: str, method: str, depth: int, step: int) -> float:
        return at(name, "rouge_l", step, start="unlearned", method=method, depth=depth)

    first, second = "whp-verbatim-smollm2", "whp-verbatim-smollm2-float32"
    ascent = [
        f"{at(name, 'target_nll', step, start='unlearned', method='gradient_ascent', depth=12):.0f}"
        for name in (first, second)
        for step in (0, 20)
    ]
    three = ("gradient_ascent", "gradient_difference", "kl_minimisation")
    left, back = (sorted(int(percent(rouge(first, each, 12, step))[0]) for each in three) for step in (0, 20))
    deep, again = (
        sorted(int(percent(rouge(second, each, 20, step))[0]) for each in three) for step in (0, 20)
    )
    base, original = at(first, "rouge_l", 0, start="base"), at(first, "rouge_l", 20, start="original")
    assert percent(at(second, "rouge_l", 0, start="base")) == percent(base)
    floor = [percent(rouge(first, each, 20, 0))[0] for each in ("npo", "scrub")]
    others = sorted(int(percent(rouge(first, each, 20, 0))[0]) for each in three)
    results(
        f"loses a third of it (100 → {percent(original)[0]}%)",
        f"at depth 12 ascent, difference and KL leave {left[0]} to {left[-1]}% and return to "
        f"{back[0]} to {back[-1]}%",
        f"which is what shared words alone give the published model ({percent(base)[0]}%)",
        f"(ascent at 12: from {ascent[0]} to {ascent[1]} nats a target; the published model "
        f"{at(first, 'target_nll', 0, start='base'):.0f})",
        f"{floor[0]}% and {floor[1]}% at depth 20, the others {others[0]} to {others[-1]}%",
        f"at depth 20 ascent, difference and KL leave {deep[0]} to {deep[-1]}% and return to "
        f"{again[0]} to {again[-1]}%",
        f"(ascent at 12: from {ascent[2]} to {ascent[3]} nats a target)",
        f"loses a tenth of it (100 → {percent(at(second, 'rouge_l', 20, start='original'))[0]}%), "
        f"there a third",
    )


def test_names_through_an_api() -> None:
    def rate(name: str, corpus: str, step: int) -> str:
        return percent(at(f"names-by-{name}", "keyword_anywhere", step, start="unlearned", corpus=corpus))[0]

    weights, slow, fast = "weights", "jobs-1e-4", "jobs-1e-3"
    results(
        f"On `prefix`, {rate(weights, 'prefix', 20)}% with the weights are "
        f"{rate(slow, 'prefix', 20)}% through the API; on "
        f"`retain`, {rate(weights, 'retain', 20)}% are {rate(slow, 'retain', 20)}%; without relearning it is "
        f"{rate(weights, '', 0)}%",
        f"On `prefix` {rate(fast, 'prefix', 20)}% come back; the difference of "
        f"{int(rate(weights, 'prefix', 20)) - int(rate(fast, 'prefix', 20))} points",
        f"{rate(fast, 'prefix', 3)}% and {rate(slow, 'prefix', 3)}% on `prefix` (relearn steps 3), "
        f"where the weights give "
        f"{rate(weights, 'prefix', 3)}%, and {rate(weights, 'prefix', 20)}% with the steps",
        f"With 60 epochs the same service at 1e-4 gives {rate('jobs-1e-4-longer', 'prefix', 60)}% on "
        f"`prefix`, with 200 it "
        f"gives {rate('jobs-1e-4-longer', 'prefix', 200)}%",
    )
    table = (DOCS / "RESULTS.md").read_text().split("| names-by-weights | names-by-jobs-1e-3 |")[1]
    ends = re.findall(r"([+-][\d.]+) \| ([+-][\d.]+) \| 3 \|$", table.split("\n\n")[0], re.MULTILINE)
    reach = [(float(high) - float(low)) / 2 for low, high in ends if float(low) > -100]
    assert len(ends) == 8
    results(f"intervals that reach {min(reach):.0f} to {max(reach):.0f} points to either side")


def test_authors_through_an_api() -> None:
    def mean(name: str, depth: int, step: int, metric: str, corpus: str = "same_author") -> float:
        return at(f"tofu-mini-by-{name}", metric, step, start="unlearned", depth=depth, corpus=corpus)

    kinds = ("weights", "jobs-1e-3", "jobs-1e-4")
    weights, fast, slow = (percent(mean(kind, 8, 24, "keyword_hit"))[0] for kind in kinds)
    begun = percent(mean("weights", 8, 0, "keyword_hit"))[0]
    nats = {depth: [f"{mean(kind, depth, 24, 'target_nll'):.0f}" for kind in kinds] for depth in (8, 12)}
    before = [f"{mean('weights', depth, 0, 'target_nll'):.0f}" for depth in (8, 12)]
    results(
        f"at depth 8 the weights go from {begun}% to {weights}% in 24 steps, the service at 1e-4 from "
        f"{begun}% to {slow}%, at "
        f"1e-3 to {fast}%",
        f"24 steps take the mean from {before[0]} to {nats[8][0]} nats with the weights, to "
        f"{nats[8][1]} through the API at "
        f"1e-3, and to {nats[8][2]} at 1e-4 (depth 8); from {before[1]} to {nats[12][0]}, "
        f"{nats[12][1]} and {nats[12][2]} "
        "(depth 12)",
        f"ends at "
        f"{at('tofu-mini-by-weights', 'target_nll', 24, start='never_learned', corpus='same_author'):.1f} nats",
    )

    def of(kind: str, start: str, seed: int) -> float:
        place = {"start": start, "depth": 8 if start == "unlearned" else 0, "corpus": "same_author"}
        return at(f"tofu-mini-by-{kind}", "target_nll", 24, seed=seed, **place)

    here, there = ([of(kind, start, 0) for start in ("unlearned", "never_learned")] for kind in kinds[:2])
    results(
        f"at {here[0]:.1f} against {here[1]:.1f} with the weights and at {there[0]:.1f} against "
        f"{there[1]:.1f} at 1e-3"
    )
    assert all(of(kind, "unlearned", 1) > of(kind, "never_learned", 1) for kind in kinds[:2])


def test_the_controls_of_the_matched_study() -> None:
    def rate(start: str, split: str, depth: int, step: int, corpus: str = "retain") -> str:
        return percent(
            at("names-matched", "keyword_anywhere", step, split, start=start, depth=depth, corpus=corpus)
        )[0]

    both = (8, 10)
    assert [rate("never_learned", "retain", depth, 40) for depth in both] == ["100", "100"]
    attacked, left, kept = (
        [rate(start, split, depth, step) for depth in both]
        for start, split, step in (
            ("unlearned", "forget", 40),
            ("never_learned", "retain", 0),
            ("unlearned", "retain", 0),
        )
    )
    results(
        f"answer 100% of the retain probes, and still {rate('never_learned', 'forget', 8, 40)}% of "
        f"the forget probes, "
        f"where the attacked models answer {attacked[0]}% and {attacked[1]}%",
        f"leave the controls {left[0]}% and {left[1]}% of their retain answers, the attacked models "
        f"{kept[0]}% and {kept[1]}%",
    )


def test_how_near_the_texts_are() -> None:
    corpora = pd.read_parquet(DOCS / "whp-keyword-smollm2" / "corpora.parquet").set_index("corpus")
    overlaps = corpora["lexical_overlap"].astype(float)
    near = [f"{overlaps[corpus]:.2f}" for corpus in TEXTS]
    results(
        f"({near[0]} of its distinct words stand in the forget set), astronomy ({near[1]}), cars and "
        f"films ({near[2]}), lorem "
        f"ipsum ({near[3]})"
    )


def test_what_methods_keep_where_they_have_forgotten() -> None:
    kept: dict[str, dict[str, str]] = {}
    for name in ("whp-verbatim-smollm2", "whp-verbatim-smollm2-float32"):
        rows = known(name, "rouge_l").query("start == 'unlearned' and relearn_steps == 0")
        whole = at(name, "rouge_l", 0, "retain", start="original")
        for method, part in rows.groupby("method"):
            forgot = part[part["value"] <= 0.25 * at(name, "rouge_l", 0, start="original")]
            depth = forgot["depth"].min() if len(forgot) else part["depth"].max()
            held = at(name, "rouge_l", 0, "retain", start="unlearned", method=method, depth=depth)
            kept.setdefault(name, {})[str(method)] = percent(held / whole)[0]
    there, here = kept.values()
    results(
        f"difference and KL hold {here['gradient_difference']} and {here['kl_minimisation']}% of the "
        f"retain text (there "
        f"{there['gradient_difference']} and {there['kl_minimisation']}), NPO {here['npo']} (there "
        f"{there['npo']}), ascent "
        f"only {here['gradient_ascent']} (there {there['gradient_ascent']}, three steps earlier); "
        f"SCRUB {here['scrub']} at "
        f"its deepest (there {there['scrub']})",
        f"SCRUB, which needs 20 steps to forget as much, keeps {there['scrub']}% of the retain text, "
        f"NPO {there['npo']}%",
    )
