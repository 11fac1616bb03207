//! Golden files: tensors by name, and the cases that made them.

use serde_json::Value;
use zoo_core::Weights;
use zoo_train::burn::tensor::{Device, Tensor, TensorData};

/// Largest relative error that is let through, against the largest value of the expected tensor.
pub const TOLERANCE: f64 = 2e-5;

pub struct Golden {
    weights: Weights,
    cases: Value,
}

impl Golden {
    pub fn open(name: &str) -> Self {
        let path = format!("{}/tests/golden/{name}.safetensors", env!("CARGO_MANIFEST_DIR"));
        let weights = zoo_formats::safetensors::read(path).expect("golden file");
        let cases = serde_json::from_str(&weights.metadata["cases"]).expect("cases are JSON");
        Self { weights, cases }
    }

    /// Cases whose names start with `KIND/`, with their settings.
    pub fn cases(&self, kind: &str) -> Vec<(String, Value)> {
        let all = self.cases.as_object().expect("cases by name");
        let found: Vec<_> =
            all.iter().filter(|(name, _)| name.starts_with(&format!("{kind}/"))).map(|(n, c)| (n.clone(), c.clone())).collect();
        assert!(!found.is_empty(), "no golden case of {kind}");
        found
    }

    pub fn case(&self, name: &str) -> &Value {
        &self.cases[name]
    }

    pub fn has(&self, name: &str) -> bool {
        self.weights.tensors.contains_key(name)
    }

    pub fn values(&self, name: &str) -> Vec<f32> {
        self.weights.get(name).expect("golden tensor").as_slice().expect("f32").to_vec()
    }

    pub fn ints(&self, name: &str) -> Vec<i64> {
        self.weights.get(name).expect("golden tensor").as_slice().expect("i64").to_vec()
    }

    pub fn shape<const D: usize>(&self, name: &str) -> [usize; D] {
        self.weights.get(name).expect("golden tensor").shape().try_into().expect("rank")
    }

    /// Names below a prefix, without it.
    pub fn names(&self, prefix: &str) -> Vec<String> {
        self.weights.tensors.keys().filter_map(|name| name.strip_prefix(prefix)).map(str::to_owned).collect()
    }

    /// A tensor on the differentiating CPU device.
    pub fn tensor<const D: usize>(&self, name: &str) -> Tensor<D> {
        Tensor::from_data(TensorData::new(self.values(name), self.shape::<D>(name)), &Device::flex().autodiff())
    }

    /// The same as a leaf of the graph.
    pub fn leaf<const D: usize>(&self, name: &str) -> Tensor<D> {
        self.tensor(name).require_grad()
    }

    /// Asserts that `found` is the golden tensor, and returns the relative error.
    pub fn check(&self, name: &str, found: &[f32]) -> f64 {
        let expected = self.values(name);
        assert_eq!(expected.len(), found.len(), "{name}: length");
        let scale = expected.iter().fold(1e-12, |m: f64, v| m.max(f64::from(v.abs())));
        let worst = expected.iter().zip(found).map(|(e, f)| (f64::from(*e) - f64::from(*f)).abs()).fold(0.0, f64::max) / scale;
        assert!(worst <= TOLERANCE, "{name}: relative error {worst:e}");
        worst
    }
}

pub fn host<const D: usize>(x: Tensor<D>) -> Vec<f32> {
    x.inner().into_data().try_into_vec().expect("f32")
}

/// Two numbers of a JSON array.
pub fn pair(value: &Value) -> [usize; 2] {
    [0, 1].map(|i| value[i].as_u64().expect("a pair of sizes") as usize)
}
