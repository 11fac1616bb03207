//! The frame of every page, and the page of one result file.

use crate::tables::{claims_table, counts, runs_table, tally};
use base64::Engine;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use zoo_core::model::Figure;
use zoo_host::results::Results;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// A whole page. `home` links back to the overview.
pub(crate) fn frame(title: &str, home: bool, body: &Markup) -> String {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                header {
                    @if home { a href="index.html" { "All results" } } @else { span { "the zoo" } }
                    button type="button" id="theme" aria-label="Switch between dark and light" { "◐" }
                }
                main id="main" { (body) }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    }
    .into_string()
}

/// The page of one result file: every run, every bar, the pictures, and what makes it again.
pub fn results_page(results: &Results, figures: &[Figure]) -> String {
    let body = html! {
        h1 { "Measured" }
        (tally(counts(results.runs.iter().flat_map(|run| &run.claims))))
        @if let Some(command) = &results.command { p { "Made by " code { (command) } } }
        h2 { "Runs" }
        (runs_table(&[("", results)]))
        @for run in results.runs.iter().filter(|run| !run.claims.is_empty()) {
            h2 { "Bars of " (run.model) " on " (run.backend) }
            (claims_table(run))
        }
        @if !figures.is_empty() {
            h2 { "Pictures" }
            (pictures(figures))
        }
    };
    frame("Measured by the zoo", false, &body)
}

/// Pictures with their titles, in the page itself.
pub(crate) fn pictures(figures: &[Figure]) -> Markup {
    let data = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
    html! {
        @for figure in figures {
            figure {
                img src=(format!("data:{};base64,{}", figure.mime, data(&figure.bytes))) alt=(figure.alt);
                figcaption { (figure.title) }
            }
        }
    }
}
