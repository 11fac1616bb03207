//! Where two imaging planes cut each other (specification section 2), exact, from DICOM's position and orientation.
//!
//! Lengths are millimetres, pixel coordinates are `(u, v)` = (column, row), 0 at the centre of the first pixel.

use zoo_core::{Error, Result};

/// A point or a direction in the patient's frame.
pub type Vector = [f64; 3];

/// Below this length of the product of unit normals two planes count as parallel (about 0.06 thousandths of a degree).
const PARALLEL: f64 = 1e-6;

/// Inner product.
pub fn dot(a: Vector, b: Vector) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

/// Cross product.
pub fn cross(a: Vector, b: Vector) -> Vector {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

/// `a + s * b`.
pub fn along(a: Vector, s: f64, b: Vector) -> Vector {
    std::array::from_fn(|i| a[i] + s * b[i])
}

fn unit(a: Vector) -> Vector {
    let length = dot(a, a).sqrt();
    a.map(|v| v / length)
}

/// The plane of an image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plane {
    /// Centre of the first pixel (`ImagePositionPatient`).
    pub position: Vector,
    /// Unit vector along increasing column index (first half of `ImageOrientationPatient`).
    pub x: Vector,
    /// Unit vector along increasing row index (second half).
    pub y: Vector,
    /// Distance between rows (first number of `PixelSpacing`).
    pub row_spacing: f64,
    /// Distance between columns (second number).
    pub column_spacing: f64,
    /// `SliceThickness`; 0 where unknown.
    pub thickness: f64,
}

impl Plane {
    /// From the twelve numbers of a data set's `plane` field.
    ///
    /// # Errors
    /// [`Error::Argument`] if a number is not finite, the directions are not two unit vectors at a right angle (to
    /// 1e-3) or a spacing is not above 0.
    pub fn from_array(values: &[f64]) -> Result<Self> {
        let fail = |expected: &str| Err(Error::argument("plane of an image", expected, format!("{values:?}")));
        let &[px, py, pz, x0, x1, x2, y0, y1, y2, row_spacing, column_spacing, thickness] = values else {
            return fail("12 numbers");
        };
        let (x, y) = ([x0, x1, x2], [y0, y1, y2]);
        if values.iter().any(|v| !v.is_finite()) {
            return fail("finite numbers");
        }
        if (dot(x, x) - 1.0).abs() > 1e-3 || (dot(y, y) - 1.0).abs() > 1e-3 || dot(x, y).abs() > 1e-3 {
            return fail("two unit vectors at a right angle");
        }
        if row_spacing <= 0.0 || column_spacing <= 0.0 || thickness < 0.0 {
            return fail("spacings above 0 mm");
        }
        Ok(Self { position: [px, py, pz], x, y, row_spacing, column_spacing, thickness })
    }

    /// Unit normal `x` x `y`.
    pub fn normal(&self) -> Vector {
        unit(cross(self.x, self.y))
    }

    /// The point under pixel `(u, v)`.
    pub fn point(&self, u: f64, v: f64) -> Vector {
        along(along(self.position, u * self.column_spacing, self.x), v * self.row_spacing, self.y)
    }

    /// The pixel `(u, v)` under a point, projected along the normal if it lies off the plane.
    pub fn pixel(&self, point: Vector) -> [f64; 2] {
        let from = along(point, -1.0, self.position);
        [dot(from, self.x) / self.column_spacing, dot(from, self.y) / self.row_spacing]
    }

    /// Signed distance of a point from the plane.
    pub fn distance(&self, point: Vector) -> f64 {
        dot(self.normal(), along(point, -1.0, self.position))
    }

    /// The line in which another plane cuts this one; `None` if they are parallel.
    pub fn intersection(&self, other: &Self) -> Option<Line3> {
        let (n1, n2) = (self.normal(), other.normal());
        let d = cross(n1, n2);
        if dot(d, d).sqrt() < PARALLEL {
            return None;
        }
        // The coordinate along the largest component of the direction is set to 0, which keeps the rest well conditioned.
        let axis = (0..3).max_by(|&a, &b| d[a].abs().total_cmp(&d[b].abs()))?;
        let (i, j) = ((axis + 1) % 3, (axis + 2) % 3);
        let (h1, h2) = (dot(n1, self.position), dot(n2, other.position));
        let determinant = n1[i] * n2[j] - n1[j] * n2[i];
        let mut point = [0.0; 3];
        point[i] = (h1 * n2[j] - h2 * n1[j]) / determinant;
        point[j] = (n1[i] * h2 - n2[i] * h1) / determinant;
        Some(Line3 { point, direction: unit(d) })
    }

    /// A line of space in this image's pixels.
    pub fn project(&self, line: &Line3) -> PixelLine {
        let [u0, v0] = self.pixel(line.point);
        let [u1, v1] = self.pixel(along(line.point, 1.0, line.direction));
        PixelLine::through([u0, v0], [u1, v1])
    }

