//! All results of a folder as a site: an overview and a page a paper.

use crate::chart::standing;
use crate::page::{frame, pictures};
use crate::tables::{claims_table, counts, number, runs_table, tally};
use maud::{Markup, PreEscaped, html};
use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd, html::push_html};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use zoo_core::model::Figure;
use zoo_host::results::{Results, Run, SCHEMA};

/// Schema of benchmarks.
const BENCH: &str = "zoo.bench/1";
/// Greatest result file that is read, in bytes.
const MAX_BYTES: u64 = 64 << 20;

/// Why there is no site.
#[derive(Debug, thiserror::Error)]
pub enum SiteError {
    /// A file or folder could not be read or written.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A result file is not what its schema says.
    #[error("{path}: expected a result file of schema {SCHEMA}, found: {found}")]
    Schema {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        found: String,
    },
    /// There is nothing to show.
    #[error("{0}: expected folders with result files (`fetch-and-eval --json FILE` writes them), found none")]
    Empty(PathBuf),
}

struct Paper {
    name: String,
    notes: Option<String>,
    /// File names and results; their runs hold the pictures that were drawn of them.
    results: Vec<(String, Results)>,
    benches: Vec<(String, Value)>,
    others: Vec<String>,
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> SiteError + '_ {
    move |source| SiteError::Io { path: path.into(), source }
}

fn sorted(folder: &Path) -> Result<Vec<PathBuf>, SiteError> {
    let mut all =
        fs::read_dir(folder).map_err(io(folder))?.map(|e| e.map(|e| e.path())).collect::<Result<Vec<_>, _>>().map_err(io(folder))?;
    all.sort();
    Ok(all)
}

fn read(path: &Path) -> Result<String, SiteError> {
    let size = fs::metadata(path).map_err(io(path))?.len();
    if size > MAX_BYTES {
        return Err(SiteError::Schema { path: path.into(), found: format!("{size} bytes") });
    }
    fs::read_to_string(path).map_err(io(path))
}

impl Paper {
    fn read(folder: &Path, draw: &dyn Fn(&Run) -> Vec<Figure>) -> Result<Self, SiteError> {
        let name = |path: &Path| path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let mut paper = Self { name: name(folder), notes: None, results: Vec::new(), benches: Vec::new(), others: Vec::new() };
        for path in sorted(folder)? {
            if name(&path) == "README.md" {
                paper.notes = Some(read(&path)?);
            }
            if path.extension().is_none_or(|e| e != "json") {
                continue;
            }
            let text = read(&path)?;
            let value: Value = serde_json::from_str(&text).map_err(|e| SiteError::Schema { path: path.clone(), found: e.to_string() })?;
            match value["schema"].as_str() {
                Some(SCHEMA) => {
                    let mut results: Results =
                        serde_json::from_value(value).map_err(|e| SiteError::Schema { path: path.clone(), found: e.to_string() })?;
                    // One backend's bars are another's: the pictures of a model are shown once.
                    let mut drawn = Vec::new();
                    for run in &mut results.runs {
                        if counted(run) && !drawn.contains(&run.model) {
                            run.figures = draw(run);
                            drawn.push(run.model.clone());
                        }
                    }
                    paper.results.push((name(&path), results));
                }
                Some(BENCH) => paper.benches.push((name(&path), value)),
                _ => paper.others.push(name(&path)),
            }
        }
        Ok(paper)
    }

    /// Bars over all files, a backend's repetition of a model counted once.
    fn counts(&self) -> [usize; 3] {
        let mut sum = [0; 3];
        for (_, results) in &self.results {
            let mut seen = Vec::new();
            for run in results.runs.iter().filter(|run| counted(run)) {
                if !seen.contains(&&run.model) {
                    seen.push(&run.model);
                    sum.iter_mut().zip(counts(&run.claims)).for_each(|(s, n)| *s += n);
                }
            }
        }
        sum
    }

