//! SHA-256 of bytes, weights and configurations, in hexadecimal.

use sha2::{Digest, Sha256};
use zoo_core::{Config, Weights};

/// SHA-256 of bytes.
pub fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// SHA-256 of the content of weights: names, element types, shapes and elements, in the order of the names.
///
/// Metadata does not count, nor does the layout of the file, so weights hash the same before and after they are stored.
/// Hashed are the line `zoo.weights/1` and a zero byte, then for each tensor its name and element type, each behind its
/// length, the number of axes, the axes, the number of bytes, and the bytes. Numbers are `u64`, little-endian.
pub fn weights_sha256(weights: &Weights) -> String {
    let mut hasher = Sha256::new();
    let number = |hasher: &mut Sha256, n: usize| hasher.update((n as u64).to_le_bytes());
    hasher.update(b"zoo.weights/1\0");
    for (name, tensor) in &weights.tensors {
        for text in [name.as_str(), tensor.dtype().name()] {
            number(&mut hasher, text.len());
            hasher.update(text);
        }
        number(&mut hasher, tensor.shape().len());
        for &axis in tensor.shape() {
            number(&mut hasher, axis);
        }
        number(&mut hasher, tensor.as_bytes().len());
        hasher.update(tensor.as_bytes());
    }
    hex::encode(hasher.finalize())
}

/// SHA-256 of a configuration's canonical JSON, so that neither the order of keys nor white space counts.
pub fn config_sha256(config: &Config) -> String {
    sha256(config.canonical().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use zoo_core::Tensor;

    #[test]
    fn bytes_hash_as_in_fips_180_4() {
        assert_eq!(sha256(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn weights_hash_as_documented() {
        // Python: b = lambda s: struct.pack("<Q", len(s)) + s; q = struct.pack
        // hashlib.sha256(b"zoo.weights/1\0" + b(b"a") + b(b"i64") + q("<Q", 0) + q("<Qq", 8, 7)
        //     + b(b"w") + b(b"f32") + q("<QQQ", 2, 1, 2) + q("<Qff", 8, 1.5, -2)).hexdigest()
        let mut weights = Weights::new();
        weights.insert("w", Tensor::from_vec([1, 2], vec![1.5f32, -2.0]).unwrap());
        weights.insert("a", Tensor::scalar(7i64));
        weights.metadata.insert("seed".into(), "1".into());
        assert_eq!(weights_sha256(&weights), "2ccaa63f52938823fddb76d619424c04cfcc01798acec9dc67885f7781018193");
    }

    #[test]
    fn the_order_of_keys_does_not_count() {
        let config = |text: &str| Config::new(serde_json::from_str(text).unwrap());
        // printf '{"a":2,"b":{"c":1}}' | sha256sum
        let expected = "6f9678ca095f7b665317ee0686d93fc6bad04a240a7d9f2df19bb2be4e8a7cdc";
        assert_eq!(config_sha256(&config(r#"{"b":{"c":1},"a":2}"#)), expected);
        assert_eq!(config_sha256(&config(r#"{ "a": 2, "b": {"c": 1} }"#)), expected);
    }
}
