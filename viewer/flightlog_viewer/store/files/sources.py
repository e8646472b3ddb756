"""Which files are meant by PATHS: files, folders, globs, or the newest span file here."""

import glob
import os
from collections.abc import Container, Iterable, Sequence
from pathlib import Path
from typing import Final

from flightlog.errors import UnreadableError
from flightlog.rotation import rotated_files, rotated_in, span_file_of
from flightlog.sidecars import read_sidecar, sidecars
from flightlog_exporters.line_file import compression_of
from flightlog_viewer.databases import is_url, not_spans
from flightlog_viewer.file_head import head_of

SUFFIXES: Final = (".jsonl", ".jsonl.gz", ".jsonl.zst")
_NOT_UNPACKED: Final = (".bz2", ".lz4", ".xz", ".zip")
_PACKED_OTHERWISE: Final = tuple(f".jsonl{suffix}" for suffix in _NOT_UNPACKED)
_ONLY: Final = "only .gz and .zst can be unpacked here, unpack it first"
_HEAD: Final = 65536


def resolve(
    paths: Sequence[str | Path], folder: Path | None = None, known: Container[tuple[int, int]] = ()
) -> list[Path]:
    """The files meant, each once, in the order given (those of a folder or glob by name).

    ``known`` are device and inode of files that need no second look inside.

    Without paths it is the newest span file of ``folder`` (the current one by default). A file brings its rotated
    older parts along. Raises UnreadableError when a path is missing or a folder or glob has no span file.
    """
    if not paths:
        return _with_rotated([newest(folder or Path())])
    found: list[Path] = []
    for given in paths:
        found.extend(_expand(os.path.expanduser(str(given)), known))
    return list(dict.fromkeys(_with_rotated(found)))


def newest(folder: Path) -> Path:
    """The span file last written to in a folder. Raises UnreadableError when there is none."""
    candidates = sorted(_span_files(folder), key=_written_at, reverse=True)
    for path in candidates:
        if looks_like_spans(path):
            return path
    _refuse_left_out(folder)
    raise UnreadableError(
        f"no span file (*.jsonl) in {folder.absolute()}: name one, or record some with `flightlog demo`"
    )


def left_out(paths: Iterable[Path]) -> dict[Path, str]:
    """Why files are not read that are in these folders, or are rotated parts of these files, and are called like it:
    a tracer's are for its user alone, and some pack them in another way than we can read.
    """
    found: dict[Path, str] = {}
    for path in paths:
        if path.is_dir():
            found |= {file: "permission denied" for file in _span_files(path) if not _may_read(file)}
            found |= dict.fromkeys(_packed_otherwise(path), _ONLY)
        else:
            packed = _packed_otherwise(path.parent)
            found |= {file: _ONLY for file in packed if span_file_of(file.stem) == path.name}
    return found


def _refuse_left_out(folder: Path) -> None:
    for path, why in left_out([folder]).items():
        raise UnreadableError(f"{path} cannot be read: {why}")


def _packed_otherwise(folder: Path) -> list[Path]:
    try:
        return [folder / name for name in sorted(os.listdir(folder)) if name.endswith(_PACKED_OTHERWISE)]
    except OSError:
        return []


def _may_read(path: Path) -> bool:
    try:
        head_of(path, 0)
    except OSError as error:  # rotation may have deleted it meanwhile
        return not isinstance(error, PermissionError)
    return True


def _written_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # rotation has deleted it meanwhile
        return 0.0


def looks_like_spans(path: Path) -> bool:
    """Whether the head of a file has a span line; a compressed file is taken at its word.

    An empty one counts when a writer has started a span beside it: its process died, or still is, in the first. So does
    one that is gone, of which that is left.
    """
    try:
        head = head_of(path, _HEAD)
    except OSError:
        return is_left_in_flight(path)
    if not head:
        return bool(sidecars(path))
    if compression_of(head):
        return True
    lines = head.split(b"\n")
    return any(b'"run_id"' in line or b'"resourceSpans"' in line for line in lines[:100])


