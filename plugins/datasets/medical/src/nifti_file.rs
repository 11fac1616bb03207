//! NIfTI-1 volumes (`.nii`, `.nii.gz`) with their place in the world.
//!
//! The header is parsed by the crate `nifti`; its affine needs a linear-algebra library and panics on a bad quaternion,
//! and its volume reader allocates what the header declares, so both are done here.

use crate::inflate::{self, MAX_INFLATED};
use crate::problem::{FETCH_AGAIN, bad};
use nifti::{Endianness, NiftiHeader};
use std::io::Read;
use std::path::Path;
use zoo_core::Result;

const HEADER: u64 = 348;
/// Offsets beyond this hold no header extension that anybody writes.
const MAX_OFFSET: f32 = 16_777_216.0;
const CONVERT: &str = "convert it to a single-file NIfTI-1 image with nibabel or dcm2niix";

/// A 3-D image, or several frames of one.
#[derive(Clone, Debug, PartialEq)]
pub struct NiftiVolume {
    /// Voxels along the axes i, j and k.
    pub dims: [usize; 3],
    /// Volumes one after another (time, or channels); 1 for a 3-D file.
    pub frames: usize,
    /// `value = raw * scl_slope + scl_inter`, where the header gives a slope; index `((t * nk + k) * nj + j) * ni + i`.
    pub values: Vec<f32>,
    /// Whether the file stores bytes that are used as they are (no slope), so that `values` are whole numbers up to 255.
    pub is_u8: bool,
    /// From (i, j, k, 1) to millimetres (x to the patient's right-to-left +, RAS): the sform if it is set, else the qform,
    /// else the voxel sizes alone.
    pub affine: [[f64; 4]; 4],
    /// Voxel sizes along i, j and k as the header states them, mm.
    pub zooms: [f64; 3],
}

/// Reads a NIfTI-1 file of three or four axes.
///
/// # Errors
/// [`zoo_core::Error::Data`] for anything but such a file, naming the field: a header of another length, another magic, axes,
/// element types, offsets or sizes that do not fit, a transform that is not one, data that end early, or more than
/// [`MAX_INFLATED`] bytes of it. [`zoo_core::Error::Io`] if the file can't be read.
pub fn read_nifti(path: &Path) -> Result<NiftiVolume> {
    let mut source = inflate::open(path)?;
    let header = read_header(path, source.as_mut())?;
    let layout = Layout::of(path, &header)?;
    // What the header declares is read only as far as it is there, so a bomb stops at the volume's own size.
    let short =
        |found: u64| bad(path, "voxels", format!("{} bytes of them", layout.bytes), format!("{found} bytes, then the end"), FETCH_AGAIN);
    let broken = |e: std::io::Error| bad(path, "voxels", "data that unpack", e.to_string(), FETCH_AGAIN);
    inflate::exactly(source.as_mut(), layout.skip).map_err(broken)?.map_err(short)?;
    let raw = inflate::exactly(source.as_mut(), layout.bytes).map_err(broken)?.map_err(short)?;
    let mut values = layout.element.decode(&raw, header.endianness == Endianness::Big);
    let slope = header.scl_slope;
    let scaled = slope != 0.0 && slope.is_finite() && header.scl_inter.is_finite() && (slope, header.scl_inter) != (1.0, 0.0);
    if scaled {
        values.iter_mut().for_each(|v| *v = *v * slope + header.scl_inter);
    }
    let is_u8 = layout.element == Element::U8 && !scaled;
    Ok(NiftiVolume { dims: layout.dims, frames: layout.frames, values, is_u8, affine: affine(path, &header)?, zooms: layout.zooms })
}

