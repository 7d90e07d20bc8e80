"""Reads native histograms or exemplars of a stopped store with PyArrow and compares each row with what SQL gave, bit for bit.

Arguments: the folder of the segments, `histograms` or `exemplars`, and the answer of SQL to a query of all columns as an
Arrow stream, instants as integers.
"""

import pathlib
import struct
import sys

import pyarrow
import pyarrow.ipc
import pyarrow.parquet


def bits(value):
    """A value in which floats that differ in a bit differ, NaN among them, and the order of a map does not count."""
    if isinstance(value, float):
        return struct.pack("<d", value).hex()
    if isinstance(value, dict):
        return {name: bits(item) for name, item in value.items()}
    if isinstance(value, list):
        is_map = bool(value) and all(isinstance(item, tuple) for item in value)
        return sorted(value) if is_map else [bits(item) for item in value]
    return value


def columns(table):
    """The columns of a table, instants as milliseconds since the epoch."""
    found = {}
    for name in table.column_names:
        column = table[name]
        if pyarrow.types.is_timestamp(column.type):
            assert column.type.unit == "ms", (name, column.type)
            column = column.cast("int64")
        found[name] = column.to_pylist()
    return found


def rows(table):
    found = columns(table)
    return [dict(zip(found, values)) for values in zip(*found.values())]


def stored(folder, kind):
    """The rows of all files by what tells one from another; of several the one with the highest sequence."""
    newest = {}
    paths = sorted(folder.glob(f"*.{kind}.parquet"))
    assert len(paths) >= 2, f"{len(paths)} files of {kind}"
    for path in paths:
        file = pyarrow.parquet.ParquetFile(path)
        sequence = int(file.metadata.metadata[b"barograph.sequence"])
        series = columns(pyarrow.parquet.read_table(str(path).replace(f".{kind}.", ".series.")))
        metrics = dict(zip(series["series_id"], series["metric"]))
        for row in rows(file.read()):
            row["metric"] = metrics[row["series_id"]]
            if "flags" in row:
                row["stale"] = row.pop("flags") & 1 == 1
            row = bits(row)
            # Any number of exemplars may have one instant; their labels tell them apart.
            key = (row["series_id"], row["ts"], str(row.get("labels")))
            if key not in newest or newest[key][0] < sequence:
                newest[key] = (sequence, row)
    return {key: row for key, (_, row) in newest.items()}


def main():
    folder, kind, answer = sys.argv[1:]
    found = stored(pathlib.Path(folder), kind)
    told = {}
    for row in map(bits, rows(pyarrow.ipc.open_stream(answer).read_all())):
        key = (row["series_id"], row["ts"], str(row.get("labels")))
        assert key not in told, f"{key} is there twice"
        told[key] = row
    assert found, f"no {kind}"
    assert found.keys() == told.keys(), (found.keys() - told.keys(), told.keys() - found.keys())
    for key, row in found.items():
        assert row == told[key], f"{key}:\n{row} in the files\n{told[key]} by SQL"
    print("done")


main()
