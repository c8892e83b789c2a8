//! Small pieces of the screen's text.

use std::time::Duration;

use ratatui::style::{Color, Style};
use ratatui::text::Span;

use super::picture::Bar;

/// Cells of one slice's bar.
const CELLS: usize = 10;
const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
/// Rows of bars that one address type takes at most.
const ROWS: usize = 3;

/// `1 Pod`, `2 Pods`.
pub(super) fn count(number: usize, of: &str) -> String {
    if number == 1 { format!("1 {of}") } else { format!("{number} {of}s") }
}

/// At most so many characters; what does not fit ends in an ellipsis.
pub(super) fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(1)).collect();
    if most == 0 { kept } else { kept + "…" }
}

/// Microseconds for people.
pub(super) fn millis(micros: u64) -> String {
    match micros {
        0..100_000 => format!("{:.1} ms", micros as f64 / 1e3),
        100_000..1_000_000 => format!("{} ms", micros / 1000),
        _ => format!("{:.1} s", micros as f64 / 1e6),
    }
}

/// `12s`, `3m04s`, `1h02m`.
pub(super) fn uptime(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..60 => format!("{seconds}s"),
        seconds @ 60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        seconds => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
    }
}

/// The mean of the last three seconds: steadier to read than the last one.
pub(super) fn rate(seconds: &[u64]) -> String {
    let last = &seconds[seconds.len().saturating_sub(3)..];
    let sum: u64 = last.iter().sum();
    if last.is_empty() { "0".to_owned() } else { format!("{:.0}", sum as f64 / last.len() as f64) }
}

/// One colour when all are ready, else the other.
pub(super) fn share(ready: usize, all: usize, good: Color, warn: Color) -> Color {
    if ready == all { good } else { warn }
}

/// Slices of one address type as rows of bars, `IPv4 ██████▌··· 65 ██████████ 100`, as many in each as
/// are `wide`.
pub(super) fn bars(address_type: &str, slices: &[Bar], room: usize, wide: usize) -> Vec<Vec<Span<'static>>> {
    let name = format!("{:<5}", cut(address_type, 4));
    let label = room.max(slices.iter().map(|slice| slice.endpoints).max().unwrap_or(0)).to_string().len();
    let one = CELLS + 1 + label + 2;
    let each_row = (wide.saturating_sub(name.len()) / one).max(1);
    let mut rows: Vec<Vec<Span<'static>>> = Vec::new();
    for (at, chunk) in slices.chunks(each_row).take(ROWS).enumerate() {
        let name = if at == 0 { name.clone() } else { " ".repeat(name.len()) };
        let mut row = vec![Span::styled(name, Style::new().fg(Color::DarkGray))];
        chunk.iter().for_each(|slice| row.extend(bar(*slice, room, label)));
        let shown = (at + 1) * each_row;
        if at + 1 == ROWS && slices.len() > shown {
            row.push(Span::styled(format!("+{}", slices.len() - shown), Style::new().fg(Color::DarkGray)));
        }
        rows.push(row);
    }
    rows
}

fn bar(slice: Bar, room: usize, label: usize) -> Vec<Span<'static>> {
    let eighths = (slice.endpoints * CELLS * 8).div_ceil(room.max(1)).min(CELLS * 8);
    let filled = format!("{}{}", "█".repeat(eighths / 8), EIGHTHS[eighths % 8]);
    let cells = filled.chars().count();
    let color = if slice.ready == slice.endpoints { Color::Green } else { Color::Yellow };
    vec![
        Span::styled(filled, Style::new().fg(color)),
        Span::styled("·".repeat(CELLS - cells), Style::new().fg(Color::DarkGray)),
        Span::raw(format!(" {:<label$}  ", slice.endpoints)),
    ]
}
