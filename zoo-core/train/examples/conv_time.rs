use std::time::Instant;
use zoo_train::kernels::*;
fn main() {
    let threads: usize = std::env::args().nth(1).map_or(2, |x| x.parse().unwrap());
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global().unwrap();
    for (n, ci, co, h) in [(256, 1, 16, 28), (256, 16, 16, 28), (256, 16, 32, 14), (256, 32, 32, 14), (256, 32, 48, 7), (256, 48, 48, 7), (4,16,16,128),(4,96,32,64),(4,48,16,128),(4,64,64,32)] {
        let c = Conv2d::new([n, ci, h, h], [co, ci, 3, 3], Conv2dOptions::padded(1)).unwrap();
        let x: Vec<f32> = (0..c.input_len()).map(|i| (i % 97) as f32 / 97.0).collect();
        let w: Vec<f32> = (0..c.weight_len()).map(|i| (i % 89) as f32 / 89.0).collect();
        let (mut y, mut dx, mut dw) = (vec![0.0; c.output_len()], vec![0.0; x.len()], vec![0.0; w.len()]);
        let g = y.iter().enumerate().map(|(i, _)| (i % 83) as f32).collect::<Vec<_>>();
        let mut s = Scratch::new();
        let mut best = [f64::MAX; 3];
        for _ in 0..12 {
            let t = Instant::now();
            c.forward(&x, &w, None, &mut y, &mut s).unwrap();
            best[0] = best[0].min(t.elapsed().as_secs_f64());
            let t = Instant::now();
            c.backward(&x, &w, &g, Conv2dGrads { input: Some(&mut dx), ..Default::default() }, &mut s).unwrap();
            best[1] = best[1].min(t.elapsed().as_secs_f64());
            let t = Instant::now();
            c.backward(&x, &w, &g, Conv2dGrads { weight: Some(&mut dw), ..Default::default() }, &mut s).unwrap();
            best[2] = best[2].min(t.elapsed().as_secs_f64());
        }
        let mac = (n * h * h * ci * co * 9) as f64 * 2e-9;
        println!("{n} {ci} {co} {h}: fwd {:.2} ms {:.0} GF  dx {:.2} ms {:.0} GF  dw {:.2} ms {:.0} GF", best[0] * 1e3, mac / best[0], best[1] * 1e3, mac / best[1], best[2] * 1e3, mac / best[2]);
    }
}
