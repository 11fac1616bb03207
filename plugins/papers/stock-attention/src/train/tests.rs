//! The engine's forward pass against the plain one, and that training finds what is there to find.

use super::*;
use crate::study::{Post, Sample};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

fn network(fusion: Fusion) -> NetworkConfig {
    NetworkConfig { embedding: 4, projection: 8, hidden: 6, credibility: 4, fusion, dropout: 0.0 }
}

fn paper(fusion: Fusion) -> PaperConfig {
    let config = serde_json::json!({
        "dataset": "d", "encoder": "e", "main": "multimodal",
        "network": network(fusion),
        "split": {"train-until": "1970-02-01", "val-until": "1970-03-01", "test-until": "1970-04-01"},
        "train": {"epochs": 1, "batch": 16, "lr": 1e-2, "weight-decay": 0.0},
        "arms": {
            "price": {"price": true}, "text": {"text": true}, "multimodal": {"price": true, "text": true, "credibility": true},
            "canary": {"price": true, "leak": true},
        },
    });
    PaperConfig::read(&Config::new(config)).unwrap()
}

/// Random samples with 0 to 6 posts each.
fn corpus(count: usize) -> (Corpus, Vec<i8>) {
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let mut draw = move || rng.random::<f32>() - 0.5;
    let (mut posts, mut samples, mut rows) = (Vec::new(), Vec::new(), Vec::new());
    for day in 0..count as i64 {
        let own = if day % 5 == 0 { 0 } else { day as u32 % 7 };
        let first = posts.len() as u32;
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
            rows.extend([0; 4].map(|_| draw()));
        }
        samples.push(Sample {
            stock: 0,
            day,
            price: (0..50).map(|_| draw()).collect(),
            posts: (first..first + own).collect(),
            slots: (0..own).map(|k| (k % 5) as u8).collect(),
            movement: 0.0,
            intraday: 0.0,
            label: (day % 2) as i8,
        });
    }
    let labels = samples.iter().map(|s| s.label).collect();
    (Corpus::with_embeddings(posts, samples, &rows, 4).unwrap(), labels)
}

fn fresh(paper: &PaperConfig, corpus: &Corpus, items: &[usize]) -> Weights {
    let mut params = ParamStore::on_cpu(3);
    for (name, arm) in &paper.arms {
        add(&mut params, &paper.network, name, *arm).unwrap();
        params.set_values(&format!("{name}.head.bias"), vec![0.1]).unwrap();
    }
    let mut weights = params.weights().unwrap();
    weights.tensors.retain(|name, _| !name.starts_with(BEST) && !name.starts_with(SCORE));
    weights.tensors.extend(fit(corpus, items).tensors().unwrap());
    weights
}

#[test]
fn the_engine_computes_what_the_plain_head_computes() {
    for fusion in [Fusion::Gated, Fusion::CrossAttention] {
        let paper = paper(fusion);
        let (corpus, labels) = corpus(23);
        let items: Vec<usize> = (0..23).collect();
        let weights = fresh(&paper, &corpus, &items);
        for (name, arm) in &paper.arms {
            let head = Head::new(paper.network, *arm, name, &weights).unwrap();
            let plain = logits(&head, &corpus, &items, &labels).unwrap();
            let engine = engine_logits(&paper, name, &weights, &corpus, &items, &labels).unwrap();
            let worst = plain.iter().zip(&engine).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst < 1e-5, "{fusion:?} {name}: {worst}");
        }
    }
}

struct Nothing;

impl TrainSink for Nothing {
    fn log(&mut self, _: Value) -> Result<()> {
        Ok(())
    }
    fn save(&mut self, _: &Weights) -> Result<()> {
        Ok(())
    }
    fn resume(&mut self) -> Result<Option<Weights>> {
        Ok(None)
    }
}

/// The leaked label is found over random data; the head that sees prices alone stays at chance.
#[test]
fn a_leak_is_found_and_the_best_epoch_is_kept() {
    let mut paper = paper(Fusion::Gated);
    paper.arms.retain(|name, _| name == "price" || name == "canary");
    paper.main = "price".into();
    let (corpus, labels) = corpus(240);
    let (items, val): (Vec<usize>, Vec<usize>) = ((0..160).collect(), (160..240).collect());
    let mut params = ParamStore::on_cpu(1);
    for (name, arm) in &paper.arms {
        add(&mut params, &paper.network, name, *arm).unwrap();
    }
    let scaler = fit(&corpus, &items);
    let mut lesson = Lesson { paper: &paper, corpus: &corpus, labels, items, val, shuffled: Vec::new(), scaler };
    let plan = Plan { epochs: 40, batch_size: 16, drop_last: false, schedule: Schedule::constant(1e-2), per_step: false, clip_norm: None };
    let mut optimiser = Optimiser::new(Adam::default());
    train(&plan, &mut params, &mut optimiser, &mut lesson, &mut Nothing, &zoo_core::Silent).unwrap();
    let score = |name: &str| params.values(&format!("{SCORE}{name}")).unwrap()[0];
    assert!(score("canary") > 0.95, "{}", score("canary"));
    assert!(score("price") < 0.5, "{}", score("price"));
}
