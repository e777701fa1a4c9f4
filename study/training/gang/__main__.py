"""A member of a gang: waits for orders, and trains in step with rank 0. Ends as soon as rank 0's process does.

``python -m study.training.gang SOCKET LIFELINE``: descriptors that it inherits. Nothing is ever written to the
lifeline; it closes with rank 0's process, however that ended.
"""

import os
import sys
import threading
from multiprocessing.connection import Connection

from study.training.gang.orders import Ended, Order, Place, Ready


def main() -> None:
    """Until rank 0 closes the connection."""
    connection = Connection(int(sys.argv[1]))
    threading.Thread(target=_end_with, args=(int(sys.argv[2]),), daemon=True).start()
    place: Place = connection.recv()
    try:
        from study.training.gang.member import Member  # seconds: transformers

        member = Member(place)
        connection.send(Ready())
        member.meet()
        while True:
            order: Order = connection.recv()
            member.train(order)
    except EOFError:
        return
    except Exception as error:  # its words are all that rank 0 can say of it
        connection.send(Ended.by(error))
        raise


def _end_with(lifeline: int) -> None:
    os.read(lifeline, 1)
    os._exit(1)


if __name__ == "__main__":
    main()
