//! The data as the study sees it: samples, posts, and what is computed from them.

mod corpus;
mod credibility;
mod planted;
mod scale;
mod sentiment;

pub use corpus::{Corpus, Part, Post, Sample, View};
pub use credibility::{Event, TrackRecord, features, track_records};
pub use planted::{Planted, plant};
pub use scale::Scaler;
pub use sentiment::sentiment;
