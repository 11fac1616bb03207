//! The architectures, layer by layer (specification section 5).

use super::{Architecture, Layer, Op, Source};

pub(super) fn layers(architecture: Architecture, classes: usize) -> Vec<Layer> {
    let mut list = List::default();
    match architecture {
        Architecture::Vggsnn => list.vgg(&[(64, 1), (128, 1), P, (256, 1), (256, 1), P, (512, 1), (512, 1), P, (512, 1), (512, 1), P]),
        Architecture::VggsnnWoap => {
            list.vgg(&[(64, 1), (128, 2), (256, 1), (256, 2), (512, 1), (512, 2), (512, 1), (512, 2)]);
        }
        Architecture::VggsnnMini => list.vgg(&[(12, 2), (24, 1), P, (32, 1), (32, 1), P]),
        Architecture::Resnet19 => {
            list.conv("convs.0".into(), "bns.0".into(), Conv { out: 64, kernel: 3, stride: 1, bias: false });
            list.stages(&[(128, 3, 1), (256, 3, 2), (512, 2, 2)], 64, false);
            list.push("pool", Op::GlobalAvgPool, false);
            list.push("head.0", Op::Linear { out: 256 }, true);
            list.push("head.1", Op::Linear { out: classes }, false);
            return list.layers;
        }
        Architecture::SpikingResnet34 | Architecture::SewResnet34 => {
            list.conv("convs.0".into(), "bns.0".into(), Conv { out: 64, kernel: 7, stride: 2, bias: false });
            list.push("stem.pool", Op::MaxPool, false);
            let sew = architecture == Architecture::SewResnet34;
            list.stages(&[(64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)], 64, sew);
            list.push("pool", Op::GlobalAvgPool, false);
        }
    }
    list.push("head.0", Op::Linear { out: classes }, false);
    list.layers
}

/// A pool in a plan of `(channels, stride)`.
const P: (usize, usize) = (0, 0);

struct Conv {
    out: usize,
    kernel: usize,
    stride: usize,
    bias: bool,
}

#[derive(Default)]
struct List {
    layers: Vec<Layer>,
}

impl List {
    fn last(&self) -> Source {
        self.layers.len().checked_sub(1).map_or(Source::Frame, Source::Layer)
    }

    fn push(&mut self, name: &str, op: Op, spikes: bool) {
        let input = self.last();
        self.layers.push(Layer { name: name.into(), norm: None, input, op, add: None, spikes, add_after: None });
    }

    /// A convolution that keeps the side at stride 1, with batch normalisation and neurons.
    fn conv(&mut self, name: String, norm: String, Conv { out, kernel, stride, bias }: Conv) {
        let op = Op::Conv { out, kernel, stride, padding: kernel / 2, bias };
        let input = self.last();
        self.layers.push(Layer { name, norm: Some(norm), input, op, add: None, spikes: true, add_after: None });
    }

    fn vgg(&mut self, plan: &[(usize, usize)]) {
        let mut n = 0;
        for &(out, stride) in plan {
            if out == 0 {
                self.push(&format!("pool.{n}"), Op::AvgPool { kernel: 2 }, false);
            } else {
                self.conv(format!("convs.{n}"), format!("bns.{n}"), Conv { out, kernel: 3, stride, bias: true });
                n += 1;
            }
        }
    }

    /// Stages of basic blocks `(channels, blocks, stride of the first)`; `sew` moves the addition behind the neurons.
    fn stages(&mut self, plan: &[(usize, usize, usize)], mut width: usize, sew: bool) {
        for (s, &(out, blocks, first)) in plan.iter().enumerate() {
            for b in 0..blocks {
                let stride = if b == 0 { first } else { 1 };
                let stem = format!("blocks.{s}.{b}");
                let start = self.last();
                let Source::Layer(mut shortcut) = start else { continue };
                if stride != 1 || width != out {
                    let op = Op::Conv { out, kernel: 1, stride, padding: 0, bias: false };
                    let (name, norm) = (format!("{stem}.shortcut"), Some(format!("{stem}.shortcut-bn")));
                    self.layers.push(Layer { name, norm, input: start, op, add: None, spikes: sew, add_after: None });
                    shortcut = self.layers.len() - 1;
                }
                self.conv(format!("{stem}.conv1"), format!("{stem}.bn1"), Conv { out, kernel: 3, stride, bias: false });
                if let Some(layer) = self.layers.last_mut() {
                    layer.input = start;
                }
                self.conv(format!("{stem}.conv2"), format!("{stem}.bn2"), Conv { out, kernel: 3, stride: 1, bias: false });
                if let Some(layer) = self.layers.last_mut() {
                    *(if sew { &mut layer.add_after } else { &mut layer.add }) = Some(shortcut);
                }
                width = out;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Architecture, Network, Op};

    fn network(architecture: Architecture, input: [usize; 3], classes: usize) -> Network {
        Network::new(architecture, input, classes).unwrap()
    }

    #[test]
    fn vggsnn_has_the_sizes_of_the_specification() {
        let net = network(Architecture::Vggsnn, [2, 48, 48], 10);
        assert_eq!(net.weight_shape(net.layers().len() - 1), [10, 4608]);
        assert_eq!(net.spiking().count(), 8);
        let woap = network(Architecture::VggsnnWoap, [2, 48, 48], 10);
        assert_eq!(woap.weight_shape(8), [10, 4608]);
        assert!(woap.layers().iter().all(|l| !matches!(l.op, Op::AvgPool { .. })));
    }

    #[test]
    fn resnets_have_their_layers() {
        let net = network(Architecture::Resnet19, [3, 32, 32], 100);
        // 17 convolutions on the way, 3 shortcuts (each stage widens, the first without a stride), 2 linear layers.
        assert_eq!(net.weighted().count(), 17 + 3 + 2);
        assert_eq!(net.spiking().count(), 17 + 1);
        assert_eq!(net.weight_shape(net.layers().len() - 2), [256, 512]);
        for (architecture, spiking) in [(Architecture::SpikingResnet34, 33), (Architecture::SewResnet34, 33 + 3)] {
            let net = network(architecture, [3, 224, 224], 1000);
            assert_eq!((net.weighted().count(), net.spiking().count()), (33 + 3 + 1, spiking));
            // 21.8 million, as torchvision's resnet34.
            assert_eq!(net.parameters(), 21_797_672);
        }
    }

    #[test]
    fn the_mini_net_by_hand() {
        let net = network(Architecture::VggsnnMini, [2, 28, 28], 10);
        assert_eq!(net.macs(), 14 * 14 * (216 + 2592) + 7 * 7 * (6912 + 9216) + 2880);
        assert!(Network::new(Architecture::VggsnnMini, [2, 3, 3], 10).is_err());
    }
}