def is_left_in_flight(path: Path) -> bool:
    """Whether a file is gone, and what its writers had started then is still there."""
    return not path.exists() and any(map(read_sidecar, sidecars(path)))


def _expand(given: str, known: Container[tuple[int, int]]) -> list[Path]:
    if not given:
        raise UnreadableError("a path is empty: name a file or a folder, or leave it out")
    if is_url(given):
        raise UnreadableError(not_spans(given))
    path = Path(given)
    if path.is_dir():
        files = [file for file in _span_files(path) if _belongs(file, known)]
        if not files:
            _refuse_left_out(path)
            raise UnreadableError(f"no span file (*.jsonl, *.jsonl.gz, *.jsonl.zst) in the folder {given}")
        return files
    if path.exists():
        if not os.access(path, os.R_OK):
            raise UnreadableError(f"{given} cannot be read: permission denied")
        if not path.is_file():
            raise UnreadableError(f"{given} is not a regular file: save what it gives to one first")
        if path.suffix == ".open":
            span_file = path.with_suffix("").with_suffix("")
            raise UnreadableError(f"{given} is a sidecar, which is read with its span file: name {span_file}")
        if path.suffix in _NOT_UNPACKED:
            raise UnreadableError(f"{given} cannot be read: {_ONLY}")
        return [path]
    if glob.has_magic(given):
        files = [Path(name) for name in sorted(glob.glob(given, recursive=True)) if os.path.isfile(name)]
        if not files:
            raise UnreadableError(f"no file matches {given}")
        return files
    if (path.suffix == ".jsonl" and rotated_files(path)) or is_left_in_flight(path):
        return [path]
    if given == "-":
        raise UnreadableError("standard input cannot be read again and again: save it to a file, and name that")
    if os.path.islink(given):
        raise UnreadableError(f"{given} is a link to a file that does not exist")
    raise UnreadableError(f"{given} does not exist")


def _belongs(file: Path, known: Container[tuple[int, int]]) -> bool:
    """Whether a file of a folder is meant; an empty one may get its first span while somebody waits for it."""
    try:
        status = file.stat()
    except OSError:
        return is_left_in_flight(file)
    return (status.st_dev, status.st_ino) in known or _is_empty(file) or looks_like_spans(file)


def _is_empty(file: Path) -> bool:
    try:
        return not head_of(file, 1)
    except OSError:
        return False


def _span_files(folder: Path) -> list[Path]:
    try:
        names = os.listdir(folder)
    except OSError as error:
        raise UnreadableError(f"the folder {folder} cannot be read: {error.strerror}") from None
    found = {folder / name for name in names if name.endswith(SUFFIXES)}
    # NAME.jsonl.<writer id>.open
    left = {folder / name.rsplit(".", 2)[0] for name in names if name.endswith(".open")} - found
    return sorted(
        [path for path in found if path.is_file()]
        + [path for path in left if path.suffix == ".jsonl" and is_left_in_flight(path)]
    )


def _with_rotated(files: Iterable[Path]) -> list[Path]:
    found: list[Path] = []
    by_folder: dict[Path, dict[str, list[Path]]] = {}
    for path in files:
        if path.suffix == ".jsonl":
            folder = path.parent  # as given, so that a relative path stays relative
            if folder not in by_folder:
                by_folder[folder] = rotated_in(os.path.abspath(folder))
            parts = [part for part in by_folder[folder].get(path.stem, ()) if _may_be_lines(part)]
            found += [folder / part.name for part in parts]
            if parts and not path.exists():  # renamed a moment ago: the next span makes a new one
                continue
        found.append(path)
    return found


def _may_be_lines(part: Path) -> bool:
    """Whether a rotated part is no pipe, device or folder; one that is just being deleted may be."""
    return part.is_file() or not part.exists()
