//! A drawn screen as a picture for documents.

use std::fmt::Write;

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};

/// Size of one cell, in the picture's units, for a font of size 14.
const WIDTH: f64 = 8.4;
const HEIGHT: f64 = 18.0;
const MARGIN: f64 = 12.0;
const PAPER: &str = "#11151c";
const INK: &str = "#d8dee9";

/// The cells as SVG: runs of one look are one text, each cell as wide as in a terminal.
#[must_use]
pub fn svg(buffer: &Buffer) -> String {
    let area = buffer.area;
    let (width, height) =
        (f64::from(area.width) * WIDTH + 2.0 * MARGIN, f64::from(area.height) * HEIGHT + 2.0 * MARGIN);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
         font-family=\"ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace\" font-size=\"14\">\n\
         <title>The live screen of endpointslice-controller sandbox</title>\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{PAPER}\"/>\n"
    );
    for y in area.top()..area.bottom() {
        let mut x = area.left();
        while x < area.right() {
            let Some(first) = buffer.cell((x, y)) else { break };
            let mut end = x + 1;
            while end < area.right() && buffer.cell((end, y)).is_some_and(|next| alike(first, next)) {
                end += 1;
            }
            let run: String = (x..end).filter_map(|x| buffer.cell((x, y))).map(Cell::symbol).collect();
            run_of(&mut text, first, &run, x - area.left(), end - x, y - area.top());
            x = end;
        }
    }
    text.push_str("</svg>\n");
    text
}

fn alike(a: &Cell, b: &Cell) -> bool {
    a.fg == b.fg && a.bg == b.bg && a.modifier == b.modifier
}

/// Writing to a String cannot fail.
fn run_of(svg: &mut String, look: &Cell, run: &str, x: u16, cells: u16, y: u16) {
    let (left, top) = (MARGIN + f64::from(x) * WIDTH, MARGIN + f64::from(y) * HEIGHT);
    let wide = f64::from(cells) * WIDTH;
    if look.bg != Color::Reset {
        let fill = color(look.bg, PAPER);
        let _ = writeln!(
            svg,
            "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{wide:.1}\" height=\"{HEIGHT}\" fill=\"{fill}\"/>"
        );
    }
    if run.trim().is_empty() {
        return;
    }
    // Leading blanks are left out by moving the text, trailing ones by ending it.
    let blanks = run.chars().take_while(|c| *c == ' ').count();
    let shown = run.trim_matches(' ');
    let left = left + blanks as f64 * WIDTH;
    let wide = shown.chars().count() as f64 * WIDTH;
    let bold = if look.modifier.contains(Modifier::BOLD) { " font-weight=\"bold\"" } else { "" };
    let _ = writeln!(
        svg,
        "<text x=\"{left:.1}\" y=\"{:.1}\" fill=\"{}\"{bold} textLength=\"{wide:.1}\" lengthAdjust=\"spacingAndGlyphs\" \
         xml:space=\"preserve\">{}</text>",
        top + HEIGHT * 0.75,
        color(look.fg, INK),
        escaped(shown)
    );
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn color(color: Color, default: &'static str) -> &'static str {
    match color {
        Color::Black => "#0b0e14",
        Color::Red | Color::LightRed => "#bf616a",
        Color::Green | Color::LightGreen => "#8fbf7f",
        Color::Yellow | Color::LightYellow => "#ebcb8b",
        Color::Blue | Color::LightBlue => "#81a1c1",
        Color::Magenta | Color::LightMagenta => "#b48ead",
        Color::Cyan | Color::LightCyan => "#88c0d0",
        Color::DarkGray => "#6b7689",
        Color::Gray | Color::White => "#e5e9f0",
        _ => default,
    }
}
