"""What has started and not ended: the sidecars of writers, as rows without a duration."""

import contextlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flightlog.rotation import span_file_of
from flightlog.sidecars import OpenSpan, read_sidecar
from flightlog_viewer.store.columns import LIGHT_NAMES
from flightlog_viewer.store.loading.sieve import clean


@dataclass(frozen=True, slots=True)
class Started:
    """One start, and the file its writer writes to."""

    file_id: int
    open_span: OpenSpan

    @property
    def writer_id(self) -> str | None:
        """Of the record, as ``seq``."""
        return self.open_span.span.writer_id

    @property
    def seq(self) -> int | None:
        """The writer's counter: with ``writer_id`` the key of the record."""
        return self.open_span.span.seq

    @property
    def key(self) -> tuple[str | None, int | None, str, str]:
        """What tells a change from one look at the sidecars to the next."""
        span = self.open_span.span
        return span.writer_id, span.seq, span.run_id, self.open_span.state

    def record(self) -> dict[str, Any]:
        """The record so far; its status says whether the writer lives."""
        return self.open_span.span.to_record() | {"status": self.open_span.state}

    def light_record(self) -> dict[str, Any]:
        """The light fields of usable value."""
        record = self.record()
        return clean({name: record[name] for name in LIGHT_NAMES & record.keys()})[0]


def read_started(files: list[tuple[int, Path]]) -> list[Started]:
    """The starts in the sidecars beside each file. Read them before the file: a span that ends meanwhile is in both."""
    beside = files_with_sidecars(path for _, path in files)
    started = []
    for file_id, path in files:
        found = [one for sidecar in beside.get(path, ()) for one in read_sidecar(sidecar)]
        started += [Started(file_id, one) for one in sorted(found, key=lambda one: one.span.start_ns)]
    return started


def files_with_sidecars(paths: Iterable[Path]) -> dict[Path, list[Path]]:
    """The sidecars of each span file that has any; every folder is listed once, however many files it has.

    A file that was rotated has those of its span file until the new one is read: the writer may have died in between.
    """
    by_folder: dict[Path, dict[str, Path]] = {}
    newest_part: dict[Path, Path] = {}
    for path in sorted(paths):
        by_folder.setdefault(path.parent, {})[path.name] = path
        if (span_file := span_file_of(path.name)) is not None:
            newest_part[path.parent / span_file] = path
    for span_file_path, part in newest_part.items():
        by_folder[part.parent].setdefault(span_file_path.name, part)
    found: dict[Path, list[Path]] = {}
    for folder, by_name in by_folder.items():
        with contextlib.suppress(OSError):
            for name in sorted(os.listdir(folder)):
                # NAME.<writer id>.open
                owner = by_name.get(name.rsplit(".", 2)[0]) if name.endswith(".open") else None
                if owner is not None:
                    found.setdefault(owner, []).append(folder / name)
    return found


def sidecar_faults(paths: Iterable[Path]) -> dict[Path, str]:
    """Why something in the sidecars beside these files cannot be read: the first reason of each that has one."""
    faults: dict[Path, str] = {}
    for beside in files_with_sidecars(paths).values():
        for sidecar in beside:
            reasons: list[str] = []
            read_sidecar(sidecar, reasons.append)
            if reasons:
                faults[sidecar] = reasons[0]
    return faults
