//! `report.html`: what happened in a run, on one page that needs nothing else.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::metrics::Record;

/// Points of a curve, at most; more cannot be told apart.
const POINTS_MAX: usize = 600;
const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 200.0;

const STYLE: &str = "\
:root{color-scheme:light dark;--text:#1c2024;--faint:#6b7280;--line:#d9dce1;--page:#fff;--train:#2563eb;--eval:#c2410c}\
@media(prefers-color-scheme:dark){:root{--text:#e6e8eb;--faint:#9aa3ad;--line:#3a3f46;--page:#15181c;--train:#7aa7ff;--eval:#ff9d66}}\
body{font:15px/1.5 system-ui,sans-serif;max-width:720px;margin:2rem auto;padding:0 1rem;color:var(--text);background:var(--page)}\
h2{font-size:1rem;margin:2rem 0 .3rem}figure{margin:0}svg{width:100%;height:auto}\
svg text{fill:var(--faint);font-size:11px}.axis{stroke:var(--line);fill:none}\
.train{stroke:var(--train);fill:none;stroke-width:1.5}.eval{stroke:var(--eval);fill:none;stroke-width:1.5}\
circle.eval{fill:var(--eval)}.key-train{color:var(--train)}.key-eval{color:var(--eval)}\
table{border-collapse:collapse}td{padding:.1rem 1.5rem .1rem 0;border-bottom:1px solid var(--line)}td+td{font-variant-numeric:tabular-nums}";

/// What a page shows.
#[derive(Debug, Clone, Copy)]
pub struct Report<'a> {
    /// The heading.
    pub title: &'a str,
    /// Names and values above the curves.
    pub facts: &'a [(String, String)],
    /// Every setting.
    pub settings: &'a BTreeMap<String, String>,
    /// The run's records.
    pub records: &'a [Record],
}

/// The page. Everything given is escaped.
#[must_use]
pub fn render_report(report: &Report) -> String {
    let title = escaped(report.title);
    let facts = report.facts.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let settings = report.settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let charts: String = names(report.records).iter().map(|name| chart(name, report.records)).collect();
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title><style>{STYLE}</style></head>\n\
         <body><h1>{title}</h1>\n{}\
         <p><span class=\"key-train\">■ training</span> &nbsp; <span class=\"key-eval\">■ held out</span></p>\n{charts}\
         <h2>Settings</h2>\n{}</body></html>\n",
        table(facts),
        table(settings),
    )
}

fn table<'a>(rows: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let row = |(name, value)| format!("<tr><td>{}</td><td>{}</td></tr>\n", escaped(name), escaped(value));
    format!("<table>\n{}</table>\n", rows.map(row).collect::<String>())
}

/// The curves there are, the most telling first; held-out values are drawn into their namesake's.
fn names(records: &[Record]) -> Vec<&str> {
    const FIRST: [&str; 8] = [
        "loss",
        "rewards/margins",
        "rewards/accuracies",
        "margin",
        "accuracy",
        "learning_rate",
        "grad_norm",
        "rewards/chosen",
    ];
    let all = records.iter().flat_map(|record| record.values.keys());
    let mut names: Vec<&str> = all.map(|name| name.strip_prefix("eval_").unwrap_or(name)).collect();
    names.sort_unstable();
    names.dedup();
    names.retain(|name| *name != "num_tokens");
    names.sort_by_key(|name| FIRST.iter().position(|first| first == name).unwrap_or(FIRST.len()));
    names
}

fn curve(name: &str, records: &[Record]) -> Vec<(f64, f64)> {
    #[expect(clippy::cast_precision_loss, reason = "steps are far below 2^52")]
    let point = |record: &Record| record.values.get(name).map(|value| (record.step as f64, *value));
    let points: Vec<_> = records.iter().filter_map(point).collect();
    let stride = points.len().div_ceil(POINTS_MAX).max(1);
    let last = points.len().saturating_sub(1);
    let kept = points.into_iter().enumerate().filter(|(index, _)| index % stride == 0 || *index == last);
    kept.map(|(_, point)| point).collect()
}

/// The rectangle of values that is drawn.
struct Frame {
    left: f64,
    right: f64,
    low: f64,
    high: f64,
}

impl Frame {
    fn around(points: &[(f64, f64)]) -> Self {
        let fold =
            |start: f64, pick: fn(f64, f64) -> f64, of: fn(&(f64, f64)) -> f64| points.iter().map(of).fold(start, pick);
        let left = fold(f64::INFINITY, f64::min, |point| point.0);
        let right = fold(f64::NEG_INFINITY, f64::max, |point| point.0);
        let low = fold(f64::INFINITY, f64::min, |point| point.1);
        let high = fold(f64::NEG_INFINITY, f64::max, |point| point.1);
        Self { left, right, low, high }
    }

