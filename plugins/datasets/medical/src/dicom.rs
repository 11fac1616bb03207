//! One DICOM image with its place in the patient, and the order of a stack.

use crate::element_lengths;
use crate::inflate::MAX_INFLATED;
use crate::problem::bad;
use dicom_object::{DefaultDicomObject, OpenFileOptions, Tag};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use zoo_core::{Error, Result};

const ROWS: Tag = Tag(0x0028, 0x0010);
const COLUMNS: Tag = Tag(0x0028, 0x0011);
const SAMPLES: Tag = Tag(0x0028, 0x0002);
const FRAMES: Tag = Tag(0x0028, 0x0008);
const SPACING: Tag = Tag(0x0028, 0x0030);
const ALLOCATED: Tag = Tag(0x0028, 0x0100);
const REPRESENTATION: Tag = Tag(0x0028, 0x0103);
const INTERCEPT: Tag = Tag(0x0028, 0x1052);
const SLOPE: Tag = Tag(0x0028, 0x1053);
const POSITION: Tag = Tag(0x0020, 0x0032);
const ORIENTATION: Tag = Tag(0x0020, 0x0037);
const SERIES: Tag = Tag(0x0020, 0x0011);
const INSTANCE: Tag = Tag(0x0020, 0x0013);
const THICKNESS: Tag = Tag(0x0018, 0x0050);
const PIXELS: Tag = Tag(0x7FE0, 0x0010);

const EXPORT_AGAIN: &str = "export the series again from the scanner or archive, as uncompressed classic MR or CT images";

/// Where a slice lies: DICOM's Image Plane module.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plane {
    /// Centre of the first pixel, mm in the patient's frame (x to the left, y to the back, z to the head).
    pub position: [f64; 3],
    /// Unit vector along increasing column index.
    pub along_columns: [f64; 3],
    /// Unit vector along increasing row index.
    pub along_rows: [f64; 3],
    /// Distance between the centres of neighbouring rows, then of neighbouring columns, mm.
    pub spacing: [f64; 2],
    /// Slice thickness, mm; 0 where the file does not say.
    pub thickness: f64,
}

impl Plane {
    /// The twelve numbers of a data set's `plane` field, in the order of the fields above.
    pub fn to_array(self) -> [f64; 12] {
        let ([p, x, y], [dr, dc]) = ([self.position, self.along_columns, self.along_rows], self.spacing);
        [p[0], p[1], p[2], x[0], x[1], x[2], y[0], y[1], y[2], dr, dc, self.thickness]
    }

    /// Unit normal, along columns x along rows.
    pub fn normal(&self) -> [f64; 3] {
        let (x, y) = (self.along_columns, self.along_rows);
        let n = [x[1] * y[2] - x[2] * y[1], x[2] * y[0] - x[0] * y[2], x[0] * y[1] - x[1] * y[0]];
        let length = dot(n, n).sqrt();
        n.map(|v| v / length)
    }
}

fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// One image.
#[derive(Clone, Debug, PartialEq)]
pub struct DicomSlice {
    /// Rows, columns.
    pub shape: [usize; 2],
    /// Values after rescale slope and intercept, row by row.
    pub pixels: Vec<f32>,
    /// Where it lies.
    pub plane: Plane,
    /// Series number; 0 where the file does not say.
    pub series: i64,
    /// Instance number; 0 where the file does not say.
    pub instance: i64,
}

