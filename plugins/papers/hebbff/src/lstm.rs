//! The baseline with gated memory: an LSTM of the same width on the same streams.

use crate::net::sigmoid;
use crate::random::normal;
use crate::task::Stream;
use rand::Rng;

/// An LSTM with a logistic output. Parameters in one vector: `W [4n, d]`, `U [4n, n]`, `b [4n]` (gates input, forget, cell,
/// output, in PyTorch's order), `W2 [n]`, `b2`.
#[derive(Clone, Debug, PartialEq)]
pub struct Lstm {
    /// Bits of an item.
    pub d: usize,
    /// Hidden units.
    pub n: usize,
    /// All parameters.
    pub theta: Vec<f64>,
}

/// The parts of a parameter vector, or of its gradient.
struct Parts<T> {
    w: T,
    u: T,
    b: T,
    w2: T,
    b2: T,
}

/// What a step leaves for the way back.
struct Kept {
    gates: Vec<f64>,
    cell: Vec<f64>,
    hidden: Vec<f64>,
}

impl Lstm {
    /// Number of parameters.
    pub fn parameters(d: usize, n: usize) -> usize {
        4 * n * (d + n + 1) + n + 1
    }

    /// Initial weights: normal, scaled by fan-in; the forget gate's bias is 1.
    pub fn new(d: usize, n: usize, rng: &mut impl Rng) -> Self {
        let mut net = Self { d, n, theta: vec![0.0; Self::parameters(d, n)] };
        let (w, u) = (4 * n * d, 4 * n * n);
        net.theta[..w].iter_mut().for_each(|v| *v = normal(rng) / (d as f64).sqrt());
        net.theta[w..w + u].iter_mut().for_each(|v| *v = normal(rng) / (n as f64).sqrt());
        net.theta[w + u + n..w + u + 2 * n].fill(1.0);
        net.theta[w + u + 4 * n..w + u + 5 * n].iter_mut().for_each(|v| *v = normal(rng) / (n as f64).sqrt());
        net
    }

    fn parts(&self) -> Parts<&[f64]> {
        let n = self.n;
        let (w, rest) = self.theta.split_at(4 * n * self.d);
        let (u, rest) = rest.split_at(4 * n * n);
        let (b, rest) = rest.split_at(4 * n);
        Parts { w, u, b, w2: &rest[..n], b2: &rest[n..] }
    }

    fn step(&self, x: &[f64], hidden: &[f64], cell: &[f64]) -> (Kept, f64) {
        let n = self.n;
        let parts = self.parts();
        let mut gates = parts.b.to_vec();
        for (k, gate) in gates.iter_mut().enumerate() {
            *gate += dot(&parts.w[k * self.d..][..self.d], x) + dot(&parts.u[k * n..][..n], hidden);
            *gate = if k / n == 2 { gate.tanh() } else { sigmoid(*gate) };
        }
        let cell: Vec<f64> = (0..n).map(|i| gates[n + i] * cell[i] + gates[i] * gates[2 * n + i]).collect();
        let hidden: Vec<f64> = (0..n).map(|i| gates[3 * n + i] * cell[i].tanh()).collect();
        let y = sigmoid(dot(parts.w2, &hidden) + parts.b2[0]);
        (Kept { gates, cell, hidden }, y)
    }

    /// Answers to a whole stream from an empty state.
    pub fn answers(&self, stream: &Stream) -> Vec<f64> {
        let (mut hidden, mut cell) = (vec![0.0; self.n], vec![0.0; self.n]);
        (0..stream.steps())
            .map(|t| {
                let (kept, y) = self.step(stream.item(t), &hidden, &cell);
                (hidden, cell) = (kept.hidden, kept.cell);
                y
            })
            .collect()
    }

    /// Mean binary cross entropy; its gradient is written to `gradient`.
    ///
    /// # Panics
    /// If the stream's items do not have the network's width or `gradient` not its number of parameters.
    pub fn loss_and_gradient(&self, stream: &Stream, gradient: &mut [f64]) -> f64 {
        let (d, n, steps) = (self.d, self.n, stream.steps());
        assert_eq!((stream.d, gradient.len()), (d, self.theta.len()), "width of items and number of parameters");
        let zeros = vec![0.0; n];
        let mut kept: Vec<Kept> = Vec::with_capacity(steps);
        let mut dz = Vec::with_capacity(steps);
        let mut loss = 0.0;
        for t in 0..steps {
            let (hidden, cell) = kept.last().map_or((&zeros, &zeros), |k| (&k.hidden, &k.cell));
            let (step, y) = self.step(stream.item(t), hidden, cell);
            let right = if stream.familiar[t] { y } else { 1.0 - y };
            loss -= right.max(1e-300).ln();
            dz.push((y - f64::from(u8::from(stream.familiar[t]))) / steps as f64);
            kept.push(step);
        }
        gradient.fill(0.0);
        let parts = self.parts();
        let (g_w, rest) = gradient.split_at_mut(4 * n * d);
        let (g_u, rest) = rest.split_at_mut(4 * n * n);
        let (g_b, rest) = rest.split_at_mut(4 * n);
        let (g_w2, g_b2) = rest.split_at_mut(n);
        let (mut dh, mut dc, mut dg) = (vec![0.0; n], vec![0.0; n], vec![0.0; 4 * n]);
        for t in (0..steps).rev() {
            let Kept { gates, cell, hidden } = &kept[t];
            let (before_h, before_c) = match t {
                0 => (&zeros, &zeros),
                _ => (&kept[t - 1].hidden, &kept[t - 1].cell),
            };
            g_b2[0] += dz[t];
            for i in 0..n {
                let (input, forget, update, output) = (gates[i], gates[n + i], gates[2 * n + i], gates[3 * n + i]);
                let squashed = cell[i].tanh();
                g_w2[i] += dz[t] * hidden[i];
                let dh = dh[i] + dz[t] * parts.w2[i];
                let dcell = dc[i] + dh * output * (1.0 - squashed * squashed);
                dg[i] = dcell * update * input * (1.0 - input);
                dg[n + i] = dcell * before_c[i] * forget * (1.0 - forget);
                dg[2 * n + i] = dcell * input * (1.0 - update * update);
                dg[3 * n + i] = dh * squashed * output * (1.0 - output);
                dc[i] = dcell * forget;
            }
            dh.fill(0.0);
            for (k, &g) in dg.iter().enumerate() {
                g_b[k] += g;
                axpy(g, stream.item(t), &mut g_w[k * d..][..d]);
                axpy(g, before_h, &mut g_u[k * n..][..n]);
                axpy(g, &parts.u[k * n..][..n], &mut dh);
            }
        }
        loss / steps as f64
    }
}

/// In four lanes, so that additions do not wait for one another.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut lanes = [0.0; 4];
    let (whole_a, whole_b) = (a.chunks_exact(4), b.chunks_exact(4));
    let rest: f64 = whole_a.remainder().iter().zip(whole_b.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in whole_a.zip(whole_b) {
        for lane in 0..4 {
            lanes[lane] += a[lane] * b[lane];
        }
    }
    lanes.iter().sum::<f64>() + rest
}

fn axpy(scale: f64, x: &[f64], y: &mut [f64]) {
    y.iter_mut().zip(x).for_each(|(y, x)| *y += scale * x);
}
