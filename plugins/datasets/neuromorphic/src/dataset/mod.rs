//! The data sets of this plugin.

mod config;
mod files;
mod mnist;

use crate::events::Events;
use crate::framing::{Framing, Scale};
use config::{ItemConfig, SaccadeConfig};
use std::ops::Range;
use zoo_core::{Config, DType, DataFiles, Dataset, DatasetFactory, DatasetInfo, Dim, Error, Result, SplitInfo, Tensor, TensorSpec};

/// Where recordings come from.
trait Recordings: Send + Sync {
    /// Recordings in the split.
    fn len(&self) -> usize;

    /// Events and, where there are labels, the label of a recording.
    fn load(&self, item: usize) -> Result<(Events, Option<u8>)>;
}

/// Opens `nmnist-small` (also whole, in folds, as `nmnist-folds`), `saccade-mnist` (both also as `...-frames`) and `event-files`.
#[derive(Debug, Default)]
pub struct NeuromorphicFactory {
    _private: (),
}

impl NeuromorphicFactory {
    /// The factory; it holds no state.
    pub fn new() -> Self {
        Self::default()
    }
}

const NMNIST: &str = "nmnist-small";
/// All recordings of `nmnist-small` in [`FOLDS`] for cross-validation.
const NMNIST_FOLDS: &str = "nmnist-folds";
/// Recording `i` of the training list followed by the test list belongs to fold `i % 5`.
const FOLDS: [&str; 5] = ["fold0", "fold1", "fold2", "fold3", "fold4"];
const SACCADE: &str = "saccade-mnist";
const FILES: &str = "event-files";
/// The same recordings under a second name each, which a registry may give another configuration: frames, noise, sizes.
const NMNIST_FRAMES: &str = "nmnist-small-frames";
const SACCADE_FRAMES: &str = "saccade-mnist-frames";

/// Sensor size (height, width) where all recordings of a data set share one.
fn sensor(name: &str) -> Option<(u16, u16)> {
    (name != FILES).then_some((34, 34))
}

fn features(name: &str, framing: Option<&Framing>) -> Vec<TensorSpec> {
    let size = |of: Option<usize>, name: &str| of.map_or_else(|| Dim::from(name), Dim::from);
    let first = match framing {
        None => TensorSpec::new("events", DType::I64, [Dim::from("events"), Dim::from(4)])
            .meaning("columns x, y, t in microseconds, p (1 brighter, 0 darker); in order of t"),
        Some(framing) => {
            let sensor = sensor(name);
            let side = |axis: usize| framing.size.map(|s| s[axis]).or(sensor.map(|(h, w)| [h, w][axis].into()));
            let shape = [Dim::from(framing.steps), Dim::from(2), size(side(0), "height"), size(side(1), "width")];
            let spec = TensorSpec::new("frames", DType::F32, shape);
            match framing.scale {
                Scale::Counts => spec.meaning("events a pixel and frame; channel 0 darker, channel 1 brighter"),
                Scale::Max => spec.range(0.0, 1.0).meaning("events a pixel over the frame's maximum; channel 0 darker, 1 brighter"),
            }
        }
    };
    let mut features = vec![first];
    if name != FILES {
        features.push(TensorSpec::new("label", DType::U8, Vec::<Dim>::new()).range(0.0, 9.0).meaning("the digit"));
    }
    features
}

fn info(name: &str, splits: &[(&str, usize)], texts: [&str; 3], framing: Option<&Framing>) -> DatasetInfo {
    let [description, licence, provenance] = texts;
    DatasetInfo {
        name: name.into(),
        description: description.into(),
        splits: splits.iter().map(|&(name, len)| SplitInfo { name: name.into(), len }).collect(),
        features: features(name, framing),
        classes: if name == FILES { Vec::new() } else { (0..10).map(|d| d.to_string()).collect() },
        licence: licence.into(),
        provenance: provenance.into(),
    }
}