    /// Where a file of this paper is, seen from the site. The folder's name may hold anything, so it is encoded.
    fn link(&self, base: &str, file: &str) -> String {
        format!("{base}/{}/{}", encode(&self.name), encode(file))
    }

    fn page_name(&self) -> String {
        format!("{}.html", self.name.replace(|c: char| !c.is_ascii_alphanumeric(), "-"))
    }
}

/// Whether a run measured bars, and does not only say which there are.
fn counted(run: &Run) -> bool {
    run.claims.iter().any(|claim| claim.holds.is_some())
}

/// Percent-encodes all but letters, digits and `-._`.
fn encode(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

/// Markdown as HTML, its headings one level below the page's own; raw HTML in it becomes text.
fn markdown(text: &str) -> Markup {
    let plain = |event| match event {
        Event::Html(raw) | Event::InlineHtml(raw) => Event::Text(raw),
        Event::Start(Tag::Heading { level, id, classes, attrs }) => Event::Start(Tag::Heading { level: below(level), id, classes, attrs }),
        Event::End(TagEnd::Heading(level)) => Event::End(TagEnd::Heading(below(level))),
        other => other,
    };
    let mut out = String::new();
    push_html(&mut out, Parser::new_ext(text, Options::ENABLE_TABLES).map(plain));
    // What is a tag now is the writer's own, for the text has none left: wide tables scroll by themselves, heads say what they head.
    for (from, to) in [
        ("<table>", "<div class=\"scroll\"><table>"),
        ("</table>", "</table></div>"),
        ("<th>", "<th scope=\"col\">"),
        ("<th style", "<th scope=\"col\" style"),
    ] {
        out = out.replace(from, to);
    }
    PreEscaped(out)
}

fn below(level: HeadingLevel) -> HeadingLevel {
    HeadingLevel::try_from(level as usize + 1).unwrap_or(HeadingLevel::H6)
}

/// Rows of a benchmark that say ours, peer's and their ratio.
fn bench(value: &Value) -> Markup {
    let rows = value["rows"].as_array().cloned().unwrap_or_default();
    let told = rows.iter().filter(|row| row["ratio"].is_number()).collect::<Vec<_>>();
    html! {
        @if !told.is_empty() {
            div.scroll {
                table.sortable {
                    thead { tr { @for name in ["Case", "Ours", "Unit", "Peer", "Peer's", "Ratio"] { th scope="col" aria-sort="none" { button type="button" { (name) } } } } }
                    tbody {
                        @for row in told {
                            tr {
                                th scope="row" { (row["case"].as_str().unwrap_or_default()) }
                                td data-sort=(row["ours"].as_f64().unwrap_or(0.0)) { (number(row["ours"].as_f64().unwrap_or(f64::NAN))) }
                                td { (row["unit"].as_str().unwrap_or_default()) }
                                td { (row["peer"].as_str().unwrap_or_default()) }
                                td data-sort=(row["peer_value"].as_f64().unwrap_or(0.0)) { (number(row["peer_value"].as_f64().unwrap_or(f64::NAN))) }
                                td data-sort=(row["ratio"].as_f64().unwrap_or(0.0)) { strong { (number(row["ratio"].as_f64().unwrap_or(f64::NAN))) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn paper_page(paper: &Paper, base: &str) -> String {
    let body = html! {
        h1 { (paper.name) }
        (tally(paper.counts()))
        @if let Some(notes) = &paper.notes { section.notes { (markdown(notes)) } }
        @for (file, results) in &paper.results {
            section {
                h2 { a href=(paper.link(base, file)) { (file) } }
                @if let Some(command) = &results.command { p { "Made by " code { (command) } } }
                (runs_table(&[("", results)]))
                @for run in results.runs.iter().filter(|run| counted(run)) {
                    h3 { "Bars of " (run.model) " on " (run.backend) }
                    (claims_table(run))
                    (pictures(&run.figures))
                }
            }
        }
        @for (file, value) in &paper.benches {
            section {
                h2 { a href=(paper.link(base, file)) { (file) } }
                @if let Some(command) = value["command"].as_str() { p { "Made by " code { (command) } } }
                @if let Some(cpu) = value["machine"]["cpu"].as_str() { p { (cpu) ", " (value["machine"]["cores"].as_u64().unwrap_or(0)) " cores" } }
                (bench(value))
            }
        }
        @if !paper.others.is_empty() {
            h2 { "More files" }
            ul { @for file in &paper.others { li { a href=(paper.link(base, file)) { (file) } } } }
        }
    };
    frame(&format!("{}: measured", paper.name), true, &body)
}

fn overview(papers: &[Paper], base: &str) -> String {
    let standings: Vec<(String, [usize; 3])> =
        papers.iter().map(|p| (p.name.clone(), p.counts())).filter(|(_, n)| n.iter().sum::<usize>() > 0).collect();
    let files: Vec<(String, &Results)> = papers.iter().flat_map(|p| p.results.iter().map(|(file, r)| (p.link(base, file), r))).collect();
    let rows: Vec<(&str, &Results)> = files.iter().map(|(file, r)| (file.as_str(), *r)).collect();
    let [hold, fail, open] = [0, 1, 2].map(|i| standings.iter().map(|(_, n)| n[i]).sum::<usize>());
    let body = html! {
        h1 { "What was measured" }
        (tally([hold, fail, open]))
        p { "Bars were frozen before they were counted; one that falls short is shown as such. Every number links to its file." }
        h2 { "Papers and parts" }
        ul.papers { @for paper in papers { li { a href=(paper.page_name()) { (paper.name) } } } }
        h2 { "Bars" }
        div.scroll { (standing(&standings)) }
        h2 { "All runs" }
        p { label for="filter" { "Show lines with " } input id="filter" type="search" placeholder="tract, accuracy ..."; }
        (runs_table(&rows))
    };
    frame("the zoo: what was measured", false, &body)
}

/// Writes the site of `results` (a folder of folders, one a paper) into `out`, and gives the overview's path. Links to files
/// go to `base`, the way from `out` to `results`; `draw` gives the pictures of a run.
///
/// # Errors
/// [`SiteError`]; what was there before stays as it was, page by page.
pub fn write_site(results: &Path, out: &Path, base: &str, draw: &dyn Fn(&Run) -> Vec<Figure>) -> Result<PathBuf, SiteError> {
    let mut papers = Vec::new();
    for folder in sorted(results)?.into_iter().filter(|p| p.is_dir()) {
        let paper = Paper::read(&folder, draw)?;
        if !(paper.results.is_empty() && paper.benches.is_empty() && paper.others.is_empty()) {
            papers.push(paper);
        }
    }
    if papers.is_empty() {
        return Err(SiteError::Empty(results.into()));
    }
    fs::create_dir_all(out).map_err(io(out))?;
    let write = |name: &str, text: &str| {
        let path = out.join(name);
        zoo_host::files::write_atomically(&path, text.as_bytes())
            .map_err(|e| SiteError::Io { path: path.clone(), source: std::io::Error::other(e.to_string()) })?;
        Ok::<_, SiteError>(path)
    };
    for paper in &papers {
        write(&paper.page_name(), &paper_page(paper, base))?;
    }
    write("index.html", &overview(&papers, base))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    const EVIL: &str = r#"{"schema":"zoo.eval/1","command":"<script>alert(1)</script>","runs":[{"model":"a\"><img src=x onerror=alert(1)>","dataset":"d","split":"test",
        "n":3,"backend":"tract","device":"cpu","plugin":{"name":"p","version":"1","door":"static"},"artifact":{"kind":"onnx","sha256":"0"},"seed":1,
        "metrics":{"accuracy":{"value":50.0,"unit":"<b>%</b>"}},"timing":{"fetch_s":0.0,"compile_s":0.0,"eval_s":0.0},
        "claims":[{"id":"x","bar":"<i>b</i>","measured":1.0,"holds":true,"gating":true,"detail":{"k":"</pre><script>2</script>"}},
                  {"id":"y","bar":"b","measured":0.0,"holds":false,"gating":false}]}]}"#;

    fn evil_picture(run: &Run) -> Vec<Figure> {
        let evil = format!("\"><script>alert({})</script>", run.n);
        vec![Figure { title: evil.clone(), alt: evil.clone(), mime: evil.clone(), bytes: evil.into_bytes() }]
    }

    #[test]
    fn what_files_say_is_text_and_never_markup() {
        let results = folder(&[
            ("paper/claims.json", EVIL),
            ("paper/README.md", "# Notes\n\n<script>alert(3)</script>\n\nand *this* <b>%</b>\n\n| a | b |\n| --- | ---: |\n| 1 | 2 |\n"),
            (
                "paper/bench.json",
                r#"{"schema":"zoo.bench/1","rows":[{"case":"<u>","ours":2.0,"unit":"ms","peer":"p","peer_value":4.0,"ratio":2.0}]}"#,
            ),
            ("paper/other.json", "[1]"),
            // As run without --claims: its bars are not open, they are counted elsewhere.
            ("all/runs.json", &EVIL.replace(r#""holds":true,"#, "").replace(r#""holds":false,"#, "")),
        ]);
        let out = tempfile::tempdir().unwrap();
        let index = write_site(results.path(), out.path(), "../results", &evil_picture).unwrap();
        let pages = [fs::read_to_string(index).unwrap(), fs::read_to_string(out.path().join("paper.html")).unwrap()];
        for page in &pages {
            for bad in ["<script>alert", "<img src=x", "<b>%", "<i>b", "</pre><script>2", "<u>"] {
                assert!(!page.contains(bad), "{bad}");
            }
            // One script, ours; nothing is fetched.
            assert_eq!(page.matches("<script").count(), 1);
            assert!(!page.contains("http://") && !page.contains("https://"));
        }
        assert!(pages.iter().all(|page| !page.contains("not measured")));
        assert!(pages[0].contains("1 hold") && pages[0].contains("1 fail") && pages[0].contains("../results/paper/claims.json"));
        assert!(pages[1].contains("<em>this</em>") && pages[1].contains("other.json") && pages[1].contains("not gating"));
        assert_eq!((pages[1].matches("<figure>").count(), pages[0].matches("<figure>").count()), (1, 0));
        assert_eq!((pages[1].matches("<h1").count(), pages[0].matches("<h1").count()), (1, 1));
        assert!(pages[1].contains("<h2>Notes</h2>") && pages[1].contains("<th scope=\"col\">a</th><th scope=\"col\" style"));
    }

    #[test]
    fn broken_files_and_empty_folders_are_named() {
        let out = tempfile::tempdir().unwrap();
        let broken = folder(&[("paper/claims.json", r#"{"schema":"zoo.eval/1"}"#)]);
        assert!(write_site(broken.path(), out.path(), "", &|_| Vec::new()).unwrap_err().to_string().contains("claims.json"));
        let broken = folder(&[("paper/claims.json", "{")]);
        assert!(write_site(broken.path(), out.path(), "", &|_| Vec::new()).unwrap_err().to_string().contains("claims.json"));
        let empty = folder(&[("paper/README.md", "x")]);
        assert!(matches!(write_site(empty.path(), out.path(), "", &|_| Vec::new()), Err(SiteError::Empty(_))));
        assert!(write_site(&out.path().join("nowhere"), out.path(), "", &|_| Vec::new()).is_err());
        assert!(sorted(out.path()).unwrap().is_empty());
    }

    #[test]
    fn names_become_links_that_stay_inside() {
        assert_eq!(encode("a b/../c?.json"), "a%20b%2F..%2Fc%3F.json");
    }
}
