//! Results as pages: what `fetch-and-eval --html` writes for one run, and `report` for everything under `docs/results`.
//!
//! A page is one file with its style, script and pictures inside; it works from `file://`, dark and light, and asks no
//! network. Whatever comes from a result file is escaped.

mod chart;
mod page;
mod site;
mod tables;
mod training;

pub use page::results_page;
pub use site::{SiteError, write_site};
pub use training::training_curves;
