//! Figures and the table of them.

use serde::Serialize;

/// What a figure should be.
#[derive(Clone, Copy)]
pub enum Bar {
    /// The ratio to the bare server, at least.
    Ratio(f64),
    /// The figure itself, at most.
    AtMost(f64),
    /// Only for reading.
    None,
}

/// A figure of several rounds.
#[derive(Serialize)]
pub struct Figure {
    pub name: String,
    pub unit: &'static str,
    pub values: Vec<f64>,
    /// For each round the ratio to the bare server in that round.
    pub ratios: Vec<f64>,
    #[serde(skip)]
    pub bar: Bar,
}

impl Figure {
    /// A figure that stands alone.
    pub fn alone(name: impl Into<String>, unit: &'static str, values: Vec<f64>, bar: Bar) -> Self {
        Self { name: name.into(), unit, values, ratios: Vec::new(), bar }
    }

    /// Rates beside those of the bare server, round by round.
    pub fn beside(name: &str, values: Vec<f64>, bare: &[f64], bar: Bar) -> Self {
        let ratios = values.iter().zip(bare).map(|(ours, bare)| ours / bare).collect();
        Self { name: name.to_owned(), unit: "/s", values, ratios, bar }
    }

    /// The one in the middle.
    pub fn median(&self) -> f64 {
        middle(&self.values)
    }

    fn verdict(&self) -> (String, &'static str) {
        let said = |good: bool| if good { "pass" } else { "SHORT" };
        match self.bar {
            Bar::Ratio(bar) => (format!(">= {bar:.2} of bare"), said(middle(&self.ratios) >= bar)),
            Bar::AtMost(bar) => (format!("<= {bar} {}", self.unit), said(self.median() <= bar)),
            Bar::None => (String::new(), ""),
        }
    }
}

/// The one in the middle.
pub fn middle(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(0.0)
}

fn spread(values: &[f64]) -> (f64, f64) {
    values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), value| (least.min(*value), most.max(*value)))
}

/// A number as one reads it.
fn number(value: f64) -> String {
    match value {
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 1.0 => format!("{value:.2}"),
        value => format!("{value:.3}"),
    }
}

/// Prints figures.
pub fn print(title: &str, figures: &[Figure]) {
    println!("\n{title}");
    println!(
        "  {:<42} {:>9} {:>9} {:>9} {:<4} {:>6} {:>15}  {:<16} ",
        "", "median", "least", "most", "", "ratio", "spread of it", "bar"
    );
    for figure in figures {
        let (least, most) = spread(&figure.values);
        let (ratio, range) = if figure.ratios.is_empty() {
            (String::new(), String::new())
        } else {
            let (low, high) = spread(&figure.ratios);
            (format!("{:.2}", middle(&figure.ratios)), format!("{low:.2} to {high:.2}"))
        };
        let (bar, said) = figure.verdict();
        println!(
            "  {:<42} {:>9} {:>9} {:>9} {:<4} {ratio:>6} {range:>15}  {bar:<16} {said}",
            figure.name,
            number(figure.median()),
            number(least),
            number(most),
            figure.unit
        );
    }
}
