//! Random smooth diffeomorphisms: a stationary velocity on a coarse grid, integrated by scaling and squaring.

use super::normal;
use crate::geometry::Vector;
use rand::Rng;

/// Distance of the grid's nodes, mm.
const STEP: f64 = 16.0;
/// First node, mm in the template's frame.
const ORIGIN: Vector = [-112.0, -144.0, -96.0];
/// Nodes along each axis: the grid covers the template with a margin.
const NODES: [usize; 3] = [15, 17, 15];
/// Smoothing passes of [1 2 1] / 4 along each axis.
const PASSES: usize = 3;
/// The velocity is halved so often before it is composed with itself as often.
const SQUARINGS: u32 = 6;

/// A displacement of every point.
#[derive(Clone, Debug, PartialEq)]
pub struct Warp {
    nodes: Vec<Vector>,
}

fn index(at: [usize; 3]) -> usize {
    (at[2] * NODES[1] + at[1]) * NODES[0] + at[0]
}

fn place(node: usize) -> [usize; 3] {
    [node % NODES[0], node / NODES[0] % NODES[1], node / (NODES[0] * NODES[1])]
}

impl Warp {
    /// Draws a warp whose greatest displacement at a node is between half of `limit` and `limit` mm.
    pub fn draw(limit: f64, rng: &mut impl Rng) -> Self {
        let count = NODES.iter().product();
        let mut velocity: Vec<Vector> = (0..count).map(|_| std::array::from_fn(|_| normal(rng))).collect();
        for _ in 0..PASSES {
            for axis in 0..3 {
                velocity = smooth(&velocity, axis);
            }
        }
        let goal = limit * rng.random_range(0.5..=1.0);
        // Integration changes lengths a little, so the goal is met by repeating it with a corrected velocity.
        let mut factor = goal / greatest(&velocity).max(1e-12);
        let mut warp = Self::integrate(&velocity, factor);
        for _ in 0..4 {
            factor *= goal / greatest(&warp.nodes).max(1e-12);
            warp = Self::integrate(&velocity, factor);
        }
        let excess = greatest(&warp.nodes) / limit.max(1e-12);
        if excess > 1.0 {
            warp.nodes.iter_mut().for_each(|n| *n = n.map(|v| v / excess));
        }
        warp
    }

    fn integrate(velocity: &[Vector], factor: f64) -> Self {
        let scale = factor / f64::from(2u32.pow(SQUARINGS));
        let mut warp = Self { nodes: velocity.iter().map(|v| v.map(|x| x * scale)).collect() };
        for _ in 0..SQUARINGS {
            let composed = (0..warp.nodes.len()).map(|node| {
                let at = place(node);
                let point: Vector = std::array::from_fn(|i| ORIGIN[i] + at[i] as f64 * STEP);
                let own = warp.nodes[node];
                let there = warp.displacement(std::array::from_fn(|i| point[i] + own[i]));
                std::array::from_fn(|i| own[i] + there[i])
            });
            warp = Self { nodes: composed.collect() };
        }
        warp
    }

    /// Displacement of a point, trilinear between nodes; beyond the grid that of its border.
    pub fn displacement(&self, point: Vector) -> Vector {
        let mut base = [0; 3];
        let mut part = [0.0; 3];
        for axis in 0..3 {
            let at = ((point[axis] - ORIGIN[axis]) / STEP).clamp(0.0, (NODES[axis] - 1) as f64);
            base[axis] = (at as usize).min(NODES[axis] - 2);
            part[axis] = at - base[axis] as f64;
        }
        let mut sum = [0.0; 3];
        for corner in 0..8usize {
            let mut weight = 1.0;
            let mut node = base;
            for axis in 0..3 {
                let upper = corner >> axis & 1;
                node[axis] += upper;
                weight *= if upper == 1 { part[axis] } else { 1.0 - part[axis] };
            }
            let value = self.nodes[index(node)];
            (0..3).for_each(|i| sum[i] += weight * value[i]);
        }
        sum
    }

    /// Where a point goes.
    pub fn apply(&self, point: Vector) -> Vector {
        let moved = self.displacement(point);
        std::array::from_fn(|i| point[i] + moved[i])
    }

    /// Greatest displacement, mm.
    pub fn greatest(&self) -> f64 {
        greatest(&self.nodes)
    }
}

fn greatest(nodes: &[Vector]) -> f64 {
    nodes.iter().map(|n| crate::geometry::dot(*n, *n)).fold(0.0, f64::max).sqrt()
}

fn smooth(values: &[Vector], axis: usize) -> Vec<Vector> {
    let neighbour = |node: usize, up: bool| {
        let mut at = place(node);
        at[axis] = if up { (at[axis] + 1).min(NODES[axis] - 1) } else { at[axis].saturating_sub(1) };
        values[index(at)]
    };
    let mix = |node: usize| {
        let (down, own, up) = (neighbour(node, false), values[node], neighbour(node, true));
        std::array::from_fn(|i| 0.25 * down[i] + 0.5 * own[i] + 0.25 * up[i])
    };
    (0..values.len()).map(mix).collect()
}
