//! Paper plugin: stock-attention.
