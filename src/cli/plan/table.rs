//! Tables for people, and what their cells have in common.

use smol_str::SmolStr;

use crate::model::Protocol;

/// Addresses that a cell of a table shows.
const ADDRESSES_SHOWN: usize = 3;
/// A cell without content.
pub(super) const NONE: &str = "<none>";

/// Lines with the columns under one another, the heads first.
pub(super) fn table<const COLUMNS: usize>(
    heads: [&str; COLUMNS],
    mut rows: Vec<[String; COLUMNS]>,
) -> String {
    rows.insert(0, heads.map(str::to_owned));
    let mut widths = [0; COLUMNS];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            line.push_str(&format!("{cell:<width$}   "));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// `name:number/protocol`.
pub(super) fn port_text(name: &str, number: Option<i32>, protocol: &Protocol) -> String {
    let name = if name.is_empty() { String::new() } else { format!("{name}:") };
    let number = number.map_or_else(|| "*".to_owned(), |number| number.to_string());
    format!("{name}{number}/{}", protocol.as_str())
}

/// The first few addresses, and how many more there are.
pub(super) fn addresses<'a>(all: impl Iterator<Item = &'a SmolStr>) -> String {
    let all: Vec<&str> = all.map(SmolStr::as_str).collect();
    match all.len() {
        0 => NONE.to_owned(),
        count if count <= ADDRESSES_SHOWN => all.join(","),
        count => format!("{} + {} more", all[..ADDRESSES_SHOWN].join(","), count - ADDRESSES_SHOWN),
    }
}
