//! What this plugin offers, and which reader opens which files.

use crate::cifar::Cifar;
use crate::digits::{self, Digits};
use crate::hub::{Hub, is_hub};
use crate::mnist::Mnist;
use crate::pixels::Form;
use crate::zipped::Zipped;
use zoo_core::{Config, DType, DataFiles, Dataset, DatasetFactory, DatasetInfo, Dim, Error, Result, SplitInfo, TensorSpec};

const DIGITS: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
const CLOTHES: [&str; 10] = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"];
const OBJECTS: [&str; 10] = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

/// Opens `mnist`, `fashion-mnist`, `cifar10`, `cifar10-jpeg` and `digits`.
#[derive(Debug, Default)]
pub struct VisionFactory {
    _private: (),
}

impl VisionFactory {
    /// The factory; it holds no state.
    pub fn new() -> Self {
        Self::default()
    }
}

fn info(name: &str, form: Form, splits: [usize; 2], classes: [&str; 10], texts: [&str; 3]) -> DatasetInfo {
    let [description, licence, provenance] = texts;
    let shape = [form.channels, form.side, form.side];
    let channels = if form.channels == 1 { "grey level" } else { "red, green and blue planes" };
    DatasetInfo {
        name: name.into(),
        description: description.into(),
        splits: ["train", "test"].into_iter().zip(splits).map(|(name, len)| SplitInfo { name: name.into(), len }).collect(),
        features: vec![
            TensorSpec::new("image", DType::U8, shape).range(0.0, 255.0).meaning(format!("{channels}, row by row from the top")),
            TensorSpec::new("label", DType::U8, Vec::<Dim>::new()).range(0.0, 9.0).meaning("index of the class"),
        ],
        classes: classes.iter().map(ToString::to_string).collect(),
        licence: licence.into(),
        provenance: provenance.into(),
    }
}

impl DatasetFactory for VisionFactory {
    fn infos(&self) -> Vec<DatasetInfo> {
        let mnist = [
            "Handwritten digits, 28 x 28 grey levels, white on black, centred by mass.",
            "not stated by the source; the package that carries it is ISC",
            "IDX files of Y. LeCun, C. Cortes and C. Burges; counts and label histograms are those of MNIST, pixels were not \
             compared with an official copy",
        ];
        let fashion = [
            "Articles of clothing, 28 x 28 grey levels; a drop-in for MNIST.",
            "MIT",
            "H. Xiao, K. Rasul and R. Vollgraf, 2017; from Debian's repack, so the gzip files differ from upstream's and the \
             unpacked sums are the ones to compare",
        ];
        let cifar = [
            "Photographs of ten kinds of objects, 32 x 32 RGB.",
            "not stated by the source",
            "A. Krizhevsky, 2009; official binary batches, or the hub's PNG copy",
        ];
        let jpeg = [
            "CIFAR-10 stored as JPEG: the whole test split and the first 500 training images of each class, classes interleaved.",
            "not stated by the source",
            "repacked by a third party; JPEG is lossy and the original order is lost, so published CIFAR-10 accuracies are not \
             directly comparable",
        ];
        vec![
            info("mnist", Form::DIGIT, [60_000, 10_000], DIGITS, mnist),
            info("fashion-mnist", Form::DIGIT, [60_000, 10_000], CLOTHES, fashion),
            info("cifar10", Form::PHOTO, [50_000, 10_000], OBJECTS, cifar),
            info("cifar10-jpeg", Form::PHOTO, [5_000, 10_000], OBJECTS, jpeg),
            digits::info(),
        ]
    }

    fn open(&self, name: &str, split: &str, files: &DataFiles, config: &Config) -> Result<Box<dyn Dataset>> {
        let infos = self.infos();
        let Some(info) = infos.iter().find(|i| i.name == name).cloned() else {
            let names: Vec<_> = infos.iter().map(|i| i.name.as_str()).collect();
            return Err(Error::Unknown { kind: "data set", name: name.into(), hint: format!("this plugin has {}", names.join(", ")) });
        };
        if name == digits::NAME {
            return Ok(Box::new(Digits::open(split, files, config)?));
        }
        let Some(split) = ["train", "test"].into_iter().find(|s| *s == split) else {
            return Err(Error::Unknown { kind: "split", name: split.into(), hint: format!("{name} has train and test") });
        };
        Ok(match name {
            "cifar10-jpeg" => Box::new(Zipped::open(info, split, files, config)?),
            "cifar10" if is_hub(files, split) => Box::new(Hub::open(info, split, Form::PHOTO, files, config)?),
            "cifar10" => Box::new(Cifar::open(info, split, files, config)?),
            _ if is_hub(files, split) => Box::new(Hub::open(info, split, Form::DIGIT, files, config)?),
            _ => Box::new(Mnist::open(info, split, files, config)?),
        })
    }
}
