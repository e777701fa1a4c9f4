"""What a search asked, in which order, as rows for readers."""

from typing import Any

from study.points import History


def asked_rows(history: History) -> list[dict[str, Any]]:
    """A row per trajectory, in the order in which they were asked; those found are of round 0."""
    rows: list[dict[str, Any]] = []
    for number, points in [(0, history.found), *enumerate(history.rounds, start=1)]:
        for point in points:
            fields = point.as_dict()
            fields["corpus"] = point.attack.label
            del fields["attack"]
            answered = point in history.curves
            rows.append({"round": number, "order": len(rows) + 1, **fields, "answered": answered})
    return rows
