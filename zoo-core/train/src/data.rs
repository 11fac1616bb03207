//! Training data in memory.

use rayon::prelude::*;
use zoo_core::{Dataset, Error, Reporter, Result};

/// Images (or other items of one shape) with a class each, held in memory as `f32`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Labelled {
    /// Shape of one item.
    pub shape: Vec<usize>,
    /// Items one after another.
    pub items: Vec<f32>,
    /// Class of each item.
    pub labels: Vec<i64>,
}

impl Labelled {
    /// Reads the fields `item` and `label` of all items of a split, or of the first `limit`; `prepare` turns the raw
    /// values of an item (bytes as 0 to 255) into what the model eats.
    ///
    /// # Errors
    /// Whatever the data set finds; [`Error::Unknown`] for a field there is not; [`Error::Shape`] if items differ in
    /// shape or a label is not one number; [`Error::Cancelled`].
    pub fn read(
        dataset: &dyn Dataset,
        [item, label]: [&str; 2],
        limit: Option<usize>,
        reporter: &dyn Reporter,
        prepare: impl Fn(&mut [f32]),
    ) -> Result<Self> {
        let features = &dataset.info().features;
        let place = |name: &str| {
            features.iter().position(|f| f.name == name).ok_or_else(|| Error::Unknown {
                kind: "data set field",
                name: name.into(),
                hint: format!("fields are {}", features.iter().map(|f| f.name.as_str()).collect::<Vec<_>>().join(", ")),
            })
        };
        let (item, label) = (place(item)?, place(label)?);
        let count = limit.unwrap_or(usize::MAX).min(dataset.len());
        let task = format!("reading {} ({})", dataset.info().name, dataset.split());
        let mut all = Self::default();
        for index in 0..count {
            if index % 256 == 0 {
                reporter.check()?;
                reporter.progress(&task, index as u64, Some(count as u64), "items");
            }
            let fields = dataset.get(index)?;
            let (Some(x), Some(y)) = (fields.get(item), fields.get(label)) else {
                return Err(Error::shape(format!("fields of item {index}"), features.len(), fields.len()));
            };
            if index == 0 {
                all.shape = x.shape().to_vec();
                all.items.reserve(count.saturating_mul(x.len()));
            }
            if x.shape() != all.shape || y.len() != 1 {
                return Err(Error::shape(format!("item {index} and its label"), (&all.shape, 1), (x.shape(), y.len())));
            }
            let mut values = x.to_f32();
            prepare(&mut values);
            if values.iter().any(|v| !v.is_finite()) {
                return Err(Error::argument(format!("values of item {index}"), "finite numbers", "an infinity or NaN"));
            }
            all.items.extend_from_slice(&values);
            #[allow(clippy::cast_possible_truncation, reason = "classes are small integers")]
            all.labels.extend(y.to_f32().iter().map(|&v| v as i64));
        }
        reporter.progress(&task, count as u64, Some(count as u64), "items");
        Ok(all)
    }

    /// Number of items.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Copies the items and labels of `indices`, in that order.
    ///
    /// # Errors
    /// [`Error::Argument`] for an index out of range.
    pub fn gather(&self, indices: &[usize]) -> Result<(Vec<f32>, Vec<i64>)> {
        if let Some(index) = indices.iter().find(|&&i| i >= self.len()) {
            return Err(Error::argument("item index", format!("below {}", self.len()), index));
        }
        let size: usize = self.shape.iter().product();
        let mut items = vec![0.0; size * indices.len()];
        items.par_chunks_mut(size.max(1)).zip(indices).for_each(|(out, &i)| out.copy_from_slice(&self.items[i * size..][..size]));
        Ok((items, indices.iter().map(|&i| self.labels[i]).collect()))
    }
}
