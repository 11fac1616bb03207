//! The site of `cargo xtask report`, as a browser shows it from `file://`.

use assert_cmd::Command;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use zoo_test_support::browser::{Browser, chromium};
use zoo_test_support::workspace_root;

/// The site in a folder, and the browser; `None`, and a line, where there is none.
fn site() -> Option<(tempfile::TempDir, Browser)> {
    let Some(program) = chromium() else {
        println!("skipped: no Chromium (install the package `chromium`, or set ZOO_TEST_CHROMIUM)");
        return None;
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let binary = std::env::current_exe().expect("a test has a path").ancestors().nth(2).expect("target/release/deps").join("xtask");
    Command::new(binary).current_dir(workspace_root()).args(["report", "--out"]).arg(folder.path()).assert().success();
    let browser = Browser::start(&program).expect("the browser starts");
    Some((folder, browser))
}

fn pages(folder: &Path) -> Vec<PathBuf> {
    let mut pages: Vec<_> = std::fs::read_dir(folder).expect("the site").map(|e| e.expect("a page").path()).collect();
    pages.sort();
    assert!(pages.len() > 5, "{pages:?}");
    pages
}

fn open(browser: &mut Browser, page: &Path) {
    browser.open(&format!("file://{}", page.display())).expect("the page opens");
}

fn value(browser: &mut Browser, expression: &str) -> Value {
    browser.evaluate(expression).unwrap_or_else(|e| panic!("{expression}: {e}"))
}

/// What is wrong with the structure of a page, in its own words.
const STRUCTURE: &str = r##"(() => {
  const wrong = [];
  const all = (selector) => [...document.querySelectorAll(selector)];
  if (!document.documentElement.lang) wrong.push("no language");
  if (!document.title) wrong.push("no title");
  if (all("h1").length !== 1) wrong.push(`${all("h1").length} headings of the first level`);
  let last = 0;
  for (const heading of all("h1, h2, h3, h4, h5, h6")) {
    const level = Number(heading.tagName[1]);
    if (level > last + 1) wrong.push(`level ${level} after ${last}: ${heading.textContent}`);
    if (!heading.textContent.trim()) wrong.push("an empty heading");
    last = level;
  }
  for (const image of all("img")) if (!image.alt.trim()) wrong.push(`no alternative text: ${image.src.slice(0, 80)}`);
  for (const drawing of all("svg")) if (drawing.getAttribute("role") !== "img" || !drawing.getAttribute("aria-label")) wrong.push("a drawing without a label");
  for (const cell of all("thead th")) if (cell.scope !== "col") wrong.push("a column head without scope");
  for (const control of all("button, a[href]")) if (!(control.textContent.trim() || control.getAttribute("aria-label"))) wrong.push("a control without a name");
  for (const input of all("input")) if (!document.querySelector(`label[for="${input.id}"]`)) wrong.push(`no label for ${input.id}`);
  const skip = document.querySelector("a.skip");
  if (!skip || !document.querySelector(skip.getAttribute("href"))) wrong.push("no way to skip to the content");
  if (document.documentElement.scrollWidth > document.documentElement.clientWidth) wrong.push("the page is wider than the window");
  return wrong;
})()"##;

/// Ratio of contrast (WCAG 2) of the page's text and of its links to the background.
const CONTRAST: &str = r##"(() => {
  const light = (colour) => {
    const parts = colour.match(/[\d.]+/g).slice(0, 3).map((part) => part / 255).map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
  };
  const ratio = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  const background = light(getComputedStyle(document.body).backgroundColor);
  const of = (selector) => [...document.querySelectorAll(selector)].map((element) => ratio(light(getComputedStyle(element).color), background));
  return { background, least: Math.min(...of("body, main a, .holds, .fails, small, .ci")) };
})()"##;

