"""Makes the tables that the tests of `raddle batch` read, with pyarrow (26.0.1): `python3 tables.py FOLDER`."""

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as parquet

folder = Path(sys.argv[1])

# 60 numbers in three row groups; names are texts.
count = 60
visits = pa.table({
    "id": [f"v{number}" for number in range(1, count + 1)],
    "number": pa.array(range(1, count + 1), pa.int64()),
    "pause": pa.array([0] * count, pa.int64()),
})
parquet.write_table(visits, folder / "visits.parquet", row_group_size=20)
for codec in ["none", "gzip", "zstd", "lz4", "brotli"]:
    parquet.write_table(visits, folder / f"visits-{codec}.parquet", compression=codec)
feather.write_feather(visits, folder / "visits.feather")
with pa.ipc.new_file(folder / "visits.arrow", visits.schema) as file:
    file.write_table(visits, max_chunksize=25)
parquet.write_table(visits.slice(0, 0), folder / "empty.parquet")

# Other types, another order, nulls, a column that is no argument; names are integers.
odd = pa.table({
    "pause": pa.array([0, 0, None, 0, 0], pa.uint32()),
    "number": pa.array([7, None, 27, 0, 9], pa.int16()),
    "id": pa.array([10, 20, 30, 40, None], pa.uint64()),
    "half": pa.array([1.5] * 5, pa.float64()),
    "note": pa.array([{"by": 1}] * 5),
})
parquet.write_table(odd, folder / "odd.parquet")
feather.write_feather(odd, folder / "odd.arrow", compression="uncompressed")

# Tensors of four: as lists of a fixed length, as lists of any, as texts that are none.
four = np.arange(12, dtype=np.float32)
fixed = pa.FixedSizeListArray.from_arrays(pa.array(four), 4)
free = pa.array([[0, 1, 2, 3], [1, 2], None, [1, None, 2, 3]], pa.list_(pa.float32()))
parquet.write_table(pa.table({"x": fixed}), folder / "fixed.parquet")
parquet.write_table(pa.table({"x": free}), folder / "free.parquet")

# The images of images.npz: as lists in lists, and as pyarrow's tensors, whose numbers lie in one list.
images = np.load(Path(__file__).parent / "images.npz")["images"]
nested = pa.array(images.tolist(), pa.list_(pa.list_(pa.float32())))
flat = pa.FixedShapeTensorArray.from_numpy_ndarray(np.ascontiguousarray(images))
parquet.write_table(pa.table({"nested": nested, "flat": flat}), folder / "images.parquet")
