"""Reads the segments of a stopped store with DuckDB and prints every sample: labels, instant, bits of the value.

The query is the one of docs/format/reading.md.
"""

import json
import struct
import sys

import duckdb

QUERY = """
WITH numbered AS (
    SELECT file_name, CAST(decode(value) AS UBIGINT) AS sequence
    FROM parquet_kv_metadata('{folder}/*.samples.parquet')
    WHERE decode(key) = 'barograph.sequence'
),
versions AS (
    SELECT series_id, ts, coalesce(vf, vm / pow(10, ve)) AS value,
           row_number() OVER (PARTITION BY series_id, ts ORDER BY sequence DESC) AS version
    FROM read_parquet('{folder}/*.samples.parquet', filename = true) AS samples
    JOIN numbered ON numbered.file_name = samples.filename
),
rows AS (
    SELECT * FROM read_parquet('{folder}/*.series.parquet', filename = true, file_row_number = true)
),
series AS (
    SELECT series.series_id, any_value(series.metric) AS metric, any_value(target.labels) AS labels
    FROM rows AS series
    JOIN rows AS target ON target.filename = series.filename AND target.file_row_number = series.target
    GROUP BY series.series_id
)
SELECT metric, labels, epoch_ms(ts) AS ms, value
FROM versions JOIN series USING (series_id)
WHERE version = 1
"""


def main():
    connection = duckdb.connect()
    # Through Arrow: values stay the doubles they are.
    table = connection.sql(QUERY.format(folder=sys.argv[1])).to_arrow_table()
    columns = (table[name].to_pylist() for name in ("metric", "labels", "ms", "value"))
    for metric, labels, ms, value in zip(*columns):
        labels = dict(labels, __name__=metric)
        bits = struct.unpack("<Q", struct.pack("<d", value))[0]
        print(json.dumps(labels, sort_keys=True), ms, f"{bits:016x}", sep="\t")


main()
