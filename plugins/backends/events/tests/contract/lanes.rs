//! One sample on several threads gives the bits that one thread gives.

use crate::nets::{Grid, Random, weights};
use zoo_backend_events::EventSession;
use zoo_backend_events::settings::{DenseThreshold, Precision, Settings};
use zoo_core::{Session, Tensor};
use zoo_formats::event_graph::{EventGraph, Neuron, ReadoutRule, Source};

#[test]
fn blocks_of_rows_and_channels_are_equal_to_the_whole() {
    let random = &mut Random(21);
    let graph = EventGraph::builder(3)
        .input("x", [16, 31, 30], Source::Events)
        .conv2d("c", "x", weights(random, &[40, 16, 3, 3], Grid::Any, 0.1), None)
        .padding([1, 1])
        .neuron("n", "c", Neuron::integrate_and_fire(1.0))
        .flatten("f", "n")
        .linear("l", "f", weights(random, &[200, 40 * 31 * 30], Grid::Any, 0.01), None)
        .readout("l", ReadoutRule::Sum)
        .per_step()
        .build()
        .unwrap();
    let data: Vec<f32> = (0..3 * 16 * 31 * 30).map(|_| f32::from(u8::from(random.chance(0.3)))).collect();
    let batch = Tensor::from_vec([1, 3, 16, 31, 30], data).unwrap();
    for precision in [Precision::F32, Precision::Int8] {
        let settings = Settings { precision, dense_threshold: DenseThreshold::Off, ..Settings::default() };
        let run = |threads| {
            let mut session = EventSession::new(graph.clone(), Default::default(), settings.clone(), Some(threads)).unwrap();
            let out = session.run(std::slice::from_ref(&batch)).unwrap();
            (out[0].to_f32(), out[1].to_f32(), session.stats().synops)
        };
        let one = run(1);
        assert!(one.2 > Some(1 << 22), "the layers must be large enough to be split: {:?}", one.2);
        assert_eq!(one, run(2), "{precision:?}");
        assert_eq!(one, run(5), "{precision:?}");
    }
}