    /// Where another view cuts this image, in pixels; `None` if they are parallel.
    pub fn line_of(&self, other: &Self) -> Option<PixelLine> {
        self.intersection(other).map(|line| self.project(&line))
    }
}

/// A line of space.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line3 {
    /// A point on it.
    pub point: Vector,
    /// Its direction, of length 1.
    pub direction: Vector,
}

impl Line3 {
    /// Distance of a point from the line.
    pub fn distance(&self, point: Vector) -> f64 {
        let off = cross(along(point, -1.0, self.point), self.direction);
        dot(off, off).sqrt()
    }
}

/// `a u + b v + c = 0` with `a^2 + b^2 = 1`, so that the left side is the signed distance in pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PixelLine {
    /// Coefficient of the column.
    pub a: f64,
    /// Coefficient of the row.
    pub b: f64,
    /// The rest.
    pub c: f64,
}

impl PixelLine {
    /// The line through two different points.
    pub fn through([u0, v0]: [f64; 2], [u1, v1]: [f64; 2]) -> Self {
        Self::of(v1 - v0, u0 - u1, u1 * v0 - u0 * v1)
    }

    fn of(a: f64, b: f64, c: f64) -> Self {
        let length = a.hypot(b);
        Self { a: a / length, b: b / length, c: c / length }
    }

    /// Signed distance of a pixel.
    pub fn signed(&self, u: f64, v: f64) -> f64 {
        self.a * u + self.b * v + self.c
    }

    /// The line after pixels moved by `u' = k_u u + t_u`, `v' = k_v v + t_v` (resampling and cropping), exactly.
    #[must_use]
    pub fn moved(&self, map: &PixelMap) -> Self {
        let (a, b) = (self.a / map.scale[0], self.b / map.scale[1]);
        Self::of(a, b, self.c - a * map.shift[0] - b * map.shift[1])
    }

    /// Where the line enters and leaves an image of so many rows and columns; `None` if it misses it.
    pub fn clip(&self, rows: usize, columns: usize) -> Option<[[f64; 2]; 2]> {
        let (right, bottom) = (columns as f64 - 1.0, rows as f64 - 1.0);
        // Along the line: point + s * (-b, a).
        let point = [-self.a * self.c, -self.b * self.c];
        let direction = [-self.b, self.a];
        let (mut from, mut to) = (f64::NEG_INFINITY, f64::INFINITY);
        for (axis, limit) in [right, bottom].into_iter().enumerate() {
            if direction[axis].abs() < 1e-15 {
                if !(0.0..=limit).contains(&point[axis]) {
                    return None;
                }
                continue;
            }
            let ends = [-point[axis] / direction[axis], (limit - point[axis]) / direction[axis]];
            from = from.max(ends[0].min(ends[1]));
            to = to.min(ends[0].max(ends[1]));
        }
        let at = |s: f64| [point[0] + s * direction[0], point[1] + s * direction[1]];
        (from <= to && from.is_finite() && to.is_finite()).then(|| [at(from), at(to)])
    }

    /// Angle between two lines, 0 to 90 degrees.
    pub fn angle_to(&self, other: &Self) -> f64 {
        let cosine = (self.a * other.a + self.b * other.b).abs();
        let sine = (self.a * other.b - self.b * other.a).abs();
        sine.atan2(cosine).to_degrees()
    }

    /// Difference of the two lines' signed distances from a pixel, with the normals on the same side.
    pub fn offset_to(&self, other: &Self, u: f64, v: f64) -> f64 {
        let sign = if self.a * other.a + self.b * other.b < 0.0 { -1.0 } else { 1.0 };
        (self.signed(u, v) - sign * other.signed(u, v)).abs()
    }
}

/// How pixels move in preprocessing: `u' = scale[0] u + shift[0]`, `v' = scale[1] v + shift[1]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PixelMap {
    /// Factors on column and row.
    pub scale: [f64; 2],
    /// Summands on column and row.
    pub shift: [f64; 2],
}

/// Relative places of the slices of a parallel stack: 0 at one end, 1 at the other; `None` for a stack of one slice or
/// without extent, which has no target. `l_i = -(n . P_i)`, with the normal turned so that `n . towards >= 0`: which end
/// is 0 must not depend on how each slice was stored.
pub fn slice_locations(stack: &[Plane], towards: Vector) -> Option<Vec<f64>> {
    let normal = stack.first()?.normal();
    let sign = if dot(normal, towards) < 0.0 { -1.0 } else { 1.0 };
    let places: Vec<f64> = stack.iter().map(|p| -sign * dot(normal, p.position)).collect();
    let (low, high) = places.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), &p| (l.min(p), h.max(p)));
    (high - low > 1e-6).then(|| places.iter().map(|p| (p - low) / (high - low)).collect())
}
