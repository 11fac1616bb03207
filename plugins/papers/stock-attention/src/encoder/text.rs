//! From StockNet's tokens to text that a tokeniser of ordinary English expects.

/// Joins what StockNet's preprocessing split: `$ aapl` becomes `$aapl`. `AT_USER` and `URL` stay as they are.
///
/// ```
/// assert_eq!(zoo_stock_attention::encoder::text::rejoin("buy $ aapl at $ 100 URL"), "buy $aapl at $100 URL");
/// ```
pub fn rejoin(post: &str) -> String {
    let mut text = String::with_capacity(post.len());
    let mut open = false;
    for word in post.split_whitespace() {
        if !text.is_empty() && !open {
            text.push(' ');
        }
        text.push_str(word);
        open = word == "$";
    }
    text
}

#[cfg(test)]
mod tests {
    use super::rejoin;
    use proptest::prelude::*;

    #[test]
    fn dollars_join_the_next_word_only() {
        assert_eq!(rejoin("  $ aapl  $ goog up $"), "$aapl $goog up $");
        assert_eq!(rejoin("$ $ aapl"), "$$ aapl".replace("$$ ", "$$"));
        assert_eq!(rejoin(""), "");
    }

    proptest! {
        #[test]
        fn nothing_but_white_space_is_lost(post in "[a-z$ ]{0,40}") {
            let dense = |t: &str| t.split_whitespace().collect::<String>();
            prop_assert_eq!(dense(&rejoin(&post)), dense(&post));
            prop_assert_eq!(rejoin(&rejoin(&post)), rejoin(&post));
        }
    }
}
