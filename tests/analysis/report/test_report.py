"""The report over whole, partial, empty and hostile studies."""

import json
import re
import shutil
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from analysis.export.files import export
from analysis.report import write_report
from analysis.statistics.rates import rate_interval
from search_spaces.loading import load_space
from study.errors import SpecError
from study.results.files import dataset_folder, write_table
from study.results.schema import CELLS, PROBES
from tests.analysis.conftest import lawful


class Page(HTMLParser):
    """What a page refers to, and its words by section."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.tags: list[str] = []
        self.labels: list[str] = []
        self.words: dict[str, str] = {}
        self._section = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        facts = dict(attrs)
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "data")]
        if facts.get("class") == "chart":
            self.labels.append(facts.get("aria-label") or "")
        if tag in ("section", "header", "nav", "script", "style"):
            self._section = facts.get("id") or tag

    def handle_data(self, data: str) -> None:
        self.words[self._section] = self.words.get(self._section, "") + data


def came_back() -> int:
    """How many relearnings of ``lawful`` bring back half of what an original of 95% knew, with a control at 0."""
    return sum(
        round(100 * lawful(count, depth, corpus, 40, "unlearned", seed)) >= 0.5 * 95
        for count in (7, 5, 3, 1)
        for depth in (6, 8)
        for corpus in ("prefix", "retain", "gibberish")
        for seed in (0, 1, 2)
    )


def page(*folders: Path, to: Path | None = None) -> tuple[str, Page]:
    text = write_report(list(folders), to).read_text(encoding="utf-8")
    return text, Page(text)


SMALL: dict[str, Any] = {"corpora": ("prefix", "gibberish"), "seeds": (0, 1), "repetitions": (7, 1)}
"""Where the page's answer does not depend on how much there is: a third of the cells take a third of the time."""


@pytest.fixture(scope="module")
def unasked(unasked_report: Path) -> tuple[Path, str, Page]:
    """The study's folder, and its page."""
    text = unasked_report.read_text(encoding="utf-8")
    return unasked_report.parents[1], text, Page(text)


@pytest.fixture(scope="module")
def known(known_report: Path) -> tuple[Path, str, Page]:
    """The study's folder, and its page."""
    text = known_report.read_text(encoding="utf-8")
    return known_report.parents[1], text, Page(text)


def test_the_page_needs_nothing_but_itself(known) -> None:
    folder, text, read = known
    assert all(link.startswith(("#", "data:")) for link in read.links)
    assert read.tags.count("script") == 1
    assert not re.search(r"url\(|@import|https?://", text)
    assert "default-src 'none'" in text
    assert len(read.labels) == 5
    assert all(re.search(r"\d(%| points)", words) for words in read.labels), "alternatives have numbers"
    for name in ("heatmap.png", "contour.png", "curves.png", "controls.png"):
        assert (folder / "report" / name).read_bytes().startswith(b"\x89PNG")
    assert "| 7 | 95% | 70% | 97% |" in (folder / "report" / "results.md").read_text()


def test_its_sentences_are_computed(known) -> None:
    _, _, read = known
    # 4 repetition counts × 2 depths × 3 corpora × 3 seeds, all of them known and forgotten.
    assert "Of 72 benign relearnings, 72 are of a model that knew" in read.words["top"]
    assert "and 72 of these had forgotten" in read.words["top"]
    assert "All 72 were unlearned by destruction" in read.words["top"]
    assert f"Of the 72 that knew and forgot, {came_back()} recovered" in read.words["top"]


def test_the_first_sentence_is_of_one_place_and_leads_to_its_rows(known) -> None:
    """At r = 7 and depth 6 every seed of ``lawful`` knew and had forgotten; the values are those of its own formula."""
    _, text, read = known
    lead = re.search(r'<p class="lead">(.*?)</p>', text)
    assert lead is not None
    words = re.sub(r"<[^>]+>", "", lead[1])
    at = {"repetitions": 7, "depth": 6, "relearn_steps": 40, "start": "unlearned"}
    means = {
        corpus: 100 * sum(round(100 * lawful(corpus=corpus, seed=seed, **at)) for seed in (0, 1, 2)) / 300
        for corpus in ("prefix", "retain", "gibberish")
    }
    assert words.startswith(f"At r = 7, depth 6, 40 steps on prefix reach {means['prefix']:.0f}% (")
    assert f"on retain {means['retain']:.0f}% (" in words
    assert f"on gibberish {means['gibberish']:.0f}%" in words
    nothing = r"0% \(0–\d+\)"
    assert re.search(
        rf", from {nothing} before; a model that never learned it reaches {nothing} on each;", words
    )
    assert re.search(r"; before unlearning it was 95% \(\d+–\d+\)\.", words)
    assert lead[1].count("<a href=") == len(re.findall(r"\d%", words)) == 6, "each number leads to its rows"
    assert "start:&#34;unlearned&#34; corpus:&#34;prefix&#34; repetitions:&#34;7&#34;" in lead[1]
    assert "seeds3 (0, 1, 2)" in read.words["top"].replace("\n", "")


