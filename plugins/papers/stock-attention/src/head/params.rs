//! Names and shapes of an arm's tensors.

use crate::config::{ArmConfig, Fusion, NetworkConfig};

/// Trading days of prices.
pub const PRICE_DAYS: usize = 10;
/// Numbers a trading day.
pub const PRICE_FEATURES: usize = 5;
/// Calendar days of posts.
pub const LAG_DAYS: usize = 5;
/// Numbers that credibility is judged by.
pub const CREDIBILITY_FEATURES: usize = 9;

/// Names, shapes and the number of inputs that enter an output (0 for what starts at zero), in the order of the method.
/// Recurrent tensors have PyTorch's layout: gates reset, update, new.
pub fn tensors(network: &NetworkConfig, arm: ArmConfig) -> Vec<(&'static str, Vec<usize>, usize)> {
    let NetworkConfig { embedding: e, projection: p, hidden: h, credibility: c, fusion, .. } = *network;
    let mut all = Vec::new();
    if arm.price {
        all.extend([
            ("price.gru.weight_ih_l0", vec![3 * h, PRICE_FEATURES], h),
            ("price.gru.weight_hh_l0", vec![3 * h, h], h),
            ("price.gru.bias_ih_l0", vec![3 * h], h),
            ("price.gru.bias_hh_l0", vec![3 * h], h),
            ("price.attn.W", vec![h, h], h),
            ("price.attn.v", vec![1, h], h),
        ]);
    }
    if arm.text {
        all.extend([
            ("text.proj.weight", vec![p, e], e),
            ("text.proj.bias", vec![p], e),
            ("post_attn.W", vec![p, p], p),
            ("post_attn.v", vec![1, p], p),
            ("null_day", vec![p], 0),
            // One input more: whether there was a post at all.
            ("text.gru.weight_ih_l0", vec![3 * h, p + 1], h),
            ("text.gru.weight_hh_l0", vec![3 * h, h], h),
            ("text.gru.bias_ih_l0", vec![3 * h], h),
            ("text.gru.bias_hh_l0", vec![3 * h], h),
        ]);
    }
    if arm.text && arm.price {
        all.push(("post_attn.U", vec![p, h], h));
    }
    if arm.credibility {
        all.extend([
            ("cred.0.weight", vec![c, CREDIBILITY_FEATURES], CREDIBILITY_FEATURES),
            ("cred.0.bias", vec![c], CREDIBILITY_FEATURES),
            ("cred.2.weight", vec![1, c], c),
            ("cred.2.bias", vec![1], c),
        ]);
    }
    if arm.price && arm.text && fusion == Fusion::Gated {
        all.extend([("fuse.gate.weight", vec![h, 2 * h], 2 * h), ("fuse.gate.bias", vec![h], 2 * h)]);
    }
    if arm.price && arm.text && fusion == Fusion::CrossAttention {
        all.extend([("fuse.query_price.weight", vec![h, h], h), ("fuse.query_text.weight", vec![h, h], h)]);
    }
    if arm.price {
        all.extend([("fuse.price.weight", vec![h, h], h), ("fuse.price.bias", vec![h], h)]);
    }
    if arm.text {
        all.extend([("fuse.text.weight", vec![h, h], h), ("fuse.text.bias", vec![h], h)]);
    }
    all.extend([("head.weight", vec![1, h], h), ("head.bias", vec![1], h)]);
    all
}
