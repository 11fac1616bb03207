//! Embeddings on disk: half precision, addressed by what they are made of, memory-mapped.
//!
//! A block is a safetensors file named after the SHA-256 of the encoder's weights, its vocabulary and every text in
//! order, so another encoder or another text is another block and nothing is ever stale. Which runtime computed a block
//! stands in its metadata and is no part of the name: runtimes differ by less than half precision resolves.

use super::batch::{self, Effort};
use super::tokens::{self, Tokens};
use half::f16;
use std::path::{Path, PathBuf};
use zoo_core::{DType, Error, Level, Result, Session, Tensor, Weights, Workbench};

const TENSOR: &str = "embedding";
/// Changes when what is encoded or how it is stored changes.
const FORMAT: &str = "zoo.embeddings/1";

/// The folder of all blocks: `embeddings` in the zoo's cache (`ZOO_CACHE`, default `~/.cache/zoo`).
///
/// # Errors
/// [`Error::Unavailable`] if there is neither variable nor home folder.
pub fn folder() -> Result<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let home = || set("HOME").or_else(|| set("USERPROFILE")).map(|h| h.join(".cache/zoo"));
    set("ZOO_CACHE").or_else(home).map(|cache| cache.join("embeddings")).ok_or_else(|| Error::Unavailable {
        what: "the cache of embeddings".into(),
        why: "neither ZOO_CACHE nor HOME is set".into(),
        mend: "set ZOO_CACHE to a folder".into(),
    })
}

/// Name of a block.
pub fn key(weights_sha256: &str, posts: &[&str]) -> String {
    let mut text = format!("{FORMAT}\n{weights_sha256}\n{}\n{}\n", tokens::fingerprint(), tokens::MAX_TOKENS);
    for post in posts {
        // The length in front keeps texts apart whatever they contain.
        text.push_str(&format!("{}:{post}", post.len()));
    }
    zoo_formats::digest::sha256(text.as_bytes())
}

/// The runtime that encodes where it is installed, whatever backend the head is asked to run on: it is several times
/// faster, and blocks are shared by all backends anyway.
const FAST: &str = "onnxruntime";

/// A session of the encoder that is made when the first block is missing.
pub struct Encoder<'a> {
    /// Name of the backend that is taken where the fast one is not installed.
    pub backend: String,
    /// The encoder's weights.
    pub weights: &'a Weights,
    /// Their SHA-256.
    pub sha256: String,
    session: Option<(Box<dyn Session>, Tokens)>,
}

impl<'a> Encoder<'a> {
    /// An encoder that has compiled nothing yet.
    pub fn new(backend: impl Into<String>, weights: &'a Weights) -> Self {
        Self { backend: backend.into(), sha256: zoo_formats::digest::weights_sha256(weights), weights, session: None }
    }

    /// Embeddings of posts in half precision `[posts, hidden]`: from the cache, else encoded and put there.
    ///
    /// # Errors
    /// Whatever reading, compiling and encoding find; a damaged block is made again.
    pub fn block(&mut self, folder: &Path, posts: &[&str], bench: &mut dyn Workbench) -> Result<(Tensor, Option<Effort>)> {
        let name = key(&self.sha256, posts);
        let path = folder.join(format!("{name}.safetensors"));
        if path.is_file() {
            match read(&path, posts.len()) {
                Ok(tensor) => return Ok((tensor, None)),
                Err(error) => bench.log(Level::Warn, "stock-attention", &format!("encoding again: {error}")),
            }
        }
        if self.session.is_none() {
            let artifact = super::export(self.weights, None, Default::default())?;
            let session = match bench.compile_on(FAST, &artifact) {
                Ok(session) => {
                    self.backend = FAST.into();
                    session
                }
                Err(_) => bench.compile_on(&self.backend, &artifact)?,
            };
            self.session = Some((session, Tokens::new()?));
        }
        let Some((session, tokens)) = &mut self.session else {
            return Err(Error::artifact("text encoder", "session", "expected one, found none"));
        };
        let (values, effort) = batch::encode(&mut **session, tokens, posts, bench.reporter())?;
        let hidden = values.len() / posts.len().max(1);
        let halves: Vec<f16> = values.iter().map(|&v| f16::from_f32(v)).collect();
        let mut block = Weights::new();
        block.insert(TENSOR, Tensor::from_vec([posts.len(), hidden], halves)?);
        for (key, value) in [("format", FORMAT.to_owned()), ("encoder_sha256", self.sha256.clone()), ("backend", self.backend.clone())] {
            block.metadata.insert(key.into(), value);
        }
        std::fs::create_dir_all(folder).map_err(Error::io(folder))?;
        zoo_formats::safetensors::write_atomically(&path, &block)?;
        Ok((read(&path, posts.len())?, Some(effort)))
    }
}

/// Maps a block.
fn read(path: &Path, posts: usize) -> Result<Tensor> {
    let block = zoo_formats::safetensors::read(path)?;
    let tensor = block.get(TENSOR)?;
    tensor.expect(&format!("block {}", path.display()), DType::F16, &[Some(posts), None])?;
    Ok(tensor.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_depends_on_every_text_and_its_bounds() {
        let keys = [
            key("w", &["ab", "c"]),
            key("w", &["a", "bc"]),
            key("w", &["c", "ab"]),
            key("v", &["ab", "c"]),
            key("w", &["ab", "c", ""]),
            key("w", &["ab1:c"]),
        ];
        for (i, a) in keys.iter().enumerate() {
            assert!(keys[..i].iter().all(|b| a != b), "{i}");
        }
        assert_eq!(key("w", &["ab", "c"]), keys[0]);
    }

    #[test]
    fn a_damaged_block_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        let mut block = Weights::new();
        block.insert(TENSOR, Tensor::from_vec([2, 3], vec![f16::ONE; 6]).unwrap());
        zoo_formats::safetensors::write_atomically(&path, &block).unwrap();
        assert_eq!(read(&path, 2).unwrap().shape(), [2, 3]);
        assert!(read(&path, 3).is_err());
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        assert!(read(&path, 2).is_err());
    }
}
