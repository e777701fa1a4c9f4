"""The picture and the table of docs/DESIGN.md, drawn from the imports of the code.

``python docs/house.py`` prints, for each room, its entries (files and folders directly inside it), its floors
(entries in the longest chain of imports) and its arrows (pairs of entries of which one imports the other).
``python docs/house.py FOLDER`` does so for another checkout, such as a worktree of an earlier commit.
``python docs/house.py --write`` writes docs/house.svg and the table between the marks of docs/DESIGN.md.

grimp, which import-linter is built on, reads the imports. An import inside a function counts like any other.
A room's ``__init__`` counts as an entry only where it imports something of the room.
"""

import re
import sys
from dataclasses import dataclass
from functools import cached_property
from graphlib import TopologicalSorter
from pathlib import Path
from xml.sax.saxutils import escape

import grimp

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("search_spaces", "cluster", "analysis", "study")
BEFORE = {
    "search_spaces": (18, 4, 27),
    "cluster": (37, 7, 75),
    "analysis": (28, 9, 94),
    "study": (41, 11, 114),
}
"""The same counts of commit a074c24, before the files were moved into folders."""
MARKED = re.compile(r"(<!-- house -->\n).*?(<!-- end -->)", re.DOTALL)
WIDTH, HEIGHT, ACROSS, DOWN, MARGIN = 134, 26, 146, 58, 16
"""Of a box, from box to box, and of a room's edge; in pixels."""


@dataclass(frozen=True)
class Room:
    """A package: its entries, and which of them imports which."""

    name: str
    arrows: frozenset[tuple[str, str]]
    entries: frozenset[str]

    @cached_property
    def floors(self) -> list[list[str]]:
        """The entries by the length of the longest chain of imports below them; the lowest first."""
        below = {entry: {low for high, low in self.arrows if high == entry} for entry in sorted(self.entries)}
        floor: dict[str, int] = {}
        for entry in TopologicalSorter(below).static_order():
            floor[entry] = 1 + max((floor[low] for low in below[entry]), default=-1)
        rows = [sorted(e for e in floor if floor[e] == n) for n in range(max(floor.values()) + 1)]
        for upper, lower in [
            *zip(rows[1:], rows, strict=False),
            *zip(rows[-2::-1], rows[:0:-1], strict=False),
        ]:
            at = {entry: index / max(1, len(lower) - 1) for index, entry in enumerate(lower)}
            near = {e: [at[o] for o in lower if {(e, o), (o, e)} & self.arrows] for e in upper}
            upper.sort(key=lambda entry: sum(near[entry]) / len(near[entry]) if near[entry] else 0.5)
        return rows

    @property
    def counts(self) -> tuple[int, int, int]:
        """Entries, floors, arrows."""
        return len(self.entries), len(self.floors), len(self.arrows)

    def through_others(self, high: str, low: str) -> bool:
        """Whether an arrow only repeats what a longer chain of arrows says."""
        reached, new = set(), {below for above, below in self.arrows if above == high and below != low}
        while new:
            reached |= new
            new = {below for above, below in self.arrows if above in new} - reached
        return low in reached


def rooms(root: Path) -> list[Room]:
    """The rooms of a checkout.

    Args:
        root: the folder that holds the four packages.
    """
    sys.path.insert(0, str(root))
    graph = grimp.build_graph(*ROOMS, cache_dir=None)
    found = []
    for name in ROOMS:
        entries = {module.split(".")[1] for module in graph.modules if module.startswith(f"{name}.")}
        arrows = set()
        for module in graph.modules:
            high = f"{module}.__init__".split(".")[:2]
            for imported in graph.find_modules_directly_imported_by(module):
                low = imported.split(".")[:2]
                if high[0] == low[0] == name and high != low and len(low) == 2:
                    arrows.add((high[1], low[1]))
        found.append(Room(name, frozenset(arrows), frozenset(entries.union(*map(set, arrows)))))
    return found


def table(found: list[Room]) -> str:
    """The counts beside those of before, as a Markdown table."""
    lines = [
        "| room | entries, before | now | floors, before | now | arrows, before | now |",
        "|---|---|---|---|---|---|---|",
    ]
    for room in found:
        pairs = zip(BEFORE[room.name], room.counts, strict=True)
        lines.append(f"| `{room.name}/` | " + " | ".join(f"{old} | {new}" for old, new in pairs) + " |")
    return "\n".join(lines)


