//! The architectures by name: our small ones and the papers' (specification section 7; layouts as in the public code,
//! `models/CIFAR` and `models/ImageNet`).

use super::{Network, Node, Op, Shape, Source};
use zoo_core::{Error, Result};

/// Names that [`Network::named`] knows.
pub const ARCHITECTURES: [&str; 9] = [
    "vgg-mini",
    "vgg-mini-12",
    "resnet-mini",
    "vgg16",
    "vgg16-nobn",
    "resnet20-wide",
    "vgg16-imagenet",
    "resnet34-deepstem",
    "mobilenet-v1",
];

/// RegNetX-4GF stands apart since its stage widths are from memory of the RegNet paper, not from the authors' code.
pub(super) const REGNET: &str = "regnetx-4gf";

impl Network {
    /// The architecture of that name for an image shape and a number of classes.
    ///
    /// # Errors
    /// [`Error::Unknown`] for another name; [`Error::Argument`] if the image is too small for it.
    pub fn named(name: &str, input: Shape, classes: usize) -> Result<Self> {
        match name {
            // VGG-mini (specification section 9) and the deeper one the section asks for if conversion proves too easy.
            "vgg-mini" => vgg(input, &[&[16, 16], &[32, 32], &[48, 48, 48]], Head::Global, classes, true),
            "vgg-mini-12" => vgg(input, &[&[16, 16, 16, 16], &[32, 32, 32, 32], &[48, 48, 48, 48]], Head::Global, classes, true),
            "resnet-mini" => resnet(input, &[16], &[(16, 1, 1), (24, 1, 2), (32, 2, 2)], false, classes),
            "vgg16" | "vgg16-nobn" => vgg(input, &VGG16, Head::Pooled(&[]), classes, name == "vgg16"),
            "vgg16-imagenet" => vgg(input, &VGG16, Head::Pooled(&[4096, 4096]), classes, true),
            "resnet20-wide" => resnet(input, &[64], &[(64, 3, 1), (128, 3, 2), (256, 3, 2)], false, classes),
            "resnet34-deepstem" => resnet(input, &[32, 32, 64], &[(64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)], true, classes),
            "mobilenet-v1" => mobilenet(input, classes),
            REGNET => regnet(input, classes),
            other => Err(Error::Unknown {
                kind: "architecture",
                name: other.into(),
                hint: format!("architectures are {} and {REGNET}", ARCHITECTURES.join(", ")),
            }),
        }
    }
}

const VGG16: [&[usize]; 5] = [&[64, 64], &[128, 128], &[256, 256, 256], &[512, 512, 512], &[512, 512, 512]];

/// What follows the convolutions of a VGG.
#[derive(Clone, Copy)]
enum Head {
    /// Global average, then the classifier; no pool after the last stage.
    Global,
    /// A pool after the last stage too, then hidden layers of these widths and the classifier.
    Pooled(&'static [usize]),
}

/// Collects nodes; every method returns the source of what it added.
struct Builder {
    nodes: Vec<Node>,
}

impl Builder {
    fn push(&mut self, op: Op, input: Source, relu: bool, batch_norm: bool) -> Source {
        self.nodes.push(Node { op, input, residual: None, relu, batch_norm });
        Source::Node(self.nodes.len() - 1)
    }

    /// Convolution with batch normalisation, and ReLU where asked for.
    fn conv(&mut self, input: Source, out: usize, kernel: usize, stride: usize, groups: usize, relu: bool) -> Source {
        self.push(Op::Conv { out, kernel, stride, padding: kernel / 2, groups }, input, relu, true)
    }

    fn pool(&mut self, input: Source, kernel: usize, stride: usize, padding: usize) -> Source {
        self.push(Op::AvgPool { kernel, stride, padding }, input, false, false)
    }

    /// Global average, classifier and shapes.
    fn finish(mut self, from: Source, image: Shape, classes: usize) -> Result<Network> {
        let pooled = self.push(Op::GlobalAvgPool, from, false, false);
        self.push(Op::Linear { out: classes }, pooled, false, false);
        Network::new(image, self.nodes)
    }