def test_the_first_sentence_says_what_it_cannot_know(unasked) -> None:
    _, _, read = unasked
    assert "At r = 7, depth 8, 40 steps on prefix reach" in read.words["top"], "the deepest"
    assert (
        "No original model was asked, so whether anything was known before is not known." in read.words["top"]
    )


def test_the_first_sentence_of_a_search_is_its_own_answer(study_folder) -> None:
    """The fewest steps that reach the level, as the search says, and the most at any step, which is not the last."""

    def falling(relearn_steps: int, **place: Any) -> float:
        return lawful(relearn_steps={0: 0, 10: 40, 40: 20}[relearn_steps], **place)

    folder = study_folder(falling, **SMALL)
    content = json.loads((folder / "study.json").read_text())
    content["spec"]["search"] = {"question": "cheapest", "level": 0.25}
    (folder / "study.json").write_text(json.dumps(content))
    (folder / "search").mkdir()
    answer = {"format": 1, "sentences": [], "reason": "grid", "tables": ["front"]}
    (folder / "search" / "answer.json").write_text(json.dumps(answer))
    of: dict[str, Any] = {"model": "embedded", "method": "gradient_ascent"}
    of |= {"repetitions": 7, "depth": 8, "corpus": "prefix"}
    of |= {"words": 9.0, "learning_rate": 0.01, "rank": 1.0, "lowest": 0.4, "highest": 0.9, "seeds": 2}
    rows = [{**of, "relearn_steps": steps, "success": 0.5} for steps in (40.0, 10.0)]
    pq.write_table(pa.Table.from_pylist(rows), folder / "search" / "front.parquet")
    text, _ = page(folder)
    lead = re.sub(r"<[^>]+>", "", text.split('<p class="lead">')[1].split("</p>")[0])
    assert re.match(
        r"At r = 7, depth 8, 10 steps on prefix, the fewest that reach 25%: 8[56]% \(\d+–\d+\); the most is 8[56]% "
        r"\(\d+–\d+\), of 10 steps on prefix, the largest of \d+ rates and so too high by chance; before, 0% \(",
        lead,
    ), lead


def test_the_first_sentence_says_that_nothing_was_known(study_folder) -> None:
    _, read = page(study_folder(lambda **_: 0.0, original=0.2, **SMALL))
    assert "No model knew the answers and had forgotten them" in read.words["top"]


def test_the_spec_can_be_pasted(study_folder, tmp_path: Path) -> None:
    """What the page shows is a file that ``relearn run`` takes: it is the spec again, key by key."""
    folder = study_folder(lawful, **SMALL)
    spec = load_space("tofu-mini", ["depth=[4,8]"])
    content = json.loads((folder / "study.json").read_text())
    content["spec"] = spec.model_dump(mode="json")
    (folder / "study.json").write_text(json.dumps(content))
    text, _ = page(folder)
    shown = re.search(r"<pre[^>]*>(.*?)</pre>", text, re.DOTALL)
    assert shown is not None
    (tmp_path / "study.yaml").write_text(unescape(shown[1]), encoding="utf-8")
    assert load_space(str(tmp_path / "study.yaml"), []) == spec


def test_no_zero_has_a_sign(study_folder) -> None:
    text, _ = page(study_folder(lambda seed, **at: lawful(seed=seed, **at) * 0.004, original=0.95, **SMALL))
    assert not re.search(r">[-−]0(\.0+)?[%<]|[-−]0 (points|to )", text)


