//! The gradient of HebbFF's loss by back-propagation through time, written out.
//!
//! The state enters the loss through every later step, so its gradient `G` runs backwards beside the answers:
//! `G_t = lambda G_{t+1} + da_t x_t^T`. Only the derivative by `lambda` needs the states themselves; they are kept at the
//! start of each chunk and computed again within it, so memory grows with the root of the stream's length.

use crate::net::{Form, HebbNet};
use crate::task::Stream;

/// Mean binary cross entropy over the steps; its gradient is written to `gradient`, in the order of the parameters.
///
/// # Panics
/// If the stream's items do not have the network's width or `gradient` not its number of parameters.
pub fn loss_and_gradient(net: &HebbNet, stream: &Stream, gradient: &mut [f64]) -> f64 {
    let Form { d, n, .. } = net.form;
    assert_eq!((stream.d, gradient.len()), (d, net.form.len()), "width of items and number of parameters");
    let steps = stream.steps();
    let chunk = (steps as f64).sqrt().ceil().max(1.0) as usize;
    let (mut state, mut a) = (vec![0.0; d * n], vec![0.0; n]);
    let mut h = vec![0.0; steps * n];
    let mut starts: Vec<Vec<f64>> = Vec::with_capacity(steps / chunk + 1);
    let mut dz = Vec::with_capacity(steps);
    let mut loss = 0.0;
    for t in 0..steps {
        if t % chunk == 0 {
            starts.push(state.clone());
        }
        let y = net.step(stream.item(t), &mut state, &mut a, &mut h[t * n..(t + 1) * n]);
        let target = f64::from(u8::from(stream.familiar[t]));
        let right = if stream.familiar[t] { y } else { 1.0 - y };
        loss -= right.max(1e-300).ln();
        dz.push((y - target) / steps as f64);
    }

    gradient.fill(0.0);
    let ((eta, eta_slope), (lambda, lambda_slope)) = (net.eta(), net.lambda());
    let (_, _, w2, _) = net.parts();
    let (g_w1, rest) = gradient.split_at_mut(d * n);
    let (g_b1, rest) = rest.split_at_mut(n);
    let (g_w2, scalars) = rest.split_at_mut(n);
    let mut g_state = vec![0.0; d * n];
    let (mut da, mut pull, mut lambda_lanes) = (vec![0.0; n], vec![0.0; n], vec![0.0; n]);
    let mut g_eta = 0.0;
    let mut states: Vec<Vec<f64>> = vec![vec![0.0; d * n]; chunk];
    for (c, start) in starts.iter().enumerate().rev() {
        let range = c * chunk..((c + 1) * chunk).min(steps);
        states[0].copy_from_slice(start);
        for t in range.start + 1..range.end {
            let place = t - range.start;
            let (before, after) = states.split_at_mut(place);
            advance(&before[place - 1], &mut after[0], stream.item(t - 1), &h[(t - 1) * n..t * n], eta, lambda);
        }
        for t in range.clone().rev() {
            let (x, h) = (stream.item(t), &h[t * n..(t + 1) * n]);
            // pull = G_{t+1} x_t, the derivative by eta h_t.
            pull.fill(0.0);
            for ((x, g), s) in x.iter().zip(g_state.chunks_exact(n)).zip(states[t - range.start].chunks_exact(n)) {
                for (((p, g), s), lane) in pull.iter_mut().zip(g).zip(s).zip(&mut lambda_lanes) {
                    *p += x * g;
                    *lane += g * s;
                }
            }
            g_eta += pull.iter().zip(h).map(|(p, h)| p * h).sum::<f64>();
            scalars[0] += dz[t];
            for i in 0..n {
                g_w2[i] += dz[t] * h[i];
                da[i] = (dz[t] * w2[i] + eta * pull[i]) * h[i] * (1.0 - h[i]);
                g_b1[i] += da[i];
            }
            for ((x, g), w) in x.iter().zip(g_state.chunks_exact_mut(n)).zip(g_w1.chunks_exact_mut(n)) {
                for ((g, w), da) in g.iter_mut().zip(w).zip(&da) {
                    *g = lambda * *g + x * da;
                    *w += x * da;
                }
            }
        }
    }
    scalars[1] = g_eta * eta_slope;
    scalars[2] = lambda_lanes.iter().sum::<f64>() * lambda_slope;
    loss / steps as f64
}

/// The next state into `after`.
fn advance(before: &[f64], after: &mut [f64], x: &[f64], h: &[f64], eta: f64, lambda: f64) {
    for ((x, b), a) in x.iter().zip(before.chunks_exact(h.len())).zip(after.chunks_exact_mut(h.len())) {
        for ((b, a), h) in b.iter().zip(a).zip(h) {
            *a = lambda * b + eta * x * h;
        }
    }
}
