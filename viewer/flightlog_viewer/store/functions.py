"""The SQL functions of the store: payloads by row, and the computed columns."""

import duckdb
from duckdb.func import FunctionNullHandling, PythonUDFType

from flightlog_viewer.store.derived import Derived
from flightlog_viewer.store.payloads import PayloadReader


def create_functions(connection: duckdb.DuckDBPyConnection, payloads: PayloadReader, derived: Derived) -> None:
    """Register them; they answer for every cursor of the instance."""
    connection.create_function(
        "payload_json",
        payloads.sql_function(),
        ["BIGINT", "VARCHAR", "VARCHAR"],
        "VARCHAR",
        type=PythonUDFType.ARROW,
        null_handling=FunctionNullHandling.SPECIAL,
    )
    for name, values in (("own_time_of", derived.own_times), ("cost_of", derived.costs)):
        connection.create_function(
            name,
            values.sql_function(),
            ["BIGINT"],
            "DOUBLE",
            type=PythonUDFType.ARROW,
            null_handling=FunctionNullHandling.SPECIAL,
        )
