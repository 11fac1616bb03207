//! Posts and prices of stocks: StockNet, and a folder in the form of the authors of arXiv:2112.13593.
//!
//! | name | files | splits |
//! | --- | --- | --- |
//! | `stocknet`, `stocknet-10`, `stocknet-10-cut` | `price/TICKER.csv`, `tweets/TICKER.jsonl.gz` | see below |
//! | `mman-posts` | a folder of xlsx files and a price CSV, both named in the configuration | `posts`, `prices`, `days` |
//!
//! Splits: `posts` (an item a post), `prices` (an item a trading day of a stock), `days` (what may be known before each
//! trading day, and how it moved), and `train`, `val`, `test` (the days of StockNet's convention: small moves and days
//! without posts left out). `next` is the day after the data end, for which nothing but the past exists.
//!
//! **No look-ahead by construction.** Features of day `t` are made by `History::before`, which hands out prices and
//! posts dated before `t` and nothing else; a test deletes everything from `t` on and compares bit for bit.
//!
//! The crate knows no network: it opens files that somebody else fetched and verified, and still trusts none of them.

mod calendar;
mod config;
mod data;
mod dataset;
mod error;
mod factory;
mod history;
mod posts;
mod prices;
mod xlsx;

pub use calendar::{Day, Exchange};
pub use config::MarketConfig;
pub use data::MarketData;
pub use factory::MarketFactory;
pub use history::{Features, History, LAG_SLOTS, MAX_POSTS, PRICE_DAYS, PRICE_FEATURES};
pub use posts::{Post, read_posts};
pub use prices::{Bar, read_prices};
pub use xlsx::{read_folder, read_workbook};

zoo_core::zoo_plugin! { name: "market", datasets: [MarketFactory] }
