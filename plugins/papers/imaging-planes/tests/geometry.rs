//! Section 2: against numpy, by properties, and by hand.

use proptest::prelude::*;
use zoo_imaging_planes::geometry::{PixelLine, PixelMap, Plane, Vector, along, cross, dot, slice_locations};
use zoo_imaging_planes::heat::{Heat, fit_line, heat_map};
use zoo_imaging_planes::preprocess::prepare;

fn golden(name: &str) -> serde_json::Value {
    let path = format!("{}/golden/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn numbers(value: &serde_json::Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

#[test]
fn distances_from_lines_are_numpys() {
    for case in golden("geometry.json").as_array().unwrap() {
        let planes: Vec<Plane> = case["planes"].as_array().unwrap().iter().map(|p| Plane::from_array(&numbers(p)).unwrap()).collect();
        let line = planes[0].line_of(&planes[1]).unwrap();
        for (sample, wanted) in case["samples"].as_array().unwrap().iter().zip(numbers(&case["distances"])) {
            let [u, v] = numbers(sample)[..] else { panic!() };
            // Planes that cross far away lose digits there.
            assert!((line.signed(u, v).abs() - wanted).abs() < 1e-8 * (1.0 + wanted), "{} against {wanted}", line.signed(u, v));
        }
    }
}

fn plane() -> impl Strategy<Value = Plane> {
    let unit = (-1.0f64..1.0, 0.0f64..std::f64::consts::TAU)
        .prop_map(|(z, t)| [(1.0 - z * z).sqrt() * t.cos(), (1.0 - z * z).sqrt() * t.sin(), z]);
    (unit, 0.0f64..std::f64::consts::TAU, prop::array::uniform3(-200.0f64..200.0), 0.4f64..4.0, 0.4f64..4.0).prop_map(
        |(n, turn, position, row, column)| {
            let seed = if n[0].abs() < 0.7 { [1.0, 0.0, 0.0] } else { [0.0, 1.0, 0.0] };
            let flat: Vector = along(seed, -dot(seed, n), n);
            let x0 = flat.map(|v| v / dot(flat, flat).sqrt());
            let y0 = cross(n, x0);
            let x = std::array::from_fn(|i| turn.cos() * x0[i] + turn.sin() * y0[i]);
            Plane { position, x, y: cross(n, x), row_spacing: row, column_spacing: column, thickness: 5.0 }
        },
    )
}

proptest! {
    #[test]
    fn lines_lie_in_both_planes_and_agree(a in plane(), b in plane()) {
        prop_assume!(dot(a.normal(), b.normal()).abs() < 0.99);
        let line = a.intersection(&b).unwrap();
        for s in [-150.0, 0.0, 150.0] {
            let point = along(line.point, s, line.direction);
            prop_assert!(a.distance(point).abs() < 1e-6 && b.distance(point).abs() < 1e-6);
            prop_assert!(b.intersection(&a).unwrap().distance(point) < 1e-6);
        }
        if let Some(ends) = a.project(&line).clip(256, 192) {
            for [u, v] in ends {
                prop_assert!((-1e-6..=191.000_001).contains(&u) && (-1e-6..=255.000_001).contains(&v));
                let point = a.point(u, v);
                prop_assert!(a.distance(point).abs() < 1e-6 && b.distance(point).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn pixels_and_points_undo_each_other(p in plane(), u in -50.0f64..300.0, v in -50.0f64..300.0) {
        let [u2, v2] = p.pixel(p.point(u, v));
        prop_assert!((u - u2).abs() < 1e-9 * 1e3 && (v - v2).abs() < 1e-9 * 1e3);
    }

    #[test]
    fn moving_pixels_moves_lines(a in plane(), b in plane(), k in 0.3f64..3.0, q in 0.3f64..3.0, s in -60.0f64..60.0, t in -60.0f64..60.0) {
        prop_assume!(dot(a.normal(), b.normal()).abs() < 0.95);
        let line = a.line_of(&b).unwrap();
        prop_assume!(line.c.abs() < 2000.0);
        let map = PixelMap { scale: [k, q], shift: [s, t] };
        let moved = line.moved(&map);
        for along in [-80.0, 0.0, 80.0] {
            let (u, v) = (-line.a * line.c - along * line.b, -line.b * line.c + along * line.a);
            prop_assert!(moved.signed(k * u + s, q * v + t).abs() < 1e-6);
        }
    }

    #[test]
    fn a_line_is_found_again_in_its_heat_map(angle in 0.0f64..std::f64::consts::PI, offset in -20.0f64..20.0) {
        let (a, b) = (angle.cos(), angle.sin());
        let line = PixelLine { a, b, c: -(a * 47.5 + b * 47.5) - offset };
        let found = fit_line(&heat_map(&line, 96, 96, (3.0, 1.0)), 96).unwrap();
        prop_assert!(line.angle_to(&found) < 1.5, "{}", line.angle_to(&found));
        prop_assert!(line.offset_to(&found, 47.5, 47.5) < 0.8, "{}", line.offset_to(&found, 47.5, 47.5));
    }

    #[test]
    fn stacks_run_from_0_to_1_whatever_the_orientation_is_stored_like(p in plane(), flip: bool, mut gaps in prop::collection::vec(0.5f64..20.0, 1..12)) {
        let mut at = 0.0;
        gaps.insert(0, 0.0);
        let stack: Vec<Plane> = gaps.iter().map(|g| { at += g; Plane { position: along(p.position, at, p.normal()), ..p } }).collect();
        let places = slice_locations(&stack, p.normal()).unwrap();
        prop_assert!(places.windows(2).all(|w| w[0] > w[1]) && places[0] == 1.0 && *places.last().unwrap() == 0.0);
        // The same slices stored with columns and rows exchanged, so that the normal points the other way.
        let stored: Vec<Plane> = stack.iter().map(|s| if flip { Plane { x: s.y, y: s.x, ..*s } } else { *s }).collect();
        let again = slice_locations(&stored, p.normal()).unwrap();
        prop_assert!(places.iter().zip(&again).all(|(a, b)| (a - b).abs() < 1e-9));
    }
}

fn axial(z: f64) -> Plane {
    Plane { position: [0.0, 0.0, z], x: [1.0, 0.0, 0.0], y: [0.0, 1.0, 0.0], row_spacing: 2.0, column_spacing: 1.0, thickness: 8.0 }
}

/// By hand: a sagittal plane x = 12 cuts an axial image of columns 1 mm apart in column 12; rows 2 mm apart do not matter,
/// which is where spacings are easily swapped. A coronal plane y = 12 cuts it in row 6.
#[test]
fn spacings_are_not_swapped() {
    let sagittal = Plane { position: [12.0, -3.0, 5.0], x: [0.0, 1.0, 0.0], y: [0.0, 0.0, 1.0], ..axial(0.0) };
    let coronal = Plane { position: [7.0, 12.0, 5.0], x: [1.0, 0.0, 0.0], y: [0.0, 0.0, 1.0], ..axial(0.0) };
    let line = axial(0.0).line_of(&sagittal).unwrap();
    assert!(line.signed(12.0, 40.0).abs() < 1e-12 && (line.signed(13.0, 0.0).abs() - 1.0).abs() < 1e-12);
    let line = axial(0.0).line_of(&coronal).unwrap();
    assert!(line.signed(40.0, 6.0).abs() < 1e-12 && (line.signed(0.0, 7.0).abs() - 1.0).abs() < 1e-12);
}

#[test]
fn parallel_planes_and_flat_stacks_have_no_target() {
    assert!(axial(0.0).intersection(&axial(5.0)).is_none());
    assert!(slice_locations(&[axial(1.0)], [0.0, 0.0, 1.0]).is_none());
    assert!(slice_locations(&[axial(1.0), axial(1.0)], [0.0, 0.0, 1.0]).is_none());
    assert!(slice_locations(&[], [0.0, 0.0, 1.0]).is_none());
}

#[test]
fn planes_that_are_none_are_refused() {
    let good = [0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0];
    assert!(Plane::from_array(&good).is_ok() && Plane::from_array(&good[..11]).is_err());
    for (at, value) in [(0, f64::NAN), (3, 0.5), (6, 0.9), (9, 0.0), (10, -1.0), (11, -2.0)] {
        let mut bad = good;
        bad[at] = value;
        assert!(Plane::from_array(&bad).is_err(), "{at}");
    }
}

#[test]
fn both_heats_by_hand() {
    let line = PixelLine { a: 1.0, b: 0.0, c: -4.0 };
    let view = axial(0.0);
    let unit = Heat::GaussUnit { sigma: 2.0 };
    let map = heat_map(&line, 2, 9, unit.shape(&view, 1.0).unwrap());
    assert_eq!(map[4], 1.0);
    assert!((map[9 + 6] - (-0.5f32).exp()).abs() < 1e-6);
    // Thickness 8 mm, pixels of 2 mm, half of it: a deviation of 2 pixels and a peak of 1 / (2 sqrt(2 pi)).
    let density = Heat::GaussDensity { alpha: 0.5 };
    let map = heat_map(&line, 1, 9, density.shape(&view, 2.0).unwrap());
    assert!((map[4] - 0.199_471_14).abs() < 1e-6 && (map.iter().sum::<f32>() - 0.954_499_7).abs() < 0.03);
    assert!(density.shape(&Plane { thickness: 0.0, ..view }, 2.0).is_err());
    assert!(fit_line(&[0.0; 81], 9).is_none() && fit_line(&[1.0; 81], 9).is_none());
}

#[test]
fn preparing_carries_lines_along_and_standardises() {
    // A bright column at u = 30 of a 40 x 80 image; pixels 2 mm wide and 1 mm high, resampled to 1 mm.
    let image: Vec<f32> = (0..40 * 80).map(|i| if i % 80 == 30 { 500.0 } else { 0.0 }).collect();
    let prepared = prepare(&image, [40, 80], [1.0, 2.0], 1.0, 64).unwrap();
    let line = PixelLine { a: 1.0, b: 0.0, c: -30.0 }.moved(&prepared.map);
    let row = &prepared.pixels[32 * 64..33 * 64];
    let sum: f32 = row.iter().map(|p| p - row[0]).sum();
    let centre: f32 = row.iter().enumerate().map(|(u, p)| u as f32 * (p - row[0])).sum::<f32>() / sum;
    assert!(line.signed(f64::from(centre), 32.0).abs() < 1e-4, "{centre}");
    let mean = prepared.pixels.iter().sum::<f32>() / 4096.0;
    let variance = prepared.pixels.iter().map(|p| (p - mean).powi(2)).sum::<f32>() / 4096.0;
    assert!(mean.abs() < 1e-5 && (variance - 1.0).abs() < 1e-4);
    // Rows 40 of 64: padded above and below with zeros before standardising, so the corner is the background.
    assert!(prepare(&image, [40, 79], [1.0, 2.0], 1.0, 64).is_err());
    assert!(prepare(&image, [40, 80], [1.0, 2.0], 1e-9, 64).is_err());
    assert!(prepare(&[3.0; 4], [2, 2], [1.0, 1.0], 1.0, 2).unwrap().pixels.iter().all(|p| *p == 0.0));
}

/// A 60 x 50 image of 2.52 mm pixels becomes twice as large at 1.26 mm; a sagittal view through column 20 then lies where
/// area-aligned resampling puts that column's centre, and the second of three slices is in the middle.
#[test]
fn real_headers_become_items() {
    use zoo_core::Tensor;
    use zoo_imaging_planes::config::NetworkConfig;
    use zoo_imaging_planes::real::pretext_item;
    let network = NetworkConfig {
        preset: Default::default(),
        feature_scale: 8,
        classes: 4,
        size: 96,
        spacing: 1.26,
        heat: Heat::GaussUnit { sigma: 6.0 },
    };
    let sax = [0.0, 0.0, 10.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 2.52, 2.52, 8.0];
    let two = [20.0 * 2.52, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 6.0];
    let four = [0.0, 30.0 * 2.52, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 6.0];
    let vector = |v: &[f64]| Tensor::from_vec([v.len()], v.to_vec()).unwrap();
    let image = Tensor::from_vec([60, 50], (0..3000).map(|i| (i % 50) as f32).collect()).unwrap();
    let fields = |extent: [f64; 2], four: &[f64]| [image.clone(), vector(&sax), vector(&two), vector(four), vector(&extent)];
    let item = pretext_item(&fields([0.0, 20.0], &four), &network).unwrap().unwrap();
    assert!((item.location - 0.5).abs() < 1e-12);
    // u' = 2 u + 1/2 - floor((100 - 96) / 2) = 38.5 for u = 20; v' = 2 * 30 + 1/2 - floor((120 - 96) / 2) = 48.5.
    let peak = (-0.5f64 * (0.5 / 6.0f64).powi(2)).exp() as f32;
    assert!((item.heat[10 * 96 + 38] - peak).abs() < 1e-6 && (item.heat[10 * 96 + 39] - peak).abs() < 1e-6);
    assert!((item.heat[96 * 96 + 48 * 96 + 7] - peak).abs() < 1e-6);
    assert!(pretext_item(&fields([10.0, 10.0], &four), &network).unwrap().is_none());
    assert!(pretext_item(&fields([0.0, 20.0], &sax), &network).unwrap().is_none());
    assert!(pretext_item(&fields([0.0, 20.0], &four)[..4], &network).is_err());
}

/// A clockwise quarter turn of a 3 x 3 image by hand, and a doubled area around the centre.
#[test]
fn turns_by_hand() {
    use zoo_imaging_planes::preprocess::Turn;
    let map = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0];
    let turned = Turn::new(90.0, 1.0).values(&map, 3);
    let wanted = [7.0, 4.0, 1.0, 8.0, 5.0, 2.0, 9.0, 6.0, 3.0];
    assert!(turned.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-5), "{turned:?}");
    assert_eq!(Turn::new(90.0, 1.0).labels(&[1, 2, 3, 4, 5, 6, 7, 8, 9], 3), [7, 4, 1, 8, 5, 2, 9, 6, 3]);
    // Four times the area: the corners of the result come from half a pixel beside the centre, 5 - 0.5 - 1.5 = 3.
    let grown = Turn::new(0.0, 4.0).values(&map, 3);
    assert!((grown[0] - 3.0).abs() < 1e-6 && (grown[4] - 5.0).abs() < 1e-6);
    // Half of everything: outside of the image there is nothing.
    assert_eq!(Turn::new(0.0, 0.25).values(&map, 3), [0.0, 0.0, 0.0, 0.0, 5.0, 0.0, 0.0, 0.0, 0.0]);
}
