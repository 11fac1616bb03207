//! Tables of runs and bars.

use maud::{Markup, html};
use zoo_host::results::{Claim, Measured, Results, Run};

/// A number with as many digits as say something.
pub(crate) fn number(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 || (0.001..1e5).contains(&size) {
        let text = format!(
            "{value:.*}",
            if size >= 100.0 {
                1
            } else if size >= 1.0 {
                2
            } else {
                4
            }
        );
        let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_string() } else { text };
        return if text == "-0" { "0".into() } else { text };
    }
    format!("{value:.2e}")
}

fn measured(m: &Measured) -> Markup {
    let e = &m.estimate;
    html! {
        (number(e.value)) " " (e.unit)
        @if let Some([low, high]) = e.ci95 { span.ci title="95 % interval" { " [" (number(low)) ", " (number(high)) "]" } }
    }
}

/// How many bars hold and fail.
pub(crate) fn counts<'a>(claims: impl IntoIterator<Item = &'a Claim>) -> [usize; 3] {
    let mut all = [0; 3];
    for claim in claims {
        all[match claim.holds {
            Some(true) => 0,
            Some(false) => 1,
            None => 2,
        }] += 1;
    }
    all
}

/// One line on how many bars hold, fail and were not measured.
pub(crate) fn tally([hold, fail, open]: [usize; 3]) -> Markup {
    html! {
        @if hold + fail + open > 0 {
            p.tally {
                "Bars: " span.holds { (hold) " hold" } " · " span.fails { (fail) " fail" }
                @if open > 0 { " · " (open) " not measured" }
            }
        }
    }
}

/// A sortable table, a line a metric; `files` name where each comes from, relative to the page.
pub(crate) fn runs_table(results: &[(&str, &Results)]) -> Markup {
    html! {
        div.scroll {
            table.sortable {
                thead {
                    tr {
                        @for name in ["Model", "Data", "Items", "Backend", "Measure", "Measured", "Items/s", "Seed", "Weights"] {
                            th scope="col" aria-sort="none" { button type="button" { (name) } }
                        }
                    }
                }
                tbody {
                    @for (file, result) in results {
                        @for run in &result.runs {
                            @for (name, value) in &run.metrics {
                                tr {
                                    th scope="row" { (run.model) }
                                    td { (run.dataset) " (" (run.split) ")" }
                                    td data-sort=(run.n) { (run.n) }
                                    td { (run.backend) }
                                    td { (name) }
                                    td data-sort=(value.estimate.value) {
                                        @if file.is_empty() { (measured(value)) } @else { a href=(file) { (measured(value)) } }
                                    }
                                    td data-sort=(run.timing.items_per_s.unwrap_or(0.0)) { @if let Some(rate) = run.timing.items_per_s { (number(rate)) } }
                                    td data-sort=(run.seed) { (run.seed) }
                                    td { @if let Some(hash) = &run.weights_sha256 { code title=(hash) { (hash.get(..8).unwrap_or(hash)) } } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The bars of a run: what was asked, what was measured, what the paper says, and the detail to unfold.
pub(crate) fn claims_table(run: &Run) -> Markup {
    html! {
        div.scroll {
            table {
                thead { tr { @for name in ["", "Bar", "Asked", "Measured", "Paper"] { th scope="col" { (name) } } } }
                tbody {
                    @for claim in &run.claims {
                        tr {
                            td { (badge(claim)) }
                            th scope="row" { (claim.id) @if !claim.gating { " " small { "(not gating)" } } }
                            td {
                                (claim.bar)
                                @if let Some(detail) = &claim.detail {
                                    details { summary { "values and controls" } pre { (serde_json::to_string_pretty(detail).unwrap_or_default()) } }
                                }
                            }
                            td { @if let Some(value) = claim.measured { (number(value)) } @else { "—" } }
                            td {
                                @if let Some(p) = &claim.published { (number(p.value)) " " (p.unit) br; small { (p.source) } } @else { "—" }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn badge(claim: &Claim) -> Markup {
    match claim.holds {
        Some(true) => html! { span.badge.holds { "holds" } },
        Some(false) => html! { span.badge.fails { "fails" } },
        None => html! { span.badge { "not measured" } },
    }
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn digits_that_say_something() {
        let cases = [
            (97.984_886, "97.98"),
            (0.299_68, "0.2997"),
            (-1.6456, "-1.65"),
            (0.0, "0"),
            (4.53e-6, "4.53e-6"),
            (7840.79, "7840.8"),
            (12.0, "12"),
            (-0.000_01, "-1.00e-5"),
        ];
        for (value, text) in cases {
            assert_eq!(number(value), text);
        }
    }
}