fn infos(framing: Option<&Framing>, saccade: &SaccadeConfig) -> Vec<DatasetInfo> {
    let nmnist = [
        "The first 1,000 training and the first 100 test recordings of N-MNIST, 34 x 34 pixels, about 300 ms each.",
        "not stated by the source",
        "taken from a repository's test files; labels equal MNIST's in order, events were not compared with the official \
         archive; 100 test items give a coarse accuracy only",
    ];
    let digits = [
        "MNIST digits moved along three saccades of 100 ms before a simulated event camera of 34 x 34 pixels.",
        "that of MNIST, which its source does not state",
        "generated here from MNIST's pixels, bit by bit the same on every machine; not recordings of a camera",
    ];
    let files = [
        "Single recordings in any of the formats this plugin reads, in the order of their names.",
        "that of each recording",
        "the files that the registry or the user names",
    ];
    let splits = [("train", saccade.train), ("val", saccade.val), ("test", saccade.test)];
    vec![
        info(NMNIST, &[("train", 1_000), ("test", 100)], nmnist, framing),
        info(NMNIST_FRAMES, &[("train", 1_000), ("test", 100)], nmnist, framing),
        info(NMNIST_FOLDS, &FOLDS.map(|fold| (fold, 1_100 / FOLDS.len())), nmnist, framing),
        info(SACCADE, &splits, digits, framing),
        info(SACCADE_FRAMES, &splits, digits, framing),
        info(FILES, &[("all", 0)], files, framing),
    ]
}

impl DatasetFactory for NeuromorphicFactory {
    fn infos(&self) -> Vec<DatasetInfo> {
        infos(None, &SaccadeConfig::default())
    }

    fn open(&self, name: &str, split: &str, files: &DataFiles, config: &Config) -> Result<Box<dyn Dataset>> {
        let config = ItemConfig::parse(config)?;
        let saccade = config.saccade.unwrap_or_default();
        let infos = infos(config.frames.as_ref(), &saccade);
        let Some(mut info) = infos.iter().find(|i| i.name == name).cloned() else {
            let names: Vec<_> = infos.iter().map(|i| i.name.as_str()).collect();
            return Err(Error::Unknown { kind: "data set", name: name.into(), hint: format!("this plugin has {}", names.join(", ")) });
        };
        if !info.splits.iter().any(|s| s.name == split) {
            let names: Vec<_> = info.splits.iter().map(|s| s.name.as_str()).collect();
            return Err(Error::Unknown { kind: "split", name: split.into(), hint: format!("{name} has {}", names.join(", ")) });
        }
        let listed = matches!(name, NMNIST | NMNIST_FRAMES | NMNIST_FOLDS);
        if !listed {
            config.no_sums()?;
        }
        let recordings: Box<dyn Recordings> = if matches!(name, SACCADE | SACCADE_FRAMES) {
            Box::new(mnist::Saccades::open(split, files, &saccade)?)
        } else {
            config.no_saccade()?;
            if let Some(fold) = FOLDS.iter().position(|f| *f == split) {
                let lists = ["train", "test"].map(|list| files::Listed::open(list, files, config.sums.get(list).map(String::as_str)));
                let [train, test] = lists;
                Box::new(train?.and(test?).fold(fold, FOLDS.len()))
            } else if listed {
                Box::new(files::Listed::open(split, files, config.sums.get(split).map(String::as_str))?)
            } else {
                Box::new(files::Files::open(files)?)
            }
        };
        if name == FILES {
            info.splits[0].len = recordings.len();
        }
        let window = config.window(recordings.len())?;
        Ok(Box::new(EventDataset { info, split: split.into(), recordings, framing: config.frames, window }))
    }
}

/// An opened split; recordings are read, or generated, when asked for.
struct EventDataset {
    info: DatasetInfo,
    split: String,
    recordings: Box<dyn Recordings>,
    framing: Option<Framing>,
    window: Range<usize>,
}

impl Dataset for EventDataset {
    fn info(&self) -> &DatasetInfo {
        &self.info
    }

    fn split(&self) -> &str {
        &self.split
    }

    fn len(&self) -> usize {
        self.window.len()
    }

    fn get(&self, index: usize) -> Result<Vec<Tensor>> {
        if index >= self.window.len() {
            return Err(Error::argument("index of an item", format!("less than {}", self.window.len()), index));
        }
        let (events, label) = self.recordings.load(self.window.start + index)?;
        let first = match &self.framing {
            None => events.to_tensor()?,
            Some(framing) => framing.frames(&events)?,
        };
        Ok(std::iter::once(first).chain(label.map(Tensor::scalar)).collect())
    }
}
