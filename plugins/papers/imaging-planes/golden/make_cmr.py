"""Lines and slice order of the study cmr-case, with pydicom and numpy. The study may not be redistributed; only these
derived numbers are kept.

python make_cmr.py FOLDER, where FOLDER holds the study's series folders.
"""

import json
import pathlib
import sys

import numpy as np
import pydicom

files = sorted(pathlib.Path(sys.argv[1]).glob("*/*.dcm"))
images = []
for file in files:
    d = pydicom.dcmread(file)
    position, orientation = np.array(d.ImagePositionPatient, float), np.array(d.ImageOrientationPatient, float)
    images.append((int(d.SeriesNumber), position, orientation[:3], orientation[3:], np.array(d.PixelSpacing, float), d.Rows, d.Columns, float(d.pixel_array.sum())))


def normal(image):
    n = np.cross(image[2], image[3])
    return n / np.linalg.norm(n)


# Series by number; a stack by the distance along its first plane's normal (files are named in order of instances).
ordered = []
for series in sorted({i[0] for i in images}):
    stack = [i for i in images if i[0] == series]
    ordered += sorted(stack, key=lambda i: float(i[1] @ normal(stack[0])))
samples = np.array([[0.0, 0.0], [80.0, 20.0], [31.5, 120.25]])
pairs = []
for i, a in enumerate(ordered):
    for j, b in enumerate(ordered):
        na, nb = normal(a), normal(b)
        if i == j or np.linalg.norm(np.cross(na, nb)) < 1e-4:
            continue
        system = np.stack([na, nb])
        point = np.linalg.lstsq(system, np.array([na @ a[1], nb @ b[1]]), rcond=None)[0]
        direction = np.cross(na, nb) / np.linalg.norm(np.cross(na, nb))

        def pixel(p):
            return np.array([(p - a[1]) @ a[2] / a[4][1], (p - a[1]) @ a[3] / a[4][0]])

        p0, p1 = pixel(point), pixel(point + direction)
        t = (p1 - p0) / np.linalg.norm(p1 - p0)
        pairs.append([i, j, *[abs(float((s - p0) @ [-t[1], t[0]])) for s in samples]])
stack = [i for i in ordered if i[0] == 5]
n = normal(stack[0]) * np.sign(normal(stack[0])[2])
places = np.array([-n @ i[1] for i in stack])
places = (places - places.min()) / (places.max() - places.min())
out = {
    "versions": {"pydicom": pydicom.__version__, "numpy": np.__version__},
    "samples": samples.tolist(), "pairs": pairs, "series_5_locations": places.tolist(),
    "shapes": [[i[5], i[6]] for i in ordered], "pixel_sums": [i[7] for i in ordered],
}
(pathlib.Path(__file__).parent / "cmr.json").write_text(json.dumps(out) + "\n")
