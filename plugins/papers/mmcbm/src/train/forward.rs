//! The black box in the training engine.

use crate::bank::Features;
use crate::config::{MODALITIES, NetworkConfig};
use crate::network::{GATE, LEAK, encoder};
use crate::phantom::Patient;
use zoo_core::Result;
use zoo_train::burn::tensor::{Tensor, activation};
use zoo_train::ops::{self, Conv2dOptions, Pool2dOptions};
use zoo_train::params::{Init, ParamStore};

/// Logit of an image that is not there.
const NEVER: f32 = -1e9;

/// Adds the black box's tensors.
pub(super) fn add_tensors(params: &mut ParamStore, config: &NetworkConfig) -> Result<()> {
    for modality in 0..MODALITIES.len() {
        let mut inputs = config.channels;
        for (block, &width) in config.widths.iter().enumerate() {
            let name = format!("{}.weight", encoder(modality, "conv", block));
            params.parameter(name, &[width, inputs, 3, 3], Init::Kaiming { fan: 9 * inputs })?;
            params.add_batch_norm(&encoder(modality, "bn", block), width)?;
            inputs = width;
        }
    }
    let (f, hidden) = (config.features(), config.hidden());
    params.add_linear("classifier.pool.weight.mlp.0", f, hidden, true)?;
    params.add_linear("classifier.pool.weight.mlp.2", hidden, f, true)?;
    for part in GATE {
        params.add_linear(&format!("classifier.attn.{part}"), f, f, false)?;
    }
    params.add_linear("classifier.classifier.classifier.0", f, hidden, true)?;
    params.add_linear("classifier.classifier.classifier.2", hidden, config.classes, true)
}

/// Images of several patients, modality by modality, and which belongs to whom.
pub(super) struct Bags {
    /// Pixels and number of images of each modality.
    images: [(Vec<f32>, usize); 3],
    /// Patients.
    count: usize,
    /// Places of the longest bag.
    longest: usize,
    /// For each patient, its images' places in the row of all images.
    members: Vec<Vec<usize>>,
}

impl Bags {
    /// The images of each patient, or those of one modality alone.
    pub(super) fn new(shown: &[(&Patient, Option<usize>)], config: &NetworkConfig) -> Self {
        let size = config.channels * config.side * config.side;
        let mut bags = Self { images: Default::default(), count: shown.len(), longest: 1, members: vec![Vec::new(); shown.len()] };
        let mut place = 0;
        for m in 0..MODALITIES.len() {
            for (member, (patient, only)) in bags.members.iter_mut().zip(shown) {
                if only.is_some_and(|o| o != m) {
                    continue;
                }
                for image in &patient.images[m] {
                    debug_assert_eq!(image.len(), size);
                    bags.images[m].0.extend(image.iter().map(|v| crate::model::standardise(*v)));
                    bags.images[m].1 += 1;
                    member.push(place);
                    place += 1;
                }
            }
        }
        bags.longest = bags.members.iter().map(Vec::len).max().unwrap_or(1).max(1);
        bags
    }
}

/// Features `[n, F]` of images of one modality.
fn encode(params: &mut ParamStore, config: &NetworkConfig, modality: usize, pixels: Vec<f32>, n: usize) -> Result<Tensor<2>> {
    let mut x: Tensor<4> = params.input(pixels, [n, config.channels, config.side, config.side])?;
    for block in 0..config.widths.len() {
        x = params.conv2d(&encoder(modality, "conv", block), x, Conv2dOptions::padded(1))?;
        x = activation::relu(params.batch_norm(&encoder(modality, "bn", block), x)?);
        x = ops::max_pool2d(x, Pool2dOptions::square(2))?;
    }
    let [n, f, h, w] = x.dims();
    Ok(x.reshape([n, f, h * w]).mean_dim(2).reshape([n, f]))
}

/// Class logits `[patients, classes]`. `dropout` multiplies the head's hidden layer.
pub(super) fn logits(params: &mut ParamStore, config: &NetworkConfig, bags: &Bags, dropout: Option<Vec<f32>>) -> Result<Tensor<2>> {
    let mut rows = Vec::new();
    for (m, (pixels, n)) in bags.images.iter().enumerate() {
        if *n > 0 {
            rows.push(encode(params, config, m, pixels.clone(), *n)?);
        }
    }
    let all = Tensor::cat(rows, 0);
    let [total, f] = all.dims();
    let places = bags.count * bags.longest;
    // Rows into bags by a product with ones and zeros.
    let (mut pick, mut penalty) = (vec![0.0; places * total], vec![NEVER; places]);
    for (patient, members) in bags.members.iter().enumerate() {
        for (slot, &row) in members.iter().enumerate() {
            let at = patient * bags.longest + slot;
            pick[at * total + row] = 1.0;
            penalty[at] = 0.0;
        }
    }
    let pick: Tensor<2> = params.input(pick, [places, total])?;
    let penalty: Tensor<3> = params.input(penalty, [bags.count, bags.longest, 1])?;
    let flat = pick.matmul(all);
    let inner = activation::leaky_relu(params.linear("classifier.pool.weight.mlp.0", flat.clone())?, f64::from(LEAK));
    let z = params.linear("classifier.pool.weight.mlp.2", inner)?.reshape([bags.count, bags.longest, f]) + penalty;
    let shares = activation::softmax(z, 1);
    let bag = (shares * flat.reshape([bags.count, bags.longest, f])).sum_dim(1).reshape([bags.count, f]);
    let [q, k, v] = GATE.map(|part| params.linear(&format!("classifier.attn.{part}"), bag.clone()));
    let gated = activation::leaky_relu(activation::sigmoid(q? * k?) * v?, f64::from(LEAK));
    let mut hidden = params.linear("classifier.classifier.classifier.0", gated)?;
    if let Some(mask) = dropout {
        hidden = hidden * params.input(mask, [bags.count, config.hidden()])?;
    }
    params.linear("classifier.classifier.classifier.2", hidden)
}

/// Features of every image of the patients, in evaluation mode.
pub(super) fn features(params: &mut ParamStore, config: &NetworkConfig, patients: &[Patient]) -> Result<Vec<Features>> {
    let mut all: Vec<Features> = vec![Features::default(); patients.len()];
    for m in 0..MODALITIES.len() {
        let shown: Vec<_> = patients.iter().map(|p| (p, Some(m))).collect();
        let Bags { images, .. } = Bags::new(&shown, config);
        let (pixels, n) = &images[m];
        if *n == 0 {
            continue;
        }
        let rows = encode(params, config, m, pixels.clone(), *n)?.into_data().try_into_vec::<f32>().unwrap_or_default();
        let mut rows = rows.chunks_exact(config.features());
        for (patient, own) in patients.iter().zip(&mut all) {
            own[m] = rows.by_ref().take(patient.images[m].len()).map(<[f32]>::to_vec).collect();
        }
    }
    Ok(all)
}
