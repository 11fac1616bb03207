//! A chart of bars that hold and fail, as inline SVG.

use maud::{Markup, html};

const ROW: usize = 28;
const LEFT: usize = 170;
const UNIT: usize = 26;

/// A line a paper: what holds, what fails, what is not measured.
pub(crate) fn standing(papers: &[(String, [usize; 3])]) -> Markup {
    let longest = papers.iter().map(|(_, n)| n.iter().sum::<usize>()).max().unwrap_or(0);
    let (width, height) = (LEFT + UNIT * (longest + 4), ROW * papers.len() + 8);
    let text = papers.iter().map(|(name, [a, b, _])| format!("{name}: {a} hold, {b} fail")).collect::<Vec<_>>().join("; ");
    html! {
        svg role="img" aria-label=(text) viewBox=(format!("0 0 {width} {height}")) width=(width) height=(height) {
            @for (row, (name, counts)) in papers.iter().enumerate() {
                text x=(LEFT - 10) y=(row * ROW + 22) text-anchor="end" { (name) }
                @for (place, kind) in marks(counts).into_iter().enumerate() {
                    rect class=(kind) x=(LEFT + place * UNIT) y=(row * ROW + 6) width=(UNIT - 4) height=(ROW - 8) rx="4" {}
                }
                text x=(LEFT + counts.iter().sum::<usize>() * UNIT + 6) y=(row * ROW + 22) { (format!("{} of {}", counts[0], counts[0] + counts[1])) }
            }
        }
    }
}

fn marks(counts: &[usize; 3]) -> Vec<&'static str> {
    let kinds = ["holds", "fails", "open"];
    kinds.iter().zip(counts).flat_map(|(kind, &n)| std::iter::repeat_n(*kind, n)).collect()
}
