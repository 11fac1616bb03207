//! Pictures of subjects.

use std::fmt::Write;
use zoo_core::model::Figure;

const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 320.0;
const MARGIN: f64 = 48.0;

fn figure(title: &str, alt: String, body: &str) -> Figure {
    let svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" font-family=\"sans-serif\" font-size=\"12\" \
         fill=\"currentColor\">{body}</svg>"
    );
    Figure { title: title.into(), alt, mime: "image/svg+xml".into(), bytes: svg.into_bytes() }
}

/// One line a subject from static to dynamic energy.
pub(super) fn paired(pairs: &[[f64; 2]]) -> Figure {
    let top = pairs.iter().flatten().fold(f64::MIN_POSITIVE, |top, v| top.max(*v));
    let y = |energy: f64| HEIGHT - MARGIN - energy / top * (HEIGHT - 2.0 * MARGIN);
    let (left, right) = (WIDTH * 0.3, WIDTH * 0.7);
    let mut body = format!(
        "<text x=\"{left}\" y=\"{0}\" text-anchor=\"middle\">static</text><text x=\"{right}\" y=\"{0}\" text-anchor=\"middle\">dynamic</text>\
         <text x=\"8\" y=\"{1}\">{top:.0}</text><text x=\"8\" y=\"{2}\">0</text>",
        HEIGHT - 16.0,
        y(top) + 4.0,
        y(0.0) + 4.0
    );
    for &[fixed, dynamic] in pairs {
        let (a, b) = (y(fixed), y(dynamic));
        let _ = write!(
            body,
            "<line x1=\"{left}\" y1=\"{a:.1}\" x2=\"{right}\" y2=\"{b:.1}\" stroke=\"#888\"/>\
             <circle cx=\"{left}\" cy=\"{a:.1}\" r=\"4\" fill=\"#3b6ea5\"/><circle cx=\"{right}\" cy=\"{b:.1}\" r=\"4\" fill=\"#c2572b\"/>"
        );
    }
    let below = pairs.iter().filter(|[fixed, dynamic]| dynamic < fixed).count();
    let alt = format!("Mean energy of each subject's transitions, static and dynamic: dynamic is lower in {below} of {}.", pairs.len());
    figure("Energy under static and dynamic connectivity, a line a subject", alt, &body)
}

/// Bars of energies over static energy.
pub(super) fn ratios(bars: &[(&str, f64)]) -> Figure {
    let top = bars.iter().map(|b| b.1).filter(|v| v.is_finite()).fold(1.0, f64::max) * 1.1;
    let y = |ratio: f64| HEIGHT - MARGIN - ratio / top * (HEIGHT - 2.0 * MARGIN);
    let step = (WIDTH - 2.0 * MARGIN) / bars.len() as f64;
    let mut body = String::new();
    for (i, (name, ratio)) in bars.iter().enumerate().filter(|(_, b)| b.1.is_finite()) {
        let x = MARGIN + step * i as f64;
        let _ = write!(
            body,
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"#3b6ea5\"/><text x=\"{5:.1}\" y=\"{4:.1}\" \
             text-anchor=\"middle\">{ratio:.3}</text>",
            x + step * 0.2,
            y(*ratio),
            step * 0.6,
            y(0.0) - y(*ratio),
            y(*ratio) - 6.0,
            x + step * 0.5
        );
        let _ = write!(body, "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{name}</text>", x + step * 0.5, HEIGHT - 16.0);
    }
    let _ = write!(
        body,
        "<line x1=\"{MARGIN}\" x2=\"{}\" y1=\"{:.1}\" y2=\"{1:.1}\" stroke=\"currentColor\" stroke-dasharray=\"4 3\"/>",
        WIDTH - MARGIN,
        y(1.0)
    );
    let said: Vec<_> = bars.iter().map(|(name, ratio)| format!("{name} {ratio:.3}")).collect();
    figure(
        "Energy over static energy, mean of subjects (dashed line: equal)",
        format!("Ratios to static energy: {}.", said.join(", ")),
        &body,
    )
}
