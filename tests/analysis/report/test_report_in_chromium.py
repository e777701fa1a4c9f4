"""The report as a reader has it: in a real headless Chromium, without network, light and dark, wide and narrow."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from analysis.report import write_report
from tests.analysis.chromium import BINARY, WHY_NOT, Chromium
from tests.analysis.conftest import lawful

A4 = 688
"""Pixels of a page of paper between its margins."""
pytestmark = pytest.mark.skipif(BINARY is None, reason=WHY_NOT)


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    with Chromium() as started:
        yield started


@pytest.fixture
def report(unasked_report: Path) -> Path:
    """The one that most tests look at."""
    return unasked_report


def test_it_opens_without_network_and_without_complaint(browser: Chromium, report: Path) -> None:
    browser.open(report)
    assert browser.requests == [report.resolve().as_uri()]
    assert browser.complaints == []
    assert browser.ask("document.title").startswith("made-up")


def test_its_policy_refuses_the_network_and_other_scripts(browser: Chromium, report: Path) -> None:
    browser.open(report)
    assert browser.ask("fetch('http://127.0.0.1:9/').then(() => 'went', () => 'refused')") == "refused"
    browser.ask(
        "(() => { const s = document.createElement('script'); s.textContent = 'window.ran = 1';"
        " document.body.append(s); const i = new Image(); i.src = 'http://127.0.0.1:9/i.png';"
        " document.body.append(i); })()"
    )
    assert browser.ask("window.ran === undefined")
    words = " ".join(browser.complaints)
    for directive in ("connect-src", "script-src", "img-src"):
        assert re.search(rf"Content Security Policy[^.]*{directive}|default-src 'none'", words), words


def column(browser: Chromium, table: str, index: int) -> list[str]:
    found: list[str] = browser.ask(
        f"[...document.querySelectorAll({json.dumps(table + ' tbody tr')})]"
        f".map(row => row.cells[{index}].textContent.trim())"
    )
    return found


def heads(browser: Chromium, table: str) -> list[str]:
    found: list[str] = browser.ask(
        f"[...document.querySelectorAll({json.dumps(table + ' thead th')})].map(head => head.textContent.trim())"
    )
    return found


def test_tables_sort_on_a_click_up_and_then_down(browser: Chromium, report: Path) -> None:
    browser.open(report)
    browser.ask(UNFOLD)
    table = "#study-1-controls table"
    at = heads(browser, table).index("repetitions")
    button = f"{table} thead th:nth-child({at + 1}) button"
    before = [int(value) for value in column(browser, table, at)]
    assert before != sorted(before, reverse=True)
    browser.click(button)
    assert [int(value) for value in column(browser, table, at)] == sorted(before)
    assert browser.ask(f"document.querySelector({json.dumps(button)}).parentElement.ariaSort") == "ascending"
    browser.click(button)
    assert [int(value) for value in column(browser, table, at)] == sorted(before, reverse=True)


def test_names_sort_as_words_and_what_is_missing_stands_last(browser: Chromium, study_folder) -> None:
    folder = study_folder(lawful, steps=(10, 40), seeds=(0,), repetitions=(7, 1))
    browser.open(write_report(folder))
    browser.ask(UNFOLD)
    table = "#study-1-controls table"
    names = column(browser, table, heads(browser, table).index("corpus"))
    browser.click(f"{table} thead th:nth-child({heads(browser, table).index('corpus') + 1}) button")
    assert column(browser, table, heads(browser, table).index("corpus")) == sorted(names)
    assert "before relearning" not in heads(browser, table), "step 0 was not asked"
    assert "Left out, since no row has it: before relearning." in browser.ask("document.body.textContent")
    at = heads(browser, table).index("most in any cell")
    browser.ask(f"document.querySelector({json.dumps(table + ' tbody tr')}).cells[{at}].textContent = '–'")
    for _ in range(2):
        browser.click(f"{table} thead th:nth-child({at + 1}) button")
        assert column(browser, table, at)[-1] == "–"


def test_every_picture_has_a_size_and_its_marks_say_their_numbers(browser: Chromium, report: Path) -> None:
    browser.open(report)
    sizes: list[Any] = browser.ask(
        "[...document.querySelectorAll('svg.panel')].map(p => { const b = p.getBoundingClientRect();"
        " return [b.width, b.height, p.querySelectorAll('.mark').length, p.getAttribute('aria-label')]; })"
    )
    assert len(sizes) == 1 + 3 + 12 + 2 + 3, "surface, contour, curves, effects (none of gibberish), controls"
    assert all(width > 100 and height > 60 and marks >= 3 and words for width, height, marks, words in sizes)
    browser.ask(
        "(() => { const marks = document.querySelector('#study-1-surface svg.panel').querySelectorAll('.mark');"
        " marks[marks.length - 1].id = 'last-mark'; })()"
    )
    mark = "#last-mark"
    words = browser.ask(f"document.querySelector({json.dumps(mark)}).querySelector('title').textContent")
    assert re.search(r"depth 8, 40 relearn steps: \d+\.\d% \(\d+–\d+\), \d+ of 300, 3 seeds", words)
    browser.hover(mark)
    tip = browser.ask("[tip.hidden, tip.textContent, tip.getBoundingClientRect().width]")
    assert tip[:2] == [False, words]
    assert tip[2] > 50
    browser.hover("h1")
    assert browser.ask("tip.hidden")


@pytest.mark.slow
def test_ten_thousand_cells_are_there_scroll_sort_and_are_found(browser: Chromium, study_folder) -> None:
    steps = tuple(range(0, 100, 10))
    folder = study_folder(
        lambda relearn_steps, **place: lawful(relearn_steps=relearn_steps * 0.4, **place),
        steps=steps,
        seeds=tuple(range(28)),
        asked=0,
    )
    browser.open(write_report(folder))
    rows = "document.querySelectorAll('#study-1-cells-rows tbody tr')"
    assert browser.ask(f"{rows}.length") == 10_000
    seen = browser.ask(
        f"(async () => {{ const box = document.getElementById('study-1-cells-rows'); const rows = {rows};"
        " box.scrollIntoView(); const last = rows[rows.length - 1]; last.scrollIntoView({block: 'end'});"
        " await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));"
        " last.scrollIntoView({block: 'end'});"
        " await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));"
        " const b = last.getBoundingClientRect(), outer = box.getBoundingClientRect();"
        " const head = box.querySelector('thead').getBoundingClientRect();"
        " const at = document.elementFromPoint(b.left + 40, b.top + b.height / 2);"
        " return {tall: box.scrollHeight, moved: box.scrollTop, inside: b.bottom <= outer.bottom + 1 && b.height > 10,"
        " there: last.contains(at), head: head.top - outer.top, skipped: getComputedStyle(rows[0].parentElement)"
        ".contentVisibility}; })()"
    )
    assert seen["tall"] > 10_000 * 20
    assert seen["moved"] > seen["tall"] / 2
    assert seen["inside"]
    assert seen["there"], "the last row is what lies under the pointer"
    assert abs(seen["head"]) < 3, "the head stays at the top of the box"
    assert seen["skipped"] == "auto"
    names = heads(browser, "#study-1-cells-rows")
    at = next(index for index, name in enumerate(names) if name.startswith("attack success rate"))
    browser.click(f"#study-1-cells-rows th:nth-child({at + 1}) button")
    values = [float(value) for value in column(browser, "#study-1-cells-rows", at)]
    assert len(values) == 10_000
    assert values == sorted(values)
    assert values[-1] > values[0]
    browser.ask(SEARCHED.format(json.dumps("prefix unlearned")))
    found = browser.ask(f"[...{rows}].filter(row => !row.hidden).map(row => row.textContent)")
    assert 0 < len(found) < 10_000
    assert all("prefix" in words and "unlearned" in words for words in found)
    assert browser.ask("document.querySelector('.search output').textContent") == f"{len(found):,} rows"


CONTRAST = """
(() => {
  const luminance = (colour) => {
    const [r, g, b] = colour.match(/[\\d.]+/g).slice(0, 3).map(Number).map((part) => {
      const share = part / 255;
      return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const paper = luminance(getComputedStyle(document.body).backgroundColor);
  const ratio = (colour) => {
    const ink = luminance(colour);
    return (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
  };
  const found = {};
  for (const [name, part] of [["h1", "color"], ["main p", "color"], ["figcaption", "color"], ["th", "color"],
    ["td", "color"], ["nav a", "color"], ["svg.panel text", "fill"], ["#study-1-curves svg.panel text", "fill"]])
    found[name] = ratio(getComputedStyle(document.querySelector(name))[part]);
  for (const mark of document.querySelectorAll(".key i")) found[mark.closest(".key").textContent] = ratio(
    getComputedStyle(mark).color) + 1.5; // marks need 3 to 1, words 4.5
  return {paper, found};
})()
"""


def test_light_and_dark_are_both_readable(browser: Chromium, report: Path, tmp_path: Path) -> None:
    pictures, papers = [], []
    for scheme in ("light", "dark"):
        browser.open(report, scheme=scheme)
        seen = browser.ask(CONTRAST)
        papers.append(seen["paper"])
        assert {name: ratio for name, ratio in seen["found"].items() if ratio < 4.5} == {}
        pictures.append(browser.screenshot(tmp_path / f"{scheme}.png"))
    assert papers[0] > 0.9
    assert papers[1] < 0.05
    assert pictures[0] != pictures[1]
    assert min(map(len, pictures)) > 10_000


@pytest.mark.parametrize("width", [360, 390, 768, 1440, 1600])
def test_nothing_hangs_over_the_edge(browser: Chromium, report: Path, width: int) -> None:
    browser.open(report, width=width)
    assert browser.ask("document.documentElement.scrollWidth") <= width


SMALL_OR_CUT = """
[...document.querySelectorAll('svg.panel')].flatMap(picture => {
  const edge = picture.getBoundingClientRect();
  return [...picture.querySelectorAll('text')].flatMap(text => {
    const scale = text.getScreenCTM(), points = parseFloat(getComputedStyle(text).fontSize);
    const size = points * Math.hypot(scale.a, scale.b);
    const box = text.getBoundingClientRect();
    const cut = box.left < edge.left - 1 || box.right > edge.right + 1;
    return size < 9 || cut ? [`${text.textContent}: ${size.toFixed(1)}${cut ? ', cut' : ''}`] : [];
  });
})
"""


@pytest.mark.parametrize("width", [390, 768, 1440])
def test_letters_of_pictures_are_whole_and_large_enough(
    browser: Chromium, known_report: Path, width: int
) -> None:
    browser.open(known_report, width=width)
    assert browser.ask(SMALL_OR_CUT) == []


def found_by(browser: Chromium, words: str) -> list[list[str]]:
    """The cells of the rows that the search of the table of cells leaves."""
    browser.ask(SEARCHED.format(json.dumps(words)))
    rows: list[list[str]] = browser.ask(
        "[...document.querySelectorAll('#study-1-cells-rows tbody tr')].filter(row => !row.hidden)"
        ".map(row => [...row.cells].map(cell => cell.textContent))"
    )
    return rows


def test_the_search_goes_by_the_values_of_cells(browser: Chromium, study_folder) -> None:
    """Depth 10 is found by 10, and so are 10 steps; 100 queries and 10.5% are not."""
    browser.open(write_report(study_folder(lawful, depths=(10, 100), seeds=(0,), repetitions=(7, 3))))
    names = [name.replace(" ", "-") for name in heads(browser, "#study-1-cells-rows")]
    every = found_by(browser, "")
    by_value = found_by(browser, "10")
    assert 0 < len(by_value) < len(every)
    assert by_value == [row for row in every if {"10", "10.0"} & set(row)]
    depth = names.index("depth")
    assert found_by(browser, "depth:10") == [row for row in every if row[depth] == "10"]
    assert found_by(browser, 'depth:"10" corpus:prefix') == [
        row for row in every if row[depth] == "10" and "prefix" in row
    ]
    assert found_by(browser, "pref") == [row for row in every if "prefix" in row]


def test_a_number_of_the_first_sentence_leads_to_its_rows(browser: Chromium, known_report: Path) -> None:
    browser.open(known_report)
    link = ".lead a[data-find]"
    said = browser.ask(f"document.querySelector({json.dumps(link)}).textContent")
    browser.click(link)
    rows = "[...document.querySelectorAll('#study-1-cells-rows tbody tr')].filter(row => !row.hidden)"
    found: list[list[str]] = browser.ask(f"{rows}.map(row => [...row.cells].map(cell => cell.textContent))")
    assert len(found) == 3, "one for each seed"
    at = [name.startswith("attack success rate, %") for name in heads(browser, "#study-1-cells-rows")].index(
        True
    )
    mean = sum(float(row[at]) for row in found) / 3
    assert said.startswith(f"{mean:.0f}% (")
    top = browser.ask("document.getElementById('study-1-cells').getBoundingClientRect().top")
    assert 0 <= top < 900, "the table of cells is on the screen"
    browser.open(known_report, width=390)
    browser.click(link)
    box = browser.ask(f"(r => [r.left, r.right])({rows}[0].cells[{at}].getBoundingClientRect())")
    assert 0 <= box[0] < box[1] <= 390, "and so is the value, on a phone"


def test_the_sidebar_says_where_one_is(browser: Chromium, report: Path) -> None:
    browser.open(report, width=1440)
    current = "document.querySelector('nav a[aria-current]').textContent"
    assert browser.ask(current) == browser.ask("document.querySelector('nav a').textContent")
    for anchor in ("study-1-curves", "study-1-cells"):
        browser.ask(
            f"(async () => {{ document.getElementById('{anchor}').scrollIntoView();"
            " await new Promise(done => setTimeout(done, 200)); })()"
        )
        title = browser.ask(f"document.querySelector('#{anchor} h3').textContent")
        assert browser.ask(current) == title
    browser.open(report, width=390)
    assert browser.ask("document.querySelector('nav details').open") is False, "folded on a phone"


SHOWN = (
    "[...document.querySelectorAll('#study-1-cells-rows tbody tr')].filter(row => row.offsetParent).length"
)
NOTICE = "document.querySelector('.on-paper')?.innerText ?? ''"


def test_paper_has_every_row(browser: Chromium, report: Path) -> None:
    browser.open(report, width=A4)
    browser.call("Emulation.setEmulatedMedia", media="print")
    browser.ask("dispatchEvent(new Event('beforeprint'))")  # which unfolds every table
    wider = "[...document.querySelectorAll('table')].filter(each => each.getBoundingClientRect().right > innerWidth)"
    assert browser.ask(f"{wider}.map(each => each.ariaLabel)") == []
    assert browser.ask(SHOWN) == 324
    assert browser.ask(NOTICE) == ""
    browser.call("Emulation.setEmulatedMedia", media="")


PRINTED = """
[...document.querySelectorAll('table')].map(table => ({
  name: table.ariaLabel, points: parseFloat(getComputedStyle(table).fontSize) * 0.75,
  columns: [...table.rows[0].cells].filter(cell => cell.offsetParent).map(cell => cell.textContent.trim()),
  values: [...table.tBodies[0].rows[0].cells].filter(cell => cell.offsetParent)
    .map(cell => cell.textContent.trim() + ' ' + getComputedStyle(cell, '::after').content),
}))
"""


def test_tables_on_paper_are_large_enough_to_read(browser: Chromium, known_report: Path) -> None:
    """An interval stands in brackets behind its value there, and not in two columns of its own."""
    browser.open(known_report, width=A4)
    browser.ask(UNFOLD)
    on_screen = {table["name"]: table["columns"] for table in browser.ask(PRINTED)}
    browser.call("Emulation.setEmulatedMedia", media="print")
    tables = {table["name"]: table for table in browser.ask(PRINTED)}
    browser.call("Emulation.setEmulatedMedia", media="")
    assert {name for name, table in tables.items() if table["points"] < 6.99} == set()
    (net,) = (name for name in tables if name and name.startswith("Net recovery"))
    assert "net recovery, from" in on_screen[net]
    assert len(on_screen[net]) > 20
    assert len(tables[net]["columns"]) <= 16
    value = dict(zip(tables[net]["columns"], tables[net]["values"], strict=True))["net recovery"]
    assert re.fullmatch(r'-?\d+% "\(" attr\(data-on-paper\) "\)"|-?\d+% "\(.+(–| to ).+\)"', value), value


def test_a_table_that_goes_on_has_its_head_on_every_sheet(browser: Chromium, report: Path) -> None:
    """Chromium draws no button in the head that it repeats, so on paper the head must have none."""
    browser.open(report)
    browser.call("Emulation.setEmulatedMedia", media="print")
    heads = "[...document.querySelectorAll('th button')].map(each => getComputedStyle(each).display)"
    assert set(browser.ask(heads)) == {"contents"}
    browser.call("Emulation.setEmulatedMedia", media="")


@pytest.mark.slow
def test_paper_has_as_many_rows_as_it_should_and_says_where_the_others_are(
    browser: Chromium, study_folder
) -> None:
    folder = study_folder(lawful, steps=tuple(range(0, 50, 5)), seeds=tuple(range(5)), asked=0)
    browser.open(write_report(folder))
    browser.call("Emulation.setEmulatedMedia", media="print")
    assert browser.ask(SHOWN) == 1500
    assert browser.ask(NOTICE).startswith("On paper: the first 1500 of 1,800 rows.")
    assert "study/results/cells/*.parquet" in browser.ask(NOTICE)
    browser.call("Emulation.setEmulatedMedia", media="")


def test_hostile_names_do_nothing(browser: Chromium, study_folder) -> None:
    evil = "<script>window.ran = 1</script><img src=x onerror='window.ran = 2'>"
    folder = study_folder(lawful_of_anything, corpora=(evil, "prefix"), seeds=(0,), repetitions=(7,))
    browser.open(write_report(folder))
    assert browser.ask("window.ran === undefined")
    assert browser.ask("document.querySelectorAll('script').length") == 1
    assert browser.ask(f"document.querySelector('#study-1-cells').textContent.includes({json.dumps(evil)})")
    assert len(browser.requests) == 1
    assert browser.complaints == []


UNFOLD = "document.querySelectorAll('main details').forEach(each => each.open = true)"
SEARCHED = """
(() => {{ const search = document.querySelector('input[data-search]'); search.value = {0};
  search.dispatchEvent(new Event('input', {{bubbles: true}})); }})()
"""


def lawful_of_anything(corpus: str, **place: Any) -> float:
    return lawful(corpus="prefix", **place)


@pytest.mark.further
def test_several_studies_share_a_page(browser: Chromium, study_folder, tmp_path: Path) -> None:
    first = study_folder(lawful, seeds=(0,), repetitions=(7, 1)).rename(tmp_path / "one")
    second = study_folder(lawful, corpora=("prefix",), seeds=(0,), repetitions=(7,)).rename(tmp_path / "two")
    browser.open(write_report([first, second]))
    assert browser.complaints == []
    links = browser.ask(
        "[...document.querySelectorAll('a[href^=\"#\"]')].map(a => a.getAttribute('href').slice(1))"
    )
    assert len(links) > 10
    assert browser.ask(f"{json.dumps(links)}.filter(id => !document.getElementById(id))") == []
