//! The curve of the scenario `flat`: what a change costs against the Services in the namespace.

use std::fmt::Write;

use crate::report::Round;
use crate::subject::Kind;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 320.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 620.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 260.0;
const COST: &str = "spread changes: CPU each";

/// An SVG with one line for each program; `None` when there are fewer than two points.
pub fn draw(run: &[Round]) -> Option<String> {
    let rounds: Vec<&Round> =
        run.iter().filter(|round| round.scenario.name.ends_with("Services in the namespace")).collect();
    if rounds.len() < 2 {
        return None;
    }
    let points = |kind: Kind| -> Vec<(f64, f64)> {
        let one = |round: &&Round| {
            let measured = round.measured.iter().find(|one| one.kind == kind)?;
            Some((round.scenario.size.services as f64, measured.value(COST)?))
        };
        rounds.iter().filter_map(one).collect()
    };
    let (ours, peer) = (points(Kind::Ours), points(Kind::Peer));
    let most = ours.iter().chain(&peer).map(|(_, cost)| *cost).fold(0.0, f64::max) * 1.1;
    let (first, last) =
        (rounds[0].scenario.size.services as f64, rounds[rounds.len() - 1].scenario.size.services as f64);
    let x = |services: f64| LEFT + (RIGHT - LEFT) * (services / first).ln() / (last / first).ln();
    let y = |cost: f64| BOTTOM - (BOTTOM - TOP) * cost / most;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"20\" font-size=\"14\">CPU for each change of a Pod (ms), by Services in the namespace</text>\n\
         <path d=\"M{LEFT} {TOP}V{BOTTOM}H{RIGHT}\" fill=\"none\" stroke=\"#555\"/>\n"
    );
    for round in &rounds {
        let services = round.scenario.size.services;
        let at = x(services as f64);
        let _ = writeln!(
            svg,
            "<text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{services}</text>",
            BOTTOM + 18.0
        );
    }
    for part in 0..=4 {
        let cost = most * f64::from(part) / 4.0;
        let at = y(cost);
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{cost:.2}</text>",
            LEFT - 8.0,
            at + 4.0
        );
        let _ = writeln!(svg, "<path d=\"M{LEFT} {at:.1}H{RIGHT}\" stroke=\"#ddd\"/>");
    }
    for (name, colour, points, row) in
        [("this controller", "#1b7837", ours, 0.0), ("kube-controller-manager", "#b2182b", peer, 1.0)]
    {
        let path: Vec<String> =
            points.iter().map(|(services, cost)| format!("{:.1},{:.1}", x(*services), y(*cost))).collect();
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            path.join(" ")
        );
        for (services, cost) in &points {
            let _ = writeln!(
                svg,
                "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\" fill=\"{colour}\"/>",
                x(*services),
                y(*cost)
            );
        }
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" fill=\"{colour}\">{name}</text>",
            LEFT + 200.0 * row,
            BOTTOM + 45.0
        );
    }
    svg.push_str("</svg>\n");
    Some(svg)
}
