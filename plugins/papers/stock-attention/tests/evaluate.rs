//! What the exported graph answers through the evaluation's own inputs is what the plain head answers.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::path::Path;
use zoo_core::{ArtifactKind, Backend, Config, Device, ExportRequest, Model, Options};
use zoo_stock_attention::config::PaperConfig;
use zoo_stock_attention::evaluate::inputs;
use zoo_stock_attention::head::Head;
use zoo_stock_attention::model::StockAttention;
use zoo_stock_attention::runs::logits;
use zoo_stock_attention::study::{Corpus, Part, Post, Sample};

const WIDTH: usize = 12;

fn corpus() -> Corpus {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let mut draw = move || rng.random::<f32>() - 0.5;
    let (mut posts, mut samples, mut rows) = (Vec::new(), Vec::new(), Vec::new());
    for day in 0..40i64 {
        let first = posts.len() as u32;
        let own = (day % 9) as u32;
        for k in 0..own {
            let credibility = [0; 9].map(|_| draw());
            posts.push(Post {
                stock: 0,
                day,
                at: i64::from(k),
                user: 0,
                profile: [0.0; 8],
                sentiment: 0,
                credibility,
                text: String::new(),
            });
            rows.extend([0; WIDTH].map(|_| draw()));
        }
        samples.push(Sample {
            stock: 0,
            day,
            price: (0..50).map(|_| draw()).collect(),
            posts: (first..first + own).collect(),
            slots: (0..own).map(|k| (k / 2 % 5) as u8).collect(),
            movement: 0.01,
            intraday: 0.0,
            label: 1,
        });
    }
    Corpus::with_embeddings(posts, samples, &rows, WIDTH).unwrap()
}

#[test]
fn the_session_answers_what_the_head_answers() {
    let weights = zoo_formats::safetensors::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/head-gated.safetensors")).unwrap();
    let mut own = zoo_core::Weights::new();
    own.tensors = weights.tensors.into_iter().filter(|(n, _)| !n.starts_with("in.") && !n.starts_with("out.")).collect();
    let config = Config::new(serde_json::json!({
        "dataset": "d", "encoder": "e", "main": "main",
        "network": {"embedding": WIDTH, "projection": 8, "hidden": 6, "credibility": 4, "dropout": 0.0},
        "split": {"train-until": "1970-01-11", "val-until": "1970-01-21", "test-until": "1970-02-09"},
        "train": {"epochs": 1, "batch": 1, "lr": 1e-3, "weight-decay": 0.0},
        "arms": {"main": {"price": true, "text": true, "credibility": true}},
    }));
    let paper = PaperConfig::read(&config).unwrap();
    let corpus = corpus();
    let artifact = StockAttention::new().export(&ExportRequest::new(ArtifactKind::Onnx), &own, &config).unwrap();
    let mut session = zoo_backend_tract::Tract.compile(&artifact, &Device::Cpu, &Options::default()).unwrap();
    let items: Vec<usize> = (0..40).collect();
    let given = inputs(&corpus, &items, WIDTH, &*session).unwrap();
    let outputs = session.run(&given).unwrap();
    let head = Head::new(paper.network, paper.arm("main").unwrap(), "main", &own).unwrap();
    let plain = logits(&head, &corpus, &items, &[1; 40]).unwrap();
    for (i, (a, b)) in outputs[0].to_f32().iter().zip(&plain).enumerate() {
        assert!((a - b).abs() < 1e-5, "sample {i}: {a} {b}");
    }
}

/// Parts are apart, in order, and leave out samples without posts.
#[test]
fn parts_are_cut_by_day() {
    let corpus = corpus();
    let days = [10, 20, 39];
    let part = |p| corpus.part(days, p, |_| true).iter().map(|&i| corpus.samples[i].day).collect::<Vec<_>>();
    assert_eq!(part(Part::Train), (1..9).collect::<Vec<_>>());
    assert_eq!(part(Part::Val), (10..18).chain([19]).collect::<Vec<_>>());
    assert!(part(Part::Test).iter().all(|d| (20..39).contains(d) && d % 9 != 0));
}
