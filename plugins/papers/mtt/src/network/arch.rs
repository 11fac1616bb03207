//! The architectures, layer by layer (specification section 5).

use super::{Architecture, Layer, Op, Source};

/// A unit of a plain network: its convolution (channels and stride), or a pool with its side.
#[derive(Clone, Copy)]
enum Unit {
    Conv(usize, usize),
    Pool(usize),
    /// The next unit opens a stage.
    Stage,
}

use Unit::{Conv, Pool, Stage};

pub(super) fn layers(architecture: Architecture, classes: usize) -> Vec<Layer> {
    let mut list = List::default();
    match architecture {
        Architecture::Resnet19 => list.resnet(classes, 128, &[(128, 3), (256, 3), (512, 2)]),
        Architecture::Resnet18 => list.resnet(classes, 64, &[(64, 2), (128, 2), (256, 2), (512, 2)]),
        Architecture::Vgg14 => {
            let plan: [(usize, usize); 5] = [(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)];
            for (out, count) in plan {
                for unit in 0..count {
                    let pool = if unit + 1 == count { vec![Conv(out, 1), Pool(2)] } else { vec![Conv(out, 1)] };
                    list.plain(&pool);
                    list.stage += 1;
                }
            }
            list.stage -= 1;
            // The pool of the last unit leaves one pixel of 32.
            list.linear("head", classes, true, false);
        }
        Architecture::Vgg9Event => {
            list.plain(&[Pool(4), Conv(64, 1), Conv(128, 1), Stage, Pool(2), Conv(256, 1), Conv(256, 1), Stage, Pool(2)]);
            list.plain(&[Conv(512, 1), Conv(512, 1), Stage, Pool(2), Conv(512, 1), Conv(512, 1), Pool(2)]);
            list.linear("head", classes, false, false);
        }
        Architecture::GestureEvent => {
            list.plain(&[Pool(2), Conv(8, 2), Pool(2), Conv(16, 1), Stage, Pool(2), Conv(32, 1), Pool(2), Conv(32, 1), Stage]);
            // 128 pixels: 64, 32, 16, 8, 4 a side, and 512 values in all.
            list.linear("fc", 64, false, true);
            list.linear("head", classes, false, false);
        }
        Architecture::Nmnist3c1fc => {
            list.plain(&[Conv(8, 1), Stage, Pool(2), Conv(16, 1), Stage, Pool(2), Conv(16, 2), Stage]);
            list.linear("head", classes, false, false);
        }
    }
    list.layers
}

#[derive(Default)]
struct List {
    layers: Vec<Layer>,
    stage: usize,
    units: usize,
}

impl List {
    fn last(&self) -> Source {
        self.layers.len().checked_sub(1).map_or(Source::Frame, Source::Layer)
    }

    fn push(&mut self, name: String, norm: Option<String>, input: Source, op: Op) -> usize {
        self.layers.push(Layer { name, norm, stage: self.stage, input, op, add: None, spikes: false });
        self.layers.len() - 1
    }

    fn linear(&mut self, name: &str, out: usize, bias: bool, spikes: bool) {
        let at = self.push(name.into(), None, self.last(), Op::Linear { out, bias });
        self.layers[at].spikes = spikes;
    }

    /// Convolutions of side 3, each with batch normalisation and neurons, and pools.
    fn plain(&mut self, units: &[Unit]) {
        for unit in units {
            let from = self.last();
            match *unit {
                Stage => self.stage += 1,
                Pool(kernel) => {
                    self.push(format!("pools.{}", self.layers.len()), None, from, Op::AvgPool { kernel });
                }
                Conv(out, stride) => {
                    let stem = format!("stages.{}", self.units);
                    self.units += 1;
                    let op = Op::Conv { out, kernel: 3, stride, padding: 1 };
                    let at = self.push(format!("{stem}.conv1"), Some(format!("{stem}.bn1")), from, op);
                    self.layers[at].spikes = true;
                }
            }
        }
    }

    /// Stem and basic blocks; the stem belongs to the first block's stage. Every widening but the first has stride 2.
    fn resnet(&mut self, classes: usize, stem: usize, plan: &[(usize, usize)]) {
        let conv = |out, kernel, stride| Op::Conv { out, kernel, stride, padding: kernel / 2 };
        let at = self.push("stem.conv".into(), Some("stem.bn".into()), Source::Frame, conv(stem, 3, 1));
        self.layers[at].spikes = true;
        let (mut width, mut block) = (stem, 0);
        for (group, &(out, count)) in plan.iter().enumerate() {
            for number in 0..count {
                self.stage = block;
                let name = format!("stages.{block}");
                let stride = if group > 0 && number == 0 { 2 } else { 1 };
                let input = self.last();
                let shortcut = if stride == 1 && width == out {
                    None
                } else {
                    Some(self.push(format!("{name}.shortcut"), Some(format!("{name}.bn_shortcut")), input, conv(out, 1, stride)))
                };
                let first = self.push(format!("{name}.conv1"), Some(format!("{name}.bn1")), input, conv(out, 3, stride));
                self.layers[first].spikes = true;
                let second = self.push(format!("{name}.conv2"), Some(format!("{name}.bn2")), Source::Layer(first), conv(out, 3, 1));
                self.layers[second].spikes = true;
                self.layers[second].add = match (shortcut, input) {
                    (Some(n), _) | (None, Source::Layer(n)) => Some(n),
                    (None, Source::Frame) => None,
                };
                width = out;
                block += 1;
            }
        }
        self.push("pool".into(), None, self.last(), Op::GlobalAvgPool);
        self.linear("head", classes, true, false);
    }
}
