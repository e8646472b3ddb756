"""One form for LangGraph's own objects and for what we read without LangGraph, so that the two can be compared.

It is also the form that is printed: nothing but what JSON has, whatever a database holds.
"""

import base64
import dataclasses
import math
from collections import deque
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from pathlib import PurePath
from re import Pattern
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import xxhash

from flightlog_viewer.checkpoints import channels
from flightlog_viewer.checkpoints.inert import ARGS, NOTE, PATH_MODULES, TYPE, UNORDERED, array_form, tagged
from flightlog_viewer.checkpoints.model import Interrupt, Step

MAX_DEPTH = 120
"""Deeper values are cut; JSON writers give up at about 250."""
BYTES_SHOWN = 4096

_IP = (IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network)


def normal_form(value: Any) -> Any:
    """The JSON form of a `Step`, an `Interrupt`, a value out of them, or of LangGraph's counterpart of any of these.

    A `Step` and a `StateSnapshot` of the same checkpoint have the same form. Nodes in `next` are sorted, for no
    database holds the order in which a graph's nodes were added; empty values are left out of `values`, for LangGraph
    shows the empty value of a reducer's channel that nothing has written. Classes are recognised by their shape:
    neither LangGraph nor LangChain is imported.
    """
    if isinstance(value, Step):
        return _step_form(value)
    if all(hasattr(value, name) for name in ("values", "next", "config", "parent_config", "interrupts")):
        return _snapshot_form(value)
    return _form(value, 0)


def _step_form(step: Step) -> dict[str, Any]:
    values: Any = step.values
    if "__root__" in step.values:
        values = step.values["__root__"]
    elif step.functional:
        values = step.values.get(channels.END)
    return {
        "checkpoint_id": step.checkpoint_id,
        "parent_checkpoint_id": step.parent_checkpoint_id,
        "checkpoint_ns": step.checkpoint_ns,
        "step": step.step,
        "source": step.source,
        "ts": step.ts,
        "next": sorted(step.next),
        "interrupts": _interrupts(interrupt for task in step.tasks if task.due for interrupt in task.interrupts),
        "values": _values(values),
    }


def _snapshot_form(snapshot: Any) -> dict[str, Any]:
    configurable = snapshot.config["configurable"]
    parent = (snapshot.parent_config or {}).get("configurable", {})
    metadata = snapshot.metadata or {}
    return {
        "checkpoint_id": configurable.get("checkpoint_id"),
        "parent_checkpoint_id": parent.get("checkpoint_id"),
        "checkpoint_ns": configurable.get("checkpoint_ns", ""),
        "step": metadata.get("step"),
        "source": metadata.get("source"),
        "ts": snapshot.created_at,
        "next": sorted(snapshot.next),
        "interrupts": _interrupts(snapshot.interrupts),
        "values": _values(snapshot.values),
    }


def _interrupts(interrupts: Any) -> list[dict[str, Any]]:
    forms = [{"id": interrupt.id, "value": normal_form(interrupt.value)} for interrupt in interrupts]
    return sorted(forms, key=lambda form: str(form["id"]))


def _values(values: Any) -> dict[str, Any]:
    if values is None:
        return {}
    form = normal_form(values)
    if not isinstance(form, dict) or TYPE in form:
        return {} if _is_empty(form) else {"": form}
    return {name: item for name, item in form.items() if not _is_empty(item)}


def _is_empty(form: Any) -> bool:
    if isinstance(form, dict) and form.get("items") == [] and form.keys() == {TYPE, "items"}:
        return True
    return form in ([], {}, "", 0, False) and form is not None


def _form(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, str | bool) or type(value) is int:
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {TYPE: "float", "value": repr(float(value))}
    if depth > MAX_DEPTH:
        return {TYPE: "__too_deep__"}
    if isinstance(value, list | tuple) and not hasattr(value, "_asdict"):
        return [_form(item, depth + 1) for item in value]
    if isinstance(value, Mapping):
        form = {_key(key): _form(item, depth + 1) for key, item in value.items()}
        if form.get(TYPE) in UNORDERED and isinstance(form.get("items"), list):
            form["items"] = sorted(form["items"], key=repr)
        return form
    if isinstance(value, bytes | bytearray | memoryview):
        return _bytes_form(bytes(value))
    if isinstance(value, Interrupt):
        return {"id": value.id, "value": _form(value.value, depth + 1)}
    return _object_form(value, depth)


def _object_form(value: Any, depth: int) -> Any:
    """A Python object in the form that its stored counterpart decodes to."""
    module, name = type(value).__module__, type(value).__name__
    if module in PATH_MODULES:
        module = PATH_MODULES[0]
    kind = f"{module}.{name}"
    if callable(getattr(value, "get_secret_value", None)):
        return {TYPE: kind, NOTE: "redacted"}
    fields = _fields(value)
    if fields is not None:
        if (module, name) == ("langgraph.types", "Interrupt"):
            return {"id": fields["id"], "value": _form(fields["value"], depth + 1)}
        return _form(tagged(module, name, fields), depth + 1)
    if isinstance(value, Enum):
        return {TYPE: kind, "value": _form(value.value, depth + 1)}
    if isinstance(value, set | frozenset | deque):
        items = [_form(item, depth + 1) for item in value]
        return {TYPE: kind, "items": items if isinstance(value, deque) else sorted(items, key=repr)}
    if type(value).__name__ == "ndarray" and hasattr(value, "tobytes"):
        fortran = value.flags.f_contiguous and not value.flags.c_contiguous
        return array_form(value.dtype.str, list(value.shape), "F" if fortran else "C", value.tobytes("A"))
    if isinstance(value, int):  # IntEnum and the like are caught above
        return int(value)
    if isinstance(value, Pattern):
        return {TYPE: "re.Pattern", "pattern": value.pattern, "flags": value.flags}
    return {TYPE: kind, **_scalar(value)}


def _scalar(value: Any) -> dict[str, Any]:
    if isinstance(value, UUID):
        return {"value": value.hex}
    if isinstance(value, (Decimal, PurePath, *_IP)):
        return {"value": str(value)}
    if isinstance(value, datetime | date):
        return {"value": value.isoformat()}
    if isinstance(value, timedelta):
        return {"days": value.days, "seconds": value.seconds, "microseconds": value.microseconds}
    if isinstance(value, ZoneInfo):
        return {"value": value.key}
    if isinstance(value, timezone):
        return {ARGS: [_form(part, 1) for part in value.__getinitargs__()]}  # type: ignore[attr-defined]
    return {NOTE: "unsupported"}


def _fields(value: Any) -> Mapping[Any, Any] | None:
    """The named fields of pydantic objects, named tuples, dataclasses and `datetime.time`."""
    if callable(dump := getattr(value, "model_dump", None)) or callable(dump := getattr(value, "dict", None)):
        return dict(dump())
    if callable(dump := getattr(value, "_asdict", None)):
        return dict(dump())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, time):
        names = ("hour", "minute", "second", "microsecond", "tzinfo", "fold")
        return {name: getattr(value, name) for name in names}
    return None


def _bytes_form(data: bytes) -> dict[str, Any]:
    form = {TYPE: "bytes", "nbytes": len(data), "base64": base64.b64encode(data[:BYTES_SHOWN]).decode()}
    return form if len(data) <= BYTES_SHOWN else {**form, "digest": xxhash.xxh3_64_hexdigest(data)}


def _key(key: Any) -> str:
    return key if isinstance(key, str) else str(key)
