"""Ships a file and kills itself, as kill -9 does, at one step of one batch: killed_shipper.py URL FILE STEP NTH."""

import os
import signal
import sys
from pathlib import Path

from flightlog_exporters.delivery.answer import Answer
from flightlog_exporters.delivery.http import HttpSender
from flightlog_exporters.delivery.settings import resolve
from flightlog_exporters.ship_state import Place, ShipState, locked
from flightlog_exporters.shipper import Shipper

url, file, step, nth = sys.argv[1], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
left = {step: nth}


def reach(name: str) -> None:
    """Die here, if it is the step and its turn."""
    if name in left:
        left[name] -= 1
        if left[name] == 0:
            os.kill(os.getpid(), signal.SIGKILL)


class KilledSender(HttpSender):
    """Dies before the request or after its answer."""

    def send(self, request: bytes) -> Answer:
        """Send, with two places to die."""
        reach("send")
        answer = super().send(request)
        reach("answered")
        return answer


class KilledState(ShipState):
    """Dies within the save, before the new offsets take the place of the old, or after it."""

    def advance(self, place: Place, offset: int, tail: bytes) -> None:
        """Save, with a place to die."""
        super().advance(place, offset, tail)
        reach("saved")


def replace(source: Path, target: Path) -> None:
    """Put the new offsets in place, with a place to die before."""
    reach("drafted")
    os.rename(source, target)


vars(os)["replace"] = replace


with locked(file.parent / ".state.json") as offsets:
    state = KilledState(offsets.path)
    result = Shipper(KilledSender(resolve(url)), state, first_wait_s=0.01).ship([file])
sys.exit(0 if result.failure is None else 1)
