//! Checks of data sets.

use super::kebab;
use super::repeat::{leaks, threads};
use super::report::Recorder;
use zoo_core::spec::check_all;
use zoo_core::{Config, DataFiles, Dataset, DatasetFactory, DatasetInfo, Error, Tensor};

/// Items of a split that are looked at.
const ITEMS: usize = 32;

pub(super) fn verify(record: &mut Recorder, factory: &dyn DatasetFactory) {
    let open = |name: &str, split: &str| factory.open(name, split, &DataFiles::default(), &Config::default());
    for info in factory.infos() {
        let subject = &format!("data set {}", info.name);
        record.check(subject, "name is in kebab case", || kebab(&info.name));
        record.check(subject, "card says what it is, its licence, origin, splits and features", || gaps(&info));
        record.refuses(subject, "refuses a split it does not have", open(&info.name, "no-such-split"));
        record.refuses(subject, "refuses a name it does not have", open("no-such-data-set", "test"));
        for split in &info.splits {
            let rule = format!("opens split {}", split.name);
            let Some(dataset) = record.attempt(subject, &rule, open(&info.name, &split.name)) else { continue };
            record.passed(subject, &rule);
            record.check(subject, &format!("split {} has the declared length", split.name), || {
                if dataset.len() == split.len { Ok(()) } else { Err(format!("declared {}, found {}", split.len, dataset.len())) }
            });
            record.check(subject, "tells the same facts once opened", || {
                let same = dataset.info() == &info && dataset.split() == split.name;
                if same { Ok(()) } else { Err(format!("found {} {}", dataset.info().name, dataset.split())) }
            });
            items(record, subject, &split.name, dataset.as_ref());
        }
    }
}

fn gaps(info: &DatasetInfo) -> Result<(), String> {
    let gaps = [
        ("description", info.description.is_empty()),
        ("licence", info.licence.is_empty()),
        ("provenance", info.provenance.is_empty()),
        ("splits", info.splits.is_empty()),
        ("features", info.features.is_empty()),
    ];
    let empty: Vec<_> = gaps.into_iter().filter_map(|(name, gap)| gap.then_some(name)).collect();
    if empty.is_empty() { Ok(()) } else { Err(format!("empty: {}", empty.join(", "))) }
}

fn items(record: &mut Recorder, subject: &str, split: &str, dataset: &dyn Dataset) {
    let count = dataset.len().min(ITEMS);
    let all = || (0..count).map(|i| dataset.get(i)).collect::<Result<Vec<_>, Error>>();
    let rule = format!("items of {split} have the declared types and shapes");
    let Some(first) = record.attempt(subject, &rule, all()) else { return };
    record.check(subject, &rule, || {
        first.iter().try_for_each(|item| check_all("item", &dataset.info().features, item)).map_err(|e| e.to_string())
    });
    record.check(subject, &format!("items of {split} are the same each time"), || {
        if all().map_err(|e| e.to_string())? == first { Ok(()) } else { Err("an item differs when read again".into()) }
    });
    record.check(subject, &format!("a batch of {split} is its items, stacked"), || batches(dataset, &first));
    record.refuses(subject, &format!("refuses an item beyond the end of {split}"), dataset.get(dataset.len()));
    record.refuses(subject, "refuses an item beyond all ends", dataset.get(usize::MAX));
    record.refuses(subject, &format!("refuses a batch beyond the end of {split}"), dataset.batch(0..dataset.len() + 1));
    if count > 0 {
        threads(record, subject, "reading", all);
        let mut next = 0;
        leaks(record, subject, "reading an item", || {
            next = (next + 1) % count;
            dataset.get(next).map(drop)
        });
    }
}

fn batches(dataset: &dyn Dataset, items: &[Vec<Tensor>]) -> Result<(), String> {
    let varying = dataset.info().features.iter().any(|spec| spec.shape.iter().any(|dim| dim.fixed().is_none()));
    // Items of several lengths can't be stacked; two items say as much as all where they can.
    let count = items.len().min(if varying { 1 } else { items.len() });
    let batch = dataset.batch(0..count).map_err(|e| e.to_string())?;
    if count == 0 {
        return Ok(());
    }
    for (f, field) in batch.iter().enumerate() {
        let column: Vec<_> = items[..count].iter().filter_map(|item| item.get(f).cloned()).collect();
        if Tensor::stack(&column).map_err(|e| e.to_string())? != *field {
            return Err(format!("field {f} differs"));
        }
    }
    if batch.len() == items[0].len() { Ok(()) } else { Err(format!("expected {} fields, found {}", items[0].len(), batch.len())) }
}
