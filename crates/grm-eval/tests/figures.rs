//! Figures in their three forms: what a person, a spreadsheet and a chart program receive.

use grm_core::{
    Choice, Criterion, CriterionSource, Decision, Invalid, Judgment, MetaReward, Trajectory, Verdict, Votes,
};
use grm_eval::{
    JudgedItem,
    figures::{Axis, Figure, NamedRun, Panel, Point, Scale, Series, exploration_figure, paper_figures, rank_figure},
};

fn series(name: &str, values: &[f64]) -> Series {
    let point = |(x, y): (usize, &f64)| Point { x: x as f64, y: *y, interval: Some((y - 0.1, y + 0.1)), of: Some(40) };
    Series { name: name.into(), points: values.iter().enumerate().map(point).collect() }
}

fn figure(panels: usize) -> Figure {
    let panel = |index: usize| Panel {
        title: format!("panel {index}"),
        series: vec![series("a <b> & \"c\", d", &[0.4, 0.6, 0.5]), series("other", &[0.7])],
    };
    Figure {
        name: "fig 1".into(),
        title: "A & B".into(),
        caption: "Of a small <test>.".into(),
        x: Axis::new("place", Scale::Count),
        y: Axis::new("share", Scale::Share),
        reference: Some((0.5, "chance".into())),
        panels: (0..panels).map(panel).collect(),
    }
}

fn item(id: usize, judgments: &[(bool, f32)]) -> JudgedItem {
    let trajectory = |(index, (right, meta)): (usize, &(bool, f32))| Trajectory {
        index,
        criterion: Criterion { name: format!("c{index}"), explanation: String::new() },
        source: CriterionSource::Initial,
        judgment: Ok(Judgment {
            preferred: if *right { Choice::First } else { Choice::Second },
            scores: [8, 4],
            critiques: Default::default(),
            logprobs: None,
            votes: Votes::default(),
        }),
        refinements: [Err(Invalid::Upstream), Err(Invalid::Upstream)],
        meta: Ok(MetaReward { value: *meta, consistent: *meta > 0.0 }),
        ranked_by: grm_core::RankedBy::Refinement,
    };
    JudgedItem {
        id: format!("i{id}"),
        subset: ["one", "two"][id % 2].into(),
        label: Choice::First,
        trajectories: judgments.iter().enumerate().map(trajectory).collect(),
        verdict: Verdict {
            decision: Decision::Prefer(Choice::First),
            confidence: None,
            rule: "combined".into(),
            votes: Votes::default(),
        },
    }
}

/// A reader of the part of XML that figures use: refuses unbalanced tags, bare `&` and `<`, and repeated ids.
fn check_xml(text: &str) {
    let (mut open, mut ids) = (Vec::new(), Vec::new());
    for piece in text.split('<').skip(1) {
        let (tag, words) = piece.split_once('>').expect("every tag ends");
        for reference in words.split('&').skip(1) {
            let name = reference.split(';').next().unwrap_or_default();
            assert!(["amp", "lt", "gt", "quot"].contains(&name), "&{reference}");
        }
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name.to_owned()));
        } else if !tag.ends_with('/') {
            open.push(tag.split_whitespace().next().unwrap_or_default().to_owned());
        }
        ids.extend(tag.split(" id=\"").skip(1).map(|rest| rest.split('"').next().unwrap_or_default().to_owned()));
    }
    assert!(open.is_empty(), "{open:?}");
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count, "an id twice");
}

#[test]
fn the_picture_is_well_formed_accessible_and_self_contained() {
    for panels in [1, 2, 3, 4, 7] {
        let svg = figure(panels).svg();
        check_xml(&svg);
        assert!(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\""));
        for part in ["role=\"img\"", "aria-labelledby=\"grm-fig-1-title grm-fig-1-desc\"", "prefers-color-scheme:dark"]
        {
            assert!(svg.contains(part), "{part}");
        }
        assert!(svg.contains("A &amp; B</title>") && svg.contains("a &lt;b&gt; &amp; &quot;c&quot;, d"));
        assert!(svg.contains("40% at 0, 50% at 2."), "the description tells both ends of a line");
        for never in ["<script", "http://", "https://", "@import", "url(", "NaN", "inf", "-0.0"] {
            assert!(!svg.replace("http://www.w3.org/2000/svg", "").contains(never), "{never}");
        }
        assert_eq!(svg, figure(panels).svg());
    }
}

