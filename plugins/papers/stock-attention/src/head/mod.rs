//! The head: from embeddings, credibility and prices to the chance of a rise. A reconstruction: the paper's equations
//! could not be read, so sizes and names are this project's own.

mod export;
mod forward;
mod params;

pub use export::export;
pub(crate) use forward::sigmoid;
pub use forward::{Explained, Head};
pub use params::{CREDIBILITY_FEATURES, LAG_DAYS, PRICE_DAYS, PRICE_FEATURES, tensors};
