"""The application's values in a record: encoded, redacted, bounded, and dropped when a redaction rule fails."""

from typing import Any, Final

import orjson

from flightlog.containment import Containment
from flightlog.events.runs import OpenRun
from flightlog.payloads.capture import Mode
from flightlog.payloads.memo import Memo
from flightlog.payloads.payload import PayloadEncoder, is_flat


class Fields:
    """Fills the fields of one tracer's records."""

    def __init__(self, encoder: PayloadEncoder, modes: tuple[Mode, Mode], containment: Containment) -> None:
        self.redaction_failures = 0
        """Fields dropped because a rule failed."""
        self.inputs_mode, self.output_mode = modes
        self.quick: Final = encoder.quick
        """``(value, memo)``: the JSON of a value that needs no care, of any size, or None. It raises nothing."""
        self.quick_inputs, self.quick_output = (encoder.quick if mode == "all" else _nothing for mode in modes)
        """The same for these fields; what is None or too long is left to ``payload``."""
        self._encoder: Final = encoder
        self._containment: Final = containment

    def payload(self, run: OpenRun, field: str, value: Any, mode: Mode, quick: bytes | None = None) -> bytes | None:
        """The JSON of one field, or None when a redaction rule failed: then the field is dropped.

        ``quick`` is what the quick path made of it.
        """
        if mode == "none":
            return None
        if mode == "metadata":
            quick = self.quick(value, run.root.memo)
        try:
            payload = self._encoder.encode(field, value, mode, quick)
        except Exception as error:
            self.redaction_failures += 1
            self._containment.caught(f"the {field} of a span", error)
            return None
        if payload.truncation is not None:
            unusual = run.remark()
            if unusual.truncated is None:
                unusual.truncated = {}
            unusual.truncated[field] = payload.truncation
        return payload.json

    def metadata(self, run: OpenRun, own: dict[str, Any]) -> bytes | None:
        """The user's metadata, which most runs of a trace share: encoded when it differs from the last."""
        root = run.root
        known = root.metadata
        try:
            if known is not None and known[0] == own:
                return known[1]
        except Exception:  # an array, say, that has no answer to whether it equals a number
            root.metadata = None
        json = self.payload(run, "metadata", own, "all", self.quick(own, root.memo))
        root.metadata = (own, json) if json is not None and run.unusual is None and is_flat(own) else None
        return json

    def put(self, record: dict[str, Any], run: OpenRun, field: str, value: Any) -> None:
        """A light field that holds the application's values: redacted and bounded like a payload."""
        json = self.payload(run, field, value, "all", self.quick(value, run.root.memo))
        if json is None:
            record.pop(field, None)
        else:
            record[field] = orjson.Fragment(json)


def _nothing(value: Any, memo: Memo) -> None:
    """The quick way for a field that is not recorded as it is."""
