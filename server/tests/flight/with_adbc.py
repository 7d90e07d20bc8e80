"""Asks by ADBC: rows into Arrow, pandas and polars, parameters, metadata, statements without rows, errors."""

import datetime
import math
import sys

import adbc_driver_flightsql.dbapi as flightsql
import adbc_driver_manager
import polars

port, start_ms = int(sys.argv[1]), int(sys.argv[2])
uri = f"grpc://127.0.0.1:{port}"
start = datetime.datetime.fromtimestamp(start_ms / 1000, datetime.timezone.utc)
minute = datetime.timedelta(minutes=1)

with flightsql.connect(uri, autocommit=True) as connection:
    info = connection.adbc_get_info()
    assert info["vendor_name"] == "Barograph", info

    with connection.cursor() as cursor:
        cursor.execute("SELECT ts, host, value FROM cpu_seconds_total WHERE host = 'a' ORDER BY ts LIMIT 3")
        table = cursor.fetch_arrow_table()
        assert table.schema.names == ["ts", "host", "value"], table.schema
        assert str(table.schema.field("host").type) == "string", table.schema
        assert table.column("value").to_pylist() == [0.0, 30.0, 60.0]
        assert table.column("ts").to_pylist() == [start + i * minute for i in range(3)]

        cursor.execute("SELECT host, max(value) AS most FROM cpu_seconds_total GROUP BY host ORDER BY host")
        frame = cursor.fetch_df()
        assert frame["host"].tolist() == ["a", "b"] and frame["most"].tolist() == [119 * 30.0, 119 * 6.0], frame

        cursor.execute("SELECT value FROM temperature ORDER BY ts")
        values = [row[0] for row in cursor.fetchall()]
        assert values[:2] == [math.inf, -1e300] and math.isnan(values[2]) and values[3] == 20.5, values

        # Values of every kind that Python binds.
        cursor.execute(
            "SELECT count(*) FROM cpu_seconds_total WHERE host = $1 AND ts >= $2 AND value < $3",
            ("a", start + minute, 100.0),
        )
        assert cursor.fetchone() == (3,)
        cursor.execute("SELECT $1 + 1, $2, $3", (41, "ä", None))
        assert cursor.fetchone() == (42, "ä", None)
        # The same statement again, with other values.
        for host, count in [("a", 120), ("b", 120), ("c", 0)]:
            cursor.execute("SELECT count(*) FROM cpu_seconds_total WHERE host = $1", (host,))
            assert cursor.fetchone() == (count,), host

        # Maps stay maps.
        cursor.execute("SELECT labels FROM series WHERE metric = 'cpu_seconds_total' ORDER BY 1")
        labels = sorted(dict(row[0])["host"] for row in cursor.fetchall())
        assert labels == ["a", "b"], labels

        # No rows, and rows of no columns that matter.
        cursor.execute("SELECT * FROM cpu_seconds_total WHERE false")
        assert cursor.fetch_arrow_table().num_rows == 0
        cursor.execute("SELECT * FROM promql('sum(cpu_seconds_total)', to_timestamp_millis(%d))" % (start_ms + 60_000))
        assert cursor.fetch_arrow_table().column("value").to_pylist() == [36.0]

        # Many batches.
        cursor.execute("SELECT a.ts, a.value FROM cpu_seconds_total a, cpu_seconds_total b")
        assert cursor.fetch_arrow_table().num_rows == 240 * 240

        # Statements without rows, as queries and as updates.
        cursor.execute("CREATE VIEW busy AS SELECT * FROM cpu_seconds_total WHERE value > 1000")
        cursor.fetchall()
        cursor.execute("SELECT count(*) FROM busy")
        assert cursor.fetchone() == (86,)
        cursor.adbc_statement.set_sql_query("COPY (SELECT * FROM busy) TO 'cpu.parquet'")
        assert cursor.adbc_statement.execute_update() == 86

    found = {}
    for catalog in connection.adbc_get_objects(depth="all").read_all().to_pylist():
        for schema in catalog["catalog_db_schemas"]:
            for table in schema["db_schema_tables"]:
                columns = [column["column_name"] for column in table["table_columns"]]
                name = (catalog["catalog_name"], schema["db_schema_name"], table["table_name"])
                found[name] = (table["table_type"], columns)
    assert found["barograph", "metrics", "cpu_seconds_total"] == ("TABLE", ["ts", "value", "host"]), found
    assert found["barograph", "public", "busy"][0] == "VIEW", found
    assert ("barograph", "system", "queries") in found, found
    some = connection.adbc_get_objects(depth="tables", table_name_filter="cpu%").read_all().to_pylist()
    names = [t["table_name"] for c in some for s in c["catalog_db_schemas"] for t in s["db_schema_tables"]]
    assert names == ["cpu_seconds_total"], names
    schema = connection.adbc_get_table_schema("cpu_seconds_total", db_schema_filter="metrics")
    assert schema.names == ["ts", "value", "host"], schema
    assert sorted(connection.adbc_get_table_types()) == ["TABLE", "VIEW"]

    for sql, kind, words in [
        ("SELEC 1", adbc_driver_manager.ProgrammingError, "SELEC"),
        ("SELECT * FROM cpu_second_total", adbc_driver_manager.ProgrammingError, "did you mean cpu_seconds_total"),
        ("DELETE FROM cpu_seconds_total", adbc_driver_manager.ProgrammingError, "refused"),
        ("SELECT CAST(host AS INT) FROM cpu_seconds_total", adbc_driver_manager.Error, ""),
        ("SELECT $1", adbc_driver_manager.Error, ""),
    ]:
        with connection.cursor() as cursor:
            try:
                cursor.execute(sql)
                cursor.fetchall()
            except adbc_driver_manager.Error as error:
                assert isinstance(error, kind), (sql, repr(error))
                assert words in str(error), (sql, str(error))
            else:
                raise AssertionError(sql)

    with connection.cursor() as cursor:
        try:
            cursor.executemany("SELECT $1", [(1,), (2,)])
        except adbc_driver_manager.Error:
            pass
        else:
            raise AssertionError("two rows of values")
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)

with flightsql.connect(uri, autocommit=True) as connection:
    frame = polars.read_database(
        "SELECT host, avg(value) AS mean FROM cpu_seconds_total GROUP BY host ORDER BY host", connection
    )
assert frame.to_dict(as_series=False) == {"host": ["a", "b"], "mean": [1785.0, 357.0]}, frame

print("done")
