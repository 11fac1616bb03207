//! Simulated patients: what the specification bounds, on a small made-up template.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use zoo_core::{Config, Silent, Tensor};
use zoo_imaging_planes::config::PaperConfig;
use zoo_imaging_planes::full_scale;
use zoo_imaging_planes::geometry::dot;
use zoo_imaging_planes::sim::{self, FOUR_CHAMBER, SHORT_AXIS, Split, TWO_CHAMBER, Template, Warp};

fn paper(name: &str) -> PaperConfig {
    let text = std::fs::read_to_string(format!("{}/config/{name}.toml", env!("CARGO_MANIFEST_DIR"))).unwrap();
    PaperConfig::read(&Config::new(toml::from_str::<serde_json::Value>(&text).unwrap())).unwrap()
}

/// Two nested balls around the middle of the brain, in voxels of 4 mm: white inside, grey outside.
fn template() -> Template {
    let (dims, origin) = ([50usize, 58, 48], [-98.0, -134.0, -72.0]);
    let mut maps = [vec![0u8; 50 * 58 * 48], vec![0; 50 * 58 * 48], vec![0; 50 * 58 * 48]];
    for i in 0..maps[0].len() {
        let at = [i % 50, i / 50 % 58, i / (50 * 58)];
        let p: [f64; 3] = std::array::from_fn(|a| origin[a] + 4.0 * at[a] as f64 - [0.0, -18.0, 10.0][a]);
        let radius = dot(p, p).sqrt();
        maps[0][i] = if radius < 40.0 { 230 } else { u8::from(radius < 60.0) * 140 };
        maps[1][i] = u8::from((40.0..60.0).contains(&radius)) * 255;
        maps[2][i] = u8::from(radius < 40.0) * 255;
    }
    let tensor = |m: &Vec<u8>| Tensor::from_vec([dims[2], dims[1], dims[0]], m.clone()).unwrap();
    let mut affine = vec![0.0f64; 16];
    for axis in 0..3 {
        (affine[5 * axis], affine[4 * axis + 3]) = (4.0, origin[axis]);
    }
    affine[15] = 1.0;
    let [t1, gm, wm] = [tensor(&maps[0]), tensor(&maps[1]), tensor(&maps[2])];
    Template::new([&t1, &gm, &wm], &Tensor::from_vec([4, 4], affine).unwrap()).unwrap()
}

#[test]
fn patients_repeat_and_keep_their_bounds() {
    let paper = paper("pretext-t1t2");
    let (sim, template) = (paper.sim().unwrap(), template());
    let [one, again] = [0, 0].map(|i| sim::patient(&template, sim, &paper.network, i).unwrap());
    assert_eq!(one, again);
    assert_ne!(one.slices[0].image, sim::patient(&template, sim, &paper.network, 1).unwrap().slices[0].image);
    assert_eq!(one.slices.len(), 10);
    let places: Vec<f64> = one.slices.iter().map(|s| s.location).collect();
    assert!((places[0] - 1.0).abs() < 1e-9 && places[9].abs() < 1e-9 && places.windows(2).all(|w| w[0] > w[1]));
    for slice in &one.slices {
        let mean = slice.image.iter().sum::<f32>() / slice.image.len() as f32;
        assert!(mean.abs() < 1e-4);
    }
    let middle = &one.slices[5];
    for class in 0..3 {
        assert!(middle.labels.iter().filter(|l| **l == class).count() > 300, "class {class}");
    }
    // Both views cut every slice, and the heat is 1 on the line.
    let heat = one.heat(5, &paper.network).unwrap();
    assert_eq!(heat.len(), 2 * 96 * 96);
    assert!(heat.chunks_exact(96 * 96).all(|map| map.iter().copied().fold(0.0, f32::max) > 0.98));
    // The pose turns by at most 15 degrees.
    assert!(dot(middle.plane.normal(), SHORT_AXIS.normal) > 15f64.to_radians().cos() - 1e-9);
    assert_eq!(Split::Test.range(sim), 44..60);
    assert_eq!(sim::patients(&template, sim, &paper.network, Split::Val, Some(2), &Silent).unwrap()[1].index, 37);
}

