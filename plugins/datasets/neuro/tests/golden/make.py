"""Makes small MATLAB 5 files with SciPy. Writes beside itself, or to the folder given."""

import pathlib
import sys

import numpy as np
import scipy.io

folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).parent
tc = np.arange(1.0, 7.0).reshape(2, 3)


def save(name, compressed, values):
    path = folder / name
    scipy.io.savemat(path, {"tc": values}, do_compression=compressed)
    # The header carries the time of day; blank it, so that the file can be made again byte for byte.
    data = bytearray(path.read_bytes())
    text = b"MATLAB 5.0 MAT-file, made by SciPy"
    data[:116] = text.ljust(116)
    path.write_bytes(data)


save("plain.mat", False, tc)
save("compressed.mat", True, tc)
broken = tc.copy()
broken[1, 0] = np.nan
save("nan.mat", False, broken)
