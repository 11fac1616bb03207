//! `familiarity`: streams made on the spot, a split a delay.

use crate::random::{Purpose, stream};
use crate::task::{Stream, Task};
use serde::Deserialize;
use zoo_core::{Config, DType, DataFiles, Dataset, DatasetFactory, DatasetInfo, Dim, Error, Result, SplitInfo, Tensor, TensorSpec};

const NAME: &str = "familiarity";
/// Delays that have a split.
const DELAYS: std::ops::RangeInclusive<usize> = 1..=40;

/// Opens `familiarity`.
#[derive(Clone, Copy, Debug, Default)]
pub struct FamiliarityFactory;

/// How many streams of what kind.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct Plan {
    d: usize,
    steps: usize,
    repeat: f64,
    streams: usize,
    seed: u64,
}

impl Default for Plan {
    fn default() -> Self {
        Self { d: 25, steps: 250, repeat: 0.5, streams: 20, seed: 2022 }
    }
}

impl DatasetFactory for FamiliarityFactory {
    fn infos(&self) -> Vec<DatasetInfo> {
        vec![info(Plan::default())]
    }

    fn open(&self, name: &str, split: &str, _: &DataFiles, config: &Config) -> Result<Box<dyn Dataset>> {
        if name != NAME {
            return Err(Error::Unknown { kind: "dataset", name: name.into(), hint: format!("this factory opens {NAME}") });
        }
        let delay = split.strip_prefix('r').and_then(|r| r.parse().ok()).filter(|r| DELAYS.contains(r));
        let delay = delay.ok_or_else(|| Error::Unknown {
            kind: "split",
            name: split.into(),
            hint: format!("splits are r{} to r{}, a delay each", DELAYS.start(), DELAYS.end()),
        })?;
        let plan: Plan = config.parse()?;
        let task = Task { d: plan.d, steps: plan.steps, delay, repeat: plan.repeat };
        task.check()?;
        Ok(Box::new(Streams { info: info(plan), split: split.into(), task, plan }))
    }
}

fn info(plan: Plan) -> DatasetInfo {
    DatasetInfo {
        name: NAME.into(),
        description:
            "Streams of random items of +1 and -1, some of which repeat the item of a fixed number of steps before: has this item \
                      been here? Split `rN` repeats after N steps."
                .into(),
        splits: DELAYS.map(|r| SplitInfo { name: format!("r{r}"), len: plan.streams }).collect(),
        features: vec![
            TensorSpec::new("items", DType::F32, [Dim::Fixed(plan.steps), Dim::Fixed(plan.d)]).range(-1.0, 1.0).meaning("bits, -1 or +1"),
            TensorSpec::new("familiar", DType::U8, [Dim::Fixed(plan.steps)]).range(0.0, 1.0).meaning("1 where the item is a repeat"),
        ],
        classes: vec!["new".into(), "familiar".into()],
        licence: "CC0-1.0".into(),
        provenance: "made by this plugin from a seed".into(),
    }
}

struct Streams {
    info: DatasetInfo,
    split: String,
    task: Task,
    plan: Plan,
}

impl Dataset for Streams {
    fn info(&self) -> &DatasetInfo {
        &self.info
    }

    fn split(&self) -> &str {
        &self.split
    }

    fn len(&self) -> usize {
        self.plan.streams
    }

    fn get(&self, index: usize) -> Result<Vec<Tensor>> {
        if index >= self.plan.streams {
            return Err(Error::argument("item index", format!("below {}", self.plan.streams), index));
        }
        let stream = self.task.stream(&mut stream(self.plan.seed, Purpose::Test, index as u64));
        tensors(&stream)
    }
}

/// A stream as `items [steps, d]` and `familiar [steps]`.
fn tensors(stream: &Stream) -> Result<Vec<Tensor>> {
    #[allow(clippy::cast_possible_truncation, reason = "-1 and 1")]
    let items = stream.items.iter().map(|v| *v as f32).collect::<Vec<f32>>();
    let familiar = stream.familiar.iter().map(|f| u8::from(*f)).collect::<Vec<u8>>();
    Ok(vec![Tensor::from_vec([stream.steps(), stream.d], items)?, Tensor::from_vec([stream.steps()], familiar)?])
}
