"""Fetches a few rows of very many, says so, and waits for the end: an error, since the server stops."""

import sys

import adbc_driver_flightsql.dbapi as flightsql
import adbc_driver_manager

with flightsql.connect(f"grpc://127.0.0.1:{sys.argv[1]}", autocommit=True) as connection:
    cursor = connection.cursor()
    cursor.execute("SELECT a.ts, a.value, b.value FROM samples a, samples b, samples c, samples d")
    assert cursor.fetchone()
    print("first", flush=True)
    try:
        while cursor.fetchmany(100_000):
            pass
    except (adbc_driver_manager.Error, OSError) as error:
        assert "stops" in str(error), str(error)
    else:
        raise AssertionError("the rows have ended as if they were all")
