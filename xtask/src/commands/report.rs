//! `report`.

use crate::stdout::say;
use anyhow::{Context, Result};
use std::path::{Component, Path, PathBuf};
use zoo_core::{Level, Reporter};
use zoo_host::eval::figures_of;
use zoo_host::results::Run;
use zoo_host::zoo::Zoo;
use zoo_report::{training_curves, write_site};

pub(super) fn report(zoo: &Zoo, root: &Path, results: Option<PathBuf>, out: Option<PathBuf>, reporter: &dyn Reporter) -> Result<()> {
    let results = results.unwrap_or_else(|| root.join("docs/results"));
    let out = out.unwrap_or_else(|| root.join("target/report"));
    // A result may be older than its plugin: numbers are shown all the same.
    let draw = |run: &Run| {
        let mut figures = figures_of(zoo, run, reporter).unwrap_or_else(|error| {
            reporter.log(Level::Warn, "zoo_report", &format!("no pictures of {}: {error}", run.model));
            Vec::new()
        });
        let log = zoo.model(&run.model, reporter).ok().and_then(|model| model.training_log(root));
        figures.extend(
            log.and_then(|path| std::fs::read_to_string(path).ok()).map(|log| training_curves(&run.model, &log)).unwrap_or_default(),
        );
        figures
    };
    let index = write_site(&results, &out, &way(&out, &results)?, &draw)?;
    say!("{}", index.display());
    Ok(())
}

/// The way from one folder to another, with slashes.
fn way(from: &Path, to: &Path) -> Result<String> {
    let absolute = |path: &Path| std::path::absolute(path).with_context(|| format!("finding {}", path.display()));
    let (from, to) = (absolute(from)?, absolute(to)?);
    let common = from.components().zip(to.components()).take_while(|(a, b)| a == b).count();
    let up = from.components().skip(common).map(|_| "..".to_string());
    let down =
        to.components().skip(common).filter_map(|c| if let Component::Normal(name) = c { name.to_str().map(String::from) } else { None });
    Ok(up.chain(down).collect::<Vec<_>>().join("/"))
}

#[cfg(test)]
mod tests {
    use super::way;
    use std::path::Path;

    #[test]
    fn ways_go_up_and_down() {
        assert_eq!(way(Path::new("/a/target/report"), Path::new("/a/docs/results")).unwrap(), "../../docs/results");
        assert_eq!(way(Path::new("/a"), Path::new("/a/b")).unwrap(), "b");
    }
}