fn read_header(path: &Path, source: &mut dyn Read) -> Result<NiftiHeader> {
    let fail = |at: &str, expected: &str, found: String, mend: &str| bad(path, at, expected, found, mend);
    let bytes = inflate::exactly(source, HEADER)
        .map_err(|e| fail("byte 0", "data that unpack", e.to_string(), FETCH_AGAIN))?
        .map_err(|n| fail("byte 0", "a header of 348 bytes", format!("{n} bytes"), FETCH_AGAIN))?;
    let size = [bytes[0], bytes[1], bytes[2], bytes[3]];
    match (i32::from_le_bytes(size), i32::from_be_bytes(size)) {
        (348, _) | (_, 348) => {}
        (540, _) | (_, 540) => return Err(fail("byte 0", "348, the header length of NIfTI-1", "540, that of NIfTI-2".into(), CONVERT)),
        (other, _) => return Err(fail("byte 0", "348, the header length of NIfTI-1", other.to_string(), "check that it is a NIfTI file")),
    }
    match &bytes[344..348] {
        b"n+1\0" => {}
        b"ni1\0" => return Err(fail("byte 344", "magic `n+1`", "`ni1`: a pair of .hdr and .img files".into(), CONVERT)),
        other => return Err(fail("byte 344", "magic `n+1`", format!("{other:?}"), CONVERT)),
    }
    let header =
        NiftiHeader::from_reader(bytes.as_slice()).map_err(|e| fail("the header", "a NIfTI-1 header", e.to_string(), FETCH_AGAIN))?;
    // The crate tells the byte order by the number of axes, the standard by the header's length as well.
    if header.sizeof_hdr != 348 {
        return Err(fail("byte 40", "1 to 7 axes, in the byte order of the header's length", "another number".into(), FETCH_AGAIN));
    }
    Ok(header)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Element {
    U8,
    I8,
    I16,
    U16,
    I32,
    U32,
    F32,
    F64,
}

impl Element {
    fn of(code: i16) -> Option<Self> {
        Some(match code {
            2 => Self::U8,
            4 => Self::I16,
            8 => Self::I32,
            16 => Self::F32,
            64 => Self::F64,
            256 => Self::I8,
            512 => Self::U16,
            768 => Self::U32,
            _ => return None,
        })
    }

    fn size(self) -> u64 {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::I16 | Self::U16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::F64 => 8,
        }
    }

    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "values are handed out as f32")]
    fn decode(self, raw: &[u8], big: bool) -> Vec<f32> {
        fn each<const N: usize>(raw: &[u8], big: bool, value: impl Fn([u8; N]) -> f32) -> Vec<f32> {
            let item = |chunk: &[u8]| {
                let mut bytes = [0; N];
                bytes.copy_from_slice(chunk);
                if big {
                    bytes.reverse();
                }
                value(bytes)
            };
            raw.chunks_exact(N).map(item).collect()
        }
        match self {
            Self::U8 => each(raw, big, |b: [u8; 1]| f32::from(b[0])),
            Self::I8 => each(raw, big, |b: [u8; 1]| f32::from(i8::from_le_bytes(b))),
            Self::I16 => each(raw, big, |b| f32::from(i16::from_le_bytes(b))),
            Self::U16 => each(raw, big, |b| f32::from(u16::from_le_bytes(b))),
            Self::I32 => each(raw, big, |b| i32::from_le_bytes(b) as f32),
            Self::U32 => each(raw, big, |b| u32::from_le_bytes(b) as f32),
            Self::F32 => each(raw, big, f32::from_le_bytes),
            Self::F64 => each(raw, big, |b| f64::from_le_bytes(b) as f32),
        }
    }
}

/// Where the voxels lie in the file.
struct Layout {
    dims: [usize; 3],
    frames: usize,
    zooms: [f64; 3],
    element: Element,
    skip: u64,
    bytes: u64,
}

