"""Reads the segments of a stopped store with PyArrow alone and prints every sample: labels, instant, bits of the value.

The steps are those of docs/format/reading.md.
"""

import json
import pathlib
import struct
import sys

import pyarrow.parquet

POWERS = [float(f"1e{i}") for i in range(23)]


def main():
    samples = {}
    encodings = set()
    for path in pathlib.Path(sys.argv[1]).glob("*.samples.parquet"):
        file = pyarrow.parquet.ParquetFile(path)
        sequence = int(file.metadata.metadata[b"barograph.sequence"])
        for group in range(file.num_row_groups):
            encodings.update(file.metadata.row_group(group).column(file.schema.names.index("ts")).encodings)
        series = pyarrow.parquet.read_table(str(path).replace(".samples.", ".series."))
        ids, metrics, targets, sets = (
            series[name].to_pylist() for name in ("series_id", "metric", "target", "labels")
        )
        labels = {
            series_id: json.dumps(dict(sets[target], __name__=metric), sort_keys=True)
            for series_id, metric, target in zip(ids, metrics, targets)
        }
        table = file.read()
        columns = (table[name] for name in ("series_id", "ts", "vm", "ve", "vf"))
        ids, ts, vm, ve, vf = (
            (column.cast("int64") if column.type == pyarrow.timestamp("ms", "UTC") else column).to_pylist()
            for column in columns
        )
        for i in range(len(ids)):
            value = vf[i] if vf[i] is not None else vm[i] / POWERS[ve[i]]
            key = (labels[ids[i]], ts[i])
            if key not in samples or samples[key][0] < sequence:
                samples[key] = (sequence, value)
    # Both that a store chooses from.
    assert {"DELTA_BINARY_PACKED", "BYTE_STREAM_SPLIT"} <= encodings, encodings
    for (labels, ms), (_, value) in samples.items():
        bits = struct.unpack("<Q", struct.pack("<d", value))[0]
        print(labels, ms, f"{bits:016x}", sep="\t")


main()