#[test]
fn every_page_is_whole_quiet_and_accessible() {
    let Some((folder, mut browser)) = site() else { return };
    let mut faults = Vec::new();
    for page in pages(folder.path()) {
        open(&mut browser, &page);
        let name = page.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let wrong = value(&mut browser, STRUCTURE);
        faults.extend(wrong.as_array().into_iter().flatten().map(|w| format!("{name}: {w}")));
        faults.extend(browser.complaints().expect("the browser answers").into_iter().map(|c| format!("{name}: {c}")));
        // Links lead to pages, places and files that are there.
        let links = value(&mut browser, "[...document.querySelectorAll('a[href]')].map((a) => a.href)");
        for link in links.as_array().into_iter().flatten().filter_map(Value::as_str) {
            let file = link.strip_prefix("file://").map(|path| path.split('#').next().unwrap_or(path).replace("%20", " "));
            if file.is_none_or(|file| !Path::new(&file).is_file()) {
                faults.push(format!("{name}: leads nowhere: {link}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn tables_are_sorted_by_mouse_and_by_keyboard() {
    let Some((folder, mut browser)) = site() else { return };
    open(&mut browser, &folder.path().join("index.html"));
    // Columns of names and of numbers.
    for (column, numeric) in [(0, false), (2, true), (5, true)] {
        let head = format!("document.querySelector('table.sortable').tHead.rows[0].cells[{column}]");
        let order = if numeric { "a - b" } else { "a.localeCompare(b)" };
        // 1 where every two neighbours rise or are equal, -1 where they fall, 0 for neither.
        let direction = format!(
            "(() => {{ const rows = [...document.querySelector('table.sortable').tBodies[0].rows]; \
             const keys = rows.map(({{ cells: {{ {column}: cell }} }}) => cell.dataset.sort ?? cell.textContent.trim()); \
             const steps = keys.slice(1).map((b, i) => ((a) => {order})(keys[i])); \
             if (new Set(keys).size < 2) return 0; \
             return steps.every((step) => step <= 0) ? 1 : steps.every((step) => step >= 0) ? -1 : 0; }})()"
        );
        value(&mut browser, &format!("{head}.querySelector('button').click()"));
        assert_eq!(value(&mut browser, &format!("{head}.getAttribute('aria-sort')")), "ascending");
        assert_eq!(value(&mut browser, &direction), 1, "column {column}");
        // The same button, by keyboard.
        value(&mut browser, &format!("{head}.querySelector('button').focus()"));
        browser.press("Enter").expect("a key");
        assert_eq!(value(&mut browser, &format!("{head}.getAttribute('aria-sort')")), "descending");
        assert_eq!(value(&mut browser, &direction), -1, "column {column}");
    }
    assert_eq!(value(&mut browser, "document.querySelectorAll('[aria-sort=ascending], [aria-sort=descending]').length"), 1);
    assert!(browser.complaints().expect("the browser answers").is_empty());
}

#[test]
fn lines_are_filtered() {
    let Some((folder, mut browser)) = site() else { return };
    open(&mut browser, &folder.path().join("index.html"));
    let typed = |browser: &mut Browser, text: &str| {
        value(browser, "document.getElementById('filter').value = ''; document.getElementById('filter').focus()");
        browser.call("Input.insertText", &json!({"text": text})).expect("the browser types");
        let rows = value(
            browser,
            "[...document.querySelectorAll('table.sortable tbody tr')].map((row) => [row.checkVisibility(), row.textContent.toLowerCase()])",
        );
        let rows = rows.as_array().cloned().unwrap_or_default();
        let shown = rows.iter().filter(|row| row[0] == true).filter_map(|row| Some(row[1].as_str()?.to_owned())).collect::<Vec<_>>();
        (shown, rows.len())
    };
    let (shown, all) = typed(&mut browser, "Tract accuracy");
    assert!(!shown.is_empty() && shown.len() < all, "{} of {all}", shown.len());
    assert!(shown.iter().all(|text| text.contains("tract") && text.contains("accuracy")), "{shown:?}");
    assert!(typed(&mut browser, "no such word anywhere").0.is_empty());
    let (shown, all) = typed(&mut browser, " ");
    assert_eq!(shown.len(), all);
    assert!(browser.complaints().expect("the browser answers").is_empty());
}

#[test]
fn both_colour_schemes_can_be_read_and_switched() {
    let Some((folder, mut browser)) = site() else { return };
    for page in ["index.html", "hebbff.html"] {
        let mut backgrounds = Vec::new();
        for scheme in ["light", "dark"] {
            let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
            browser.call("Emulation.setEmulatedMedia", &media).expect("the browser knows colour schemes");
            open(&mut browser, &folder.path().join(page));
            let system = value(&mut browser, CONTRAST);
            value(&mut browser, "document.getElementById('theme').click()");
            let switched = value(&mut browser, CONTRAST);
            for found in [&system, &switched] {
                assert!(found["least"].as_f64().is_some_and(|least| least >= 4.5), "{page}, {scheme}: {found}");
            }
            backgrounds.push((system["background"].as_f64().unwrap_or(f64::NAN), switched["background"].as_f64().unwrap_or(f64::NAN)));
        }
        // Light and dark by the system's wish, and the other by the button.
        assert!(backgrounds[0].0 > 0.5 && backgrounds[1].0 < 0.1, "{page}: {backgrounds:?}");
        assert_eq!((backgrounds[0].1, backgrounds[1].1), (backgrounds[1].0, backgrounds[0].0), "{page}");
    }
}
