//! Multi-modal attention network for stock movement, with a real text encoder.
//!
//! Paper: arXiv:2112.13593 (S. He and S. Gu). The authors published data and no code, and the equations could not be read,
//! so the head is a reconstruction from the abstract, and so it says wherever it speaks of itself.
//!
//! The method in one minute: posts of the five days before become sentence embeddings ([`encoder`]); each post's
//! credibility is estimated from its author's reputation and track record ([`study`]); attention within a day weighs posts
//! by what they say, by the state of the prices and by credibility; two recurrent networks read days of posts and days of
//! prices; a gate joins them ([`head`]). Scores have intervals over days ([`stats`]), and trades pay costs ([`trading`]).
//!
//! Research output, not investment advice.

pub mod actions;
pub mod baselines;
pub mod claims;
pub mod config;
pub mod encoder;
pub mod evaluate;
pub mod full_scale;
pub mod head;
pub mod model;
pub mod runs;
pub mod stats;
pub mod study;
pub mod trading;
#[cfg(feature = "train")]
pub mod train;

pub(crate) use head::sigmoid as head_sigmoid;

#[cfg(feature = "train")]
zoo_core::zoo_plugin! {
    name: "stock-attention",
    models: [model::StockAttention::new(), encoder::MiniLm::new()],
    trainers: [train::HeadTrainer],
}

#[cfg(not(feature = "train"))]
zoo_core::zoo_plugin! {
    name: "stock-attention",
    models: [model::StockAttention::new(), encoder::MiniLm::new()],
}