    /// Adds a residual to the node added last.
    fn add_residual(&mut self, residual: Source) {
        if let Some(node) = self.nodes.last_mut() {
            node.residual = Some(residual);
        }
    }
}

fn vgg(image: Shape, stages: &[&[usize]], head: Head, classes: usize, batch_norm: bool) -> Result<Network> {
    let mut b = Builder { nodes: Vec::new() };
    let mut at = Source::Image;
    for (i, stage) in stages.iter().enumerate() {
        for &out in *stage {
            at = b.push(Op::Conv { out, kernel: 3, stride: 1, padding: 1, groups: 1 }, at, true, batch_norm);
        }
        if i + 1 < stages.len() || matches!(head, Head::Pooled(_)) {
            at = b.pool(at, 2, 2, 0);
        }
    }
    match head {
        Head::Global => b.finish(at, image, classes),
        Head::Pooled(hidden) => {
            for &out in hidden {
                at = b.push(Op::Linear { out }, at, true, false);
            }
            b.push(Op::Linear { out: classes }, at, false, false);
            Network::new(image, b.nodes)
        }
    }
}

/// Basic-block ResNet; `stages` are (width, blocks, stride of the first block). A deep stem has stride 2 and a padded
/// average pool.
fn resnet(image: Shape, stem: &[usize], stages: &[(usize, usize, usize)], deep: bool, classes: usize) -> Result<Network> {
    let mut b = Builder { nodes: Vec::new() };
    let mut at = Source::Image;
    for (i, &width) in stem.iter().enumerate() {
        at = b.conv(at, width, 3, if deep && i == 0 { 2 } else { 1 }, 1, true);
    }
    if deep {
        at = b.pool(at, 3, 2, 1);
    }
    let mut width = stem.last().copied().unwrap_or(0);
    for &(out, blocks, first_stride) in stages {
        for block in 0..blocks {
            let stride = if block == 0 { first_stride } else { 1 };
            let inner = b.conv(at, out, 3, stride, 1, true);
            // The downsample branch comes before the layer that adds it, to keep forward order; it stays analog.
            let shortcut = if stride != 1 || width != out { b.conv(at, out, 1, stride, 1, false) } else { at };
            at = b.conv(inner, out, 3, 1, 1, true);
            b.add_residual(shortcut);
            width = out;
        }
    }
    b.finish(at, image, classes)
}

fn mobilenet(image: Shape, classes: usize) -> Result<Network> {
    let mut b = Builder { nodes: Vec::new() };
    let mut at = b.conv(Source::Image, 32, 3, 2, 1, true);
    let mut width = 32;
    let pairs = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)]
        .into_iter()
        .chain(std::iter::repeat_n((512, 1), 5))
        .chain([(1024, 2), (1024, 1)]);
    for (out, stride) in pairs {
        at = b.conv(at, width, 3, stride, width, true);
        at = b.conv(at, out, 1, 1, 1, true);
        width = out;
    }
    b.finish(at, image, classes)
}

/// RegNetX-4GF: stem 32, widths 80/240/560/1360, depths 2/5/14/2, group width 40, bottleneck ratio 1.
fn regnet(image: Shape, classes: usize) -> Result<Network> {
    let mut b = Builder { nodes: Vec::new() };
    let mut at = b.conv(Source::Image, 32, 3, 2, 1, true);
    for (out, depth) in [(80, 2), (240, 5), (560, 14), (1360, 2)] {
        for block in 0..depth {
            let stride = if block == 0 { 2 } else { 1 };
            let a = b.conv(at, out, 1, 1, 1, true);
            let a = b.conv(a, out, 3, stride, out / 40, true);
            let shortcut = if block == 0 { b.conv(at, out, 1, stride, 1, false) } else { at };
            at = b.conv(a, out, 1, 1, 1, true);
            b.add_residual(shortcut);
        }
    }
    b.finish(at, image, classes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parameter counts (BN folded: weight and one bias a channel) worked out by hand, layer by layer.
    #[test]
    fn architectures_have_the_published_sizes() {
        let check = |name: &str, input: Shape, classes, parameters: usize, spiking: usize| {
            let net = Network::named(name, input, classes).unwrap();
            assert_eq!(net.parameters(), parameters, "{name}");
            assert_eq!(net.spiking().count(), spiking, "{name}");
            assert_eq!(net.classes(), classes);
        };
        check("vgg-mini", [1, 28, 28], 10, 72_298, 7);
        // torchvision's vgg16 has 138,357,544 parameters, the same layout with biases.
        check("vgg16-imagenet", [3, 224, 224], 1000, 138_357_544, 15);
        // 4,209,088 of the MobileNet paper's table plus 1,000 classifier biases, less what batch norm adds (one of two a channel).
        check("mobilenet-v1", [3, 224, 224], 1000, 4_221_032, 27);
    }

    #[test]
    fn every_architecture_has_shapes() {
        for name in ARCHITECTURES.into_iter().chain([REGNET]) {
            let input = if matches!(name, "vgg-mini" | "vgg-mini-12" | "resnet-mini") { [1, 28, 28] } else { [3, 224, 224] };
            let net = Network::named(name, input, 10).unwrap();
            assert!(net.macs() > 0 && net.spiking().count() >= 7, "{name}");
        }
        assert!(Network::named("vgg-mini", [1, 2, 2], 10).is_err());
        assert!(Network::named("vgg17", [1, 28, 28], 10).unwrap_err().to_string().contains("vgg-mini-12"));
    }

    #[test]
    fn a_residual_of_another_shape_is_refused() {
        let mut nodes = Network::named("vgg-mini", [1, 28, 28], 10).unwrap().nodes().to_vec();
        nodes[3].residual = Some(Source::Node(0));
        assert!(Network::new([1, 28, 28], nodes.clone()).unwrap_err().to_string().contains("residual of layer 3"));
        nodes[3].residual = Some(Source::Node(9));
        assert!(Network::new([1, 28, 28], nodes).is_err());
    }
}