impl Layout {
    fn of(path: &Path, header: &NiftiHeader) -> Result<Self> {
        let fail = |at: &str, expected: &str, found: String| bad(path, at, expected, found, FETCH_AGAIN);
        let axes = usize::from(header.dim[0]);
        if !(1..=7).contains(&axes) {
            return Err(fail("dim[0]", "1 to 7 axes", axes.to_string()));
        }
        let dims: Vec<usize> = header.dim[1..=axes].iter().map(|&d| usize::from(d)).collect();
        let usual = axes >= 3 && dims.iter().all(|&d| (1..=i16::MAX as usize).contains(&d)) && dims.iter().skip(4).all(|&d| d == 1);
        if !usual {
            return Err(fail("dim", "3 or 4 axes of 1 to 32767 (further axes of 1)", format!("{dims:?}")));
        }
        let frames = dims.get(3).copied().unwrap_or(1);
        let element = Element::of(header.datatype).ok_or_else(|| {
            fail("datatype", "2, 4, 8, 16, 64, 256, 512 or 768 (whole and real numbers up to 64 bits)", header.datatype.to_string())
        })?;
        if i64::from(header.bitpix) != 8 * element.size() as i64 {
            return Err(fail("bitpix", &format!("{}, as the datatype says", 8 * element.size()), header.bitpix.to_string()));
        }
        if !(352.0..=MAX_OFFSET).contains(&header.vox_offset) || header.vox_offset.fract() != 0.0 {
            return Err(fail("vox_offset", "a whole number from 352", header.vox_offset.to_string()));
        }
        let zooms = [header.pixdim[1], header.pixdim[2], header.pixdim[3]].map(|z| f64::from(z.abs()));
        if zooms.iter().any(|z| !z.is_finite() || *z == 0.0) {
            return Err(fail("pixdim", "voxel sizes above 0 mm", format!("{zooms:?}")));
        }
        // Four axes of 15 bits and a byte size of at most 8 fit a u64 only just: multiply with care.
        let voxels = dims.iter().take(4).try_fold(element.size(), |n, &d| n.checked_mul(d as u64));
        let bytes = voxels.filter(|&n| n <= MAX_INFLATED).ok_or_else(|| {
            fail("dim", &format!("at most {MAX_INFLATED} bytes of voxels"), format!("{dims:?} of {} bytes each", element.size()))
        })?;
        #[allow(clippy::cast_sign_loss, clippy::cast_possible_truncation, reason = "checked above")]
        let skip = header.vox_offset as u64 - HEADER;
        Ok(Self { dims: [dims[0], dims[1], dims[2]], frames, zooms, element, skip, bytes })
    }
}

/// The transform of the NIfTI-1 standard: method 3 (sform), 2 (qform) or 1 (voxel sizes).
fn affine(path: &Path, header: &NiftiHeader) -> Result<[[f64; 4]; 4]> {
    let last = [0.0, 0.0, 0.0, 1.0];
    let (name, rows) = if header.sform_code > 0 {
        ("sform", [header.srow_x, header.srow_y, header.srow_z].map(|row| row.map(f64::from)))
    } else if header.qform_code > 0 {
        ("qform", qform(header))
    } else {
        let zoom = |axis: usize| f64::from(header.pixdim[axis + 1].abs());
        let row = |axis: usize| std::array::from_fn(|column| if column == axis { zoom(axis) } else { 0.0 });
        ("pixdim", [row(0), row(1), row(2)])
    };
    let [a, b, c] = rows;
    let determinant = a[0] * (b[1] * c[2] - b[2] * c[1]) - a[1] * (b[0] * c[2] - b[2] * c[0]) + a[2] * (b[0] * c[1] - b[1] * c[0]);
    if !rows.iter().flatten().all(|v| v.is_finite()) || !determinant.is_finite() || determinant.abs() < 1e-12 {
        return Err(bad(path, name, "a transform that can be inverted", format!("{rows:?}"), "set it anew with nibabel"));
    }
    Ok([a, b, c, last])
}

fn qform(header: &NiftiHeader) -> [[f64; 4]; 3] {
    let [mut b, mut c, mut d] = [header.quatern_b, header.quatern_c, header.quatern_d].map(f64::from);
    let squares = b * b + c * c + d * d;
    // A quaternion stored in single precision may come out a little longer than 1: a half turn.
    let a = if squares > 1.0 - 1e-7 {
        let length = squares.sqrt();
        (b, c, d) = (b / length, c / length, d / length);
        0.0
    } else {
        (1.0 - squares).sqrt()
    };
    let handed = if header.pixdim[0] < 0.0 { -1.0 } else { 1.0 };
    let [x, y, z] = [header.pixdim[1], header.pixdim[2], header.pixdim[3]].map(|z| f64::from(z.abs()));
    let z = z * handed;
    let [ox, oy, oz] = [header.quatern_x, header.quatern_y, header.quatern_z].map(f64::from);
    [
        [(a * a + b * b - c * c - d * d) * x, 2.0 * (b * c - a * d) * y, 2.0 * (b * d + a * c) * z, ox],
        [2.0 * (b * c + a * d) * x, (a * a + c * c - b * b - d * d) * y, 2.0 * (c * d - a * b) * z, oy],
        [2.0 * (b * d - a * c) * x, 2.0 * (c * d + a * b) * y, (a * a + d * d - c * c - b * b) * z, oz],
    ]
}
