//! Tokenising, with the vocabulary that the encoder was trained on.

use tokenizers::Tokenizer;
use zoo_core::{Error, Result};

/// `tokenizer.json` of `sentence-transformers/all-MiniLM-L6-v2` (Apache-2.0), unmodified: BERT's uncased WordPiece.
const TOKENIZER: &[u8] = include_bytes!("../../weights/minilm-tokenizer.json");

/// Most tokens of a text, the two special ones included: `max_seq_length` of the published encoder. Longer texts are cut.
pub const MAX_TOKENS: usize = 256;

/// SHA-256 of the vocabulary file, for cache keys.
pub fn fingerprint() -> String {
    zoo_formats::digest::sha256(TOKENIZER)
}

/// The encoder's tokeniser.
pub struct Tokens {
    inner: Tokenizer,
}

impl Tokens {
    /// Reads the vocabulary.
    ///
    /// # Errors
    /// [`Error::Artifact`] if the file in this crate is not one of a tokeniser.
    pub fn new() -> Result<Self> {
        let fail = |e: &dyn std::fmt::Display| Error::artifact("tokenizer.json", "the whole file", format!("expected a tokeniser: {e}"));
        let mut inner = Tokenizer::from_bytes(TOKENIZER).map_err(|e| fail(&e))?;
        // The file pads and cuts to the 128 tokens of training; neither belongs to a single text here.
        inner.with_padding(None);
        inner.with_truncation(None).map_err(|e| fail(&e))?;
        Ok(Self { inner })
    }

    /// Token ids of a text with `[CLS]` in front and `[SEP]` behind, at most [`MAX_TOKENS`].
    ///
    /// # Errors
    /// [`Error::Argument`] if the tokeniser can't split the text.
    pub fn ids(&self, text: &str) -> Result<Vec<i64>> {
        let fail = |e: &dyn std::fmt::Display| Error::argument("text to tokenise", "text that the tokeniser takes", e);
        let encoding = self.inner.encode(text, true).map_err(|e| fail(&e))?;
        let mut ids: Vec<i64> = encoding.get_ids().iter().map(|&id| i64::from(id)).collect();
        if ids.len() > MAX_TOKENS {
            let last = ids[ids.len() - 1];
            ids.truncate(MAX_TOKENS - 1);
            ids.push(last);
        }
        Ok(ids)
    }
}
