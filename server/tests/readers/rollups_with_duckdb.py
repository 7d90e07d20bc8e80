"""Reads the rollups of a stopped store with DuckDB and compares each bucket with what it makes of the samples that SQL gave.

Arguments: the folder of the segments, and all samples as an Arrow stream: series_id, ms, value, stale, by series and time.
"""

import itertools
import math
import struct
import sys

import duckdb
import pyarrow.ipc

WIDTHS = {"rollup_5m": 300_000, "rollup_1h": 3_600_000}

QUERY = """
SELECT series_id, epoch_ms(ts) AS ts,
       epoch_ms(first_ts) AS first_ts, epoch_ms(last_ts) AS last_ts, epoch_ms(stale_ts) AS stale_ts,
       count, resets, changes,
       coalesce(first_f, first_m / pow(10, ve)) AS first,
       coalesce(last_f, last_m / pow(10, ve)) AS last,
       coalesce(min_f, min_m / pow(10, ve), first_f, first_m / pow(10, ve)) AS min,
       coalesce(max_f, max_m / pow(10, ve), last_f, last_m / pow(10, ve)) AS max,
       coalesce(sum_f, sum_m / pow(10, ve)) AS sum,
       coalesce(before_resets_f, before_resets_m / pow(10, ve)) AS before_resets
FROM read_parquet('{folder}/*.{kind}.parquet')
"""


def bits(value):
    return struct.pack("<d", value)


def bucket(rows):
    """What docs/format/segment.md says of the rows of one bucket."""
    floats = [(ms, value) for ms, value, stale in rows if not stale]
    values = [value for _, value in floats]
    newest_ms, _, newest_is_stale = rows[-1]
    instants = [ms for ms, _ in floats] or [newest_ms]
    pairs = list(itertools.pairwise(values))
    numbers = [value for value in values if not math.isnan(value)]
    nothing = math.nan if values else 0.0
    return {
        "first_ts": instants[0],
        "last_ts": instants[-1],
        "stale_ts": newest_ms if newest_is_stale else None,
        "count": len(values),
        "resets": sum(after < before for before, after in pairs),
        "changes": sum(
            after != before and not (math.isnan(after) and math.isnan(before)) for before, after in pairs
        ),
        "first": values[0] if values else 0.0,
        "last": values[-1] if values else 0.0,
        "min": min(numbers, default=nothing),
        "max": max(numbers, default=nothing),
        "sum": math.fsum(values),
        "before_resets": math.fsum(before for before, after in pairs if after < before),
    }


def is_same(name, found, expected):
    if not isinstance(expected, float):
        return found == expected
    if name in ("sum", "before_resets"):
        # Both keep what rounding loses, each in its own way.
        is_close = found == expected or math.isclose(found, expected, rel_tol=1e-12, abs_tol=1e-12)
        return is_close or (math.isnan(found) and math.isnan(expected))
    # Which NaN stands for no number at all is not said.
    return bits(found) == bits(expected) or (name in ("min", "max") and math.isnan(found) and math.isnan(expected))


def main():
    folder, answer = sys.argv[1:]
    samples = pyarrow.ipc.open_stream(answer).read_all()
    samples = list(zip(*(samples[name].to_pylist() for name in ("series_id", "ms", "value", "stale"))))
    assert samples == sorted(samples, key=lambda row: row[:2])
    for kind, width in WIDTHS.items():
        of_bucket = {}
        for series_id, ms, value, stale in samples:
            end = -(-ms // width) * width
            of_bucket.setdefault((series_id, end), []).append((ms, value, stale))
        # Through Arrow: values stay the doubles they are.
        table = duckdb.connect().sql(QUERY.format(folder=folder, kind=kind)).to_arrow_table()
        found = {(row["series_id"], row["ts"]): row for row in table.to_pylist()}
        assert len(found) == table.num_rows, f"{kind}: a bucket is there twice"
        assert found.keys() == of_bucket.keys(), (kind, len(found), len(of_bucket))
        for key, rows in of_bucket.items():
            for name, expected in bucket(rows).items():
                number = found[key][name]
                assert is_same(name, number, expected), f"{kind} {key} {name}: {number}, not {expected}: {rows}"
    print("done")


main()