#[test]
fn series_differ_by_dash_and_marker_not_by_colour_alone() {
    let svg = figure(1).svg();
    let (first, second) = (svg.find("grm-line grm-c0").unwrap(), svg.find("grm-line grm-c1").unwrap());
    assert!(!svg[first..first + 60].contains("stroke-dasharray"));
    assert!(svg[second..second + 60].contains("stroke-dasharray"));
    let shapes: std::collections::BTreeSet<&str> = svg
        .split("grm-marker grm-c")
        .skip(1)
        .map(|m| m.split(" d=").nth(1).unwrap())
        .map(|d| d.split('>').next().unwrap())
        .collect();
    assert_eq!(shapes.len(), 2);
}

#[test]
fn texts_stay_inside_the_picture() {
    let long = "words that go on ".repeat(40);
    let svg = Figure { caption: long, ..figure(2) }.svg();
    let height: f64 = svg.split("height=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap();
    for text in svg.split("<text").skip(1).filter(|text| text.contains(" y=\"")) {
        let y: f64 = text.split(" y=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap();
        assert!(y > 0.0 && y < height - 2.0, "{text}");
        let words = text.split('>').nth(1).unwrap().split('<').next().unwrap();
        assert!(words.chars().count() <= 112, "{words}");
    }
}

#[test]
fn the_table_quotes_what_needs_it_and_leaves_the_unknown_empty() {
    let mut figure = figure(1);
    figure.panels[0].series[1].points[0] = Point { x: 1.0, y: 0.25, interval: None, of: None };
    let csv = figure.csv();
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines[0], "panel,series,x,y,low,high,of");
    assert_eq!(lines[1], "panel 0,\"a <b> & \"\"c\"\", d\",0,0.4,0.30000000000000004,0.5,40");
    assert_eq!(lines[4], "panel 0,other,1,0.25,,,");
    assert_eq!(lines.len(), 5);
}

#[test]
fn the_chart_holds_every_point_and_facets_panels() {
    let one = figure(1).vega_lite();
    assert_eq!(one["data"]["values"].as_array().unwrap().len(), 4);
    assert!(one["layer"].is_array() && one["facet"].is_null());
    let four = figure(4).vega_lite();
    assert_eq!((&four["columns"], &four["facet"]["field"]), (&2.into(), &"panel".into()));
    assert_eq!(four["spec"]["layer"][1]["encoding"]["color"]["sort"][1], "other");
}

#[test]
fn one_run_gives_the_papers_figures_and_two_compare() {
    let items: Vec<JudgedItem> = (0..6).map(|id| item(id, &[(false, -1.0), (true, 2.0), (id % 2 == 0, 0.5)])).collect();
    let run = |name| NamedRun { name, items: &items };
    let names = |figures: &[Figure]| figures.iter().map(|figure| figure.name.clone()).collect::<Vec<_>>();
    let (figures, notes) = paper_figures(&[run("v1")], "Lead.");
    assert_eq!((names(&figures), notes.len()), (["fig4", "fig10", "fig11", "fig12"].map(String::from).to_vec(), 0));
    assert!(figures.iter().all(|figure| figure.caption.starts_with("Lead. 6 labelled items.")));
    // All items, then a panel for each subset.
    assert_eq!(figures[1].panels.iter().map(|p| p.title.as_str()).collect::<Vec<_>>(), ["all items", "one", "two"]);

    let (figures, _) = paper_figures(&[run("v1"), run("v2")], "Lead.");
    assert_eq!(names(&figures), ["fig4", "fig6", "fig10", "fig11", "fig12-1", "fig12-2"]);
    // The same judgments: one line before ranking, one a run after.
    let lines: Vec<&str> = figures[0].panels[0].series.iter().map(|series| series.name.as_str()).collect();
    assert_eq!(lines, ["before ranking", "after ranking: v1", "after ranking: v2"]);
    let ranked: Vec<f64> = figures[0].panels[0].series[1].points.iter().map(|point| point.y).collect();
    assert_eq!(ranked, [1.0, 0.5, 0.0]);
}

#[test]
fn what_cannot_be_drawn_is_said_and_not_drawn_empty() {
    let bare = [item(0, &[])];
    let (figures, notes) = paper_figures(&[NamedRun { name: "direct", items: &bare }], "");
    assert!(figures.is_empty());
    assert_eq!(notes.len(), 4);
    assert!(notes[0].to_string().contains("rule = \"combined\""));
    let one = [NamedRun { name: "sft", items: &bare }];
    assert!(exploration_figure(&one, "").unwrap_err().reason.contains("two or more"));
    assert!(rank_figure(&[], "").is_err());
}
