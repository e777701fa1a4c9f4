"""Adapters that stand upon other weights than they were trained on: their parent was made again, with other bits."""

from collections.abc import Iterator
from pathlib import PurePath

from cluster.storage.store import Damage
from study.artifacts.address import UPON, Address, Record


class Chains:
    """What the records of a store say of each other's files."""

    def __init__(self) -> None:
        self._files: dict[str, set[str]] = {}
        self._upon: dict[str, tuple[PurePath, str, str]] = {}

    def note(self, address: Address, record: Record, whole: PurePath) -> None:
        """Takes a record in.

        Args:
            whole: what has to be moved aside, so that the artifact counts as missing.
        """
        self._files[str(address)] = {str(facts["sha256"]) for facts in record["files"].values()}
        if UPON in record:
            self._upon[str(address)] = (whole, str(record[UPON]["address"]), str(record[UPON]["sha256"]))

    def broken(self) -> Iterator[Damage]:
        """The adapters that stand upon other weights, and those upon them. A parent that is missing comes again."""
        waiting, broken = dict(self._upon), set[str]()
        while found := {
            address: link
            for address, link in waiting.items()
            if link[1] in broken or link[2] not in self._files.get(link[1], {link[2]})
        }:
            for address, (whole, parent, _) in found.items():
                broken.add(address)
                del waiting[address]
                yield Damage(
                    whole, f"an adapter that was trained upon other weights than {parent} has now", whole
                )