def test_an_identifier_keeps_its_case(study_folder) -> None:
    """Neither the sentences nor the style sheet make a capital of a name's first letter."""
    text, read = page(
        study_folder(
            lambda **at: lawful(**{**at, "corpus": "prefix"}),
            corpora=("eBooks",),
            seeds=(0, 1),
            original=0.95,
        )
    )
    assert "EBooks" not in text
    assert "eBooks" in read.words["top"]
    assert "text-transform" not in text


def test_it_says_what_drives_recovery(unasked) -> None:
    """In ``lawful`` more repetitions recover more, and nothing else is left to explain the never-learned zeros."""
    folder, text, read = unasked
    assert "one repetition more" in read.words["study-1-drivers"]
    effect = re.search(r"<title>prefix: one repetition more: \+(\d+\.\d) points \(", text)
    assert effect is not None
    assert 2 < float(effect[1]) < 20
    assert (folder / "report" / "effects.png").read_bytes().startswith(b"\x89PNG")


def test_every_mark_says_its_numbers(unasked) -> None:
    _, text, _ = unasked
    low, high = rate_interval([90, 89, 88], [100, 100, 100])
    words = f"89.0% ({100 * low:.0f}–{100 * high:.0f}), 267 of 300, 3 seeds"
    assert f"<title>prefix, r = 7, depth 6, 40 relearn steps: {words}</title>" in text


@pytest.mark.parametrize(
    "rate",
    [
        pytest.param(lambda **_: None, id="none"),
        pytest.param(lambda **_: 0.0, id="zero", marks=pytest.mark.slow),
        pytest.param(lambda **_: 1.0, id="one", marks=pytest.mark.slow),
        pytest.param(lambda seed, **_: 0.5 if seed else None, id="some", marks=pytest.mark.slow),
    ],
)
def test_edges_make_a_page_and_no_crash(study_folder, rate) -> None:
    _, read = page(study_folder(rate, **SMALL))
    read.words.pop("style"), read.words.pop("script")
    assert not re.search(r"\b(nan|none%|inf)\b", " ".join(read.words.values()).lower())


def test_no_accepted_cell_is_said_in_words(study_folder) -> None:
    text, read = page(study_folder(lambda **_: None))
    assert "nothing to answer" in read.words["top"]
    assert "0 of 324 cells" in read.words["top"]
    assert "324 cells have no rows; the first 40" in read.words["study-1-lacking"]
    assert "What this study does not let the report show" in text
    assert "no accepted cell is scored under the headline metric yet" in text


def test_one_seed_and_one_value_on_every_axis(study_folder) -> None:
    folder = study_folder(lawful, corpora=("prefix",), seeds=(0,), depths=(6,), steps=(40,), repetitions=(7,))
    text, read = page(folder)
    assert "no original model was asked" in read.words["top"]
    assert "study-1-methods" not in read.words
    assert "fewer than two methods" in text


def test_probes_without_scores_leave_a_page_without_a_gallery(study_folder) -> None:
    folder = study_folder(lawful, **SMALL)
    path = next(dataset_folder(folder, "probes").glob("*.parquet"))
    rows = pq.read_table(path)
    for name in ("keyword_hit", "keyword_anywhere"):
        nothing = pa.nulls(rows.num_rows, pa.bool_())
        rows = rows.set_column(rows.schema.get_field_index(name), PROBES.field(name), nothing)
    write_table(rows.cast(PROBES), path)
    text, read = page(folder)
    assert "study-1-gallery" not in read.words
    assert "A gallery:" in text


def test_cells_alone_are_enough(study_folder) -> None:
    folder = study_folder(lawful, **SMALL)
    shutil.rmtree(dataset_folder(folder, "probes"))
    _, read = page(folder)
    assert {"study-1-surface", "study-1-curves", "study-1-controls", "study-1-cells"} <= read.words.keys()


def test_a_study_without_an_original_model_says_what_cannot_be_said(study_folder) -> None:
    """On tofu a model counts as unlearned by the original's score."""
    folder = study_folder(lawful, **SMALL)
    for dataset in ("cells", "probes"):
        path = next(dataset_folder(folder, dataset).glob("*.parquet"))
        rows = pq.read_table(path)
        schema = CELLS if dataset == "cells" else PROBES
        names = pa.array(["tofu"] * rows.num_rows)
        rows = rows.set_column(0, schema.field("scenario"), names)
        if dataset == "cells":
            metric = pc.replace_substring(rows["metric"], "keyword_anywhere", "keyword_hit")
            rows = rows.set_column(rows.schema.get_field_index("metric"), schema.field("metric"), metric)
        write_table(rows.cast(schema), path)
    content = json.loads((folder / "study.json").read_text())
    content["axes"]["scenario"] = ["tofu"]
    (folder / "study.json").write_text(json.dumps(content))
    _, read = page(folder)
    assert "no original model was asked" in read.words["top"]
    assert "cannot be said" in read.words["study-1-paper"]


