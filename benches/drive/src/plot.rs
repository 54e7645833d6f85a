//! A picture of lines over logarithmic axes, as SVG.
//!
//! Axes end at powers of ten. A size of zero stands left of the first power, where there is no logarithm.

use crate::figures::short;
use std::fmt::Write;

/// A picture.
#[derive(Debug)]
pub struct Plot {
    /// Above it.
    pub title: String,
    /// What the sizes count.
    pub axis: String,
    /// In the order of the legend.
    pub lines: Vec<Line>,
}

/// One line.
#[derive(Debug)]
pub struct Line {
    /// In the legend.
    pub name: String,
    /// Thick.
    pub is_ours: bool,
    /// Dashed.
    pub is_mark: bool,
    /// Sizes and figures.
    pub points: Vec<(f64, f64)>,
}

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 80.0;
const RIGHT: f64 = 620.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 360.0;

/// Told apart by those who do not see all colours, too: Okabe and Ito's.
const COLOURS: [&str; 7] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#5a5a5a"];

/// Where zero stands, left of the first power by so much of the axis: room for both labels.
const ZERO: f64 = -0.1;

/// From logarithms to places.
struct Scale {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Scale {
    /// Over the powers of ten around these values; `None` if none is above zero.
    fn around(values: impl Iterator<Item = f64>, from: f64, to: f64) -> Option<Scale> {
        let (low, high) = values
            .filter(|&value| value > 0.0)
            .map(f64::log10)
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
        if low > high {
            return None;
        }
        // A value that is a power of ten but for rounding stays where it is.
        let (low, high) = ((low + 1e-9).floor(), (high - 1e-9).ceil());
        Some(Scale { low, high: high.max(low + 1.0), from, to })
    }

    fn place(&self, value: f64) -> f64 {
        let part = if value > 0.0 { (value.log10() - self.low) / (self.high - self.low) } else { ZERO };
        self.from + part.max(ZERO) * (self.to - self.from)
    }

    fn powers(&self) -> impl Iterator<Item = f64> {
        (self.low as i32..=self.high as i32).map(|power| 10_f64.powi(power))
    }
}

impl Plot {
    /// The picture. Without a point that could be drawn: the title alone.
    pub fn svg(&self) -> String {
        let mut text = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"13\">\n\
             <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n"
        );
        label(&mut text, LEFT, 24.0, "start", &self.title);
        let points = || self.lines.iter().flat_map(|line| line.points.iter());
        let across = Scale::around(points().map(|point| point.0), LEFT + 56.0, RIGHT);
        let up = Scale::around(points().map(|point| point.1), BOTTOM, TOP);
        if let (Some(across), Some(up)) = (across, up) {
            self.frame(&mut text, &across, &up);
            for (index, line) in self.lines.iter().enumerate() {
                draw(&mut text, line, index, &across, &up);
            }
        }
        text.push_str("</svg>\n");
        text
    }

    fn frame(&self, text: &mut String, across: &Scale, up: &Scale) {
        for power in up.powers() {
            let y = up.place(power);
            rule(text, [LEFT, y, RIGHT, y]);
            label(text, LEFT - 8.0, y + 4.0, "end", &short(power));
        }
        for power in across.powers() {
            let x = across.place(power);
            rule(text, [x, TOP, x, BOTTOM]);
            label(text, x, BOTTOM + 20.0, "middle", &short(power).replace(".00", ""));
        }
        if self.lines.iter().any(|line| line.points.iter().any(|point| point.0 == 0.0)) {
            label(text, across.place(0.0), BOTTOM + 20.0, "middle", "0");
        }
        label(text, (LEFT + RIGHT) / 2.0, BOTTOM + 42.0, "middle", &self.axis);
    }
}

fn draw(text: &mut String, line: &Line, index: usize, across: &Scale, up: &Scale) {
    let colour = COLOURS[index % COLOURS.len()];
    let width = if line.is_ours { 3.5 } else { 1.5 };
    let dash = match (line.is_mark, index >= COLOURS.len()) {
        (true, _) => " stroke-dasharray=\"2 4\"",
        (false, true) => " stroke-dasharray=\"8 3\"",
        (false, false) => "",
    };
    let style = format!("fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width}\"{dash}");
    let places: Vec<String> =
        line.points.iter().map(|&(x, y)| format!("{:.1},{:.1}", across.place(x), up.place(y))).collect();
    let _ = writeln!(text, "<polyline points=\"{}\" {style}/>", places.join(" "));
    for place in &places {
        let (x, y) = place.split_once(',').unwrap_or_default();
        let _ = writeln!(text, "<circle cx=\"{x}\" cy=\"{y}\" r=\"3\" fill=\"{colour}\"/>");
    }
    let y = TOP + 10.0 + 20.0 * index as f64;
    let _ = writeln!(text, "<polyline points=\"{},{y} {},{y}\" {style}/>", RIGHT + 16.0, RIGHT + 44.0);
    label(text, RIGHT + 52.0, y + 4.0, "start", &line.name);
}

fn rule(text: &mut String, [x1, y1, x2, y2]: [f64; 4]) {
    let _ = writeln!(
        text,
        "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"#dddddd\"/>"
    );
}

fn label(text: &mut String, x: f64, y: f64, anchor: &str, words: &str) {
    let words = words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let _ = writeln!(text, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{words}</text>");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(points: Vec<(f64, f64)>) -> String {
        let line = Line { name: "a <b>".to_owned(), is_ours: true, is_mark: false, points };
        Plot { title: "t".to_owned(), axis: "x".to_owned(), lines: vec![line] }.svg()
    }

    #[test]
    fn axes_end_at_powers_of_ten() {
        let scale = Scale::around([2.0, 1000.0].into_iter(), 0.0, 300.0).unwrap();
        assert_eq!((scale.place(1.0), scale.place(1000.0)), (0.0, 300.0));
        assert!((scale.place(10.0) - 100.0).abs() < 1e-9);
        assert!(scale.place(0.0) < 0.0);
        assert_eq!(scale.powers().count(), 4);
    }

    #[test]
    fn names_are_escaped_and_nothing_is_drawn_of_nothing() {
        let text = plot(vec![(0.0, 1.0), (10.0, 5.0)]);
        assert!(text.contains("a &lt;b&gt;") && text.contains("<polyline") && !text.contains("NaN"));
        assert!(!plot(vec![]).contains("<polyline"));
    }
}