def picture(found: list[Room]) -> str:
    """All rooms as an SVG: ``study`` below, the three that import it above, each with its floors."""
    *upper, study = found
    tall = max(len(room.floors) for room in upper) * DOWN + 2 * MARGIN + 12
    drawn, left = [], MARGIN
    for room in upper:
        width, lines = _panel(room, left, 80, tall)
        drawn += lines
        left += width + MARGIN
    below = 80 + tall + 34
    width, lines = _panel(study, MARGIN, below, len(study.floors) * DOWN + 2 * MARGIN + 12, left - 2 * MARGIN)
    height = below + len(study.floors) * DOWN + 3 * MARGIN + 12
    drawn += [
        f'<rect class="room" x="{left // 2 - 110}" y="8" width="220" height="32" rx="6"/>',
        f'<text class="title" x="{left // 2}" y="29" text-anchor="middle">relearn.py imports all four</text>',
        f'<text class="title" x="{left // 2}" y="{80 + tall + 22}" text-anchor="middle">'
        "▼ the three rooms above import study; none imports another</text>",
        *lines,
    ]
    style = (
        "text{font:11px ui-monospace,monospace;fill:#1d2733}.title{font:bold 13px system-ui,sans-serif}"
        ".back{fill:#fff}.room{fill:#f1f5f9;stroke:#94a3b8}.box{fill:#fff;stroke:#475569}"
        "line{stroke:#0f766e;stroke-width:1.4}.again{stroke:#cbd5e1;stroke-width:1}"
    )
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left} {height}" width="{left}" height="{height}">',
        f"<style>{style}</style>",
        f'<rect class="back" width="{left}" height="{height}"/>',
        *drawn,
        "</svg>\n",
    ])  # fmt: skip


def _panel(room: Room, left: int, top: int, height: int, width: int = 0) -> tuple[int, list[str]]:
    """A room's rectangle with its boxes and arrows; and its width, which is at least the one given."""
    width = max(width, max(len(row) for row in room.floors) * ACROSS + 2 * MARGIN)
    place = {}
    for number, row in enumerate(room.floors):
        y = top + height - MARGIN - HEIGHT - number * DOWN
        for index, entry in enumerate(row):
            place[entry] = (left + round((index + 0.5) * width / len(row)), y)
    lines = [
        f'<rect class="room" x="{left}" y="{top}" width="{width}" height="{height}" rx="8"/>',
        f'<text class="title" x="{left + 10}" y="{top + 19}">{room.name}/</text>',
    ]
    arrows = sorted(room.arrows, key=lambda arrow: (not room.through_others(*arrow), arrow))
    for high, low in arrows:  # those that a longer chain repeats are light, and lie below the others
        (x, y), (to_x, to_y) = place[high], place[low]
        kind = ' class="again"' if room.through_others(high, low) else ""
        lines.append(
            f'<line{kind} x1="{x}" y1="{y + HEIGHT}" x2="{to_x}" y2="{to_y}"><title>{high} imports {low}</title></line>'
        )
    for entry, (x, y) in sorted(place.items()):
        lines.append(
            f'<rect class="box" x="{x - WIDTH // 2}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="4"/>'
            f'<text x="{x}" y="{y + 17}" text-anchor="middle">{escape(entry)}</text>'
        )
    return width, lines


def page(text: str, found: list[Room]) -> str:
    """DESIGN.md with the table of these rooms between its marks."""
    return MARKED.sub(lambda marks: f"{marks[1]}\n{table(found)}\n\n{marks[2]}", text)


def main(arguments: list[str]) -> None:
    """See the module's text."""
    folders = [Path(argument) for argument in arguments if not argument.startswith("--")]
    found = rooms(folders[0] if folders else ROOT)
    for room in found:
        print(f"{room.name:14} {'{} entries, {} floors, {} arrows'.format(*room.counts)}")
    if "--write" in arguments:
        design = ROOT / "docs" / "DESIGN.md"
        design.write_text(page(design.read_text(encoding="utf-8"), found), encoding="utf-8")
        (ROOT / "docs" / "house.svg").write_text(picture(found), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
