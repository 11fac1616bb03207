//! Encoding many texts: equal texts once, sorted by length, in batches of bounded size.

use super::text::rejoin;
use super::tokens::Tokens;
use std::collections::HashMap;
use zoo_core::{Error, Reporter, Result, Session, Tensor};

/// Most tokens of a batch, padding included: keeps activations in cache and memory bounded.
pub const TOKENS_A_BATCH: usize = 2048;

/// What encoding took.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Effort {
    /// Texts, repeated ones counted once.
    pub texts: usize,
    /// Tokens, without padding.
    pub tokens: usize,
    /// Tokens with padding.
    pub padded: usize,
    /// Seconds inside the runtime and the tokeniser.
    pub seconds: f64,
}

/// Embeddings of posts, one row a post.
///
/// # Shapes
/// The result is row-major `[posts.len(), hidden]`; each row has length 1.
///
/// # Errors
/// Whatever tokenising and the session find; [`Error::Cancelled`].
pub fn encode(session: &mut dyn Session, tokens: &Tokens, posts: &[&str], reporter: &dyn Reporter) -> Result<(Vec<f32>, Effort)> {
    let start = std::time::Instant::now();
    let mut effort = Effort::default();
    // Retweets repeat: a third of StockNet's posts say what another one says.
    let mut place = HashMap::new();
    let mut unique = Vec::new();
    let mut row_of = Vec::with_capacity(posts.len());
    for &post in posts {
        let next = place.len();
        let row = *place.entry(post).or_insert(next);
        if row == next {
            unique.push(tokens.ids(&rejoin(post))?);
        }
        row_of.push(row);
    }
    effort.texts = unique.len();
    effort.tokens = unique.iter().map(Vec::len).sum();
    let mut rows: Vec<Vec<f32>> = vec![Vec::new(); unique.len()];
    for batch in batches(&unique) {
        reporter.check()?;
        let width = batch.iter().map(|&i| unique[i].len()).max().unwrap_or(0);
        effort.padded += width * batch.len();
        let inputs = pad(&batch.iter().map(|&i| unique[i].as_slice()).collect::<Vec<_>>(), width)?;
        let outputs = session.run(&inputs)?;
        let output = outputs.first().ok_or_else(|| Error::artifact("text encoder", "outputs", "expected an embedding, found none"))?;
        let &[count, hidden] = output.shape() else {
            return Err(Error::shape("embedding", "[batch, hidden]", output.shape()));
        };
        if count != batch.len() || hidden == 0 {
            return Err(Error::shape("embedding", [batch.len(), hidden], output.shape()));
        }
        for (&i, row) in batch.iter().zip(output.as_slice::<f32>()?.chunks_exact(hidden)) {
            rows[i] = row.to_vec();
        }
        reporter.progress("encoding posts", rows.iter().filter(|r| !r.is_empty()).count() as u64, Some(rows.len() as u64), "texts");
    }
    effort.seconds = start.elapsed().as_secs_f64();
    Ok((row_of.iter().flat_map(|&row| rows[row].iter().copied()).collect(), effort))
}

/// Groups of texts of like length, shortest first, each of at most [`TOKENS_A_BATCH`] tokens with padding.
fn batches(texts: &[Vec<i64>]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..texts.len()).collect();
    order.sort_by_key(|&i| texts[i].len());
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for i in order {
        match groups.last_mut() {
            Some(group) if (group.len() + 1) * texts[i].len() <= TOKENS_A_BATCH => group.push(i),
            _ => groups.push(vec![i]),
        }
    }
    groups
}

/// The three inputs of the encoder: ids, mask and types, padded with zeros to `width`.
///
/// # Errors
/// [`Error::Shape`] if the size overflows.
pub fn pad(texts: &[&[i64]], width: usize) -> Result<Vec<Tensor>> {
    let shape = [texts.len(), width];
    let mut ids = vec![0i64; texts.len() * width];
    let mut mask = ids.clone();
    for (row, text) in texts.iter().enumerate() {
        ids[row * width..][..text.len()].copy_from_slice(text);
        mask[row * width..][..text.len()].fill(1);
    }
    let types = vec![0i64; ids.len()];
    [ids, mask, types].into_iter().map(|values| Tensor::from_vec(shape, values)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn padding_by_hand() {
        let inputs = pad(&[&[5, 6], &[7]], 3).unwrap();
        assert_eq!(inputs[0].as_slice::<i64>().unwrap(), &[5, 6, 0, 7, 0, 0]);
        assert_eq!(inputs[1].as_slice::<i64>().unwrap(), &[1, 1, 0, 1, 0, 0]);
        assert_eq!(inputs[2].as_slice::<i64>().unwrap(), &[0; 6]);
    }

    proptest! {
        #[test]
        fn every_text_is_in_one_batch_of_bounded_size(lengths in proptest::collection::vec(1usize..300, 0..200)) {
            let texts: Vec<Vec<i64>> = lengths.iter().map(|&n| vec![0; n]).collect();
            let groups = batches(&texts);
            let mut seen: Vec<usize> = groups.concat();
            seen.sort_unstable();
            prop_assert!(seen.into_iter().eq(0..texts.len()));
            for group in groups {
                let width = group.iter().map(|&i| texts[i].len()).max().unwrap();
                prop_assert!(group.len() * width <= TOKENS_A_BATCH);
            }
        }
    }
}
