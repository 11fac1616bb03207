//! The encoder against sentence-transformers: the same texts, values and speed.

use crate::encoder::batch::encode;
use crate::encoder::text::rejoin;
use crate::encoder::tokens::Tokens;
use crate::study::Corpus;
use serde::Deserialize;
use serde_json::{Value, json};
use std::path::Path;
use zoo_core::{Error, ExportRequest, Result, Workbench};

/// What the peer's script writes.
#[derive(Deserialize)]
struct Peer {
    texts: Vec<String>,
    embeddings: Vec<Vec<f32>>,
    seconds: f64,
    peer: String,
}

/// Least cosine that counts as the same encoder.
const SAME: f64 = 0.9999;

pub(super) fn encode_all(dataset: &str, model: &str, bench: &mut dyn Workbench) -> Result<Value> {
    let mut corpus = Corpus::read(dataset, "days", bench)?;
    let width = crate::encoder::Bert::of(&bench.weights(model, None)?.0)?.hidden;
    let start = std::time::Instant::now();
    corpus.embed(model, width, bench)?;
    Ok(
        json!({"dataset": dataset, "posts": corpus.posts.len(), "seconds": start.elapsed().as_secs_f64(), "folder": crate::encoder::cache::folder()?}),
    )
}

pub(super) fn sample(dataset: &str, count: &str, file: &str, bench: &mut dyn Workbench) -> Result<Value> {
    let wanted: usize = count.parse().ok().filter(|n| *n > 0).ok_or_else(|| Error::argument("COUNT", "a number above 0", count))?;
    let posts = bench.dataset(dataset, "posts")?;
    let texts: Vec<String> = crate::encoder::spread(&*posts, wanted)?.iter().map(|text| rejoin(text)).collect();
    let text = json!({ "texts": texts }).to_string();
    zoo_formats::files::write_atomically(Path::new(file), |out| std::io::Write::write_all(out, text.as_bytes()))
        .map_err(Error::io(file))?;
    Ok(json!({"texts": texts.len(), "file": file}))
}

pub(super) fn cosine(file: &str, model: &str, bench: &mut dyn Workbench) -> Result<Value> {
    let text = std::fs::read_to_string(file).map_err(Error::io(file))?;
    let peer: Peer = serde_json::from_str(&text).map_err(|e| Error::Data {
        path: file.into(),
        at: format!("line {}, column {}", e.line(), e.column()),
        expected: "what golden/peer.py writes".into(),
        found: e.to_string(),
        mend: "run golden/peer.py on the file that `sample` wrote".into(),
    })?;
    let (weights, config) = bench.weights(model, None)?;
    let artifact =
        zoo_core::Model::export(&crate::encoder::MiniLm::new(), &ExportRequest::new(zoo_core::ArtifactKind::Onnx), &weights, &config)?;
    let tokens = Tokens::new()?;
    let texts: Vec<&str> = peer.texts.iter().map(String::as_str).collect();
    let mut rows = Vec::new();
    for backend in ["onnxruntime", "tract"] {
        let mut session = match bench.compile_on(backend, &artifact) {
            Ok(session) => session,
            Err(error) => {
                rows.push(json!({"backend": backend, "unavailable": error.to_string()}));
                continue;
            }
        };
        // A first short run pays for what is set up once, as it does for the peer.
        encode(&mut *session, &tokens, &texts[..texts.len().min(8)], bench.reporter())?;
        let (values, effort) = encode(&mut *session, &tokens, &texts, bench.reporter())?;
        let hidden = values.len() / texts.len().max(1);
        let cosines: Vec<f64> = values.chunks_exact(hidden.max(1)).zip(&peer.embeddings).map(|(a, b)| cosine_of(a, b)).collect();
        let least = cosines.iter().copied().fold(1.0, f64::min);
        let ours = effort.tokens as f64 / effort.seconds;
        let theirs = effort.tokens as f64 / peer.seconds;
        rows.push(json!({
            "backend": backend, "least_cosine": least, "same": least >= SAME && cosines.len() == texts.len(), "texts": texts.len(),
            "tokens_of_distinct_texts": effort.tokens, "tokens_per_s": ours, "peer_tokens_per_s": theirs, "ratio": ours / theirs,
        }));
    }
    Ok(json!({"peer": peer.peer, "peer_seconds": peer.seconds, "rows": rows}))
}

fn cosine_of(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>();
    if a.len() == b.len() { dot(a, b) / (dot(a, a) * dot(b, b)).sqrt() } else { f64::NAN }
}