/// Reads one uncompressed, single-frame, grey image. Only geometry, image size and pixels are read out of the file.
///
/// # Errors
/// [`Error::Data`] naming the tag: not DICOM, cut short, compressed, in colour, several frames, without position
/// (0020,0032), orientation (0020,0037) or spacing (0028,0030), or with ones that are not numbers or not a plane. No
/// other tag's content appears in it. [`Error::Io`] if the file can't be read.
pub fn read_slice(path: &Path) -> Result<DicomSlice> {
    let size = std::fs::metadata(path).map_err(Error::io(path))?.len();
    if size > MAX_INFLATED {
        return Err(bad(path, "its size", format!("at most {MAX_INFLATED} bytes"), size.to_string(), EXPORT_AGAIN));
    }
    let file = std::fs::read(path).map_err(Error::io(path))?;
    element_lengths::check(path, &file)?;
    // The parser is not ours: its messages may quote values, and whatever it does on hostile bytes must stay here.
    let parsed = catch_unwind(AssertUnwindSafe(|| OpenFileOptions::new().from_reader(file.as_slice())));
    match parsed {
        Ok(Ok(object)) => Reader { path, object }.slice(),
        Ok(Err(_)) | Err(_) => Err(bad(path, "its elements", "well-formed data elements", "elements that can't be parsed", EXPORT_AGAIN)),
    }
}

struct Reader<'a> {
    path: &'a Path,
    object: DefaultDicomObject,
}

