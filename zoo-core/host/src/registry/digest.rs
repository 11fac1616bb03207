//! SHA-256 sums as the registry writes them.

use std::fmt;
use std::str::FromStr;

/// A SHA-256 sum; displayed as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sha256(pub [u8; 32]);

/// Why a text is not a SHA-256 sum.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// Another number of characters than 64.
    #[error("{0} characters")]
    Length(usize),
    /// A character that is not a hexadecimal digit.
    #[error("`{found}` at character {at}")]
    Digit {
        /// The character.
        found: char,
        /// Its place, counted from 1.
        at: usize,
    },
}

impl FromStr for Sha256 {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        if let Some((at, found)) = text.chars().enumerate().find(|(_, c)| !c.is_ascii_hexdigit()) {
            return Err(DigestError::Digit { found, at: at + 1 });
        }
        let mut sum = [0; 32];
        hex::decode_to_slice(text, &mut sum).map_err(|_| DigestError::Length(text.len()))?;
        Ok(Self(sum))
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_only_64_hexadecimal_digits() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let sum: Sha256 = empty.parse().unwrap();
        assert_eq!((sum.0[0], sum.0[31]), (0xe3, 0x55));
        assert_eq!(sum.to_string(), empty);
        assert_eq!(empty.to_uppercase().parse::<Sha256>().unwrap(), sum);
        assert_eq!(empty[..63].parse::<Sha256>(), Err(DigestError::Length(63)));
        assert_eq!("e3b0g".parse::<Sha256>(), Err(DigestError::Digit { found: 'g', at: 5 }));
    }
}
