//! What this plugin offers.

use crate::config::MarketConfig;
use crate::data::MarketData;
use crate::dataset::Split;
use crate::history::{MAX_POSTS, PRICE_DAYS, PRICE_FEATURES};
use zoo_core::{Config, DType, DataFiles, Dataset, DatasetFactory, DatasetInfo, Dim, Error, Result, SplitInfo, TensorSpec};

const NAMES: [&str; 4] = ["stocknet", "stocknet-10", "stocknet-10-cut", "mman-posts"];

/// Opens the data sets of this crate.
#[derive(Clone, Copy, Debug, Default)]
pub struct MarketFactory;

impl DatasetFactory for MarketFactory {
    fn infos(&self) -> Vec<DatasetInfo> {
        NAMES.iter().map(|name| info(name, "test")).collect()
    }

    fn open(&self, name: &str, split: &str, files: &DataFiles, config: &Config) -> Result<Box<dyn Dataset>> {
        let config = MarketConfig::read(config)?;
        let data = match name {
            "mman-posts" => MarketData::mman(config)?,
            name if NAMES.contains(&name) => MarketData::stocknet(files, config)?,
            other => {
                return Err(Error::Unknown { kind: "data set", name: other.into(), hint: format!("this plugin has {}", NAMES.join(", ")) });
            }
        };
        Ok(Box::new(Split::open(info(name, split), split, data)?))
    }
}

fn scalar(name: &str, dtype: DType, meaning: &str) -> TensorSpec {
    TensorSpec::new(name, dtype, Vec::<Dim>::new()).meaning(meaning)
}

/// Fields of a split's items.
fn features(split: &str) -> Vec<TensorSpec> {
    let stock = scalar("stock", DType::I64, "position of the ticker in alphabetical order");
    let day = scalar("day", DType::I64, "days since 1970-01-01");
    match split {
        "posts" => vec![
            stock,
            day,
            scalar("at", DType::I64, "when it was written, seconds since 1970 UTC"),
            scalar("user", DType::I64, "the author, the same number in all files"),
            TensorSpec::new("profile", DType::F32, [8usize])
                .meaning("followers, friends, statuses, favourites, lists, verified, year of the account, retweet; as of the post"),
            TensorSpec::new("text", DType::U8, ["bytes"]).meaning("UTF-8"),
        ],
        "prices" => vec![
            stock,
            day,
            TensorSpec::new("bar", DType::F64, [6usize])
                .meaning("open, high, low, close, adjusted close in the exchange's currency; shares traded"),
            TensorSpec::new("ticker", DType::U8, ["bytes"]).meaning("UTF-8"),
        ],
        _ => vec![
            stock,
            day,
            TensorSpec::new("price", DType::F32, [PRICE_DAYS, PRICE_FEATURES]).meaning(
                "ten trading days before, oldest first: close / previous close - 1 (adjusted), high / close - 1, low / close - 1, \
                 open / previous close - 1, change of ln(1 + volume)",
            ),
            TensorSpec::new("posts", DType::I64, [MAX_POSTS])
                .meaning("items of split `posts` in the lag window, oldest first, -1 for none"),
            TensorSpec::new("slots", DType::I64, [MAX_POSTS]).meaning("calendar day of each post: 0 five days before, 4 the day before"),
            scalar("movement", DType::F32, "adjusted close / adjusted close before - 1; NaN where it is not known"),
            scalar("intraday", DType::F32, "close / open - 1; NaN where it is not known"),
            scalar("label", DType::I64, "1 up, 0 down, -1 neither or not known").range(-1.0, 1.0),
        ],
    }
}

/// Facts about a data set; lengths are those of the published files.
fn info(name: &str, split: &str) -> DatasetInfo {
    let (description, licence, provenance, lengths): (_, _, _, &[(&str, usize)]) = match name {
        "stocknet" => (
            "Tweets on 87 stocks and daily prices of 88, 2014 and 2015, with the metadata of their authors: what can be known before \
             each trading day, and whether the stock then rose or fell.",
            "MIT (the data set); the text comes from Twitter and the prices from Yahoo Finance, whose terms may restrict use beyond that",
            "Compact copy of yumoxu/stocknet-dataset at 330708b5ddc359961078bef469f43f48992fd6e4 (Y. Xu and S. B. Cohen, ACL 2018): user \
             ids replaced, metadata joined. Samples differ from the paper's 26,614: the window is the five calendar days before.",
            &[("train", 14_185), ("val", 1_871), ("test", 2_632)],
        ),
        "mman-posts" => (
            "A folder of posts in the form of the authors of arXiv:2112.13593 (an xlsx file an instrument) with prices of the user's own. \
             Options: folder, prices, from, train-until, val-until, until.",
            "none stated by the authors; do not redistribute",
            "Shwai-He/Multi-modal-Attention-Network-for-Stock-Movements-Prediction holds posts of day resolution and no prices.",
            &[],
        ),
        _ => (
            "Ten stocks of StockNet: BABA, BAC, C, DIS, GE, INTC, JPM, MSFT, PCLN and XOM. The cut one forgets everything from \
             2015-11-16 on, to show that nothing before changes.",
            "as stocknet",
            "as stocknet",
            if name == "stocknet-10" { &[("train", 2_324), ("val", 298), ("test", 430)] } else { &[] },
        ),
    };
    DatasetInfo {
        name: name.into(),
        description: description.into(),
        splits: lengths.iter().map(|&(name, len)| SplitInfo { name: name.into(), len }).collect(),
        features: features(split),
        classes: vec!["down".into(), "up".into()],
        licence: licence.into(),
        provenance: provenance.into(),
    }
}