impl Reader<'_> {
    fn fail(&self, what: &str, tag: Tag, expected: impl Into<String>, found: impl Into<String>) -> Error {
        bad(self.path, format!("{what} ({:04X},{:04X})", tag.0, tag.1), expected, found, EXPORT_AGAIN)
    }

    /// `N` finite numbers of a tag, or nothing if it is absent or empty.
    fn optional<const N: usize>(&self, what: &str, tag: Tag) -> Result<Option<[f64; N]>> {
        let Ok(element) = self.object.element(tag) else { return Ok(None) };
        let numbers = element.to_multi_float64().map_err(|_| self.fail(what, tag, format!("{N} numbers"), "something else"))?;
        if numbers.is_empty() {
            return Ok(None);
        }
        let count = numbers.len();
        let numbers: [f64; N] = numbers.try_into().map_err(|_| self.fail(what, tag, format!("{N} numbers"), format!("{count}")))?;
        if numbers.iter().all(|v| v.is_finite()) {
            Ok(Some(numbers))
        } else {
            Err(self.fail(what, tag, "finite numbers", "an infinity or NaN"))
        }
    }

    fn need<const N: usize>(&self, what: &str, tag: Tag) -> Result<[f64; N]> {
        self.optional(what, tag)?.ok_or_else(|| self.fail(what, tag, format!("{N} numbers"), "no such element"))
    }

    fn whole(&self, what: &str, tag: Tag, default: Option<i64>) -> Result<i64> {
        let value = match (self.optional::<1>(what, tag)?, default) {
            (Some([value]), _) => value,
            (None, Some(default)) => return Ok(default),
            (None, None) => return Err(self.fail(what, tag, "a number", "no such element")),
        };
        #[allow(clippy::cast_possible_truncation, reason = "checked on the line before")]
        if value.fract() == 0.0 && value.abs() < 9e15 { Ok(value as i64) } else { Err(self.fail(what, tag, "a whole number", "another")) }
    }

    fn plane(&self) -> Result<Plane> {
        let position = self.need("image position", POSITION)?;
        let [x0, x1, x2, y0, y1, y2] = self.need("image orientation", ORIENTATION)?;
        let (x, y) = ([x0, x1, x2], [y0, y1, y2]);
        let unit = |v: [f64; 3]| (dot(v, v) - 1.0).abs() < 1e-3;
        if !unit(x) || !unit(y) || dot(x, y).abs() > 1e-3 {
            let found = format!("lengths {:.4} and {:.4}, product {:.4}", dot(x, x).sqrt(), dot(y, y).sqrt(), dot(x, y));
            return Err(self.fail("image orientation", ORIENTATION, "two unit vectors at a right angle", found));
        }
        let spacing: [f64; 2] = self.need("pixel spacing", SPACING)?;
        if spacing.iter().any(|s| *s <= 0.0) {
            return Err(self.fail("pixel spacing", SPACING, "two lengths above 0 mm", format!("{spacing:?}")));
        }
        let thickness = self.optional("slice thickness", THICKNESS)?.map_or(0.0, |[t]: [f64; 1]| t.max(0.0));
        Ok(Plane { position, along_columns: x, along_rows: y, spacing, thickness })
    }

    fn slice(&self) -> Result<DicomSlice> {
        let plane = self.plane()?;
        let side = |what: &str, tag: Tag| -> Result<usize> {
            let value = self.whole(what, tag, None)?;
            usize::try_from(value)
                .ok()
                .filter(|v| (1..=65_535).contains(v))
                .ok_or_else(|| self.fail(what, tag, "1 to 65535", value.to_string()))
        };
        let (rows, columns) = (side("rows", ROWS)?, side("columns", COLUMNS)?);
        for (what, tag) in [("samples per pixel", SAMPLES), ("number of frames", FRAMES)] {
            let found = self.whole(what, tag, Some(1))?;
            if found != 1 {
                return Err(self.fail(what, tag, "1: a single grey image", found.to_string()));
            }
        }
        let bits = self.whole("bits allocated", ALLOCATED, None)?;
        let signed = self.whole("pixel representation", REPRESENTATION, Some(0))? == 1;
        if bits != 8 && bits != 16 {
            return Err(self.fail("bits allocated", ALLOCATED, "8 or 16", bits.to_string()));
        }
        let bytes = self.object.element(PIXELS).ok().and_then(|e| e.to_bytes().ok().map(|b| b.into_owned()));
        let bytes = bytes.ok_or_else(|| self.fail("pixel data", PIXELS, "pixels", "no such element"))?;
        let wanted = rows * columns * (bits as usize / 8);
        // An odd number of bytes is padded by one.
        if bytes.len() != wanted && bytes.len() != wanted + wanted % 2 {
            let expected = format!("{wanted} bytes for {rows} x {columns} pixels of {bits} bits");
            return Err(self.fail("pixel data", PIXELS, expected, format!("{} bytes", bytes.len())));
        }
        let pair = |b: &[u8]| [b[0], b[1]];
        let raw = &bytes[..wanted];
        let mut pixels: Vec<f32> = match (bits, signed) {
            (8, false) => raw.iter().map(|&b| f32::from(b)).collect(),
            (8, true) => raw.iter().map(|&b| f32::from(b.cast_signed())).collect(),
            (_, false) => raw.chunks_exact(2).map(|b| f32::from(u16::from_le_bytes(pair(b)))).collect(),
            (_, true) => raw.chunks_exact(2).map(|b| f32::from(i16::from_le_bytes(pair(b)))).collect(),
        };
        let [slope] = self.optional("rescale slope", SLOPE)?.unwrap_or([1.0]);
        let [intercept] = self.optional("rescale intercept", INTERCEPT)?.unwrap_or([0.0]);
        #[allow(clippy::cast_possible_truncation, reason = "values are handed out as f32")]
        if (slope, intercept) != (1.0, 0.0) {
            pixels.iter_mut().for_each(|p| *p = (f64::from(*p) * slope + intercept) as f32);
        }
        let (series, instance) = (self.whole("series number", SERIES, Some(0))?, self.whole("instance number", INSTANCE, Some(0))?);
        Ok(DicomSlice { shape: [rows, columns], pixels, plane, series, instance })
    }
}

/// The indices of parallel planes in the order of their distance along the first plane's normal.
///
/// # Errors
/// [`Error::Argument`] naming the first plane that is not parallel to the first one (by more than about a degree).
pub fn order_stack(planes: &[Plane]) -> Result<Vec<usize>> {
    let Some(first) = planes.first() else { return Ok(Vec::new()) };
    let normal = first.normal();
    if let Some(at) = planes.iter().position(|p| dot(p.normal(), normal).abs() < 0.9998) {
        let cosine = dot(planes[at].normal(), normal);
        return Err(Error::argument("planes of a stack", "parallel planes", format!("plane {at} with cosine {cosine:.4} to the first")));
    }
    let mut order: Vec<usize> = (0..planes.len()).collect();
    let place = |i: usize| dot(planes[i].position, normal);
    order.sort_by(|&a, &b| place(a).total_cmp(&place(b)).then(a.cmp(&b)));
    Ok(order)
}
