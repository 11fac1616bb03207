//! Text as tokens.

use crate::config::{Gives, Spec, Step};
use tokenizers::{PaddingParams, PaddingStrategy, Tokenizer, TruncationParams};
use zoo_core::{DType, Error, Result, Session, Tensor, Weights};

/// Key of the artifact's metadata under which the tokeniser travels to the session.
const KEY: &str = "zoo.onnx-file.tokenizer";
/// Most tokens that a registry may ask for.
const LONGEST: usize = 1 << 20;
/// Name of the file in the registry and in messages.
const FILE: &str = "tokenizer";

/// The metadata that a model with a step `tokenise` needs: its tokeniser.
pub(crate) fn metadata(spec: &Spec, weights: &Weights) -> Result<Option<(String, String)>> {
    let lengths: Vec<usize> = lengths(spec).collect();
    if lengths.is_empty() {
        return Ok(None);
    }
    if let Some(wrong) = lengths.into_iter().find(|length| !(1..=LONGEST).contains(length)) {
        return Err(Error::argument("step `tokenise`, length", format!("1 to {LONGEST}"), wrong));
    }
    let file = weights.get(FILE).map_err(|_| Error::Config {
        key: FILE.into(),
        expected: "the file of the tokeniser that a step `tokenise` needs, beside `onnx`".into(),
        found: "nothing".into(),
    })?;
    file.expect("file `tokenizer`", DType::U8, &[None])?;
    let text =
        std::str::from_utf8(file.as_bytes()).map_err(|e| Error::artifact(FILE, "the whole file", format!("expected UTF-8, found {e}")))?;
    parse(text)?;
    Ok(Some((KEY.into(), text.into())))
}

/// The tokeniser of a session; `None` for a model that needs none.
pub(crate) fn of_session(spec: &Spec, session: &dyn Session) -> Result<Option<Tokenizer>> {
    if lengths(spec).next().is_none() {
        return Ok(None);
    }
    let text =
        session.metadata().get(KEY).ok_or_else(|| Error::artifact("session", KEY, "expected the artifact's own metadata, found none"))?;
    parse(text).map(Some)
}

fn lengths(spec: &Spec) -> impl Iterator<Item = usize> {
    let steps = spec.inputs.iter().flat_map(|input| &input.steps);
    steps.filter_map(|step| if let Step::Tokenise { length, .. } = step { Some(*length) } else { None })
}

fn parse(text: &str) -> Result<Tokenizer> {
    text.parse().map_err(|e| Error::artifact(FILE, "the whole file", format!("expected a tokeniser as JSON, found {e}")))
}

/// One text, padded or cut to `length` tokens.
pub(crate) fn tokenise(tokenizer: Option<&Tokenizer>, length: usize, gives: Gives, item: &Tensor) -> Result<Tensor> {
    item.expect("step `tokenise`", DType::U8, &[None])?;
    let wrong = |expected: &str, found: String| Error::argument("text to tokenise", expected, found);
    let text = std::str::from_utf8(item.as_bytes()).map_err(|e| wrong("UTF-8", e.to_string()))?;
    let tokenizer = tokenizer.ok_or_else(|| Error::Config { key: FILE.into(), expected: "a tokeniser".into(), found: "nothing".into() })?;
    let mut tokenizer = tokenizer.clone();
    // The file's own token of padding, if it names one.
    let padding = tokenizer.get_padding().cloned().unwrap_or_default();
    tokenizer.with_padding(Some(PaddingParams { strategy: PaddingStrategy::Fixed(length), pad_to_multiple_of: None, ..padding }));
    let cut = TruncationParams { max_length: length, stride: 0, ..tokenizer.get_truncation().cloned().unwrap_or_default() };
    tokenizer.with_truncation(Some(cut)).map_err(|e| wrong("room for the special tokens", e.to_string()))?;
    let encoding = tokenizer.encode(text, true).map_err(|e| wrong("text that the tokeniser takes", e.to_string()))?;
    let values = match gives {
        Gives::Ids => encoding.get_ids(),
        Gives::Mask => encoding.get_attention_mask(),
        Gives::Types => encoding.get_type_ids(),
    };
    // Special tokens are added to however short a text.
    if values.len() != length {
        return Err(wrong("a length with room for the special tokens", format!("{length}, and {} tokens at least", values.len())));
    }
    Tensor::from_vec([values.len()], values.iter().map(|&value| i64::from(value)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Input;

    /// BERT's uncased words, as `bert-base-uncased` numbers them: `[CLS]` is 101, `[SEP]` 102, `hello` 7592, `world` 2088.
    const BERT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../papers/stock-attention/weights/minilm-tokenizer.json");

    fn bytes(text: &[u8]) -> Tensor {
        Tensor::from_vec([text.len()], text.to_vec()).unwrap()
    }

    fn tokens(text: &[u8], length: usize, gives: Gives) -> Result<Vec<i64>> {
        let tokenizer = parse(&std::fs::read_to_string(BERT).unwrap()).unwrap();
        tokenise(Some(&tokenizer), length, gives, &bytes(text)).map(|tensor| tensor.as_slice::<i64>().unwrap().to_vec())
    }

    fn spec(length: usize) -> Spec {
        let steps = vec![Step::Tokenise { length, gives: Gives::Ids }];
        let input = Input { name: "input_ids".into(), field: Some("text".into()), zeros: None, steps, whole: false };
        Spec { licence: "MIT".into(), inputs: vec![input], outputs: Vec::new(), label: None, dataset: std::collections::BTreeMap::new() }
    }

    #[test]
    fn texts_are_padded_and_cut() {
        assert_eq!(tokens(b"Hello world", 6, Gives::Ids).unwrap(), [101, 7592, 2088, 102, 0, 0]);
        assert_eq!(tokens(b"Hello world", 6, Gives::Mask).unwrap(), [1, 1, 1, 1, 0, 0]);
        assert_eq!(tokens(b"Hello world", 6, Gives::Types).unwrap(), [0; 6]);
        assert_eq!(tokens(b"hello world hello", 4, Gives::Ids).unwrap(), [101, 7592, 2088, 102]);
        assert_eq!(tokens(b"", 3, Gives::Ids).unwrap(), [101, 102, 0]);
    }

    #[test]
    fn what_is_no_text_or_no_tokeniser_is_told() {
        assert!(tokens(&[0xff], 4, Gives::Ids).unwrap_err().to_string().contains("UTF-8"));
        assert!(tokens(b"x", 1, Gives::Ids).unwrap_err().to_string().contains("special tokens"));
        let mut weights = Weights::new();
        assert!(matches!(metadata(&spec(8), &weights), Err(Error::Config { key, .. }) if key == FILE));
        weights.insert(FILE, bytes(b"{}"));
        assert!(matches!(metadata(&spec(8), &weights), Err(Error::Artifact { .. })));
        weights.insert(FILE, bytes(&std::fs::read(BERT).unwrap()));
        assert_eq!(metadata(&spec(8), &weights).unwrap().unwrap().0, KEY);
        assert!(matches!(metadata(&spec(0), &weights), Err(Error::Argument { .. })));
    }
}
