"""Makes the NIfTI, DICOM and npz files of this folder, and expected.json, with nibabel, pydicom and numpy.

Run it with a Python that has the versions in versions.json: python make.py
"""

import json
import pathlib
import warnings

import nibabel
import numpy as np
import pydicom
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEGBaseline8Bit

here = pathlib.Path(__file__).parent
warnings.simplefilter("ignore")
rng = np.random.default_rng(7)
expected = {}


def keep(name, image):
    nibabel.save(image, here / name)
    again = nibabel.load(here / name)
    values = np.asarray(again.get_fdata(dtype=np.float32))
    expected[name] = {
        "dims": list(again.shape[:3]),
        "frames": int(again.shape[3]) if again.ndim > 3 else 1,
        "affine": again.affine.tolist(),
        "zooms": [float(z) for z in again.header.get_zooms()[:3]],
        # NIfTI's own order: i fastest.
        "values": values.flatten(order="F").tolist(),
    }


affine = np.array([[0.9, 0.1, -0.2, -30.0], [-0.1, 1.1, 0.3, 20.0], [0.2, -0.3, 1.9, 5.0], [0, 0, 0, 1.0]])
keep("sform.nii.gz", nibabel.Nifti1Image(rng.integers(0, 256, (4, 3, 2), dtype=np.uint8), affine))

# A rotation of 40 degrees around an oblique axis, left-handed, so that qfac is -1; qform alone.
axis = np.array([1.0, 2.0, -1.5])
axis /= np.linalg.norm(axis)
k = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
turn = np.eye(3) + np.sin(0.7) * k + (1 - np.cos(0.7)) * k @ k
oblique = np.eye(4)
oblique[:3, :3] = turn @ np.diag([1.5, 2.0, -3.0])
oblique[:3, 3] = [7.0, -8.0, 9.0]
image = nibabel.Nifti1Image(rng.integers(-500, 500, (3, 4, 5), dtype=np.int16), None)
image.set_qform(oblique, code=1)
image.set_sform(None, code=0)
image.header.set_slope_inter(0.5, -3.0)
keep("qform.nii", image)

swapped = nibabel.Nifti1Image(rng.normal(size=(3, 2, 2, 2)).astype(">f4"), affine, nibabel.Nifti1Header(endianness=">"))
keep("big-endian.nii", swapped)
plain = nibabel.Nifti1Image(rng.normal(size=(2, 2, 3)), None)
nibabel.save(plain, here / "pixdim.nii")
header = bytearray((here / "pixdim.nii").read_bytes())
header[252:256] = bytes(4)  # both codes; nibabel sets them when it saves
header[80:92] = np.array([1.25, 2.5, 5.0], dtype="<f4").tobytes()
(here / "pixdim.nii").write_bytes(header)
# nibabel falls back to a centred affine with x flipped; the standard's method 1 is what we follow.
expected["pixdim.nii"] = {
    "dims": [2, 2, 3], "frames": 1, "zooms": [1.25, 2.5, 5.0],
    "affine": np.diag([1.25, 2.5, 5.0, 1.0]).tolist(),
    "values": np.asarray(plain.get_fdata(dtype=np.float32)).flatten(order="F").tolist(),
}


def dicom(name, pixels, syntax=ExplicitVRLittleEndian, **changes):
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = pydicom.uid.MRImageStorage
    meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    meta.TransferSyntaxUID = syntax
    meta.ImplementationClassUID = "1.2.3.5"
    d = FileDataset(name, {}, file_meta=meta, preamble=b"\0" * 128)
    d.SOPClassUID = meta.MediaStorageSOPClassUID
    d.SOPInstanceUID = "1.2.3.4"
    d.PatientName = "SECRET^PERSON"
    d.PatientID = "SECRET-ID"
    d.PatientBirthDate = "19010203"
    d.Modality = "MR"
    d.SeriesNumber, d.InstanceNumber = 3, 7
    d.SliceThickness = "6.5"
    d.ImagePositionPatient = ["-10.25", "20.5", "-30.125"]
    d.ImageOrientationPatient = ["0.8", "0.6", "0", "0", "0", "-1"]
    d.PixelSpacing = ["1.5", "1.25"]
    d.SamplesPerPixel, d.PhotometricInterpretation = 1, "MONOCHROME2"
    d.Rows, d.Columns = pixels.shape
    d.BitsAllocated = d.BitsStored = 8 * pixels.dtype.itemsize
    d.HighBit = d.BitsStored - 1
    d.PixelRepresentation = int(pixels.dtype.kind == "i")
    d.PixelData = pixels.tobytes() + b"\0" * (pixels.nbytes % 2)
    sequence = pydicom.Dataset()
    sequence.ReferencedSOPInstanceUID = "1.2.3.9"
    d.ReferencedImageSequence = [sequence]
    d["ReferencedImageSequence"].is_undefined_length = True
    for tag, value in changes.items():
        delattr(d, tag) if value is None else setattr(d, tag, value)
    pydicom.dcmwrite(here / name, d, enforce_file_format=True)
    return d


grey = rng.integers(0, 4000, (3, 4), dtype=np.uint16)
d = dicom("explicit.dcm", grey, RescaleSlope="2", RescaleIntercept="-100")
expected["explicit.dcm"] = {
    "shape": [3, 4], "pixels": (grey * 2.0 - 100.0).flatten().tolist(), "series": 3, "instance": 7,
    "plane": [*map(float, d.ImagePositionPatient), *map(float, d.ImageOrientationPatient), *map(float, d.PixelSpacing), 6.5],
}
small = rng.integers(-100, 100, (3, 3), dtype=np.int8)
d = dicom("implicit.dcm", small, syntax=ImplicitVRLittleEndian, SliceThickness=None)
expected["implicit.dcm"] = {
    "shape": [3, 3], "pixels": small.astype(float).flatten().tolist(), "series": 3, "instance": 7,
    "plane": [*map(float, d.ImagePositionPatient), *map(float, d.ImageOrientationPatient), *map(float, d.PixelSpacing), 0.0],
}
dicom("no-position.dcm", grey, ImagePositionPatient=None)
dicom("no-orientation.dcm", grey, ImageOrientationPatient=None)
dicom("skewed.dcm", grey, ImageOrientationPatient=["1", "0", "0", "0.5", "0.5", "0"])
dicom("frames.dcm", grey, NumberOfFrames=2)
dicom("short-pixels.dcm", grey, PixelData=grey.tobytes()[:-2])
d = dicom("compressed.dcm", grey)
d.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
d.PixelData = pydicom.encaps.encapsulate([b"\xff\xd8\xff\xd9"])
d["PixelData"].is_undefined_length = True
pydicom.dcmwrite(here / "compressed.dcm", d, enforce_file_format=True)

images = rng.integers(0, 256, (3, 28, 28), dtype=np.uint8)
labels = np.array([[1], [0], [1]], dtype=np.uint8)
np.savez_compressed(here / "tiny.npz", **{f"{s}_{k}": v for s in ["train", "val", "test"] for k, v in [("images", images), ("labels", labels)]},
                    floats=np.zeros(3), columns=np.asfortranarray(np.zeros((3, 2), dtype=np.uint8)))
expected["tiny.npz"] = {"shape": [3, 28, 28], "sum": int(images.sum()), "pixel": int(images[2, 5, 9]), "labels": [1, 0, 1]}

(here / "expected.json").write_text(json.dumps(expected) + "\n")
versions = {"nibabel": nibabel.__version__, "pydicom": pydicom.__version__, "numpy": np.__version__}
(here / "versions.json").write_text(json.dumps(versions, indent=1) + "\n")
