"""One checkpoint row opened: its channels, versions and metadata as plain values, whatever state the row is in."""

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from flightlog_viewer.checkpoints import channels
from flightlog_viewer.checkpoints.decode import Decoder
from flightlog_viewer.checkpoints.inert import TYPE, Inert, is_opaque, undecodable
from flightlog_viewer.checkpoints.rows import CheckpointRow

_DELTA_SNAPSHOT = "langgraph.checkpoint.serde.types._DeltaSnapshot"
_UUID_EPOCH = datetime(1582, 10, 15, tzinfo=UTC)


@dataclass(slots=True)
class Opened:
    """What a checkpoint row says. Of a row that cannot be decoded the dicts are empty and `closed` tells why."""

    row: CheckpointRow
    ts: str | None
    values: dict[str, Inert]
    versions: dict[str, Inert]
    seen: dict[str, dict[str, Inert]]
    metadata: dict[str, Inert]
    step: int | None
    """The step number, None where the writer left none."""
    version: int = 4
    """The format of the checkpoint: 1 and 2 until early 2025, 3 until LangGraph 0.5, 4 from then on."""
    snapshots: set[str] = field(default_factory=set)
    """Delta channels that hold a snapshot here; their values are already unwrapped."""
    closed: str | None = None

    @property
    def source(self) -> str | None:
        """What wrote the checkpoint: `input`, `loop`, `update` or `fork`; None where the writer left no word."""
        found = self.metadata.get("source")
        return found if isinstance(found, str) else None

    @property
    def delta_channels(self) -> set[str]:
        """Channels that are known to be delta channels."""
        return set(_dict(self.metadata.get("counters_since_delta_snapshot"))) | self.snapshots


def open_row(row: CheckpointRow, decoder: Decoder, *, outline: bool = False) -> Opened:
    """Decode a row; with `outline` the objects in its values stay closed, which is all that a status needs."""
    metadata = _dict(_metadata(row, decoder))
    step = metadata.get("step")
    number = step if type(step) is int else None
    if row.damage is not None:
        return _closed(row, metadata, number, f"this row cannot be read: {row.damage}")
    place = row.key[:2]
    document = _document(row, decoder, None if outline else place)
    if not isinstance(document, dict) or is_opaque(document):
        return _closed(row, metadata, number, _why_closed(document))
    ts = document.get("ts")
    values = _dict(document.get("channel_values"))
    for channel, tag, blob in row.blobs:
        if tag != "empty":
            value = decoder.outline(tag, blob) if outline else decoder.typed(tag, blob, (place, channel))
            if blob is not None and not outline and is_opaque(value):
                # A row is written anew only with its channel: other bytes tell that it was, of the same size too.
                value = {**value, "sha256": hashlib.sha256(blob).hexdigest()}
            values[channel] = value
    snapshots = {
        channel for channel, value in values.items() if type(value) is dict and value.get(TYPE) == _DELTA_SNAPSHOT
    }
    for channel in snapshots:
        values[channel] = values[channel].get("value")
    return Opened(
        row,
        ts if isinstance(ts, str) else time_of_id(row.key.checkpoint_id),
        values,
        _dict(document.get("channel_versions")),
        {node: _dict(seen) for node, seen in _dict(document.get("versions_seen")).items()},
        metadata,
        number,
        version if type(version := document.get("v")) is int else 4,
        snapshots,
    )


def _closed(row: CheckpointRow, metadata: dict[str, Inert], step: int | None, why: str) -> Opened:
    return Opened(row, time_of_id(row.key.checkpoint_id), {}, {}, {}, metadata, step, closed=why)


def add_sends(opened: Opened, parent: CheckpointRow | None, decoder: Decoder) -> None:
    """Put the Sends that wait where they stand since version 4: older checkpoints leave them in their parent's writes
    (`_migrate_pending_sends` in `langgraph.checkpoint.sqlite`)."""
    if parent is None or opened.version >= channels.SENDS_IN_STATE or channels.SENDS in opened.values:
        return
    waiting = [decoder.typed(w.type, w.value) for w in parent.writes if w.channel == channels.SENDS]
    if waiting:
        opened.values[channels.SENDS] = waiting


def time_of_id(checkpoint_id: str) -> str | None:
    """The time in a version 6 UUID, RFC 3339 with microseconds (RFC 9562, section 5.6); None for any other id."""
    digits = checkpoint_id.replace("-", "")
    if len(digits) != 32 or digits[12] != "6":
        return None
    try:
        ticks = int(digits[:12] + digits[13:16], 16)
        return (_UUID_EPOCH + timedelta(microseconds=ticks // 10)).isoformat(timespec="microseconds")
    except (ValueError, OverflowError):
        return None


def _document(row: CheckpointRow, decoder: Decoder, place: tuple[str, ...] | None) -> Inert:
    """The checkpoint; without a place as an outline."""
    if row.document is not None:
        return decoder.plain_json(row.document)
    # Databases of early 2024 have no type column filled in: they hold JSON.
    tag = row.type or ("json" if row.blob is not None else None)
    return decoder.outline(tag, row.blob) if place is None else decoder.typed(tag, row.blob, place)


def _metadata(row: CheckpointRow, decoder: Decoder) -> Inert:
    return None if row.metadata is None else decoder.plain_json(row.metadata)


def _why_closed(document: Inert) -> str:
    if not isinstance(document, dict):
        document = undecodable("it holds no checkpoint", 0)
    if document.get(TYPE) == "__encrypted__":
        return f"this checkpoint is encrypted ({document.get('cipher')})"
    if document.get(TYPE) == "__opaque__":
        return f"this checkpoint is packed as {document.get('encoding')}, which is never opened"
    return f"this checkpoint cannot be decoded: {document.get('__note__')}"


def _dict(value: Any) -> dict[str, Inert]:
    if type(value) is not dict:
        return {}
    for key in value:
        if type(key) is not str:
            return {key if isinstance(key, str) else str(key): item for key, item in value.items()}
    return value
