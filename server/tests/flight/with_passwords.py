"""Logs in by name and password, by a token, and not."""

import sys

import adbc_driver_flightsql.dbapi as flightsql
import adbc_driver_manager
from adbc_driver_flightsql import DatabaseOptions

uri = f"grpc://127.0.0.1:{sys.argv[1]}"


def one(options):
    with flightsql.connect(uri, db_kwargs=options, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        return cursor.fetchone()


HEADER = DatabaseOptions.AUTHORIZATION_HEADER.value
for right in [{"username": "ana", "password": "correct horse"}, {HEADER: "Bearer correct horse"}]:
    assert one(right) == (1,), right
for wrong in [
    {},
    {"username": "ana", "password": "wrong"},
    {"username": "bob", "password": "correct horse"},
    {HEADER: "Bearer wrong"},
]:
    try:
        one(wrong)
    except adbc_driver_manager.Error as error:
        assert "UNAUTHENTICATED" in str(error).upper(), (wrong, str(error))
    else:
        raise AssertionError(wrong)

print("done")
