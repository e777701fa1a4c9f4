"""The check of a store in a folder: every record, every file that one names, and what does not belong there."""

from pathlib import Path

from cluster.storage.chains import Chains
from cluster.storage.local_layout import RECORD, addresses_in, home_of, is_behind_link, strays_in
from cluster.storage.store import Damage, StoreCheck
from study.artifacts.address import Address, Store
from study.errors import IntegrityError


def check_folder(folder: Path, store: Store) -> StoreCheck:
    """Compares every artifact with its record, also while others publish.

    Args:
        folder: of the store.
        store: reads records and files, and notices what is damaged.
    """
    found, chains = StoreCheck(), Chains()
    for address in sorted(addresses_in(folder), key=str):
        home = home_of(folder, address)
        if is_behind_link(home, folder):
            continue  # the link is a stray, and what it leads to is left alone
        _check_artifact(home, address, store, found, chains)
    found.damages += chains.broken()
    for stray in strays_in(folder):
        found.damages.append(Damage(stray, "no part of any artifact", stray))
    return found


def _check_artifact(home: Path, address: Address, store: Store, found: StoreCheck, chains: Chains) -> None:
    found.artifacts += 1
    try:
        record = store.record(address)
        attempt, files = str(record["attempt"]), dict(record["files"])
        chains.note(address, record, home)
    except KeyError as error:
        if (home / RECORD).exists():
            found.damages.append(Damage(home / RECORD, f"a record without {error}", home))
        return  # otherwise a state that its stage has just discarded
    except IntegrityError:
        found.damages.append(Damage(home / RECORD, "no readable record of this artifact", home))
        return
    for name, facts in files.items():
        path = home / attempt / name
        found.files += 1
        try:
            store.file(address, name)
            found.bytes += path.stat().st_size
        except (IntegrityError, KeyError):
            if not (home / RECORD).exists():
                return  # a state again
            if is_behind_link(path, home):
                found.damages.append(Damage(path, "is a link, and a store holds none", home))
                continue
            size = f"has {path.stat().st_size:,} bytes and another hash" if path.exists() else "is missing"
            words = f"{size}; its record says {facts.get('bytes'):,} bytes"
            found.damages.append(Damage(path, words, home))
    for path in sorted(home.iterdir()):
        if path.name == attempt:
            for extra in sorted(each for each in path.iterdir() if each.name not in files):
                found.damages.append(Damage(extra, "its record does not name it", extra))
        elif path.name != RECORD:
            found.leftovers.append(path)