    fn place(&self, (x, y): (f64, f64)) -> (f64, f64) {
        let part = |value: f64, from: f64, to: f64| if to > from { (value - from) / (to - from) } else { 0.5 };
        let across = 70.0 + part(x, self.left, self.right) * (WIDTH - 80.0);
        (across, HEIGHT - 25.0 - part(y, self.low, self.high) * (HEIGHT - 40.0))
    }
}

fn chart(name: &str, records: &[Record]) -> String {
    let (train, eval) = (curve(name, records), curve(&format!("eval_{name}"), records));
    let frame = Frame::around(&[train.as_slice(), &eval].concat());
    let (top, bottom) = (15.0, HEIGHT - 25.0);
    let mut svg = format!("<path class=\"axis\" d=\"M70 {top}V{bottom}H{}\"/>", WIDTH - 10.0);
    let labels = [
        (64.0, top + 4.0, "end", frame.high),
        (64.0, bottom, "end", frame.low),
        (70.0, bottom + 18.0, "start", frame.left),
        (WIDTH - 10.0, bottom + 18.0, "end", frame.right),
    ];
    for (x, y, anchor, value) in labels {
        push(&mut svg, format_args!("<text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\">{}</text>", short(value)));
    }
    svg.push_str(&line("train", &train, &frame));
    svg.push_str(&line("eval", &eval, &frame));
    let name = escaped(name);
    format!(
        "<h2>{name}</h2>\n<figure><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{name} by step\">\
         {svg}</svg></figure>\n"
    )
}

/// A curve; few points are marked, since a curve of one could not be seen.
fn line(class: &str, points: &[(f64, f64)], frame: &Frame) -> String {
    let mut drawn = format!("<polyline class=\"{class}\" points=\"");
    for (x, y) in points.iter().map(|point| frame.place(*point)) {
        push(&mut drawn, format_args!("{x:.1},{y:.1} "));
    }
    drawn.push_str("\"/>");
    for (x, y) in points.iter().map(|point| frame.place(*point)).filter(|_| points.len() <= 12) {
        push(&mut drawn, format_args!("<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.5\"/>"));
    }
    drawn
}

fn push(text: &mut String, what: std::fmt::Arguments) {
    text.write_fmt(what).expect("strings take what is written");
}

fn short(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(1e-3..1e5).contains(&size) {
        return format!("{value:.2e}");
    }
    let digits = format!("{value:.4}");
    digits.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(step: usize, values: &[(&str, f64)]) -> Record {
        let values = values.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        Record { step, epoch: 0.0, values }
    }

    fn page(title: &str, records: &[Record]) -> String {
        let settings = BTreeMap::from([("dpo.beta".to_owned(), "0.1".to_owned())]);
        let facts = [("examples".to_owned(), "12".to_owned())];
        render_report(&Report { title, facts: &facts, settings: &settings, records })
    }

    #[test]
    fn curves_settings_and_counts_are_on_the_page() {
        let records = [
            record(1, &[("loss", 0.69), ("learning_rate", 0.0), ("rewards/margins", 0.0)]),
            record(2, &[("loss", 0.5), ("learning_rate", 1e-6), ("rewards/margins", 0.4)]),
            record(2, &[("eval_loss", 0.6)]),
        ];
        let page = page("dpo", &records);
        let headings: Vec<&str> = page.split("<h2>").skip(1).map(|part| part.split("</h2>").next().unwrap()).collect();
        assert_eq!(headings, ["loss", "rewards/margins", "learning_rate", "Settings"]);
        assert!(page.contains("<td>dpo.beta</td><td>0.1</td>"));
        assert!(page.contains("<td>examples</td><td>12</td>"));
        // Loss spans 0.5 to 0.69: the first point is at the top left, the last at the bottom right.
        assert!(page.contains("points=\"70.0,15.0 630.0,175.0 \""), "{page}");
        assert!(page.contains("prefers-color-scheme:dark"));
    }

    #[test]
    fn nothing_is_loaded_from_elsewhere_and_text_is_escaped() {
        let page = page("<script>alert(1)</script>", &[record(1, &[("a\"<b", 1.0)])]);
        assert!(!page.contains("<script"));
        assert!(!page.contains("http"));
        assert!(page.contains("a&quot;&lt;b"));
    }

    #[test]
    fn long_and_empty_runs_are_drawn_too() {
        let records: Vec<_> = (0..10_000).map(|step| record(step, &[("loss", step as f64)])).collect();
        assert!(page("long", &records).len() < 20_000);
        assert!(page("empty", &[]).contains("Settings"));
        assert_eq!([0.25, 3.0, 1e-6, 0.0, -2.5].map(short), ["0.25", "3", "1.00e-6", "0", "-2.5"]);
    }
}
