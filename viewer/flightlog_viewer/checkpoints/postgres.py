"""Rows of a Postgres checkpoint database, read through its three tables in short read-only transactions."""

from collections import OrderedDict
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote
from uuid import UUID

from flightlog.errors import UnreadableError
from flightlog_viewer.checkpoints import channels
from flightlog_viewer.checkpoints.decode import MAX_BLOB_BYTES, OVERSIZE, Decoder
from flightlog_viewer.checkpoints.postgres_session import PostgresSession
from flightlog_viewer.checkpoints.rows import CheckpointRow, Head, Key, WriteRow
from flightlog_viewer.safe_text import is_text

PAGE = 2000
_SMALL_BYTES = 64 * 1024 * 1024
"""A table that is read through in a few hundredths of a second."""
BLOBS_KEPT = 512
BLOBS_KEPT_BYTES = 16 * 1024 * 1024
"""Channel values that are kept because the next checkpoint is likely to hold the same version of them."""

_WANTED = {
    "checkpoints": {"thread_id", "checkpoint_ns", "checkpoint", "metadata"},
    "checkpoint_blobs": {"thread_id", "checkpoint_ns", "channel", "type", "blob"},
    "checkpoint_writes": {"thread_id", "checkpoint_ns", "checkpoint_id", "task_id", "idx", "channel", "type", "blob"},
}
_TEXTS = ("text", "character varying", "uuid")
_JSON = ("jsonb", "json", "text")
_TYPES = {"idx": ("integer", "bigint", "smallint"), "blob": ("bytea",), "checkpoint": _JSON, "metadata": _JSON}
"""What else than texts the columns are; another type may bring code of its own, which would run when it is read."""
_READ_IF_THERE = {"checkpoint_id", "parent_checkpoint_id", "version", "task_path"}
_PLACE = ("thread_id", "checkpoint_ns", "checkpoint_id")
_ID_TYPES = ("text", "uuid")
"""What ids are kept as: the savers' own tables have text, LangGraph's server and some made by hand have uuid."""
_Blob = tuple[str, bytes | None]