#[test]
fn templates_that_are_none_are_refused() {
    let map = |shape: [usize; 3]| Tensor::zeros(zoo_core::DType::U8, shape).unwrap();
    let (a, b, good) =
        (map([2, 3, 4]), map([2, 3, 5]), Tensor::from_vec([4, 4], (0..16).map(|i| f64::from(i % 5 == 0)).collect()).unwrap());
    assert!(Template::new([&a, &a, &a], &good).is_ok());
    assert!(Template::new([&a, &a, &b], &good).is_err());
    assert!(Template::new([&a, &a, &a], &Tensor::zeros(zoo_core::DType::F64, [4, 4]).unwrap()).is_err());
    assert!(Template::new([&a, &a, &a], &Tensor::zeros(zoo_core::DType::F64, [3, 4]).unwrap()).is_err());
    let empty = map([0, 3, 4]);
    assert!(Template::new([&empty, &empty, &empty], &good).is_err());
}

#[test]
fn views_stand_60_to_90_degrees_apart() {
    for (a, b) in [(TWO_CHAMBER, FOUR_CHAMBER), (FOUR_CHAMBER, SHORT_AXIS), (TWO_CHAMBER, SHORT_AXIS)] {
        assert!((dot(a.normal, a.normal) - 1.0).abs() < 1e-12);
        let angle = dot(a.normal, b.normal).abs().acos().to_degrees();
        assert!((60.0..=90.0).contains(&angle), "{angle}");
    }
}

#[test]
fn warps_are_bounded_and_never_fold() {
    for seed in 0..12 {
        let warp = Warp::draw(8.0, &mut ChaCha8Rng::seed_from_u64(seed));
        assert!((3.9..=8.000_001).contains(&warp.greatest()), "{}", warp.greatest());
        let h = 0.5;
        for i in 0..400 {
            let p = [(i % 9) as f64 * 18.0 - 70.0, (i / 9 % 9) as f64 * 20.0 - 100.0, (i / 81) as f64 * 25.0 - 50.0];
            let column = |axis: usize| -> [f64; 3] {
                let (mut a, mut b) = (p, p);
                a[axis] += h;
                b[axis] -= h;
                let (a, b) = (warp.apply(a), warp.apply(b));
                std::array::from_fn(|k| (a[k] - b[k]) / (2.0 * h))
            };
            let (x, y, z) = (column(0), column(1), column(2));
            let jacobian = dot(x, zoo_imaging_planes::geometry::cross(y, z));
            assert!(jacobian > 0.05, "seed {seed}: {jacobian} at {p:?}");
        }
    }
}

#[test]
fn configurations_are_read_and_bad_ones_named() {
    for name in full_scale::CONFIGS.map(|(n, _)| n) {
        let (paper, heads) = full_scale::read(name).unwrap();
        assert_eq!(paper.unverified, name == "knee-cls");
        assert!(heads.iter().all(|h| paper.network(*h).is_ok()) && paper.sim().is_err());
    }
    let text = std::fs::read_to_string(format!("{}/config/pretext-t1t2.toml", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let full = Config::new(toml::from_str::<serde_json::Value>(&text).unwrap()).with("budget", "full");
    let full = PaperConfig::read(&full).unwrap();
    assert_eq!([full.pretext.steps, full.pretext.decay_every, full.target.steps, full.target.decay_every], [1500, 1000, 400, 200]);
    assert!(full_scale::read("acdc").unwrap_err().to_string().contains("dsbcc-acdc-unet"));
    let text = std::fs::read_to_string(format!("{}/config/seg-t1t2-10.toml", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let good: serde_json::Value = toml::from_str(&text).unwrap();
    for (path, value) in [
        ("network.size", 97.into()),
        ("network.classes", 1.into()),
        ("sim.slices", 1.into()),
        ("target.steps", 0.into()),
        ("labelled", 37.into()),
    ] {
        let mut bad = good.clone();
        *path.split('.').fold(&mut bad, |v, key| &mut v[key]) = value;
        assert!(PaperConfig::read(&Config::new(bad)).is_err(), "{path}");
    }
}