def test_missing_and_failed_are_named(study_folder) -> None:
    failure = {
        "label": "unlearn (r 7)",
        "cause": "diverged",
        "message": "left the finite numbers",
        "stage": "x",
    }
    folder = study_folder(
        lambda seed, **p: None if seed == 1 else lawful(seed=seed, **p), failures=(failure,), **SMALL
    )
    text, read = page(folder)
    assert "36 cells are missing and shown as missing" in text
    assert "1 stage failed (1 × diverged). 36 of 72 cells have no rows" in read.words["top"]
    assert text.index('id="study-1-lacking"') < text.index('id="study-1-flow"'), "what failed comes first"
    assert "1 stage failed" in (Path(folder) / "report" / "results.md").read_text()
    assert "unlearn (r 7): diverged: left the finite numbers" in read.words["study-1-lacking"]


def test_hostile_names_stay_text(study_folder) -> None:
    evil = '<script>alert("x")</script><img src=http://evil>'
    folder = study_folder(lambda **_: 0.5, corpora=(evil,), seeds=(0,), repetitions=(7,))
    text, read = page(folder)
    assert read.tags.count("script") == 1
    assert "img" not in read.tags
    assert not any("evil" in link for link in read.links)
    assert "&lt;script&gt;" in text
    assert evil in read.words["study-1-cells"]


@pytest.mark.slow  # CI opens a page of several studies in Chromium
def test_studies_with_different_spaces_stand_beside_each_other(study_folder, tmp_path: Path) -> None:
    first = study_folder(lawful, original=0.95).rename(tmp_path / "one")
    second = study_folder(
        lambda **_: 0.25, corpora=("other",), depths=(30,), seeds=(9,), original=0.95
    ).rename(tmp_path / "two")
    content = json.loads((second / "study.json").read_text())
    content["spec"]["depth"] = [30]
    (second / "study.json").write_text(json.dumps(content))
    text, read = page(first, second)
    assert (tmp_path / "report" / "index.html").exists(), "beside the first"
    assert (tmp_path / "report" / "study-2" / "heatmap.png").exists()
    beside = read.words["together"]
    assert "made-up (one)" in beside and "made-up (two)" in beside
    section = text[text.index('id="together"') :]
    lines = [
        re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL)
        for row in re.findall(r"<tr>(.*?)</tr>", section, re.DOTALL)
    ]
    flows = [line[-6:] for line in lines if len(line) > 6][:2]
    recovered = str(came_back())
    assert flows == [["72", "72", "72", "72", recovered, recovered], ["4", "4", "0", "0", "0", "0"]], (
        "a quarter is more than 2%, so nothing had been forgotten"
    )
    assert "depth" in read.words["differences"]
    assert "It cannot be asked" in read.words["foreseen"], "the second has too few trajectories"
    ids = re.findall(r' id="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    with pytest.raises(SpecError, match="given twice"):
        write_report([first, first])


def test_more_cells_than_a_page_should_hold_are_counted(study_folder, monkeypatch) -> None:
    monkeypatch.setattr("analysis.report.sections.cells.MOST", 50)
    _, read = page(study_folder(lawful, **SMALL))
    assert "50 of 72 cells" in read.words["study-1-cells"]
    assert "relearn export writes all" in read.words["study-1-cells"]


def test_export_holds_every_row(study_folder, tmp_path: Path) -> None:
    folder = study_folder(lawful)
    written = export(folder, "csv") + export(folder, "parquet", tmp_path / "elsewhere")
    assert [path.name for path in written] == ["cells.csv", "probes.csv", "cells.parquet", "probes.parquet"]
    csv, parquet = pd.read_csv(written[0]), pd.read_parquet(written[2])
    assert len(csv) == len(parquet) == 2 * 324  # two metrics of each planned cell
    assert csv.loc[csv["metric"] == "target_nll", "k"].isna().all()
    assert csv["value"].sum() == pytest.approx(parquet["value"].sum())