class PostgresRows:
    """A database of LangGraph's `PostgresSaver`, `AsyncPostgresSaver` or `ShallowPostgresSaver`."""

    def __init__(self, url: str) -> None:
        """Raises UnreadableError, in one sentence and without the password, for what is no such database."""
        self.problems: list[str] = []
        self._session = PostgresSession(url)
        self.name = self._session.name
        try:
            self._look_at_schema()
        except BaseException:
            self._session.close()
            raise
        self._decoder = Decoder()
        self._blobs: OrderedDict[tuple[str, ...], _Blob | None] = OrderedDict()
        self._blobs_size = 0

    def heads(self) -> Iterator[Head]:
        """Every namespace of every thread."""
        after: tuple[str, str] | None = None
        while True:
            where = "" if after is None else "WHERE (thread_id, checkpoint_ns) > (%s, %s)"
            rows = self._session.all(
                f"SELECT thread_id::text, checkpoint_ns, count(*), max({self._id}), min({self._id}) "
                f"FROM checkpoints {where} "
                f"GROUP BY thread_id, checkpoint_ns ORDER BY thread_id, checkpoint_ns LIMIT {PAGE}",
                after or (),
            )
            for thread_id, checkpoint_ns, count, newest, oldest in rows:
                yield Head(Key(thread_id, checkpoint_ns, str(newest)), count, str(oldest))
            if len(rows) < PAGE:
                return
            after = (rows[-1][0], rows[-1][1])

    def keys(self, thread_id: str) -> list[Key]:
        """The checkpoints of a thread; their ids begin with their time, so sorting by id is sorting by age."""
        if not self._can_have(thread_id):
            return []
        query = f"SELECT checkpoint_ns, {self._id} FROM checkpoints WHERE thread_id = %s"
        rows = self._session.all(query, (thread_id,))
        keys = [Key(thread_id, checkpoint_ns, str(checkpoint_id)) for checkpoint_ns, checkpoint_id in rows]
        return sorted(keys, key=lambda key: (key.checkpoint_id, key.checkpoint_ns))

    def versions(self, thread_id: str | None = None) -> Mapping[str, Hashable]:
        """From the transactions that wrote the rows: a row that is changed is a new one, of a later transaction."""
        if thread_id is not None and not self._can_have(thread_id):
            return {}
        found: dict[str, tuple[object, ...]] = {}
        where = "" if thread_id is None else "WHERE thread_id = %s"
        for table in ("checkpoints", "checkpoint_writes"):
            for name, *numbers in self._session.all(
                "SELECT thread_id::text, count(*), max(xmin::text::bigint), sum(xmin::text::bigint)::text "
                f"FROM {table} {where} GROUP BY thread_id",
                () if thread_id is None else (thread_id,),
            ):
                found[name] = (*found.get(name, ()), table, *numbers)
        return found

    def stamp(self) -> Hashable:
        """From the counters that autovacuum lives on, which a server brings up to date within ten seconds.

        Of small tables, and where nothing is counted, from the transactions of the whole server, the open ones too; a
        standby has neither and tells how far it has come.
        """
        return tuple(
            self._session.all(
                "SELECT pg_stat_get_tuples_inserted(t), pg_stat_get_tuples_updated(t), pg_stat_get_tuples_deleted(t), "
                "CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()::text "
                f"WHEN pg_relation_size(t) < {_SMALL_BYTES} OR current_setting('track_counts') = 'off' "
                "THEN txid_current_snapshot()::text END "
                "FROM unnest(ARRAY[to_regclass('checkpoints'), to_regclass('checkpoint_writes')]::oid[]) AS t"
            )
        )

    def asking_threads(self, among: Collection[str] | None = None) -> list[str]:
        """Threads with rows of questions, answers or updates: one pass over the rows, their values untouched."""
        only = "" if among is None else f"w.thread_id = ANY(%s::{self._thread_type}[]) AND "
        rows = self._session.all(
            f"SELECT DISTINCT w.thread_id::text FROM checkpoint_writes w WHERE {only}"
            f"(w.channel IN ('__interrupt__', '__resume__') OR starts_with({self._path}, '~__interrupt__') "
            # An older LangGraph writes updates without a path.
            f"OR ({self._path} = '' AND w.task_id <> '{channels.NULL_TASK}')) "
            "ORDER BY 1",
            () if among is None else (list(among),),
        )
        return [thread_id for (thread_id,) in rows]

    def fetch(self, keys: Sequence[Key]) -> list[CheckpointRow]:
        """The rows of a few checkpoints, all from one moment."""
        if not keys:
            return []
        columns = [list(column) for column in zip(*keys, strict=True)]
        parent = "NULL" if self._shallow else "c.parent_checkpoint_id::text"
        unnested = f"unnest(%s::{self._thread_type}[], %s::text[], %s::{self._id_type}[])"
        with self._session.moment():
            found = self._session.all(
                f"SELECT k.n, {parent}, {_cut('c.checkpoint')}, {_cut('c.metadata')}, {self._committed('c')} "
                f"FROM {unnested} WITH ORDINALITY AS k(t, s, i, n) "
                f"JOIN checkpoints c ON c.thread_id = k.t AND c.checkpoint_ns = k.s AND {self._own_id} = k.i "
                "ORDER BY k.n",
                columns,
            )
            written = self._session.all(
                f"SELECT k.n, w.task_id::text, {self._path}, w.idx, w.channel, {_bounded('w')}, {self._committed('w')} "
                f"FROM {unnested} WITH ORDINALITY AS k(t, s, i, n) "
                "JOIN checkpoint_writes w ON w.thread_id = k.t AND w.checkpoint_ns = k.s AND w.checkpoint_id = k.i "
                f"ORDER BY k.n, {self._path}, w.task_id, w.idx",
                columns,
            )
            wanted = {n: self._versions(keys[n - 1], document) for n, _, document, _, _ in found}
            blobs = self._fetch_blobs([name for names in wanted.values() for name in names])
        writes: dict[int, list[WriteRow]] = {}
        for n, task_id, path, idx, channel, tag, blob, committed in written:
            row = WriteRow(
                task_id or "", path or "", idx or 0, channel or "", tag, _bytes(blob), committed_at=committed
            )
            writes.setdefault(n, []).append(row)
        return [
            CheckpointRow(
                keys[n - 1],
                parent_id,
                metadata,
                document=document,
                blobs=[(name[2], *blob) for name in wanted[n] if (blob := blobs.get(name)) is not None],
                committed_at=committed,
                writes=writes.get(n, ()),
            )
            for n, parent_id, document, metadata, committed in found
        ]

    def close(self) -> None:
        """Close the connection."""
        self._session.close()

    def _versions(self, key: Key, document: str | None) -> list[tuple[str, ...]]:
        """What names the blobs of a checkpoint: one version of each of its channels."""
        content = None if document is None else self._decoder.plain_json(document)
        versions = content.get("channel_versions") if isinstance(content, dict) else None
        if not isinstance(versions, dict):
            return []
        place = (key.thread_id, key.checkpoint_ns)
        return [(*place, channel, "" if self._shallow else str(version)) for channel, version in versions.items()]

    def _fetch_blobs(self, names: Sequence[tuple[str, ...]]) -> dict[tuple[str, ...], _Blob | None]:
        found = {name: self._blobs[name] for name in names if name in self._blobs}
        missing = list(dict.fromkeys(name for name in names if name not in found))
        if missing:
            found |= dict.fromkeys(missing)
            version = "''" if self._shallow else "b.version"
            rows = self._session.all(
                f"SELECT b.thread_id::text, b.checkpoint_ns, b.channel, {version}, {_bounded('b')} "
                f"FROM unnest(%s::{self._thread_type}[], %s::text[], %s::text[], %s::text[]) AS k(t, s, c, v) "
                "JOIN checkpoint_blobs b ON b.thread_id = k.t AND b.checkpoint_ns = k.s AND b.channel = k.c "
                f"AND {version} = k.v",
                [list(column) for column in zip(*missing, strict=True)],
            )
            for *name, tag, blob in rows:
                found[tuple(name)] = (tag, _bytes(blob))
            for kept in () if self._shallow else missing:
                self._blobs[kept] = found[kept]
                self._blobs_size += _size(found[kept])
            while len(self._blobs) > BLOBS_KEPT or self._blobs_size > BLOBS_KEPT_BYTES:
                self._blobs_size -= _size(self._blobs.popitem(last=False)[1])
        return found

    def _look_at_schema(self) -> None:
        columns: dict[str, dict[str, str]] = {}
        for table, is_stored, column, kind, always in self._session.all(
            "SELECT c.relname, c.relkind IN ('r', 'p'), a.attname, a.atttypid::regtype::text, a.attnotnull "
            "FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid "
            "WHERE c.oid = ANY(ARRAY[to_regclass('checkpoints'), to_regclass('checkpoint_blobs'), "
            "to_regclass('checkpoint_writes')]) AND a.attnum > 0 AND NOT a.attisdropped"
        ):
            if not is_stored:  # what a view computes runs with the rights of who reads it, and may write
                raise UnreadableError(f"{self.name} cannot be read: {table} is no table, but a view or the like")
            if column in _WANTED[table] | _READ_IF_THERE and kind not in _TYPES.get(column, _TEXTS):
                raise UnreadableError(f"{self.name} cannot be read: column {column} of {table} is of type {kind}")
            if column in _PLACE and not always:
                raise UnreadableError(f"{self.name} cannot be read: column {column} of {table} may be NULL")
            columns.setdefault(table, {})[column] = kind
        for table, names in _WANTED.items():
            if table not in columns:
                what = f"it has no table {table}{self._elsewhere(table)}"
                raise UnreadableError(f"{self.name} is not a LangGraph checkpoint database: {what}")
            if missing := sorted(names - columns[table].keys()):
                raise UnreadableError(
                    f"{self.name} is not a LangGraph checkpoint database: its table {table} has no column {missing[0]}"
                )
        # The shallow saver keeps only the newest checkpoint, its id inside the document.
        self._shallow = "checkpoint_id" not in columns["checkpoints"]
        self._id = "checkpoint ->> 'id'" if self._shallow else "checkpoint_id::text"
        self._own_id = "c.checkpoint ->> 'id'" if self._shallow else "c.checkpoint_id"
        self._thread_type, self._id_type = (
            kind if (kind := columns["checkpoints"].get(name)) in _ID_TYPES else "text"
            for name in ("thread_id", "checkpoint_id")
        )
        self._path = "w.task_path" if "task_path" in columns["checkpoint_writes"] else "''::text"
        [(setting,)] = self._session.all("SHOW track_commit_timestamp")
        self._timed = setting == "on"

    def _elsewhere(self, table: str) -> str:
        """Where such a table stands that the search path or the rights of this user do not lead to."""
        found = self._session.all(
            "SELECT n.nspname, has_schema_privilege(n.oid, 'USAGE') FROM pg_class c "
            "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relname = %s AND c.relkind IN ('r', 'p') "
            "AND n.nspname !~ '^pg_' ORDER BY 2 DESC, 1 LIMIT 1",
            [table],
        )
        if not found:
            return ""
        [(schema, usable)] = found
        if not usable:
            return f" that this user may see: schema {schema} has one (GRANT USAGE ON SCHEMA)"
        option = quote(f"-csearch_path={schema}", safe="-_")
        return f" in its search path: schema {schema} has one, add ?options={option} to the URL"

    def _can_have(self, thread_id: str) -> bool:
        if self._thread_type == "uuid":
            return _is_uuid(thread_id)
        return _is_postgres_text(thread_id)

    def _committed(self, alias: str) -> str:
        """When a row was committed, as text in UTC; NULL where the server does not keep it."""
        if not self._timed:
            return "NULL"
        moment = f"pg_xact_commit_timestamp({alias}.xmin) AT TIME ZONE 'UTC'"
        return f"""to_char({moment}, 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"')"""


def _bounded(alias: str) -> str:
    """The type tag and the value of a packed column; what is too large to be decoded is not read."""
    size = f"octet_length({alias}.blob)"
    tag = f"CASE WHEN {size} > {MAX_BLOB_BYTES} THEN '{OVERSIZE}' || {size} ELSE {alias}.type END"
    return f"{tag}, CASE WHEN {size} <= {MAX_BLOB_BYTES} THEN {alias}.blob END"


def _cut(column: str) -> str:
    """The text of JSON; one that is too large to be decoded is not read to its end, and broken then."""
    return f"left({column}::text, {MAX_BLOB_BYTES})"


def _is_postgres_text(text: str) -> bool:
    """Whether Postgres can hold a text at all: no half of a surrogate pair, no NUL."""
    return "\x00" not in text and is_text(text)


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False


def _size(blob: _Blob | None) -> int:
    return 0 if blob is None or blob[1] is None else len(blob[1])


def _bytes(value: Any) -> bytes | None:
    return None if value is None else bytes(value)
