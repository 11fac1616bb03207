//! Charts are well-formed, hold what they were given, and refuse what can't be drawn.

use zoo_chart::{Curve, Dot, Matrix, Scale, Text, curves, heatmap, scatter};

fn text() -> Text {
    Text::new("A <title>", "what is seen", "epoch & step", "accuracy, %")
}

fn svg(figure: zoo_core::model::Figure) -> String {
    assert_eq!((figure.title.as_str(), figure.alt.as_str(), figure.mime.as_str()), ("A <title>", "what is seen", "image/svg+xml"));
    let svg = String::from_utf8(figure.bytes).unwrap();
    assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"), "{svg}");
    // Words of the caller stay words.
    assert!(!svg.contains("& step") && svg.contains("epoch &amp; step"), "{svg}");
    svg
}

#[test]
fn curves_with_a_bundle() {
    let bundle = (0..3).map(|i| Curve::new("net", [[0.0, f64::from(i)], [1.0, f64::NAN], [2.0, 4.0]]).faint());
    let all: Vec<_> =
        bundle.chain([Curve::new("net", [[0.0, 1.0], [2.0, 4.0]]), Curve::new("control", [[0.0, 0.0], [2.0, 0.5]])]).collect();
    let drawn = svg(curves(&text(), &all).unwrap());
    assert!(drawn.contains("control"));
    assert_eq!(drawn, svg(curves(&text(), &all).unwrap()));
    assert!(curves(&text(), &[Curve::new("nothing", [[0.0, f64::INFINITY]])]).is_err());
}

#[test]
fn points_with_names() {
    let dot = |name: &str, x: f64| Dot { name: name.into(), at: [x, 90.0], half: 1.5, series: 0 };
    let dots = [dot("dense", 78_336.0), dot("pruned", 7_476.0), dot("at nothing", 0.0)];
    let drawn = svg(scatter(&text(), &dots, true).unwrap());
    assert!(drawn.contains("dense") && drawn.contains("pruned") && !drawn.contains("at nothing"));
    assert!(scatter(&text(), &[], false).is_err());
}

#[test]
fn matrices() {
    let names: Vec<String> = ["a", "b"].map(String::from).to_vec();
    let matrix = Matrix { shape: [2, 3], values: &[0.0, 0.5, 1.0, f64::NAN, 0.25, 0.75], rows: &names, columns: &[], labelled: true };
    let drawn = svg(heatmap(&text(), &matrix, Scale::Sequential(0.0, 1.0)).unwrap());
    // Five values, two names; white at the least, the full colour at the greatest, grey where there is none.
    assert!(drawn.contains("0.75") && drawn.contains("#FFFFFF") && drawn.contains("#005AA0") && drawn.contains("#C8C8C8"), "{drawn}");
    assert!(heatmap(&text(), &Matrix { shape: [2, 2], ..matrix }, Scale::Diverging(1.0)).is_err());
    assert!(heatmap(&text(), &Matrix { columns: &names, ..matrix }, Scale::Groups).is_err());
    assert!(heatmap(&text(), &Matrix { shape: [0, 3], values: &[], ..matrix }, Scale::Groups).is_err());
}
