//! Views that are fixed in the template's frame, the pose that carries them, and the frames slices are acquired in.

use crate::config::{NetworkConfig, SimConfig};
use crate::geometry::{Plane, Vector, along, cross, dot};
use rand::Rng;

/// A plane of the template: a point (mm) and a unit normal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct View {
    /// A point of it, the middle of the acquired image.
    pub point: Vector,
    /// Unit normal.
    pub normal: Vector,
}

/// Middle of the brain, around which poses turn.
const MIDDLE: Vector = [0.0, -18.0, 10.0];

/// The "2-chamber" view: the midsagittal plane.
pub const TWO_CHAMBER: View = View { point: MIDDLE, normal: [1.0, 0.0, 0.0] };

/// The "4-chamber" view: oblique, near coronal; 73 and 89 degrees to the other two.
pub const FOUR_CHAMBER: View = View { point: [0.0, -22.0, 10.0], normal: [0.3, 0.926_390_846_243_228_5, -0.227_596_133_527_691_73] };

/// Middle slice of the "short-axis" stack: axial, tilted by 15 degrees.
pub const SHORT_AXIS: View = View { point: [0.0, -18.0, 14.0], normal: [0.0, 0.258_819_045_102_520_74, 0.965_925_826_289_068_3] };

/// A rigid motion: turn around the middle of the brain, then shift.
pub(super) struct Pose {
    rows: [Vector; 3],
    shift: Vector,
}

impl Pose {
    pub(super) fn draw(sim: &SimConfig, rng: &mut impl Rng) -> Self {
        // A direction from the cube's interior; the ball's would do as well, and an axis of length 0 does not occur.
        let axis: Vector = std::array::from_fn(|_| rng.random_range(-1.0..=1.0f64));
        let length = dot(axis, axis).sqrt().max(1e-9);
        let [x, y, z] = axis.map(|a| a / length);
        let (s, c) = rng.random_range(-sim.rotation..=sim.rotation).to_radians().sin_cos();
        let d = 1.0 - c;
        let rows = [
            [c + x * x * d, x * y * d - z * s, x * z * d + y * s],
            [y * x * d + z * s, c + y * y * d, y * z * d - x * s],
            [z * x * d - y * s, z * y * d + x * s, c + z * z * d],
        ];
        Self { rows, shift: std::array::from_fn(|_| rng.random_range(-sim.shift..=sim.shift)) }
    }

    /// A direction of the template in the patient.
    pub(super) fn turn(&self, direction: Vector) -> Vector {
        self.rows.map(|row| dot(row, direction))
    }

    /// A point of the template in the patient.
    fn carry(&self, point: Vector) -> Vector {
        along(along(self.turn(along(point, -1.0, MIDDLE)), 1.0, MIDDLE), 1.0, self.shift)
    }

    /// A point of the patient in the template.
    pub(super) fn undo(&self, point: Vector) -> Vector {
        let from = along(along(point, -1.0, self.shift), -1.0, MIDDLE);
        let back = std::array::from_fn(|i| self.rows[0][i] * from[0] + self.rows[1][i] * from[1] + self.rows[2][i] * from[2]);
        along(back, 1.0, MIDDLE)
    }
}

/// An image of a plane of the template, in a frame of its own: turned and shifted in its plane, or else the answer to
/// the pretext would be the same for every patient.
pub(super) fn acquire(point: Vector, normal: Vector, sim: &SimConfig, network: &NetworkConfig, pose: &Pose, rng: &mut impl Rng) -> Plane {
    // The frame before jitter: columns along the template's x axis, or its y axis for planes that contain no x.
    let seed = if normal[0].abs() < 0.9 { [1.0, 0.0, 0.0] } else { [0.0, 1.0, 0.0] };
    let flat = along(seed, -dot(seed, normal), normal);
    let x0 = flat.map(|v| v / dot(flat, flat).sqrt());
    let y0 = cross(normal, x0);
    let (s, c) = rng.random_range(-sim.frame_rotation..=sim.frame_rotation).to_radians().sin_cos();
    let (x, y) = (std::array::from_fn(|i| c * x0[i] + s * y0[i]), std::array::from_fn(|i| c * y0[i] - s * x0[i]));
    let half = (network.size as f64 - 1.0) / 2.0;
    let [su, sv]: [f64; 2] = std::array::from_fn(|_| rng.random_range(-sim.frame_shift..=sim.frame_shift));
    let corner = along(along(point, -(half + su) * network.spacing, x), -(half + sv) * network.spacing, y);
    Plane {
        position: pose.carry(corner),
        x: pose.turn(x),
        y: pose.turn(y),
        row_spacing: network.spacing,
        column_spacing: network.spacing,
        thickness: sim.gap,
    }
}

/// The short-axis stack, each slice in a frame of its own.
pub(super) fn stack(sim: &SimConfig, network: &NetworkConfig, pose: &Pose, rng: &mut impl Rng) -> Vec<Plane> {
    let middle = (sim.slices as f64 - 1.0) / 2.0;
    let point = |i: usize| along(SHORT_AXIS.point, (i as f64 - middle) * sim.gap, SHORT_AXIS.normal);
    (0..sim.slices).map(|i| acquire(point(i), SHORT_AXIS.normal, sim, network, pose, rng)).collect()
}
