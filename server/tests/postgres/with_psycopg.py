"""Asks by psycopg 3: parameters and rows in both formats, cursors, transactions, errors."""

import datetime
import math
import sys

import psycopg
from psycopg import errors

port, start_ms = int(sys.argv[1]), int(sys.argv[2])
start = datetime.datetime.fromtimestamp(start_ms / 1000, datetime.timezone.utc)
minute = datetime.timedelta(minutes=1)


def connect(**options):
    return psycopg.connect(
        host="127.0.0.1", port=port, user="me", dbname="barograph", connect_timeout=20, **options
    )


with connect(autocommit=True) as connection:
    assert connection.info.server_version >= 160000, connection.info.server_version
    for binary in (False, True):
        with connection.cursor(binary=binary) as cursor:
            cursor.execute(
                "SELECT ts, host, value FROM cpu_seconds_total WHERE host = %s AND ts >= %s AND value < %s ORDER BY ts",
                ("a", start, 100.0),
            )
            rows = cursor.fetchall()
            assert [row[1:] for row in rows] == [("a", 0.0), ("a", 30.0), ("a", 60.0), ("a", 90.0)], rows
            assert [row[0] for row in rows] == [start + i * minute for i in range(4)], rows
            names = [column.name for column in cursor.description]
            assert names == ["ts", "host", "value"], names

            cursor.execute("SELECT value FROM temperature ORDER BY ts LIMIT 1 OFFSET 7")
            assert math.isinf(cursor.fetchone()[0])

            cursor.execute("SELECT labels, metric, series_id FROM series WHERE metric = 'temperature'")
            labels, metric, series_id = cursor.fetchone()
            assert labels == {"host": "a"} and metric == "temperature" and isinstance(series_id, int)

            cursor.execute("SELECT NULL, true, 1::smallint, 2::int, 3::bigint, 1.5::real, 'ä', ARRAY[1, 2]")
            row = cursor.fetchone()
            assert row == (None, True, 1, 2, 3, 1.5, "ä", [1, 2]), row

            cursor.execute("SELECT DATE '2026-02-28', TIMESTAMP '2026-02-28 12:00:00'")
            day, instant = cursor.fetchone()
            assert day == datetime.date(2026, 2, 28), day
            assert instant == datetime.datetime(2026, 2, 28, 12), instant

            cursor.execute("SELECT %s::text, %s::bigint, %s::double precision", ("x", 5, None))
            assert cursor.fetchone() == ("x", 5, None)

    # The same statement often enough that psycopg prepares it.
    for i in range(8):
        row = connection.execute("SELECT count(*) FROM temperature WHERE value > %s", (float(i),)).fetchone()
        assert row == (120,), row

    many = connection.execute("SELECT ts, series_id, metric, value FROM samples").fetchall()
    assert len(many) == 360, len(many)

    for sql, error in [
        ("SELECT * FROM nothing_of_the_kind", errors.UndefinedTable),
        ("SELECT nothing FROM temperature", errors.UndefinedColumn),
        ("SELEC 1", errors.SyntaxError),
        ("DELETE FROM temperature", errors.ReadOnlySqlTransaction),
    ]:
        try:
            connection.execute(sql)
        except error:
            pass
        else:
            raise AssertionError(sql)
    assert connection.execute("SELECT 1").fetchone() == (1,)

# In a transaction an error is the end of it, until it is rolled back.
with connect() as connection:
    assert connection.execute("SELECT 1").fetchone() == (1,)
    try:
        connection.execute("SELEC 1")
    except errors.SyntaxError:
        pass
    try:
        connection.execute("SELECT 1")
    except errors.InFailedSqlTransaction:
        pass
    else:
        raise AssertionError("the transaction goes on after an error")
    connection.rollback()
    assert connection.execute("SELECT 2").fetchone() == (2,)

with connect(options="-c statement_timeout=200") as connection:
    try:
        connection.execute("SELECT count(*) FROM samples a, samples b, samples c, samples d")
    except errors.QueryCanceled:
        pass
    else:
        raise AssertionError("statement_timeout of the startup message")

print("done")
