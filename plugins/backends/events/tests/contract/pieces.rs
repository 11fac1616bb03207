//! Small pieces by hand: geometry of kernels, lists of set bits, settings, the fit of costs.

use pulp::{Arch, Simd, WithSimd};
use std::collections::BTreeMap;
use zoo_backend_events::bench::fit;
use zoo_backend_events::num::push_set;
use zoo_backend_events::plan::geometry::{reached, segments};
use zoo_backend_events::settings::{Mode, Settings};
use zoo_core::{Options, Result};

struct Push<'a>(u64, &'a mut Vec<u32>);

impl WithSimd for Push<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        push_set(simd, self.0, 100, self.1);
    }
}

#[test]
fn every_bit_once_and_in_order() {
    for bits in [0, 1, 1 << 63, u64::MAX, 0x8000_0001_0001_8000, 0x1234_5678_9abc_def0] {
        let expected: Vec<u32> = (0..64).filter(|i| bits >> i & 1 == 1).map(|i| 100 + i).collect();
        for arch in [Arch::new(), Arch::Scalar] {
            let mut list = vec![7];
            arch.dispatch(Push(bits, &mut list));
            assert_eq!(list[0], 7);
            assert_eq!(list[1..], expected, "{bits:#x} {arch:?}");
        }
    }
}

#[test]
fn a_kernel_row_is_one_segment_at_any_stride() {
    for (kernel, stride, padding) in [(3, 1, 1), (3, 2, 1), (5, 2, 2), (4, 3, 1), (2, 2, 0), (1, 2, 0)] {
        let outputs = (17 + 2 * padding - kernel) / stride + 1;
        let columns = segments(17, kernel, stride, padding, 1, outputs, 8, true);
        assert!(columns.iter().all(|s| s.len() <= 1), "{kernel} {stride} {padding}: {columns:?}");
        let total: usize = columns.iter().flatten().map(|s| s.columns).sum();
        let brute: usize =
            (0..outputs).map(|o| (0..kernel).filter(|k| (o * stride + k).checked_sub(padding).is_some_and(|x| x < 17)).count()).sum();
        assert_eq!(total, brute);
    }
}

#[test]
fn reached_by_hand() {
    // Input column 2, kernel 3, stride 2, padding 1: output o covers inputs 2o-1 .. 2o+1, so only o = 1 (tap 1).
    assert_eq!(reached(2, 3, 2, 1, 1, 9), [(1, 1)]);
    assert_eq!(reached(3, 3, 2, 1, 1, 9), [(2, 1), (0, 2)]);
    // Dilation 2, stride 1, no padding: input 4 is tap 2 of output 0, tap 1 of 2, tap 0 of 4.
    assert_eq!(reached(4, 3, 1, 0, 2, 6), [(2, 0), (1, 2), (0, 4)]);
}

fn parse(key: &str, value: &str) -> Result<Settings> {
    let mut options = Options::default();
    options.extra.insert(key.into(), value.into());
    Settings::from_options(&options)
}

#[test]
fn an_artifact_names_its_mode_and_nothing_else() {
    let metadata = |key: &str, value: &str| BTreeMap::from([(key.to_string(), value.to_string())]);
    let mut options = Options::default();
    let read = |options: &Options, map| Settings::for_artifact(options, &map).unwrap();
    assert_eq!(read(&options, metadata("events.mode", "async_dfs")).mode, Mode::AsyncDfs);
    assert_eq!(read(&options, metadata("events.trace", "somewhere")), Settings::default());
    options.extra.insert("events.mode".into(), "async_bfs".into());
    assert_eq!(read(&options, metadata("events.mode", "async_dfs")).mode, Mode::AsyncBfs);
    assert!(Settings::for_artifact(&Options::default(), &metadata("events.mode", "later")).is_err());
}

#[test]
fn options_are_read_or_refused() {
    assert_eq!(parse("events.mode", "async_dfs").unwrap().mode, Mode::AsyncDfs);
    assert_eq!(parse("events.dense-threshold", "0.25").unwrap().dense_above(), Some(0.25));
    assert_eq!(parse("onnxruntime.threads", "x").unwrap(), Settings::default());
    assert!(parse("events.mod", "clocked").unwrap_err().to_string().contains("events.mod"));
    assert!(parse("events.dense-threshold", "1.5").unwrap_err().to_string().contains("0 to 1"));
    assert!(parse("events.leak", "none").unwrap_err().to_string().contains("exact or fast"));
}

#[test]
fn the_fit_recovers_a_line() {
    let points = [(1e6, 1.0 + 0.5), (5e6, 1.0 + 2.5), (2e7, 1.0 + 10.0)];
    let (fixed, slope, error) = fit(&points);
    assert!((fixed - 1.0).abs() < 1e-9 && (slope - 5e-7).abs() < 1e-15 && error < 1e-9);
}
